// Streams of Bedrock's ConverseStream: events of AWS' event stream as chat events.
#include "model/bedrock/bedrock.h"

void bedrock_decoder_init(void *decoder) { *(struct bedrock_decoder *)decoder = (struct bedrock_decoder){0}; }

static bool invalid(struct err *err) {
    err->code = ERR_UPSTREAM_INVALID;
    err->status = err_info(ERR_UPSTREAM_INVALID)->status;
    return err_wrap(err, "the provider's stream");
}

static struct str text_of(const struct json_field *field) {
    return field->found && field->kind == JSON_STRING ? chat_inner(field->raw) : STR("");
}

// Only calls are announced; other blocks begin with their first delta.
static void begin_part(struct bedrock_decoder *d, unsigned index, enum chat_part_kind kind, struct str id,
                       struct str name, struct chat_sink *sink) {
    if (d->kinds[index]) return;
    d->kinds[index] = (uint8_t)(kind + 1);
    chat_emit(sink,
              &(struct chat_event){.kind = CHAT_PART_BEGIN, .part = index, .part_kind = kind, .id = id, .name = name});
}

static void put_piece(struct bedrock_decoder *d, unsigned index, enum chat_part_kind kind, struct str text,
                      struct chat_sink *sink) {
    begin_part(d, index, kind, STR(""), STR(""), sink);
    kind = (enum chat_part_kind)(d->kinds[index] - 1);
    chat_emit(sink, &(struct chat_event){.kind = CHAT_DELTA, .part = index, .part_kind = kind, .text = text});
}

static bool put_reasoning(struct bedrock_decoder *d, unsigned index, struct str raw, struct chat_sink *sink,
                          struct err *err) {
    enum { TEXT, SIGNATURE, REDACTED };
    struct json_field f[] = {[TEXT] = {.name = STR_INIT("text"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
                             [SIGNATURE] = {.name = STR_INIT("signature")},
                             [REDACTED] = {.name = STR_INIT("redactedContent")}};
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return false;
    if (text_of(&f[REDACTED]).n) {
        put_piece(d, index, CHAT_REDACTED_THINKING, text_of(&f[REDACTED]), sink);
        return true;
    }
    put_piece(d, index, CHAT_THINKING, text_of(&f[TEXT]), sink);
    struct str signature = text_of(&f[SIGNATURE]);
    if (signature.n)
        chat_emit(sink, &(struct chat_event){
                            .kind = CHAT_SIGNATURE, .part = index, .part_kind = CHAT_THINKING, .text = signature});
    return true;
}

static bool put_tool_piece(struct bedrock_decoder *d, unsigned index, struct str raw, struct chat_sink *sink,
                           struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("input"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL}};
    if (!json_scan(raw, f, 1, err)) return false;
    put_piece(d, index, CHAT_TOOL_CALL, text_of(&f[0]), sink);
    return true;
}

static bool put_image(struct bedrock_decoder *d, unsigned index, struct str raw, struct chat_sink *sink) {
    struct str bytes;
    if (JSON_GET(raw, &bytes, STR("source"), STR("bytes")) && json_raw_kind(bytes) == JSON_STRING)
        put_piece(d, index, CHAT_IMAGE, chat_inner(bytes), sink);
    return true;
}

static bool put_delta(struct bedrock_decoder *d, unsigned index, struct str raw, struct chat_sink *sink,
                      struct err *err) {
    enum { TEXT, TOOL, REASONING, CITATION, IMAGE };
    struct json_field f[] = {[TEXT] = {.name = STR_INIT("text")},
                             [TOOL] = {.name = STR_INIT("toolUse")},
                             [REASONING] = {.name = STR_INIT("reasoningContent")},
                             [CITATION] = {.name = STR_INIT("citation")},
                             [IMAGE] = {.name = STR_INIT("image")}};
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return false;
    if (chat_given(&f[REASONING]).p) return put_reasoning(d, index, f[REASONING].raw, sink, err);
    if (chat_given(&f[TOOL]).p) return put_tool_piece(d, index, f[TOOL].raw, sink, err);
    if (chat_given(&f[IMAGE]).p) return put_image(d, index, f[IMAGE].raw, sink);
    if (chat_given(&f[CITATION]).p) {
        begin_part(d, index, CHAT_TEXT, STR(""), STR(""), sink);
        bedrock_emit_citation(f[CITATION].raw, index, sink);
        return true;
    }
    if (f[TEXT].found) put_piece(d, index, CHAT_TEXT, text_of(&f[TEXT]), sink);
    return true;
}

// The kind that its start names: "png".
static void begin_image(struct bedrock_decoder *d, unsigned index, struct str raw, struct chat_sink *sink) {
    char mime[32] = "image/";
    struct str format;
    size_t n = strlen(mime);
    if (d->kinds[index]) return;
    if (!JSON_GET(raw, &format, STR("format")) || json_raw_kind(format) != JSON_STRING) format = STR("\"png\"");
    struct str inner = chat_inner(format);
    bool plain = inner.n && inner.n <= 8;
    for (size_t i = 0; plain && i < inner.n; i++) plain = inner.p[i] >= 'a' && inner.p[i] <= 'z';
    if (!plain) inner = STR("png");
    memcpy(mime + n, inner.p, inner.n);
    d->kinds[index] = CHAT_IMAGE + 1;
    chat_emit(sink,
              &(struct chat_event){
                  .kind = CHAT_PART_BEGIN, .part = index, .part_kind = CHAT_IMAGE, .mime = str_of(mime, n + inner.n)});
}

static bool put_start(struct bedrock_decoder *d, unsigned index, struct str raw, struct chat_sink *sink,
                      struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("toolUse"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
                             {.name = STR_INIT("image"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL}};
    struct json_field call[] = {{.name = STR_INIT("toolUseId"), .kinds = JSON_IS(JSON_STRING), .required = true},
                                {.name = STR_INIT("name"), .kinds = JSON_IS(JSON_STRING), .required = true}};
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return false;
    if (chat_given(&f[1]).p) begin_image(d, index, f[1].raw, sink);
    if (!chat_given(&f[0]).p) return true;
    if (!json_scan(f[0].raw, call, ARRAY_LEN(call), err)) return false;
    if (json_string_eq(call[1].raw, STR(ANTHROPIC_JSON_TOOL))) { // what is asked for as text
        d->json = true;
        begin_part(d, index, CHAT_TEXT, STR(""), STR(""), sink);
        return true;
    }
    begin_part(d, index, CHAT_TOOL_CALL, chat_inner(call[0].raw), chat_inner(call[1].raw), sink);
    return true;
}

// An event of a block: its number, and what it says.
static bool read_block(struct bedrock_decoder *d, const struct frame *frame, struct chat_sink *sink, struct err *err) {
    enum { INDEX, START, DELTA };
    struct json_field f[] = {
        [INDEX] = {.name = STR_INIT("contentBlockIndex"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
        [START] = {.name = STR_INIT("start"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [DELTA] = {.name = STR_INIT("delta"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL}};
    uint64_t index;
    if (!json_scan(frame->data, f, ARRAY_LEN(f), err)) return invalid(err);
    if (!json_raw_u64(f[INDEX].raw, &index) || index >= BEDROCK_BLOCKS_MAX)
        return err_set(err, ERR_UPSTREAM_INVALID, "the provider's stream has a content block of an impossible number");
    unsigned i = (unsigned)index;
    if (chat_given(&f[START]).p && !put_start(d, i, f[START].raw, sink, err)) return invalid(err);
    if (chat_given(&f[DELTA]).p && !put_delta(d, i, f[DELTA].raw, sink, err)) return invalid(err);
    if (str_eq(frame->event, STR("contentBlockStop")) && d->kinds[i])
        chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_END, .part = i});
    return true;
}

// "throttlingException" and its like.
static void put_exception(const struct frame *frame, struct chat_sink *sink) {
    static const struct {
        struct str name;
        enum chat_failure_kind kind;
        int status;
    } kinds[] = {
        {STR_INIT("throttlingException"), CHAT_FAIL_RATE_LIMIT, 429},
        {STR_INIT("validationException"), CHAT_FAIL_INVALID, 400},
        {STR_INIT("serviceUnavailableException"), CHAT_FAIL_OVERLOADED, 503},
        {STR_INIT("modelTimeoutException"), CHAT_FAIL_TIMEOUT, 504},
    };
    struct json_field f[] = {{.name = STR_INIT("message")}, {.name = STR_INIT("Message")}};
    struct err ignored;
    struct chat_failure failure = {.kind = CHAT_FAIL_SERVER, .status = 500, .type = frame->event, .code = frame->event};
    struct str raw = STR("\"the provider broke its stream off\"");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_eq_nocase(frame->event, kinds[i].name)) continue;
        failure.kind = kinds[i].kind;
        failure.status = kinds[i].status;
    }
    if (json_scan(frame->data, f, ARRAY_LEN(f), &ignored)) {
        if (f[0].found && f[0].kind == JSON_STRING) raw = f[0].raw;
        if (f[1].found && f[1].kind == JSON_STRING) raw = f[1].raw;
    }
    // Names of exceptions are plain words; anything else must not get into an answer unescaped.
    for (size_t i = 0; i < frame->event.n; i++) {
        char c = frame->event.p[i];
        if (c <= ' ' || c >= 127 || c == '"' || c == '\\') failure.type = failure.code = STR("exception");
    }
    failure.message = chat_inner(raw);
    failure.kind = chat_failure_kind_of_text(STR(""), failure.message, failure.kind);
    chat_emit(sink, &(struct chat_event){.kind = CHAT_FAIL, .failure = &failure});
}

static bool put_stop(const struct bedrock_decoder *d, const struct frame *frame, struct chat_sink *sink,
                     struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("stopReason")}};
    if (!json_scan(frame->data, f, 1, err)) return invalid(err);
    enum chat_finish finish = bedrock_finish_of(f[0].raw);
    if (d->json && finish == CHAT_FINISH_TOOLS) finish = CHAT_FINISH_STOP;
    chat_emit(sink, &(struct chat_event){.kind = CHAT_FINISH, .finish = finish});
    return true;
}

bool bedrock_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err) {
    struct bedrock_decoder *d = decoder;
    struct usage usage = {0};
    if (frame->exception) {
        put_exception(frame, sink);
        return true;
    }
    if (!d->begun) chat_emit(sink, &(struct chat_event){.kind = CHAT_BEGIN});
    d->begun = true;
    if (str_starts(frame->event, STR("contentBlock"))) return read_block(d, frame, sink, err);
    if (str_eq(frame->event, STR("messageStop"))) return put_stop(d, frame, sink, err);
    if (str_eq(frame->event, STR("metadata")) && bedrock_usage_of(frame->data, &usage))
        chat_emit(sink, &(struct chat_event){.kind = CHAT_USAGE, .usage = &usage});
    return true;
}

void bedrock_decode_end(void *decoder, struct chat_sink *sink) {
    (void)decoder;
    (void)sink;
}
