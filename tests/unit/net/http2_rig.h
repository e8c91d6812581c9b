// An HTTP/2 engine and a client of libnghttp2 in one process, with nothing but memory between them.
#ifndef TESTS_HTTP2_RIG_H
#define TESTS_HTTP2_RIG_H

#include "base/mem.h"
#include "check.h"
#include "net/http2_internal.h"
#include "os/loop.h"

#define RIG_STREAMS 2048 // by stream id / 2
#define RIG_HELD 1024
#define RIG_BIG ((size_t)1000 * 1000)

// What the client saw of one stream.
struct rig_stream {
    int status;
    bool closed, ended;
    uint32_t code;
    size_t n; // body bytes
    struct buf body;
    char type[64];
    const char *send; // the request's body
    size_t send_n;
};

struct rig {
    struct http_server server;
    struct http2 *h2;
    struct buf out; // written by the engine, not seen by the client yet
    bool finished, stuck;
    size_t stuck_bytes; // what the link says is queued, when stuck
    // The handler's side.
    struct http_req *held[RIG_HELD];
    size_t held_n, requests, aborts, drained, rejects;
    enum err_code reject_code;
    size_t produced; // by /big
    // The client's side.
    nghttp2_session *client;
    struct rig_stream streams[RIG_STREAMS];
    uint32_t goaway_code;
    int goaways;
    bool manual_window;
};

static inline struct rig *rig_of(struct http_req *req) { return http_server_ctx(req->server); }

// --- the handler ---

static inline void rig_reply(struct http_req *req, int status, struct str body) {
    const struct http_field fields[] = {{STR("content-type"), STR("text/plain")}, {STR("connection"), STR("close")}};
    http_reply_head(req, status, fields, 2, body.n);
    http_reply_data(req, &body, 1, true);
}

// Streams RIG_BIG bytes, pausing when more than 20,000 wait.
static inline void rig_produce(struct rig *rig, struct http_req *req) {
    static const char k_block[1000] = {'x'};
    size_t queued = 0;
    while (rig->produced < RIG_BIG && queued < 20000) {
        struct str part = str_of(k_block, sizeof k_block);
        rig->produced += part.n;
        queued = http_reply_data(req, &part, 1, rig->produced == RIG_BIG);
    }
}

static inline void rig_on_request(struct http_req *req) {
    struct rig *rig = rig_of(req);
    rig->requests++;
    if (str_eq(req->path, STR("/hello"))) {
        rig_reply(req, 200, STR("hello, world"));
    } else if (str_eq(req->path, STR("/echo"))) {
        rig_reply(req, 200, req->body);
    } else if (str_eq(req->path, STR("/query"))) {
        rig_reply(req, 200, req->query);
    } else if (str_eq(req->path, STR("/host"))) {
        rig_reply(req, 200, req->host);
    } else if (str_eq(req->path, STR("/cookie"))) {
        rig_reply(req, 200, http_field_get(req->fields, req->field_count, STR("cookie")));
    } else if (str_eq(req->path, STR("/big"))) {
        http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
        rig_produce(rig, req);
    } else if (str_eq(req->path, STR("/stream"))) {
        http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
        http_reply_flush(req);
        rig->held[rig->held_n++] = req;
    } else {
        REQUIRE(rig->held_n < RIG_HELD);
        rig->held[rig->held_n++] = req;
    }
}

static inline void rig_on_abort(struct http_req *req) {
    struct rig *rig = rig_of(req);
    rig->aborts++;
    for (size_t i = 0; i < rig->held_n; i++)
        if (rig->held[i] == req) rig->held[i] = rig->held[--rig->held_n];
}

static inline void rig_on_drained(struct http_req *req) {
    struct rig *rig = rig_of(req);
    rig->drained++;
    if (str_eq(req->path, STR("/big"))) rig_produce(rig, req);
}

static inline void rig_on_reject(void *ctx, const struct err *err, struct str peer, struct arena *arena,
                                 struct buf *out_body, struct http_field *out_fields, size_t *io_count) {
    (void)arena;
    struct rig *rig = ctx;
    rig->rejects++;
    rig->reject_code = err->code;
    CHECK_STR(peer, STR("192.0.2.7"));
    buf_printf(out_body, "rejected: %s", err->message);
    out_fields[(*io_count)++] = (struct http_field){STR("content-type"), STR("text/plain")};
}

// --- the client ---

static inline struct rig_stream *rig_stream(struct rig *rig, int32_t id) { return &rig->streams[id / 2]; }

static inline int rig_client_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                                    size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user) {
    (void)session, (void)flags;
    struct rig_stream *s = rig_stream(user, frame->hd.stream_id);
    struct str n = str_of((const char *)name, name_n), v = str_of((const char *)value, value_n);
    uint64_t status;
    if (str_eq(n, STR(":status")) && str_to_u64(v, &status)) s->status = (int)status;
    if (str_eq(n, STR("content-type"))) snprintf(s->type, sizeof s->type, "%.*s", STR_ARG(v));
    CHECK(!str_eq(n, STR("connection")));
    return 0;
}

static inline int rig_client_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                                  void *user) {
    (void)flags, (void)session;
    struct rig_stream *s = rig_stream(user, id);
    s->n += n;
    buf_append(&s->body, p, n);
    return 0;
}

static inline int rig_client_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    (void)session;
    struct rig_stream *s = rig_stream(user, id);
    s->closed = true;
    s->code = code;
    return 0;
}

static inline int rig_client_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    struct rig *rig = user;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        rig->goaways++;
        rig->goaway_code = frame->goaway.error_code;
    }
    if (frame->hd.stream_id && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && frame->hd.type <= NGHTTP2_HEADERS)
        rig_stream(rig, frame->hd.stream_id)->ended = true;
    return 0;
}

static inline ssize_t rig_client_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t room, uint32_t *flags,
                                      nghttp2_data_source *source, void *user) {
    (void)session, (void)source;
    struct rig_stream *s = rig_stream(user, id);
    size_t n = MIN(room, s->send_n);
    if (n) memcpy(p, s->send, n);
    s->send += n;
    s->send_n -= n;
    if (s->send_n == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

// --- the rig ---

static inline size_t rig_write(void *owner, const struct str *parts, size_t count) {
    struct rig *rig = owner;
    for (size_t i = 0; i < count; i++) buf_put(&rig->out, parts[i]);
    return rig->stuck ? rig->stuck_bytes : 0;
}

static inline void rig_finish(void *owner) {
    struct rig *rig = owner;
    CHECK(!rig->finished);
    rig->finished = true;
}

static inline void rig_client_open(struct rig *rig) {
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;
    REQUIRE(nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&option) == 0);
    nghttp2_session_callbacks_set_on_header_callback(cb, rig_client_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, rig_client_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, rig_client_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, rig_client_frame);
    nghttp2_option_set_no_auto_window_update(option, rig->manual_window);
    nghttp2_option_set_peer_max_concurrent_streams(option, 1000);
    REQUIRE(nghttp2_session_client_new2(&rig->client, cb, rig, option) == 0);
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(option);
    REQUIRE(nghttp2_submit_settings(rig->client, 0, NULL, 0) == 0);
}

static inline struct rig *rig_new(struct http_server_options options, bool manual_window) {
    struct rig *rig = calloc(1, sizeof *rig);
    struct err err;
    REQUIRE(rig && loop_create(0, &rig->server.loop, &err));
    rig->server.options = options;
    rig->server.handler = (struct http_handler){.ctx = rig,
                                                .on_request = rig_on_request,
                                                .on_abort = rig_on_abort,
                                                .on_drained = rig_on_drained,
                                                .on_reject = rig_on_reject};
    rig->manual_window = manual_window;
    buf_init(&rig->out, SIZE_MAX / 2);
    for (size_t i = 0; i < RIG_STREAMS; i++) buf_init(&rig->streams[i].body, SIZE_MAX / 2);
    const struct http2_link link = {
        .owner = rig, .write = rig_write, .finish = rig_finish, .peer = STR("192.0.2.7"), .tls = false};
    rig->h2 = http2_create(&rig->server, &link);
    REQUIRE(rig->h2);
    rig_client_open(rig);
    return rig;
}

#define RIG_OPTIONS                                                                                                    \
    ((struct http_server_options){.max_head = 8192,                                                                    \
                                  .max_fields = 32,                                                                    \
                                  .max_target = 1024,                                                                  \
                                  .max_body = 300000,                                                                  \
                                  .header_ms = 10000,                                                                  \
                                  .body_ms = 10000,                                                                    \
                                  .keepalive_ms = 10000,                                                               \
                                  .write_ms = 10000})

static inline struct rig *rig_plain(void) { return rig_new(RIG_OPTIONS, false); }

static inline void rig_free(struct rig *rig) {
    http2_free(rig->h2);
    nghttp2_session_del(rig->client);
    buf_free(&rig->out);
    for (size_t i = 0; i < RIG_STREAMS; i++) buf_free(&rig->streams[i].body);
    loop_free(rig->server.loop);
    free(rig);
}

// Client bytes to the engine, `cut` at a time.
static inline bool rig_up(struct rig *rig, size_t cut) {
    const uint8_t *p;
    ssize_t n = nghttp2_session_mem_send(rig->client, &p);
    for (size_t at = 0, all = n > 0 ? (size_t)n : 0; at < all; at += cut)
        http2_feed(rig->h2, str_of((const char *)p + at, MIN(cut, all - at)));
    return n > 0;
}

static inline bool rig_down(struct rig *rig) {
    if (rig->out.n == 0) return false;
    struct buf taken = rig->out;
    buf_init(&rig->out, SIZE_MAX / 2);
    CHECK(nghttp2_session_mem_recv(rig->client, (const uint8_t *)taken.p, taken.n) == (ssize_t)taken.n);
    buf_free(&taken);
    return true;
}

static inline void rig_pump_cut(struct rig *rig, size_t cut) {
    for (bool moved = true; moved;) {
        moved = rig_up(rig, cut);
        moved |= rig_down(rig);
    }
}
static inline void rig_pump(struct rig *rig) { rig_pump_cut(rig, SIZE_MAX / 2); }

#define RIG_NV(n, v) ((nghttp2_nv){(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), 0})

static inline int32_t rig_submit(struct rig *rig, const nghttp2_nv *nv, size_t count, const char *body, size_t body_n) {
    nghttp2_data_provider provider = {.read_callback = rig_client_body};
    int32_t id = nghttp2_submit_request(rig->client, NULL, nv, count, body ? &provider : NULL, NULL);
    REQUIRE(id > 0 && id / 2 < RIG_STREAMS);
    rig_stream(rig, id)->send = body;
    rig_stream(rig, id)->send_n = body_n;
    return id;
}

static inline int32_t rig_get(struct rig *rig, const char *path) {
    const nghttp2_nv nv[] = {RIG_NV(":method", "GET"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "example.com"),
                             RIG_NV(":path", path)};
    return rig_submit(rig, nv, 4, NULL, 0);
}

static inline int32_t rig_post(struct rig *rig, const char *path, const char *body, size_t n) {
    const nghttp2_nv nv[] = {RIG_NV(":method", "POST"), RIG_NV(":scheme", "http"), RIG_NV(":authority", "example.com"),
                             RIG_NV(":path", path)};
    return rig_submit(rig, nv, 4, body, n);
}

// As if `ms` had gone by without a byte, and the engine's timer had come.
static inline void rig_age(struct rig *rig, uint64_t ms) {
    for (struct http2_stream *s = rig->h2->streams; s; s = s->next) s->progress_ms -= ms;
    rig->h2->timer.fn(&rig->h2->timer);
}

#endif
