// The HTTP/1.1 server against scripted clients: polite ones, slow ones, rude ones, and those that leave.
#include "net/http_server.h"
#include "wire.h"

#define HELD_MAX 16
#define BIG ((size_t)16 << 20) // more than the kernel takes off our hands

struct rig {
    struct wire wire;
    struct http_server *server;
    struct http_req *held[HELD_MAX];
    size_t held_n, requests, aborts, drained, rejects, produced;
    enum err_code reject_code;
    struct timer timer;
    size_t worst_bytes;
    int phase;
};

static struct rig *rig_of(struct wire *w) { return CONTAINER_OF(w, struct rig, wire); }
static struct rig *rig_of_req(struct http_req *req) { return http_server_ctx(req->server); }

static void reply(struct http_req *req, int status, struct str body) {
    const struct http_field type = {STR("content-type"), STR("text/plain")};
    http_reply(req, status, &type, 1, body);
}

static const char k_block[1000] = {'x'};

static void produce(struct rig *rig, struct http_req *req) {
    size_t queued = 0;
    while (rig->produced < BIG && queued < 50000) {
        struct str part = str_of(k_block, sizeof k_block);
        rig->produced += part.n;
        queued = http_reply_data(req, &part, 1, rig->produced >= BIG);
    }
}

static void on_request(struct http_req *req) {
    struct rig *rig = rig_of_req(req);
    struct mem_stats now;
    rig->requests++;
    mem_stats_get(&now);
    rig->worst_bytes = MAX(rig->worst_bytes, (size_t)(now.bytes - rig->wire.before.bytes));
    if (str_eq(req->path, STR("/echo"))) {
        reply(req, 200, req->body);
    } else if (str_eq(req->path, STR("/hello"))) {
        reply(req, 200, STR("hello"));
    } else if (str_eq(req->path, STR("/query"))) {
        reply(req, 200, req->query);
    } else if (str_eq(req->path, STR("/peer"))) {
        reply(req, 200, req->peer);
    } else if (str_eq(req->path, STR("/none"))) {
        http_reply(req, 204, NULL, 0, STR(""));
    } else if (str_eq(req->path, STR("/block"))) {
        reply(req, 200, str_of(k_block, sizeof k_block));
    } else if (str_eq(req->path, STR("/chunks"))) {
        const struct str parts[] = {STR("a"), STR(""), STR("bc")};
        http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
        http_reply_data(req, parts, 3, false);
        http_reply_data(req, parts, 0, false);
        http_reply_data(req, parts, 1, true);
    } else if (str_eq(req->path, STR("/cut"))) {
        http_reply_head(req, 200, NULL, 0, 100);
        http_reply_data(req, &STR("half"), 1, false);
        http_reply_abort(req);
    } else if (str_eq(req->path, STR("/big"))) {
        http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
        rig->produced = 0;
        produce(rig, req);
    } else if (str_eq(req->path, STR("/fill"))) { // just more than the kernel takes
        struct str part = str_of(k_block, sizeof k_block);
        http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
        for (size_t queued = 0; queued < 30000;) queued = http_reply_data(req, &part, 1, false);
        http_reply_data(req, &part, 1, true);
    } else if (str_eq(req->path, STR("/huge"))) {
        static char huge[BIG];
        reply(req, 200, str_of(huge, sizeof huge));
    } else {
        REQUIRE(rig->held_n < HELD_MAX);
        if (str_eq(req->path, STR("/stream"))) {
            http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
            http_reply_flush(req);
        }
        rig->held[rig->held_n++] = req;
    }
}

static void on_abort(struct http_req *req) {
    struct rig *rig = rig_of_req(req);
    bool known = str_eq(req->path, STR("/big"));
    rig->aborts++;
    for (size_t i = 0; i < rig->held_n && !known; i++) {
        if (rig->held[i] != req) continue;
        rig->held[i] = rig->held[--rig->held_n];
        known = true;
    }
    CHECK(known);
}

static void on_drained(struct http_req *req) {
    struct rig *rig = rig_of_req(req);
    rig->drained++;
    if (str_eq(req->path, STR("/big"))) produce(rig, req);
}

static void on_reject(void *ctx, const struct err *err, struct str peer, struct arena *arena, struct buf *out_body,
                      struct http_field *out_fields, size_t *io_count) {
    struct rig *rig = ctx;
    (void)arena;
    CHECK_STR(peer, STR("127.0.0.1"));
    rig->rejects++;
    rig->reject_code = err->code;
    buf_put(out_body, str_c(err->message));
    out_fields[(*io_count)++] = (struct http_field){STR("x-rejected"), STR("yes")};
}

static void rig_open_with(struct rig *rig, const struct http_server_options *o) {
    struct http_handler h = {
        .ctx = rig, .on_request = on_request, .on_abort = on_abort, .on_drained = on_drained, .on_reject = on_reject};
    struct err err;
    memset(rig, 0, sizeof *rig);
    wire_open(&rig->wire, false);
    rig->wire.stop_on_script = true;
    REQUIRE(http_server_create(rig->wire.loop, o, &h, &rig->server, &err));
    REQUIRE(http_server_listen(rig->server, STR("127.0.0.1"), 0, NULL, &rig->wire.port, &err));
}

static const struct http_server_options k_patient = {.max_head = 2048,
                                                     .max_fields = 20,
                                                     .max_target = 256,
                                                     .max_body = 100000,
                                                     .max_connections = 100,
                                                     .header_ms = WIRE_MS,
                                                     .body_ms = WIRE_MS,
                                                     .keepalive_ms = WIRE_MS,
                                                     .write_ms = WIRE_MS};

static void rig_close(struct rig *rig) {
    http_server_stop(rig->server);
    timer_stop(&rig->timer);
    wire_end_script(&rig->wire);
    CHECK_INT(http_server_open(rig->server), 0);
    CHECK_INT(rig->held_n, 0);
    http_server_free(rig->server);
    wire_close(&rig->wire);
}

// Runs the script to its end; the figures in *rig stay readable.
static void rig_run_with(struct rig *rig, const struct http_server_options *o, void (*script)(struct wire *w)) {
    rig_open_with(rig, o);
    wire_start(&rig->wire, script);
    loop_run(rig->wire.loop);
    rig_close(rig);
}

static void rig_run(struct rig *rig, void (*script)(struct wire *w)) { rig_run_with(rig, &k_patient, script); }

// --- the client's side ---

// Reads one answer with a counted body; what follows stays in *in. Returns its status.
static int read_answer(int fd, struct buf *in, struct buf *out_body) {
    uint64_t length = 0, status = 0;
    buf_clear(out_body);
    if (!wire_read_until(fd, in, STR("\r\n\r\n"))) return 0;
    size_t head_n = str_find(buf_str(in), STR("\r\n\r\n")) + 4;
    struct str head = str_head(buf_str(in), head_n);
    CHECK(str_starts(head, STR("HTTP/1.1 ")));
    CHECK(str_find(head, STR("\r\ndate: ")) < head.n || str_starts(head, STR("HTTP/1.1 100")));
    if (!str_to_u64(str_head(str_from(head, 9), 3), &status)) return 0;
    size_t at = str_find(head, STR("content-length: "));
    if (at < head.n) {
        struct str digits = str_from(head, at + 16);
        CHECK(str_to_u64(str_head(digits, str_find_char(digits, '\r')), &length));
    }
    buf_drop(in, head_n);
    if (!wire_read_n(fd, in, length)) return 0;
    buf_put(out_body, str_head(buf_str(in), length));
    buf_drop(in, length);
    return (int)status;
}

#define HOST "host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

static void check_get(int fd, struct buf *in, struct buf *body, struct str request, int status, struct str want) {
    CHECK(wire_send(fd, request));
    CHECK_INT(read_answer(fd, in, body), status);
    CHECK_STR(buf_str(body), want);
}

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
    CHECK_INT(rig.requests, 14);
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

static void check_refused(struct wire *w, struct str text, size_t cut, int status) {
    struct buf in = BUF_INIT(1 << 20);
    char want[40];
    int fd = wire_connect(w);
    CHECK(wire_send_cut(fd, text, cut));
    CHECK_INT(wire_read_end(fd, &in), WIRE_CLOSED);
    int n = snprintf(want, sizeof want, "HTTP/1.1 %d ", status);
    if (!str_starts(buf_str(&in), str_of(want, (size_t)n)))
        fprintf(stderr, "%.*s\n  answered by %.*s\n", STR_ARG(str_head(text, 60)), STR_ARG(buf_str(&in)));
    CHECK(str_starts(buf_str(&in), str_of(want, (size_t)n)));
    CHECK(str_find(buf_str(&in), STR("connection: close\r\n")) < in.n);
    CHECK(str_find(buf_str(&in), STR("x-rejected: yes\r\n")) < in.n);
    CHECK_INT(str_find(str_from(buf_str(&in), 1), STR("HTTP/1.1 ")), in.n - 1);
    close(fd);
    buf_free(&in);
}

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

// --- slow clients ---

static void stall_head(struct wire *w) { check_refused(w, STR("GET / HT"), 0, 408); }
static void stall_body(struct wire *w) {
    check_refused(w, STR("POST /echo HTTP/1.1\r\n" HOST "content-length: 50\r\n\r\nhello"), 0, 408);
    check_refused(w, STR("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n5\r\nhe"), 0, 408);
}
// Bytes that keep coming do not stretch the time for a head.
static void trickle_head(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20);
    int fd = wire_connect(w);
    wire_send(fd, STR("GET / HTTP/1.1\r\n"));
    for (int i = 0; i < 2000; i++) {
        char block[256];
        ssize_t n;
        if (!wire_send(fd, STR("a"))) break;
        usleep(2000);
        if ((n = recv(fd, block, sizeof block, MSG_DONTWAIT)) > 0) {
            buf_append(&in, block, (size_t)n);
            break;
        }
    }
    CHECK(str_starts(buf_str(&in), STR("HTTP/1.1 408 ")));
    close(fd);
    buf_free(&in);
}
static void stall_idle(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    int fd = wire_connect(w);
    CHECK_INT(wire_read_end(fd, &in), WIRE_CLOSED); // said nothing: is told nothing
    CHECK_INT(in.n, 0);
    close(fd);
    fd = wire_connect(w);
    check_get(fd, &in, &body, STR(GET("/hello")), 200, STR("hello"));
    CHECK_INT(wire_read_end(fd, &in), WIRE_CLOSED);
    CHECK_INT(in.n, 0);
    close(fd);
    buf_free(&in);
    buf_free(&body);
}
// Asks for much and reads nothing.
static void stall_reading(struct wire *w) {
    int fd = wire_connect_small(w->port, 4096);
    CHECK(wire_send(fd, STR(GET("/big"))));
    struct rig *rig = rig_of(w);
    for (int i = 0; i < 10000 && !__atomic_load_n(&rig->aborts, __ATOMIC_RELAXED); i++) usleep(1000);
    close(fd);
}

static void test_slow_clients(void) {
    struct rig rig;
    struct http_server_options o = k_patient;
    o.header_ms = o.body_ms = o.keepalive_ms = o.write_ms = 60;
    rig_run_with(&rig, &o, stall_head);
    CHECK(rig.reject_code == ERR_REQUEST_TIMEOUT && rig.requests == 0);
    rig_run_with(&rig, &o, stall_body);
    CHECK(rig.reject_code == ERR_REQUEST_TIMEOUT && rig.requests == 0 && rig.rejects == 2);
    rig_run_with(&rig, &o, trickle_head);
    CHECK(rig.reject_code == ERR_REQUEST_TIMEOUT && rig.requests == 0);
    rig_run_with(&rig, &o, stall_idle);
    CHECK_INT(rig.rejects, 0);
    rig_run_with(&rig, &o, stall_reading);
    CHECK_INT(rig.aborts, 1);
}

// A client that reads slowly but steadily gets all of it, though that takes longer than any of the deadlines.
static void read_slowly(struct wire *w) {
    struct buf in = BUF_INIT(2 * BIG);
    int fd = wire_connect_small(w->port, 8192);
    if (rig_of(w)->phase)
        CHECK(wire_send(fd, STR("GET /huge HTTP/1.1\r\n" HOST "connection: close\r\n\r\n")));
    else
        CHECK(wire_send(fd, STR(GET("/huge"))));
    for (size_t n = 0; n < BIG; n += 300000) {
        if (!wire_read_n(fd, &in, n + 300000)) break;
        usleep(8000);
    }
    CHECK(in.n > BIG);
    close(fd);
    buf_free(&in);
}

static void test_slow_reader_gets_all(void) {
    for (int phase = 0; phase < 2; phase++) {
        struct rig rig;
        struct http_server_options o = k_patient;
        o.keepalive_ms = o.write_ms = 100;
        rig_open_with(&rig, &o);
        rig.phase = phase;
        wire_start(&rig.wire, read_slowly);
        loop_run(rig.wire.loop);
        rig_close(&rig);
        CHECK_INT(rig.aborts, 0);
    }
}

static void read_big(struct wire *w) {
    struct buf in = BUF_INIT(3 * BIG);
    int fd = wire_connect_small(w->port, 8192);
    CHECK(wire_send(fd, STR(GET("/big"))));
    CHECK(wire_read_until(fd, &in, STR("\r\n0\r\n\r\n")));
    CHECK(in.n > BIG);
    close(fd);
    buf_free(&in);
}

static void test_back_pressure(void) {
    struct rig rig;
    rig_run(&rig, read_big);
    CHECK(rig.drained > 0);
    CHECK_INT(rig.aborts, 0);
}

// --- clients that leave ---

static const struct {
    const char *what;
    struct str sent;
    struct str read_first; // waits for this before it leaves
    size_t requests, aborts;
} k_leavers[] = {
    {"at once", STR_INIT(""), STR_INIT(""), 0, 0},
    {"in the head", STR_INIT("GET /hello HT"), STR_INIT(""), 0, 0},
    {"in the body", STR_INIT("POST /echo HTTP/1.1\r\n" HOST "content-length: 50\r\n\r\nhello"), STR_INIT(""), 0, 0},
    {"in a chunk", STR_INIT("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n5\r\nhe"), STR_INIT(""),
     0, 0},
    {"while it waits", STR_INIT(GET("/wait")), STR_INIT(""), 1, 1},
    {"in the stream", STR_INIT(GET("/stream")), STR_INIT("\r\n\r\n"), 1, 1},
    {"in a large answer", STR_INIT(GET("/big")), STR_INIT("x"), 1, 1},
    {"with more to come", STR_INIT(GET("/wait") GET("/hello")), STR_INIT(""), 1, 1},
    {"when idle", STR_INIT(GET("/hello")), STR_INIT("hello"), 1, 0},
};

static void leave(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct buf in = BUF_INIT(1 << 20);
    int i = rig->phase / 2;
    int fd = wire_connect_small(w->port, 4096);
    CHECK(wire_send(fd, k_leavers[i].sent));
    if (k_leavers[i].read_first.n) wire_read_until(fd, &in, k_leavers[i].read_first);
    for (int k = 0; k < 5000 && __atomic_load_n(&rig->requests, __ATOMIC_RELAXED) < k_leavers[i].requests; k++)
        usleep(1000);
    if (rig->phase & 1)
        wire_reset(fd);
    else
        close(fd);
    buf_free(&in);
    // The server must get over it without a further word.
    for (int k = 0; k < 5000; k++) {
        struct http_server_stats stats;
        http_server_stats_get(rig->server, &stats);
        if (stats.accepted && !stats.open) break;
        usleep(1000);
    }
}

static void test_leavers(void) {
    for (int phase = 0; phase < (int)ARRAY_LEN(k_leavers) * 2; phase++) {
        struct rig rig;
        rig_open_with(&rig, &k_patient);
        rig.phase = phase;
        wire_start(&rig.wire, leave);
        loop_run(rig.wire.loop);
        size_t open = http_server_open(rig.server);
        if (open || rig.aborts != k_leavers[phase / 2].aborts)
            fprintf(stderr, "leaves %s (%d): %zu open, %zu aborts\n", k_leavers[phase / 2].what, phase & 1, open,
                    rig.aborts);
        CHECK_INT(open, 0);
        CHECK_INT(rig.requests, k_leavers[phase / 2].requests);
        CHECK_INT(rig.aborts, k_leavers[phase / 2].aborts);
        rig_close(&rig);
        CHECK_INT(rig.aborts, k_leavers[phase / 2].aborts);
    }
}

// --- a flood of requests, none of whose answers is read ---

#define FLOOD 20000

static void *send_flood(void *arg) {
    int fd = *(int *)arg;
    for (int i = 0; i < FLOOD; i++)
        if (!wire_send(fd, STR(GET("/block")))) break;
    return NULL;
}

static void flood(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    pthread_t sender;
    int fd = wire_connect_small(w->port, 8192);
    REQUIRE(pthread_create(&sender, NULL, send_flood, &fd) == 0);
    usleep(300000); // the server has every chance to take in too much
    for (int i = 0; i < FLOOD; i++) {
        int status = read_answer(fd, &in, &body);
        CHECK_INT(status, 200);
        CHECK_INT(body.n, 1000);
        if (status != 200) break;
    }
    pthread_join(sender, NULL);
    close(fd);
    buf_free(&in);
    buf_free(&body);
}

static void test_flood_is_bounded(void) {
    struct rig rig;
    rig_run(&rig, flood);
    CHECK_INT(rig.requests, FLOOD);
    if (rig.worst_bytes > (size_t)4 << 20) fprintf(stderr, "held %zu bytes\n", rig.worst_bytes);
    CHECK(rig.worst_bytes < (size_t)4 << 20);
}

// An answer that nobody reads, behind it a request whose body stops: refused in the end, with nothing of the body's
// memory in use by then.
static void stall_behind_answer(struct wire *w) {
    struct buf in = BUF_INIT(2 * BIG);
    int fd = wire_connect_small(w->port, 4096);
    wire_send(fd, STR(GET("/fill")));
    wire_send(fd, STR("POST /echo HTTP/1.1\r\n" HOST "content-length: 600000\r\n\r\nhello"));
    usleep(150000);
    for (int i = 0; i < 50; i++) wire_send(fd, STR("more of the body, too late"));
    CHECK(wire_read_end(fd, &in) != WIRE_TIMEOUT);
    close(fd);
    buf_free(&in);
}

static void test_stall_behind_answer(void) {
    struct rig rig;
    struct http_server_options o = k_patient;
    o.body_ms = 50;
    o.max_body = (size_t)1 << 20;
    rig_run_with(&rig, &o, stall_behind_answer);
    CHECK_INT(rig.requests, 1);
}

// The same, but nothing is ever read: the connection is given up all the same.
static void never_read(struct wire *w) {
    struct rig *rig = rig_of(w);
    bool open = true;
    int fd = wire_connect_small(w->port, 4096);
    wire_send(fd, STR(GET("/fill")));
    wire_send(fd, STR("POST /echo HTTP/1.1\r\n" HOST "content-length: 600000\r\n\r\nhello"));
    for (int k = 0; k < 5000 && open; k++) {
        struct http_server_stats stats;
        http_server_stats_get(rig->server, &stats);
        open = !stats.accepted || stats.open;
        usleep(1000);
    }
    CHECK(!open);
    close(fd);
}

static void test_never_read(void) {
    struct rig rig;
    struct http_server_options o = k_patient;
    o.body_ms = o.write_ms = 50;
    o.max_body = (size_t)1 << 20;
    rig_open_with(&rig, &o);
    wire_start(&rig.wire, never_read);
    loop_run(rig.wire.loop);
    CHECK_INT(http_server_open(rig.server), 0);
    rig_close(&rig);
}

// --- ends ---

static void see_cut(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20);
    int fd = wire_connect(w);
    wire_send(fd, STR(GET("/cut")));
    CHECK_INT(wire_read_end(fd, &in), WIRE_RESET);
    close(fd);
    buf_free(&in);
}

static void test_reply_abort(void) {
    struct rig rig;
    rig_run(&rig, see_cut);
    CHECK_INT(rig.aborts, 0);
}

static void drain_now(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, timer);
    if (rig->requests < 2) {
        timer_set(timer, 2);
        return;
    }
    http_server_drain(rig->server);
    while (rig->held_n) reply(rig->held[--rig->held_n], 200, STR("last"));
}

static void see_drain(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    int idle = wire_connect(w), busy = wire_connect(w);
    check_get(idle, &in, &body, STR(GET("/hello")), 200, STR("hello"));
    wire_send(busy, STR(GET("/wait")));
    CHECK_INT(wire_read_end(idle, &in), WIRE_CLOSED);
    CHECK_INT(in.n, 0);
    CHECK_INT(wire_read_end(busy, &in), WIRE_CLOSED);
    CHECK(str_find(buf_str(&in), STR("connection: close\r\n")) < in.n && str_ends(buf_str(&in), STR("last")));
    CHECK(wire_connect(w) < 0);
    close(idle);
    close(busy);
    buf_free(&in);
    buf_free(&body);
}

static void test_drain(void) {
    struct rig rig;
    rig_open_with(&rig, &k_patient);
    timer_init(&rig.timer, rig.wire.loop, drain_now);
    timer_set(&rig.timer, 2);
    wire_start(&rig.wire, see_drain);
    loop_run(rig.wire.loop);
    rig_close(&rig);
    CHECK_INT(rig.aborts, 0);
}

static void stop_now(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, timer);
    if (rig->requests < 3)
        timer_set(timer, 2);
    else
        http_server_stop(rig->server);
}

static void see_stop(struct wire *w) {
    int a = wire_connect(w), b = wire_connect(w), c = wire_connect_small(w->port, 4096);
    wire_send(a, STR(GET("/wait")));
    wire_send(b, STR(GET("/stream")));
    wire_send(c, STR(GET("/big")));
    CHECK(wire_read_end(a, NULL) != WIRE_TIMEOUT);
    CHECK(wire_read_end(b, NULL) != WIRE_TIMEOUT);
    CHECK(wire_read_end(c, NULL) != WIRE_TIMEOUT);
    close(a);
    close(b);
    close(c);
}

static void test_stop(void) {
    struct rig rig;
    rig_open_with(&rig, &k_patient);
    timer_init(&rig.timer, rig.wire.loop, stop_now);
    timer_set(&rig.timer, 2);
    wire_start(&rig.wire, see_stop);
    loop_run(rig.wire.loop);
    rig_close(&rig);
    CHECK_INT(rig.aborts, 3);
}

// --- memory that fails ---

static void talk_plainly(struct wire *w) {
    static const struct str requests[] = {
        STR_INIT(GET("/hello")),
        STR_INIT("POST /echo HTTP/1.1\r\n" HOST "content-length: 5\r\n\r\nhello"),
        STR_INIT("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        STR_INIT(GET("/chunks") GET("/wait")),
        STR_INIT(GET("/huge")),
        STR_INIT(GET("/big"))};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        int fd = wire_connect_small(w->port, 4096);
        char block[4096];
        if (fd < 0) continue;
        wire_send_cut(fd, requests[i], 9);
        usleep(1000);
        CHECK(recv(fd, block, sizeof block, 0) >= 0 || errno != EAGAIN); // an answer, or the end, but something
        close(fd);
    }
}

static void test_memory_fails_in_turn(void) {
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct rig rig;
        rig_open_with(&rig, &k_patient);
        mem_fail_nth(nth);
        wire_start(&rig.wire, talk_plainly);
        loop_run(rig.wire.loop);
        mem_fail_nth(0);
        rig_close(&rig);
    }
}

TEST_MAIN(test_good_requests, test_closing, test_pipelined, test_early_birds, test_refusals, test_at_the_limit,
          test_too_many_connections, test_slow_clients, test_slow_reader_gets_all, test_back_pressure, test_leavers,
          test_flood_is_bounded, test_stall_behind_answer, test_never_read, test_reply_abort, test_drain, test_stop,
          test_memory_fails_in_turn)
