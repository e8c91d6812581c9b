// Tests of net/http_inner.h: whole replies, streamed ones, cut ones, too large ones, those given out as they come.
#include "check.h"

#include "net/http_inner.h"

static struct err err;
static struct loop *loop;
static struct {
    int calls, status;
    bool whole;
    char body[64], id[64], retry[64];
} got;

static void copy(char out[64], struct str s) { snprintf(out, 64, "%.*s", STR_ARG(s)); }

static void done(struct http_inner *inner) {
    got.calls++;
    got.status = inner->status;
    got.whole = inner->whole;
    copy(got.body, buf_str(&inner->body));
    copy(got.id, inner->request_id);
    copy(got.retry, inner->retry_after);
    CHECK(inner->user == &got);
}

static struct http_inner *make(size_t max) {
    struct http_inner_options o = {.loop = loop,
                                   .method = HTTP_POST,
                                   .path = STR("/v1/x"),
                                   .content_type = STR("application/json"),
                                   .body = STR("{}"),
                                   .peer = STR("192.0.2.1"),
                                   .max_reply = max,
                                   .done = done,
                                   .user = &got};
    memset(&got, 0, sizeof got);
    struct http_inner *inner = http_inner_create(&o);
    REQUIRE(inner);
    return inner;
}

static void test_request(void) {
    struct http_inner *inner = make(10);
    struct http_req *req = &inner->req;
    CHECK_STR(req->path, STR("/v1/x"));
    CHECK_STR(req->method_text, STR("POST"));
    CHECK_STR(req->body, STR("{}"));
    CHECK_STR(req->peer, STR("192.0.2.1"));
    CHECK_STR(http_field_get(req->fields, req->field_count, STR("Content-Type")), STR("application/json"));
    CHECK(arena_alloc(&req->arena, 10000));
    http_inner_free(inner);
    CHECK_INT(got.calls, 0);
}

static void test_reply(void) {
    const struct http_field f[] = {{STR("x-request-id"), STR("req_1")}, {STR("retry-after"), STR("3")}};
    http_reply(&make(10)->req, 429, f, 2, STR("body"));
    CHECK_INT(got.calls, 1);
    CHECK_INT(got.status, 429);
    CHECK(got.whole);
    CHECK_STR(str_c(got.body), STR("body"));
    CHECK_STR(str_c(got.id), STR("req_1"));
    CHECK_STR(str_c(got.retry), STR("3"));
}

static void test_pieces(void) {
    struct http_req *req = &make(10)->req;
    http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
    http_reply_flush(req);
    CHECK_INT(http_reply_data(req, (const struct str[]){STR("a"), STR("b")}, 2, false), 0);
    CHECK_INT(got.calls, 0);
    http_reply_data(req, NULL, 0, true);
    CHECK_INT(got.calls, 1);
    CHECK(got.whole);
    CHECK_STR(str_c(got.body), STR("ab"));
    CHECK_STR(str_c(got.id), STR(""));
}

static void test_cut(void) {
    struct http_req *req = &make(10)->req;
    http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
    http_reply_abort(req);
    CHECK_INT(got.calls, 1);
    CHECK(!got.whole);
    http_reply(&make(3)->req, 200, NULL, 0, STR("four"));
    CHECK_INT(got.calls, 1);
    CHECK_INT(got.status, 200);
    CHECK(!got.whole);
}

static struct {
    int heads, last;
    char type[64], data[64];
} told;

static void on_head(struct http_inner *inner, int status, const struct http_field *fields, size_t count) {
    CHECK_INT(status, 200);
    CHECK(inner->user == &got);
    copy(told.type, http_field_get(fields, count, STR("content-type")));
    told.heads++;
}

static size_t on_data(struct http_inner *inner, const struct str *parts, size_t count, bool last) {
    CHECK(inner->user == &got);
    size_t n = strlen(told.data);
    for (size_t i = 0; i < count; i++)
        n += (size_t)snprintf(told.data + n, sizeof told.data - n, "%.*s", STR_ARG(parts[i]));
    told.last += last;
    return 7;
}

static void test_sink(void) {
    static const struct http_inner_sink sink = {.head = on_head, .data = on_data};
    const struct http_field asked[] = {{STR("x-a"), STR("1")}, {STR("content-type"), STR("text/plain")}};
    const struct http_field f = {STR("content-type"), STR("text/event-stream")};
    const struct http_inner_options o = {.loop = loop,
                                         .method = HTTP_POST,
                                         .path = STR("/v1/x"),
                                         .query = STR("a=b"),
                                         .fields = asked,
                                         .field_count = 2,
                                         .sink = &sink,
                                         .body = STR("{}"),
                                         .peer = STR("192.0.2.1"),
                                         .done = done,
                                         .user = &got};
    memset(&got, 0, sizeof got);
    struct http_inner *inner = http_inner_create(&o);
    REQUIRE(inner);
    struct http_req *req = &inner->req;
    CHECK_STR(req->query, STR("a=b"));
    CHECK_STR(http_field_get(req->fields, req->field_count, STR("x-a")), STR("1"));
    CHECK_STR(http_field_get(req->fields, req->field_count, STR("content-type")), STR("text/plain"));
    http_reply_head(req, 200, &f, 1, HTTP_LENGTH_UNKNOWN);
    CHECK_INT(told.heads, 1);
    CHECK_STR(str_c(told.type), STR("text/event-stream"));
    CHECK_INT(http_reply_data(req, (const struct str[]){STR("a"), STR("b")}, 2, false), 7);
    CHECK_STR(str_c(told.data), STR("ab"));
    CHECK_INT(told.last, 0);
    CHECK_INT(got.calls, 0);
    http_reply_data(req, (const struct str[]){STR("c")}, 1, true);
    CHECK_STR(str_c(told.data), STR("abc"));
    CHECK_INT(told.last, 1);
    CHECK_INT(got.calls, 1);
    CHECK(got.whole);
    CHECK_STR(str_c(got.body), STR("")); // given out, not collected
}

static void all(void) {
    REQUIRE(loop_create(0, &loop, &err));
    test_request();
    test_reply();
    test_pieces();
    test_cut();
    test_sink();
    loop_drain_handles(loop);
    loop_free(loop);
}

TEST_MAIN(all)
