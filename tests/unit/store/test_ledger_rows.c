// Tests of store/ledger_rows.h: nothing is written to a database that another build has changed since it was opened;
// sums of money end at their bounds.
#include "ledger_fixture.h"

#include "store/ledger_rows.h"
#include "store/migrate.h"

static struct err err;

static bool put_priced(struct ledger_rows *rows, uint64_t id, int64_t cost) {
    struct usage_record rec = {.id = id, .ts = 5, .status = 200, .tenant_id = 1, .model = STR("m"), .cost_nano = cost};
    struct ledger_batch batch = {0};
    char payload[USAGE_ENCODED_MAX];
    struct ledger_item item = {.id = id, .payload = str_of(payload, usage_encode(&rec, payload))};
    REQUIRE(vec_push(&batch.items, item));
    bool ok = ledger_rows_write(rows, &batch, &err);
    vec_free(&batch.items);
    return ok;
}

static bool put(struct ledger_rows *rows, uint64_t id) { return put_priced(rows, id, 0); }

static void test_another_build(void) {
    struct datadir dir;
    struct ledger_rows rows;
    struct sql *db;
    int64_t n = -1;
    char sql[200];
    REQUIRE(test_datadir("versions", &dir, &err) && datadir_open_db(&dir, 20000, &db, &err));
    REQUIRE(ledger_rows_open(&rows, str_c(dir.database), 1, 1000, &err));
    CHECK(put(&rows, 1));
    snprintf(sql, sizeof sql, "INSERT INTO schema_migration VALUES (%d, 'later', 0, 0)", MIGRATE_STEPS + 1);
    CHECK(sql_exec(db, str_c(sql), &err));
    CHECK(!put(&rows, 2));
    CHECK(err.code == ERR_STORE_BUSY && strstr(err.message, "another version"));
    CHECK(sql_query_i64(sql_platform(db), STR("SELECT count(*) FROM usage"), &n, &err));
    CHECK_INT(n, 1);
    snprintf(sql, sizeof sql, "DELETE FROM schema_migration WHERE version = %d", MIGRATE_STEPS + 1);
    CHECK(sql_exec(db, str_c(sql), &err));
    CHECK(put(&rows, 2));
    CHECK(sql_query_i64(sql_platform(db), STR("SELECT sum(requests) FROM usage_dekad WHERE dim_id > 0"), &n, &err));
    CHECK_INT(n, 2);
    ledger_rows_close(&rows);
    sql_close(db);
    datadir_close(&dir);
}

// Whatever an upstream says that it has cost, what comes after is stored.
static void test_sums_end(void) {
    struct datadir dir;
    struct ledger_rows rows;
    struct sql *db;
    int64_t n = -1;
    const struct str sums = STR("SELECT max(cost_nano) FROM usage_month"),
                     least = STR("SELECT min(cost_nano) FROM usage_facet_hour"),
                     all = STR("SELECT max(requests) FROM usage_month");
    REQUIRE(test_datadir("sums", &dir, &err) && datadir_open_db(&dir, 20000, &db, &err));
    REQUIRE(ledger_rows_open(&rows, str_c(dir.database), 1, 1000, &err));
    CHECK(put(&rows, 1));
    CHECK(sql_exec(db, STR("UPDATE usage_month SET cost_nano = 4611686018427387900"), &err));
    CHECK(sql_exec(db, STR("UPDATE usage_facet_hour SET cost_nano = -4611686018427387900"), &err));
    CHECK(put_priced(&rows, 2, 3) && sql_query_i64(sql_platform(db), sums, &n, &err));
    CHECK_INT(n, 4611686018427387903);
    CHECK(put_priced(&rows, 3, 100) && put_priced(&rows, 4, USAGE_COST_MAX));
    CHECK(sql_query_i64(sql_platform(db), sums, &n, &err));
    CHECK_INT(n, 4611686018427387903);
    CHECK(put_priced(&rows, 5, -USAGE_COST_MAX) && put_priced(&rows, 6, -USAGE_COST_MAX));
    CHECK(sql_query_i64(sql_platform(db), least, &n, &err));
    CHECK_INT(n, -4611686018427387903);
    CHECK(sql_query_i64(sql_platform(db), all, &n, &err));
    CHECK_INT(n, 6);
    ledger_rows_close(&rows);
    sql_close(db);
    datadir_close(&dir);
}

TEST_MAIN(test_another_build, test_sums_end)
