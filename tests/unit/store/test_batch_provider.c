// Tests of store/batch_provider.h: what is kept of a batch at a provider, and by whom.
#include "check.h"
#include "temp_dir.h"

#include "store/batch_provider.h"
#include "store/tenant.h"

static struct err err;
static struct datadir dir;
static struct sql *db;
static struct arena arena;

static struct sql_scope scope(void) { return sql_tenant(db, TENANT_DEFAULT); }

static int64_t make_batch(void) {
    struct stored_file file = {.bytes = 1, .place = {3, 4}, .purpose = STR("batch"), .name = STR("n"), .created_at = 1};
    REQUIRE(stored_file_begin(scope(), &file, 0, &err));
    REQUIRE(stored_file_add(scope(), &dir, file.id, 0, STR("x"), &err));
    REQUIRE(stored_file_finish(scope(), file.id, 1, &err));
    struct batch b = {.place = {3, 4},
                      .address = STR(""),
                      .origin = STR(""),
                      .endpoint = STR("/v1/embeddings"),
                      .metadata = STR("{}"),
                      .input_file = file.id,
                      .created_at = 1,
                      .expires_at = 100};
    REQUIRE(batch_insert(scope(), &b, 10, &err));
    return b.id;
}

static void hold(int64_t holder) {
    struct batch_claim claims[4];
    size_t n;
    REQUIRE(batch_claim(db, holder, 50, 4, claims, &n, &err));
    REQUIRE(n == 1);
}

static void test_rows(void) {
    REQUIRE(datadir_open(temp_path("rows"), &dir, &err));
    REQUIRE(datadir_open_db(&dir, 1000, &db, &err));
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    struct batch_provider got, row = {.state = BATCH_PROVIDER_CREATING,
                                      .provider = STR("p"),
                                      .model = STR("m"),
                                      .url = STR("/v1/embeddings"),
                                      .epoch = 77,
                                      .changed_at = 5,
                                      .lines = 9,
                                      .input_file = STR("file-1")};
    bool ours;
    int64_t id = make_batch();
    CHECK(batch_provider_get(scope(), id, &arena, &got, &err) && got.state == BATCH_PROVIDER_NONE);
    CHECK(batch_provider_put(scope(), id, 7, &row, &ours, &err) && !ours); // nobody holds it
    hold(7);
    CHECK(batch_provider_put(scope(), id, 8, &row, &ours, &err) && !ours);
    CHECK(batch_provider_get(scope(), id, &arena, &got, &err) && got.state == BATCH_PROVIDER_NONE);
    CHECK(batch_provider_put(scope(), id, 7, &row, &ours, &err) && ours);
    CHECK(batch_provider_get(scope(), id, &arena, &got, &err) && got.state == BATCH_PROVIDER_CREATING);
    CHECK_STR(got.provider, STR("p"));
    CHECK_STR(got.model, STR("m"));
    CHECK_STR(got.url, STR("/v1/embeddings"));
    CHECK_STR(got.input_file, STR("file-1"));
    CHECK_STR(got.remote_id, STR(""));
    CHECK(got.epoch == 77 && got.changed_at == 5 && got.lines == 9);
    for (int s = BATCH_PROVIDER_OWN; s < BATCH_PROVIDER_STATE_COUNT; s++) {
        row.state = (enum batch_provider_state)s;
        row.remote_id = STR("batch-2");
        row.remote_status = STR("completed");
        row.output_file = STR("o");
        row.error_file = STR("e");
        CHECK(batch_provider_put(scope(), id, 7, &row, &ours, &err) && ours);
        CHECK(batch_provider_get(scope(), id, &arena, &got, &err) && got.state == row.state);
    }
    CHECK_STR(got.remote_id, STR("batch-2"));
    CHECK_STR(got.remote_status, STR("completed"));
    CHECK_STR(got.output_file, STR("o"));
    CHECK_STR(got.error_file, STR("e"));
    // Of another tenant it is not there.
    CHECK(batch_provider_get(sql_tenant(db, 99), id, &arena, &got, &err) && got.state == BATCH_PROVIDER_NONE);
    CHECK(batch_provider_put(sql_tenant(db, 99), id, 7, &row, &ours, &err) && !ours);
    // What a later version wrote is not begun anew.
    REQUIRE(sql_exec(db, STR("UPDATE batch_provider SET state = 'elsewhere'"), &err));
    CHECK(batch_provider_get(scope(), id, &arena, &got, &err) && got.state == BATCH_PROVIDER_OWN);
    arena_free(&arena);
    sql_close(db);
    datadir_close(&dir);
}

TEST_MAIN(test_rows)
