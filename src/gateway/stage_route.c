// Where it goes: the ordered list of targets for the model asked for.
#include "gateway/chain.h"
#include "gateway/finding.h"
#include "gateway/need.h"
#include "gateway/pipeline.h"
#include "os/clock.h"

uint64_t gateway_draw(struct gateway_loop *gl) { // xorshift64* (Marsaglia, Vigna): good enough to spread load
    uint64_t *seed = &gl->seed;
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545f4914f6cdd1dULL;
}

// For a model that is asked in the place of another, and goes by what that one did not ask for.
static const struct route_need *need_for(void *arg, struct str name) {
    struct call *call = arg;
    struct need *own = call->need;
    const struct route_need *found = &own->route; // it says at least where the request may go
    struct str task = need_task(own);
    struct err ignored;
    if (need_fill_for(call, name, &ignored)) {
        if (task.n) call->need->asked_task = task;
        found = &call->need->route;
    }
    call->need = own;
    return found;
}

struct route_ask call_route_ask(struct call *call) {
    return (struct route_ask){.table = call->runtime->routes,
                              .tenant = call->tenant,
                              .need = call->need ? &call->need->route : NULL,
                              .need_for = call->need ? need_for : NULL,
                              .call = call,
                              .arena = &call->req->arena,
                              .now_ns = clock_mono_ns(),
                              .draw = gateway_draw(call->gl)};
}

static bool resolve(struct call *call, struct err *err) {
    const struct route_model *m = route_model_find(call->runtime->routes, call->tenant, call->request.model);
    if (m && m->conf->chain.n) return chain_route(call, m->conf, err);
    struct route_ask ask = call_route_ask(call);
    ask.sure = call->fallback_count > 0;
    bool found = route_resolve(&ask, call->request.model, &call->route, NULL, err);
    // None of its targets can serve it: those that the client has named perhaps can.
    if (!found && call->fallback_count && err->code != ERR_MODEL_NOT_FOUND && call->route.model)
        found = call->route.fallen = route_fall_back_on(&ask, call->fallbacks, call->fallback_count, &call->route);
    if (!found && ask.sure) {
        ask.sure = false;
        found = route_resolve(&ask, call->request.model, &call->route, NULL, err);
    }
    struct str task = need_task(call->need);
    if (task.n) call->task = task;
    if (found) call->trials.own = call->route.fallen ? 0 : call->route.count;
    return found;
}

// To the canary, and behind its targets to those of the model itself. False: it cannot serve this request.
static bool resolve_canary(struct call *call, struct str name) {
    struct err ignored;
    struct need *own = call->need;
    const struct route_model *m = route_model_find(call->runtime->routes, call->tenant, call->request.model);
    if (need_fill_for(call, name, &ignored)) {
        struct route_ask ask = call_route_ask(call);
        ask.sure = true;
        call->need->asked_task = need_task(own);
        // What stands in for the canary says nothing of it.
        if (route_resolve(&ask, name, &call->route, NULL, &ignored) && !call->route.fallen) {
            call->trials.own = call->route.count;
            call->task = need_task(own);
            call->route.stands_for = m ? m->conf : NULL;
            ask.need = &own->route;
            ask.need_for = NULL;
            (void)route_fall_back_on(&ask, &call->request.model, 1, &call->route);
            return true;
        }
    }
    call->need = own;
    return false;
}

bool call_route(struct call *call, struct err *err) {
    if (!need_fill(call, err)) return false;
    call->trials = (struct trial_part){.own = SIZE_MAX};
    return resolve(call, err);
}

bool call_need(struct call *call, struct err *err) {
    if (call->inner && call->inner->model.n && !call->request.renamed) {
        call->request.model = call->inner->model;
        call->request.renamed = true;
    }
    if (!need_fill(call, err)) return false;
    struct str model = need_task_model(call->need), task = need_task(call->need);
    if (!model.n) return true;
    call->task_model = call->request.model = model;
    call->request.renamed = true;
    // The task stays what it was, also where the other model asks for no judgement.
    if (!need_fill(call, err)) return false;
    call->need->asked_task = task;
    return true;
}

enum stage_result stage_route(struct call *call, struct err *err) {
    enum stage_result ahead = finding_ahead(call, err);
    if (ahead != STAGE_DONE) return ahead;
    if (!call_need(call, err)) return STAGE_FAIL;
    struct str canary = trial_deal(call);
    if (canary.n) {
        if (resolve_canary(call, canary)) return STAGE_DONE;
        call->trials.canary.trial = NULL; // neither's
    }
    return resolve(call, err) ? STAGE_DONE : STAGE_FAIL;
}
