// Tests of store/ledger_rows.h: nothing is written to a database that another build has changed since it was opened.
#include "ledger_fixture.h"

#include "store/ledger_rows.h"
#include "store/migrate.h"

static struct err err;

static bool put(struct ledger_rows *rows, uint64_t id) {
    struct usage_record rec = {.id = id, .ts = 5, .status = 200, .tenant_id = 1, .model = STR("m")};
    struct ledger_batch batch = {0};
    char payload[USAGE_ENCODED_MAX];
    struct ledger_item item = {.id = id, .payload = str_of(payload, usage_encode(&rec, payload))};
    REQUIRE(vec_push(&batch.items, item));
    bool ok = ledger_rows_write(rows, &batch, &err);
    vec_free(&batch.items);
    return ok;
}

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

TEST_MAIN(test_another_build)
