// The row of Anthropic's dialect.
#include "model/anthropic/anthropic.h"
#include "model/provider.h"

// Vertex AI has the model in the path, also of a stream; it counts tokens at a model of its own.
static bool vertex_path(const struct provider_call *call, struct arena *arena, struct str *out_path, struct err *err) {
    bool chat = call->operation == OPERATION_CHAT;
    struct str model = chat ? call->model : STR("count-tokens");
    struct str action = chat && call->stream ? STR("streamRawPredict") : STR("rawPredict");
    if (!chat && call->operation != OPERATION_COUNT_TOKENS) return true;
    return provider_vertex_path(call, STR("anthropic"), model, action, arena, out_path, err);
}

static bool path_of(const struct provider_call *call, struct arena *arena, struct str *out_path, struct err *err) {
    *out_path = STR("");
    if (call->provider->kind == PROVIDER_VERTEX) return vertex_path(call, arena, out_path, err);
    if (call->operation == OPERATION_CHAT) *out_path = STR("/messages");
    if (call->operation == OPERATION_COUNT_TOKENS) *out_path = STR("/messages/count_tokens");
    return true;
}

static void put_count(uint64_t tokens, struct buf *out) {
    buf_lit(out, "{\"input_tokens\":");
    buf_put_u64(out, tokens);
    buf_putc(out, '}');
}

// Up to Claude 4.5, and while it does not think.
static bool prefills(const struct chat *chat, const struct chat_target *target) {
    const struct anthropic_family *family = anthropic_family_of(target->model);
    bool thinks = chat->reasoning.budget || chat->reasoning.adaptive || chat->reasoning.effort > CHAT_EFFORT_NONE;
    return family->prefix.n && !(family->flags & ANTHROPIC_ADAPTIVE) && !thinks;
}

const struct dialect_ops dialect_anthropic = {
    .dialect = DIALECT_ANTHROPIC,
    .name = STR_INIT("anthropic"),
    .peek = anthropic_peek,
    .read = anthropic_read,
    .id_field = STR_INIT("request-id"),
    .stream_type = STR_INIT("text/event-stream"),
    .encoder_size = ANTHROPIC_ENCODER_SIZE,
    .encoder_init = anthropic_encoder_init,
    .put_answer = anthropic_put_answer,
    .put_failure = anthropic_put_failure,
    .put_count = put_count,
    .put_failure_event = anthropic_put_failure_event,
    .path = path_of,
    .auth = PROVIDER_AUTH_X_API_KEY,
    .dialect_field = STR_INIT("anthropic-version"),
    .dialect_version = STR_INIT("2023-06-01"),
    .rewrite = anthropic_rewrite,
    .write = anthropic_write,
    .prefills = prefills,
    .frames = FRAME_SSE,
    .prelude = {STR_INIT("message_start"), STR_INIT("ping")},
    .decoder_size = ANTHROPIC_DECODER_SIZE,
    .decoder_init = anthropic_decoder_init,
    .decode = anthropic_decode,
    .decode_end = anthropic_decode_end,
    .decode_answer = anthropic_decode_answer,
    .read_failure = anthropic_read_failure,
    .usage_mark = STR_INIT("usage\""),
    .usage_of = anthropic_usage_of,
    .finish_mark = STR_INIT("stop_reason\""),
    .stream_end = STR_INIT("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
};
