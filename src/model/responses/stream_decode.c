// Reads a Responses stream, or a whole response, into chat events.
#include "model/responses/stream.h"

struct reading {
    struct responses_decoder *d;
    struct chat_sink *sink;
    struct json_field *f; // of the event that is being read
    struct arena *arena;  // of a whole answer; NULL in a stream
};

enum {
    F_TYPE,
    F_RESPONSE,
    F_ITEM,
    F_OUTPUT,
    F_CONTENT,
    F_DELTA,
    F_PART,
    F_ANNOTATION,
    F_ERROR,
    F_CODE,
    F_MESSAGE,
    F_TEXT,
    F_REFUSAL,
    F_ARGUMENTS,
    F_INPUT,
    F_COUNT
};
static const struct json_field k_fields[F_COUNT] = {
    [F_TYPE] = {.name = STR_INIT("type")},
    [F_RESPONSE] = {.name = STR_INIT("response")},
    [F_ITEM] = {.name = STR_INIT("item")},
    [F_OUTPUT] = {.name = STR_INIT("output_index")},
    [F_CONTENT] = {.name = STR_INIT("content_index")},
    [F_DELTA] = {.name = STR_INIT("delta")},
    [F_PART] = {.name = STR_INIT("part")},
    [F_ANNOTATION] = {.name = STR_INIT("annotation")},
    [F_ERROR] = {.name = STR_INIT("error")},
    [F_CODE] = {.name = STR_INIT("code")},
    [F_MESSAGE] = {.name = STR_INIT("message")},
    [F_TEXT] = {.name = STR_INIT("text")},
    [F_REFUSAL] = {.name = STR_INIT("refusal")},
    [F_ARGUMENTS] = {.name = STR_INIT("arguments")},
    [F_INPUT] = {.name = STR_INIT("input")},
};

static struct str inner_of(struct str object, struct str name) { return chat_inner(responses_string(object, name)); }

static unsigned number_of(const struct json_field *f) {
    uint64_t v;
    return f->found && f->kind == JSON_NUMBER && json_raw_u64(f->raw, &v) ? (unsigned)MIN(v, (uint64_t)0x7fffffff) : 0;
}

// --- parts ---

static struct responses_part *part_find(struct responses_decoder *d, unsigned output, int content) {
    for (size_t i = d->open; i-- > 0;)
        if (d->list[i].output == output && d->list[i].content == content) return &d->list[i];
    return NULL;
}

static struct responses_part *part_open(struct reading *r, unsigned output, int content, enum chat_part_kind kind,
                                        struct str id, struct str name) {
    struct responses_decoder *d = r->d;
    if (d->open == RESPONSES_PARTS_MAX) { // the oldest will hardly go on
        memmove(&d->list[0], &d->list[1], sizeof d->list[0] * (RESPONSES_PARTS_MAX - 1));
        d->open--;
    }
    struct responses_part *p = &d->list[d->open++];
    *p = (struct responses_part){.output = output, .content = content, .part = d->parts++, .kind = kind};
    struct chat_event e = {.kind = CHAT_PART_BEGIN, .part = p->part, .part_kind = kind, .id = id, .name = name};
    chat_emit(r->sink, &e);
    if (kind == CHAT_TOOL_CALL) d->called = true;
    return p;
}

static void part_tell(struct reading *r, struct responses_part *p, struct str text) {
    if (!text.n) return;
    p->told = true;
    struct chat_event e = {.kind = CHAT_DELTA, .part = p->part, .part_kind = p->kind, .text = text};
    chat_emit(r->sink, &e);
}

static void part_sign(struct reading *r, const struct responses_part *p, struct str text) {
    struct chat_event e = {.kind = CHAT_SIGNATURE, .part = p->part, .part_kind = p->kind, .text = text};
    if (text.n) chat_emit(r->sink, &e);
}

static void part_end(struct reading *r, struct responses_part *p) {
    struct responses_decoder *d = r->d;
    struct chat_event e = {.kind = CHAT_PART_END, .part = p->part, .part_kind = p->kind};
    chat_emit(r->sink, &e);
    size_t i = (size_t)(p - d->list);
    memmove(p, p + 1, sizeof *p * (d->open - i - 1));
    d->open--;
}

// --- thoughts ---

// A whole item is one part, whatever it consists of: its secret is of all of it.
static struct responses_part *thought(struct reading *r, unsigned output) {
    struct responses_part *p = part_find(r->d, output, -1);
    return p ? p : part_open(r, output, -1, CHAT_THINKING, STR(""), STR(""));
}

static void thought_texts(struct reading *r, unsigned output, struct str item, struct str member) {
    struct json_reader reader;
    struct str list, raw;
    enum json_kind kind;
    if (!json_get(item, &member, 1, &list) || json_raw_kind(list) != JSON_ARRAY) return;
    json_reader_init(&reader, list, JSON_DEPTH_MAX);
    if (!json_enter_array(&reader)) return;
    while (json_element(&reader, &kind) && json_skip(&reader, &raw)) {
        struct str text = inner_of(raw, STR("text"));
        if (!text.n) continue;
        struct responses_part *p = thought(r, output);
        if (p->told) part_tell(r, p, STR("\\n\\n"));
        part_tell(r, p, text);
    }
}

static void thought_done(struct reading *r, unsigned output, struct str item) {
    struct str secret = inner_of(item, STR("encrypted_content")), own = STR(RESPONSES_OWN);
    struct responses_part *p = part_find(r->d, output, -1);
    if (!p || !p->told) {
        thought_texts(r, output, item, STR("summary"));
        p = part_find(r->d, output, -1);
        if (!p) thought_texts(r, output, item, STR("content"));
    }
    if (secret.n) {
        p = thought(r, output);
        struct buf b = BUF_INIT(secret.n + own.n);
        buf_put(&b, own);
        buf_put(&b, secret);
        if (!b.failed) part_sign(r, p, buf_str(&b));
        buf_free(&b);
    }
    p = part_find(r->d, output, -1);
    if (p) part_end(r, p);
}

// --- messages ---

static enum chat_part_kind content_kind(struct str part) {
    return json_string_eq(responses_string(part, STR("type")), STR("refusal")) ? CHAT_REFUSAL : CHAT_TEXT;
}

static struct responses_part *content(struct reading *r, unsigned output, int index, enum chat_part_kind kind) {
    struct responses_part *p = part_find(r->d, output, index);
    return p ? p : part_open(r, output, index, kind, STR(""), STR(""));
}

// An annotation as Anthropic has its citations.
static void tell_annotation(struct reading *r, const struct responses_part *p, struct str note) {
    struct str url = responses_string(note, STR("url")), title = responses_string(note, STR("title"));
    if (!url.p) return;
    struct buf b = BUF_INIT(url.n + title.n + 256);
    buf_lit(&b, "{\"type\":\"web_search_result_location\",\"cited_text\":\"\",\"encrypted_index\":\"\",\"title\":");
    buf_put(&b, title.p ? title : STR("null"));
    buf_lit(&b, ",\"url\":");
    buf_put(&b, url);
    buf_lit(&b, "}");
    struct chat_event e = {.kind = CHAT_CITATION, .part = p->part, .part_kind = p->kind, .raw = buf_str(&b)};
    if (!b.failed) chat_emit(r->sink, &e);
    buf_free(&b);
}

static void tell_annotations(struct reading *r, const struct responses_part *p, struct str part) {
    struct json_reader reader;
    struct str list, raw, name = STR("annotations");
    enum json_kind kind;
    if (!json_get(part, &name, 1, &list) || json_raw_kind(list) != JSON_ARRAY) return;
    json_reader_init(&reader, list, JSON_DEPTH_MAX);
    if (!json_enter_array(&reader)) return;
    while (json_element(&reader, &kind) && json_skip(&reader, &raw)) tell_annotation(r, p, raw);
}

// A whole part: what was not told of it by pieces.
static void content_whole(struct reading *r, unsigned output, int index, struct str part) {
    enum chat_part_kind kind = content_kind(part);
    struct responses_part *p = content(r, output, index, kind);
    struct str text = inner_of(part, kind == CHAT_REFUSAL ? STR("refusal") : STR("text"));
    bool told = p->told;
    if (!told) part_tell(r, p, text);
    if (!told) tell_annotations(r, p, part);
    part_end(r, p);
}

static void message_done(struct reading *r, unsigned output, struct str item) {
    struct json_reader reader;
    struct str list, raw, name = STR("content");
    enum json_kind kind;
    int i = 0;
    if (!r->arena) { // in a stream its parts have been told, each
        for (size_t k = r->d->open; k-- > 0;)
            if (k < r->d->open && r->d->list[k].output == output) part_end(r, &r->d->list[k]);
        return;
    }
    if (!json_get(item, &name, 1, &list) || json_raw_kind(list) != JSON_ARRAY) return;
    json_reader_init(&reader, list, JSON_DEPTH_MAX);
    if (!json_enter_array(&reader)) return;
    while (json_element(&reader, &kind) && json_skip(&reader, &raw)) content_whole(r, output, i++, raw);
}

// --- calls ---

static struct responses_part *call(struct reading *r, unsigned output, struct str item) {
    struct responses_part *p = part_find(r->d, output, -1);
    if (p) return p;
    struct str id = inner_of(item, STR("call_id")), name = inner_of(item, STR("name"));
    if (!id.n) id = inner_of(item, STR("id"));
    return part_open(r, output, -1, CHAT_TOOL_CALL, id, name);
}

static void call_whole(struct reading *r, unsigned output, struct str args) {
    struct responses_part *p = part_find(r->d, output, -1);
    if (p && !p->told) part_tell(r, p, args);
}

// Escaped text once more.
static void escape_again(struct buf *b, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' || text.p[i] == '"') buf_lit(b, "\\");
        buf_putc(b, text.p[i]);
    }
}

// A tool of free text is, to others, a function of one text.
static void free_call_done(struct reading *r, unsigned output, struct str item) {
    struct str input = inner_of(item, STR("input"));
    struct responses_part *p = call(r, output, item);
    struct buf b = BUF_INIT(input.n * 2 + 64);
    buf_lit(&b, "{\\\"" RESPONSES_FREE_INPUT "\\\":\\\"");
    escape_again(&b, input);
    buf_lit(&b, "\\\"}");
    if (!b.failed && !p->told) part_tell(r, p, buf_str(&b));
    part_end(r, p);
    buf_free(&b);
}

static void call_done(struct reading *r, unsigned output, struct str item) {
    struct responses_part *p = call(r, output, item);
    call_whole(r, output, inner_of(item, STR("arguments")));
    part_end(r, p);
}

// --- items ---

static bool is_item(struct str item, struct str type) {
    return json_string_eq(responses_string(item, STR("type")), type);
}

static void item_added(struct reading *r, unsigned output, struct str item) {
    if (is_item(item, STR("function_call")) || is_item(item, STR("custom_tool_call"))) call(r, output, item);
}

static void item_done(struct reading *r, unsigned output, struct str item) {
    if (is_item(item, STR("function_call")))
        call_done(r, output, item);
    else if (is_item(item, STR("custom_tool_call")))
        free_call_done(r, output, item);
    else if (is_item(item, STR("reasoning")))
        thought_done(r, output, item);
    else if (is_item(item, STR("message")))
        message_done(r, output, item);
}

// --- the response ---

static void tell_begin(struct reading *r, struct str response) {
    if (r->d->begun) return;
    r->d->begun = true;
    struct chat_event e = {.kind = CHAT_BEGIN};
    e.id = inner_of(response, STR("id"));
    e.name = inner_of(response, STR("model"));
    chat_emit(r->sink, &e);
}

static void tell_failure(struct reading *r, struct str error) {
    struct chat_failure f;
    if (r->d->failed) return;
    r->d->failed = true;
    if (!responses_error_read(error, 500, &f))
        f = (struct chat_failure){.kind = CHAT_FAIL_SERVER, .status = 500, .message = STR("the response failed")};
    if (str_eq(f.code, STR("rate_limit_exceeded"))) f.kind = CHAT_FAIL_RATE_LIMIT, f.status = 429;
    if (str_eq(f.code, STR("server_is_overloaded"))) f.kind = CHAT_FAIL_OVERLOADED, f.status = 503;
    if (str_eq(f.type, STR("invalid_request_error")) && f.kind == CHAT_FAIL_SERVER) f.kind = CHAT_FAIL_INVALID;
    if (str_eq(f.code, STR("invalid_prompt"))) f.kind = CHAT_FAIL_CONTENT_POLICY;
    if (f.kind == CHAT_FAIL_CONTEXT_LENGTH || f.kind == CHAT_FAIL_CONTENT_POLICY) f.status = 400;
    struct chat_event e = {.kind = CHAT_FAIL, .failure = &f};
    chat_emit(r->sink, &e);
}

static enum chat_finish finish_of(struct reading *r, struct str response) {
    struct str reason;
    if (JSON_GET(response, &reason, STR("incomplete_details"), STR("reason"))) {
        if (json_string_eq(reason, STR("max_output_tokens"))) return CHAT_FINISH_LENGTH;
        if (json_string_eq(reason, STR("content_filter"))) return CHAT_FINISH_FILTER;
    }
    return r->d->called ? CHAT_FINISH_TOOLS : CHAT_FINISH_STOP;
}

static void tell_end(struct reading *r, struct str response) {
    struct usage usage = {0};
    struct str raw;
    if (r->d->finished) return;
    r->d->finished = true;
    if (JSON_GET(response, &raw, STR("usage")) && responses_usage_read(raw, &usage)) {
        struct chat_event e = {.kind = CHAT_USAGE, .usage = &usage};
        chat_emit(r->sink, &e);
    }
    struct chat_event e = {.kind = CHAT_FINISH, .finish = finish_of(r, response), .text = STR("")};
    chat_emit(r->sink, &e);
}

static struct str error_of(struct str response) {
    struct str raw = STR_NONE, name = STR("error");
    return json_get(response, &name, 1, &raw) ? raw : STR_NONE;
}

// --- events of a stream ---

static struct str field_text(const struct reading *r, int field) {
    const struct json_field *f = &r->f[field];
    return f->found && f->kind == JSON_STRING ? chat_inner(f->raw) : STR("");
}

static struct str field_object(const struct reading *r, int field) {
    const struct json_field *f = &r->f[field];
    return f->found && f->kind == JSON_OBJECT ? f->raw : STR("{}");
}

static unsigned at_output(const struct reading *r) { return number_of(&r->f[F_OUTPUT]); }
static int at_content(const struct reading *r) { return (int)number_of(&r->f[F_CONTENT]); }

static void on_begin(struct reading *r) { tell_begin(r, field_object(r, F_RESPONSE)); }
static void on_item(struct reading *r) { item_added(r, at_output(r), field_object(r, F_ITEM)); }
static void on_item_done(struct reading *r) { item_done(r, at_output(r), field_object(r, F_ITEM)); }

static bool is_thought_part(const struct reading *r) { return is_item(field_object(r, F_PART), STR("reasoning_text")); }

static void on_part(struct reading *r) {
    if (is_thought_part(r))
        thought(r, at_output(r));
    else
        content(r, at_output(r), at_content(r), content_kind(field_object(r, F_PART)));
}

static void on_part_done(struct reading *r) {
    if (!is_thought_part(r)) content_whole(r, at_output(r), at_content(r), field_object(r, F_PART));
}

static void on_text(struct reading *r) {
    part_tell(r, content(r, at_output(r), at_content(r), CHAT_TEXT), field_text(r, F_DELTA));
}

static void on_text_done(struct reading *r) {
    struct responses_part *p = content(r, at_output(r), at_content(r), CHAT_TEXT);
    if (!p->told) part_tell(r, p, field_text(r, F_TEXT));
}

static void on_refusal(struct reading *r) {
    part_tell(r, content(r, at_output(r), at_content(r), CHAT_REFUSAL), field_text(r, F_DELTA));
}

static void on_annotation(struct reading *r) {
    struct responses_part *p = part_find(r->d, at_output(r), at_content(r));
    if (p) tell_annotation(r, p, field_object(r, F_ANNOTATION));
}

static void on_arguments(struct reading *r) {
    struct responses_part *p = part_find(r->d, at_output(r), -1);
    if (p) part_tell(r, p, field_text(r, F_DELTA));
}

static void on_arguments_done(struct reading *r) { call_whole(r, at_output(r), field_text(r, F_ARGUMENTS)); }

// Another part of the summary is another paragraph.
static void on_summary(struct reading *r) {
    struct responses_part *p = thought(r, at_output(r));
    if (p->told) part_tell(r, p, STR("\\n\\n"));
}

static void on_thought(struct reading *r) { part_tell(r, thought(r, at_output(r)), field_text(r, F_DELTA)); }

static void on_end(struct reading *r) {
    tell_begin(r, field_object(r, F_RESPONSE));
    tell_end(r, field_object(r, F_RESPONSE));
}

static void on_failed(struct reading *r) { tell_failure(r, error_of(field_object(r, F_RESPONSE))); }

// Either in an object of its own or in the event itself.
static void on_error(struct reading *r) {
    if (r->f[F_ERROR].found && r->f[F_ERROR].kind == JSON_OBJECT) {
        tell_failure(r, r->f[F_ERROR].raw);
        return;
    }
    struct buf b = BUF_INIT(1 << 20);
    buf_lit(&b, "{\"code\":\"");
    buf_put(&b, field_text(r, F_CODE));
    buf_lit(&b, "\",\"message\":\"");
    buf_put(&b, field_text(r, F_MESSAGE));
    buf_lit(&b, "\"}");
    tell_failure(r, b.failed ? STR("") : buf_str(&b));
    buf_free(&b);
}

static const struct {
    struct str type;
    void (*take)(struct reading *r);
} k_events[] = {
    {STR_INIT("response.output_text.delta"), on_text},
    {STR_INIT("response.function_call_arguments.delta"), on_arguments},
    {STR_INIT("response.reasoning_summary_text.delta"), on_thought},
    {STR_INIT("response.reasoning_text.delta"), on_thought},
    {STR_INIT("response.refusal.delta"), on_refusal},
    {STR_INIT("response.created"), on_begin},
    {STR_INIT("response.in_progress"), on_begin},
    {STR_INIT("response.output_item.added"), on_item},
    {STR_INIT("response.output_item.done"), on_item_done},
    {STR_INIT("response.content_part.added"), on_part},
    {STR_INIT("response.content_part.done"), on_part_done},
    {STR_INIT("response.output_text.done"), on_text_done},
    {STR_INIT("response.output_text.annotation.added"), on_annotation},
    {STR_INIT("response.function_call_arguments.done"), on_arguments_done},
    {STR_INIT("response.reasoning_summary_part.added"), on_summary},
    {STR_INIT("response.completed"), on_end},
    {STR_INIT("response.incomplete"), on_end},
    {STR_INIT("response.failed"), on_failed},
    {STR_INIT("error"), on_error},
};

void responses_decoder_init(void *decoder) { *(struct responses_decoder *)decoder = (struct responses_decoder){0}; }

bool responses_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err) {
    struct json_field f[F_COUNT];
    struct reading r = {.d = decoder, .sink = sink, .f = f};
    memcpy(f, k_fields, sizeof f);
    if (str_eq(frame->data, STR("[DONE]"))) return true;
    if (!json_scan(frame->data, f, F_COUNT, err) || !f[F_TYPE].found) {
        return err_set(err, ERR_UPSTREAM_INVALID, "an event of the provider's stream is not one of a response: %.*s",
                       STR_ARG(str_head(frame->data, 100)));
    }
    for (size_t i = 0; i < ARRAY_LEN(k_events); i++) {
        if (!json_string_eq(f[F_TYPE].raw, k_events[i].type)) continue;
        k_events[i].take(&r);
        break;
    }
    return true;
}

void responses_decode_end(void *decoder, struct chat_sink *sink) {
    (void)decoder; // what has begun, chat_order ends
    (void)sink;
}

// --- a whole answer ---

bool responses_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err) {
    enum { OUTPUT, STATUS, ERROR };
    struct json_field f[] = {[OUTPUT] = {.name = STR_INIT("output"), .kinds = JSON_IS(JSON_ARRAY)},
                             [STATUS] = {.name = STR_INIT("status")},
                             [ERROR] = {.name = STR_INIT("error")}};
    struct responses_decoder d = {0};
    struct reading r = {.d = &d, .sink = sink, .arena = arena};
    struct str *items;
    size_t n;
    if (!json_scan(body, f, ARRAY_LEN(f), err) || (!f[OUTPUT].found && !f[ERROR].found))
        return err_set(err, ERR_UPSTREAM_INVALID, "the provider's answer is not a response");
    tell_begin(&r, body);
    if (f[ERROR].found && f[ERROR].kind == JSON_OBJECT) {
        tell_failure(&r, f[ERROR].raw);
        return true;
    }
    if (!responses_array(f[OUTPUT].raw, &items, &n, arena)) return err_no_memory(err);
    for (size_t i = 0; i < n; i++) item_done(&r, (unsigned)i, items[i]);
    tell_end(&r, body);
    return true;
}
