// Where a request would go, and why.
#include "gateway/explain.h"

#include "base/mem.h"
#include "gateway/chain.h"
#include "gateway/need.h"
#include "gateway/pipeline.h"
#include "gateway/translation.h"
#include "os/clock.h"
#include "os/rand.h"
#include "route/explain.h"

#define ARENA_EACH 32 // bytes of arena for each of the body
#define ARENA_LEAST ((size_t)16 << 20)

// Conditions are of those who configured them; what goes on at a target is of all who ask it together, and the
// operator's.
static bool is_open(const struct call *call) {
    return call_is_operators(call) || (call->route.routed && call_owns(call, call->route.routed));
}

static bool resolve(struct call *call, const struct route_ask *ask, struct route_trace *trace, struct err *err) {
    const struct route_model *m = route_model_find(call->runtime->routes, call->tenant, call->request.model);
    if (!m || !m->conf->chain.n) return route_resolve(ask, call->request.model, &call->route, trace, err);
    trace->count = trace->kept = 0;
    return chain_route(call, m->conf, err);
}

// Nothing serves it, which is an answer; else there is no such model, or no memory.
static bool is_answer(const struct err *err) {
    return err->code == ERR_NO_TARGET || err->code == ERR_CONTEXT_WINDOW || err->code == ERR_OVERLOADED;
}

static const struct complexity *judge(struct call *call, bool *out_decides) {
    struct need *need = call->need;
    struct err ignored;
    *out_decides = need->judged;
    if (!need->chat && !translation_chat(call, &need->chat, &ignored)) return NULL;
    if (!*out_decides) need->judged = false;
    return need_complexity(need);
}

static uint32_t steps_asked(const struct call *call) {
    uint32_t asked = 0;
    const struct conf_model *m = call->route.model;
    static_assert(CONF_STEPS_MAX <= 32, "a bit for each step");
    for (size_t i = 0; m && i < m->chain.n; i++)
        if (chain_wants(call, &m->chain.p[i])) asked |= UINT32_C(1) << i;
    return asked;
}

static bool explain(struct call *call, struct buf *out, struct err *err) {
    struct route_trace *trace = ARENA_NEW(&call->req->arena, struct route_trace);
    struct str name = call->request.model;
    struct json_writer w;
    struct err why;
    if (!trace) return err_no_memory(err);
    if (!call_need(call, err)) return false;
    need_count(call->need);
    struct route_ask ask = call_route_ask(call);
    ask.look = true;
    bool served = resolve(call, &ask, trace, &why);
    if (!served && !is_answer(&why)) {
        *err = why;
        return false;
    }
    struct route_explained e = {.name = name,
                                .task = need_task(call->need),
                                .odd_task = call->need->odd_task,
                                .steps = steps_asked(call),
                                .task_model = call->task_model,
                                .route = &call->route,
                                .trace = trace,
                                .need = &call->need->route,
                                .open = is_open(call),
                                .load = call_is_operators(call),
                                .err = served ? NULL : &why,
                                .now_ns = ask.now_ns};
    e.complexity = judge(call, &e.decides);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("object"), STR("route.explanation"));
    route_explain_put(&w, &e);
    json_put_object_end(&w);
    return !out->failed || err_no_memory(err);
}

// The request is a chat's, and conditions are to see it as one.
bool explain_call(struct call *call, struct buf *out, struct err *err) {
    const struct endpoint *own = call->endpoint;
    bool other;
    call->endpoint = endpoint_find(HTTP_POST, STR("/v1/chat/completions"), &other);
    INVARIANT(call->endpoint);
    bool ok = explain(call, out, err);
    call->endpoint = own;
    return ok;
}

// --- without a server ---

static bool explain_as(struct call *call, const struct explain_ask *ask, struct buf *out, struct err *err) {
    struct http_req *req = call->req;
    const struct model_request_in in = {.operation = OPERATION_CHAT,
                                        .body = ask->body,
                                        .content_type = STR("application/json"),
                                        .depth = (unsigned)ask->conf->limits.json_depth};
    bool other;
    call->endpoint = endpoint_find(HTTP_POST, STR("/v1/chat/completions"), &other);
    INVARIANT(call->endpoint);
    call->dialect = dialect_get(call->endpoint->dialect);
    return call->dialect->peek(&in, &req->arena, &call->request, err) && explain_call(call, out, err);
}

bool explain_here(const struct explain_ask *ask, struct buf *out, struct err *err) {
    struct gateway_loop *gl = mem_zalloc(1, sizeof *gl);
    struct call *call = mem_zalloc(1, sizeof *call);
    struct board *board = board_create();
    struct runtime rt = {.conf = ask->conf, .models = ask->models};
    struct http_req req = {.body = ask->body, .fields = ask->fields, .field_count = ask->field_count};
    arena_init(&req.arena, NULL, 16384, ask->body.n * ARENA_EACH + ARENA_LEAST);
    bool ok = gl && call && board;
    if (!ok) err_no_memory(err);
    ok = ok && route_table_create(ask->conf, ask->models, board, clock_mono_ns(), &rt.routes, err);
    if (ok) {
        route_table_tune(rt.routes);
        rand_bytes(&gl->seed, sizeof gl->seed);
        gl->seed |= 1;
        *call = (struct call){.gl = gl, .req = &req, .runtime = &rt, .ts = clock_unix_ns()};
        ok = explain_as(call, ask, out, err);
    }
    route_table_free(rt.routes);
    if (board) board_free(board);
    arena_free(&req.arena);
    mem_free(call);
    mem_free(gl);
    return ok;
}
