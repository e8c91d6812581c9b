// Tests of store/rekey.h: all that is sealed under the next key, values of early versions, kill -9 at any moment,
// readers and writers meanwhile, old keys' end; and that no sealed column is forgotten.
#include "check.h"
#include "test_database.h"

#include "os/clock.h"
#include "store/config_history.h"
#include "store/rekey.h"
#include "store/sealed.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err err;
static struct datadir dir;
static struct sql *db;

static void open_data(const char *name) {
    REQUIRE(test_datadir(name, &dir, &err));
    if (datadir_open_db(&dir, 20000, &db, &err)) return;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}
static void close_data(void) {
    sql_close(db);
    datadir_close(&dir);
}
static struct sql_scope one(void) { return sql_tenant(db, TENANT_DEFAULT); }
static bool put(int64_t tenant, const char *name, const char *value) {
    return sealed_put(sql_tenant(db, tenant), &dir, str_c(name), str_c(value), 1, &err);
}
static bool has(int64_t tenant, const char *name, const char *value) {
    BUF_AUTO struct buf out = BUF_INIT(SEALED_VALUE_MAX);
    return sealed_get(sql_tenant(db, tenant), &dir, str_c(name), &out, &err) && str_eq(buf_str(&out), str_c(value));
}
static int64_t number(const char *text) {
    int64_t n = -1;
    if (!sql_query_i64(sql_platform(db), str_c(text), &n, &err)) fprintf(stderr, "%s: %s\n", text, err.message);
    return n;
}
static int64_t tenant(const char *name) {
    int64_t id = 0;
    REQUIRE(tenant_intern(db, str_c(name), &id, &err));
    return id;
}
// Of the values of sealed_secret, how many are under this version.
static int64_t under(int64_t version) {
    char prefix[SEALED_PREFIX_SIZE];
    struct sql_stmt *st;
    bool row;
    sealed_prefix(version, prefix);
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT count(*) FROM sealed_secret WHERE substr(value, 1, 5) = ?1"), &st,
                        &err));
    sql_bind_blob(st, 1, str_of(prefix, sizeof prefix));
    REQUIRE(sql_step(st, &row, &err) && row);
    int64_t n = sql_col_i64(st, 0);
    sql_reset(st);
    return n;
}

// All that is sealed with the default tenant's key.
static int64_t of_default(void) {
    return number("SELECT (SELECT count(*) FROM sealed_secret WHERE tenant_id = 1) + (SELECT count(*) FROM config_live)"
                  " + (SELECT count(*) FROM config_version) + (SELECT count(secret) FROM audit_key)");
}

static void test_all(void) {
    struct rekey_report r;
    struct arena arena;
    struct config_live_list live = {0};
    struct config_live_row rows[] = {{.key = STR("log.level"), .value = STR("debug"), .actor = STR("me"), .at = 1}};
    struct config_version_row row = {.at = 1,
                                     .actor = STR("me"),
                                     .cause = STR("test"),
                                     .file = STR(""),
                                     .changes = STR("[]"),
                                     .digest = 1,
                                     .tree = STR("tree: text")};
    int64_t version, destroyed, kept;
    open_data("all");
    int64_t acme = tenant("acme");
    for (int i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "name-%02d", i);
        CHECK(put(1, name, name) && put(acme, name, "of acme"));
    }
    live.p = rows, live.n = 1;
    REQUIRE(config_version_add(db, &dir, &row, &live, -1, &version, &err));
    CHECK(rekey_tenant(one(), &dir, &r, &err));
    CHECK(r.tenant == 1 && r.version == 2 && !r.resumed && r.unopened == 0 && r.destroyed == 0 && r.kept == 1);
    CHECK(of_default() >= 52);
    CHECK_INT(r.resealed, of_default());
    CHECK_INT(under(2), 50); // acme's are as they were
    CHECK_INT(under(1), 50);
    for (int i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "name-%02d", i);
        CHECK(has(1, name, name) && has(acme, name, "of acme"));
    }
    arena_init(&arena, NULL, 0, 1 << 20);
    CHECK(config_version_find(db, &dir, version, &arena, &row, &err) &&
          config_live_read(db, &dir, &arena, &live, &err));
    CHECK_STR(row.tree, STR("tree: text"));
    CHECK(live.n == 1 && str_eq(live.p[0].value, STR("debug")));
    arena_free(&arena);
    // The old key goes when it is old enough, and not while something is under it.
    CHECK(rekey_tidy(one(), REKEY_GRACE_NS, clock_unix_ns(), &destroyed, &kept, &err) && destroyed == 0 && kept == 1);
    CHECK(sql_exec(db, STR("CREATE TABLE held AS SELECT * FROM sealed_secret WHERE tenant_id = 2 LIMIT 1"), &err));
    CHECK(sql_exec(db, STR("INSERT INTO sealed_secret SELECT 1, 'stray', value, 1, 1 FROM held"), &err));
    int64_t later = clock_unix_ns() + 2 * REKEY_GRACE_NS;
    CHECK(rekey_tidy(one(), REKEY_GRACE_NS, later, &destroyed, &kept, &err) && destroyed == 0 && kept == 1);
    CHECK(sealed_delete(one(), STR("stray"), &err));
    CHECK(rekey_tidy(one(), REKEY_GRACE_NS, later, &destroyed, &kept, &err) && destroyed == 1 && kept == 0);
    CHECK_INT(number("SELECT count(*) FROM data_key WHERE tenant_id = 1 AND purpose = 'seal'"), 1);
    CHECK(has(1, "name-00", "name-00") && put(1, "more", "m") && under(2) == 51);
    // Again, and again: each its own version.
    CHECK(rekey_tenant(one(), &dir, &r, &err) && r.version == 3 && r.resealed == of_default());
    CHECK(rekey_tidy_all(db, &err)); // none is old enough
    CHECK_INT(number("SELECT count(*) FROM data_key WHERE tenant_id = 1 AND purpose = 'seal'"), 2);
    close_data();
}

static bool note(void *arg, const struct rekey_report *report, struct err *e) {
    struct rekey_report *all = arg;
    (void)e;
    all->resealed += report->resealed;
    all->version = MAX(all->version, report->version);
    all->tenant++;
    return true;
}

static void test_every_tenant(void) {
    struct rekey_report all = {0};
    open_data("tenants");
    int64_t acme = tenant("acme"), empty = tenant("empty");
    CHECK(put(1, "a", "x") && put(acme, "a", "y"));
    CHECK(rekey_all(db, &dir, note, &all, &err));
    CHECK(all.tenant == 2 && all.resealed == 2 && all.version == 2);
    CHECK(has(1, "a", "x") && has(acme, "a", "y"));
    CHECK_INT(number("SELECT count(*) FROM data_key WHERE tenant_id = 3"), 0);
    CHECK_INT(empty, 3);
    close_data();
}

// What does not open stays, is told, and keeps its key.
static void test_damaged(void) {
    struct rekey_report r;
    int64_t destroyed, kept;
    open_data("damaged");
    CHECK(put(1, "a", "x") && put(1, "b", "y") && put(1, "c", "z"));
    CHECK(sql_exec(db, STR("UPDATE sealed_secret SET name = 'bb' WHERE name = 'b'"), &err));
    CHECK(rekey_tenant(one(), &dir, &r, &err) && r.resealed == 2 && r.unopened == 1);
    CHECK(has(1, "a", "x") && has(1, "c", "z") && !has(1, "bb", "y"));
    CHECK(rekey_tidy(one(), 0, clock_unix_ns() + 1, &destroyed, &kept, &err) && destroyed == 0 && kept == 1);
    CHECK(sql_exec(db, STR("UPDATE sealed_secret SET name = 'b' WHERE name = 'bb'"), &err) && has(1, "b", "y"));
    close_data();
}

// --- values of early versions ---

static void seal_early(const char *key, struct str purpose, struct str label, struct str text, struct buf *out) {
    unsigned char sub[32], ad[32];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof ad);
    crypto_generichash_update(&state, (const unsigned char *)purpose.p, purpose.n);
    crypto_generichash_update(&state, (const unsigned char *)"", 1);
    crypto_generichash_update(&state, (const unsigned char *)label.p, label.n);
    crypto_generichash_final(&state, ad, sizeof ad);
    REQUIRE(crypto_kdf_derive_from_key(sub, sizeof sub, 1, "penstock", (const unsigned char *)key) == 0);
    REQUIRE(buf_reserve(out, text.n + 41));
    unsigned char *p = (unsigned char *)out->p;
    p[0] = 1;
    randombytes_buf(p + 1, 24);
    crypto_aead_xchacha20poly1305_ietf_encrypt(p + 25, NULL, (const unsigned char *)text.p, text.n, ad, sizeof ad, NULL,
                                               p + 1, sub);
    out->n = text.n + 41;
}

static void insert_early(const char *key, const char *name, const char *value) {
    struct sql_stmt *st;
    BUF_AUTO struct buf sealed = BUF_INIT(1000);
    seal_early(key, STR("sealed_secret"), str_c(name), str_c(value), &sealed);
    REQUIRE(sql_prepare(sql_platform(db),
                        STR("INSERT INTO sealed_secret (name, value, created_at, updated_at) VALUES (?1, ?2, 1, 1)"),
                        &st, &err));
    sql_bind_text(st, 1, str_c(name));
    sql_bind_blob(st, 2, buf_str(&sealed));
    REQUIRE(sql_run(st, &err));
}

static void test_early(void) {
    struct rekey_report r;
    struct keeper_key key;
    char bytes[32], path[64];
    REQUIRE(sodium_init() >= 0);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i + 100);
    REQUIRE(dir_make(temp_path("early"), 0700, &err));
    snprintf(path, sizeof path, "early/secret.key");
    REQUIRE(file_replace(temp_path(path), str_of(bytes, sizeof bytes), 0600, &err));
    open_data("early");
    int64_t acme = tenant("acme");
    CHECK(sql_exec(db, STR("DELETE FROM data_key; DELETE FROM master_key"), &err));
    insert_early(bytes, "a", "of old");
    insert_early(bytes, "b", "older");
    close_data();
    open_data("early"); // the upgrade: nothing is asked of anybody
    CHECK(has(1, "a", "of old") && has(1, "b", "older"));
    CHECK(put(1, "b", "newer") && has(1, "b", "newer"));
    // Neither another name's nor another tenant's.
    CHECK(sql_exec(db, STR("INSERT INTO sealed_secret SELECT 2, name, value, 1, 1 FROM sealed_secret WHERE name = 'a'"),
                   &err));
    CHECK(!has(acme, "a", "of old") && err.code == ERR_STORE);
    CHECK(sql_exec(db, STR("DELETE FROM sealed_secret WHERE tenant_id = 2"), &err));
    CHECK(sql_exec(db, STR("UPDATE sealed_secret SET name = 'x' WHERE name = 'a'"), &err) && !has(1, "x", "of old"));
    CHECK(sql_exec(db, STR("UPDATE sealed_secret SET name = 'a' WHERE name = 'x'"), &err) && has(1, "a", "of old"));
    CHECK(rekey_tenant(one(), &dir, &r, &err) && r.resealed == 2 && r.version == 2 && r.destroyed == 1);
    CHECK(has(1, "a", "of old") && has(1, "b", "newer"));
    CHECK(!keeper_early(dir.keeper, db, &key, &err) && err.code == ERR_NOT_FOUND);
    insert_early(bytes, "late", "too late"); // of a backup, say
    CHECK(!has(1, "late", "too late") && err.code == ERR_STORE);
    close_data();
}

// --- stopped, and beside others ---

enum { VALUES = 1500 };

static void fill(void) {
    for (int i = 0; i < VALUES; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%04d", i);
        REQUIRE(put(1, name, name));
    }
}
static void check_all(void) {
    for (int i = 0; i < VALUES; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%04d", i);
        if (!has(1, name, name)) {
            CHECK(false);
            return;
        }
    }
}

static void test_killed(void) {
    struct rekey_report r;
    int resumed = 0;
    int64_t version = 1;
    open_data("killed");
    fill();
    close_data();
    for (int round = 0; round < 12; round++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            open_data("killed");
            _exit(rekey_tenant(one(), &dir, &r, &err) ? 0 : 1);
        }
        usleep((useconds_t)(5000 + 4000 * round));
        kill(child, SIGKILL);
        int status;
        REQUIRE(waitpid(child, &status, 0) == child);
        open_data("killed");
        check_all();
        if (round % 3 == 2) { // goes on where it was stopped
            bool begun = number("SELECT count(*) FROM data_key WHERE rekeying = 1") > 0;
            CHECK(rekey_tenant(one(), &dir, &r, &err));
            CHECK(r.resumed == begun);
            resumed += r.resumed;
            CHECK(r.version >= version && r.unopened == 0);
            version = r.version;
            CHECK_INT(under(version), VALUES);
            check_all();
        }
        close_data();
    }
    // Stopped before the first value.
    bool was = true;
    open_data("killed");
    CHECK(keeper_advance(dir.keeper, one(), &version, &was, &err) && !was);
    CHECK(rekey_tenant(one(), &dir, &r, &err) && r.resumed && r.version == version && r.resealed == VALUES);
    close_data();
    printf("stopped: %d of 4 were resumed, version %d\n", resumed, (int)version);
}

// A process that writes and reads all the while sees only whole values, and none is lost.
static void test_beside(void) {
    struct rekey_report r;
    int64_t destroyed, kept;
    open_data("beside");
    fill();
    close_data();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        open_data("beside");
        for (int i = 0; i < 300; i++) {
            char name[32], value[32];
            snprintf(name, sizeof name, "w%03d", i);
            snprintf(value, sizeof value, "value %d", i);
            if (!put(1, name, value) || !has(1, name, value) || !has(1, "n0100", "n0100")) {
                fprintf(stderr, "%s\n", err.message);
                _exit(1);
            }
        }
        _exit(0);
    }
    open_data("beside");
    for (int i = 0; i < 4; i++) {
        CHECK(rekey_tenant(one(), &dir, &r, &err) && r.unopened == 0);
        CHECK(rekey_tidy(one(), REKEY_GRACE_NS, clock_unix_ns(), &destroyed, &kept, &err) && destroyed == 0);
    }
    int status = 1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(rekey_tenant(one(), &dir, &r, &err) && r.unopened == 0);
    CHECK_INT(under(r.version), VALUES + 300);
    CHECK(rekey_tidy(one(), 0, clock_unix_ns() + 1, &destroyed, &kept, &err) && kept == 0 &&
          destroyed == r.version - 1);
    check_all();
    CHECK(has(1, "w000", "value 0") && has(1, "w299", "value 299"));
    close_data();
}

// --- several servers on one database, each with its own directory ---

static void test_replicas(void) {
    struct datadir other;
    struct sql *its;
    struct rekey_report r;
    BUF_AUTO struct buf out = BUF_INIT(1000);
    struct conf_storage storage = {.master_key = {.source = MASTER_ENV, .env = STR("TEST_MASTER")}};
    if (!test_server()) return; // a file is in one directory
    REQUIRE(setenv("TEST_MASTER", "0f0e0d0c0b0a09080706050403020100000102030405060708090a0b0c0d0e0f", 1) == 0);
    REQUIRE(secret_set(&storage.url, test_database("replicas")));
    // Both at once, on a database that has nothing yet.
    fflush(NULL);
    pid_t child = fork();
    bool ok = datadir_open_as(temp_path(child ? "one" : "two"), &storage, NULL, &dir, &err) &&
              datadir_open_db(&dir, 20000, &db, &err);
    if (!ok) fprintf(stderr, "%s\n", err.message);
    if (child == 0) _exit(ok ? 0 : 1);
    int status = 1;
    REQUIRE(ok && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    REQUIRE(datadir_open_as(temp_path("two"), &storage, NULL, &other, &err) &&
            datadir_open_db(&other, 20000, &its, &err));
    CHECK(str_eq(secret_str(datadir_secret(&dir)), secret_str(datadir_secret(&other)))); // API keys are known to both
    CHECK(put(1, "a", "x") && sealed_get(sql_tenant(its, 1), &other, STR("a"), &out, &err));
    CHECK(rekey_tenant(one(), &dir, &r, &err) && sealed_get(sql_tenant(its, 1), &other, STR("a"), &out, &err));
    CHECK_STR(buf_str(&out), STR("xx"));
    CHECK(sealed_put(sql_tenant(its, 1), &other, STR("b"), STR("y"), 1, &err) && has(1, "b", "y"));
    CHECK_INT(under(2), 2);
    // One whose master key is its own file does not come in.
    struct datadir stranger;
    struct sql *no;
    storage.master_key = (struct conf_master_key){.source = MASTER_FILE};
    REQUIRE(datadir_open_as(temp_path("stranger"), &storage, NULL, &stranger, &err));
    CHECK(!datadir_open_db(&stranger, 1000, &no, &err) && strstr(err.message, "storage.master_key"));
    datadir_close(&stranger);
    sql_close(its);
    datadir_close(&other);
    close_data();
    secret_free(&storage.url);
}

// --- the list of columns ---

// What is stored as bytes and is not sealed.
static const char *const open_columns[] = {
    "api_key.hash",         "data_key.key_id",       "data_key.wrapped",      "master_key.check_value",
    "idempotency.request",  "session.hash",          "session.old_hash",      "recovery_code.hash",
    "audit_key.public_key", "audit_key.by_previous", "audit_key.of_previous", "token_key.public_key",
    "tenant_branding.logo",
};
static const char *const sealed_columns[] = {
#define SEALED_COLUMN(table, value, whose, label, kind, what) #table "." #value,
#define SEALED_SHORT(table, value) #table "." #value,
#include "store/sealed_column.def"
#undef SEALED_COLUMN
#undef SEALED_SHORT
};

static bool in(struct str name, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, str_c(list[i]))) return true;
    return false;
}

// Whoever adds a column of bytes says here or in sealed_column.def what is in it: a sealed one that is forgotten would
// lose its key.
static void test_columns(void) {
    struct sql_stmt *st;
    int known = 0;
    if (test_server()) return; // the same columns
    open_data("columns");
    REQUIRE(sql_prepare(sql_platform(db),
                        STR("SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
                            " WHERE m.type = 'table' AND c.type = 'BLOB' AND m.name NOT LIKE 'sqlite_%'"),
                        &st, &err));
    for (bool row;;) {
        REQUIRE(sql_step(st, &row, &err));
        if (!row) break;
        struct str name = sql_col_text(st, 0);
        bool is_sealed = in(name, sealed_columns, ARRAY_LEN(sealed_columns));
        bool is_open = in(name, open_columns, ARRAY_LEN(open_columns)) || str_starts(name, STR("audit_text")) ||
                       str_starts(name, STR("audit_event.")) || str_starts(name, STR("audit_head.")) ||
                       str_starts(name, STR("audit_checkpoint."));
        if (!is_sealed && !is_open) fprintf(stderr, "%.*s: sealed or not?\n", STR_ARG(name));
        CHECK(is_sealed || is_open);
        known += is_sealed;
    }
    CHECK_INT(known, ARRAY_LEN(sealed_columns));
    close_data();
}

TEST_MAIN(test_all, test_every_tenant, test_damaged, test_early, test_killed, test_beside, test_replicas, test_columns)
