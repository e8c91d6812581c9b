// Reads HTTP/1.1 requests off a connection one after the other, each when head and body are complete.
//
// Early bytes (pipelining) wait in conn->in until the reply before them has ended.
#include "net/http_server_internal.h"

#include "os/clock.h"

#define EARLY_MAX ((size_t)16 * 1024)   // of early bytes before reading stops
#define UNREAD_MAX ((size_t)256 * 1024) // of replies not read by the client before it may ask for more
#define IN_MIN ((size_t)2048)

// --- the bytes that wait ---

void http1_early_free(struct http_conn *conn) {
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
        http1_early_free(conn);
    else
        memmove(conn->in, conn->in + n, conn->in_n);
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
static struct http_req *req_new(struct http_conn *conn, const struct http1_head *head, const char *text,
                                size_t max_body) {
    const struct http_server *server = conn->server;
    struct arena arena;
    arena_init(&arena, loop_pool(server->loop), 4096 - 16, max_body + server->options.max_head + HTTP_BESIDE_BODY_MAX);
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
static void body_start(struct http_conn *conn, const struct http1_head *head, size_t max_body) {
    if (head->framing == HTTP1_CHUNKED) {
        http1_chunked_init(&conn->chunked);
        buf_init(&conn->chunked_body, max_body);
        return;
    }
    char *body = arena_alloc(&conn->req->arena, (size_t)head->content_length);
    conn->body_n = 0;
    conn->req->body = str_of(body, body ? (size_t)head->content_length : 0);
}

static bool head_done(struct http_conn *conn, const struct http1_head *head, const char *text) {
    size_t max_body = http_server_max_body(conn->server, head->method, origin_form(head->target));
    if (head->framing == HTTP1_LENGTH && head->content_length > max_body) {
        struct err err;
        err_set(&err, ERR_BODY_TOO_LARGE, "the body is %llu bytes; the limit is %zu (limits.max_body)",
                (unsigned long long)head->content_length, max_body);
        conn_reject(conn, &err);
        return false;
    }
    conn->req = req_new(conn, head, text, max_body);
    conn->keep_alive = head->keep_alive;
    conn->http10 = head->minor == 0;
    if (conn->req && head->framing != HTTP1_NO_BODY) body_start(conn, head, max_body);
    if (!conn->req || (head->framing == HTTP1_LENGTH && !conn->req->body.p)) {
        conn_reject_with(conn, ERR_NO_MEMORY, "there was no memory for the request");
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
        conn_reject_with(conn, ERR_BODY_TOO_LARGE, "the body is larger than the limit (limits.max_body)");
    } else if (r == HTTP1_BAD) {
        conn_reject_with(conn, ERR_INVALID_HTTP, "the chunked body is malformed");
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
        conn_go_http2(conn, all);
        return true;
    }
    const char *text = in->p;
    *in = str_from(*in, head.size);
    return head_done(conn, &head, text);
}

// A client that asks and asks without reading the replies must not fill our memory.
static bool must_read_first(const struct http_conn *conn) {
    return conn->state == CONN_HEAD && stream_queued(&conn->stream) > UNREAD_MAX;
}

// Moves on as far as *in goes; what is left must be kept.
static void advance(struct http_conn *conn, struct str *in) {
    while (in->n) {
        if (must_read_first(conn)) return;
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
void http1_next(struct http_conn *conn) {
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

void http1_take(struct http_conn *conn, struct str in) {
    if (conn->in_n == 0) {
        conn->processing = true;
        advance(conn, &in);
        conn->processing = false;
        if (in.n == 0 || conn->state >= CONN_LINGER) return;
    }
    if (!in_append(conn, in)) {
        if (conn->state == CONN_REPLY)
            http_conn_stop(conn); // the handler has the request before this one
        else
            conn_reject_with(conn, ERR_NO_MEMORY, "there was no memory for the request");
        return;
    }
    http1_next(conn);
    bool busy = conn->state == CONN_REPLY && conn->in_n > EARLY_MAX;
    if (busy || must_read_first(conn)) stream_read_stop(&conn->stream);
}
