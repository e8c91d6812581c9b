// Failures in the Responses dialect, which are OpenAI's: a whole body, events of a stream, and theirs read.
#include "model/responses/responses.h"

#include "base/json_write.h"

static const struct {
    struct str type, code;
} k_kinds[] = {
    [CHAT_FAIL_INVALID] = {STR_INIT("invalid_request_error"), STR_INIT("invalid_value")},
    [CHAT_FAIL_AUTHENTICATION] = {STR_INIT("invalid_request_error"), STR_INIT("invalid_api_key")},
    [CHAT_FAIL_PERMISSION] = {STR_INIT("invalid_request_error"), STR_INIT("permission_denied")},
    [CHAT_FAIL_NOT_FOUND] = {STR_INIT("invalid_request_error"), STR_INIT("not_found")},
    [CHAT_FAIL_TOO_LARGE] = {STR_INIT("invalid_request_error"), STR_INIT("request_too_large")},
    [CHAT_FAIL_RATE_LIMIT] = {STR_INIT("rate_limit_error"), STR_INIT("rate_limit_exceeded")},
    [CHAT_FAIL_QUOTA] = {STR_INIT("insufficient_quota"), STR_INIT("insufficient_quota")},
    [CHAT_FAIL_CONTEXT_LENGTH] = {STR_INIT("invalid_request_error"), STR_INIT("context_length_exceeded")},
    [CHAT_FAIL_CONTENT_POLICY] = {STR_INIT("invalid_request_error"), STR_INIT("content_policy_violation")},
    [CHAT_FAIL_OVERLOADED] = {STR_INIT("server_error"), STR_INIT("server_is_overloaded")},
    [CHAT_FAIL_TIMEOUT] = {STR_INIT("server_error"), STR_INIT("timeout")},
    [CHAT_FAIL_SERVER] = {STR_INIT("server_error"), STR_INIT("server_error")},
};

struct str responses_code_of(const struct chat_failure *failure) {
    return failure->code.n ? failure->code : k_kinds[failure->kind].code;
}

void responses_put_error(const struct chat_failure *f, struct buf *out) {
    buf_lit(out, "{\"message\":\"");
    buf_put(out, f->message);
    buf_lit(out, "\",\"type\":\"");
    buf_put(out, f->type.n ? f->type : k_kinds[f->kind].type);
    buf_lit(out, "\",\"param\":");
    if (f->param.n) {
        buf_lit(out, "\"");
        buf_put(out, f->param);
        buf_lit(out, "\"");
    } else {
        buf_lit(out, "null");
    }
    buf_lit(out, ",\"code\":\"");
    buf_put(out, responses_code_of(f));
    buf_lit(out, "\"}");
}

void responses_put_failure(const struct chat_failure *failure, struct str request_id, struct buf *out) {
    (void)request_id; // a field of the reply tells it
    buf_lit(out, "{\"error\":");
    responses_put_error(failure, out);
    buf_lit(out, "}");
}

void responses_put_failure_event(const struct chat_failure *failure, struct str request_id, struct buf *out) {
    (void)request_id;
    // How many events went by is not known here; what a client goes by is that the number is no smaller.
    buf_lit(out, "event: error\ndata: {\"type\":\"error\",\"sequence_number\":4294967295,\"code\":\"");
    buf_put(out, responses_code_of(failure));
    buf_lit(out, "\",\"message\":\"");
    buf_put(out, failure->message);
    buf_lit(out, "\",\"param\":null,\"error\":");
    responses_put_error(failure, out);
    buf_lit(out, "}\n\n");
}

// --- theirs ---

static struct str inner_of(struct str object, struct str name) { return chat_inner(responses_string(object, name)); }

bool responses_error_read(struct str error, int status, struct chat_failure *out_failure) {
    struct chat_failure f = {.status = status};
    if (json_raw_kind(error) != JSON_OBJECT) return false;
    f.message = inner_of(error, STR("message"));
    f.code = inner_of(error, STR("code"));
    f.type = inner_of(error, STR("type"));
    f.param = inner_of(error, STR("param"));
    if (!f.message.p) f.message = STR("");
    f.kind = chat_failure_kind_of_text(f.code, f.message, chat_failure_kind_of_status(status));
    *out_failure = f;
    return true;
}

bool responses_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure) {
    struct json_field f[] = {{.name = STR_INIT("error")}};
    struct err err;
    (void)arena;
    if (status < 400) status = 500;
    if (!json_scan(body, f, 1, &err) || !f[0].found) return false;
    if (f[0].kind != JSON_STRING) return responses_error_read(f[0].raw, status, out_failure);
    struct str message = chat_inner(f[0].raw);
    *out_failure =
        (struct chat_failure){.status = status,
                              .message = message,
                              .kind = chat_failure_kind_of_text(STR(""), message, chat_failure_kind_of_status(status))};
    return true;
}
