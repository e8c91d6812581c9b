// Google's dialect: its row.
#include "model/gemini/gemini.h"

#include "model/provider.h"

extern const struct dialect_ops dialect_gemini;

static struct str action_of(const struct provider_call *call, bool vertex) {
    if (call->operation == OPERATION_CHAT)
        return !call->stream ? STR("generateContent")
               : call->array ? STR("streamGenerateContent")
                             : STR("streamGenerateContent?alt=sse");
    if (call->operation == OPERATION_EMBEDDINGS && call->action.n) return call->action;
    if (call->operation == OPERATION_EMBEDDINGS) return vertex ? STR("predict") : STR("batchEmbedContents");
    if (call->operation == OPERATION_COUNT_TOKENS) return STR("countTokens");
    return STR("");
}

static bool path(const struct provider_call *call, struct arena *arena, struct str *out_path, struct err *err) {
    bool vertex = call->provider->kind == PROVIDER_VERTEX;
    struct str action = action_of(call, vertex), model = call->model;
    if (str_starts(model, STR("models/"))) model = str_from(model, 7);
    *out_path = STR("");
    if (!action.n) return true;
    if (vertex) return provider_vertex_path(call, STR("google"), model, action, arena, out_path, err);
    model = provider_model_escaped(model, arena);
    if (!model.n) return err_set(err, ERR_INVALID_FIELD, "the model's name is too long");
    *out_path = arena_printf(arena, "/models/%.*s:%.*s", STR_ARG(model), STR_ARG(action));
    return out_path->n || err_no_memory(err);
}

const struct dialect_ops dialect_gemini = {
    .dialect = DIALECT_GEMINI,
    .name = STR_INIT("gemini"),
    .peek = gemini_peek,
    .read = gemini_read,
    .put_count = gemini_put_count,
    .stream_type = STR_INIT("text/event-stream"),
    .choices = CHAT_CHOICES_MAX,
    .encoder_size = sizeof(struct gemini_encoder),
    .encoder_init = gemini_encoder_init,
    .put_answer = gemini_put_answer,
    .put_failure = gemini_put_failure,
    .put_failure_event = gemini_put_failure_event,
    .path = path,
    .auth = PROVIDER_AUTH_GOOG,
    .rewrite = gemini_rewrite,
    .write = gemini_write,
    .frames = FRAME_SSE,
    .decoder_size = sizeof(struct gemini_decoder),
    .decoder_init = gemini_decoder_init,
    .decode = gemini_decode,
    .decode_end = gemini_decode_end,
    .decode_finished = gemini_decode_finished,
    .decode_answer = gemini_decode_answer,
    .read_failure = gemini_read_failure,
    .usage_mark = STR_INIT("usageMetadata\""),
    .usage_of = gemini_usage_of,
    .finish_mark = STR_INIT("finishReason\""),
    .embed = &gemini_embed,
};
