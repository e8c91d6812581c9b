// Streams of Cohere's chat: its events as chat events.
#include "model/cohere/cohere.h"

void cohere_decoder_init(void *decoder) { *(struct cohere_decoder *)decoder = (struct cohere_decoder){0}; }

static bool invalid(struct err *err) {
    err->code = ERR_UPSTREAM_INVALID;
    err->status = err_info(ERR_UPSTREAM_INVALID)->status;
    return err_wrap(err, "the provider's stream");
}

static struct str string_at(struct str raw, const struct str *path, size_t n) {
    struct str value;
    return raw.p && json_get(raw, path, n, &value) && json_raw_kind(value) == JSON_STRING ? chat_inner(value) : STR("");
}
#define STRING_AT(raw, ...)                                                                                            \
    string_at((raw), (const struct str[]){__VA_ARGS__}, sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))

static void end_plan(struct cohere_decoder *d, struct chat_sink *sink) {
    if (!d->plan) return;
    d->plan = false;
    chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_END, .part = COHERE_PART_PLAN});
}

static void put_plan(struct cohere_decoder *d, struct str delta, struct chat_sink *sink) {
    struct str text = STRING_AT(delta, STR("message"), STR("tool_plan"));
    if (!text.n) return;
    struct chat_event e = {.kind = CHAT_PART_BEGIN, .part = COHERE_PART_PLAN, .part_kind = CHAT_THINKING};
    if (!d->plan) chat_emit(sink, &e);
    d->plan = true;
    e.kind = CHAT_DELTA;
    e.text = text;
    chat_emit(sink, &e);
}

static void begin_content(struct str delta, unsigned part, struct chat_sink *sink) {
    struct str type = STRING_AT(delta, STR("message"), STR("content"), STR("type"));
    bool thinks = str_eq(type, STR("thinking"));
    struct chat_event e = {.kind = CHAT_PART_BEGIN, .part = part, .part_kind = thinks ? CHAT_THINKING : CHAT_TEXT};
    chat_emit(sink, &e);
    e.kind = CHAT_DELTA;
    e.text = STRING_AT(delta, STR("message"), STR("content"), thinks ? STR("thinking") : STR("text"));
    if (e.text.n) chat_emit(sink, &e);
}

static void put_content(struct str delta, unsigned part, struct chat_sink *sink) {
    struct str text = STRING_AT(delta, STR("message"), STR("content"), STR("text"));
    struct str thoughts = STRING_AT(delta, STR("message"), STR("content"), STR("thinking"));
    struct chat_event e = {.kind = CHAT_DELTA,
                           .part = part,
                           .part_kind = thoughts.n ? CHAT_THINKING : CHAT_TEXT,
                           .text = thoughts.n ? thoughts : text};
    if (e.text.n) chat_emit(sink, &e);
}

static void begin_call(struct str delta, unsigned part, struct chat_sink *sink) {
    struct chat_event e = {
        .kind = CHAT_PART_BEGIN,
        .part = part,
        .part_kind = CHAT_TOOL_CALL,
        .id = STRING_AT(delta, STR("message"), STR("tool_calls"), STR("id")),
        .name = STRING_AT(delta, STR("message"), STR("tool_calls"), STR("function"), STR("name")),
    };
    chat_emit(sink, &e);
    e.kind = CHAT_DELTA;
    e.text = STRING_AT(delta, STR("message"), STR("tool_calls"), STR("function"), STR("arguments"));
    if (e.text.n) chat_emit(sink, &e);
}

static void put_arguments(struct str delta, unsigned part, struct chat_sink *sink) {
    struct chat_event e = {
        .kind = CHAT_DELTA,
        .part = part,
        .part_kind = CHAT_TOOL_CALL,
        .text = STRING_AT(delta, STR("message"), STR("tool_calls"), STR("function"), STR("arguments")),
    };
    if (e.text.n) chat_emit(sink, &e);
}

static void put_citation(struct str delta, struct chat_sink *sink) {
    struct str raw, index;
    uint64_t content = 0;
    if (!delta.p || !JSON_GET(delta, &raw, STR("message"), STR("citations"))) return;
    if (JSON_GET(raw, &index, STR("content_index")) && !json_raw_u64(index, &content)) content = 0;
    if (content < COHERE_INDEX_MAX) cohere_emit_citation(raw, cohere_content_part(content), sink);
}

static void put_end(struct str delta, struct chat_sink *sink) {
    struct usage usage = {0};
    struct str raw, reason;
    struct str error = STRING_AT(delta, STR("error"));
    if (!delta.p) return;
    if (JSON_GET(delta, &raw, STR("usage")) && cohere_usage_read(raw, &usage))
        chat_emit(sink, &(struct chat_event){.kind = CHAT_USAGE, .usage = &usage});
    if (!JSON_GET(delta, &reason, STR("finish_reason"))) reason = STR("\"COMPLETE\"");
    if (!error.n && !json_string_eq(reason, STR("ERROR")) && !json_string_eq(reason, STR("TIMEOUT"))) {
        chat_emit(sink, &(struct chat_event){.kind = CHAT_FINISH, .finish = cohere_finish_of(reason)});
        return;
    }
    bool late = json_string_eq(reason, STR("TIMEOUT"));
    const struct chat_failure failure = {.kind = late ? CHAT_FAIL_TIMEOUT : CHAT_FAIL_SERVER,
                                         .status = late ? 504 : 500,
                                         .message = error.n ? error : STR("the provider broke its answer off")};
    chat_emit(sink, &(struct chat_event){.kind = CHAT_FAIL, .failure = &failure});
}

enum { TYPE, INDEX, DELTA, ID, MESSAGE };

static bool read_index(const struct json_field *field, uint64_t *out_index) {
    *out_index = 0;
    if (!field->found || field->kind == JSON_NULL) return true;
    return json_raw_u64(field->raw, out_index) && *out_index < COHERE_INDEX_MAX;
}

static void put_event(struct cohere_decoder *d, struct str type, uint64_t index, struct str delta,
                      struct chat_sink *sink) {
    unsigned content = cohere_content_part(index), call = cohere_call_part(index);
    if (!json_string_eq(type, STR("tool-plan-delta"))) end_plan(d, sink);
    if (json_string_eq(type, STR("tool-plan-delta")))
        put_plan(d, delta, sink);
    else if (json_string_eq(type, STR("content-start")))
        begin_content(delta, content, sink);
    else if (json_string_eq(type, STR("content-delta")))
        put_content(delta, content, sink);
    else if (json_string_eq(type, STR("content-end")))
        chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_END, .part = content});
    else if (json_string_eq(type, STR("tool-call-start")))
        begin_call(delta, call, sink);
    else if (json_string_eq(type, STR("tool-call-delta")))
        put_arguments(delta, call, sink);
    else if (json_string_eq(type, STR("tool-call-end")))
        chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_END, .part = call});
    else if (json_string_eq(type, STR("citation-start")))
        put_citation(delta, sink);
    else if (json_string_eq(type, STR("message-end")))
        put_end(delta, sink);
}

bool cohere_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err) {
    struct cohere_decoder *d = decoder;
    struct json_field f[] = {[TYPE] = {.name = STR_INIT("type")},
                             [INDEX] = {.name = STR_INIT("index")},
                             [DELTA] = {.name = STR_INIT("delta")},
                             [ID] = {.name = STR_INIT("id")},
                             [MESSAGE] = {.name = STR_INIT("message")}};
    struct chat_failure failure;
    uint64_t index;
    if (str_eq(frame->data, STR("[DONE]")) || !str_trim(frame->data).n) return true;
    if (!json_scan(frame->data, f, ARRAY_LEN(f), err)) return invalid(err);
    if (!f[TYPE].found && cohere_read_failure(frame->data, 500, NULL, &failure)) {
        chat_emit(sink, &(struct chat_event){.kind = CHAT_FAIL, .failure = &failure});
        return true;
    }
    if (!read_index(&f[INDEX], &index))
        return err_set(err, ERR_UPSTREAM_INVALID, "the provider's stream has an impossible index");
    struct str id = f[ID].found && f[ID].kind == JSON_STRING ? chat_inner(f[ID].raw) : STR("");
    if (!d->begun) chat_emit(sink, &(struct chat_event){.kind = CHAT_BEGIN, .id = id});
    d->begun = true;
    put_event(d, f[TYPE].raw, index, f[DELTA].kind == JSON_OBJECT ? f[DELTA].raw : STR_NONE, sink);
    return true;
}

void cohere_decode_end(void *decoder, struct chat_sink *sink) { end_plan(decoder, sink); }
