// Where it goes: the ordered list of targets for the model asked for.
#include "gateway/pipeline.h"

enum stage_result stage_route(struct call *call, struct err *err) {
    uint64_t *seed = &call->gl->seed; // xorshift64* (Marsaglia, Vigna): good enough to spread load
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    uint64_t draw = (*seed * 0x2545f4914f6cdd1dULL) >> 16;
    bool found = route_resolve(call->runtime->models, call->runtime->conf, call->tenant, call->request.model, draw,
                               &call->route, err);
    return found ? STAGE_DONE : STAGE_FAIL;
}
