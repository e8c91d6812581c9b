// Where it goes: the ordered list of targets for the model asked for.
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

struct route_ask call_route_ask(struct call *call) {
    return (struct route_ask){.table = call->runtime->routes,
                              .tenant = call->tenant,
                              .need = call->need ? &call->need->route : NULL,
                              .arena = &call->req->arena,
                              .now_ns = clock_mono_ns(),
                              .draw = gateway_draw(call->gl)};
}

enum stage_result stage_route(struct call *call, struct err *err) {
    if (!need_fill(call, err)) return STAGE_FAIL;
    const struct route_ask ask = call_route_ask(call);
    bool found = route_resolve(&ask, call->request.model, &call->route, NULL, err);
    return found ? STAGE_DONE : STAGE_FAIL;
}
