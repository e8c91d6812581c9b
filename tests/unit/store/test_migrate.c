// Tests of store/migrate.h: the schema from nothing, upgrades, refusals, half-done steps, two processes at once.
#include "check.h"
#include "test_database.h"

#include "store/migrate.h"

#include <sys/wait.h>

static struct err err;

static struct sql *open_db(const char *name) {
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = 20000};
    struct sql *db = NULL;
    REQUIRE(sql_open(test_database(name), &options, &db, &err));
    return db;
}

static int version_of(struct sql *db) {
    int v = -1;
    return migrate_version(db, &v, &err) ? v : -1;
}

#define ONE                                                                                                            \
    {                                                                                                                  \
        .version = 1, .name = STR_INIT("one"),                                                                         \
        .script = STR_INIT("CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)")                                     \
    }
#define TWO                                                                                                            \
    { .version = 2, .name = STR_INIT("two"), .script = STR_INIT("ALTER TABLE a ADD y INTEGER; UPDATE a SET y = x + 1") }

static const struct migration k_one[] = {ONE}, k_two[] = {ONE, TWO};
static const struct migration k_edited[] = {
    {.version = 1, .name = STR_INIT("one"), .script = STR_INIT("CREATE TABLE a (x INTEGER)")}, TWO};
static const struct migration k_broken[] = {
    ONE,
    {.version = 2, .name = STR_INIT("bad"), .script = STR_INIT("CREATE TABLE b (x INTEGER); DROP TABLE nonsense")},
};
#define STEPS(array) ((struct migrations){.p = array, .n = ARRAY_LEN(array)})

static void test_own_schema(void) {
    struct sql *db = open_db("own.db");
    CHECK_INT(version_of(db), 0);
    CHECK(migrate_to(db, MIGRATE_STEPS, &err));
    CHECK_INT(version_of(db), MIGRATE_STEPS);
    CHECK(migrate_to(db, MIGRATE_STEPS, &err));
    static const char *const tables[] = {"api_key",      "id_lease",      "usage",          "name",       "wal_applied",
                                         "change_count", "sealed_secret", "config_version", "config_live"};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        bool has = false;
        CHECK(sql_has_table(db, str_c(tables[i]), &has, &err) && has);
    }
    // A usage record costs two insertions, into trees that grow at their end.
    int64_t indexes = -1;
    CHECK(sql_query_i64(
        sql_platform(db),
        test_server()
            ? STR("SELECT count(*) - 1 FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'usage'")
            : STR("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'usage'"),
        &indexes, &err));
    CHECK_INT(indexes, 1);
    CHECK(sql_exec(db,
                   STR("INSERT INTO usage VALUES (1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0); INSERT INTO "
                       "wal_applied (place,"
                       " segment, applied) VALUES (1, 2, 3)"),
                   &err));
    sql_close(db);
}

// Usage of before gets sums by month, and its combinations keep their numbers.
static void test_usage_of_before(void) {
    struct sql *db = open_db("usage.db");
    int64_t v = -1;
    CHECK(migrate_to(db, 17, &err));
    CHECK(sql_exec(
        db,
        STR("INSERT INTO usage_dim (id, tenant_id, key_id, team_id, project_id, owner_kind, owner_id,"
            " provider_id, model_id, upstream_model_id, endpoint, status, error_id, tags_id) VALUES (7, 1, 2, 0,"
            " 0, 0, 0, 0, 5, 5, 1, 200, 0, 0), (9, 1, 2, 0, 0, 0, 0, 0, 6, 6, 1, 200, 0, 0);"
            " DELETE FROM usage_dim WHERE id = 9;"
            " INSERT INTO usage_day VALUES (1, 20605, 7, 1, 0, 10, 0, 0, 0, 0, 5, 0, 0, 0),"
            " (1, 20634, 7, 2, 0, 20, 0, 0, 0, 0, 5, 0, 0, 0),"
            " (1, 20635, 7, 4, 0, 40, 0, 0, 0, 0, 5, 0, 0, 0)"),
        &err));
    CHECK(migrate_to(db, MIGRATE_STEPS, &err));
    static const struct {
        struct str text;
        int64_t want;
    } all[] = {
        {STR_INIT("SELECT task_id * 100 + id FROM usage_dim"), 7},
        {STR_INIT("SELECT count(*) FROM usage_month"), 2},
        {STR_INIT("SELECT requests FROM usage_month WHERE first_day = 20605 AND tenant_id = 1 AND dim_id = 7"), 3},
        {STR_INIT("SELECT tokens_in FROM usage_month WHERE first_day = 20635"), 40},
        {STR_INIT("SELECT attempts + saved_nano FROM usage_day WHERE day = 20634"), 0}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        CHECK(sql_query_i64(sql_platform(db), all[i].text, &v, &err));
        CHECK_INT(v, all[i].want);
    }
    // Combinations may differ in their task alone.
    const char *more =
        "INSERT INTO usage_dim (tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id,"
        " model_id, upstream_model_id, endpoint, status, error_id, tags_id, task_id) VALUES (1, 2, 0, 0, 0,"
        " 0, 0, 5, 5, 1, 200, 0, 0, 3)";
    CHECK(sql_exec(db, str_c(more), &err));
    CHECK(!sql_exec(db, str_c(more), &err));
    if (!test_server()) { // an identity's numbers are not looked at when they are given
        CHECK(sql_query_i64(sql_platform(db), STR("SELECT max(id) FROM usage_dim"), &v, &err));
        CHECK_INT(v, 10);
    }
    sql_close(db);
}

static void test_upgrade(void) {
    struct sql *db = open_db("upgrade.db");
    int64_t y = 0;
    CHECK(migrate(db, STEPS(k_one), &err));
    CHECK_INT(version_of(db), 1);
    CHECK(migrate(db, STEPS(k_two), &err));
    CHECK_INT(version_of(db), 2);
    CHECK(sql_query_i64(sql_platform(db), STR("SELECT y FROM a"), &y, &err) && y == 2);

    // The older build refuses what the newer one made, and says what to do.
    CHECK(!migrate(db, STEPS(k_one), &err));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(strstr(err.message, "newer") && strstr(err.message, "backup"));
    CHECK_INT(version_of(db), 2);
    sql_close(db);
}

static void test_refusals(void) {
    struct sql *db = open_db("refusals.db");
    CHECK(migrate(db, STEPS(k_one), &err));
    CHECK(!migrate(db, STEPS(k_edited), &err));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(strstr(err.message, "step 1 differs"));
    CHECK_INT(version_of(db), 1);
    // A record of a step that never was.
    CHECK(sql_exec(db, STR("UPDATE schema_migration SET version = -1"), &err));
    CHECK(!migrate(db, STEPS(k_one), &err));
    CHECK(sql_exec(db, STR("UPDATE schema_migration SET version = 99999999999"), &err));
    CHECK(!migrate(db, STEPS(k_one), &err));
    sql_close(db);

    db = open_db("foreign.db");
    CHECK(sql_exec(db, STR("CREATE TABLE customers (name TEXT)"), &err));
    CHECK(!migrate(db, STEPS(k_one), &err));
    CHECK(strstr(err.message, "another program"));
    bool has;
    CHECK(sql_has_table(db, STR("schema_migration"), &has, &err) && !has);
    sql_close(db);
}

static void test_half_done(void) {
    struct sql *db = open_db("half.db");
    bool has;
    CHECK(!migrate(db, STEPS(k_broken), &err));
    CHECK(strstr(err.message, "schema step 2 (bad)"));
    CHECK_INT(version_of(db), 1); // the first step stays, the second left nothing
    CHECK(sql_has_table(db, STR("b"), &has, &err) && !has);
    CHECK(migrate(db, STEPS(k_two), &err));
    sql_close(db);
}

static void test_race(void) {
    enum { RACERS = 4 };
    fflush(NULL);
    for (int i = 0; i < RACERS; i++) {
        if (fork() != 0) continue;
        struct sql *db = open_db("race.db");
        bool ok = migrate(db, STEPS(k_two), &err);
        if (!ok) fprintf(stderr, "%s\n", err.message);
        sql_close(db);
        _exit(!ok);
    }
    for (int i = 0, status; i < RACERS; i++) {
        REQUIRE(wait(&status) > 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    struct sql *db = open_db("race.db");
    int64_t rows = 0;
    CHECK(sql_query_i64(sql_platform(db), STR("SELECT count(*) FROM a WHERE y = 2"), &rows, &err) && rows == 1);
    sql_close(db);
}

static void test_busy(void) {
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = 0};
    struct sql *db = open_db("busy.db"), *other;
    REQUIRE(sql_open(test_database("busy.db"), &options, &other, &err));
    CHECK(sql_begin(db, &err));
    CHECK(!migrate(other, STEPS(k_one), &err));
    CHECK_INT(err.code, ERR_STORE_BUSY);
    sql_rollback(db);
    CHECK(migrate(other, STEPS(k_one), &err));
    sql_close(other);
    sql_close(db);
}

TEST_MAIN(test_own_schema, test_usage_of_before, test_upgrade, test_refusals, test_half_done, test_race, test_busy)
