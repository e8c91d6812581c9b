// Whole answers of Bedrock's Converse, and what they share with streams: reasons, counts, citations, errors.
#include "model/bedrock/bedrock.h"

enum chat_finish bedrock_finish_of(struct str raw) {
    static const struct {
        struct str name;
        enum chat_finish finish;
    } reasons[] = {
        {STR_INIT("end_turn"), CHAT_FINISH_STOP},
        {STR_INIT("tool_use"), CHAT_FINISH_TOOLS},
        {STR_INIT("max_tokens"), CHAT_FINISH_LENGTH},
        {STR_INIT("model_context_window_exceeded"), CHAT_FINISH_LENGTH},
        {STR_INIT("stop_sequence"), CHAT_FINISH_STOP_SEQUENCE},
        {STR_INIT("guardrail_intervened"), CHAT_FINISH_FILTER},
        {STR_INIT("content_filtered"), CHAT_FINISH_FILTER},
        {STR_INIT("refusal"), CHAT_FINISH_FILTER},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (json_string_eq(raw, reasons[i].name)) return reasons[i].finish;
    return CHAT_FINISH_STOP;
}

// --- counts ---

static uint64_t count_of(const struct json_field *field) {
    uint64_t v = 0;
    return field->found && chat_tokens_of(field->raw, &v) ? v : 0;
}

static bool add_detail(void *arg, size_t index, struct str raw, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("ttl")}, {.name = STR_INIT("inputTokens")}};
    (void)index;
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return false;
    if (json_string_eq(f[0].raw, STR("1h"))) *(uint64_t *)arg += count_of(&f[1]);
    return true;
}

// inputTokens leaves out what the cache was read or written for; ours has all of it.
bool bedrock_usage_read(struct str raw, struct usage *io_usage) {
    enum { INPUT, OUTPUT, READ, WRITE, DETAILS };
    struct json_field f[] = {[INPUT] = {.name = STR_INIT("inputTokens")},
                             [OUTPUT] = {.name = STR_INIT("outputTokens")},
                             [READ] = {.name = STR_INIT("cacheReadInputTokens")},
                             [WRITE] = {.name = STR_INIT("cacheWriteInputTokens")},
                             [DETAILS] = {.name = STR_INIT("cacheDetails")}};
    struct err ignored;
    uint64_t hour = 0;
    if (!json_scan(raw, f, ARRAY_LEN(f), &ignored) || !f[INPUT].found || !f[OUTPUT].found) return false;
    struct usage u = {.cached = count_of(&f[READ]), .cache_write = count_of(&f[WRITE]), .output = count_of(&f[OUTPUT])};
    u.prompt = count_of(&f[INPUT]) + u.cached + u.cache_write;
    if (chat_given(&f[DETAILS]).p && f[DETAILS].kind == JSON_ARRAY &&
        chat_each(f[DETAILS].raw, add_detail, &hour, &ignored))
        u.cache_write_1h = MIN(hour, u.cache_write);
    *io_usage = u;
    return true;
}

bool bedrock_usage_of(struct str data, struct usage *io_usage) {
    struct json_field f[] = {{.name = STR_INIT("usage"), .kinds = JSON_IS(JSON_OBJECT), .required = true}};
    struct err ignored;
    return json_scan(data, f, 1, &ignored) && bedrock_usage_read(f[0].raw, io_usage);
}

// --- citations ---

static void put_number(struct json_writer *w, struct str key, const struct json_field *field) {
    if (field->found && field->kind == JSON_NUMBER) json_put_member_raw(w, key, field->raw);
}

// Where it was found, in Anthropic's words.
static void put_location(struct json_writer *w, struct str location) {
    static const struct {
        struct str name, type, start, end;
    } kinds[] = {
        {STR_INIT("documentChar"), STR_INIT("char_location"), STR_INIT("start_char_index"), STR_INIT("end_char_index")},
        {STR_INIT("documentPage"), STR_INIT("page_location"), STR_INIT("start_page_number"),
         STR_INIT("end_page_number")},
        {STR_INIT("documentChunk"), STR_INIT("content_block_location"), STR_INIT("start_block_index"),
         STR_INIT("end_block_index")},
        {STR_INIT("searchResultLocation"), STR_INIT("search_result_location"), STR_INIT("start_block_index"),
         STR_INIT("end_block_index")},
    };
    struct str raw;
    struct err ignored;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct json_field f[] = {{.name = STR_INIT("documentIndex")},
                                 {.name = STR_INIT("start")},
                                 {.name = STR_INIT("end")},
                                 {.name = STR_INIT("searchResultIndex")}};
        if (!JSON_GET(location, &raw, kinds[i].name) || !json_scan(raw, f, ARRAY_LEN(f), &ignored)) continue;
        json_put_member_str(w, STR("type"), kinds[i].type);
        put_number(w, STR("document_index"), &f[0]);
        put_number(w, STR("search_result_index"), &f[3]);
        put_number(w, kinds[i].start, &f[1]);
        put_number(w, kinds[i].end, &f[2]);
        return;
    }
    json_put_member_str(w, STR("type"), STR("web_search_result_location"));
    if (JSON_GET(location, &raw, STR("web"), STR("url"))) json_put_member_raw(w, STR("url"), raw);
}

static bool add_source_text(void *arg, size_t index, struct str raw, struct err *err) {
    struct str text;
    (void)index, (void)err;
    if (JSON_GET(raw, &text, STR("text")) && json_raw_kind(text) == JSON_STRING) buf_put(arg, chat_inner(text));
    return true;
}

void bedrock_emit_citation(struct str raw, unsigned part, struct chat_sink *sink) {
    enum { TITLE, SOURCES, LOCATION };
    struct json_field f[] = {[TITLE] = {.name = STR_INIT("title")},
                             [SOURCES] = {.name = STR_INIT("sourceContent")},
                             [LOCATION] = {.name = STR_INIT("location")}};
    BUF_AUTO struct buf out = BUF_INIT(raw.n * 2 + 1024), text = BUF_INIT(raw.n + 16);
    struct json_writer w;
    struct err ignored;
    if (json_raw_kind(raw) != JSON_OBJECT || !json_scan(raw, f, ARRAY_LEN(f), &ignored)) return;
    json_writer_init(&w, &out);
    json_put_object(&w);
    put_location(&w, chat_given(&f[LOCATION]));
    buf_putc(&text, '"');
    if (f[SOURCES].found && f[SOURCES].kind == JSON_ARRAY)
        (void)!chat_each(f[SOURCES].raw, add_source_text, &text, &ignored);
    buf_putc(&text, '"');
    json_put_member_raw(&w, STR("cited_text"), buf_str(&text));
    if (f[TITLE].found && f[TITLE].kind == JSON_STRING) json_put_member_raw(&w, STR("document_title"), f[TITLE].raw);
    json_put_object_end(&w);
    if (out.failed || text.failed) return;
    chat_emit(sink,
              &(struct chat_event){.kind = CHAT_CITATION, .part = part, .part_kind = CHAT_TEXT, .raw = buf_str(&out)});
}

// --- content blocks ---

struct block_list {
    struct chat_sink *sink;
    bool json; // the answer's schema was a tool's, and it was called
};

static void begin(struct chat_sink *sink, size_t index, enum chat_part_kind kind) {
    chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_BEGIN, .part = (unsigned)index, .part_kind = kind});
}
static void delta(struct chat_sink *sink, size_t index, enum chat_part_kind kind, struct str text) {
    chat_emit(sink, &(struct chat_event){.kind = CHAT_DELTA, .part = (unsigned)index, .part_kind = kind, .text = text});
}

static struct str string_at(struct str raw, struct str first, struct str second) {
    struct str value;
    bool found = second.n ? JSON_GET(raw, &value, first, second) : JSON_GET(raw, &value, first);
    return found && json_raw_kind(value) == JSON_STRING ? chat_inner(value) : STR("");
}

static bool put_call(struct block_list *l, size_t index, struct str raw, struct err *err) {
    struct chat_sink *sink = l->sink;
    enum { ID, NAME, INPUT };
    struct json_field f[] = {[ID] = {.name = STR_INIT("toolUseId"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             [NAME] = {.name = STR_INIT("name"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             [INPUT] = {.name = STR_INIT("input")}};
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return false;
    bool json = json_string_eq(f[NAME].raw, STR(ANTHROPIC_JSON_TOOL)); // what is asked for as text
    l->json = l->json || json;
    chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_BEGIN,
                                         .part = (unsigned)index,
                                         .part_kind = json ? CHAT_TEXT : CHAT_TOOL_CALL,
                                         .id = json ? STR("") : chat_inner(f[ID].raw),
                                         .name = json ? STR("") : chat_inner(f[NAME].raw)});
    if (chat_given(&f[INPUT]).p) chat_emit_json(f[INPUT].raw, (unsigned)index, sink);
    return true;
}

static void put_thoughts(struct chat_sink *sink, size_t index, struct str raw) {
    struct str redacted = string_at(raw, STR("redactedContent"), STR(""));
    struct str signature = string_at(raw, STR("reasoningText"), STR("signature"));
    enum chat_part_kind kind = redacted.n ? CHAT_REDACTED_THINKING : CHAT_THINKING;
    begin(sink, index, kind);
    delta(sink, index, kind, redacted.n ? redacted : string_at(raw, STR("reasoningText"), STR("text")));
    if (signature.n)
        chat_emit(sink, &(struct chat_event){
                            .kind = CHAT_SIGNATURE, .part = (unsigned)index, .part_kind = kind, .text = signature});
}

struct cited {
    struct chat_sink *sink;
    unsigned part;
};

static bool visit_cited_text(void *arg, size_t index, struct str raw, struct err *err) {
    struct cited *c = arg;
    (void)index, (void)err;
    delta(c->sink, c->part, CHAT_TEXT, string_at(raw, STR("text"), STR("")));
    return true;
}

static bool visit_citation(void *arg, size_t index, struct str raw, struct err *err) {
    struct cited *c = arg;
    (void)index, (void)err;
    bedrock_emit_citation(raw, c->part, c->sink);
    return true;
}

static bool put_cited(struct chat_sink *sink, size_t index, struct str raw, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("content"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
                             {.name = STR_INIT("citations"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL}};
    struct cited c = {sink, (unsigned)index};
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return false;
    begin(sink, index, CHAT_TEXT);
    if (chat_given(&f[0]).p && !chat_each(f[0].raw, visit_cited_text, &c, err)) return false;
    return !chat_given(&f[1]).p || chat_each(f[1].raw, visit_citation, &c, err);
}

static bool visit_block(void *arg, size_t index, struct str raw, struct err *err) {
    struct chat_sink *sink = ((struct block_list *)arg)->sink;
    enum { TEXT, CALL, REASONING, CITED, IMAGE };
    struct json_field f[] = {[TEXT] = {.name = STR_INIT("text")},
                             [CALL] = {.name = STR_INIT("toolUse")},
                             [REASONING] = {.name = STR_INIT("reasoningContent")},
                             [CITED] = {.name = STR_INIT("citationsContent")},
                             [IMAGE] = {.name = STR_INIT("image")}};
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return false;
    if (chat_given(&f[CALL]).p) {
        if (!put_call(arg, index, f[CALL].raw, err)) return false;
    } else if (chat_given(&f[REASONING]).p) {
        put_thoughts(sink, index, f[REASONING].raw);
    } else if (chat_given(&f[CITED]).p) {
        if (!put_cited(sink, index, f[CITED].raw, err)) return false;
    } else if (f[TEXT].found && f[TEXT].kind == JSON_STRING) {
        begin(sink, index, CHAT_TEXT);
        delta(sink, index, CHAT_TEXT, chat_inner(f[TEXT].raw));
    } else if (chat_given(&f[IMAGE]).p) {
        begin(sink, index, CHAT_IMAGE);
        delta(sink, index, CHAT_IMAGE, string_at(f[IMAGE].raw, STR("source"), STR("bytes")));
    } else {
        return true;
    }
    chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_END, .part = (unsigned)index});
    return true;
}

static bool decode_whole(struct str body, struct chat_sink *sink, struct err *err) {
    enum { OUTPUT, REASON };
    struct json_field f[] = {[OUTPUT] = {.name = STR_INIT("output"), .kinds = JSON_IS(JSON_OBJECT), .required = true},
                             [REASON] = {.name = STR_INIT("stopReason")}};
    struct block_list l = {.sink = sink};
    struct str content;
    struct usage usage = {0};
    if (!json_scan(body, f, ARRAY_LEN(f), err)) return false;
    chat_emit(sink, &(struct chat_event){.kind = CHAT_BEGIN});
    if (JSON_GET(f[OUTPUT].raw, &content, STR("message"), STR("content")) && json_raw_kind(content) == JSON_ARRAY &&
        !chat_each(content, visit_block, &l, err))
        return false;
    if (bedrock_usage_of(body, &usage)) chat_emit(sink, &(struct chat_event){.kind = CHAT_USAGE, .usage = &usage});
    enum chat_finish finish = bedrock_finish_of(f[REASON].raw);
    if (l.json && finish == CHAT_FINISH_TOOLS) finish = CHAT_FINISH_STOP;
    chat_emit(sink, &(struct chat_event){.kind = CHAT_FINISH, .finish = finish});
    return true;
}

bool bedrock_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err) {
    (void)arena;
    if (decode_whole(body, sink, err)) return true;
    err->code = ERR_UPSTREAM_INVALID;
    err->status = err_info(ERR_UPSTREAM_INVALID)->status;
    return err_wrap(err, "the provider's answer");
}

bool bedrock_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure) {
    enum { LOWER, UPPER, TYPE };
    struct json_field f[] = {[LOWER] = {.name = STR_INIT("message")},
                             [UPPER] = {.name = STR_INIT("Message")},
                             [TYPE] = {.name = STR_INIT("__type")}};
    struct err ignored;
    (void)arena;
    if (status < 400) status = 500;
    if (!json_scan(body, f, ARRAY_LEN(f), &ignored)) return false;
    const struct json_field *message = f[LOWER].found ? &f[LOWER] : &f[UPPER];
    if (!message->found || message->kind != JSON_STRING) return false;
    *out_failure = (struct chat_failure){.kind = chat_failure_kind_of_status(status), .status = status};
    out_failure->message = chat_inner(message->raw);
    if (f[TYPE].found && f[TYPE].kind == JSON_STRING) out_failure->type = out_failure->code = chat_inner(f[TYPE].raw);
    out_failure->kind = chat_failure_kind_of_text(STR(""), out_failure->message, out_failure->kind);
    return true;
}
