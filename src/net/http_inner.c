// Collects the replies to the process's own requests, or gives them out.
#include "net/http_inner.h"

#include "os/clock.h"

#define ARENA_BLOCK ((size_t)4096 - 16)

static struct http_inner *of_req(struct http_req *req) { return CONTAINER_OF(req, struct http_inner, req); }

static void end(struct http_inner *inner, bool whole) {
    inner->whole = whole && !inner->body.failed;
    inner->done(inner);
    http_inner_free(inner);
}

static struct str kept(struct http_inner *inner, const struct http_field *fields, size_t count, struct str name) {
    struct str value = arena_str(&inner->req.arena, http_field_get(fields, count, name));
    return value.p ? value : STR("");
}

static void reply_head(struct http_req *req, int status, const struct http_field *fields, size_t count,
                       uint64_t length) {
    struct http_inner *inner = of_req(req);
    (void)length;
    inner->status = status;
    inner->request_id = kept(inner, fields, count, STR("x-request-id"));
    inner->retry_after = kept(inner, fields, count, STR("retry-after"));
    if (inner->sink) inner->sink->head(inner, status, fields, count);
}

static size_t reply_data(struct http_req *req, const struct str *parts, size_t count, bool last) {
    struct http_inner *inner = of_req(req);
    size_t queued = 0;
    if (inner->sink)
        queued = inner->sink->data(inner, parts, count, last);
    else
        for (size_t i = 0; i < count; i++) buf_put(&inner->body, parts[i]);
    if (last) end(inner, true);
    return queued;
}

static void reply_flush(struct http_req *req) { (void)req; }

static void reply_abort(struct http_req *req) { end(of_req(req), false); }

static const struct http_reply_ops k_ops = {
    .head = reply_head, .data = reply_data, .flush = reply_flush, .abort = reply_abort};

struct http_inner *http_inner_create(const struct http_inner_options *o) {
    struct arena arena;
    arena_init(&arena, loop_pool(o->loop), ARENA_BLOCK, HTTP_BESIDE_BODY_MAX);
    struct http_inner *inner = ARENA_NEW(&arena, struct http_inner);
    struct http_field *fields = inner ? arena_alloc(&arena, (o->field_count + 1) * sizeof *fields) : NULL;
    struct str path = fields ? arena_str(&arena, o->path) : STR_NONE, peer = arena_str(&arena, o->peer);
    size_t count = 0;
    if (!path.p || !peer.p) {
        arena_free(&arena);
        return NULL;
    }
    if (o->content_type.n)
        fields[count++] = (struct http_field){STR("content-type"), arena_str(&arena, o->content_type)};
    for (size_t i = 0; i < o->field_count; i++) fields[count++] = o->fields[i];
    inner->sink = o->sink;
    inner->done = o->done;
    inner->user = o->user;
    buf_init(&inner->body, o->max_reply);
    inner->req = (struct http_req){.ops = &k_ops,
                                   .loop = o->loop,
                                   .method = o->method,
                                   .method_text = http_method_text(o->method),
                                   .target = path,
                                   .path = path,
                                   .query = o->query.p ? o->query : STR(""),
                                   .host = STR(""),
                                   .fields = fields,
                                   .field_count = count,
                                   .body = o->body,
                                   .peer = peer,
                                   .protocol = "inner",
                                   .start_ns = clock_mono_ns()};
    inner->request_id = inner->retry_after = STR("");
    inner->req.arena = arena;
    return inner;
}

void http_inner_free(struct http_inner *inner) {
    buf_free(&inner->body);
    struct arena arena = inner->req.arena; // it lives in its own arena
    arena_free(&arena);
}
