// Answers in Anthropic's dialect as events: streams and whole ones.
#include "model/anthropic/anthropic.h"

enum block { BLOCK_NONE, BLOCK_TEXT, BLOCK_THINKING, BLOCK_CALL, BLOCK_JSON };

struct decoder {
    struct usage usage;
    uint32_t index; // of the open block
    uint8_t block;  // enum block
    bool told_args; // of the open call: some of its arguments
    bool called;    // a call that is the client's
    bool begun;
};
_Static_assert(sizeof(struct decoder) <= ANTHROPIC_DECODER_SIZE, "the decoder fits in what it is said to need");

void anthropic_decoder_init(void *decoder) { *(struct decoder *)decoder = (struct decoder){.index = 0}; }

static struct str text_of(const struct json_field *f) {
    return f->found && f->kind == JSON_STRING ? chat_inner(f->raw) : STR("");
}

enum chat_finish anthropic_finish_of(struct str raw) {
    static const struct {
        struct str name;
        enum chat_finish finish;
    } k_reasons[] = {
        {STR_INIT("end_turn"), CHAT_FINISH_STOP},     {STR_INIT("stop_sequence"), CHAT_FINISH_STOP_SEQUENCE},
        {STR_INIT("max_tokens"), CHAT_FINISH_LENGTH}, {STR_INIT("model_context_window_exceeded"), CHAT_FINISH_LENGTH},
        {STR_INIT("tool_use"), CHAT_FINISH_TOOLS},    {STR_INIT("pause_turn"), CHAT_FINISH_PAUSE},
        {STR_INIT("refusal"), CHAT_FINISH_FILTER},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_reasons); i++)
        if (json_string_eq(raw, k_reasons[i].name)) return k_reasons[i].finish;
    return json_raw_kind(raw) == JSON_STRING ? CHAT_FINISH_STOP : CHAT_FINISH_NONE;
}

static void emit_text(struct chat_sink *sink, unsigned part, struct str text) {
    if (text.n) chat_emit(sink, &(struct chat_event){.kind = CHAT_DELTA, .part = part, .text = text});
}

static void emit_usage(struct decoder *d, struct chat_sink *sink, struct str raw) {
    if (anthropic_usage_read(raw, &d->usage))
        chat_emit(sink, &(struct chat_event){.kind = CHAT_USAGE, .usage = &d->usage});
}

static void emit_begin(struct decoder *d, struct chat_sink *sink, struct str id, struct str model) {
    if (d->begun) return;
    d->begun = true;
    chat_emit(sink, &(struct chat_event){.kind = CHAT_BEGIN, .id = id, .name = model});
}

static void emit_finish(struct decoder *d, struct chat_sink *sink, struct str reason, struct str stop) {
    enum chat_finish finish = anthropic_finish_of(reason);
    // The forced tool that stands for a schema is no call.
    if (finish == CHAT_FINISH_TOOLS && !d->called) finish = CHAT_FINISH_STOP;
    if (finish != CHAT_FINISH_NONE)
        chat_emit(sink, &(struct chat_event){.kind = CHAT_FINISH, .finish = finish, .text = stop});
}

// --- blocks ---

struct fields {
    struct json_field type, text, thinking, signature, data, id, name, input, citations;
};

static bool read_block(struct str raw, struct fields *f) {
    struct json_field list[] = {
        {.name = STR_INIT("type")},      {.name = STR_INIT("text")},  {.name = STR_INIT("thinking")},
        {.name = STR_INIT("signature")}, {.name = STR_INIT("data")},  {.name = STR_INIT("id")},
        {.name = STR_INIT("name")},      {.name = STR_INIT("input")}, {.name = STR_INIT("citations")}};
    struct err ignored;
    if (!json_scan(raw, list, ARRAY_LEN(list), &ignored)) return false;
    *f = (struct fields){list[0], list[1], list[2], list[3], list[4], list[5], list[6], list[7], list[8]};
    return true;
}

static void emit_citations(struct chat_sink *sink, unsigned part, const struct json_field *f) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    if (!f->found || f->kind != JSON_ARRAY) return;
    json_reader_init(&r, f->raw, 0);
    if (!json_enter_array(&r)) return;
    while (json_element(&r, &kind) && json_skip(&r, &raw))
        if (kind == JSON_OBJECT) chat_emit(sink, &(struct chat_event){.kind = CHAT_CITATION, .part = part, .raw = raw});
}

// The arguments that stand in the block itself: all of them in a whole answer, none ("{}") in a stream that tells them
// later.
static void emit_input(struct decoder *d, struct chat_sink *sink, unsigned part, const struct json_field *f) {
    if (!f->found || f->kind != JSON_OBJECT) return;
    if (!str_trim(str_from(str_head(f->raw, f->raw.n - 1), 1)).n) return;
    d->told_args = true;
    if (d->block == BLOCK_JSON || d->block == BLOCK_CALL) {
        struct buf b = BUF_INIT(f->raw.n * 6 + 16);
        json_escape_put(&b, f->raw);
        if (!b.failed) emit_text(sink, part, buf_str(&b));
        buf_free(&b);
    }
}

static void begin_call(struct decoder *d, struct chat_sink *sink, unsigned part, const struct fields *f) {
    char name[ANTHROPIC_NAME_MAX], id[ANTHROPIC_NAME_MAX];
    struct chat_event e = {.kind = CHAT_PART_BEGIN, .part = part, .part_kind = CHAT_TOOL_CALL};
    e.name = anthropic_name_back(text_of(&f->name), name);
    e.id = anthropic_name_back(text_of(&f->id), id);
    d->told_args = false;
    d->block = BLOCK_CALL;
    if (str_eq(e.name, STR(ANTHROPIC_JSON_TOOL))) {
        d->block = BLOCK_JSON;
        e = (struct chat_event){.kind = CHAT_PART_BEGIN, .part = part, .part_kind = CHAT_TEXT};
    } else {
        d->called = true;
    }
    chat_emit(sink, &e);
    emit_input(d, sink, part, &f->input);
}

static void begin_block(struct decoder *d, struct chat_sink *sink, unsigned part, struct str raw) {
    struct fields f;
    struct chat_event e = {.kind = CHAT_PART_BEGIN, .part = part, .part_kind = CHAT_TEXT};
    d->block = BLOCK_NONE;
    if (!read_block(raw, &f)) return;
    if (anthropic_is(&f.type, STR("tool_use"))) {
        begin_call(d, sink, part, &f);
    } else if (anthropic_is(&f.type, STR("text"))) {
        d->block = BLOCK_TEXT;
        chat_emit(sink, &e);
        emit_text(sink, part, text_of(&f.text));
        emit_citations(sink, part, &f.citations);
    } else if (anthropic_is(&f.type, STR("thinking"))) {
        d->block = BLOCK_THINKING;
        e.part_kind = CHAT_THINKING;
        chat_emit(sink, &e);
        emit_text(sink, part, text_of(&f.thinking));
        struct str signature = text_of(&f.signature);
        e.kind = CHAT_SIGNATURE;
        e.text = signature;
        if (signature.n) chat_emit(sink, &e);
    } else if (anthropic_is(&f.type, STR("redacted_thinking"))) {
        d->block = BLOCK_THINKING;
        e.part_kind = CHAT_REDACTED_THINKING;
        chat_emit(sink, &e);
        emit_text(sink, part, text_of(&f.data));
    } // what Anthropic's own tools do is nothing that another dialect could tell
}

static void end_block(struct decoder *d, struct chat_sink *sink, unsigned part) {
    if (d->block == BLOCK_NONE) return;
    if ((d->block == BLOCK_CALL || d->block == BLOCK_JSON) && !d->told_args) emit_text(sink, part, STR("{}"));
    chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_END, .part = part});
    d->block = BLOCK_NONE;
}

static void take_delta(struct decoder *d, struct chat_sink *sink, unsigned part, struct str raw) {
    struct json_field f[] = {{.name = STR_INIT("text")},
                             {.name = STR_INIT("partial_json")},
                             {.name = STR_INIT("thinking")},
                             {.name = STR_INIT("signature")},
                             {.name = STR_INIT("citation")}};
    struct err ignored;
    if (d->block == BLOCK_NONE || !json_scan(raw, f, ARRAY_LEN(f), &ignored)) return;
    struct chat_event e = {.part = part};
    switch ((enum block)d->block) {
    case BLOCK_TEXT:
        emit_text(sink, part, text_of(&f[0]));
        e.kind = CHAT_CITATION;
        e.raw = f[4].raw;
        if (f[4].found && f[4].kind == JSON_OBJECT) chat_emit(sink, &e);
        break;
    case BLOCK_THINKING:
        emit_text(sink, part, text_of(&f[2]));
        e.kind = CHAT_SIGNATURE;
        e.text = text_of(&f[3]);
        if (e.text.n) chat_emit(sink, &e);
        break;
    case BLOCK_CALL:
    case BLOCK_JSON:
        d->told_args = d->told_args || text_of(&f[1]).n;
        emit_text(sink, part, text_of(&f[1]));
        break;
    case BLOCK_NONE:
        break;
    }
}

// --- streams ---

static void take_start(struct decoder *d, struct chat_sink *sink, struct str raw) {
    struct json_field f[] = {{.name = STR_INIT("id")}, {.name = STR_INIT("model")}, {.name = STR_INIT("usage")}};
    struct err ignored;
    if (!json_scan(raw, f, ARRAY_LEN(f), &ignored)) return;
    emit_begin(d, sink, text_of(&f[0]), text_of(&f[1]));
    if (f[2].found) emit_usage(d, sink, f[2].raw);
}

static void take_message_delta(struct decoder *d, struct chat_sink *sink, struct str delta, struct str usage) {
    struct json_field f[] = {{.name = STR_INIT("stop_reason")}, {.name = STR_INIT("stop_sequence")}};
    struct err ignored;
    if (usage.p) emit_usage(d, sink, usage);
    if (delta.p && json_scan(delta, f, ARRAY_LEN(f), &ignored) && f[0].found)
        emit_finish(d, sink, f[0].raw, text_of(&f[1]));
}

static void take_error(struct chat_sink *sink, struct str data) {
    struct chat_failure failure;
    // The head of the answer has said 200; overloaded is the usual one.
    if (!anthropic_read_failure(data, 500, NULL, &failure))
        failure = (struct chat_failure){.kind = CHAT_FAIL_SERVER, .message = STR("the provider broke off its answer")};
    failure.status = failure.kind == CHAT_FAIL_OVERLOADED ? 529 : failure.status;
    chat_emit(sink, &(struct chat_event){.kind = CHAT_FAIL, .failure = &failure});
}

bool anthropic_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err) {
    enum { TYPE, INDEX, DELTA, BLOCK, MESSAGE, USAGE };
    struct json_field f[] = {{.name = STR_INIT("type")},    {.name = STR_INIT("index")},
                             {.name = STR_INIT("delta")},   {.name = STR_INIT("content_block")},
                             {.name = STR_INIT("message")}, {.name = STR_INIT("usage")}};
    struct decoder *d = decoder;
    uint64_t index = 0;
    if (!str_trim(frame->data).n) return true;
    if (!json_scan(frame->data, f, ARRAY_LEN(f), err)) {
        err_set(err, ERR_UPSTREAM_INVALID, "an event of the provider's stream is not the JSON that it should be");
        return false;
    }
    if (f[INDEX].found && !json_raw_u64(f[INDEX].raw, &index)) index = 0;
    unsigned part = (unsigned)MIN(index, (uint64_t)UINT32_MAX / 2);
    if (anthropic_is(&f[TYPE], STR("content_block_delta"))) {
        if (part == d->index) take_delta(d, sink, part, f[DELTA].raw);
    } else if (anthropic_is(&f[TYPE], STR("content_block_start"))) {
        end_block(d, sink, d->index);
        d->index = part;
        begin_block(d, sink, part, f[BLOCK].raw);
    } else if (anthropic_is(&f[TYPE], STR("content_block_stop"))) {
        if (part == d->index) end_block(d, sink, part);
    } else if (anthropic_is(&f[TYPE], STR("message_start"))) {
        take_start(d, sink, f[MESSAGE].raw);
    } else if (anthropic_is(&f[TYPE], STR("message_delta"))) {
        take_message_delta(d, sink, f[DELTA].raw, f[USAGE].raw);
    } else if (anthropic_is(&f[TYPE], STR("error"))) {
        take_error(sink, frame->data);
    } // ping, message_stop, and what is new
    return true;
}

// A call that was broken off keeps what it has; one without arguments is given none.
void anthropic_decode_end(void *decoder, struct chat_sink *sink) {
    struct decoder *d = decoder;
    end_block(d, sink, d->index);
}

// --- whole answers ---

bool anthropic_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err) {
    enum { ID, MODEL, CONTENT, REASON, STOP, USAGE };
    struct json_field f[] = {
        {.name = STR_INIT("id")},          {.name = STR_INIT("model")},         {.name = STR_INIT("content")},
        {.name = STR_INIT("stop_reason")}, {.name = STR_INIT("stop_sequence")}, {.name = STR_INIT("usage")}};
    struct decoder d;
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    unsigned part = 0;
    (void)arena;
    if (!json_scan(body, f, ARRAY_LEN(f), err) || !f[CONTENT].found || f[CONTENT].kind != JSON_ARRAY)
        return err_set(err, ERR_UPSTREAM_INVALID, "the provider's answer is no message in Anthropic's dialect");
    anthropic_decoder_init(&d);
    emit_begin(&d, sink, text_of(&f[ID]), text_of(&f[MODEL]));
    json_reader_init(&r, f[CONTENT].raw, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (json_element(&r, &kind) && json_skip(&r, &raw)) {
            begin_block(&d, sink, part, raw);
            end_block(&d, sink, part++);
        }
    if (f[USAGE].found) emit_usage(&d, sink, f[USAGE].raw);
    if (f[REASON].found) emit_finish(&d, sink, f[REASON].raw, text_of(&f[STOP]));
    return true;
}
