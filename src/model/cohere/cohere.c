// Cohere's dialect: its row, and where its calls go.
#include "model/cohere/cohere.h"

#include "model/provider.h"

extern const struct dialect_ops dialect_cohere;

static bool path(const struct provider_call *call, struct arena *arena, struct str *out_path, struct err *err) {
    (void)arena, (void)err;
    *out_path = STR("");
    if (call->operation == OPERATION_CHAT) *out_path = STR("/chat");
    if (call->operation == OPERATION_EMBEDDINGS) *out_path = STR("/embed");
    if (call->operation == OPERATION_RERANK) *out_path = STR("/rerank");
    return true;
}

const struct dialect_ops dialect_cohere = {
    .dialect = DIALECT_COHERE,
    .name = STR_INIT("cohere"),
    .peek = cohere_peek,
    .put_failure = cohere_put_failure,
    .path = path,
    .rewrite = cohere_rewrite,
    .write = cohere_write,
    .frames = FRAME_SSE,
    .prelude = {STR_INIT("message-start")},
    .decoder_size = sizeof(struct cohere_decoder),
    .decoder_init = cohere_decoder_init,
    .decode = cohere_decode,
    .decode_end = cohere_decode_end,
    .decode_answer = cohere_decode_answer,
    .read_failure = cohere_read_failure,
    .usage_mark = STR_INIT("_units\""),
    .usage_of = cohere_usage_of,
    .embed = &cohere_embed,
    .rerank = &cohere_rerank,
};
