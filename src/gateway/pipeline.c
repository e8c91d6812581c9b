// The way of a request: which endpoint it meant, and the running of that endpoint's stages.
#include "gateway/pipeline.h"

#include "gateway/answer.h"

#define STAGE(name)
#define STAGES(list, ...) static stage_fn *const k_##list[] = {__VA_ARGS__, NULL};
#define ENDPOINT(...)
#include "gateway/endpoint.def"
#undef STAGES
#undef ENDPOINT

static const struct endpoint k_endpoints[] = {
#define STAGES(...)
#define ENDPOINT(verb, where, end, called, used, speaks, does, list)                                                   \
    {.method = HTTP_##verb,                                                                                            \
     .path = STR_INIT(where),                                                                                          \
     .suffix = STR_INIT(end),                                                                                          \
     .name = STR_INIT(called),                                                                                         \
     .usage = USAGE_ENDPOINT_##used,                                                                                   \
     .dialect = DIALECT_##speaks,                                                                                      \
     .operation = OPERATION_##does,                                                                                    \
     .stages = k_##list},
#include "gateway/endpoint.def"
#undef STAGE
#undef STAGES
#undef ENDPOINT
};

// Whether a path is the endpoint's, or below it.
static bool is_at(const struct endpoint *e, struct str path) {
    if (!endpoint_is_below(e)) return str_eq(path, e->path);
    return str_starts(path, e->path) && path.n > e->path.n + e->suffix.n && str_ends(path, e->suffix);
}

const struct endpoint *endpoint_find(enum http_method method, struct str path, bool *out_other_method) {
    *out_other_method = false;
    if (method == HTTP_HEAD) method = HTTP_GET;
    for (size_t i = 0; i < ARRAY_LEN(k_endpoints); i++) {
        const struct endpoint *e = &k_endpoints[i];
        bool here = is_at(e, path);
        if (here && (e->method == method || e->method == HTTP_METHOD_OTHER)) return e;
        if (here) *out_other_method = true;
    }
    return NULL;
}

void pipeline_run(struct call *call) {
    struct err err;
    while (call->endpoint->stages[call->stage]) {
        switch (call->endpoint->stages[call->stage](call, &err)) {
        case STAGE_DONE:
            call->stage++;
            continue;
        case STAGE_WAIT:
        case STAGE_ANSWERED:
            return;
        case STAGE_FAIL:
            call_fail(call, &err);
            return;
        }
    }
    invariant_failed("an endpoint's last stage answers", __FILE__, __LINE__);
}
