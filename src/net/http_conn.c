// A client connection from accept to close: its states, its timer, and who reads from it.
//
// HANDSHAKE → HEAD → (BODY) → REPLY → HEAD … → LINGER → CLOSED, or HTTP2. Requests are read by http1_request.c or
// http2.c.
#include "net/http_server_internal.h"

#include "base/mem.h"
#include "net/http2.h"
#include "os/clock.h"

#define LINGER_MS 1000
#define ACCEPT_RETRY_MS 50
#define FIRST_READ ((size_t)32 * 1024)

static struct http_conn *of_stream(struct stream *s) { return CONTAINER_OF(s, struct http_conn, stream); }

// --- the end of a connection ---

void conn_req_free(struct http_conn *conn) {
    if (!conn->req) return;
    struct arena arena = conn->req->arena; // the request lives in its own arena
    stream_read_into(&conn->stream, NULL, 0);
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
    conn_req_free(conn);
}

void conn_abort(struct http_conn *conn) {
    if (conn->state == CONN_CLOSED) return;
    conn->state = CONN_CLOSED;
    timer_stop(&conn->timer);
    stream_reset(&conn->stream);
    conn_req_free(conn);
}

static void conn_linger(struct http_conn *conn) {
    conn->state = CONN_LINGER;
    http1_early_free(conn);
    stream_shutdown(&conn->stream);
    stream_read_into(&conn->stream, NULL, 0);
    stream_read_start(&conn->stream);
    timer_set(&conn->timer, LINGER_MS);
}

// All was handed over; once it has been sent, say goodbye in a way that lets the client read it.
static void conn_finish(struct http_conn *conn) {
    if (stream_queued(&conn->stream) == 0) {
        conn_linger(conn);
        return;
    }
    conn->state = CONN_LINGER; // on_drained goes on from here
    conn_watch_write(conn);
}

static void on_closed(struct stream *s) {
    struct http_conn *conn = of_stream(s);
    struct http_server *server = conn->server;
    if (conn->state != CONN_CLOSED) conn_gone(conn); // closed below us: out of memory while writing
    timer_stop(&conn->timer);
    conn_req_free(conn);
    http1_early_free(conn);
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
    conn_req_free(conn);
    if (conn->state != CONN_CLOSED) conn_finish(conn);
}

void conn_reject_with(struct http_conn *conn, enum err_code code, const char *why) {
    struct err err;
    err_set(&err, code, "%s", why);
    conn_reject(conn, &err);
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

void conn_go_http2(struct http_conn *conn, struct str in) {
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

static void rest_idle(struct http_conn *conn) {
    conn->state = CONN_HEAD;
    conn->first_byte_ns = 0;
    conn->stream.tcp.read_hint = FIRST_READ;
    if (stream_queued(&conn->stream))
        conn_watch_write(conn);
    else
        timer_set(&conn->timer, conn->server->options.keepalive_ms);
    stream_read_start(&conn->stream);
}

void conn_reply_done(struct http_conn *conn) {
    if (conn->state == CONN_CLOSED) return;
    bool keep = conn->keep_alive && !conn->server->draining;
    conn_req_free(conn);
    if (!keep) {
        conn_finish(conn);
        return;
    }
    rest_idle(conn);
    http1_next(conn);
}

void conn_watch_write(struct http_conn *conn) { timer_set(&conn->timer, conn->server->options.write_ms); }

// --- events ---

static void on_ready(struct stream *s) {
    struct http_conn *conn = of_stream(s);
    if (str_eq(stream_alpn(s), STR("h2"))) {
        conn_go_http2(conn, STR_NONE);
        return;
    }
    conn->state = CONN_HEAD;
    conn->stream.tcp.read_hint = FIRST_READ;
    timer_set(&conn->timer, conn->server->options.header_ms);
}

static void on_read(struct stream *s, char *p, size_t n) {
    struct http_conn *conn = of_stream(s);
    conn->server->stats.bytes_in += n;
    if (conn->state == CONN_HTTP2) {
        timer_set(&conn->timer, conn->server->options.keepalive_ms);
        http2_feed(conn->h2, str_of(p, n));
    } else if (conn->state != CONN_LINGER && conn->state != CONN_CLOSED) {
        http1_take(conn, str_of(p, n));
    }
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
        stream_read_start(&conn->stream);
        http1_next(conn);
        if (conn->server->draining && http_conn_is_idle(conn)) conn_linger(conn);
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
    // Not by what is unsent: the kernel asks for more in large steps only, a slow reader takes long for one.
    uint64_t acked = unsent ? tcp_bytes_acked(&conn->stream.tcp) : 0;
    bool moving = unsent && acked != conn->acked_before;
    conn->acked_before = acked;
    bool said_all = conn->state == CONN_LINGER || (conn->state == CONN_HEAD && conn->first_byte_ns == 0);
    if (moving && said_all) { // a slow reader is not an idle client
        conn_watch_write(conn);
        return;
    }
    switch ((enum http_conn_state)conn->state) {
    case CONN_HEAD:
        if (conn->first_byte_ns)
            conn_reject_with(conn, ERR_REQUEST_TIMEOUT, "the request's head did not arrive in time (timeouts.header)");
        else
            conn_close(conn);
        break;
    case CONN_BODY:
        conn_reject_with(conn, ERR_REQUEST_TIMEOUT, "the request's body stopped arriving (timeouts.body)");
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
    http_conn_accept(listener);
}

void http_listener_init(struct http_listener *listener, struct http_server *server, unsigned id) {
    *listener = (struct http_listener){.server = server, .id = id};
    timer_init(&listener->retry, server->loop, on_retry);
}

void http_conn_accept(struct http_listener *listener) {
    struct http_server *server = listener->server;
    struct http_conn *conn = mem_zalloc(1, sizeof *conn);
    struct err err;
    if (!conn) { // the connection waits in the listener, which takes no other meanwhile: try again soon
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
    if (!stream_accept(&conn->stream, server->loop, listener->socket, listener->tls, &k_stream_ops, &err)) {
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
            conn_reject_with(conn, ERR_OVERLOADED, "too many connections (limits.max_connections); try again shortly");
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
