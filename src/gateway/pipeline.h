// The way of a request: an endpoint's stages, run in order, each once.
//
// A stage returns DONE (go on), WAIT (somebody calls pipeline_resume; the same stage is then entered again), FAIL (*err
// becomes the reply) or ANSWERED (the reply is on its way or out; the call may be gone). Never backwards.
#ifndef GATEWAY_PIPELINE_H
#define GATEWAY_PIPELINE_H

#include "gateway/call.h"

enum stage_result { STAGE_DONE, STAGE_WAIT, STAGE_FAIL, STAGE_ANSWERED };
typedef enum stage_result stage_fn(struct call *call, struct err *err);

struct endpoint {
    enum http_method method; // HTTP_METHOD_OTHER: any
    struct str path;
    struct str suffix; // of a path below it: ":generateContent"
    struct str name;   // in metrics and logs
    enum usage_endpoint usage;
    enum dialect dialect; // the client's: of model calls, and of errors
    enum operation operation;
    stage_fn *const *stages; // ends with NULL
};
// Its path ends in "/", and more follows; but for the root, which is itself.
static inline bool endpoint_is_below(const struct endpoint *e) { return e->path.n > 1 && str_ends(e->path, STR("/")); }
// NULL when there is none; *out_other_method tells that the path has another method.
const struct endpoint *endpoint_find(enum http_method method, struct str path, bool *out_other_method);

// stage_route.c: finds the targets of the model that the request names now, whatever its task.
NODISCARD bool call_route(struct call *call, struct err *err);
// stage_call.c: sends what was written for the target in turn.
NODISCARD bool call_send(struct call *call, struct err *err);
// Writes the request for the target in turn to call->at->body.
NODISCARD bool call_write(struct call *call, struct err *err);
// It is sent now: told to the ledger.
void call_begin_attempt(struct call *call);

void pipeline_run(struct call *call);
static inline void pipeline_resume(struct call *call) { pipeline_run(call); }

#define STAGE(name) stage_fn stage_##name;
#define STAGES(...)
#define ENDPOINT(...)
#include "gateway/endpoint.def"
#undef STAGE
#undef STAGES
#undef ENDPOINT

#endif
