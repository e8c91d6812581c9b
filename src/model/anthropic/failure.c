// Failures in Anthropic's dialect: {"type":"error","error":{"type","message"},"request_id"}.
#include "model/anthropic/anthropic.h"

static const struct {
    struct str type;
    enum chat_failure_kind kind;
} k_types[] = {
    {STR_INIT("invalid_request_error"), CHAT_FAIL_INVALID},
    {STR_INIT("authentication_error"), CHAT_FAIL_AUTHENTICATION},
    {STR_INIT("permission_error"), CHAT_FAIL_PERMISSION},
    {STR_INIT("not_found_error"), CHAT_FAIL_NOT_FOUND},
    {STR_INIT("request_too_large"), CHAT_FAIL_TOO_LARGE},
    {STR_INIT("rate_limit_error"), CHAT_FAIL_RATE_LIMIT},
    {STR_INIT("billing_error"), CHAT_FAIL_QUOTA},
    {STR_INIT("overloaded_error"), CHAT_FAIL_OVERLOADED},
    {STR_INIT("timeout_error"), CHAT_FAIL_TIMEOUT},
    {STR_INIT("api_error"), CHAT_FAIL_SERVER},
};

static struct str type_of(const struct chat_failure *f) {
    enum chat_failure_kind kind = f->kind;
    if (kind == CHAT_FAIL_CONTEXT_LENGTH || kind == CHAT_FAIL_CONTENT_POLICY) kind = CHAT_FAIL_INVALID;
    // A budget that is used up is one of their rate limits too, unless it is told as "payment required".
    if (kind == CHAT_FAIL_QUOTA && f->status == 429) kind = CHAT_FAIL_RATE_LIMIT;
    for (size_t i = 0; i < ARRAY_LEN(k_types); i++)
        if (k_types[i].kind == kind) return k_types[i].type;
    return STR("api_error");
}

void anthropic_put_failure(const struct chat_failure *f, struct str request_id, struct buf *out) {
    buf_lit(out, "{\"type\":\"error\",\"error\":{\"type\":\"");
    buf_put(out, type_of(f));
    buf_lit(out, "\",\"message\":\"");
    buf_put(out, f->message);
    buf_lit(out, "\"}");
    if (request_id.n) {
        buf_lit(out, ",\"request_id\":\"");
        json_escape_put(out, request_id);
        buf_putc(out, '"');
    }
    buf_putc(out, '}');
}

void anthropic_put_failure_event(const struct chat_failure *f, struct str request_id, struct buf *out) {
    buf_lit(out, "event: error\ndata: ");
    anthropic_put_failure(f, request_id, out);
    buf_lit(out, "\n\n");
}

static enum chat_failure_kind kind_of(struct str type, int status) {
    for (size_t i = 0; i < ARRAY_LEN(k_types); i++)
        if (json_string_eq(type, k_types[i].type)) return k_types[i].kind;
    return status == 529 ? CHAT_FAIL_OVERLOADED : chat_failure_kind_of_status(status);
}

bool anthropic_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure) {
    struct json_field f[] = {{.name = STR_INIT("error"), .kinds = JSON_IS(JSON_OBJECT) | JSON_IS(JSON_STRING)}};
    if (status < 400) status = 500;
    struct chat_failure out = {.status = status, .message = STR("")};
    struct str raw, type = STR_NONE;
    struct err ignored;
    (void)arena;
    if (!json_scan(body, f, 1, &ignored) || !f[0].found) return false;
    if (f[0].kind == JSON_STRING) {
        out.message = chat_inner(f[0].raw);
    } else {
        if (JSON_GET(f[0].raw, &raw, STR("message")) && json_raw_kind(raw) == JSON_STRING)
            out.message = chat_inner(raw);
        if (JSON_GET(f[0].raw, &raw, STR("type")) && json_raw_kind(raw) == JSON_STRING) type = raw;
        if (JSON_GET(f[0].raw, &raw, STR("details"), STR("error_code")) && json_raw_kind(raw) == JSON_STRING)
            out.code = chat_inner(raw);
    }
    out.type = chat_inner(type);
    out.kind = kind_of(type, status);
    if (out.kind == CHAT_FAIL_INVALID) out.kind = chat_failure_kind_of_text(out.code, out.message, out.kind);
    *out_failure = out;
    return true;
}
