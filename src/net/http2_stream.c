// One HTTP/2 stream's request: its head and body within the limits, then over to the handler.
#include "net/http2_internal.h"

#include "base/mem.h"
#include "os/clock.h"

#define ARENA_BLOCK ((size_t)4096 - 16)
#define REJECT_BODY_MAX ((size_t)64 * 1024)
#define BODY_FIRST ((size_t)64 * 1024) // taken at once on the word of content-length
#define BODIES_MIN ((size_t)16 << 20)
#define BODIES_LARGEST 4 // or so many of the largest, whichever is more
#define FIELDS_FIRST 16
#define FIELD_OVERHEAD 32 // RFC 9113, 6.5.2: how SETTINGS_MAX_HEADER_LIST_SIZE counts

struct http2_stream *http2_stream_new(struct http2 *h2, int32_t id) {
    const struct http_server *server = h2->server;
    struct arena arena;
    arena_init(&arena, loop_pool(server->loop), ARENA_BLOCK, 2 * server->options.max_head + HTTP_BESIDE_BODY_MAX);
    struct http2_stream *s = ARENA_NEW(&arena, struct http2_stream);
    if (!s) return NULL;
    s->h2 = h2;
    s->id = id;
    s->content_length = HTTP_LENGTH_UNKNOWN;
    buf_init(&s->body, server->options.max_body);
    buf_init(&s->out, SIZE_MAX / 4); // bounded by the handler, which is told how much waits
    s->progress_ms = loop_now_ms(server->loop);
    s->req = (struct http_req){.ops = &http2_reply_ops,
                               .server = h2->server,
                               .loop = server->loop,
                               .arena = arena,
                               .peer = h2->link.peer,
                               .protocol = "HTTP/2",
                               .tls = h2->link.tls,
                               .start_ns = clock_mono_ns()};
    s->next = h2->streams;
    if (s->next) s->next->prev = s;
    h2->streams = s;
    h2->stream_count++;
    return s;
}

static void body_free(struct http2_stream *s) {
    s->h2->body_bytes -= s->body.n;
    buf_free(&s->body);
}

void http2_stream_free(struct http2_stream *s) {
    struct http2 *h2 = s->h2;
    if (s->prev)
        s->prev->next = s->next;
    else
        h2->streams = s->next;
    if (s->next) s->next->prev = s->prev;
    h2->stream_count--;
    body_free(s);
    buf_free(&s->out);
    struct arena arena = s->req.arena; // the stream lives in it
    arena_free(&arena);
}

// The first fault counts; it is told when the head is complete, since only then an answer may go out.
static void blame(struct http2_stream *s, enum err_code code, const char *why) {
    if (s->fault) return;
    s->fault = ARENA_NEW(&s->req.arena, struct err);
    if (s->fault)
        err_set(s->fault, code, "%s", why);
    else
        http2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
}

static bool fields_grow(struct http2_stream *s) {
    size_t cap = s->field_cap ? s->field_cap * 2 : FIELDS_FIRST;
    struct http_field *fields = arena_alloc(&s->req.arena, cap * sizeof *fields);
    if (!fields) return false;
    if (s->req.field_count) memcpy(fields, s->req.fields, s->req.field_count * sizeof *fields);
    s->req.fields = fields;
    s->field_cap = cap;
    return true;
}

// Returns where a pseudo-header's value is kept; NULL for one that is checked by libnghttp2 and not needed here.
static struct str *pseudo_slot(struct http2_stream *s, struct str name) {
    if (str_eq(name, STR(":method"))) return &s->req.method_text;
    if (str_eq(name, STR(":path"))) return &s->req.target;
    if (str_eq(name, STR(":authority"))) return &s->req.host;
    return NULL;
}

// Fields whose value matters before the handler sees them.
static void note_field(struct http2_stream *s, struct str name, struct str value) {
    if (str_eq(name, STR("content-length"))) {
        if (!str_to_u64(value, &s->content_length)) blame(s, ERR_INVALID_HTTP, "content-length is not a number");
    } else if (str_eq(name, STR("expect"))) {
        s->expect_continue = str_eq_nocase(value, STR("100-continue"));
    } else if (str_eq(name, STR("cookie"))) {
        s->cookies++;
    }
}

static bool within_limits(struct http2_stream *s, struct str name, struct str value) {
    const struct http_server_options *o = &s->h2->server->options;
    s->head_bytes += name.n + value.n + FIELD_OVERHEAD;
    if (s->fault) return false;
    if (s->head_bytes > o->max_head)
        blame(s, ERR_HEADERS_TOO_LARGE, "the header section is too large");
    else if (str_eq(name, STR(":path")) && value.n > o->max_target)
        blame(s, ERR_URI_TOO_LONG, "the request target is too long");
    else if (s->req.field_count >= MIN(o->max_fields, HTTP1_FIELDS_MAX) && name.p[0] != ':')
        blame(s, ERR_HEADERS_TOO_LARGE, "too many header fields");
    return !s->fault;
}

bool http2_stream_field(struct http2_stream *s, struct str name, struct str value) {
    if (s->phase != HTTP2_HEAD || name.n == 0 || !within_limits(s, name, value)) return true;
    struct arena *arena = &s->req.arena;
    struct str kept = arena_str(arena, value);
    if (!kept.p) return false;
    if (name.p[0] == ':') {
        struct str *slot = pseudo_slot(s, name);
        if (slot) *slot = kept;
        return true;
    }
    struct str kept_name = arena_str(arena, name);
    if (!kept_name.p || (s->req.field_count == s->field_cap && !fields_grow(s))) return false;
    struct http_field *fields = (struct http_field *)(uintptr_t)s->req.fields; // our own array
    fields[s->req.field_count++] = (struct http_field){kept_name, kept};
    note_field(s, kept_name, kept);
    return true;
}

// Clients split the cookie field to compress it better (RFC 9113, 8.2.3): put together again as the first of them.
static bool join_cookies(struct http2_stream *s) {
    struct http_field *fields = (struct http_field *)(uintptr_t)s->req.fields, *first = NULL;
    char *joined = arena_alloc(&s->req.arena, s->head_bytes), *p = joined;
    if (!joined) return false;
    size_t kept = 0;
    for (size_t i = 0; i < s->req.field_count; i++) {
        bool cookie = str_eq(fields[i].name, STR("cookie"));
        if (cookie) {
            if (first) *p++ = ';', *p++ = ' ';
            if (fields[i].value.n) memcpy(p, fields[i].value.p, fields[i].value.n);
            p += fields[i].value.n;
        }
        if (cookie && first) continue;
        fields[kept] = fields[i];
        if (cookie) first = &fields[kept];
        kept++;
    }
    first->value = str_of(joined, (size_t)(p - joined));
    s->req.field_count = kept;
    return true;
}

static void check_host(struct http2_stream *s) {
    struct str host = http_field_get(s->req.fields, s->req.field_count, STR("host"));
    if (!s->req.host.p)
        s->req.host = host;
    else if (host.p && !str_eq_nocase(host, s->req.host))
        blame(s, ERR_INVALID_HTTP, "host and :authority differ");
}

static void check_length(struct http2_stream *s) {
    size_t max = s->body.max = http_server_max_body(s->h2->server, s->req.method, s->req.target);
    if (s->fault || s->content_length == HTTP_LENGTH_UNKNOWN || s->content_length <= max) return;
    s->fault = ARENA_NEW(&s->req.arena, struct err);
    if (s->fault)
        err_set(s->fault, ERR_BODY_TOO_LARGE, "the body is %llu bytes; the limit is %zu (limits.max_body)",
                (unsigned long long)s->content_length, max);
    else
        http2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
}

static void say_continue(struct http2_stream *s) {
    static const uint8_t k_name[] = ":status", k_value[] = "100";
    const nghttp2_nv nv = {.name = (uint8_t *)(uintptr_t)k_name,
                           .value = (uint8_t *)(uintptr_t)k_value,
                           .namelen = sizeof k_name - 1,
                           .valuelen = sizeof k_value - 1};
    nghttp2_submit_headers(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NULL, &nv, 1, NULL);
}

void http2_stream_head(struct http2_stream *s, bool ended) {
    if (s->phase != HTTP2_HEAD) return;
    struct http_req *req = &s->req;
    req->method = http_method_parse(req->method_text);
    check_host(s);
    check_length(s);
    if (s->phase != HTTP2_HEAD) return; // reset meanwhile, for want of memory
    s->phase = HTTP2_BODY;
    if (s->fault) {
        http2_stream_reject(s, s->fault);
        return;
    }
    if (s->cookies > 1 && !join_cookies(s)) {
        http2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    if (!req->target.p) req->target = STR(""); // CONNECT has none
    http_target_split(req->target, &req->path, &req->query);
    if (ended)
        http2_stream_complete(s);
    else if (s->expect_continue)
        say_continue(s);
}

static void reject_with(struct http2_stream *s, enum err_code code, const char *why) {
    struct err err;
    err_set(&err, code, "%s", why);
    http2_stream_reject(s, &err);
}

void http2_stream_data(struct http2_stream *s, struct str data) {
    struct http2 *h2 = s->h2;
    if (s->phase != HTTP2_BODY || data.n == 0) return; // the rest of a body that was rejected
    size_t max = s->body.max;
    if (data.n > max || s->body.n > max - data.n) {
        reject_with(s, ERR_BODY_TOO_LARGE, "the body is larger than the limit (limits.max_body)");
        return;
    }
    // One connection may not hold more than a few of the largest bodies, however many streams it has.
    if (h2->body_bytes > BODIES_MIN && h2->body_bytes / BODIES_LARGEST > max) {
        reject_with(s, ERR_OVERLOADED, "the bodies of this connection's open requests are too large together");
        return;
    }
    if (s->body.n == 0 && s->content_length != HTTP_LENGTH_UNKNOWN)
        (void)buf_reserve(&s->body, MIN((size_t)s->content_length, BODY_FIRST));
    buf_put(&s->body, data);
    if (s->body.failed) {
        reject_with(s, ERR_NO_MEMORY, "there was no memory for the request");
        return;
    }
    h2->body_bytes += data.n;
    s->progress_ms = loop_now_ms(h2->server->loop);
}

void http2_stream_complete(struct http2_stream *s) {
    if (s->phase != HTTP2_BODY) return;
    s->phase = HTTP2_READY;
    s->req.body = buf_str(&s->body);
    http2_event(s);
}

void http2_stream_dispatch(struct http2_stream *s) {
    s->phase = HTTP2_HANDLED;
    s->h2->server->stats.requests++;
    s->h2->server->handler.on_request(&s->req);
}

void http2_stream_abort(struct http2_stream *s) {
    if (s->phase != HTTP2_HANDLED) return;
    s->phase = HTTP2_DONE;
    s->h2->server->handler.on_abort(&s->req);
}

void http2_stream_closed(struct http2_stream *s, bool clean) {
    struct http2 *h2 = s->h2;
    s->closed = true;
    bool wasted = !clean && !s->ours && !s->lingering;
    if (!wasted && h2->wasted.left < h2->wasted.burst) h2->wasted.left++;
    if (s->phase == HTTP2_HANDLED && h2->replying)
        http2_later(h2); // the handler is on the stack: it hears of it from the loop
    else
        http2_stream_abort(s);
    http2_event(s);
    if (wasted) (void)http2_spend(h2, &h2->wasted);
}

void http2_stream_reset(struct http2_stream *s, uint32_t code) {
    if (s->phase != HTTP2_HANDLED) s->phase = HTTP2_DONE;
    s->ours = true;
    if (!s->closed) nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, code);
}

void http2_stream_reject(struct http2_stream *s, const struct err *err) {
    struct http_server *server = s->h2->server;
    struct http_req *req = &s->req;
    struct http_field fields[HTTP_REJECT_FIELDS_MAX];
    struct buf body = BUF_INIT(REJECT_BODY_MAX);
    size_t count = 0;
    server->stats.rejected++;
    body_free(s);
    server->handler.on_reject(server->handler.ctx, err, req->peer, &req->arena, &body, fields, &count);
    struct str text = buf_str(&body);
    s->phase = HTTP2_DONE;
    http2_reply_ops.head(req, err->status, fields, count, text.n);
    http2_reply_ops.data(req, &text, 1, true);
    buf_free(&body);
}
