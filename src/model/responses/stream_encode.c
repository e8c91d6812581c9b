// Makes a Responses stream, or a whole response, out of chat events.
//
// An item is over when the next begins or the answer ends: only then is it known whether it is complete.
#include "base/json_write.h"
#include "model/responses/put.h"

static struct responses_encoder *of_sink(struct chat_sink *sink) { return (struct responses_encoder *)sink; }

static void keep(struct responses_encoder *e, struct responses_text *t, struct str piece) {
    responses_text_put(t, e->reply->arena, piece, &e->no_memory);
}

// --- events ---

// "event: TYPE", and its data up to where the members of this type begin. False: nobody is listening.
static bool event_begin(struct responses_encoder *e, struct str type) {
    if (e->silent) return false;
    buf_lit(e->out, "event: ");
    buf_put(e->out, type);
    buf_lit(e->out, "\ndata: {\"type\":\"");
    buf_put(e->out, type);
    buf_lit(e->out, "\",\"sequence_number\":");
    buf_put_u64(e->out, e->sequence++);
    return true;
}
static void event_end(struct responses_encoder *e) { buf_lit(e->out, "}\n\n"); }

// An event about the open item; content: and about its open part.
static bool item_event(struct responses_encoder *e, struct str type, const char *content) {
    if (!event_begin(e, type)) return false;
    buf_lit(e->out, ",\"item_id\":\"");
    responses_put_item_id(e, e->out);
    buf_lit(e->out, "\",\"output_index\":");
    buf_put_u64(e->out, e->output_index);
    if (!content) return true;
    buf_printf(e->out, ",\"%s\":%u", content, e->content_index);
    return true;
}

static void put_escaped(struct responses_encoder *e, const char *key, struct str text) {
    buf_printf(e->out, ",\"%s\":\"", key);
    buf_put(e->out, text);
    buf_lit(e->out, "\"");
}

static void response_event(struct responses_encoder *e, struct str type, struct str status) {
    if (!event_begin(e, type)) return;
    buf_lit(e->out, ",\"response\":");
    responses_put_object(e, status, e->out);
    event_end(e);
}

static void begin(struct responses_encoder *e) {
    if (e->begun) return;
    e->begun = true;
    responses_find_asked(e);
    response_event(e, STR("response.created"), STR("in_progress"));
    response_event(e, STR("response.in_progress"), STR("in_progress"));
}

// --- items ---

static void put_message(const struct responses_encoder *e, struct str status, struct buf *b) {
    buf_lit(b, "{\"id\":\"");
    responses_put_item_id(e, b);
    buf_lit(b, "\",\"type\":\"message\",\"status\":\"");
    buf_put(b, status);
    buf_lit(b, "\",\"role\":\"assistant\",\"content\":[");
    buf_put(b, responses_text_str(&e->parts));
    buf_lit(b, "]}");
}

static void put_call(const struct responses_encoder *e, struct str status, struct buf *b) {
    bool custom = e->item == RESPONSES_CUSTOM;
    buf_lit(b, "{\"id\":\"");
    responses_put_item_id(e, b);
    buf_printf(b, "\",\"type\":\"%s\",\"status\":\"", custom ? "custom_tool_call" : "function_call");
    buf_put(b, status);
    buf_lit(b, "\",\"call_id\":\"");
    buf_put(b, e->call_id);
    buf_lit(b, "\",\"name\":\"");
    buf_put(b, e->name);
    buf_printf(b, "\",\"%s\":\"", custom ? "input" : "arguments");
    buf_put(b, responses_text_str(&e->text));
    buf_lit(b, "\"}");
}

static void put_reasoning(const struct responses_encoder *e, struct buf *b) {
    buf_lit(b, "{\"id\":\"");
    responses_put_item_id(e, b);
    buf_lit(b, "\",\"type\":\"reasoning\",\"summary\":[");
    if (e->text.n) {
        buf_lit(b, "{\"type\":\"summary_text\",\"text\":\"");
        buf_put(b, responses_text_str(&e->text));
        buf_lit(b, "\"}");
    }
    buf_lit(b, "],\"encrypted_content\":");
    if (e->secret.n) {
        buf_lit(b, "\"");
        buf_put(b, responses_text_str(&e->secret));
        buf_lit(b, "\"}");
    } else {
        buf_lit(b, "null}");
    }
}

static void put_picture(const struct responses_encoder *e, struct str status, struct buf *b) {
    buf_lit(b, "{\"id\":\"");
    responses_put_item_id(e, b);
    buf_lit(b, "\",\"type\":\"image_generation_call\",\"status\":\"");
    buf_put(b, status);
    buf_lit(b, "\",\"result\":");
    if (e->text.n) buf_lit(b, "\"");
    buf_put(b, e->text.n ? responses_text_str(&e->text) : STR("null"));
    if (e->text.n) buf_lit(b, "\"");
    buf_lit(b, "}");
}

static void put_item(const struct responses_encoder *e, struct str status, struct buf *b) {
    switch (e->item) {
    case RESPONSES_NO_ITEM:
        break;
    case RESPONSES_MESSAGE:
        put_message(e, status, b);
        break;
    case RESPONSES_CALL:
    case RESPONSES_CUSTOM:
        put_call(e, status, b);
        break;
    case RESPONSES_REASONING:
        put_reasoning(e, b);
        break;
    case RESPONSES_PICTURE:
        put_picture(e, status, b);
        break;
    }
}

static void item_told(struct responses_encoder *e, struct str type, struct str status) {
    if (!event_begin(e, type)) return;
    buf_lit(e->out, ",\"output_index\":");
    buf_put_u64(e->out, e->output_index);
    buf_lit(e->out, ",\"item\":");
    put_item(e, status, e->out);
    event_end(e);
}

static void open_item(struct responses_encoder *e, enum responses_item item) {
    e->item = item;
    e->parts.n = e->text.n = e->notes.n = e->secret.n = e->counted = e->chars = 0;
    e->content_index = 0;
    item_told(e, STR("response.output_item.added"), STR("in_progress"));
}

static void close_item(struct responses_encoder *e, struct str status) {
    if (e->item == RESPONSES_NO_ITEM) return;
    struct buf b = BUF_INIT(SIZE_MAX / 2);
    item_told(e, STR("response.output_item.done"), status);
    put_item(e, status, &b);
    if (b.failed) e->no_memory = true;
    if (e->items.n) keep(e, &e->items, STR(","));
    keep(e, &e->items, buf_str(&b));
    buf_free(&b);
    e->item = RESPONSES_NO_ITEM;
    e->output_index++;
}

// A reasoning item that carries nothing but somebody's signature.
static void secret_item(struct responses_encoder *e, struct str mark, struct str secret) {
    close_item(e, STR("completed"));
    e->item = RESPONSES_REASONING;
    e->parts.n = e->text.n = e->notes.n = e->secret.n = e->counted = e->chars = 0;
    keep(e, &e->secret, mark);
    keep(e, &e->secret, secret);
    item_told(e, STR("response.output_item.added"), STR("in_progress"));
    close_item(e, STR("completed"));
}

// --- parts ---

static void put_content(const struct responses_encoder *e, struct str text, struct buf *b) {
    if (e->part == CHAT_REFUSAL) {
        buf_lit(b, "{\"type\":\"refusal\",\"refusal\":\"");
        buf_put(b, text);
        buf_lit(b, "\"}");
        return;
    }
    buf_lit(b, "{\"type\":\"output_text\",\"text\":\"");
    buf_put(b, text);
    buf_lit(b, "\",\"annotations\":[");
    buf_put(b, responses_text_str(&e->notes));
    buf_lit(b, "],\"logprobs\":[]}");
}

static void content_event(struct responses_encoder *e, struct str type, struct str text) {
    if (!item_event(e, type, "content_index")) return;
    buf_lit(e->out, ",\"part\":");
    put_content(e, text, e->out);
    event_end(e);
}

static void open_content(struct responses_encoder *e) {
    if (e->item != RESPONSES_MESSAGE) {
        close_item(e, STR("completed"));
        open_item(e, RESPONSES_MESSAGE);
    }
    e->text.n = e->notes.n = e->secret.n = e->counted = e->chars = 0;
    e->note_index = 0;
    content_event(e, STR("response.content_part.added"), STR(""));
}

static void end_content(struct responses_encoder *e) {
    struct buf b = BUF_INIT(SIZE_MAX / 2);
    bool refusal = e->part == CHAT_REFUSAL;
    struct str text = responses_text_str(&e->text);
    if (item_event(e, refusal ? STR("response.refusal.done") : STR("response.output_text.done"), "content_index")) {
        put_escaped(e, refusal ? "refusal" : "text", text);
        if (!refusal) buf_lit(e->out, ",\"logprobs\":[]");
        event_end(e);
    }
    content_event(e, STR("response.content_part.done"), text);
    put_content(e, text, &b);
    if (b.failed) e->no_memory = true;
    if (e->parts.n) keep(e, &e->parts, STR(","));
    keep(e, &e->parts, buf_str(&b));
    buf_free(&b);
    e->content_index++;
    if (e->secret.n) {
        struct str secret = arena_str(e->reply->arena, responses_text_str(&e->secret));
        secret_item(e, STR(RESPONSES_MARK "text:"), secret);
    }
}

static void open_call(struct responses_encoder *e, const struct chat_event *event) {
    struct arena *arena = e->reply->arena;
    close_item(e, STR("completed"));
    e->call_id = arena_str(arena, event->id);
    e->name = arena_str(arena, event->name);
    if ((event->id.n && !e->call_id.p) || (event->name.n && !e->name.p)) e->no_memory = true;
    open_item(e, responses_is_free_tool(e, e->name) ? RESPONSES_CUSTOM : RESPONSES_CALL);
}

// The one text that a function made of a free tool was called with; what is no such call stays as it is.
static void free_input(struct responses_encoder *e) {
    struct arena *arena = e->reply->arena;
    struct str quoted = arena_printf(arena, "\"%.*s\"", STR_ARG(responses_text_str(&e->text))), args, input;
    struct err ignored;
    if (!quoted.n || !json_string_text(quoted, arena, &args) || !json_validate(args, 0, &ignored)) return;
    input = responses_string(args, STR(RESPONSES_FREE_INPUT));
    if (!input.p) return;
    e->text.n = 0;
    keep(e, &e->text, chat_inner(input));
}

static void end_call(struct responses_encoder *e) {
    bool custom = e->item == RESPONSES_CUSTOM;
    if (custom) {
        free_input(e);
        if (e->text.n && item_event(e, STR("response.custom_tool_call_input.delta"), NULL)) {
            put_escaped(e, "delta", responses_text_str(&e->text));
            event_end(e);
        }
    }
    struct str type =
        custom ? STR("response.custom_tool_call_input.done") : STR("response.function_call_arguments.done");
    if (item_event(e, type, NULL)) {
        if (!custom) put_escaped(e, "name", e->name);
        put_escaped(e, custom ? "input" : "arguments", responses_text_str(&e->text));
        event_end(e);
    }
    if (e->secret.n) {
        struct str secret = arena_str(e->reply->arena, responses_text_str(&e->secret));
        secret_item(e, STR(RESPONSES_MARK "call:"), secret);
    }
}

static void summary_event(struct responses_encoder *e, struct str type, struct str text) {
    if (!item_event(e, type, "summary_index")) return;
    buf_lit(e->out, ",\"part\":{\"type\":\"summary_text\",\"text\":\"");
    buf_put(e->out, text);
    buf_lit(e->out, "\"}");
    event_end(e);
}

static void end_reasoning(struct responses_encoder *e) {
    if (!e->summary_open) return;
    struct str text = responses_text_str(&e->text);
    if (item_event(e, STR("response.reasoning_summary_text.done"), "summary_index")) {
        put_escaped(e, "text", text);
        event_end(e);
    }
    summary_event(e, STR("response.reasoning_summary_part.done"), text);
    e->summary_open = false;
}

// --- what comes ---

static void take_part(struct responses_encoder *e, const struct chat_event *event) {
    e->part = event->part_kind;
    e->part_open = true;
    switch (e->part) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        open_content(e);
        break;
    case CHAT_TOOL_CALL:
        open_call(e, event);
        break;
    case CHAT_THINKING:
        close_item(e, STR("completed"));
        open_item(e, RESPONSES_REASONING);
        break;
    case CHAT_REDACTED_THINKING:
        close_item(e, STR("completed"));
        open_item(e, RESPONSES_REASONING);
        keep(e, &e->secret, STR(RESPONSES_MARK "redacted:"));
        break;
    case CHAT_IMAGE:
        close_item(e, STR("completed"));
        open_item(e, RESPONSES_PICTURE);
        break;
    default: // sound cannot be asked for here
        e->part_open = false;
    }
}

static void take_delta(struct responses_encoder *e, struct str text) {
    struct str type = STR("response.output_text.delta");
    const char *content = "content_index";
    if (!e->part_open) return;
    keep(e, e->part == CHAT_REDACTED_THINKING ? &e->secret : &e->text, text);
    switch (e->part) {
    case CHAT_TEXT:
        break;
    case CHAT_REFUSAL:
        type = STR("response.refusal.delta");
        break;
    case CHAT_TOOL_CALL:
        if (e->item == RESPONSES_CUSTOM) return; // told once its one text is known
        type = STR("response.function_call_arguments.delta");
        content = NULL;
        break;
    case CHAT_THINKING:
        if (!e->summary_open) summary_event(e, STR("response.reasoning_summary_part.added"), STR(""));
        e->summary_open = true;
        type = STR("response.reasoning_summary_text.delta");
        content = "summary_index";
        break;
    default:
        return;
    }
    if (!item_event(e, type, content)) return;
    put_escaped(e, "delta", text);
    if (e->part == CHAT_TEXT) buf_lit(e->out, ",\"logprobs\":[]");
    event_end(e);
}

// OpenAI's own secrets as they were, others' with the mark of ours.
static void take_signature(struct responses_encoder *e, struct str text) {
    struct str own = STR(RESPONSES_OWN);
    if (!e->part_open) return;
    if (e->part == CHAT_THINKING && !e->secret.n) {
        if (str_starts(text, own))
            text = str_from(text, own.n);
        else
            keep(e, &e->secret, STR(RESPONSES_MARK "thinking:"));
    }
    if (e->part == CHAT_THINKING || e->part == CHAT_TEXT || e->part == CHAT_TOOL_CALL) keep(e, &e->secret, text);
}

// Characters of escaped text, each escape one of them.
static size_t count_chars(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (((unsigned char)s.p[i] & 0xc0) == 0x80) continue;
        n++;
        if (s.p[i] == '\\') i += i + 1 < s.n && s.p[i + 1] == 'u' ? 5 : 1;
    }
    return n;
}

// Of the open part's text, of which only what is new is counted.
static size_t chars_so_far(struct responses_encoder *e) {
    if (e->counted > e->text.n) e->counted = e->chars = 0;
    e->chars += count_chars(str_from(responses_text_str(&e->text), e->counted));
    e->counted = e->text.n;
    return e->chars;
}

// What a text goes back to, with a URL: others are said in no other dialect.
static void take_citation(struct responses_encoder *e, struct str raw) {
    struct str url = responses_string(raw, STR("url")), title = responses_string(raw, STR("title"));
    if (!e->part_open || e->part != CHAT_TEXT || !url.p) return;
    struct buf b = BUF_INIT(url.n + title.n + 256);
    buf_printf(&b, "{\"type\":\"url_citation\",\"start_index\":0,\"end_index\":%zu,\"url\":", chars_so_far(e));
    buf_put(&b, url);
    buf_lit(&b, ",\"title\":");
    buf_put(&b, title.p ? title : STR("\"\""));
    buf_lit(&b, "}");
    if (b.failed) e->no_memory = true;
    if (e->notes.n) keep(e, &e->notes, STR(","));
    keep(e, &e->notes, buf_str(&b));
    if (item_event(e, STR("response.output_text.annotation.added"), "content_index")) {
        buf_printf(e->out, ",\"annotation_index\":%u,\"annotation\":", e->note_index);
        buf_put(e->out, buf_str(&b));
        event_end(e);
    }
    e->note_index++;
    buf_free(&b);
}

static void take_part_end(struct responses_encoder *e) {
    if (!e->part_open) return;
    e->part_open = false;
    switch (e->part) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        end_content(e);
        break;
    case CHAT_TOOL_CALL:
        end_call(e);
        break;
    case CHAT_THINKING:
        end_reasoning(e);
        break;
    default:
        break;
    }
}

static void take_failure(struct responses_encoder *e, const struct chat_failure *failure) {
    take_part_end(e);
    close_item(e, STR("incomplete"));
    e->failure_code = responses_code_of(failure);
    e->failure_message = failure->message.p ? failure->message : STR("");
    response_event(e, STR("response.failed"), STR("failed"));
    // Client libraries raise this one.
    if (event_begin(e, STR("error"))) {
        put_escaped(e, "code", e->failure_code);
        put_escaped(e, "message", e->failure_message);
        buf_lit(e->out, ",\"param\":null");
        buf_lit(e->out, ",\"error\":");
        responses_put_error(failure, e->out);
        event_end(e);
    }
    e->failure_code = e->failure_message = STR_NONE;
    e->ended = true;
}

static bool is_cut(const struct responses_encoder *e) {
    return e->finish == CHAT_FINISH_LENGTH || e->finish == CHAT_FINISH_FILTER;
}

static void take_end(struct responses_encoder *e) {
    bool cut = is_cut(e);
    take_part_end(e);
    close_item(e, cut ? STR("incomplete") : STR("completed"));
    e->ended = true;
    if (e->no_memory) e->out->failed = true;
    response_event(e, cut ? STR("response.incomplete") : STR("response.completed"),
                   cut ? STR("incomplete") : STR("completed"));
}

static void take(struct chat_sink *sink, const struct chat_event *event) {
    struct responses_encoder *e = of_sink(sink);
    if (event->choice || e->ended) return;
    begin(e);
    switch (event->kind) {
    case CHAT_BEGIN:
        break;
    case CHAT_PART_BEGIN:
        take_part(e, event);
        break;
    case CHAT_DELTA:
        take_delta(e, event->text);
        break;
    case CHAT_SIGNATURE:
        take_signature(e, event->text);
        break;
    case CHAT_CITATION:
        take_citation(e, event->raw);
        break;
    case CHAT_PART_END:
        take_part_end(e);
        break;
    case CHAT_USAGE:
        e->usage = *event->usage;
        e->has_usage = true;
        break;
    case CHAT_FINISH:
        e->finish = event->finish;
        break;
    case CHAT_FAIL:
        take_failure(e, event->failure);
        break;
    case CHAT_END:
        take_end(e);
        break;
    }
}

void responses_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out) {
    *of_sink(sink) = (struct responses_encoder){.sink = {.take = take}, .reply = reply, .out = out};
}

// --- a whole answer ---

static void tell(struct responses_encoder *e, const struct chat_event *event) { take(&e->sink, event); }

static void tell_citations(struct responses_encoder *e, struct str list) {
    struct str *items, raw = arena_printf(e->reply->arena, "[%.*s]", STR_ARG(list));
    size_t n;
    if (!list.n || !responses_array(raw, &items, &n, e->reply->arena)) return;
    for (size_t i = 0; i < n; i++) tell(e, &(struct chat_event){.kind = CHAT_CITATION, .raw = items[i]});
}

static void tell_part(struct responses_encoder *e, const struct chat_answer_part *p) {
    struct chat_event event = {
        .kind = CHAT_PART_BEGIN, .part_kind = p->kind, .id = p->id, .name = p->name, .mime = p->mime};
    if (p->choice) return;
    tell(e, &event);
    event.kind = CHAT_DELTA;
    event.text = p->text;
    if (p->text.n) tell(e, &event);
    event.kind = CHAT_SIGNATURE;
    event.text = p->signature;
    if (p->signature.n) tell(e, &event);
    tell_citations(e, p->citations);
    tell(e, &(struct chat_event){.kind = CHAT_PART_END});
}

void responses_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out) {
    struct responses_encoder e = {.sink = {.take = take}, .reply = reply, .out = out, .silent = true};
    tell(&e, &(struct chat_event){.kind = CHAT_BEGIN});
    for (size_t i = 0; i < answer->count; i++) tell_part(&e, &answer->parts[i]);
    if (answer->has_usage) tell(&e, &(struct chat_event){.kind = CHAT_USAGE, .usage = &answer->usage});
    e.finish = answer->finish[0];
    tell(&e, &(struct chat_event){.kind = CHAT_END});
    bool cut = is_cut(&e);
    responses_put_object(&e, cut ? STR("incomplete") : STR("completed"), out);
}
