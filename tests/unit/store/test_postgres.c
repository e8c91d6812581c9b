// Tests of the PostgreSQL driver against a real server: values, tenants kept apart, locks, refusals, lost connections.
//
// Started without a server, it has tests/fake/postgres.py start one and runs again under it.
#include "check.h"
#include "test_database.h"

#include "store/ledger.h"
#include "store/migrate.h"

static struct err err;

static void find_server(void) {
    char self[1024];
    if (test_server()) return;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    REQUIRE(n > 0);
    self[n] = '\0';
    execlp("python3", "python3", "-B", "tests/fake/postgres.py", self, (char *)NULL);
    REQUIRE(false);
}

static struct sql *open_db(struct str url, unsigned busy_ms, enum sql_lane lane) {
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = busy_ms, .lane = lane};
    struct sql *db = NULL;
    return sql_open(url, &options, &db, &err) ? db : NULL;
}

static struct sql *open_named(const char *name) {
    struct sql *db = open_db(test_database(name), 5000, SQL_LANE_MAIN);
    REQUIRE(db);
    return db;
}

static int64_t number(struct sql *db, const char *text) {
    int64_t v = -1;
    return sql_query_i64(sql_platform(db), str_c(text), &v, &err) ? v : -1;
}

// --- values ---

static void test_values(void) {
    struct sql *db = open_named("values");
    struct sql_stmt *st;
    bool row;
    REQUIRE(sql_prepare(sql_platform(db),
                        STR("SELECT ?1, ?2, ?3, ?4, ?5, ?6, '?7', \"a?8\" FROM (SELECT 1 AS \"a?8\") x -- ?9\n"), &st,
                        &err));
    sql_bind_i64(st, 1, INT64_MIN);
    sql_bind_text(st, 2, STR("b \xf0\x9f\x8e\x88"));
    sql_bind_blob(st, 3, STR("\0\xff"));
    sql_bind_null(st, 4);
    sql_bind_text(st, 5, STR_NONE);
    sql_bind_blob(st, 6, STR_NONE);
    REQUIRE(sql_step(st, &row, &err) && row);
    CHECK_INT(sql_col_i64(st, 0), INT64_MIN);
    CHECK_STR(sql_col_text(st, 0), STR("-9223372036854775808"));
    CHECK_STR(sql_col_text(st, 1), STR("b \xf0\x9f\x8e\x88"));
    CHECK_STR(sql_col_blob(st, 2), STR("\0\xff"));
    CHECK(sql_col_is_null(st, 3) && sql_col_i64(st, 3) == 0 && !sql_col_text(st, 3).p);
    CHECK(!sql_col_is_null(st, 4) && sql_col_text(st, 4).p && sql_col_text(st, 4).n == 0);
    CHECK(!sql_col_is_null(st, 5) && sql_col_blob(st, 5).n == 0);
    CHECK_STR(sql_col_text(st, 6), STR("?7"));
    CHECK_INT(sql_col_i64(st, 7), 1);
    CHECK(sql_col_is_null(st, 8) && sql_col_is_null(st, -1));
    CHECK(sql_step(st, &row, &err) && !row);
    sql_close(db);
}

static void test_numbers(void) {
    struct sql *db = open_named("numbers");
    CHECK_INT(number(db, "SELECT sum(x) FROM (VALUES (9000000000000000000::bigint), (200000000000000000)) v (x)"),
              9200000000000000000);
    CHECK_INT(number(db, "SELECT sum(x) FROM (VALUES (9000000000000000000::bigint), (9000000000000000000)) v (x)"),
              INT64_MAX);
    CHECK_INT(number(db, "SELECT -sum(x) FROM (VALUES (10000::bigint), (20000)) v (x)"), -30000);
    CHECK_INT(number(db, "SELECT 12345.99::numeric"), 12345);
    CHECK_INT(number(db, "SELECT 0.001::numeric"), 0);
    CHECK_INT(number(db, "SELECT 'NaN'::numeric"), 0);
    CHECK_INT(number(db, "SELECT '-1e30'::float8"), INT64_MIN);
    CHECK_INT(number(db, "SELECT -7.9::float8"), -7);
    CHECK_INT(number(db, "SELECT (-3)::smallint"), -3);
    CHECK_INT(number(db, "SELECT 2 > 1"), 1);
    CHECK_INT(number(db, "SELECT '42'"), 42);
    CHECK_INT(number(db, "SELECT 'forty'"), 0);
    sql_close(db);
}

// A value may be NULL first and something later, of one type and then of another.
static void test_types_change(void) {
    struct sql *db = open_named("types");
    struct sql_stmt *st, *again;
    bool row;
    REQUIRE(sql_exec(db, STR("CREATE TABLE t (id BIGINT, v BIGINT)"), &err));
    for (int turn = 0; turn < 3; turn++) {
        REQUIRE(sql_prepare(sql_platform(db), STR("INSERT INTO t VALUES (?1, ?2)"), &st, &err));
        sql_bind_i64(st, 1, turn);
        if (turn != 1) sql_bind_null(st, 2);
        if (turn == 1) sql_bind_i64(st, 2, INT64_MAX);
        CHECK(sql_run(st, &err));
        CHECK_INT(sql_changes(db), 1);
    }
    CHECK_INT(number(db, "SELECT count(*) FROM t WHERE v IS NULL"), 2);
    for (int turn = 0; turn < 4; turn++) {
        REQUIRE(sql_prepare(sql_platform(db), STR("SELECT ?1"), &st, &err));
        if (turn % 2)
            sql_bind_i64(st, 1, 5);
        else
            sql_bind_text(st, 1, STR("five"));
        REQUIRE(sql_step(st, &row, &err) && row);
        CHECK_STR(sql_col_text(st, 0), turn % 2 ? STR("5") : STR("five"));
    }
    // Two statements read in turns; values stay over a reset.
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT id FROM t ORDER BY id"), &st, &err));
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT id FROM t WHERE id = ?1"), &again, &err));
    for (int64_t i = 0; i < 3; i++) {
        REQUIRE(sql_step(st, &row, &err) && row);
        sql_bind_i64(again, 1, sql_col_i64(st, 0));
        REQUIRE(sql_step(again, &row, &err) && row);
        CHECK_INT(sql_col_i64(again, 0), i);
        sql_reset(again);
    }
    CHECK(sql_step(st, &row, &err) && !row);
    REQUIRE(sql_step(again, &row, &err) && row);
    CHECK_INT(sql_col_i64(again, 0), 2);
    sql_close(db);
}

static void refused(struct sql *db, const char *text, enum err_code code) {
    struct sql_stmt *st;
    bool ok = sql_prepare(sql_platform(db), str_c(text), &st, &err) && sql_run(st, &err);
    CHECK(!ok);
    CHECK_INT(err.code, code);
}

static void test_mistakes(void) {
    struct sql *db = open_named("mistakes");
    struct sql_stmt *st;
    refused(db, "", ERR_STORE);
    refused(db, "SELEKT", ERR_STORE);
    refused(db, "SELECT ?0", ERR_STORE);
    refused(db, "SELECT ?1000", ERR_STORE);
    refused(db, "SELECT 1 FROM absent", ERR_STORE);
    CHECK(!sql_exec(db, STR("CREATE TABLE t (id BIGINT PRIMARY KEY); DROP TABLE absent"), &err));
    REQUIRE(sql_exec(db, STR("CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT NOT NULL, CHECK (id > 0))"), &err));
    CHECK(sql_exec(db, STR("INSERT INTO t VALUES (1, 'a')"), &err));
    refused(db, "INSERT INTO t VALUES (1, 'b')", ERR_EXISTS);
    refused(db, "INSERT INTO t VALUES (0, 'b')", ERR_STORE);
    refused(db, "INSERT INTO t VALUES (2, NULL)", ERR_STORE);
    REQUIRE(sql_prepare(sql_platform(db), STR("INSERT INTO t VALUES (?1, ?2)"), &st, &err));
    sql_bind_i64(st, 1, 3);
    sql_bind_text(st, 2, STR("a\0b"));
    CHECK(!sql_run(st, &err));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    sql_bind_text(st, 2, STR("\xff"));
    CHECK(!sql_run(st, &err));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    sql_bind_text(st, 3, STR("x"));
    CHECK(!sql_run(st, &err));
    sql_bind_text(st, 2, STR("fine"));
    CHECK(sql_run(st, &err));
    CHECK_INT(number(db, "SELECT count(*) FROM t"), 2);
    sql_close(db);
}

// --- tenants ---

// Statements that name no tenant, run for one: what a fault in a program would look like.
static int64_t as_tenant(struct sql *db, int64_t tenant, const char *text, bool *out_ok) {
    struct sql_stmt *st;
    bool row = false;
    db->ops->enter(db, tenant);
    REQUIRE(db->ops->prepare(db, str_c(text), &st, &err));
    *out_ok = sql_step(st, &row, &err);
    int64_t v = *out_ok && row ? sql_col_i64(st, 0) : sql_changes(db);
    if (*out_ok && row) sql_reset(st);
    return v;
}

static void tenants_make(struct sql *db) {
    REQUIRE(migrate_to(db, MIGRATE_STEPS, &err));
    REQUIRE(sql_exec(db,
                     STR("INSERT INTO tenant (id, name) VALUES (2, 'a'), (3, 'b');"
                         "INSERT INTO team (tenant_id, created_at, updated_at, name) VALUES (2, 1, 1, 'one'),"
                         " (2, 1, 1, 'two'), (3, 1, 1, 'one'), (3, 1, 1, 'two'), (3, 1, 1, 'three')"),
                     &err));
}

static void test_isolation(void) {
    struct sql *db = open_named("isolation");
    bool ok;
    tenants_make(db);
    CHECK_INT(as_tenant(db, 2, "SELECT count(*) FROM team", &ok), 2);
    CHECK_INT(as_tenant(db, 3, "SELECT count(*) FROM team", &ok), 3);
    CHECK_INT(as_tenant(db, 4, "SELECT count(*) FROM team", &ok), 0);
    CHECK_INT(as_tenant(db, SQL_PLATFORM, "SELECT count(*) FROM team", &ok), 5);
    CHECK_INT(as_tenant(db, 2, "SELECT count(*) FROM tenant", &ok), 1);
    CHECK_INT(as_tenant(db, 2, "UPDATE team SET title = 'mine'", &ok), 2);
    CHECK_INT(number(db, "SELECT count(*) FROM team WHERE title = 'mine' AND tenant_id <> 2"), 0);
    CHECK_INT(as_tenant(db, 2, "UPDATE team SET title = 'x' WHERE tenant_id = 3", &ok), 0);
    (void)as_tenant(db, 2, "UPDATE team SET tenant_id = 3", &ok);
    CHECK(!ok && strstr(err.message, "row-level security"));
    (void)as_tenant(db, 2, "INSERT INTO team (tenant_id, created_at, updated_at, name) VALUES (3, 1, 1, 'new')", &ok);
    CHECK(!ok);
    CHECK_INT(as_tenant(db, 2, "DELETE FROM team", &ok), 2);
    CHECK_INT(number(db, "SELECT count(*) FROM team"), 3);
    // Without a word of whose rows are meant, there are none.
    REQUIRE(
        sql_exec(db, STR("SET penstock.tenant = ''; CREATE TEMP TABLE seen AS SELECT count(*) AS n FROM team"), &err));
    CHECK_INT(number(db, "SELECT n FROM seen"), 0);
    sql_close(db);
}

// Going back to a savepoint takes back whose rows are meant, too.
static void test_savepoint(void) {
    struct sql *db = open_named("savepoint");
    bool ok;
    tenants_make(db);
    REQUIRE(sql_begin(db, &err) && sql_exec(db, STR("SAVEPOINT here"), &err));
    (void)as_tenant(db, 2, "SELECT 1 / 0", &ok);
    CHECK(!ok);
    CHECK(sql_exec(db, STR("ROLLBACK TO here"), &err) && sql_exec(db, STR("RELEASE here"), &err));
    CHECK_INT(as_tenant(db, 2, "SELECT count(*) FROM team", &ok), 2);
    REQUIRE(sql_exec(db, STR("SAVEPOINT here"), &err));
    CHECK_INT(as_tenant(db, 3, "SELECT count(*) FROM team", &ok), 3);
    CHECK(sql_exec(db, STR("ROLLBACK TO here"), &err));
    CHECK_INT(as_tenant(db, 3, "SELECT count(*) FROM team", &ok), 3);
    CHECK(sql_commit(db, &err));
    CHECK_INT(as_tenant(db, 3, "SELECT count(*) FROM team", &ok), 3);
    sql_close(db);
}

// Whatever a step of the schema brings.
static void test_every_table(void) {
    struct sql *db = open_named("tables");
    REQUIRE(migrate_to(db, MIGRATE_STEPS, &err));
#define OF_TENANTS                                                                                                     \
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON"             \
    " a.attrelid = c.oid WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id'"
    int64_t all = number(db, OF_TENANTS);
    CHECK(all > 20);
    CHECK_INT(number(db, OF_TENANTS " AND c.relrowsecurity AND c.relforcerowsecurity AND EXISTS"
                                    " (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)"),
              all);
    sql_close(db);
}

// Each statement runs for whom it was prepared, in whatever order they are run; a transaction that is undone takes
// nobody along.
static void test_scopes(void) {
    struct sql *db = open_named("scopes");
    struct sql_stmt *all, *a, *b;
    bool row;
    tenants_make(db);
    struct str text = STR("SELECT count(*) FROM team WHERE tenant_id = ?1");
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT count(*) FROM team"), &all, &err));
    REQUIRE(sql_prepare(sql_tenant(db, 2), text, &a, &err));
    REQUIRE(sql_step(all, &row, &err) && sql_col_i64(all, 0) == 5);
    REQUIRE(sql_step(a, &row, &err) && sql_col_i64(a, 0) == 2);
    REQUIRE(sql_prepare(sql_tenant(db, 3), STR("SELECT name FROM team WHERE tenant_id = ?1"), &b, &err));
    sql_reset(all);
    REQUIRE(sql_step(all, &row, &err) && sql_col_i64(all, 0) == 5);
    for (int i = 0; i < 3; i++) CHECK(sql_step(b, &row, &err) && row);
    CHECK(sql_step(b, &row, &err) && !row);
    sql_reset(all);
    sql_reset(a);
    REQUIRE(sql_begin(db, &err));
    REQUIRE(sql_prepare(sql_tenant(db, 3), text, &b, &err) && sql_step(b, &row, &err) && sql_col_i64(b, 0) == 3);
    sql_rollback(db);
    REQUIRE(sql_prepare(sql_tenant(db, 3), text, &b, &err) && sql_step(b, &row, &err) && sql_col_i64(b, 0) == 3);
    CHECK_INT(number(db, "SELECT count(*) FROM team"), 5);
    sql_close(db);
}

// --- transactions ---

static void test_locks(void) {
    struct str url = test_database("locks");
    struct sql *one = open_db(url, 5000, SQL_LANE_MAIN), *two = open_db(url, 0, SQL_LANE_MAIN),
               *usage = open_db(url, 0, SQL_LANE_USAGE), *other = open_db(test_database("locks2"), 0, SQL_LANE_MAIN);
    REQUIRE(one && two && usage && other);
    REQUIRE(sql_exec(one, STR("CREATE TABLE t (id BIGINT PRIMARY KEY)"), &err));
    REQUIRE(sql_begin(one, &err));
    CHECK(one->ops->in_transaction(one));
    CHECK(!sql_begin(two, &err));
    CHECK_INT(err.code, ERR_STORE_BUSY);
    CHECK(!two->ops->in_transaction(two));
    CHECK(sql_begin(usage, &err) && sql_commit(usage, &err)); // records of usage wait for nobody
    CHECK(sql_begin(other, &err) && sql_commit(other, &err)); // nor does another installation
    CHECK(sql_exec(one, STR("INSERT INTO t VALUES (1)"), &err));
    CHECK_INT(number(two, "SELECT count(*) FROM t"), 0);
    CHECK(sql_durable(one, &err) && sql_commit(one, &err));
    CHECK_INT(number(two, "SELECT count(*) FROM t"), 1);
    CHECK(sql_begin(two, &err));
    sql_rollback(two);
    sql_rollback(two);
    // A transaction of which a statement failed is not kept, and says so.
    uint64_t v1, v2;
    REQUIRE(sql_data_version(two, &v1, &err) && sql_begin(one, &err));
    CHECK(sql_exec(one, STR("INSERT INTO t VALUES (2)"), &err));
    CHECK(!sql_exec(one, STR("INSERT INTO t VALUES (1)"), &err));
    CHECK_INT(err.code, ERR_EXISTS);
    CHECK(!sql_commit(one, &err));
    CHECK_INT(number(one, "SELECT count(*) FROM t"), 1);
    CHECK(sql_exec(one, STR("INSERT INTO t VALUES (3)"), &err));
    CHECK(sql_data_version(two, &v2, &err) && v1 != v2);
    sql_close(one);
    sql_close(two);
    sql_close(usage);
    sql_close(other);
}

static void test_snapshot(void) {
    struct str url = test_database("snapshot");
    struct sql *one = open_db(url, 0, SQL_LANE_MAIN), *two = open_db(url, 0, SQL_LANE_MAIN);
    struct sql_stmt *st;
    bool row;
    REQUIRE(one && two);
    REQUIRE(sql_exec(one, STR("CREATE TABLE t (tenant_id BIGINT, id BIGINT)"), &err));
    REQUIRE(sql_begin_read(two, &err));
    CHECK_INT(number(two, "SELECT count(*) FROM t"), 0);
    CHECK(sql_begin(one, &err) && sql_exec(one, STR("INSERT INTO t VALUES (3, 1)"), &err) && sql_commit(one, &err));
    // Also when it goes over to the rows of a tenant meanwhile.
    REQUIRE(sql_prepare(sql_tenant(two, 3), STR("SELECT count(*) FROM t WHERE tenant_id = ?1"), &st, &err));
    REQUIRE(sql_step(st, &row, &err) && row);
    CHECK_INT(sql_col_i64(st, 0), 0);
    sql_reset(st);
    CHECK_INT(number(two, "SELECT count(*) FROM t"), 0);
    CHECK(!sql_exec(two, STR("INSERT INTO t VALUES (3, 2)"), &err));
    sql_rollback(two);
    CHECK_INT(number(two, "SELECT count(*) FROM t"), 1);
    CHECK(sql_exec(two, STR("INSERT INTO t VALUES (3, 2)"), &err));
    sql_close(one);
    sql_close(two);
}

static void test_bulk(void) {
    struct sql *db = open_named("bulk");
    REQUIRE(sql_exec(db, STR("CREATE TABLE t (id BIGINT PRIMARY KEY, a BIGINT, b BIGINT)"), &err));
    CHECK(!sql_bulk_begin(db, STR("absent"), 3, &err));
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    for (int64_t i = 0; i < 5000; i++)
        REQUIRE(sql_bulk_add(db, (int64_t[]){i - 100, i % 2 ? INT64_MIN : INT64_MAX, i}, i % 5 ? 0 : 4));
    CHECK(!sql_bulk_add(db, (int64_t[]){4899, 1, 1}, 0)); // not in order
    REQUIRE(sql_bulk_load(db, &err) && sql_begin(db, &err) && sql_bulk_insert(db, &err) && sql_commit(db, &err));
    CHECK_INT(number(db, "SELECT count(*) FROM t"), 5000);
    CHECK_INT(number(db, "SELECT count(*) FROM t WHERE b IS NULL"), 1000);
    CHECK_INT(number(db, "SELECT sum(a) FROM t"), -2500);
    CHECK_INT(number(db, "SELECT b FROM t WHERE id = -99"), 1);
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    for (int64_t i = 4890; i < 5000; i++) CHECK(sql_bulk_add(db, (int64_t[]){i, 1, 1}, 0));
    REQUIRE(sql_bulk_load(db, &err) && sql_begin(db, &err));
    CHECK(!sql_bulk_insert(db, &err));
    CHECK_INT(err.code, ERR_EXISTS);
    sql_rollback(db);
    CHECK_INT(number(db, "SELECT count(*) FROM t"), 5000);
    sql_bulk_end(db);
    sql_close(db);
}

// What a client called its model is recorded, whatever bytes it has.
static void test_names_of_clients(void) {
    struct sql *db = open_named("names");
    static const struct str models[] = {STR_INIT("a\0b"), STR_INIT("\xff\xfe"), STR_INIT("fine")};
    char dir[600];
    struct ledger *l;
    REQUIRE(migrate_to(db, MIGRATE_STEPS, &err));
    snprintf(dir, sizeof dir, "%s/names-data", temp_dir());
    REQUIRE(dir_make(str_c(dir), 0700, &err));
    struct ledger_options o = {
        .data_dir = str_c(dir), .database = test_database("names"), .place = 7, .writers = 1, .apply_ms = 1};
    REQUIRE(ledger_open(&o, &l, &err));
    for (uint64_t i = 0; i < ARRAY_LEN(models); i++) {
        struct usage_record r = {.id = i + 1, .ts = 1, .model = models[i], .provider = STR("p"), .status = 200};
        CHECK_INT(ledger_end(ledger_writer(l, 0), &r), LEDGER_KEPT);
    }
    ledger_close(l, 10000);
    CHECK_INT(number(db, "SELECT count(*) FROM usage"), 3);
    CHECK_INT(number(db, "SELECT count(*) FROM name WHERE text IN ('a\xef\xbf\xbd"
                         "b', '\xef\xbf\xbd\xef\xbf\xbd',"
                         " 'fine')"),
              3);
    sql_close(db);
}

// --- connections ---

static void end_session(struct sql *by, struct sql *db) {
    char text[100];
    snprintf(text, sizeof text, "SELECT pg_terminate_backend(%lld, 5000)",
             (long long)number(db, "SELECT pg_backend_pid()"));
    CHECK_INT(number(by, text), 1);
}

static void test_lost_connection(void) {
    struct sql *db = open_named("lost"), *by = open_named("lost");
    struct sql_stmt *st;
    REQUIRE(sql_exec(db, STR("CREATE TABLE t (id BIGINT PRIMARY KEY)"), &err));
    REQUIRE(sql_prepare(sql_platform(db), STR("INSERT INTO t VALUES (?1)"), &st, &err));
    sql_bind_i64(st, 1, 1);
    REQUIRE(sql_run(st, &err));
    end_session(by, db);
    CHECK_INT(number(db, "SELECT count(*) FROM t"), 1);
    end_session(by, db);
    sql_bind_i64(st, 1, 2);
    CHECK(sql_run(st, &err)); // what was prepared is prepared anew
    CHECK_INT(number(db, "SELECT count(*) FROM t"), 2);
    // In a transaction it is an error, until that is ended.
    REQUIRE(sql_begin(db, &err));
    sql_bind_i64(st, 1, 3);
    CHECK(sql_run(st, &err));
    end_session(by, db);
    sql_bind_i64(st, 1, 4);
    CHECK(!sql_run(st, &err));
    CHECK(!sql_run(st, &err));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(!sql_commit(db, &err));
    CHECK(sql_run(st, &err));
    CHECK_INT(number(db, "SELECT count(*) FROM t"), 3);
    REQUIRE(sql_begin(db, &err) && sql_commit(db, &err));
    sql_close(db);
    sql_close(by);
}

// The same URL with one part of it replaced.
static struct str with(const char *old, const char *new) {
    static char url[1024];
    const char *at = strstr(test_server(), old);
    REQUIRE(at);
    snprintf(url, sizeof url, "%.*s%s%s", (int)(at - test_server()), test_server(), new, at + strlen(old));
    return str_c(url);
}

static void not_opened(struct str url, const char *said) {
    struct sql *db = open_db(url, 0, SQL_LANE_MAIN);
    CHECK(!db);
    CHECK(strstr(err.message, said) || (fprintf(stderr, "%s\n", err.message), false));
    CHECK(!strstr(err.message, "p@ss") && !strstr(err.message, "p%40ss") && !strstr(err.message, "hunter2"));
    sql_close(db);
}

static void test_refused(void) {
    not_opened(with("penstock:", "almighty:"), "superuser");
    not_opened(with("p%40ss", "hunter2"), "password authentication failed");
    not_opened(with("/penstock", "/absent"), "absent");
    not_opened(STR("postgres://u:hunter2@127.0.0.1:1/db"), "cannot be made");
    not_opened(STR("postgres://u:hunter2%zz@127.0.0.1:1/db"), "is not of the form");
    not_opened(STR("postgres://u:hunter2@[::1/db"), "is not of the form");
    not_opened(STR("postgres://u:hunter2@h/db?nonsense=1"), "is not of the form");
    not_opened(STR("postgres://u:hunter2@h\0/db"), "NUL");
    not_opened(STR("mysql://u:hunter2@h/db"), "no database driver");
}

TEST_MAIN(find_server, test_values, test_numbers, test_types_change, test_mistakes, test_isolation, test_savepoint,
          test_every_table, test_scopes, test_locks, test_snapshot, test_bulk, test_names_of_clients,
          test_lost_connection, test_refused)
