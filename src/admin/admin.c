// The control plane's objects, and its face to the HTTP server.
#include "admin/admin.h"

#include "admin/call.h"
#include "admin/webhook.h"
#include "govern/mask.h"
#include "os/rand.h"
#include "store/sql_pool.h"

#define CALL_ARENA_MAX ((size_t)128 << 20)
// Half of the threads that do what blocks are left to the data plane; of what may be had, hashing passwords takes a
// part.
#define WAITING_MAX 1000
#define HEAVY_MAX 2
#define HASHING_MAX 2
#define HASHING_WAIT_MAX 1

bool admin_create(const struct admin_options *options, struct admin **out_admin, struct err *err) {
    struct admin *admin = mem_zalloc(1, sizeof *admin);
    if (!admin) return err_no_memory(err);
    admin->o = *options;
    admin->host = options->host;
    snprintf(admin->boot, sizeof admin->boot, "%08x", (unsigned)(rand_u64() & 0xffffffffu));
    struct webhooks_options w = {.host = options->host, .metrics = options->metrics, .boot = str_c(admin->boot)};
    if (!webhooks_start(&w, &admin->webhooks, err)) {
        mem_free(admin);
        return false;
    }
    const unsigned half = MAX(loop_workers() / 2, 1U);
    const struct share_limits limits = {.running = half, .heavy = MIN(half, HEAVY_MAX), .waiting = WAITING_MAX};
    if (!share_create(&limits, &admin->share, err) || !sql_pool_create(options->host->dir, &admin->pool, err) ||
        !audit_signer_create(options->host->dir, &admin->signer, err) ||
        !password_hasher_create(HASHING_MAX, HASHING_WAIT_MAX, &admin->hasher, err)) {
        admin_free(admin);
        return false;
    }
    const struct admin_host *host = options->host;
    admin->api = (struct api){.dir = host->dir,
                              .signer = admin->signer,
                              .pool = admin->pool,
                              .hasher = admin->hasher,
                              .events = host->events,
                              .notes = host->notes,
                              .log = host->log,
                              .conf = host->conf,
                              .names = host->conf,
                              .budgets = host->budgets,
                              .models = host->models,
                              .targets = host->targets,
                              .ctx = host->ctx};
    *out_admin = admin;
    return true;
}

void admin_free(struct admin *admin) {
    if (!admin) return;
    webhooks_end(admin->webhooks);
    sql_pool_free(admin->pool);
    audit_signer_free(admin->signer);
    password_hasher_free(admin->hasher);
    share_free(admin->share);
    mem_free(admin);
}

// --- a loop's ---

static void on_event(struct event_listener *listener) {
    events_wake(CONTAINER_OF(listener, struct admin_loop, listener));
}

bool admin_loop_create(struct admin *admin, const struct admin_loop_options *options, struct admin_loop **out_al,
                       struct err *err) {
    struct admin_loop *al = mem_zalloc(1, sizeof *al);
    if (!al) return err_no_memory(err);
    al->admin = admin;
    al->loop = options->loop;
    al->o = *options;
    key_seat_init(&al->uses, admin->host->watch);
    al->listener.wake = on_event;
    if (admin->host->events) {
        event_listen(admin->host->events, &al->listener);
        al->listening = true;
    }
    *out_al = al;
    return true;
}

void admin_loop_drain(struct admin_loop *al) {
    al->draining = true;
    events_end(al);
}

bool admin_loop_busy(const struct admin_loop *al) { return al->busy != 0; }

void admin_loop_quiesce(struct admin_loop *al) {
    if (!al || !al->listening) return;
    event_unlisten(al->admin->host->events, &al->listener);
    al->listening = false;
}

void admin_loop_free(struct admin_loop *al) {
    if (!al) return;
    INVARIANT(!al->listening && !al->busy && !al->streams && !al->waiting);
    keyring_unref(al->ring);
    mem_free(al);
}

// --- requests ---

bool admin_takes(struct str path) {
    return str_starts(path, STR("/api/")) || str_eq(path, STR("/api")) || str_eq(path, STR("/docs")) ||
           str_starts(path, STR("/docs/")) || str_eq(path, STR("/.well-known/jwks.json")) ||
           str_eq(path, STR("/branding.json")) || str_eq(path, STR("/branding/logo"));
}

static struct admin_call *call_new(struct admin_loop *al, struct http_req *req) {
    struct admin_call *call = mem_zalloc(1, sizeof *call);
    uint64_t id;
    if (!call) return NULL;
    if (!al->o.next_id(al->o.ctx, &id)) {
        mem_free(call);
        return NULL;
    }
    request_id_text(call->id_text, id);
    call->al = al;
    call->req = req;
    call->status = 200;
    call->version = call->expected = -1;
    arena_init(&call->arena, NULL, 0, CALL_ARENA_MAX);
    buf_init(&call->out, ADMIN_ANSWER_MAX);
    buf_init(&call->name, 512);
    req->user = call;
    return call;
}

static bool refuse_path(struct admin_call *call, struct err *err) {
    const struct http_req *req = call->req;
    char masked[MASK_PATH_MAX];
    struct str path = str_head(mask_path(req->path, masked), 100), near = api_endpoint_near(req->path);
    if (call->allow.n)
        return err_set(err, ERR_METHOD_NOT_ALLOWED, "%.*s takes %.*s, not %.*s", STR_ARG(path), STR_ARG(call->allow),
                       STR_ARG(str_head(req->method_text, 20)));
    return err_set(err, ERR_NOT_FOUND, "there is nothing at %.*s%s%.*s%s", STR_ARG(path),
                   near.n ? "; did you mean " : "", STR_ARG(near), near.n ? "?" : "");
}

static bool check_route(struct admin_call *call, struct err *err) {
    if (!call->api_endpoint) return refuse_path(call, err);
    call->allow = STR_NONE;
    if (call->req->body.n > ADMIN_BODY_MAX)
        return err_set(err, ERR_BODY_TOO_LARGE, "the body is larger than %zu bytes", ADMIN_BODY_MAX);
    return !call->endpoint || admin_query_parse(call, call->req->query, err);
}

static void find_route(struct admin_call *call) {
    const struct http_req *req = call->req;
    call->api_endpoint = api_endpoint_find(req->method, req->path, call->params, &call->arena, &call->allow);
    if (call->api_endpoint) call->endpoint = admin_endpoint_of(call->api_endpoint);
}

void admin_route(struct admin_call *call) {
    struct err err;
    if (!check_route(call, &err))
        admin_fail(call, &err);
    else if (!call->endpoint)
        admin_api(call);
    else if (call->who.principal.kind == PRINCIPAL_OPERATOR && !keyring_host_tenant(call->ring, call->req->host))
        call->endpoint->handle(call);
    else
        admin_api_permit(call);
}

void admin_on_request(struct admin_loop *al, struct http_req *req) {
    struct admin_call *call = call_new(al, req);
    if (call) {
        find_route(call);
        if (call->api_endpoint && call->api_endpoint->flags & API_ANYBODY)
            admin_route(call);
        else
            admin_admit(call);
        return;
    }
    const struct http_field type = {STR("content-type"), STR("application/json")};
    http_reply(req, 503, &type, 1,
               STR("{\"error\":{\"message\":\"there was no memory for the request\",\"type\":\"server_error\","
                   "\"code\":\"out_of_memory\"}}\n"));
}

void admin_on_abort(struct http_req *req) {
    struct admin_call *call = req->user;
    call->req = NULL;
    admin_leave_waiting(call);
    if (call->stream) events_free(call);
    // What has not begun need not.
    (void)admin_work_forget(call);
    if (!call->pending) admin_call_free(call);
}

void admin_on_drained(struct http_req *req) {
    struct admin_call *call = req->user;
    if (call->stream)
        events_drained(call);
    else if (call->pieces)
        pieces_drained(call);
}
