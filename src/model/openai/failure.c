// Errors in OpenAI's dialect: written, and a vendor's read.
//
// Source: OpenAI API reference, {"error":{"message","type","param","code"}}; and what others send who speak the
// dialect: an array around it (Gemini's compatibility layer), "error" as a text (Hugging Face, Ollama, xAI), no "error"
// at all but "message" or "detail" (vLLM, Mistral, NVIDIA), "errors" (Cloudflare).
#include "base/json_write.h"
#include "model/openai/openai.h"

struct kind_name {
    struct str type, code; // code empty: what the provider said
};
static const struct kind_name k_kinds[] = {
    [CHAT_FAIL_INVALID] = {STR_INIT("invalid_request_error"), STR_INIT("")},
    [CHAT_FAIL_AUTHENTICATION] = {STR_INIT("authentication_error"), STR_INIT("")},
    [CHAT_FAIL_PERMISSION] = {STR_INIT("permission_error"), STR_INIT("")},
    [CHAT_FAIL_NOT_FOUND] = {STR_INIT("invalid_request_error"), STR_INIT("")},
    [CHAT_FAIL_TOO_LARGE] = {STR_INIT("invalid_request_error"), STR_INIT("")},
    [CHAT_FAIL_RATE_LIMIT] = {STR_INIT("rate_limit_error"), STR_INIT("")},
    [CHAT_FAIL_QUOTA] = {STR_INIT("insufficient_quota"), STR_INIT("")},
    [CHAT_FAIL_CONTEXT_LENGTH] = {STR_INIT("invalid_request_error"), STR_INIT("context_length_exceeded")},
    [CHAT_FAIL_CONTENT_POLICY] = {STR_INIT("invalid_request_error"), STR_INIT("content_policy_violation")},
    [CHAT_FAIL_OVERLOADED] = {STR_INIT("server_error"), STR_INIT("")},
    [CHAT_FAIL_TIMEOUT] = {STR_INIT("server_error"), STR_INIT("")},
    [CHAT_FAIL_SERVER] = {STR_INIT("server_error"), STR_INIT("")},
};

// Types of this dialect, or of ours in it, stay; other dialects' names mean nothing to its clients.
static struct str type_of(const struct chat_failure *f) {
    static const struct str known[] = {
        STR_INIT("invalid_request_error"),
        STR_INIT("authentication_error"),
        STR_INIT("permission_error"),
        STR_INIT("rate_limit_error"),
        STR_INIT("insufficient_quota"),
        STR_INIT("server_error"),
        STR_INIT("upstream_error"),
        STR_INIT("tokens"),
        STR_INIT("requests"),
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(f->type, known[i])) return f->type;
    return k_kinds[f->kind].type;
}

static void put_member(struct buf *out, struct str name, struct str escaped) {
    buf_putc(out, '"');
    buf_put(out, name);
    buf_lit(out, "\":");
    if (!escaped.n) {
        buf_lit(out, "null");
        return;
    }
    buf_putc(out, '"');
    buf_put(out, escaped);
    buf_putc(out, '"');
}

void openai_put_failure(const struct chat_failure *f, struct str request_id, struct buf *out) {
    (void)request_id; // is a header in this dialect
    buf_lit(out, "{\"error\":{\"message\":\"");
    buf_put(out, f->message);
    buf_lit(out, "\",");
    put_member(out, STR("type"), type_of(f));
    buf_putc(out, ',');
    put_member(out, STR("param"), f->param);
    buf_putc(out, ',');
    put_member(out, STR("code"), k_kinds[f->kind].code.n ? k_kinds[f->kind].code : f->code);
    buf_lit(out, "}}");
}

void openai_put_failure_event(const struct chat_failure *f, struct str request_id, struct buf *out) {
    buf_lit(out, "data: ");
    openai_put_failure(f, request_id, out);
    buf_lit(out, "\n\n");
}

// --- read ---

static struct str text_of(const struct json_field *f) {
    if (!f->found) return STR("");
    if (f->kind == JSON_STRING) return chat_inner(f->raw);
    return f->kind == JSON_NUMBER ? f->raw : STR("");
}

// The kinds that codes and types of vendors name.
static enum chat_failure_kind kind_of(struct str name, enum chat_failure_kind otherwise) {
    static const struct {
        struct str name;
        enum chat_failure_kind kind;
    } names[] = {
        {STR_INIT("invalid_api_key"), CHAT_FAIL_AUTHENTICATION},
        {STR_INIT("authentication_error"), CHAT_FAIL_AUTHENTICATION},
        {STR_INIT("model_not_found"), CHAT_FAIL_NOT_FOUND},
        {STR_INIT("rate_limit_exceeded"), CHAT_FAIL_RATE_LIMIT},
        {STR_INIT("rate_limit_error"), CHAT_FAIL_RATE_LIMIT},
        {STR_INIT("insufficient_quota"), CHAT_FAIL_QUOTA},
        {STR_INIT("billing_hard_limit_reached"), CHAT_FAIL_QUOTA},
        {STR_INIT("context_length_exceeded"), CHAT_FAIL_CONTEXT_LENGTH},
        {STR_INIT("string_above_max_length"), CHAT_FAIL_CONTEXT_LENGTH},
        {STR_INIT("exceed_context_size_error"), CHAT_FAIL_CONTEXT_LENGTH},
        {STR_INIT("content_filter"), CHAT_FAIL_CONTENT_POLICY},
        {STR_INIT("content_policy_violation"), CHAT_FAIL_CONTENT_POLICY},
        {STR_INIT("overloaded_error"), CHAT_FAIL_OVERLOADED},
        {STR_INIT("service_unavailable"), CHAT_FAIL_OVERLOADED},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i].name)) return names[i].kind;
    return otherwise;
}

// A status of its own within the body ("code":429), where HTTP says 200.
static int status_of(struct str code, int status) {
    uint64_t v;
    if (status < 400 && str_to_u64(code, &v) && v >= 400 && v <= 599) return (int)v;
    return status < 400 ? 500 : status;
}

static void settle(struct chat_failure *f, int status) {
    f->status = status_of(f->code, status);
    if (status < 400 && f->status == 500 && str_eq(f->type, STR("invalid_request_error"))) f->status = 400;
    enum chat_failure_kind kind = chat_failure_kind_of_status(f->status);
    kind = kind_of(f->type, kind);
    kind = kind_of(f->code, kind);
    f->kind = chat_failure_kind_of_text(f->code, f->message, kind);
}

enum { MESSAGE, TYPE, PARAM, CODE, DETAIL, TITLE, MSG, STATUS, MEMBERS };
#define FAILURE_FIELDS                                                                                                 \
    {                                                                                                                  \
        [MESSAGE] = {.name = STR_INIT("message")}, [TYPE] = {.name = STR_INIT("type")},                                \
        [PARAM] = {.name = STR_INIT("param")}, [CODE] = {.name = STR_INIT("code")},                                    \
        [DETAIL] = {.name = STR_INIT("detail")}, [TITLE] = {.name = STR_INIT("title")},                                \
        [MSG] = {.name = STR_INIT("msg")}, [STATUS] = {                                                                \
            .name = STR_INIT("status")                                                                                 \
        }                                                                                                              \
    }

// An object with a message under one of its names.
static bool read_object(struct str object, struct chat_failure *f) {
    struct json_field m[MEMBERS] = FAILURE_FIELDS;
    struct err ignored;
    if (!json_scan(object, m, MEMBERS, &ignored)) return false;
    static const int texts[] = {MESSAGE, DETAIL, MSG, TITLE};
    for (size_t i = 0; i < ARRAY_LEN(texts) && !f->message.n; i++) f->message = text_of(&m[texts[i]]);
    f->type = text_of(&m[TYPE]);
    f->param = text_of(&m[PARAM]);
    f->code = text_of(&m[CODE]);
    if (!f->type.n && m[STATUS].found && m[STATUS].kind == JSON_STRING) f->type = text_of(&m[STATUS]);
    // Mistral and FastAPI: {"detail":[{"msg":…}]}, {"message":{"detail":[…]}}.
    struct str inner = STR_NONE;
    if (!f->message.n && m[DETAIL].found && m[DETAIL].kind == JSON_ARRAY) inner = m[DETAIL].raw;
    if (!f->message.n && m[MESSAGE].found && m[MESSAGE].kind == JSON_OBJECT)
        if (!JSON_GET(m[MESSAGE].raw, &inner, STR("detail"))) inner = STR_NONE;
    if (inner.n && inner.p[0] == '[') {
        struct json_reader r;
        enum json_kind kind;
        struct str first, msg;
        json_reader_init(&r, inner, 0);
        if (json_enter_array(&r) && json_element(&r, &kind) && json_skip(&r, &first) &&
            JSON_GET(first, &msg, STR("msg")) && json_raw_kind(msg) == JSON_STRING)
            f->message = chat_inner(msg);
    }
    return f->message.n || f->code.n || f->type.n;
}

// The first element of an array, or the text itself.
static struct str unwrapped(struct str text) {
    struct json_reader r;
    enum json_kind kind;
    struct str first;
    text = str_trim(text);
    if (!text.n || text.p[0] != '[') return text;
    json_reader_init(&r, text, 0);
    return json_enter_array(&r) && json_element(&r, &kind) && json_skip(&r, &first) ? first : text;
}

bool openai_failure_of(struct str data, int status, struct chat_failure *out_failure) {
    struct json_field top[] = {{.name = STR_INIT("error")},
                               {.name = STR_INIT("errors")},
                               {.name = STR_INIT("code")},
                               {.name = STR_INIT("choices")}};
    struct chat_failure f = {.message = STR(""), .code = STR(""), .type = STR(""), .param = STR("")};
    struct err ignored;
    struct str body = unwrapped(data);
    if (!json_scan(body, top, ARRAY_LEN(top), &ignored)) return false;
    bool known = false;
    if (top[0].found && top[0].kind == JSON_OBJECT) {
        known = true;
        (void)read_object(top[0].raw, &f);
    } else if (top[0].found && top[0].kind == JSON_STRING) {
        known = true;
        f.message = chat_inner(top[0].raw);
        f.code = text_of(&top[2]);
    } else if (top[1].found && top[1].kind == JSON_ARRAY && str_trim(str_from(top[1].raw, 1)).p[0] != ']') {
        known = read_object(unwrapped(top[1].raw), &f);
    } else if (!top[3].found) {
        known = read_object(body, &f) && f.message.n;
    }
    if (!known) return false;
    settle(&f, status);
    *out_failure = f;
    return true;
}

bool openai_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure) {
    (void)arena;
    return openai_failure_of(body, status, out_failure);
}
