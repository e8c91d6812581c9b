// Replies over HTTP/1.1: heads, chunked or counted bodies, keep-alive or close.
#include "net/http_server_internal.h"

#define PIECES_MAX 16

static struct http_conn *conn_of(struct http_req *req) { return CONTAINER_OF(req, struct http1_req, req)->conn; }

static char *put(char *p, struct str s) {
    if (s.n) memcpy(p, s.p, s.n);
    return p + s.n;
}

struct str http1_head_text(struct http_server *server, struct arena *arena, int status, const struct http_field *fields,
                           size_t count, struct str framing) {
    struct str date = http_server_date(server), reason = str_c(http_status_text(status));
    size_t n = sizeof "HTTP/1.1 200 \r\n\r\n" + reason.n + date.n + framing.n;
    for (size_t i = 0; i < count; i++) n += fields[i].name.n + fields[i].value.n + 4;
    char *text = arena_alloc(arena, n), *p = text;
    if (!text) return STR_NONE;
    p = put(p, STR("HTTP/1.1 "));
    *p++ = (char)('0' + status / 100 % 10);
    *p++ = (char)('0' + status / 10 % 10);
    *p++ = (char)('0' + status % 10);
    *p++ = ' ';
    p = put(p, reason);
    p = put(p, STR("\r\n"));
    p = put(p, date);
    for (size_t i = 0; i < count; i++) {
        p = put(p, fields[i].name);
        p = put(p, STR(": "));
        p = put(p, fields[i].value);
        p = put(p, STR("\r\n"));
    }
    p = put(p, framing);
    p = put(p, STR("\r\n"));
    return str_of(text, (size_t)(p - text));
}

// The field lines that say where the body ends and whether the connection lives on.
static struct str framing_lines(struct http_conn *conn, int status, uint64_t length, char out[96]) {
    char *p = out;
    if (conn->reply_chunked) {
        p = put(p, STR("transfer-encoding: chunked\r\n"));
    } else if (length != HTTP_LENGTH_UNKNOWN && status != 204) {
        p = put(p, STR("content-length: "));
        p += fmt_u64(p, length);
        p = put(p, STR("\r\n"));
    }
    if (!conn->keep_alive)
        p = put(p, STR("connection: close\r\n"));
    else if (conn->http10)
        p = put(p, STR("connection: keep-alive\r\n"));
    return str_of(out, (size_t)(p - out));
}

static void reply_head(struct http_req *req, int status, const struct http_field *fields, size_t count,
                       uint64_t length) {
    struct http_conn *conn = conn_of(req);
    char framing[96];
    bool unknown = length == HTTP_LENGTH_UNKNOWN;
    conn->reply_bodyless = req->method == HTTP_HEAD || status == 204 || status == 304;
    conn->reply_chunked = unknown && !conn->http10 && status != 204 && status != 304;
    if ((unknown && conn->http10) || conn->server->draining) conn->keep_alive = false;
    conn->held_head =
        http1_head_text(conn->server, &req->arena, status, fields, count, framing_lines(conn, status, length, framing));
    if (!conn->held_head.p) stream_reset(&conn->stream);
}

static size_t hex_line(char out[20], size_t n) {
    unsigned digits = (67 - (unsigned)__builtin_clzll(n | 1)) / 4;
    for (unsigned i = digits; i--; n >>= 4) out[i] = "0123456789abcdef"[n & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}

static size_t reply_data(struct http_req *req, const struct str *parts, size_t count, bool last) {
    struct http_conn *conn = conn_of(req);
    struct str pieces[PIECES_MAX];
    char size_line[20];
    size_t n = 0, total = 0;
    INVARIANT(count <= PIECES_MAX - 4);
    for (size_t i = 0; i < count; i++) total += parts[i].n;
    if (conn->held_head.n) pieces[n++] = conn->held_head;
    if (total && !conn->reply_bodyless) {
        if (conn->reply_chunked) pieces[n++] = str_of(size_line, hex_line(size_line, total));
        for (size_t i = 0; i < count; i++) pieces[n++] = parts[i];
    }
    bool data = total && !conn->reply_bodyless;
    if (conn->reply_chunked && !conn->reply_bodyless) {
        if (data && last)
            pieces[n++] = STR("\r\n0\r\n\r\n");
        else if (data)
            pieces[n++] = STR("\r\n");
        else if (last)
            pieces[n++] = STR("0\r\n\r\n");
    }
    conn->held_head = STR_NONE;
    for (size_t i = 0; i < n; i++) conn->server->stats.bytes_out += pieces[i].n;
    size_t queued = n ? stream_write(&conn->stream, pieces, n) : stream_queued(&conn->stream);
    if (queued) conn_watch_write(conn);
    if (last) conn_reply_done(conn);
    return queued;
}

static void reply_flush(struct http_req *req) {
    if (conn_of(req)->held_head.n) reply_data(req, NULL, 0, false);
}

// A counted or chunked body that ends early is the sign of an incomplete answer; a reset makes it plain.
static void reply_abort(struct http_req *req) {
    struct http_conn *conn = conn_of(req);
    conn->keep_alive = false;
    reply_flush(req);
    conn_abort(conn);
}

const struct http_reply_ops http1_reply_ops = {
    .head = reply_head,
    .data = reply_data,
    .flush = reply_flush,
    .abort = reply_abort,
};

void http_reply(struct http_req *req, int status, const struct http_field *fields, size_t count, struct str body) {
    http_reply_head(req, status, fields, count, body.n);
    http_reply_data(req, &body, 1, true);
}
