// The way of a request: which endpoint it meant, and the running of that endpoint's stages.
#include "gateway/pipeline.h"

#include "gateway/answer.h"

static stage_fn *const k_model_call[] = {stage_auth, stage_read, stage_route, stage_admit, stage_call, NULL};
static stage_fn *const k_models[] = {stage_auth, stage_models, NULL};
static stage_fn *const k_ollama[] = {stage_auth, stage_read, stage_ollama_load, stage_route, stage_admit,
                                     stage_call, NULL};
static stage_fn *const k_ollama_tags[] = {stage_auth, stage_ollama_tags, NULL};
static stage_fn *const k_ollama_show[] = {stage_auth, stage_ollama_show, NULL};
static stage_fn *const k_ollama_ps[] = {stage_auth, stage_ollama_ps, NULL};
static stage_fn *const k_ollama_version[] = {stage_ollama_version, NULL};
static stage_fn *const k_health[] = {stage_health, NULL};
static stage_fn *const k_ready[] = {stage_ready, NULL};
static stage_fn *const k_metrics[] = {stage_metrics, NULL};
static stage_fn *const k_welcome[] = {stage_welcome, NULL};

static const struct endpoint k_endpoints[] = {
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/chat/completions"),
     .name = STR_INIT("chat"),
     .usage = USAGE_ENDPOINT_CHAT,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_CHAT,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/completions"),
     .name = STR_INIT("completions"),
     .usage = USAGE_ENDPOINT_COMPLETIONS,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_COMPLETIONS,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/embeddings"),
     .name = STR_INIT("embeddings"),
     .usage = USAGE_ENDPOINT_EMBEDDINGS,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_EMBEDDINGS,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/moderations"),
     .name = STR_INIT("moderations"),
     .usage = USAGE_ENDPOINT_MODERATIONS,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_MODERATIONS,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/images/generations"),
     .name = STR_INIT("images"),
     .usage = USAGE_ENDPOINT_IMAGES,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_IMAGE,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/images/edits"),
     .name = STR_INIT("image_edits"),
     .usage = USAGE_ENDPOINT_IMAGES,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_IMAGE_EDIT,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/images/variations"),
     .name = STR_INIT("image_variations"),
     .usage = USAGE_ENDPOINT_IMAGES,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_IMAGE_VARIATION,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/audio/speech"),
     .name = STR_INIT("speech"),
     .usage = USAGE_ENDPOINT_SPEECH,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_SPEECH,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/audio/transcriptions"),
     .name = STR_INIT("transcriptions"),
     .usage = USAGE_ENDPOINT_TRANSCRIPTIONS,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_TRANSCRIPTION,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/v1/audio/translations"),
     .name = STR_INIT("translations"),
     .usage = USAGE_ENDPOINT_TRANSCRIPTIONS,
     .dialect = DIALECT_OPENAI,
     .operation = OPERATION_TRANSLATION,
     .stages = k_model_call},
    {.method = HTTP_GET,
     .path = STR_INIT("/v1/models"),
     .name = STR_INIT("models"),
     .usage = USAGE_ENDPOINT_MODELS,
     .stages = k_models},
    {.method = HTTP_GET,
     .path = STR_INIT("/v1/models/"),
     .below = true,
     .name = STR_INIT("models"),
     .usage = USAGE_ENDPOINT_MODELS,
     .stages = k_models},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/chat"),
     .name = STR_INIT("ollama_chat"),
     .usage = USAGE_ENDPOINT_CHAT,
     .dialect = DIALECT_OLLAMA,
     .operation = OPERATION_CHAT,
     .stages = k_ollama},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/generate"),
     .name = STR_INIT("ollama_generate"),
     .usage = USAGE_ENDPOINT_CHAT,
     .dialect = DIALECT_OLLAMA_GENERATE,
     .operation = OPERATION_CHAT,
     .stages = k_ollama},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/embed"),
     .name = STR_INIT("ollama_embed"),
     .usage = USAGE_ENDPOINT_EMBEDDINGS,
     .dialect = DIALECT_OLLAMA,
     .operation = OPERATION_EMBEDDINGS,
     .stages = k_model_call},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/embeddings"),
     .name = STR_INIT("ollama_embeddings"),
     .usage = USAGE_ENDPOINT_EMBEDDINGS,
     .dialect = DIALECT_OLLAMA_GENERATE,
     .operation = OPERATION_EMBEDDINGS,
     .stages = k_model_call},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/tags"),
     .name = STR_INIT("ollama_tags"),
     .usage = USAGE_ENDPOINT_MODELS,
     .dialect = DIALECT_OLLAMA,
     .stages = k_ollama_tags},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/show"),
     .name = STR_INIT("ollama_show"),
     .usage = USAGE_ENDPOINT_MODELS,
     .dialect = DIALECT_OLLAMA,
     .stages = k_ollama_show},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/ps"),
     .name = STR_INIT("ollama_ps"),
     .usage = USAGE_ENDPOINT_MODELS,
     .dialect = DIALECT_OLLAMA,
     .stages = k_ollama_ps},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/version"),
     .name = STR_INIT("ollama_version"),
     .dialect = DIALECT_OLLAMA,
     .stages = k_ollama_version},
    {.method = HTTP_GET, .path = STR_INIT("/healthz"), .name = STR_INIT("healthz"), .stages = k_health},
    {.method = HTTP_GET, .path = STR_INIT("/readyz"), .name = STR_INIT("readyz"), .stages = k_ready},
    {.method = HTTP_GET, .path = STR_INIT("/metrics"), .name = STR_INIT("metrics"), .stages = k_metrics},
    {.method = HTTP_GET, .path = STR_INIT("/"), .name = STR_INIT("welcome"), .stages = k_welcome},
};

const struct endpoint *endpoint_find(enum http_method method, struct str path, bool *out_other_method) {
    *out_other_method = false;
    if (method == HTTP_HEAD) method = HTTP_GET;
    for (size_t i = 0; i < ARRAY_LEN(k_endpoints); i++) {
        const struct endpoint *e = &k_endpoints[i];
        bool here = e->below
                        ? str_starts(path, e->path) && path.n > e->path.n + e->suffix.n && str_ends(path, e->suffix)
                        : str_eq(path, e->path);
        if (here && e->method == method) return e;
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
