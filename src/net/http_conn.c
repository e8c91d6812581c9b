// A client connection: reads HTTP/1.1 requests off it one after the other, or hands it to HTTP/2.
//
// States: HANDSHAKE → HEAD → (BODY) → REPLY → HEAD … → LINGER → CLOSED. Early bytes (pipelining) wait in `in`.
#include "net/http_server_internal.h"

#include "base/mem.h"
#include "net/http2.h"
#include "os/clock.h"

#define ARENA_SLACK ((size_t)1 << 20) // for what the handler puts beside the body
#define EARLY_MAX ((size_t)16 * 1024) // of early bytes before reading stops
#define LINGER_MS 1000
#define ACCEPT_RETRY_MS 50
#define FIRST_READ ((size_t)32 * 1024)
#define IN_MIN ((size_t)2048)

static void conn_process(struct http_conn *conn);

static struct http_conn *of_stream(struct stream *s) { return CONTAINER_OF(s, struct http_conn, stream); }

// --- the bytes that wait ---

static void in_release(struct http_conn *conn) {
    pool_put(loop_pool(conn->server->loop), conn->in, conn->in_cap);
    conn->in = NULL;
    conn->in_n = conn->in_cap = conn->scanned = 0;
}

static bool in_append(struct http_conn *conn, struct str s) {
    struct pool *pool = loop_pool(conn->server->loop);
    if (conn->in_cap - conn->in_n < s.n) {
        size_t cap;
        char *p = pool_get(pool, MAX(conn->in_n + s.n, IN_MIN), &cap);
        if (!p) return false;
        if (conn->in_n) memcpy(p, conn->in, conn->in_n);
        pool_put(pool, conn->in, conn->in_cap);
        conn->in = p;
        conn->in_cap = cap;
    }
    if (s.n) memcpy(conn->in + conn->in_n, s.p, s.n);
    conn->in_n += s.n;
    return true;
}

static void in_consume(struct http_conn *conn, size_t n) {
    conn->scanned = 0;
    conn->in_n -= n;
    if (conn->in_n == 0)
        in_release(conn);
    else
        memmove(conn->in, conn->in + n, conn->in_n);
}

// --- the end of a connection ---

static void req_free(struct http_conn *conn) {
    if (!conn->req) return;
    struct arena arena = conn->req->arena; // the request lives in its own arena
    conn->req = NULL;
    conn->held_head = STR_NONE;
    conn->body_n = 0;
    buf_free(&conn->chunked_body);
    arena_free(&arena);
}

void conn_close(struct http_conn *conn) {
    if (conn->state == CONN_CLOSED) return;
    conn->state = CONN_CLOSED;
    timer_stop(&conn->timer);
    stream_close(&conn->stream);
}

// The client left: the handler, if it has the request, hears of it and lets go.
static void conn_gone(struct http_conn *conn) {
    if (conn->state == CONN_CLOSED) return;
    uint8_t state = conn->state;
    conn_close(conn);
    if (state == CONN_HTTP2) http2_abort_all(conn->h2);
    if (state == CONN_REPLY && conn->req) conn->server->handler.on_abort(conn->req);
    req_free(conn);
}

void conn_abort(struct http_conn *conn) {
    if (conn->state == CONN_CLOSED) return;
    conn->state = CONN_CLOSED;
    timer_stop(&conn->timer);
    stream_reset(&conn->stream);
    req_free(conn);
}

static void conn_linger(struct http_conn *conn) {
    conn->state = CONN_LINGER;
    in_release(conn);
    stream_shutdown(&conn->stream);
    stream_read_into(&conn->stream, NULL, 0);
    stream_read_start(&conn->stream);
    timer_set(&conn->timer, LINGER_MS);
}

// All was handed over; once it has been sent, say goodbye in a way that lets the client read it.
static void conn_finish(struct http_conn *conn) {
    if (stream_queued(&conn->stream) == 0)
        conn_linger(conn);
    else
        conn->state = CONN_LINGER; // on_drained goes on from here
}

static void on_closed(struct stream *s) {
    struct http_conn *conn = of_stream(s);
    struct http_server *server = conn->server;
    if (conn->state != CONN_CLOSED) conn_gone(conn); // closed below us: out of memory while writing
    timer_stop(&conn->timer);
    req_free(conn);
    in_release(conn);
    if (conn->h2) http2_free(conn->h2);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    if (conn->next) conn->next->prev = conn->prev;
    server->stats.open--;
    mem_free(conn);
}

// --- rejecting ---

void conn_reject(struct http_conn *conn, const struct err *err) {
    struct http_server *server = conn->server;
    struct arena arena;
    struct buf body = BUF_INIT(64 * 1024);
    struct http_field fields[HTTP_REJECT_FIELDS_MAX];
    char framing[96];
    size_t count = 0;
    arena_init(&arena, loop_pool(server->loop), 0, 64 * 1024);
    server->stats.rejected++;
    struct str peer = str_of(conn->peer, conn->peer_n);
    server->handler.on_reject(server->handler.ctx, err, peer, &arena, &body, fields, &count);
    int n = snprintf(framing, sizeof framing, "content-length: %zu\r\nconnection: close\r\n", body.n);
    struct str parts[2] = {http1_head_text(server, &arena, err->status, fields, count, str_of(framing, (size_t)n)),
                           buf_str(&body)};
    if (parts[0].p && !body.failed) stream_write(&conn->stream, parts, 2);
    buf_free(&body);
    arena_free(&arena);
    req_free(conn);
    if (conn->state != CONN_CLOSED) conn_finish(conn);
}

static void reject_with(struct http_conn *conn, enum err_code code, const char *why) {
    struct err err;
    err_set(&err, code, "%s", why);
    conn_reject(conn, &err);
}

// --- one request ---

static void relocate(struct str *s, const char *from, const char *to) {
    if (s->p) s->p = to + (s->p - from);
}

// Absolute-form names a path of this server all the same (RFC 9112, 3.2.2).
static struct str origin_form(struct str target) {
    size_t scheme = str_starts(target, STR("http://")) ? 7 : str_starts(target, STR("https://")) ? 8 : 0;
    if (!scheme) return target;
    struct str rest = str_from(target, scheme);
    size_t slash = str_find_char(rest, '/');
    return slash < rest.n ? str_from(rest, slash) : STR("/");
}

// The head's text moves into the request's arena, so that the connection's buffer can go.
static struct http_req *req_new(struct http_conn *conn, const struct http1_head *head, const char *text) {
    const struct http_server *server = conn->server;
    struct arena arena;
    arena_init(&arena, loop_pool(server->loop), 4096 - 16,
               server->options.max_body + server->options.max_head + ARENA_SLACK);
    struct http1_req *wrapper = ARENA_NEW(&arena, struct http1_req);
    char *copy = wrapper ? arena_alloc(&arena, head->size) : NULL;
    struct http_field *fields = copy ? arena_alloc(&arena, sizeof *fields * (head->field_count + 1)) : NULL;
    if (!fields) {
        arena_free(&arena);
        return NULL;
    }
    memcpy(copy, text, head->size);
    for (size_t i = 0; i < head->field_count; i++) {
        fields[i] = head->fields[i];
        relocate(&fields[i].name, text, copy);
        relocate(&fields[i].value, text, copy);
    }
    wrapper->conn = conn;
    struct http_req *req = &wrapper->req;
    *req = (struct http_req){.ops = &http1_reply_ops,
                             .server = conn->server,
                             .loop = server->loop,
                             .method = head->method,
                             .method_text = head->method_text,
                             .target = head->target,
                             .host = head->host,
                             .fields = fields,
                             .field_count = head->field_count,
                             .protocol = head->minor ? "HTTP/1.1" : "HTTP/1.0",
                             .tls = conn->tls,
                             .start_ns = conn->first_byte_ns};
    relocate(&req->method_text, text, copy);
    relocate(&req->target, text, copy);
    relocate(&req->host, text, copy);
    req->target = origin_form(req->target);
    http_target_split(req->target, &req->path, &req->query);
    req->arena = arena;
    return req;
}

static void dispatch(struct http_conn *conn) {
    struct http_req *req = conn->req;
    stream_read_into(&conn->stream, NULL, 0);
    timer_clear(&conn->timer);
    conn->state = CONN_REPLY;
    conn->server->stats.requests++;
    req->peer = str_of(conn->peer, conn->peer_n);
    conn->server->handler.on_request(req);
}

// A body of known length goes into one piece of memory, read straight from the socket once the first part is in.
static void body_start(struct http_conn *conn, const struct http1_head *head) {
    if (head->framing == HTTP1_CHUNKED) {
        http1_chunked_init(&conn->chunked);
        buf_init(&conn->chunked_body, conn->server->options.max_body);
        return;
    }
    char *body = arena_alloc(&conn->req->arena, (size_t)head->content_length);
    conn->body_n = 0;
    conn->req->body = str_of(body, body ? (size_t)head->content_length : 0);
}

static bool head_done(struct http_conn *conn, const struct http1_head *head, const char *text) {
    if (head->framing == HTTP1_LENGTH && head->content_length > conn->server->options.max_body) {
        struct err err;
        err_set(&err, ERR_BODY_TOO_LARGE, "the body is %llu bytes; the limit is %zu (limits.max_body)",
                (unsigned long long)head->content_length, conn->server->options.max_body);
        conn_reject(conn, &err);
        return false;
    }
    conn->req = req_new(conn, head, text);
    conn->keep_alive = head->keep_alive;
    conn->http10 = head->minor == 0;
    if (conn->req && head->framing != HTTP1_NO_BODY) body_start(conn, head);
    if (!conn->req || (head->framing == HTTP1_LENGTH && !conn->req->body.p)) {
        reject_with(conn, ERR_NO_MEMORY, "there was no memory for the request");
        return false;
    }
    if (head->framing == HTTP1_NO_BODY) {
        dispatch(conn);
        return true;
    }
    conn->state = CONN_BODY;
    if (head->expect_continue && head->minor == 1)
        stream_write(&conn->stream, &STR("HTTP/1.1 100 Continue\r\n\r\n"), 1);
    return true;
}

// Takes what belongs to the body from *in.
static void take_counted(struct http_conn *conn, struct str *in) {
    struct http_req *req = conn->req;
    size_t n = MIN(in->n, req->body.n - conn->body_n);
    char *to = (char *)(uintptr_t)req->body.p + conn->body_n;
    if (in->p != to && n) memcpy(to, in->p, n);
    conn->body_n += n;
    *in = str_from(*in, n);
    if (conn->body_n == req->body.n)
        dispatch(conn);
    else
        stream_read_into(&conn->stream, to + n, req->body.n - conn->body_n);
}

static void take_chunked(struct http_conn *conn, struct str *in) {
    struct str data;
    enum http1_result r;
    while ((r = http1_chunked_next(&conn->chunked, in, &data)) == HTTP1_MORE && data.n)
        buf_put(&conn->chunked_body, data);
    if (conn->chunked_body.failed) {
        reject_with(conn, ERR_BODY_TOO_LARGE, "the body is larger than the limit (limits.max_body)");
    } else if (r == HTTP1_BAD) {
        reject_with(conn, ERR_INVALID_HTTP, "the chunked body is malformed");
    } else if (r == HTTP1_DONE) {
        conn->req->body = buf_str(&conn->chunked_body);
        dispatch(conn);
    }
}

static void take_body(struct http_conn *conn, struct str *in) {
    timer_set(&conn->timer, conn->server->options.body_ms);
    if (conn->req->body.p)
        take_counted(conn, in);
    else
        take_chunked(conn, in);
}

static size_t h2_write(void *owner, const struct str *parts, size_t count) {
    struct http_conn *conn = owner;
    for (size_t i = 0; i < count; i++) conn->server->stats.bytes_out += parts[i].n;
    size_t queued = stream_write(&conn->stream, parts, count);
    if (queued) conn_watch_write(conn);
    return queued;
}

static void h2_finish(void *owner) {
    struct http_conn *conn = owner;
    if (conn->state == CONN_HTTP2) conn_finish(conn);
}

static void go_http2(struct http_conn *conn, struct str in) {
    struct http2_link link = {.owner = conn,
                              .write = h2_write,
                              .finish = h2_finish,
                              .peer = str_of(conn->peer, conn->peer_n),
                              .tls = conn->tls};
    conn->h2 = http2_create(conn->server, &link);
    if (!conn->h2) {
        conn_close(conn);
        return;
    }
    conn->state = CONN_HTTP2;
    timer_set(&conn->timer, conn->server->options.keepalive_ms);
    if (in.n) http2_feed(conn->h2, in);
}

// Takes a head from *in when it is complete; what it needs further must be kept by the caller. False: wait for more.
static bool take_head(struct http_conn *conn, struct str *in) {
    const struct http_server_options *o = &conn->server->options;
    struct http1_limits limits = {.max_head = o->max_head, .max_fields = o->max_fields, .max_target = o->max_target};
    struct http1_head head;
    struct err err;
    switch (http1_request(*in, &conn->scanned, &limits, &head, &err)) {
    case HTTP1_MORE:
        return false;
    case HTTP1_BAD:
        conn_reject(conn, &err);
        return false;
    case HTTP1_DONE:
        break;
    }
    conn->scanned = 0;
    if (head.upgrade_h2c) {
        struct str all = *in;
        *in = STR_NONE;
        go_http2(conn, all);
        return true;
    }
    const char *text = in->p;
    *in = str_from(*in, head.size);
    return head_done(conn, &head, text);
}

// Moves on as far as *in goes; what is left must be kept.
static void advance(struct http_conn *conn, struct str *in) {
    while (in->n) {
        if (conn->state == CONN_HEAD) {
            if (conn->first_byte_ns == 0) {
                conn->first_byte_ns = clock_mono_ns();
                timer_set(&conn->timer, conn->server->options.header_ms);
            }
            if (!take_head(conn, in)) return;
        } else if (conn->state == CONN_BODY) {
            take_body(conn, in);
        } else {
            return;
        }
    }
}

// Works off the early bytes. Never re-entered: a reply given inside on_request comes back to the loop here.
static void conn_process(struct http_conn *conn) {
    if (conn->processing) return;
    conn->processing = true;
    while (conn->in_n && (conn->state == CONN_HEAD || conn->state == CONN_BODY)) {
        struct str rest = str_of(conn->in, conn->in_n);
        advance(conn, &rest);
        if (conn->in_n == 0 || conn->state >= CONN_LINGER) break;
        size_t used = conn->in_n - rest.n;
        if (used == 0) break;
        in_consume(conn, used);
    }
    conn->processing = false;
}

static void rest_idle(struct http_conn *conn) {
    conn->state = CONN_HEAD;
    conn->first_byte_ns = 0;
    conn->stream.tcp.read_hint = FIRST_READ;
    timer_set(&conn->timer, conn->server->options.keepalive_ms);
    stream_read_start(&conn->stream);
}

void conn_reply_done(struct http_conn *conn) {
    if (conn->state == CONN_CLOSED) return;
    bool keep = conn->keep_alive && !conn->server->draining;
    req_free(conn);
    if (!keep) {
        conn_finish(conn);
        return;
    }
    rest_idle(conn);
    conn_process(conn);
}

void conn_watch_write(struct http_conn *conn) {
    conn->unsent_before = tcp_unsent(&conn->stream.tcp);
    timer_set(&conn->timer, conn->server->options.write_ms);
}

// --- events ---

static void on_ready(struct stream *s) {
    struct http_conn *conn = of_stream(s);
    if (str_eq(stream_alpn(s), STR("h2"))) {
        go_http2(conn, STR_NONE);
        return;
    }
    conn->state = CONN_HEAD;
    conn->stream.tcp.read_hint = FIRST_READ;
    timer_set(&conn->timer, conn->server->options.header_ms);
}

static void on_read(struct stream *s, char *p, size_t n) {
    struct http_conn *conn = of_stream(s);
    struct str in = str_of(p, n);
    conn->server->stats.bytes_in += n;
    if (conn->state == CONN_HTTP2) {
        timer_set(&conn->timer, conn->server->options.keepalive_ms);
        http2_feed(conn->h2, in);
        return;
    }
    if (conn->state == CONN_LINGER || conn->state == CONN_CLOSED) return;
    if (conn->in_n == 0) {
        conn->processing = true;
        advance(conn, &in);
        conn->processing = false;
        if (in.n == 0 || conn->state >= CONN_LINGER) return;
    }
    if (!in_append(conn, in)) {
        reject_with(conn, ERR_NO_MEMORY, "there was no memory for the request");
        return;
    }
    if (conn->state == CONN_REPLY && conn->in_n > EARLY_MAX) stream_read_stop(&conn->stream);
    conn_process(conn);
}

static void on_end(struct stream *s, const char *reason) {
    (void)reason; // whatever it was, the client is gone
    conn_gone(of_stream(s));
}

static void on_drained(struct stream *s) {
    struct http_conn *conn = of_stream(s);
    switch ((enum http_conn_state)conn->state) {
    case CONN_REPLY:
        timer_clear(&conn->timer);
        if (conn->req) conn->server->handler.on_drained(conn->req);
        break;
    case CONN_LINGER:
        conn_linger(conn);
        break;
    case CONN_HTTP2:
        timer_set(&conn->timer, conn->server->options.keepalive_ms);
        http2_drained(conn->h2);
        break;
    case CONN_HEAD:
        if (conn->first_byte_ns == 0) timer_set(&conn->timer, conn->server->options.keepalive_ms);
        break;
    case CONN_HANDSHAKE:
    case CONN_BODY:
    case CONN_CLOSED:
        break;
    }
}

static void on_timer(struct timer *timer) {
    struct http_conn *conn = CONTAINER_OF(timer, struct http_conn, timer);
    size_t unsent = tcp_unsent(&conn->stream.tcp);
    bool moving = unsent && unsent != conn->unsent_before;
    switch ((enum http_conn_state)conn->state) {
    case CONN_HEAD:
        if (conn->first_byte_ns)
            reject_with(conn, ERR_REQUEST_TIMEOUT, "the request's head did not arrive in time (timeouts.header)");
        else
            conn_close(conn);
        break;
    case CONN_BODY:
        reject_with(conn, ERR_REQUEST_TIMEOUT, "the request's body stopped arriving (timeouts.body)");
        break;
    case CONN_REPLY:
        if (moving)
            conn_watch_write(conn);
        else if (unsent)
            conn_gone(conn); // a client that does not read is a client that left
        break;
    case CONN_HTTP2:
        if (unsent && !moving)
            conn_gone(conn);
        else if (unsent)
            conn_watch_write(conn);
        else if (http2_idle(conn->h2))
            http2_drain(conn->h2); // GOAWAY, then h2_finish
        else
            timer_set(&conn->timer, conn->server->options.keepalive_ms);
        break;
    case CONN_HANDSHAKE:
    case CONN_LINGER:
    case CONN_CLOSED:
        conn_close(conn);
        break;
    }
}

static const struct stream_ops k_stream_ops = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void on_retry(struct timer *timer) {
    struct http_listener *listener = CONTAINER_OF(timer, struct http_listener, retry);
    if (listener->socket) http_conn_accept(listener, listener->waiting);
}

void http_listener_init(struct http_listener *listener, struct http_server *server) {
    *listener = (struct http_listener){.server = server};
    timer_init(&listener->retry, server->loop, on_retry);
}

void http_conn_accept(struct http_listener *listener, uv_stream_t *waiting) {
    struct http_server *server = listener->server;
    struct http_conn *conn = mem_zalloc(1, sizeof *conn);
    struct err err;
    if (!conn) { // the connection waits in the listener, which takes no other meanwhile: try again soon
        listener->waiting = waiting;
        timer_set(&listener->retry, ACCEPT_RETRY_MS);
        return;
    }
    conn->server = server;
    conn->state = CONN_HANDSHAKE;
    conn->tls = listener->tls != NULL;
    conn->next = server->conns;
    if (server->conns) server->conns->prev = conn;
    server->conns = conn;
    server->stats.accepted++;
    server->stats.open++;
    timer_init(&conn->timer, server->loop, on_timer);
    timer_set(&conn->timer, server->options.header_ms);
    if (!stream_accept(&conn->stream, server->loop, waiting, listener->tls, &k_stream_ops, &err)) {
        conn->state = CONN_CLOSED;
        timer_stop(&conn->timer);
        return;
    }
    char text[64];
    struct str peer = str_head(tcp_peer_text(&conn->stream.tcp, text), sizeof conn->peer);
    memcpy(conn->peer, peer.p, peer.n);
    conn->peer_n = (uint8_t)peer.n;
    if (server->stats.open > server->options.max_connections) {
        server->stats.refused_busy++;
        if (conn->tls)
            conn_close(conn);
        else
            reject_with(conn, ERR_OVERLOADED, "too many connections (limits.max_connections); try again shortly");
    }
}

bool http_conn_is_idle(const struct http_conn *conn) {
    return conn->state == CONN_HEAD && conn->first_byte_ns == 0 && stream_queued(&conn->stream) == 0;
}

void http_conn_drain(struct http_conn *conn) {
    if (conn->state == CONN_HTTP2)
        http2_drain(conn->h2);
    else if (http_conn_is_idle(conn) || conn->state == CONN_HANDSHAKE)
        conn_close(conn);
}

void http_conn_stop(struct http_conn *conn) { conn_gone(conn); }
