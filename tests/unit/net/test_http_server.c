// The HTTP/1.1 server against scripted clients that are polite, or wrong: what is answered, what is refused.
#include "server_rig.h"

static void good_requests(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    int fd = wire_connect(w);
    check_get(fd, &in, &body, STR(GET("/hello")), 200, STR("hello"));
    check_get(fd, &in, &body, STR(GET("/query?a=b&c")), 200, STR("a=b&c"));
    check_get(fd, &in, &body, STR(GET("http://a/query?x")), 200, STR("x"));
    check_get(fd, &in, &body, STR(GET("/peer")), 200, STR("127.0.0.1"));
    check_get(fd, &in, &body, STR("\r\n" GET("/hello")), 200, STR("hello"));
    check_get(fd, &in, &body, STR(GET("/none")), 204, STR(""));
    check_get(fd, &in, &body, STR("POST /echo HTTP/1.1\r\n" HOST "content-length: 5\r\n\r\nhowdy"), 200, STR("howdy"));
    check_get(fd, &in, &body, STR("POST /echo HTTP/1.1\r\n" HOST "content-length: 0\r\n\r\n"), 200, STR(""));
    check_get(fd, &in, &body, STR("POST /echo HTTP/1.1\r\n" HOST "\r\n"), 200, STR(""));
    check_get(
        fd, &in, &body,
        STR("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n3\r\nhow\r\n2;x\r\ndy\r\n0\r\n\r\n"), 200,
        STR("howdy"));
    check_get(fd, &in, &body, STR("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"), 200,
              STR(""));
    CHECK(wire_send(fd, STR("HEAD /hello HTTP/1.1\r\n" HOST "\r\n")));
    CHECK(wire_read_until(fd, &in, STR("\r\n\r\n")));
    CHECK(str_find(buf_str(&in), STR("content-length: 5\r\n")) < in.n);
    CHECK(str_ends(buf_str(&in), STR("\r\n\r\n")));
    buf_clear(&in);
    CHECK(wire_send(fd, STR(GET("/chunks"))));
    CHECK(wire_read_until(fd, &in, STR("\r\n0\r\n\r\n")));
    CHECK(str_ends(buf_str(&in), STR("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\na\r\n0\r\n\r\n")));
    buf_clear(&in);
    BUF_AUTO struct buf want = BUF_INIT(64 * 1024);
    for (size_t i = 0; i < ARRAY_LEN(k_sizes); i++) {
        buf_printf(&want, "\r\n%zx\r\n", k_sizes[i]);
        buf_append(&want, k_block, k_sizes[i]);
    }
    buf_lit(&want, "\r\n0\r\n\r\n");
    CHECK(wire_send(fd, STR(GET("/sizes"))));
    CHECK(wire_read_until(fd, &in, STR("\r\n0\r\n\r\n")));
    CHECK(str_ends(buf_str(&in), buf_str(&want)));
    buf_clear(&in);
    // 100-continue: asked for, given before the body comes.
    CHECK(wire_send(fd, STR("POST /echo HTTP/1.1\r\n" HOST "expect: 100-continue\r\ncontent-length: 2\r\n\r\n")));
    CHECK_INT(read_answer(fd, &in, &body), 100);
    check_get(fd, &in, &body, STR("ok"), 200, STR("ok"));
    close(fd);
    buf_free(&in);
    buf_free(&body);
}

static void test_good_requests(void) {
    struct rig rig;
    rig_run(&rig, good_requests);
    CHECK_INT(rig.requests, 15);
    CHECK_INT(rig.rejects + rig.aborts, 0);
}

static void closing_requests(struct wire *w) {
    static const struct {
        struct str request, ends;
        bool stays;
    } cases[] = {
        {STR_INIT("GET /hello HTTP/1.1\r\n" HOST "connection: close\r\n\r\n"), STR_INIT("\r\n\r\nhello"), false},
        {STR_INIT("GET /hello HTTP/1.0\r\n\r\n"), STR_INIT("\r\n\r\nhello"), false},
        {STR_INIT("GET /chunks HTTP/1.0\r\n\r\n"), STR_INIT("\r\n\r\nabca"), false},
        {STR_INIT("GET /chunks HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"), STR_INIT("\r\n\r\nabca"), false},
        {STR_INIT("GET /chunks HTTP/1.1\r\n" HOST "connection: close\r\n\r\n"), STR_INIT("0\r\n\r\n"), false},
        {STR_INIT("GET /hello HTTP/1.1\r\n" HOST "connection: close\r\n\r\n" GET("/hello")), STR_INIT("\r\n\r\nhello"),
         false},
        {STR_INIT("GET /hello HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"), STR_INIT("\r\n\r\nhello"), true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf in = BUF_INIT(1 << 20);
        int fd = wire_connect(w);
        CHECK(wire_send(fd, cases[i].request));
        if (cases[i].stays)
            CHECK(wire_read_until(fd, &in, STR("hello")) && wire_send(fd, STR("GET /hello HTTP/1.0\r\n\r\n")));
        CHECK_INT(wire_read_end(fd, &in), WIRE_CLOSED);
        CHECK(str_ends(buf_str(&in), cases[i].ends));
        // One answer only: what stands behind "connection: close" is not looked at.
        if (!cases[i].stays) CHECK_INT(str_find(str_from(buf_str(&in), 1), STR("HTTP/1.1 ")), in.n - 1);
        close(fd);
        buf_free(&in);
    }
}

static void test_closing(void) {
    struct rig rig;
    rig_run(&rig, closing_requests);
    CHECK_INT(rig.aborts + rig.rejects, 0);
}

#define MIX                                                                                                            \
    "POST /echo HTTP/1.1\r\n" HOST "content-length: 3\r\n\r\none" GET(                                                 \
        "/hello") "POST /echo HTTP/1.1\r\n" HOST                                                                       \
                  "transfer-encoding: chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n" GET(                              \
                      "/none") "POST /echo HTTP/1.1\r\n" HOST "content-length: 5\r\n\r\nthree"

static void check_mix(int fd) {
    static const struct str want[] = {STR_INIT("one"), STR_INIT("hello"), STR_INIT("two"), STR_INIT(""),
                                      STR_INIT("three")};
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK_INT(read_answer(fd, &in, &body), i == 3 ? 204 : 200);
        CHECK_STR(buf_str(&body), want[i]);
    }
    CHECK_INT(in.n, 0);
    buf_free(&in);
    buf_free(&body);
}

// Several requests in a row, cut at every place.
static void pipelined(struct wire *w) {
    struct str mix = STR(MIX);
    int fd = wire_connect(w);
    for (size_t cut = 0; cut <= mix.n; cut++) {
        CHECK(wire_send_cut(fd, mix, cut));
        check_mix(fd);
    }
    for (size_t step = 1; step < 8; step++) {
        CHECK(wire_send_pieces(fd, mix, step));
        check_mix(fd);
    }
    close(fd);
}

static void test_pipelined(void) {
    struct rig rig;
    rig_run(&rig, pipelined);
    CHECK_INT(rig.requests, (sizeof MIX - 1 + 1 + 7) * 5);
    CHECK_INT(rig.rejects + rig.aborts, 0);
}

// Requests behind one that is still being answered wait their turn.
static void answer_held(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, timer);
    while (rig->held_n) reply(rig->held[--rig->held_n], 200, STR("late"));
    timer_set(timer, 5);
}

static void early_birds(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    int fd = wire_connect(w);
    CHECK(wire_send(fd, STR(GET("/wait") GET("/hello") GET("/wait"))));
    CHECK(wire_send(fd, STR(GET("/hello"))));
    for (int i = 0; i < 4; i++) {
        CHECK_INT(read_answer(fd, &in, &body), 200);
        CHECK_STR(buf_str(&body), i & 1 ? STR("hello") : STR("late"));
    }
    close(fd);
    buf_free(&in);
    buf_free(&body);
}

static void test_early_birds(void) {
    struct rig rig;
    rig_open_with(&rig, &k_patient);
    timer_init(&rig.timer, rig.wire.loop, answer_held);
    timer_set(&rig.timer, 5);
    wire_start(&rig.wire, early_birds);
    loop_run(rig.wire.loop);
    rig_close(&rig);
    CHECK_INT(rig.requests, 4);
}

// --- what is refused ---

struct refusal {
    struct str text;
    enum err_code code;
    int status;
};

static const struct refusal k_refusals[] = {
    {STR_INIT("nonsense\r\n\r\n"), ERR_INVALID_HTTP, 400},
    {STR_INIT("\x16\x03\x01\x02\x00\x01\r\n\r\n"), ERR_INVALID_HTTP, 400},
    {STR_INIT("GET / HTTP/1.1\r\n\r\n"), ERR_INVALID_HTTP, 400},
    {STR_INIT("POST /echo HTTP/1.1\r\n" HOST
              "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n"),
     ERR_INVALID_HTTP, 400},
    {STR_INIT("POST /echo HTTP/1.1\r\n" HOST "content-length: 100001\r\n\r\n"), ERR_BODY_TOO_LARGE, 413},
    {STR_INIT("POST /echo HTTP/1.1\r\n" HOST "expect: 100-continue\r\ncontent-length: 18446744073709551615\r\n\r\n"),
     ERR_BODY_TOO_LARGE, 413},
    {STR_INIT("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\nzz\r\n"), ERR_INVALID_HTTP, 400},
    {STR_INIT("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n1\r\nab\r\n"), ERR_INVALID_HTTP, 400},
    {STR_INIT("GET / HTTP/1.1\r\n" HOST "a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n"
              "a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n\r\n"),
     ERR_HEADERS_TOO_LARGE, 431},
};

static void refusals(struct wire *w) {
    for (size_t i = 0; i < ARRAY_LEN(k_refusals); i++)
        for (size_t cut = 0; cut < k_refusals[i].text.n; cut += 1 + k_refusals[i].text.n / 5)
            check_refused(w, k_refusals[i].text, cut, k_refusals[i].status);
    struct buf text = BUF_INIT(1 << 20);
    buf_lit(&text, "GET /");
    while (text.n < 300) buf_putc(&text, 'a');
    buf_lit(&text, " HTTP/1.1\r\n" HOST "\r\n");
    check_refused(w, buf_str(&text), 0, 414);
    buf_clear(&text);
    buf_lit(&text, "GET / HTTP/1.1\r\n");
    while (text.n < 3000) buf_putc(&text, 'a');
    check_refused(w, buf_str(&text), 0, 431);
    buf_clear(&text);
    buf_lit(&text, "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n1869f\r\n"); // 99,999 bytes
    while (text.n < 100100) buf_putc(&text, 'a');
    text.n = sizeof("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n1869f\r\n") - 1 + 99999;
    buf_lit(&text, "\r\n2\r\nbb\r\n");
    check_refused(w, buf_str(&text), 0, 413);
    buf_free(&text);
}

static void test_refusals(void) {
    struct rig rig;
    rig_run(&rig, refusals);
    CHECK_INT(rig.requests, 0);
    CHECK(rig.rejects >= ARRAY_LEN(k_refusals) * 5);
    CHECK_INT(rig.aborts, 0);
}

static void at_the_limit(struct wire *w) {
    struct buf text = BUF_INIT(1 << 20), in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    int fd = wire_connect(w);
    for (int way = 0; way < 2; way++) {
        buf_clear(&text);
        if (way == 0)
            buf_lit(&text, "POST /echo HTTP/1.1\r\n" HOST "content-length: 100000\r\n\r\n");
        else
            buf_lit(&text, "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n186a0\r\n");
        for (size_t i = 0; i < 100000; i++) buf_putc(&text, (char)('a' + i % 26));
        if (way == 1) buf_lit(&text, "\r\n0\r\n\r\n");
        CHECK(wire_send_pieces(fd, buf_str(&text), 7000));
        CHECK_INT(read_answer(fd, &in, &body), 200);
        CHECK_INT(body.n, 100000);
        for (size_t i = 0; i < body.n; i++)
            if (body.p[i] != (char)('a' + i % 26)) {
                CHECK(false);
                break;
            }
    }
    close(fd);
    buf_free(&text);
    buf_free(&in);
    buf_free(&body);
}

static void test_at_the_limit(void) {
    struct rig rig;
    rig_run(&rig, at_the_limit);
    CHECK_INT(rig.requests, 2);
}

static void too_many(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = wire_connect(w);
        check_get(fds[i], &in, &body, STR(GET("/hello")), 200, STR("hello"));
    }
    int fd = wire_connect(w);
    CHECK_INT(wire_read_end(fd, &in), WIRE_CLOSED);
    CHECK(str_starts(buf_str(&in), STR("HTTP/1.1 503 ")));
    close(fd);
    for (int i = 0; i < 3; i++) close(fds[i]);
    // There is room again; the server may not have seen yet that they left.
    for (bool ok = false; !ok;) {
        buf_clear(&in);
        fd = wire_connect(w);
        wire_send(fd, STR(GET("/hello")));
        ok = read_answer(fd, &in, &body) == 200;
        close(fd);
    }
    buf_free(&in);
    buf_free(&body);
}

static void test_too_many_connections(void) {
    struct rig rig;
    struct http_server_options o = k_patient;
    o.max_connections = 3;
    rig_run_with(&rig, &o, too_many);
    CHECK_INT(rig.reject_code, ERR_OVERLOADED);
}

TEST_MAIN(test_good_requests, test_closing, test_pipelined, test_early_birds, test_refusals, test_at_the_limit,
          test_too_many_connections)
