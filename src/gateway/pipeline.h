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
    enum http_method method;
    struct str path;
    struct str suffix; // of a path below it: ":generateContent"
    bool below;        // paths below it too: "/v1/models/" and what follows
    struct str name;   // in metrics and logs
    enum usage_endpoint usage;
    enum dialect dialect; // the client's: of model calls, and of errors
    enum operation operation;
    stage_fn *const *stages; // ends with NULL
};
// NULL when there is none; *out_other_method tells that the path has another method.
const struct endpoint *endpoint_find(enum http_method method, struct str path, bool *out_other_method);

void pipeline_run(struct call *call);
static inline void pipeline_resume(struct call *call) { pipeline_run(call); }

stage_fn stage_auth, stage_read, stage_route, stage_admit, stage_call, stage_models, stage_health, stage_ready,
    stage_metrics, stage_welcome, stage_ollama_tags, stage_ollama_show, stage_ollama_ps, stage_ollama_version,
    stage_ollama_load;
stage_fn stage_tokenize;

#endif
