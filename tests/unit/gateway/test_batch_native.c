// Tests of gateway/batch_native_wire.c: what is said to a provider's batch API, and what is believed of its answers.
#include "check.h"

#include "gateway/batch_native.h"

#include "base/mem.h"

static struct arena arena;

static void test_lines(void) {
    BUF_AUTO struct buf out = BUF_INIT(4096);
    native_line_put(&out, 7, STR("/v1/embeddings"), STR("{\n \"model\": \"m\",\r\n\"input\":\"a\\nb\"}"));
    CHECK_STR(buf_str(&out), STR("{\"custom_id\":\"line-7\",\"method\":\"POST\",\"url\":\"/v1/embeddings\","
                                 "\"body\":{ \"model\": \"m\",\"input\":\"a\\nb\"}}\n"));
    BUF_AUTO struct buf small = BUF_INIT(40);
    native_line_put(&small, 7, STR("/v1/embeddings"), STR("{}"));
    CHECK(small.failed);
}

static void test_upload(void) {
    struct native_ask *a = native_ask_new(100);
    REQUIRE(a && native_say_upload(a, STR("batch_1"), STR("lines\n")));
    CHECK_STR(a->method, STR("POST"));
    CHECK_STR(a->target, STR("/files"));
    REQUIRE(a->n_body == 3 && str_starts(a->type, STR("multipart/form-data; boundary=")));
    struct str mark = str_from(a->type, 30);
    CHECK(str_find(a->body[0], mark) == 2 && str_find(a->body[2], mark) == 4);
    CHECK(str_find(a->body[0], STR("name=\"purpose\"\r\n\r\nbatch\r\n")) < a->body[0].n);
    CHECK(str_find(a->body[0], STR("filename=\"batch_1.jsonl\"")) < a->body[0].n);
    CHECK(str_ends(a->body[0], STR("\r\n\r\n")) && str_ends(a->body[2], STR("--\r\n")));
    native_ask_free(a);
    a = native_ask_new(100);
    REQUIRE(a && native_say_create(a, STR("file-1"), STR("/v1/embeddings"), STR("batch_1")));
    CHECK_STR(a->body[0], STR("{\"input_file_id\":\"file-1\",\"endpoint\":\"/v1/embeddings\","
                              "\"completion_window\":\"24h\",\"metadata\":{\"penstock_batch\":\"batch_1\"}}"));
    native_ask_free(a);
    native_ask_free(NULL);
}

static void test_ids(void) {
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "{\"id\":null}",
                                      "{\"id\":7}",
                                      "{\"id\":\"\"}",
                                      "{\"id\":\"a/b\"}",
                                      "{\"id\":\"../x\"}",
                                      "{\"id\":\"a b\"}",
                                      "{\"id\":\"a?b\"}",
                                      "{\"id\":\"a\\u000ab\"}",
                                      "{\"id\":\"a%2f\"}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) CHECK(!native_hear_id(str_c(bad[i]), &arena).p);
    CHECK_STR(native_hear_id(STR("{\"x\":1,\"id\":\"file-A_1.b\"}"), &arena), STR("file-A_1.b"));
    CHECK_STR(native_hear_error(STR("{\"error\":{\"message\":\"no\"}}")), STR("no"));
    CHECK_STR(native_hear_error(STR("<html>")), STR("no error object"));
    CHECK_STR(native_hear_error(STR("{\"error\":{\"message\":7}}")), STR("no error object"));
}

static void test_batches(void) {
    struct native_batch b;
    struct str last;
    CHECK(native_hear_batch(STR("{\"id\":\"b\",\"status\":\"in_progress\",\"output_file_id\":null}"), &arena, &b));
    CHECK(!b.ended && !b.output_file.n && !b.error_file.n);
    CHECK(native_hear_batch(
        STR("{\"id\":\"b\",\"status\":\"expired\",\"output_file_id\":\"o\",\"error_file_id\":\"e\"}"), &arena, &b));
    CHECK(b.ended);
    CHECK_STR(b.output_file, STR("o"));
    CHECK_STR(b.error_file, STR("e"));
    CHECK(!native_hear_batch(STR("{\"id\":\"b\"}"), &arena, &b));
    CHECK(!native_hear_batch(STR("{\"status\":\"completed\"}"), &arena, &b));
    struct str page = STR("{\"data\":[{\"id\":\"b1\",\"status\":\"failed\",\"input_file_id\":\"f1\"},7,null,"
                          "{\"id\":\"b2\",\"status\":\"validating\",\"input_file_id\":\"f2\"}],\"has_more\":true}");
    CHECK(native_hear_list(page, STR("f2"), &arena, &b, &last));
    CHECK_STR(b.id, STR("b2"));
    CHECK(!native_hear_list(page, STR("f3"), &arena, &b, &last));
    CHECK_STR(last, STR("b2"));
    CHECK(!native_hear_list(STR("{\"data\":[],\"has_more\":true}"), STR("f"), &arena, &b, &last) && !last.n);
    CHECK(!native_hear_list(STR("{\"data\":{}}"), STR("f"), &arena, &b, &last) && !last.n);
    CHECK(!native_hear_list(STR("nonsense"), STR("f"), &arena, &b, &last) && !last.n);
}

#define OK(id, text)                                                                                                   \
    "{\"custom_id\":\"" id "\",\"response\":{\"status_code\":200,\"body\":{\"t\":\"" text "\"}},\"error\":null}"

static void test_results(void) {
    struct native_results r = {.text = BUF_INIT(1 << 16)};
    int status;
    struct str body;
    buf_put(&r.text,
            STR(OK("line-12", "twelve") "\r\n\nnonsense\n" OK("line-3", "three") "\n" OK("line-3", "again") "\n"));
    buf_put(&r.text,
            STR(OK("line--1", "x") "\n" OK("line-16777216", "x") "\n" OK("mine", "x") "\n" OK("line-", "x") "\n"));
    buf_put(&r.text, STR("{\"custom_id\":\"line-4\",\"response\":null,\"error\":{\"code\":\"batch_expired\"}}\n"
                         "{\"custom_id\":\"line-5\",\"response\":{\"status_code\":99,\"body\":{}}}\n"
                         "{\"custom_id\":\"line-6\",\"response\":{\"status_code\":200,\"body\":\"text\"}}\n"
                         "{\"custom_id\":7,\"response\":{\"status_code\":200,\"body\":{}}}\n[]\n"
                         "{\"custom_id\":\"line-8\",\"response\":{\"status_code\":429,\"body\":{\"error\":{}}}}"));
    REQUIRE(native_results_index(&r));
    CHECK_INT(r.index.n, 4);
    CHECK(native_results_find(&r, 12, &status, &body) && status == 200);
    CHECK_STR(body, STR("{\"t\":\"twelve\"}"));
    CHECK(native_results_find(&r, 3, &status, &body));
    CHECK_STR(body, STR("{\"t\":\"three\"}")); // the first one holds
    CHECK(native_results_find(&r, 8, &status, &body) && status == 429);
    for (int64_t i = 0; i < 20; i++) CHECK(native_results_find(&r, i, &status, &body) == (i == 3 || i == 8 || i == 12));
    buf_free(&r.text);
    vec_free(&r.index);
    struct native_results none = {.text = BUF_INIT(1)};
    CHECK(native_results_index(&none) && !native_results_find(&none, 1, &status, &body));
}

static void begin(void) { arena_init(&arena, NULL, 0, (size_t)1 << 20); }

static void end(void) { arena_free(&arena); }

TEST_MAIN(begin, test_lines, test_upload, test_ids, test_batches, test_results, end)
