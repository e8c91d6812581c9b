// Carries requests from HTTP to the core of the API and its answers back.
#include "admin/call.h"

bool admin_api_answers(const struct admin_call *call) {
    return call->api_endpoint && !(call->api_endpoint->flags & API_STREAM);
}

// A field's text, kept for the worker.
static struct str keep(struct admin_call *call, struct str text) { return arena_str(&call->arena, text); }
static struct str field(struct admin_call *call, struct str name) {
    return keep(call, http_field_get(call->req->fields, call->req->field_count, name));
}

static bool fill_request(struct admin_call *call, bool with_body, struct err *err) {
    const struct http_req *req = call->req;
    struct api_request *r = &call->request;
    *r = (struct api_request){
        .method = req->method,
        .path = keep(call, req->path),
        .query = keep(call, req->query),
        .body = with_body ? keep(call, req->body) : STR(""),
        .if_match = field(call, STR("if-match")),
        .idempotency_key = field(call, STR("idempotency-key")),
        .tenant = field(call, STR("x-penstock-tenant")),
        .request_id = str_of(call->id_text, REQUEST_ID_TEXT_LEN),
        .who = &call->who,
        .within = call->within,
        .key_team = call->key_team,
        .key_project = call->key_project,
    };
    bool ok = r->path.p && r->query.p && r->body.p && r->if_match.p && r->idempotency_key.p && r->tenant.p;
    return (ok && admin_credential(call)) || err_no_memory(err);
}

static bool run(struct admin_call *call, struct err *err) {
    struct api_reply reply;
    api_execute(&call->al->admin->api, &call->request, &reply);
    call->status = reply.status;
    call->version = reply.version;
    call->replayed = reply.replayed;
    call->retry_s = reply.status >= 400 ? reply.err.retry_s : 0;
    call->type = keep(call, reply.type);
    call->location = keep(call, reply.location);
    call->allow = keep(call, reply.allow);
    call->cookie = keep(call, reply.cookie);
    call->pieces = reply.pieces;
    reply.pieces = NULL;
    buf_free(&call->out);
    call->out = reply.body;
    buf_init(&reply.body, 0);
    api_reply_free(&reply);
    return (call->type.p && call->location.p && call->allow.p && call->cookie.p) || err_no_memory(err);
}

void admin_api(struct admin_call *call) {
    struct err err;
    if (fill_request(call, true, &err))
        admin_work(call, run);
    else
        admin_fail(call, &err);
}

// --- endpoints that HTTP answers itself ---

static void permit_run(struct share_work *work) {
    struct admin_call *call = CONTAINER_OF(work, struct admin_call, work);
    call->ok = api_permit(&call->al->admin->api, &call->request, &call->err);
}

static void permit_done(struct share_work *work) {
    struct admin_call *call = CONTAINER_OF(work, struct admin_call, work);
    if (!admin_resume(call)) return;
    if (call->ok && !call->actor.n) call->actor = buf_str(&call->name);
    if (call->ok)
        call->endpoint->handle(call);
    else
        admin_fail(call, &call->err);
}

void admin_api_permit(struct admin_call *call) {
    struct err err;
    if (!fill_request(call, false, &err) || !admin_work_begin(call, permit_run, permit_done, &err))
        admin_fail(call, &err);
}
