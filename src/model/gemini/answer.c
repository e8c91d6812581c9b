// Whole answers and errors in Google's dialect.
#include "model/gemini/gemini.h"

#include <inttypes.h>

struct str gemini_finish_name(enum chat_finish finish) {
    static const struct str names[] = {
        [CHAT_FINISH_NONE] = STR_INIT("OTHER"),         [CHAT_FINISH_STOP] = STR_INIT("STOP"),
        [CHAT_FINISH_STOP_SEQUENCE] = STR_INIT("STOP"), [CHAT_FINISH_LENGTH] = STR_INIT("MAX_TOKENS"),
        [CHAT_FINISH_TOOLS] = STR_INIT("STOP"),         [CHAT_FINISH_FILTER] = STR_INIT("SAFETY"),
        [CHAT_FINISH_PAUSE] = STR_INIT("STOP"),
    };
    return names[finish];
}

// Google tells thoughts beside the answer's tokens, not within them.
void gemini_put_usage(struct buf *out, const struct usage *usage) {
    uint64_t reasoning = MIN(usage->reasoning, usage->output);
    buf_printf(out, "\"usageMetadata\":{\"promptTokenCount\":%" PRIu64 ",\"candidatesTokenCount\":%" PRIu64,
               usage->prompt, usage->output - reasoning);
    if (reasoning) buf_printf(out, ",\"thoughtsTokenCount\":%" PRIu64, reasoning);
    if (usage->cached) buf_printf(out, ",\"cachedContentTokenCount\":%" PRIu64, usage->cached);
    buf_printf(out, ",\"totalTokenCount\":%" PRIu64 "}", usage->prompt + usage->output);
}

void gemini_put_count(uint64_t tokens, struct buf *out) {
    buf_printf(out,
               "{\"totalTokens\":%" PRIu64 ",\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":%" PRIu64
               "}]}",
               tokens, tokens);
}

static void put_key(struct buf *out, const char *key, struct str escaped) {
    buf_printf(out, "\"%s\":\"", key);
    buf_put(out, escaped);
    buf_putc(out, '"');
}

static void put_call(const struct chat_answer_part *part, const struct chat_reply *reply, struct buf *out) {
    struct err ignored;
    struct str args, quoted = arena_printf(reply->arena, "\"%.*s\"", STR_ARG(part->text));
    if (!quoted.n || !chat_args_of_text(quoted, reply->arena, &args, &ignored)) args = STR("{}");
    buf_lit(out, "\"functionCall\":{");
    if (part->id.n) {
        put_key(out, "id", part->id);
        buf_putc(out, ',');
    }
    put_key(out, "name", part->name);
    buf_lit(out, ",\"args\":");
    buf_put(out, args);
    buf_putc(out, '}');
}

static void put_part(const struct chat_answer_part *part, const struct chat_reply *reply, struct buf *out) {
    buf_putc(out, '{');
    switch (part->kind) {
    case CHAT_TOOL_CALL:
        put_call(part, reply, out);
        break;
    case CHAT_IMAGE:
    case CHAT_AUDIO:
    case CHAT_VIDEO:
    case CHAT_FILE:
        buf_lit(out, "\"inlineData\":{");
        put_key(out, "mimeType", part->mime);
        buf_putc(out, ',');
        put_key(out, "data", part->text);
        buf_putc(out, '}');
        break;
    case CHAT_TEXT:
    case CHAT_TOOL_RESULT:
    case CHAT_THINKING:
    case CHAT_REDACTED_THINKING:
    case CHAT_REFUSAL:
        put_key(out, "text", part->text);
        if (part->kind == CHAT_THINKING) buf_lit(out, ",\"thought\":true");
        break;
    }
    if (part->signature.n) {
        buf_putc(out, ',');
        put_key(out, "thoughtSignature", part->signature);
    }
    buf_putc(out, '}');
}

static bool shows(const struct chat_answer_part *part, const struct chat_reply *reply, unsigned choice) {
    bool hidden = reply->chat && reply->chat->reasoning.hidden && part->kind == CHAT_THINKING;
    return part->choice == choice && !hidden && part->kind != CHAT_REDACTED_THINKING;
}

// The sources of a choice's citations that are on the web.
static void put_grounding(const struct chat_answer *answer, unsigned choice, struct buf *out) {
    bool any = false;
    for (size_t i = 0; i < answer->count; i++) {
        struct str list = answer->parts[i].citations, one, url, title;
        if (answer->parts[i].choice != choice || !list.n) continue;
        struct json_reader r;
        enum json_kind kind;
        struct buf array = BUF_INIT(list.n + 3);
        buf_printf(&array, "[%.*s]", STR_ARG(list));
        json_reader_init(&r, buf_str(&array), 0);
        if (json_enter_array(&r))
            while (json_element(&r, &kind)) {
                if (!json_skip(&r, &one) || !JSON_GET(one, &url, STR("url")) || url.p[0] != '"') continue;
                if (!JSON_GET(one, &title, STR("title")) || title.p[0] != '"') title = STR("\"\"");
                buf_printf(out, "%s{\"web\":{\"uri\":%.*s,\"title\":%.*s}}",
                           any ? "," : ",\"groundingMetadata\":{\"groundingChunks\":[", STR_ARG(url), STR_ARG(title));
                any = true;
            }
        buf_free(&array);
    }
    if (any) buf_lit(out, "]}");
}

static void put_candidate(const struct chat_answer *answer, const struct chat_reply *reply, unsigned choice,
                          struct buf *out) {
    bool any = false;
    buf_lit(out, "{\"content\":{\"parts\":[");
    for (size_t i = 0; i < answer->count; i++) {
        if (!shows(&answer->parts[i], reply, choice)) continue;
        if (any) buf_putc(out, ',');
        any = true;
        put_part(&answer->parts[i], reply, out);
    }
    if (!any) buf_lit(out, "{\"text\":\"\"}");
    buf_lit(out, "],\"role\":\"model\"},\"finishReason\":\"");
    buf_put(out, gemini_finish_name(answer->finish[choice]));
    buf_printf(out, "\",\"index\":%u", choice);
    put_grounding(answer, choice, out);
    buf_putc(out, '}');
}

void gemini_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out) {
    unsigned choices = MIN(answer->choices, (unsigned)CHAT_CHOICES_MAX);
    buf_lit(out, "{\"candidates\":[");
    for (unsigned i = 0; i < choices; i++) {
        if (i) buf_putc(out, ',');
        put_candidate(answer, reply, i, out);
    }
    buf_putc(out, ']');
    if (answer->has_usage) {
        buf_putc(out, ',');
        gemini_put_usage(out, &answer->usage);
    }
    buf_lit(out, ",\"modelVersion\":\"");
    json_escape_put(out, reply->model);
    buf_lit(out, "\",\"responseId\":\"");
    json_escape_put(out, reply->id);
    buf_lit(out, "\"}");
}

// --- errors ---

static const struct {
    enum chat_failure_kind kind;
    int status;
    struct str name;
} k_failures[] = {
    {CHAT_FAIL_INVALID, 400, STR_INIT("INVALID_ARGUMENT")},
    {CHAT_FAIL_AUTHENTICATION, 401, STR_INIT("UNAUTHENTICATED")},
    {CHAT_FAIL_PERMISSION, 403, STR_INIT("PERMISSION_DENIED")},
    {CHAT_FAIL_NOT_FOUND, 404, STR_INIT("NOT_FOUND")},
    {CHAT_FAIL_TOO_LARGE, 413, STR_INIT("INVALID_ARGUMENT")},
    {CHAT_FAIL_RATE_LIMIT, 429, STR_INIT("RESOURCE_EXHAUSTED")},
    {CHAT_FAIL_QUOTA, 429, STR_INIT("RESOURCE_EXHAUSTED")},
    {CHAT_FAIL_CONTEXT_LENGTH, 400, STR_INIT("INVALID_ARGUMENT")},
    {CHAT_FAIL_CONTENT_POLICY, 400, STR_INIT("INVALID_ARGUMENT")},
    {CHAT_FAIL_OVERLOADED, 503, STR_INIT("UNAVAILABLE")},
    {CHAT_FAIL_TIMEOUT, 504, STR_INIT("DEADLINE_EXCEEDED")},
    {CHAT_FAIL_SERVER, 500, STR_INIT("INTERNAL")},
};

void gemini_put_failure(const struct chat_failure *f, struct str request_id, struct buf *out) {
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(k_failures) && k_failures[i].kind != f->kind) i++;
    buf_printf(out, "{\"error\":{\"code\":%d,", f->status ? f->status : k_failures[i].status);
    put_key(out, "message", f->message);
    buf_putc(out, ',');
    put_key(out, "status", k_failures[i].name);
    if (f->code.n || request_id.n) buf_lit(out, ",\"details\":[");
    if (f->code.n) {
        buf_lit(out, "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",");
        put_key(out, "reason", f->code);
        buf_lit(out, ",\"domain\":\"penstock\"");
        if (f->param.n) {
            buf_lit(out, ",\"metadata\":{");
            put_key(out, "field", f->param);
            buf_putc(out, '}');
        }
        buf_putc(out, '}');
    }
    if (f->code.n && request_id.n) buf_putc(out, ',');
    if (request_id.n) {
        buf_lit(out, "{\"@type\":\"type.googleapis.com/google.rpc.RequestInfo\",\"requestId\":\"");
        json_escape_put(out, request_id);
        buf_lit(out, "\"}");
    }
    if (f->code.n || request_id.n) buf_putc(out, ']');
    buf_lit(out, "}}");
}

void gemini_put_failure_event(const struct chat_failure *failure, struct str request_id, struct buf *out) {
    buf_lit(out, "data: ");
    gemini_put_failure(failure, request_id, out);
    buf_lit(out, "\r\n\r\n");
}

static const struct gemini_member k_error[] = {{STR_INIT("error"), JSON_IS(JSON_OBJECT)}};
static const struct gemini_member k_status[] = {{STR_INIT("code"), JSON_IS(JSON_NUMBER)},
                                                {STR_INIT("message"), JSON_IS(JSON_STRING)},
                                                {STR_INIT("status"), JSON_IS(JSON_STRING)},
                                                {STR_INIT("details"), JSON_IS(JSON_ARRAY)}};
enum { CODE, MESSAGE, STATUS, DETAILS };

static enum chat_failure_kind kind_of(struct str status, int http) {
    static const struct {
        struct str name;
        enum chat_failure_kind kind;
    } names[] = {
        {STR_INIT("INVALID_ARGUMENT"), CHAT_FAIL_INVALID},      {STR_INIT("FAILED_PRECONDITION"), CHAT_FAIL_INVALID},
        {STR_INIT("OUT_OF_RANGE"), CHAT_FAIL_INVALID},          {STR_INIT("UNAUTHENTICATED"), CHAT_FAIL_AUTHENTICATION},
        {STR_INIT("PERMISSION_DENIED"), CHAT_FAIL_PERMISSION},  {STR_INIT("NOT_FOUND"), CHAT_FAIL_NOT_FOUND},
        {STR_INIT("RESOURCE_EXHAUSTED"), CHAT_FAIL_RATE_LIMIT}, {STR_INIT("UNAVAILABLE"), CHAT_FAIL_OVERLOADED},
        {STR_INIT("DEADLINE_EXCEEDED"), CHAT_FAIL_TIMEOUT},     {STR_INIT("INTERNAL"), CHAT_FAIL_SERVER},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(names[i].name, status)) return names[i].kind;
    return chat_failure_kind_of_status(http);
}

// "12s", "0.5s"
static unsigned seconds_of(struct str duration) {
    uint64_t s;
    struct str text = chat_inner(duration);
    size_t dot = MIN(str_find_char(text, '.'), str_find_char(text, 's'));
    if (!str_to_u64(str_head(text, dot), &s)) return 0;
    return (unsigned)MIN(s + (dot < text.n && text.p[dot] == '.'), (uint64_t)86400);
}

static void read_details(struct str details, struct chat_failure *f) {
    struct json_reader r;
    struct str one, value;
    enum json_kind kind;
    json_reader_init(&r, details, JSON_DEPTH_MAX);
    if (!json_enter_array(&r)) return;
    while (json_element(&r, &kind)) {
        if (!json_skip(&r, &one)) return;
        if (JSON_GET(one, &value, STR("retryDelay")) && value.p[0] == '"') f->retry_s = seconds_of(value);
        if (JSON_GET(one, &value, STR("reason")) && value.p[0] == '"') f->code = chat_inner(value);
    }
}

// The first element of an array-wrapped error.
static struct str unwrapped(struct str body) {
    struct json_reader r;
    struct str one = body;
    enum json_kind kind;
    if (!body.n || body.p[0] != '[') return body;
    json_reader_init(&r, body, 0);
    if (json_enter_array(&r) && json_element(&r, &kind) && json_skip(&r, &one)) return one;
    return body;
}

bool gemini_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure) {
    struct err ignored;
    struct gemini_read rd = {.arena = arena, .err = &ignored, .lenient = true};
    struct str outer[1], f[4];
    uint64_t code;
    if (!gemini_object(&rd, unwrapped(str_trim(body)), NULL, k_error, 1, outer) || !outer[0].p) return false;
    if (!gemini_object(&rd, outer[0], NULL, k_status, ARRAY_LEN(k_status), f) || !(f[MESSAGE].p || f[STATUS].p))
        return false;
    if (status < 400 && gemini_u64(f[CODE], &code) && code >= 400 && code < 600) status = (int)code;
    if (status < 400) status = 500;
    struct chat_failure failure = {
        .status = status, .message = STR(""), .code = STR(""), .type = STR(""), .param = STR("")};
    if (f[MESSAGE].p) failure.message = chat_inner(f[MESSAGE]);
    if (f[STATUS].p) failure.type = failure.code = chat_inner(f[STATUS]);
    failure.kind = kind_of(failure.type, status);
    if (f[DETAILS].p) read_details(f[DETAILS], &failure);
    if (str_eq(failure.code, STR("API_KEY_INVALID"))) failure.kind = CHAT_FAIL_AUTHENTICATION;
    if (failure.kind == CHAT_FAIL_INVALID)
        failure.kind = chat_failure_kind_of_text(failure.code, failure.message, CHAT_FAIL_INVALID);
    *out_failure = failure;
    return true;
}
