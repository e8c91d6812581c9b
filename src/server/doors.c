// Where a request goes: /api/ to the control plane, but for what is Ollama's; all else to the data plane.
#include "server/server_internal.h"

#include "net/forwarded.h"

static struct server_loop *loop_of(struct http_req *req) { return http_server_ctx(req->server); }

static bool to_admin(struct str path) { return admin_takes(path) && !gateway_takes(path); }

static void on_request(struct http_req *req) {
    struct server_loop *sl = loop_of(req);
    forwarded_apply(req, &sl->gl->runtime->conf->server.proxies);
    if (to_admin(req->path))
        admin_on_request(sl->al, req);
    else
        gateway_on_request(sl->gl, req);
}

static void on_abort(struct http_req *req) {
    if (to_admin(req->path))
        admin_on_abort(req);
    else
        gateway_on_abort(req);
}

static void on_drained(struct http_req *req) {
    if (to_admin(req->path))
        admin_on_drained(req);
    else
        gateway_on_drained(req);
}

static void on_reject(void *ctx, const struct err *err, struct str peer, struct arena *arena, struct buf *out_body,
                      struct http_field *out_fields, size_t *io_count) {
    struct server_loop *sl = ctx;
    gateway_on_reject(sl->gl, err, peer, arena, out_body, out_fields, io_count);
}

static size_t max_body(void *ctx, enum http_method method, struct str path) {
    const struct server_loop *sl = ctx;
    return gateway_max_body(sl->gl, method, path);
}

struct http_handler doors_handler(struct server_loop *sl) {
    return (struct http_handler){.ctx = sl,
                                 .on_request = on_request,
                                 .max_body = max_body,
                                 .on_abort = on_abort,
                                 .on_drained = on_drained,
                                 .on_reject = on_reject};
}

static bool next_id(void *ctx, uint64_t *out_id) {
    struct server_loop *sl = ctx;
    return request_ids_next(&sl->gl->ids, out_id);
}

bool doors_create(struct server_loop *sl, struct err *err) {
    struct admin_loop_options o = {.loop = sl->loop, .next_id = next_id, .ctx = sl};
    return admin_loop_create(sl->server->admin, &o, &sl->al, err);
}
