// The HTTP/2 engine against a well-behaved client: requests, replies, flow control, resets, draining.
#include "http2_rig.h"

#define CHECK_BODY(rig, id, want) CHECK_STR(buf_str(&rig_stream(rig, id)->body), want)

static void test_request_and_reply(void) {
    static const size_t k_cuts[] = {1, 3, 9, SIZE_MAX / 2};
    for (size_t c = 0; c < ARRAY_LEN(k_cuts); c++) {
        struct rig *rig = rig_plain();
        int32_t a = rig_get(rig, "/hello"), b = rig_post(rig, "/echo", "ping", 4), q = rig_get(rig, "/query?a=b&c"),
                h = rig_get(rig, "/host");
        rig_pump_cut(rig, k_cuts[c]);
        CHECK_INT(rig_stream(rig, a)->status, 200);
        CHECK_STR(str_c(rig_stream(rig, a)->type), STR("text/plain"));
        CHECK_BODY(rig, a, STR("hello, world"));
        CHECK_BODY(rig, b, STR("ping"));
        CHECK_BODY(rig, q, STR("a=b&c"));
        CHECK_BODY(rig, h, STR("example.com"));
        CHECK(rig_stream(rig, a)->ended && rig_stream(rig, a)->closed && rig_stream(rig, a)->code == 0);
        CHECK_INT(rig->server.stats.requests, 4);
        CHECK(http2_idle(rig->h2) && !rig->finished);
        CHECK_INT(rig->aborts, 0);
        rig_free(rig);
    }
}

static void test_many_streams(void) {
    struct rig *rig = rig_plain();
    int32_t ids[200];
    for (size_t round = 0; round < 5; round++) {
        for (size_t i = 0; i < ARRAY_LEN(ids); i++) ids[i] = rig_get(rig, "/hold");
        rig_pump(rig);
        REQUIRE(rig->held_n == ARRAY_LEN(ids));
        while (rig->held_n) rig_reply(rig->held[--rig->held_n], 200, STR("late")); // in the opposite order
        rig_pump(rig);
        size_t good = 0;
        for (size_t i = 0; i < ARRAY_LEN(ids); i++)
            good += str_eq(buf_str(&rig_stream(rig, ids[i])->body), STR("late"));
        CHECK_INT(good, ARRAY_LEN(ids));
    }
    CHECK(http2_idle(rig->h2));
    rig_free(rig);
}

static void test_too_many_streams(void) {
    struct rig *rig = rig_plain();
    rig_pump(rig);
    for (size_t i = 0; i < 300; i++) rig_get(rig, "/hold");
    rig_pump(rig);
    CHECK_INT(rig->held_n, 256);
    rig_free(rig);
}

static void test_methods(void) {
    struct rig *rig = rig_plain();
    const nghttp2_nv head[] = {RIG_NV(":method", "HEAD"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "a"),
                               RIG_NV(":path", "/hello")};
    const nghttp2_nv connect[] = {RIG_NV(":method", "CONNECT"), RIG_NV(":authority", "a:443")};
    const nghttp2_nv star[] = {RIG_NV(":method", "OPTIONS"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "a"),
                               RIG_NV(":path", "*")};
    int32_t a = rig_submit(rig, head, 4, NULL, 0), b = rig_submit(rig, connect, 2, NULL, 0);
    int32_t c = rig_submit(rig, star, 4, NULL, 0);
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, a)->status, 200);
    CHECK_INT(rig_stream(rig, a)->n, 0);
    CHECK(rig_stream(rig, a)->ended);
    REQUIRE(rig->held_n == 2);
    CHECK_INT(rig->held[0]->method, HTTP_METHOD_OTHER);
    CHECK_STR(rig->held[0]->path, STR(""));
    CHECK_STR(rig->held[1]->path, STR("*"));
    rig_reply(rig->held[0], 405, STR("no"));
    http_reply_head(rig->held[1], 204, NULL, 0, HTTP_LENGTH_UNKNOWN);
    http_reply_data(rig->held[1], NULL, 0, true);
    rig->held_n = 0;
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, b)->status, 405);
    CHECK_INT(rig_stream(rig, c)->status, 204);
    CHECK(rig_stream(rig, c)->ended);
    rig_free(rig);
}

static void test_cookies_are_joined(void) {
    struct rig *rig = rig_plain();
    const nghttp2_nv nv[] = {RIG_NV(":method", "GET"),   RIG_NV(":scheme", "http"), RIG_NV(":authority", "a"),
                             RIG_NV(":path", "/cookie"), RIG_NV("cookie", "a=1"),   RIG_NV("accept", "*/*"),
                             RIG_NV("cookie", "b=2"),    RIG_NV("cookie", "c")};
    int32_t id = rig_submit(rig, nv, ARRAY_LEN(nv), NULL, 0);
    rig_pump(rig);
    CHECK_BODY(rig, id, STR("a=1; b=2; c"));
    rig_free(rig);
}

static void test_host_rules(void) {
    struct rig *rig = rig_plain();
    const nghttp2_nv other[] = {RIG_NV(":method", "GET"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "a"),
                                RIG_NV(":path", "/host"), RIG_NV("host", "b")};
    const nghttp2_nv host[] = {RIG_NV(":method", "GET"), RIG_NV(":scheme", "http"), RIG_NV(":path", "/host"),
                               RIG_NV("host", "b")};
    int32_t x = rig_submit(rig, other, 5, NULL, 0), y = rig_submit(rig, host, 4, NULL, 0);
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, x)->status, 400);
    CHECK_INT(rig->reject_code, ERR_INVALID_HTTP);
    CHECK_BODY(rig, y, STR("b"));
    rig_free(rig);
}

static void expect_head_rejected(const nghttp2_nv *nv, size_t count, int status) {
    struct rig *rig = rig_plain();
    int32_t id = rig_submit(rig, nv, count, NULL, 0);
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, id)->status, status);
    CHECK_INT(rig->rejects, 1);
    CHECK_INT(rig->requests, 0);
    CHECK_INT(rig->server.stats.rejected, 1);
    CHECK(rig_stream(rig, id)->n > 0 && rig_stream(rig, id)->ended);
    int32_t next = rig_get(rig, "/hello"); // the connection goes on
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, next)->status, 200);
    rig_free(rig);
}

static void test_head_limits(void) {
    nghttp2_nv nv[64] = {RIG_NV(":method", "GET"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "a"),
                         RIG_NV(":path", "/hello")};
    for (size_t i = 4; i < 64; i++) nv[i] = RIG_NV("x-field", "value");
    expect_head_rejected(nv, 4 + 33, 431);
    char big[9000];
    memset(big, 'v', sizeof big);
    big[sizeof big - 1] = '\0';
    nv[4] = RIG_NV("x-big", big);
    expect_head_rejected(nv, 5, 431);
    big[2000] = '\0';
    big[0] = '/';
    nv[3] = RIG_NV(":path", big);
    expect_head_rejected(nv, 4, 414);
}

static void test_body_limits(void) {
    static char body[400000];
    memset(body, 'b', sizeof body);
    struct rig *rig = rig_plain();
    int32_t fits = rig_post(rig, "/echo", body, 300000), over = rig_post(rig, "/echo", body, 300001);
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, fits)->status, 200);
    CHECK_INT(rig_stream(rig, fits)->n, 300000);
    CHECK_INT(rig_stream(rig, over)->status, 413);
    CHECK_INT(rig->reject_code, ERR_BODY_TOO_LARGE);
    CHECK(rig_stream(rig, over)->ended);

    const nghttp2_nv nv[] = {RIG_NV(":method", "POST"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "a"),
                             RIG_NV(":path", "/echo"), RIG_NV("content-length", "400000")};
    int32_t said = rig_submit(rig, nv, 5, body, sizeof body); // known from the head on
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, said)->status, 413);
    CHECK_INT(rig->requests, 1);
    CHECK_INT(rig->h2->body_bytes, 0);
    CHECK(http2_idle(rig->h2));
    int32_t next = rig_get(rig, "/hello");
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, next)->status, 200);
    rig_free(rig);
}

// Many large bodies on one connection are held down together.
static void test_bodies_together(void) {
    static char body[300000];
    struct rig *rig = rig_plain();
    size_t fit = (16 << 20) / sizeof body;
    for (size_t i = 0; i < fit + 20; i++) {
        rig_post(rig, "/hold", body, sizeof body);
        rig_pump(rig);
    }
    CHECK(rig->held_n >= fit && rig->held_n <= fit + 1);
    CHECK_INT(rig->reject_code, ERR_OVERLOADED);
    CHECK(rig->h2->body_bytes <= (fit + 1) * sizeof body);
    rig_free(rig);
}

static void test_expect_continue(void) {
    struct rig *rig = rig_plain();
    const nghttp2_nv nv[] = {RIG_NV(":method", "POST"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "a"),
                             RIG_NV(":path", "/echo"), RIG_NV("expect", "100-continue")};
    REQUIRE(nghttp2_submit_headers(rig->client, 0, -1, NULL, nv, 5, NULL) == 1);
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, 1)->status, 100);
    nghttp2_data_provider provider = {.read_callback = rig_client_body};
    rig_stream(rig, 1)->send = "now";
    rig_stream(rig, 1)->send_n = 3;
    nghttp2_submit_data(rig->client, NGHTTP2_FLAG_END_STREAM, 1, &provider);
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, 1)->status, 200);
    CHECK_BODY(rig, 1, STR("now"));
    rig_free(rig);
}

static void test_request_trailers(void) {
    struct rig *rig = rig_plain();
    const nghttp2_nv nv[] = {RIG_NV(":method", "POST"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "a"),
                             RIG_NV(":path", "/hold")};
    const nghttp2_nv trailer[] = {RIG_NV("x-checksum", "1")};
    REQUIRE(nghttp2_submit_headers(rig->client, 0, -1, NULL, nv, 4, NULL) == 1);
    rig_pump(rig);
    CHECK_INT(rig->held_n, 0);
    nghttp2_submit_trailer(rig->client, 1, trailer, 1);
    rig_pump(rig);
    REQUIRE(rig->held_n == 1);
    CHECK_INT(rig->held[0]->field_count, 0);
    CHECK_INT(rig->held[0]->body.n, 0);
    rig_free(rig);
}

static void test_streaming(void) {
    struct rig *rig = rig_plain();
    int32_t id = rig_get(rig, "/stream");
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, id)->status, 200); // the head alone, flushed
    REQUIRE(rig->held_n == 1);
    for (size_t i = 1; i <= 10; i++) {
        struct str event = STR("data: x\n\n");
        CHECK_INT(http_reply_data(rig->held[0], &event, 1, false), 0);
        rig_down(rig); // each event is on the wire when the call returns
        CHECK_INT(rig_stream(rig, id)->n, i * event.n);
    }
    http_reply_data(rig->held[0], NULL, 0, true);
    rig->held_n = 0;
    rig_pump(rig);
    CHECK(rig_stream(rig, id)->ended);
    rig_free(rig);
}

static void test_head_is_held_back(void) {
    struct rig *rig = rig_plain();
    rig_get(rig, "/hold");
    rig_pump(rig);
    REQUIRE(rig->held_n == 1);
    http_reply_head(rig->held[0], 200, NULL, 0, 2);
    CHECK_INT(rig->out.n, 0);
    struct str body = STR("ok");
    http_reply_data(rig->held[0], &body, 1, true);
    CHECK(rig->out.n > 0);
    rig->held_n = 0;
    rig_free(rig);
}

// The client's window is shut: the handler is told to wait, and goes on when the client reads.
static void test_flow_control(void) {
    struct rig *rig = rig_new(RIG_OPTIONS, true);
    int32_t id = rig_get(rig, "/big");
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, id)->n, 65535);
    CHECK(rig->produced < 65535 + 30000);
    size_t turns = 0;
    for (size_t seen = 0; !rig_stream(rig, id)->ended && turns < 1000; turns++) {
        size_t n = rig_stream(rig, id)->n;
        nghttp2_session_consume(rig->client, id, n - seen);
        seen = n;
        rig_pump(rig);
        CHECK(rig->produced - rig_stream(rig, id)->n < 30000); // bounded memory
    }
    CHECK_INT(rig_stream(rig, id)->n, RIG_BIG);
    CHECK(rig->drained > 3 && turns > 10);
    rig_free(rig);
}

// The link is full: libnghttp2 is not asked for more until it has drained.
static void test_full_link(void) {
    struct rig *rig = rig_plain();
    rig_pump(rig);
    nghttp2_session_set_local_window_size(rig->client, 0, 0, 1 << 24);
    nghttp2_submit_settings(
        rig->client, 0,
        &(nghttp2_settings_entry){.settings_id = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, .value = 1 << 24}, 1);
    rig_pump(rig);
    rig->stuck = true;
    rig->stuck_bytes = 1 << 20;
    int32_t id = rig_get(rig, "/big");
    rig_up(rig, SIZE_MAX / 2);
    CHECK(rig->produced < 200000);
    size_t before = rig->produced;
    rig_age(rig, 1);
    CHECK_INT(rig->produced, before);
    for (size_t i = 0; i < 1000 && !rig_stream(rig, id)->ended; i++) {
        rig_pump(rig);
        http2_drained(rig->h2);
    }
    CHECK_INT(rig_stream(rig, id)->n, RIG_BIG);
    rig_free(rig);
}

static void test_client_resets(void) {
    struct rig *rig = rig_plain();
    int32_t a = rig_get(rig, "/stream"), b = rig_get(rig, "/hold");
    rig_pump(rig);
    REQUIRE(rig->held_n == 2);
    nghttp2_submit_rst_stream(rig->client, 0, a, NGHTTP2_CANCEL);
    rig_pump(rig);
    CHECK_INT(rig->aborts, 1);
    REQUIRE(rig->held_n == 1);
    rig_reply(rig->held[0], 200, STR("still here"));
    rig->held_n = 0;
    rig_pump(rig);
    CHECK_BODY(rig, b, STR("still here"));
    CHECK(http2_idle(rig->h2));
    rig_free(rig);
}

// A request that is reset in the same read never reaches the handler.
static void test_reset_before_dispatch(void) {
    struct rig *rig = rig_plain();
    rig_pump(rig);
    struct buf bytes = BUF_INIT(1 << 20);
    const uint8_t *p;
    int32_t id = rig_get(rig, "/hold");
    for (ssize_t n; (n = nghttp2_session_mem_send(rig->client, &p)) > 0;) buf_append(&bytes, p, (size_t)n);
    nghttp2_submit_rst_stream(rig->client, 0, id, NGHTTP2_CANCEL);
    for (ssize_t n; (n = nghttp2_session_mem_send(rig->client, &p)) > 0;) buf_append(&bytes, p, (size_t)n);
    http2_feed(rig->h2, buf_str(&bytes));
    CHECK_INT(rig->requests, 0);
    CHECK_INT(rig->aborts, 0);
    CHECK(http2_idle(rig->h2));
    buf_free(&bytes);
    rig_free(rig);
}

static void test_reply_abort(void) {
    struct rig *rig = rig_plain();
    int32_t a = rig_get(rig, "/stream"), b = rig_get(rig, "/hold");
    rig_pump(rig);
    REQUIRE(rig->held_n == 2);
    http_reply_abort(rig->held[0]);
    http_reply_abort(rig->held[1]);
    rig->held_n = 0;
    rig_pump(rig);
    CHECK(rig_stream(rig, a)->closed && !rig_stream(rig, a)->ended &&
          rig_stream(rig, a)->code == NGHTTP2_INTERNAL_ERROR);
    CHECK(rig_stream(rig, b)->closed && rig_stream(rig, b)->code == NGHTTP2_INTERNAL_ERROR);
    CHECK_INT(rig->aborts, 0);
    CHECK(http2_idle(rig->h2));
    rig_free(rig);
}

static void test_connection_lost(void) {
    struct rig *rig = rig_plain();
    for (size_t i = 0; i < 7; i++) rig_get(rig, i % 2 ? "/stream" : "/hold");
    rig_get(rig, "/hello");
    rig_pump(rig);
    REQUIRE(rig->held_n == 7);
    http2_abort_all(rig->h2);
    CHECK_INT(rig->aborts, 7);
    CHECK_INT(rig->held_n, 0);
    CHECK(!rig->finished && rig->out.n == 0 && http2_idle(rig->h2));
    http2_feed(rig->h2, STR("anything"));
    http2_drained(rig->h2);
    http2_drain(rig->h2);
    CHECK_INT(rig->out.n, 0);
    rig_free(rig);
}

static void test_drain(void) {
    struct rig *rig = rig_plain();
    int32_t id = rig_get(rig, "/hold");
    rig_pump(rig);
    http2_drain(rig->h2);
    rig_pump(rig);
    CHECK_INT(rig->goaways, 1);
    CHECK(!rig->finished);
    rig_reply(rig->held[0], 200, STR("last"));
    rig->held_n = 0;
    rig_pump(rig);
    CHECK_BODY(rig, id, STR("last"));
    CHECK(rig->finished);
    CHECK_INT(rig->goaways, 2);
    CHECK_INT(rig->goaway_code, NGHTTP2_NO_ERROR);
    rig_free(rig);

    rig = rig_plain(); // with nothing open
    rig_pump(rig);
    http2_drain(rig->h2);
    CHECK(rig->finished);
    rig_free(rig);
}

static void test_slow_body(void) {
    struct rig *rig = rig_plain();
    const nghttp2_nv nv[] = {RIG_NV(":method", "POST"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "a"),
                             RIG_NV(":path", "/echo")};
    REQUIRE(nghttp2_submit_headers(rig->client, 0, -1, NULL, nv, 4, NULL) == 1);
    rig_pump(rig);
    rig_age(rig, 5000);
    CHECK_INT(rig->rejects, 0);
    rig_age(rig, 6000);
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, 1)->status, 408);
    CHECK(rig_stream(rig, 1)->ended && !rig_stream(rig, 1)->closed);
    rig_age(rig, 1001);
    rig_pump(rig);
    CHECK(rig_stream(rig, 1)->closed && rig_stream(rig, 1)->code == NGHTTP2_NO_ERROR);
    CHECK(http2_idle(rig->h2));
    rig_free(rig);
}

static void test_slow_reader(void) {
    struct rig *rig = rig_new(RIG_OPTIONS, true);
    int32_t id = rig_get(rig, "/big"), hold = rig_get(rig, "/hold");
    rig_pump(rig);
    rig_age(rig, 10001);
    rig_pump(rig);
    CHECK_INT(rig->aborts, 1);
    CHECK(rig_stream(rig, id)->closed && rig_stream(rig, id)->code == NGHTTP2_CANCEL);
    CHECK(!rig_stream(rig, hold)->closed); // a reply that is not there yet is nobody's fault
    rig_free(rig);
}

static void test_slow_reader_of_a_complete_reply(void) {
    static char body[200000];
    struct rig *rig = rig_new(RIG_OPTIONS, true);
    int32_t id = rig_post(rig, "/echo", body, sizeof body);
    rig_pump(rig);
    CHECK_INT(rig_stream(rig, id)->n, 65535);
    rig_age(rig, 10001);
    rig_pump(rig);
    CHECK_INT(rig->aborts, 0); // the handler is done with it
    CHECK(rig_stream(rig, id)->closed && !rig_stream(rig, id)->ended);
    CHECK(http2_idle(rig->h2));
    rig_free(rig);
}

TEST_MAIN(test_request_and_reply, test_many_streams, test_too_many_streams, test_methods, test_cookies_are_joined,
          test_host_rules, test_head_limits, test_body_limits, test_bodies_together, test_expect_continue,
          test_request_trailers, test_streaming, test_head_is_held_back, test_flow_control, test_full_link,
          test_client_resets, test_reset_before_dispatch, test_reply_abort, test_connection_lost, test_drain,
          test_slow_body, test_slow_reader, test_slow_reader_of_a_complete_reply)
