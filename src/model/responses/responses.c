// The Responses dialect's row of operations, and the little helpers that its files share.
#include "model/responses/stream.h"

#include "model/provider.h"

#include <stdio.h>

bool responses_wrong(struct err *err, const char *path, const char *fmt, ...) {
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err_set(err, ERR_INVALID_FIELD, "\"%s\" %s", path, text);
    snprintf(err->param, sizeof err->param, "%s", path);
    return false;
}

bool responses_array(struct str raw, struct str **out_items, size_t *out_count, struct arena *arena) {
    struct json_reader r;
    enum json_kind kind;
    size_t n = 0, i = 0;
    *out_items = NULL;
    *out_count = 0;
    if (!raw.n || raw.p[0] != '[') return true;
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (json_element(&r, &kind)) n++;
    if (!n) return true;
    struct str *list = ARENA_ARRAY(arena, struct str, n);
    if (!list) return false;
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (i < n && json_element(&r, &kind) && json_skip(&r, &list[i])) i++;
    *out_items = list;
    *out_count = i;
    return true;
}

struct str responses_string(struct str object, struct str name) {
    struct str raw;
    if (!json_get(object, &name, 1, &raw) || json_raw_kind(raw) != JSON_STRING) return STR_NONE;
    return raw;
}

void responses_put_count(uint64_t tokens, struct buf *out) {
    buf_lit(out, "{\"object\":\"response.input_tokens\",\"input_tokens\":");
    buf_put_u64(out, tokens);
    buf_lit(out, "}");
}

bool responses_path(const struct provider_call *call, struct arena *arena, struct str *out_path, struct err *err) {
    (void)arena;
    (void)err;
    *out_path = call->operation == OPERATION_CHAT           ? STR("/responses")
                : call->operation == OPERATION_COUNT_TOKENS ? STR("/responses/input_tokens")
                                                            : STR("");
    return true;
}

const struct dialect_ops dialect_responses = {
    .dialect = DIALECT_RESPONSES,
    .name = STR_INIT("responses"),
    .peek = responses_peek,
    .read = responses_read,
    .stream_type = STR_INIT("text/event-stream"),
    .numbered = true,
    .encoder_size = sizeof(struct responses_encoder),
    .encoder_init = responses_encoder_init,
    .put_answer = responses_put_answer,
    .put_count = responses_put_count,
    .put_failure = responses_put_failure,
    .put_failure_event = responses_put_failure_event,
    .path = responses_path,
    .rewrite = responses_rewrite,
    .write = responses_write,
    .frames = FRAME_SSE,
    .prelude = {STR_INIT("response.created"), STR_INIT("response.in_progress"), STR_INIT("response.queued")},
    .decoder_size = sizeof(struct responses_decoder),
    .decoder_init = responses_decoder_init,
    .decode = responses_decode,
    .decode_end = responses_decode_end,
    .decode_answer = responses_decode_answer,
    .read_failure = responses_read_failure,
    .usage_mark = STR_INIT("usage\""),
    .usage_of = responses_usage_of,
};
