// Ollama's dialect: its two rows.
#include "model/ollama/ollama.h"

#include "model/provider.h"

extern const struct dialect_ops dialect_ollama, dialect_ollama_generate;

static bool path(const struct provider_call *call, struct arena *arena, struct str *out_path, struct err *err) {
    (void)arena, (void)err;
    *out_path = STR("");
    if (call->operation == OPERATION_CHAT) *out_path = STR("/api/chat");
    if (call->operation == OPERATION_EMBEDDINGS) *out_path = STR("/api/embed");
    return true;
}

// Only for what is passed through.
static bool generate_path(const struct provider_call *call, struct arena *arena, struct str *out_path,
                          struct err *err) {
    (void)arena, (void)err;
    *out_path = STR("");
    if (call->operation == OPERATION_CHAT) *out_path = STR("/api/generate");
    if (call->operation == OPERATION_EMBEDDINGS) *out_path = STR("/api/embeddings");
    return true;
}

const struct dialect_ops dialect_ollama = {
    .dialect = DIALECT_OLLAMA,
    .name = STR_INIT("ollama"),
    .peek = ollama_peek,
    .read = ollama_read,
    .stream_type = STR_INIT("application/x-ndjson"),
    .encoder_size = sizeof(struct ollama_encoder),
    .encoder_init = ollama_encoder_init,
    .put_answer = ollama_put_answer,
    .put_failure = ollama_put_failure,
    .put_failure_event = ollama_put_failure_event,
    .path = path,
    .rewrite = ollama_rewrite,
    .write = ollama_write,
    .frames = FRAME_LINES,
    .decoder_size = sizeof(struct ollama_decoder),
    .decoder_init = ollama_decoder_init,
    .decode = ollama_decode,
    .decode_end = ollama_decode_end,
    .decode_answer = ollama_decode_answer,
    .read_failure = ollama_read_failure,
    .usage_mark = STR_INIT("_count\""),
    .usage_of = ollama_usage_of,
    .embed = &ollama_embed,
};

const struct dialect_ops dialect_ollama_generate = {
    .dialect = DIALECT_OLLAMA_GENERATE,
    .name = STR_INIT("ollama_generate"),
    .peek = ollama_generate_peek,
    .read = ollama_generate_read,
    .stream_type = STR_INIT("application/x-ndjson"),
    .encoder_size = sizeof(struct ollama_encoder),
    .encoder_init = ollama_generate_encoder_init,
    .put_answer = ollama_generate_put_answer,
    .put_failure = ollama_put_failure,
    .put_failure_event = ollama_put_failure_event,
    // Passed through to a real Ollama, that is; otherwise it is spoken to in the other dialect.
    .path = generate_path,
    .rewrite = ollama_rewrite,
    .frames = FRAME_LINES,
    .read_failure = ollama_read_failure,
    .usage_mark = STR_INIT("_count\""),
    .usage_of = ollama_usage_of,
    .embed = &ollama_embeddings,
};
