// An HTTP server on a loop with a handler of many paths, and what scripted clients need to talk to it.
#ifndef TESTS_SERVER_RIG_H
#define TESTS_SERVER_RIG_H
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

static inline struct rig *rig_of(struct wire *w) { return CONTAINER_OF(w, struct rig, wire); }
static inline struct rig *rig_of_req(struct http_req *req) { return http_server_ctx(req->server); }

static inline void reply(struct http_req *req, int status, struct str body) {
    const struct http_field type = {STR("content-type"), STR("text/plain")};
    http_reply(req, status, &type, 1, body);
}

static const char k_block[1000] = {'x'};
static const size_t k_sizes[] = {1, 9, 10, 15, 16, 255, 256, 999};

static inline void produce(struct rig *rig, struct http_req *req) {
    size_t queued = 0;
    while (rig->produced < BIG && queued < 50000) {
        struct str part = str_of(k_block, sizeof k_block);
        rig->produced += part.n;
        queued = http_reply_data(req, &part, 1, rig->produced >= BIG);
    }
}

static inline void on_request(struct http_req *req) {
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
    } else if (str_eq(req->path, STR("/sizes"))) {
        http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
        for (size_t i = 0; i < ARRAY_LEN(k_sizes); i++)
            http_reply_data(req, &(struct str){.p = k_block, .n = k_sizes[i]}, 1, i + 1 == ARRAY_LEN(k_sizes));
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

static inline void on_abort(struct http_req *req) {
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

static inline void on_drained(struct http_req *req) {
    struct rig *rig = rig_of_req(req);
    rig->drained++;
    if (str_eq(req->path, STR("/big"))) produce(rig, req);
}

static inline void on_reject(void *ctx, const struct err *err, struct str peer, struct arena *arena,
                             struct buf *out_body, struct http_field *out_fields, size_t *io_count) {
    struct rig *rig = ctx;
    (void)arena;
    CHECK_STR(peer, STR("127.0.0.1"));
    rig->rejects++;
    rig->reject_code = err->code;
    buf_put(out_body, str_c(err->message));
    out_fields[(*io_count)++] = (struct http_field){STR("x-rejected"), STR("yes")};
}

static inline void rig_open_with(struct rig *rig, const struct http_server_options *o) {
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

static inline void rig_close(struct rig *rig) {
    http_server_stop(rig->server);
    timer_stop(&rig->timer);
    wire_end_script(&rig->wire);
    CHECK_INT(http_server_open(rig->server), 0);
    CHECK_INT(rig->held_n, 0);
    http_server_free(rig->server);
    wire_close(&rig->wire);
}

// Runs the script to its end; the figures in *rig stay readable.
static inline void rig_run_with(struct rig *rig, const struct http_server_options *o, void (*script)(struct wire *w)) {
    rig_open_with(rig, o);
    wire_start(&rig->wire, script);
    loop_run(rig->wire.loop);
    rig_close(rig);
}

static inline void rig_run(struct rig *rig, void (*script)(struct wire *w)) { rig_run_with(rig, &k_patient, script); }

// --- the client's side ---

// Reads one answer with a counted body; what follows stays in *in. Returns its status.
static inline int read_answer(int fd, struct buf *in, struct buf *out_body) {
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

static inline void check_get(int fd, struct buf *in, struct buf *body, struct str request, int status,
                             struct str want) {
    CHECK(wire_send(fd, request));
    CHECK_INT(read_answer(fd, in, body), status);
    CHECK_STR(buf_str(body), want);
}

static inline void check_refused(struct wire *w, struct str text, size_t cut, int status) {
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

#endif
