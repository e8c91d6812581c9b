// Amazon Bedrock's dialect: its row, and where its calls go.
#include "model/bedrock/bedrock.h"

#include "base/text.h"
#include "model/provider.h"

extern const struct dialect_ops dialect_bedrock;

// Unreserved characters stay; a model's id has ':' and an ARN '/' besides.
static bool encode(struct str s, struct arena *arena, struct str *out, struct err *err) {
    BUF_AUTO struct buf b = BUF_INIT(1 << 12);
    percent_put(&b, s, "");
    *out = b.failed ? STR_NONE : arena_str(arena, buf_str(&b));
    return out->p || err_no_memory(err);
}

static bool path(const struct provider_call *call, struct arena *arena, struct str *out_path, struct err *err) {
    struct str model = STR_NONE;
    *out_path = STR("");
    if (call->operation != OPERATION_CHAT) return true;
    if (!encode(call->model, arena, &model, err)) return false;
    *out_path = arena_printf(arena, "/model/%.*s/converse%s", STR_ARG(model), call->stream ? "-stream" : "");
    return out_path->n || err_no_memory(err);
}

const struct dialect_ops dialect_bedrock = {
    .dialect = DIALECT_BEDROCK,
    .name = STR_INIT("bedrock"),
    .path = path,
    .write = bedrock_write,
    .frames = FRAME_AWS,
    .prelude = {STR_INIT("messageStart")},
    .decoder_size = sizeof(struct bedrock_decoder),
    .decoder_init = bedrock_decoder_init,
    .decode = bedrock_decode,
    .decode_end = bedrock_decode_end,
    .decode_answer = bedrock_decode_answer,
    .read_failure = bedrock_read_failure,
    .usage_mark = STR_INIT("\"usage\""),
    .usage_of = bedrock_usage_of,
};
