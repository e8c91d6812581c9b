// Tests of store/batch.h and store/stored_file.h: states, claims, results once, whose rows are whose, tidying.
#include "check.h"
#include "temp_dir.h"

#include "store/batch.h"
#include "store/tenant.h"

#define NOW (INT64_C(1700000000) * 1000000000)

static struct err err;
static struct datadir dir;
static struct sql *db;
static struct arena arena;
static const struct store_place place = {3, 4}, elsewhere = {3, 5};

static struct sql_scope scope(void) { return sql_tenant(db, TENANT_DEFAULT); }

static void open_data(const char *name) {
    REQUIRE(datadir_open(temp_path(name), &dir, &err));
    REQUIRE(datadir_open_db(&dir, 1000, &db, &err));
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
}

static void close_data(void) {
    arena_free(&arena);
    sql_close(db);
    datadir_close(&dir);
}

static void test_states(void) {
    static const char *const names[] = {"validating", "in_progress", "finalizing", "completed",
                                        "failed",     "expired",     "cancelling", "cancelled"};
    static const char *const steps[] = {"01", "04", "06", "02", "12", "16", "62", "23", "25", "27"};
    unsigned allowed = 0;
    for (unsigned from = 0; from < BATCH_STATUS_COUNT; from++) {
        enum batch_status parsed;
        CHECK_STR(batch_status_text((enum batch_status)from), str_c(names[from]));
        CHECK(batch_status_parse(str_c(names[from]), &parsed) && parsed == from);
        unsigned ways = 0;
        for (unsigned to = 0; to < BATCH_STATUS_COUNT; to++)
            ways += batch_may_go((enum batch_status)from, (enum batch_status)to);
        CHECK_INT(ways == 0, batch_has_ended((enum batch_status)from));
        allowed += ways;
    }
    CHECK_INT(allowed, ARRAY_LEN(steps));
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        CHECK(batch_may_go((enum batch_status)(steps[i][0] - '0'), (enum batch_status)(steps[i][1] - '0')));
    enum batch_status ignored;
    CHECK(!batch_status_parse(STR("Completed"), &ignored));
}

static void test_ids(void) {
    static const char *const bad[] = {"",
                                      "file-",
                                      "file-000000000000",
                                      "file-0000000000000",
                                      "batch_0000000000001x",
                                      "batch_!",
                                      "batch-0000000000001",
                                      "file-zzzzzzzzzzzzz",
                                      "batch_fzzzzzzzzzzzz"};
    char file[STORED_FILE_ID_LEN], batch[BATCH_ID_LEN];
    int64_t id;
    stored_file_id_text(file, 77);
    batch_id_text(batch, 78);
    CHECK(stored_file_id_parse(str_of(file, sizeof file), &id) && id == 77);
    CHECK(batch_id_parse(str_of(batch, sizeof batch), &id) && id == 78);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!stored_file_id_parse(str_c(bad[i]), &id));
        CHECK(!batch_id_parse(str_c(bad[i]), &id));
    }
}

static int64_t make_file(const char *purpose, const char *text, int64_t expires_at) {
    struct stored_file f = {.created_at = NOW,
                            .expires_at = expires_at,
                            .bytes = (int64_t)strlen(text),
                            .place = place,
                            .purpose = str_c(purpose),
                            .name = STR("n")};
    REQUIRE(stored_file_begin(scope(), &f, 0, &err));
    REQUIRE(stored_file_add(scope(), &dir, f.id, 0, str_c(text), &err));
    struct stored_file got;
    CHECK(!stored_file_get(scope(), &place, f.id, NOW, &arena, &got, &err)); // not complete yet
    REQUIRE(stored_file_finish(scope(), f.id, f.bytes, &err));
    return f.id;
}

static void test_files(void) {
    BUF_AUTO struct buf out = BUF_INIT(1000);
    struct stored_file got;
    open_data("files");
    int64_t id = make_file("batch", "hello", 0);
    CHECK(stored_file_get(scope(), &place, id, NOW, &arena, &got, &err));
    CHECK_STR(got.purpose, STR("batch"));
    CHECK_INT(got.bytes, 5);
    CHECK(stored_file_piece(scope(), &dir, id, 0, &out, &err));
    CHECK_STR(buf_str(&out), STR("hello"));
    CHECK(!stored_file_piece(scope(), &dir, id, 1, &out, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(!stored_file_get(scope(), &elsewhere, id, NOW, &arena, &got, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(!stored_file_delete(scope(), &elsewhere, id, &err));
    // The one there is counts as the least that any does.
    const int64_t most = STORED_FILE_LEAST + 9000;
    struct stored_file large = {.bytes = 9001, .place = place, .purpose = STR("batch"), .name = STR("n")};
    CHECK(!stored_file_begin(scope(), &large, most, &err));
    CHECK_INT(err.status, 413);
    large.bytes = 9000;
    CHECK(stored_file_begin(scope(), &large, most, &err));
    struct stored_file empty = {.place = place, .purpose = STR("batch"), .name = STR("n")};
    CHECK(!stored_file_begin(scope(), &empty, most, &err));
    CHECK(!stored_file_begin(scope(), &empty, most + STORED_FILE_LEAST - 1, &err));
    CHECK(stored_file_begin(scope(), &empty, most + STORED_FILE_LEAST, &err));
    CHECK(stored_file_delete(scope(), &place, id, &err));
    CHECK(!stored_file_delete(scope(), &place, id, &err));
    close_data();
}

static void test_tidy(void) {
    struct stored_file got;
    bool more;
    open_data("tidy");
    int64_t lasting = make_file("batch", "a", 0), ending = make_file("batch", "b", NOW + 10);
    struct stored_file half = {
        .created_at = NOW, .bytes = 1, .place = place, .purpose = STR("batch"), .name = STR("n")};
    REQUIRE(stored_file_begin(scope(), &half, 0, &err));
    REQUIRE(stored_file_add(scope(), &dir, half.id, 0, STR("x"), &err));
    CHECK(stored_files_tidy(db, NOW + 9, &more, &err));
    CHECK(stored_file_get(scope(), NULL, ending, NOW, &arena, &got, &err));
    CHECK(!stored_file_get(scope(), NULL, ending, NOW + 10, &arena, &got, &err));
    CHECK(stored_files_tidy(db, NOW + INT64_C(3600) * 1000000000, &more, &err));
    CHECK(!more);
    int64_t n;
    CHECK(sql_query_i64(sql_platform(db), STR("SELECT count(*) FROM stored_file_piece"), &n, &err) && n == 1);
    CHECK(stored_file_get(scope(), NULL, lasting, NOW, &arena, &got, &err));
    close_data();
}

static struct batch make_batch(int64_t file) {
    struct batch b = {.place = place,
                      .address = STR("192.0.2.1"),
                      .origin = STR(""),
                      .wishes = STR("x-penstock-privacy: private\n"),
                      .endpoint = STR("/v1/embeddings"),
                      .metadata = STR("{}"),
                      .input_file = file,
                      .created_at = NOW,
                      .expires_at = NOW + 100};
    REQUIRE(batch_insert(scope(), &b, 10, &err));
    return b;
}

static bool go(const struct batch *b, int64_t holder, enum batch_status from, enum batch_status to) {
    struct batch_step step = {
        .id = b->id, .holder = holder, .now_ns = NOW, .from = from, .to = to, .outcome = BATCH_COMPLETED, .total = 2};
    bool ours;
    REQUIRE(batch_go(scope(), &step, &ours, &err));
    return ours;
}

static void test_claims(void) {
    struct batch_claim claims[4];
    size_t n;
    open_data("claims");
    struct batch b = make_batch(make_file("batch", "a", 0));
    CHECK(batch_claim(db, 7, NOW, 4, claims, &n, &err));
    CHECK_INT(n, 1);
    CHECK_INT(claims[0].id, b.id);
    CHECK(batch_claim(db, 8, NOW + 1, 4, claims, &n, &err) && n == 0); // 7 has it
    CHECK(batch_claim(db, 7, NOW + 1, 4, claims, &n, &err) && n == 1); // and keeps it
    CHECK(!go(&b, 8, BATCH_VALIDATING, BATCH_IN_PROGRESS));
    CHECK(go(&b, 7, BATCH_VALIDATING, BATCH_IN_PROGRESS));
    CHECK(!go(&b, 7, BATCH_VALIDATING, BATCH_IN_PROGRESS)); // once
    CHECK(batch_claim(db, 8, NOW + 2 + BATCH_LEASE_NS, 4, claims, &n, &err) && n == 1);
    CHECK_INT(claims[0].status, BATCH_IN_PROGRESS);
    bool ours;
    CHECK(batch_count(scope(), b.id, 7, 1, 0, &ours, &err) && !ours);
    CHECK(batch_release(db, 8, &err));
    CHECK(batch_claim(db, 9, NOW + 2, 4, claims, &n, &err) && n == 1);
    CHECK(go(&b, 9, BATCH_IN_PROGRESS, BATCH_FINALIZING));
    CHECK(go(&b, 9, BATCH_FINALIZING, BATCH_COMPLETED));
    CHECK(batch_claim(db, 9, NOW + 2, 4, claims, &n, &err) && n == 0);
    close_data();
}

static void test_claims_are_fair(void) {
    struct batch_claim claims[3];
    struct sql_stmt *st;
    size_t n;
    open_data("fair");
    REQUIRE(sql_exec(db, STR("INSERT INTO tenant (id, name, created_at) VALUES (50, 'other', 1)"), &err));
    int64_t file = make_file("batch", "a", 0);
    for (int i = 0; i < 4; i++) (void)make_batch(file);
    struct batch last = make_batch(file);
    REQUIRE(sql_prepare(sql_platform(db), STR("UPDATE batch SET tenant_id = 50 WHERE id = ?1"), &st, &err));
    sql_bind_i64(st, 1, last.id);
    REQUIRE(sql_run(st, &err));
    CHECK(batch_claim(db, 7, NOW, 3, claims, &n, &err));
    CHECK_INT(n, 3);
    bool found = false;
    for (size_t i = 0; i < n; i++) found |= claims[i].tenant == 50 && claims[i].id == last.id;
    CHECK(found); // before another tenant's second
    close_data();
}

static int seen_lines;
static bool see(void *arg, int64_t line, struct str result, struct err *e) {
    (void)e;
    CHECK_INT(line, seen_lines == 0 ? 1 : 5);
    if (arg) CHECK_STR(result, seen_lines == 0 ? STR("first") : STR("five"));
    seen_lines++;
    return true;
}

static void test_lines_once(void) {
    struct batch_claim claims[4];
    size_t n;
    bool is_new, ours;
    int got;
    open_data("lines");
    struct batch b = make_batch(make_file("batch", "a", 0));
    REQUIRE(batch_claim(db, 7, NOW, 4, claims, &n, &err));
    REQUIRE(go(&b, 7, BATCH_VALIDATING, BATCH_IN_PROGRESS));
    REQUIRE(sql_begin(db, &err));
    CHECK(batch_line_put(scope(), &dir, b.id, 5, true, STR("five"), &is_new, &err) && is_new);
    CHECK(batch_line_put(scope(), &dir, b.id, 1, true, STR("first"), &is_new, &err) && is_new);
    CHECK(batch_line_put(scope(), &dir, b.id, 1, true, STR("second"), &is_new, &err) && !is_new);
    CHECK(batch_line_put(scope(), &dir, b.id, 2, false, STR("no"), &is_new, &err) && is_new);
    CHECK(batch_line_put(scope(), &dir, b.id + 1, 3, true, STR("another's"), &is_new, &err) && is_new);
    CHECK(batch_count(scope(), b.id, 7, 2, 1, &ours, &err) && ours);
    REQUIRE(sql_commit(db, &err));
    CHECK(batch_lines_read(scope(), &dir, b.id, true, -1, 10, see, &err, &got, &err));
    CHECK_INT(got, 2);
    CHECK_INT(seen_lines, 2);
    struct batch now;
    CHECK(batch_get(scope(), &place, b.id, &arena, &now, &err));
    CHECK_INT(now.completed, 2);
    CHECK_STR(now.wishes, STR("x-penstock-privacy: private\n"));
    CHECK_INT(now.failed, 1);
    CHECK_INT(now.total, 2);
    CHECK(batch_lines_delete(scope(), b.id, &err));
    int64_t left;
    CHECK(sql_query_i64(sql_platform(db), STR("SELECT count(*) FROM batch_line"), &left, &err) && left == 1);
    close_data();
}

static void test_cancel_and_refusals(void) {
    struct batch now;
    open_data("cancel");
    int64_t file = make_file("batch", "a", 0), other = make_file("evals", "a", 0);
    struct batch b = make_batch(file), wrong = b;
    CHECK(!batch_insert(scope(), &b, 1, &err)); // one is open
    CHECK_INT(err.code, ERR_RATE_LIMITED);
    wrong.input_file = other;
    CHECK(!batch_insert(scope(), &wrong, 10, &err));
    CHECK_STR(str_c(err.param), STR("input_file_id"));
    wrong.input_file = 12345;
    CHECK(!batch_insert(scope(), &wrong, 10, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(!stored_file_delete(scope(), &place, file, &err));
    CHECK_INT(err.code, ERR_WRONG_STATE);
    CHECK(!batch_cancel(scope(), &elsewhere, b.id, NOW, &err));
    CHECK(batch_cancel(scope(), &place, b.id, NOW + 5, &err));
    CHECK(batch_cancel(scope(), &place, b.id, NOW + 6, &err));
    CHECK(batch_get(scope(), &place, b.id, &arena, &now, &err));
    CHECK_INT(now.status, BATCH_CANCELLING);
    CHECK_INT(now.outcome, BATCH_CANCELLED);
    CHECK_INT(now.at[BATCH_CANCELLING], NOW + 5);
    close_data();
}

TEST_MAIN(test_states, test_ids, test_files, test_tidy, test_claims, test_claims_are_fair, test_lines_once,
          test_cancel_and_refusals)
