// Writes the neutral form as a chat for a real Ollama.
#include "model/ollama/ollama.h"

#include "base/map.h"

struct writer {
    struct json_writer w;
    struct buf *out;
    struct arena *arena;
    struct chat_report *report;
    struct map names; // tool names by the call's id
};

static void put_role(struct writer *wr, enum chat_role role) {
    static const struct str names[] = {
        [CHAT_SYSTEM] = STR_INIT("system"), [CHAT_USER] = STR_INIT("user"), [CHAT_ASSISTANT] = STR_INIT("assistant")};
    json_put_member_str(&wr->w, STR("role"), names[role]);
}

// The texts of some parts of a turn as one JSON string.
static void put_text(struct writer *wr, struct str key, const struct chat_part *parts, size_t n,
                     enum chat_part_kind kind) {
    bool first = true;
    json_put_key(&wr->w, key);
    json_put_raw(&wr->w, STR("\""));
    for (size_t i = 0; i < n; i++) {
        struct str text = parts[i].kind == CHAT_FILE && kind == CHAT_TEXT ? parts[i].media.text : parts[i].text;
        bool wanted = parts[i].kind == kind ||
                      (kind == CHAT_TEXT && (parts[i].kind == CHAT_FILE || parts[i].kind == CHAT_REFUSAL));
        if (!wanted || !text.p) continue;
        if (!first) buf_lit(wr->out, "\\n");
        first = false;
        buf_put(wr->out, chat_inner(text));
    }
    buf_putc(wr->out, '"');
}

static bool has(const struct chat_part *parts, size_t n, enum chat_part_kind kind) {
    for (size_t i = 0; i < n; i++)
        if (parts[i].kind == kind) return true;
    return false;
}

// What of the parts has no place in Ollama's messages.
static void report_parts(struct writer *wr, const struct chat_part *parts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct chat_part *p = &parts[i];
        if (p->kind == CHAT_AUDIO) chat_drop(wr->report, STR("messages[].content[].input_audio"));
        if (p->kind == CHAT_VIDEO) chat_drop(wr->report, STR("messages[].content[].video"));
        if (p->kind == CHAT_FILE && !p->media.text.p) chat_drop(wr->report, STR("messages[].content[].file"));
        if (p->kind == CHAT_IMAGE && !p->media.data.p) chat_drop(wr->report, STR("messages[].content[].image_url"));
        if (p->kind == CHAT_REDACTED_THINKING) chat_drop(wr->report, STR("messages[].content[].redacted_thinking"));
        chat_drop_given(wr->report, STR("messages[].content[].signature"), p->signature);
        chat_drop_given(wr->report, STR("cache_control"), p->cache_control);
        chat_drop_given(wr->report, STR("messages[].content[].citations"), p->citations);
        if (p->kind == CHAT_TOOL_RESULT) report_parts(wr, p->parts, p->count);
    }
}

static void put_images(struct writer *wr, const struct chat_part *parts, size_t n) {
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].kind != CHAT_IMAGE || !parts[i].media.data.p) continue;
        if (!any) json_put_member_array(&wr->w, STR("images"));
        any = true;
        json_put_str(&wr->w, parts[i].media.data);
    }
    if (any) json_put_array_end(&wr->w);
}

static bool put_calls(struct writer *wr, const struct chat_turn *turn, struct err *err) {
    if (!has(turn->parts, turn->count, CHAT_TOOL_CALL)) return true;
    json_put_member_array(&wr->w, STR("tool_calls"));
    for (size_t i = 0; i < turn->count; i++) {
        const struct chat_part *p = &turn->parts[i];
        if (p->kind != CHAT_TOOL_CALL) continue;
        struct chat_part *kept = &turn->parts[i];
        if (p->id.p && !map_put(&wr->names, p->id, kept)) return err_no_memory(err);
        json_put_object(&wr->w);
        chat_put_given(&wr->w, STR("id"), p->id);
        json_put_member_object(&wr->w, STR("function"));
        json_put_member_raw(&wr->w, STR("name"), p->name);
        json_put_member_raw(&wr->w, STR("arguments"), p->args);
        json_put_object_end(&wr->w);
        json_put_object_end(&wr->w);
    }
    json_put_array_end(&wr->w);
    return true;
}

static void put_result(struct writer *wr, const struct chat_part *p) {
    const struct chat_part *call = p->id.p ? map_get(&wr->names, p->id) : NULL;
    json_put_object(&wr->w);
    json_put_member_str(&wr->w, STR("role"), STR("tool"));
    put_text(wr, STR("content"), p->parts, p->count, CHAT_TEXT);
    put_images(wr, p->parts, p->count);
    chat_put_given(&wr->w, STR("tool_name"), p->name.p || !call ? p->name : call->name);
    chat_put_given(&wr->w, STR("tool_call_id"), p->id);
    json_put_object_end(&wr->w);
}

static bool put_turn(struct writer *wr, const struct chat_turn *turn, struct err *err) {
    size_t results = 0;
    chat_drop_given(wr->report, STR("messages[].name"), turn->name);
    report_parts(wr, turn->parts, turn->count);
    for (size_t i = 0; i < turn->count; i++) {
        if (turn->parts[i].kind != CHAT_TOOL_RESULT) continue;
        put_result(wr, &turn->parts[i]);
        results++;
    }
    if (results && results == turn->count) return true;
    json_put_object(&wr->w);
    put_role(wr, turn->role);
    put_text(wr, STR("content"), turn->parts, turn->count, CHAT_TEXT);
    if (has(turn->parts, turn->count, CHAT_THINKING))
        put_text(wr, STR("thinking"), turn->parts, turn->count, CHAT_THINKING);
    put_images(wr, turn->parts, turn->count);
    if (!put_calls(wr, turn, err)) return false;
    json_put_object_end(&wr->w);
    return true;
}

static void put_tools(struct writer *wr, const struct chat *chat) {
    bool any = false;
    if (chat->tool_choice == CHAT_CHOICE_ANY || chat->tool_choice == CHAT_CHOICE_ONE)
        chat_drop(wr->report, STR("tool_choice"));
    if (chat->parallel_tools == 0) chat_drop(wr->report, STR("parallel_tool_calls"));
    // Ollama cannot be told to leave its tools alone, but then it need not know of them.
    if (chat->tool_choice == CHAT_CHOICE_NONE) return;
    for (size_t i = 0; i < chat->tool_count; i++) {
        const struct chat_tool *tool = &chat->tools[i];
        chat_drop_given(wr->report, STR("tools[].cache_control"), tool->cache_control);
        if (tool->hosted.p) {
            chat_drop(wr->report, STR("tools[]"));
            continue;
        }
        if (!any) json_put_member_array(&wr->w, STR("tools"));
        any = true;
        json_put_object(&wr->w);
        json_put_member_str(&wr->w, STR("type"), STR("function"));
        json_put_member_object(&wr->w, STR("function"));
        json_put_member_raw(&wr->w, STR("name"), tool->name);
        chat_put_given(&wr->w, STR("description"), tool->description);
        json_put_member_raw(&wr->w, STR("parameters"), tool->schema.p ? tool->schema : CHAT_EMPTY_SCHEMA);
        json_put_object_end(&wr->w);
        json_put_object_end(&wr->w);
    }
    if (any) json_put_array_end(&wr->w);
}

static void put_options(struct writer *wr, const struct chat *chat) {
    const struct chat_sampling *s = &chat->sampling;
    json_put_member_object(&wr->w, STR("options"));
    chat_put_given(&wr->w, STR("temperature"), s->temperature);
    chat_put_given(&wr->w, STR("top_p"), s->top_p);
    chat_put_given(&wr->w, STR("top_k"), s->top_k);
    chat_put_given(&wr->w, STR("seed"), s->seed);
    chat_put_given(&wr->w, STR("frequency_penalty"), s->frequency_penalty);
    chat_put_given(&wr->w, STR("presence_penalty"), s->presence_penalty);
    if (chat->max_output) json_put_member_u64(&wr->w, STR("num_predict"), chat->max_output);
    if (chat->stop_count) {
        json_put_member_array(&wr->w, STR("stop"));
        for (size_t i = 0; i < chat->stop_count; i++) json_put_raw(&wr->w, chat->stop[i]);
        json_put_array_end(&wr->w);
    }
    json_put_object_end(&wr->w);
}

static void put_rest(struct writer *wr, const struct chat *chat) {
    enum chat_effort effort = chat->reasoning.effort;
    if (chat->output == CHAT_OUTPUT_JSON) json_put_member_str(&wr->w, STR("format"), STR("json"));
    if (chat->output == CHAT_OUTPUT_SCHEMA) json_put_member_raw(&wr->w, STR("format"), chat->output_schema);
    if (effort == CHAT_EFFORT_UNSET && chat->reasoning.budget) effort = chat_effort_of_budget(chat->reasoning.budget);
    // Most models know only yes and no.
    if (effort != CHAT_EFFORT_UNSET) json_put_member_bool(&wr->w, STR("think"), effort != CHAT_EFFORT_NONE);
    chat_drop_given(wr->report, STR("user"), chat->user);
    chat_drop_given(wr->report, STR("metadata"), chat->metadata);
    chat_drop_given(wr->report, STR("service_tier"), chat->service_tier);
    chat_drop_extras(chat, wr->report);
    put_options(wr, chat);
    json_put_member_bool(&wr->w, STR("stream"), chat->stream);
}

bool ollama_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                  struct chat_report *report, struct err *err) {
    struct writer wr = {.out = out, .arena = arena, .report = report};
    bool ok = true;
    json_writer_init(&wr.w, out);
    map_init(&wr.names, (uint64_t)(uintptr_t)chat ^ chat->count);
    json_put_object(&wr.w);
    json_put_member_str(&wr.w, STR("model"), target->model);
    json_put_member_array(&wr.w, STR("messages"));
    for (size_t i = 0; i < chat->count && ok; i++) ok = put_turn(&wr, &chat->turns[i], err);
    map_free(&wr.names);
    if (!ok) return false;
    json_put_array_end(&wr.w);
    put_tools(&wr, chat);
    put_rest(&wr, chat);
    json_put_object_end(&wr.w);
    json_writer_done(&wr.w);
    return chat_is_whole(out, arena) || err_no_memory(err);
}

bool ollama_rewrite(const struct model_request *q, const struct chat_target *target, struct arena *arena,
                    struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    struct json_edits e;
    json_edits_init(&e, q->body);
    if (q->strict_member.p) json_edit_delete(&e, q->strict_member);
    if (q->renamed || !str_eq(target->model, q->model)) {
        struct str name = chat_quote(arena, target->model);
        if (!name.p) return err_no_memory(err);
        json_edit_replace(&e, q->model_raw, name);
    }
    return json_edits_slices(&e, out_slices, out_count, err);
}
