// Messages in Cohere's dialect.
#include "model/cohere/cohere.h"

static bool has(const struct chat_turn *turn, enum chat_part_kind kind) {
    for (size_t i = 0; i < turn->count; i++)
        if (turn->parts[i].kind == kind) return true;
    return false;
}

static void put_image(struct json_writer *w, const struct chat_media *m) {
    json_put_object(w);
    json_put_member_str(w, STR("type"), STR("image_url"));
    json_put_member_object(w, STR("image_url"));
    if (m->data.p) {
        struct str mime = m->mime.n ? m->mime : chat_image_type(m->data);
        json_put_key(w, STR("url"));
        json_put_raw(w, STR("\"data:"));
        json_escape_put(w->out, mime.n ? mime : STR("image/png"));
        buf_lit(w->out, ";base64,");
        json_escape_put(w->out, m->data);
        buf_putc(w->out, '"');
    } else {
        json_put_member_raw(w, STR("url"), m->url);
    }
    chat_put_given(w, STR("detail"), m->detail);
    json_put_object_end(w);
    json_put_object_end(w);
}

static void put_typed(struct json_writer *w, struct str type, struct str text) {
    json_put_object(w);
    json_put_member_str(w, STR("type"), type);
    json_put_member_raw(w, type, text);
    json_put_object_end(w);
}

// What of a part has no place.
static void report_part(const struct chat_part *p, struct chat_report *report) {
    static const struct str names[] = {[CHAT_IMAGE] = STR_INIT("messages[].content[].image_url"),
                                       [CHAT_AUDIO] = STR_INIT("messages[].content[].input_audio"),
                                       [CHAT_VIDEO] = STR_INIT("messages[].content[].video"),
                                       [CHAT_FILE] = STR_INIT("messages[].content[].file"),
                                       [CHAT_REDACTED_THINKING] = STR_INIT("messages[].content[].redacted_thinking"),
                                       [CHAT_REFUSAL] = STR_INIT("")};
    if (names[p->kind].n) chat_drop(report, names[p->kind]);
}

// One element of "content", or none. Calls, results and plans stand elsewhere.
static void put_content_part(struct json_writer *w, const struct chat_part *p, bool planned,
                             struct chat_report *report) {
    chat_drop_given(report, STR("cache_control"), p->cache_control);
    switch (p->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        if (p->text.n > 2) put_typed(w, STR("text"), p->text);
        return;
    case CHAT_THINKING:
        if (!planned && p->text.n > 2) put_typed(w, STR("thinking"), p->text);
        return;
    case CHAT_IMAGE:
        if (p->media.data.p || p->media.url.p)
            put_image(w, &p->media);
        else
            report_part(p, report);
        return;
    case CHAT_FILE:
        if (p->media.text.p)
            put_typed(w, STR("text"), p->media.text);
        else
            report_part(p, report);
        return;
    case CHAT_TOOL_CALL:
    case CHAT_TOOL_RESULT:
        return;
    default:
        report_part(p, report);
    }
}

static void put_calls(struct json_writer *w, const struct chat_turn *turn) {
    json_put_member_array(w, STR("tool_calls"));
    for (size_t i = 0; i < turn->count; i++) {
        const struct chat_part *p = &turn->parts[i];
        if (p->kind != CHAT_TOOL_CALL) continue;
        json_put_object(w);
        json_put_member_raw(w, STR("id"), p->id);
        json_put_member_str(w, STR("type"), STR("function"));
        json_put_member_object(w, STR("function"));
        json_put_member_raw(w, STR("name"), p->name);
        if (p->args_text.n > 2)
            json_put_member_raw(w, STR("arguments"), p->args_text);
        else
            json_put_member_str(w, STR("arguments"), p->args);
        json_put_object_end(w);
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

// What it thought before its calls is the plan of these.
static void put_plan(struct json_writer *w, const struct chat_turn *turn) {
    bool first = true;
    json_put_key(w, STR("tool_plan"));
    json_put_raw(w, STR("\""));
    for (size_t i = 0; i < turn->count; i++) {
        if (turn->parts[i].kind != CHAT_THINKING) continue;
        if (!first) buf_lit(w->out, "\\n");
        first = false;
        buf_put(w->out, chat_inner(turn->parts[i].text));
    }
    buf_putc(w->out, '"');
}

static void put_result(struct json_writer *w, const struct chat_part *p, struct chat_report *report) {
    if (p->is_error) chat_drop(report, STR("messages[].content[].is_error"));
    json_put_object(w);
    json_put_member_str(w, STR("role"), STR("tool"));
    json_put_member_raw(w, STR("tool_call_id"), p->id);
    json_put_key(w, STR("content"));
    json_put_raw(w, STR("\""));
    bool first = true;
    for (size_t i = 0; i < p->count; i++) {
        struct str text = p->parts[i].kind == CHAT_FILE ? p->parts[i].media.text : p->parts[i].text;
        if (!text.p) {
            report_part(&p->parts[i], report);
            continue;
        }
        if (!first) buf_lit(w->out, "\\n");
        first = false;
        buf_put(w->out, chat_inner(text));
    }
    buf_putc(w->out, '"');
    json_put_object_end(w);
}

static const struct chat_part *only_text(const struct chat_turn *turn) {
    bool only = turn->count == 1 && turn->parts[0].kind == CHAT_TEXT && !turn->parts[0].cache_control.p;
    return only ? &turn->parts[0] : NULL;
}

static void put_turn(struct json_writer *w, const struct chat_turn *turn, struct chat_report *report) {
    static const struct str roles[] = {
        [CHAT_SYSTEM] = STR_INIT("system"), [CHAT_USER] = STR_INIT("user"), [CHAT_ASSISTANT] = STR_INIT("assistant")};
    bool calls = has(turn, CHAT_TOOL_CALL), planned = calls && has(turn, CHAT_THINKING);
    size_t results = 0;
    chat_drop_given(report, STR("messages[].name"), turn->name);
    for (size_t i = 0; i < turn->count; i++) {
        if (turn->parts[i].kind != CHAT_TOOL_RESULT) continue;
        put_result(w, &turn->parts[i], report);
        results++;
    }
    if (results && results == turn->count) return;
    json_put_object(w);
    json_put_member_str(w, STR("role"), roles[turn->role]);
    const struct chat_part *text = only_text(turn);
    if (text) {
        json_put_member_raw(w, STR("content"), text->text);
    } else {
        size_t at = w->out->n;
        struct json_writer before = *w;
        json_put_member_array(w, STR("content"));
        size_t empty = w->out->n;
        for (size_t i = 0; i < turn->count; i++) put_content_part(w, &turn->parts[i], planned, report);
        bool nothing = w->out->n == empty;
        json_put_array_end(w);
        if (nothing && calls && !w->out->failed) { // an empty list is refused
            w->out->n = at;
            *w = before;
        }
    }
    if (planned) put_plan(w, turn);
    if (calls) put_calls(w, turn);
    json_put_object_end(w);
}

bool cohere_put_messages(struct json_writer *w, const struct chat *chat, struct chat_report *report, struct err *err) {
    json_put_member_array(w, STR("messages"));
    for (size_t i = 0; i < chat->count; i++) put_turn(w, &chat->turns[i], report);
    json_put_array_end(w);
    return !w->out->failed || err_no_memory(err);
}
