// The gateway between a scripted client and two scripted upstreams: what passes, what is retried, what is said.
#include "gateway_rig.h"

#define CHAT "/v1/chat/completions"
#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define SSE "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
#define JSON "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
#define WORD "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n"
#define DONE "data: [DONE]\n\n"
#define GOOD                                                                                                           \
    "{\"choices\":[{\"message\":{\"content\":\"hi\"}}],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":500}}"

// Waits for a request at an upstream and answers it, then closes (or resets).
struct upstream_turn {
    struct str answer;
    bool reset;
};

static void answer_at(int listener, struct str answer, bool reset, struct buf *out_request) {
    struct buf request = BUF_INIT(1 << 20);
    int fd = rig_accept(listener);
    CHECK(wire_read_request(fd, &request));
    if (out_request) buf_put(out_request, buf_str(&request));
    CHECK(wire_send(fd, answer));
    if (reset) {
        usleep(20000); // what was said before it should be seen
        wire_reset(fd);
    } else {
        close(fd);
    }
    buf_free(&request);
}

static struct str counted(char *out, size_t size, const char *head, const char *body) {
    int n = snprintf(out, size, "%scontent-length: %zu\r\n\r\n%s", head, strlen(body), body);
    REQUIRE(n > 0 && (size_t)n < size);
    return str_of(out, (size_t)n);
}

static bool holds(const struct rig_answer *a, const char *text) {
    return str_find(buf_str(&a->body), str_c(text)) < a->body.n;
}

// --- whole answers ---

static void whole_answer(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    struct buf request = BUF_INIT(1 << 20);
    char text[4096];
    rig_answer_init(&a);
    int fd = rig_connect(w);
    rig_post(fd, CHAT, STR("{\"model\":\"m\"," MESSAGES ",\"x\":1.50}"));
    answer_at(rig->a,
              counted(text, sizeof text, JSON "x-ratelimit-limit: 9\r\nserver: secret\r\nx-request-id: up1\r\n", GOOD),
              false, &request);
    rig_read_answer(fd, &a);
    CHECK_INT(a.status, 200);
    CHECK_STR(buf_str(&a.body), STR(GOOD));
    CHECK_STR(rig_field(&a, "x-penstock-provider"), STR("a"));
    CHECK_STR(rig_field(&a, "x-penstock-model"), STR("a-model"));
    CHECK_STR(rig_field(&a, "x-penstock-cost-usd"), STR("0.002"));
    CHECK_STR(rig_field(&a, "x-ratelimit-limit"), STR("9"));
    CHECK_STR(rig_field(&a, "x-penstock-upstream-request-id"), STR("up1"));
    CHECK_STR(rig_field(&a, "server"), STR(""));
    CHECK_STR(rig_field(&a, "x-penstock-attempts"), STR(""));
    struct str r = buf_str(&request);
    CHECK(str_starts(r, STR("POST /v1/chat/completions HTTP/1.1\r\n")));
    CHECK(str_find(r, STR("authorization: Bearer sk-a\r\n")) < r.n);
    CHECK(str_ends(r, STR("\r\n\r\n{\"model\":\"a-model\"," MESSAGES ",\"x\":1.50}")));
    close(fd);
    buf_free(&request);
    rig_answer_free(&a);
}

static void test_whole_answer(void) { rig_run(whole_answer, 1); }

// --- streams ---

static void stream_of(struct wire *w, struct str request, struct str upstream, struct str want) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = rig_connect(w);
    rig_post(fd, CHAT, request);
    answer_at(rig->a, upstream, false, NULL);
    rig_read_answer(fd, &a);
    CHECK_INT(a.status, 200);
    CHECK(a.whole);
    CHECK_STR(rig_field(&a, "content-type"), STR("text/event-stream"));
    CHECK_STR(buf_str(&a.body), want);
    close(fd);
    rig_answer_free(&a);
}

static void streams(struct wire *w) {
    stream_of(w, STR("{\"model\":\"m\"," MESSAGES ",\"stream\":true}"), STR(SSE "\r\n" WORD WORD USAGE DONE),
              STR(WORD WORD DONE));
    stream_of(w, STR("{\"model\":\"m\"," MESSAGES ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"),
              STR(SSE "\r\n" WORD WORD USAGE DONE), STR(WORD WORD USAGE DONE));
    // An end without [DONE], or in the middle of an event, is passed on as it is.
    stream_of(w, STR("{\"model\":\"m\"," MESSAGES ",\"stream\":true}"), STR(SSE "\r\n" WORD "data: {\"cho"),
              STR(WORD "data: {\"cho"));
}

static void test_streams(void) { rig_run(streams, 3); }

// --- the next target ---

struct failing {
    const char *what;
    struct str answer;
    bool reset;
};
static const struct failing k_failing[] = {
    {"503", STR_INIT("HTTP/1.1 503 Busy\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"), false},
    {"429", STR_INIT("HTTP/1.1 429 Slow\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"), false},
    {"nothing", STR_INIT(""), false},
    {"a reset", STR_INIT(""), true},
    {"garbage", STR_INIT("what?\r\n\r\n"), false},
    {"half a head", STR_INIT("HTTP/1.1 200 OK\r\ncontent-ty"), false},
    {"half a whole answer", STR_INIT(JSON "content-length: 50\r\n\r\n{\"choices\""), false},
    {"a stream of nothing", STR_INIT(SSE "content-length: 0\r\n\r\n"), false},
    {"a comment alone", STR_INIT(SSE "content-length: 5\r\n\r\n: a\n\n"), false},
    {"an error first", STR_INIT(SSE "\r\ndata: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n"), false},
    {"an error for an answer", STR_INIT(JSON "content-length: 26\r\n\r\n{\"error\":{\"message\":\"m\"}}"), false},
    {"half an event", STR_INIT(SSE "transfer-encoding: chunked\r\n\r\n9\r\ndata: {\"c\r\n"), false},
    {"half an event, then a reset", STR_INIT(SSE "transfer-encoding: chunked\r\n\r\n9\r\ndata: {\"c\r\n"), true},
    {"a bad chunk in an event", STR_INIT(SSE "transfer-encoding: chunked\r\n\r\n9\r\ndata: {\"cX"), false},
};

static void next_target(struct wire *w) {
    struct rig *rig = rig_of(w);
    for (size_t i = 0; i < ARRAY_LEN(k_failing); i++) {
        struct rig_answer a;
        struct buf request = BUF_INIT(1 << 20);
        rig_answer_init(&a);
        int fd = rig_connect(w);
        rig_post(fd, CHAT, STR("{\"model\":\"m\"," MESSAGES ",\"stream\":true}"));
        answer_at(rig->a, k_failing[i].answer, k_failing[i].reset, NULL);
        answer_at(rig->b, STR(SSE "x-b: 1\r\n\r\n" WORD USAGE DONE), false, &request);
        rig_read_answer(fd, &a);
        if (a.status != 200 || !str_eq(buf_str(&a.body), STR(WORD DONE)))
            fprintf(stderr, "after %s: %d\n", k_failing[i].what, a.status);
        CHECK_INT(a.status, 200);
        CHECK_STR(buf_str(&a.body), STR(WORD DONE));
        CHECK_STR(rig_field(&a, "x-penstock-provider"), STR("b"));
        CHECK_STR(rig_field(&a, "x-penstock-attempts"), STR("2"));
        CHECK_STR(rig_field(&a, "retry-after"), STR(""));
        CHECK(str_starts(buf_str(&request), STR("POST /deep/path/chat/completions HTTP/1.1\r\n")));
        CHECK(str_find(buf_str(&request), STR("\"model\":\"b-model\"")) < request.n);
        CHECK(str_find(buf_str(&request), STR("sk-a")) == request.n);
        close(fd);
        buf_free(&request);
        rig_answer_free(&a);
    }
}

static void test_next_target(void) { rig_run(next_target, ARRAY_LEN(k_failing)); }

static void demo_then_b(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    char text[4096];
    rig_answer_init(&a);
    int fd = rig_connect(w);
    rig_post(fd, CHAT, STR("{\"model\":\"demo-then-b\"," MESSAGES "}"));
    answer_at(rig->b, counted(text, sizeof text, JSON, GOOD), false, NULL);
    rig_read_answer(fd, &a);
    CHECK(a.status == 200 && holds(&a, "prompt_tokens"));
    CHECK_STR(rig_field(&a, "x-penstock-provider"), STR("b"));
    CHECK_STR(rig_field(&a, "x-penstock-model"), STR("demo-then-b"));
    close(fd);
    rig_answer_free(&a);
}

static void test_demo_then_b(void) { rig_run(demo_then_b, 1); }

// --- what becomes an error ---

struct broken {
    struct str answer;
    bool reset, stream;
    int status;
    const char *code; // in the body
};
static const struct broken k_broken[] = {
    {STR_INIT("HTTP/1.1 400 Bad\r\ncontent-length: "
              "48\r\n\r\n{\"error\":{\"message\":\"no\",\"type\":\"t\",\"code\":\"c\"}}"),
     false, false, 400, "\"code\":\"c\""},
    {STR_INIT("HTTP/1.1 401 No\r\ncontent-length: 26\r\n\r\n{\"error\":{\"message\":\"key\"}}"), false, false, 502,
     "upstream_error"},
    {STR_INIT("HTTP/1.1 500 Oops\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>"), false, false,
     500, "upstream_error"},
    {STR_INIT("HTTP/1.1 404 No\r\ncontent-length: 9\r\n\r\nnot found"), false, false, 502, "upstream_error"},
    {STR_INIT("HTTP/1.1 302 Found\r\nlocation: http://x/\r\ncontent-length: 0\r\n\r\n"), false, false, 502,
     "upstream_error"},
    {STR_INIT(JSON "content-length: 13\r\n\r\n<html></html>"), false, false, 502, "upstream_invalid_response"},
    {STR_INIT(JSON "content-length: 0\r\n\r\n"), false, false, 502, "upstream_invalid_response"},
    {STR_INIT(JSON "content-length: 50\r\n\r\n{"), false, false, 502, "upstream_reset"},
    {STR_INIT(""), true, false, 502, "upstream_reset"},
    {STR_INIT("garbage\r\n\r\n"), false, false, 502, "upstream_invalid_response"},
    // Once events have gone out the error is an event.
    {STR_INIT(SSE "content-length: 5000\r\n\r\n" WORD), false, true, 200, "upstream_reset"},
    {STR_INIT(SSE "content-length: 5000\r\n\r\n" WORD), true, true, 200, "upstream_reset"},
    {STR_INIT(SSE "transfer-encoding: chunked\r\n\r\n30\r\n" WORD "\r\nzz\r\n"), false, true, 200,
     "upstream_invalid_response"},
};

static void broken(struct wire *w) {
    struct rig *rig = rig_of(w);
    for (size_t i = 0; i < ARRAY_LEN(k_broken); i++) {
        const struct broken *k = &k_broken[i];
        struct rig_answer a;
        rig_answer_init(&a);
        int fd = rig_connect(w);
        rig_post(fd, CHAT,
                 k->stream ? STR("{\"model\":\"only-a\"," MESSAGES ",\"stream\":true}")
                           : STR("{\"model\":\"only-a\"," MESSAGES "}"));
        answer_at(rig->a, k->answer, k->reset, NULL);
        rig_read_answer(fd, &a);
        if (a.status != k->status || !holds(&a, k->code))
            fprintf(stderr, "case %zu: %d %.*s\n", i, a.status, STR_ARG(buf_str(&a.body)));
        CHECK_INT(a.status, k->status);
        CHECK(holds(&a, k->code));
        CHECK(a.whole && holds(&a, "\"error\""));
        if (k->stream) CHECK(str_starts(buf_str(&a.body), STR(WORD "data: {\"error\"")));
        // The connection is as good as before.
        CHECK(wire_send(fd, STR("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")));
        rig_read_answer(fd, &a);
        CHECK_INT(a.status, 200);
        close(fd);
        rig_answer_free(&a);
    }
}

static void test_broken(void) { rig_run(broken, ARRAY_LEN(k_broken)); }

static void too_large(struct wire *w) {
    struct rig *rig = rig_of(w);
    for (int stream = 0; stream < 2; stream++) {
        struct rig_answer a;
        struct buf big = BUF_INIT((size_t)4 << 20), request = BUF_INIT(1 << 20);
        rig_answer_init(&a);
        buf_put(&big, stream ? STR(SSE "\r\ndata: ") : STR(JSON "\r\n{\"x\":\""));
        while (big.n < (size_t)2 << 20) buf_lit(&big, "xxxxxxxxxxxxxxxx");
        int fd = rig_connect(w);
        rig_post(fd, CHAT, STR("{\"model\":\"m\"," MESSAGES ",\"stream\":true}"));
        int up = rig_accept(rig->a);
        CHECK(wire_read_request(up, &request));
        wire_send(up, buf_str(&big)); // is cut off on the way
        rig_read_answer(fd, &a);
        CHECK_INT(a.status, 502);
        CHECK(holds(&a, "upstream_too_large"));
        CHECK(wire_read_end(up, NULL) != WIRE_TIMEOUT);
        close(up);
        close(fd);
        buf_free(&big);
        buf_free(&request);
        rig_answer_free(&a);
    }
}

static void test_too_large(void) { rig_run(too_large, 2); }

// --- requests that go nowhere ---

static void refused(struct wire *w) {
    static const struct {
        struct str request;
        int status;
        const char *code;
    } cases[] = {
        {STR_INIT("GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n"), 404, "not_found"},
        {STR_INIT("GET /v1/chat/completions HTTP/1.1\r\nhost: a\r\n\r\n"), 405, "method_not_allowed"},
        {STR_INIT("POST /v1/models HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"), 405, "method_not_allowed"},
        {STR_INIT("GET /v1/models/none HTTP/1.1\r\nhost: a\r\n\r\n"), 404, "model_not_found"},
        {STR_INIT("GET /v1/models/%zz%4 HTTP/1.1\r\nhost: a\r\n\r\n"), 404, "model_not_found"},
        {STR_INIT("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"), 400, "invalid_json"},
        {STR_INIT("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}"), 400,
         "missing_required_parameter"},
        {STR_INIT(
             "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}"),
         415, "invalid_request"},
        {STR_INIT("POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-length: "
                  "28\r\n\r\n{\"model\":\"only\",\"input\":\"x\"}"),
         404, "model_not_found"},
    };
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = rig_connect(w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK(wire_send(fd, cases[i].request));
        rig_read_answer(fd, &a);
        if (a.status != cases[i].status || !holds(&a, cases[i].code))
            fprintf(stderr, "case %zu: %d %.*s\n", i, a.status, STR_ARG(buf_str(&a.body)));
        CHECK_INT(a.status, cases[i].status);
        CHECK(holds(&a, cases[i].code));
        CHECK_STR(rig_field(&a, "content-type"), STR("application/json"));
    }
    CHECK(wire_send(fd, STR("GET /v1/models/demo%2Fecho HTTP/1.1\r\nhost: a\r\n\r\n")));
    rig_read_answer(fd, &a);
    CHECK(a.status == 200 && holds(&a, "\"demo/echo\""));
    CHECK(wire_send(fd, STR("broken\r\n\r\n")));
    rig_read_answer(fd, &a);
    CHECK(a.status == 400 && holds(&a, "invalid_http"));
    close(fd);
    rig_answer_free(&a);
}

static void test_refused(void) { rig_run(refused, SIZE_MAX); }

// --- clients that leave ---

static void leave(struct wire *w) {
    static const struct str answers[] = {STR_INIT(""), STR_INIT("HTTP/1.1 2"), STR_INIT(SSE "\r\n" WORD),
                                         STR_INIT(JSON "content-length: 50\r\n\r\n{")};
    struct rig *rig = rig_of(w);
    for (size_t i = 0; i < ARRAY_LEN(answers) * 2; i++) {
        struct buf got = BUF_INIT(1 << 20);
        int fd = rig_connect(w);
        rig_post(fd, CHAT, STR("{\"model\":\"m\"," MESSAGES ",\"stream\":true}"));
        int up = rig_accept(rig->a);
        CHECK(wire_read_request(up, &got));
        CHECK(wire_send(up, answers[i / 2]));
        wire_breathe();
        if (i & 1)
            wire_reset(fd);
        else
            close(fd);
        CHECK(wire_read_end(up, &got) != WIRE_TIMEOUT); // the upstream hears of it
        close(up);
        buf_free(&got);
    }
    // And from the demonstration, which would go on for minutes.
    int fd = rig_connect(w);
    rig_post(fd, CHAT, STR("{\"model\":\"demo/slow-60000\"," MESSAGES ",\"stream\":true}"));
    usleep(20000);
    close(fd);
    usleep(20000);
}

static void test_leave(void) { rig_run(leave, 9); }

// --- a slow reader ---

#define FLOOD_EVENTS 120000

static void *upstream_flood(void *arg) {
    struct buf request = BUF_INIT(1 << 20);
    static const char block[] = WORD WORD WORD WORD WORD WORD WORD WORD WORD WORD;
    int fd = rig_accept(*(int *)arg);
    CHECK(wire_read_request(fd, &request));
    CHECK(wire_send(fd, STR(SSE "\r\n")));
    for (int i = 0; i < FLOOD_EVENTS / 10; i++)
        if (!wire_send(fd, str_of(block, sizeof block - 1))) break;
    close(fd);
    buf_free(&request);
    return NULL;
}

static void slow_reader(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    pthread_t thread;
    rig_answer_init(&a);
    int fd = wire_connect_small(w->port, 8192);
    REQUIRE(pthread_create(&thread, NULL, upstream_flood, &rig->a) == 0);
    rig_post(fd, CHAT, STR("{\"model\":\"only-a\"," MESSAGES ",\"stream\":true}"));
    usleep(200000); // time enough to take in all of it, were it not bounded
    size_t worst = __atomic_load_n(&rig->worst_bytes, __ATOMIC_RELAXED);
    if (worst > (size_t)6 << 20) fprintf(stderr, "held %zu bytes\n", worst);
    CHECK(worst < (size_t)6 << 20);
    rig_read_answer(fd, &a);
    CHECK(a.whole);
    CHECK_INT(a.body.n, FLOOD_EVENTS * (sizeof WORD - 1));
    pthread_join(thread, NULL);
    close(fd);
    rig_answer_free(&a);
}

static void test_slow_reader(void) { rig_run(slow_reader, 1); }

// --- the demonstration ---

static void demonstration(struct wire *w) {
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = rig_connect(w);
    rig_post(fd, CHAT, STR("{\"model\":\"demo/echo\"," MESSAGES "}"));
    rig_read_answer(fd, &a);
    CHECK(a.status == 200 && holds(&a, "\"content\":\"hi\""));
    CHECK_STR(rig_field(&a, "x-penstock-cost-usd"), STR("0"));
    rig_post(fd, CHAT, STR("{\"model\":\"demo/echo\"," MESSAGES ",\"stream\":true}"));
    rig_read_answer(fd, &a);
    CHECK(a.whole && str_ends(buf_str(&a.body), STR(DONE)) && !holds(&a, "\"usage\""));
    rig_post(fd, CHAT, STR("{\"model\":\"demo/fail-418\"," MESSAGES "}"));
    rig_read_answer(fd, &a);
    CHECK_INT(a.status, 418);
    rig_post(fd, CHAT, STR("{\"model\":\"demo/cut\"," MESSAGES ",\"stream\":true}"));
    rig_read_answer(fd, &a);
    CHECK(a.status == 200 && a.whole && holds(&a, "upstream_reset") && !holds(&a, "[DONE]"));
    rig_post(fd, CHAT, STR("{\"model\":\"demo/cut\"," MESSAGES "}"));
    rig_read_answer(fd, &a);
    CHECK(a.status == 502 && holds(&a, "upstream_reset"));
    rig_post(fd, "/v1/embeddings", STR("{\"model\":\"demo/any\",\"input\":[\"a\",\"b\"]}"));
    rig_read_answer(fd, &a);
    CHECK(a.status == 200 && holds(&a, "\"index\":1"));
    close(fd);
    rig_answer_free(&a);
}

static void test_demonstration(void) { rig_run(demonstration, 6); }

// --- memory that fails ---

static void plain_talk(struct wire *w) {
    static const struct {
        const char *path;
        struct str body;
    } requests[] = {
        {CHAT, STR_INIT("{\"model\":\"demo/echo\"," MESSAGES ",\"stream\":true}")},
        {CHAT, STR_INIT("{\"model\":\"demo/\\u0065cho\"," MESSAGES "}")},
        {CHAT, STR_INIT("{\"model\":\"m\"," MESSAGES "}")},
        {"/v1/embeddings", STR_INIT("{\"model\":\"demo/x\",\"input\":[\"a\"],\"encoding_format\":\"base64\"}")},
        {"/nowhere", STR_INIT("x")},
    };
    static const struct str gets_[] = {STR_INIT("GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"),
                                       STR_INIT("GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n"), STR_INIT("bad\r\n\r\n")};
    for (size_t i = 0; i < ARRAY_LEN(requests) + ARRAY_LEN(gets_); i++) {
        int fd = rig_connect(w);
        char block[4096];
        if (fd < 0) continue;
        if (i < ARRAY_LEN(requests))
            rig_post(fd, requests[i].path, requests[i].body);
        else
            wire_send(fd, gets_[i - ARRAY_LEN(requests)]);
        CHECK(recv(fd, block, sizeof block, 0) >= 0 || errno != EAGAIN); // an answer, or the end
        close(fd);
    }
}

static void test_memory_fails_in_turn(void) {
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct rig rig;
        rig_open(&rig);
        close(rig.a); // both refuse
        close(rig.b);
        rig.a = rig.b = -1;
        mem_fail_nth(nth);
        wire_start(&rig.wire, plain_talk);
        loop_run(rig.wire.loop);
        mem_fail_nth(0);
        rig_close(&rig, SIZE_MAX);
    }
}

TEST_MAIN(test_whole_answer, test_streams, test_next_target, test_demo_then_b, test_broken, test_too_large,
          test_refused, test_leave, test_slow_reader, test_demonstration, test_memory_fails_in_turn)
