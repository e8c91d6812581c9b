// Reads a chat in Ollama's dialect into the neutral form.
#include "model/ollama/ollama.h"

// How far a result without an id looks for the call that it answers.
#define PAIR_WINDOW 128

struct reader {
    struct arena *arena;
    struct chat *chat;
    struct chat_part *calls; // of the last assistant's turn
    bool *answered;
    size_t call_count, next; // next: those before are answered
    size_t made;             // ids
};

static bool make_id(struct reader *rd, struct str *out_id, struct err *err) {
    *out_id = arena_printf(rd->arena, "\"call_%zu\"", rd->made++);
    return out_id->n ? true : err_no_memory(err);
}

static bool read_call(struct reader *rd, struct str raw, const struct chat_path *path, struct chat_part *part,
                      struct err *err) {
    struct json_field f[] = {
        {.name = STR_INIT("function"), .kinds = JSON_IS(JSON_OBJECT), .required = true},
        {.name = STR_INIT("id"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("type")},
    };
    struct json_field fn[] = {
        {.name = STR_INIT("name"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("arguments"), .kinds = JSON_IS(JSON_OBJECT) | JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("index")},
    };
    struct chat_path below = chat_path_of("%.50s.function", path->text);
    if (!chat_scan(raw, path, f, ARRAY_LEN(f), err) || !chat_scan(f[0].raw, &below, fn, ARRAY_LEN(fn), err))
        return false;
    *part = (struct chat_part){.kind = CHAT_TOOL_CALL, .name = fn[0].raw, .args = STR("{}"), .id = chat_given(&f[1])};
    if (chat_given(&fn[1]).p && fn[1].kind == JSON_OBJECT) part->args = fn[1].raw;
    if (chat_given(&fn[1]).p && fn[1].kind == JSON_STRING) {
        part->args_text = fn[1].raw;
        if (!chat_args_of_text(fn[1].raw, rd->arena, &part->args, err)) return false;
    }
    if (part->id.n > 2) return true;
    return make_id(rd, &part->id, err);
}

struct call_list {
    struct reader *rd;
    const struct chat_path *path;
    struct chat_part *parts;
    size_t *count;
};

static bool visit_call(void *arg, size_t index, struct str raw, struct err *err) {
    struct call_list *l = arg;
    struct chat_path at = chat_path_of("%.40s.tool_calls[%zu]", l->path->text, index);
    if (!read_call(l->rd, raw, &at, &l->parts[*l->count], err)) return false;
    ++*l->count;
    return true;
}

enum { ROLE, CONTENT, THINKING, IMAGES, CALLS, TOOL_NAME, TOOL_CALL_ID, MEMBERS };

static bool read_calls(struct reader *rd, struct str list, const struct chat_path *path, struct chat_turn *turn,
                       struct err *err) {
    struct call_list l = {.rd = rd, .path = path, .parts = turn->parts, .count = &turn->count};
    size_t first = turn->count;
    if (!chat_each(list, visit_call, &l, err)) return false;
    rd->calls = turn->parts + first;
    rd->call_count = turn->count - first;
    rd->next = 0;
    rd->answered = ARENA_ARRAY(rd->arena, bool, rd->call_count + 1);
    return rd->answered ? true : err_no_memory(err);
}

// The call that a result without an id answers: the first open one of its tool's, else the first open one.
static struct chat_part *find_call(struct reader *rd, struct str name) {
    size_t found = rd->call_count;
    while (rd->next < rd->call_count && rd->answered[rd->next]) rd->next++;
    for (size_t i = rd->next; i < MIN(rd->call_count, rd->next + PAIR_WINDOW) && found == rd->call_count; i++)
        if (!rd->answered[i] && name.p && str_eq(rd->calls[i].name, name)) found = i;
    if (found == rd->call_count) found = rd->next;
    if (found >= rd->call_count) return NULL;
    rd->answered[found] = true;
    return &rd->calls[found];
}

static bool read_result(struct reader *rd, const struct json_field *f, const struct chat_path *path,
                        struct chat_part *part, struct err *err) {
    *part = (struct chat_part){.kind = CHAT_TOOL_RESULT, .name = chat_given(&f[TOOL_NAME])};
    size_t images = chat_given(&f[IMAGES]).p ? chat_count(f[IMAGES].raw) : 0;
    part->parts = ARENA_ARRAY(rd->arena, struct chat_part, images + 1);
    if (!part->parts) return err_no_memory(err);
    struct str text = chat_given(&f[CONTENT]);
    part->parts[part->count++] = (struct chat_part){.kind = CHAT_TEXT, .text = text.p ? text : STR("\"\"")};
    if (images && !ollama_images_read(f[IMAGES].raw, path, rd->arena, part->parts, &part->count, err)) return false;
    part->id = chat_given(&f[TOOL_CALL_ID]);
    if (part->id.n > 2) return true;
    struct chat_part *call = find_call(rd, part->name);
    if (!call) return make_id(rd, &part->id, err);
    part->id = call->id;
    if (!part->name.p) part->name = call->name;
    return true;
}

static bool read_plain(struct reader *rd, const struct json_field *f, const struct chat_path *path,
                       struct chat_turn *turn, struct err *err) {
    struct str text = chat_given(&f[CONTENT]), thinking = chat_given(&f[THINKING]);
    bool has_calls = chat_given(&f[CALLS]).p && turn->role == CHAT_ASSISTANT;
    if (thinking.n > 2 && turn->role == CHAT_ASSISTANT)
        turn->parts[turn->count++] = (struct chat_part){.kind = CHAT_THINKING, .text = thinking};
    if (chat_given(&f[IMAGES]).p && !ollama_images_read(f[IMAGES].raw, path, rd->arena, turn->parts, &turn->count, err))
        return false;
    if (text.n > 2 || (!turn->count && !has_calls))
        turn->parts[turn->count++] = (struct chat_part){.kind = CHAT_TEXT, .text = text.p ? text : STR("\"\"")};
    return !has_calls || read_calls(rd, f[CALLS].raw, path, turn, err);
}

static bool read_role(struct str raw, const struct chat_path *path, enum chat_role *out_role, bool *out_tool,
                      struct err *err) {
    *out_tool = json_string_eq(raw, STR("tool"));
    *out_role = CHAT_USER;
    if (json_string_eq(raw, STR("system")))
        *out_role = CHAT_SYSTEM;
    else if (json_string_eq(raw, STR("assistant")))
        *out_role = CHAT_ASSISTANT;
    else if (!*out_tool && !json_string_eq(raw, STR("user")))
        return chat_wrong(err, path, "role", "must be \"system\", \"user\", \"assistant\" or \"tool\"");
    return true;
}

static bool visit_message(void *arg, size_t index, struct str raw, struct err *err) {
    struct reader *rd = arg;
    struct chat_path path = chat_path_of("messages[%zu]", index);
    struct chat_turn *turn = &rd->chat->turns[rd->chat->count];
    bool tool;
    struct json_field f[MEMBERS] = {
        [ROLE] = {.name = STR_INIT("role"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [CONTENT] = {.name = STR_INIT("content"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [THINKING] = {.name = STR_INIT("thinking"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [IMAGES] = {.name = STR_INIT("images"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
        [CALLS] = {.name = STR_INIT("tool_calls"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
        [TOOL_NAME] = {.name = STR_INIT("tool_name"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [TOOL_CALL_ID] = {.name = STR_INIT("tool_call_id"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
    };
    if (!chat_scan(raw, &path, f, ARRAY_LEN(f), err) || !read_role(f[ROLE].raw, &path, &turn->role, &tool, err))
        return false;
    chat_note_others(raw, f, ARRAY_LEN(f), STR("messages[]."), rd->arena,
                     (struct chat_names){rd->chat->others, &rd->chat->other_count});
    size_t room = 2;
    if (chat_given(&f[IMAGES]).p) room += chat_count(f[IMAGES].raw);
    if (chat_given(&f[CALLS]).p) room += chat_count(f[CALLS].raw);
    turn->parts = ARENA_ARRAY(rd->arena, struct chat_part, room);
    if (!turn->parts) return err_no_memory(err);
    if (tool) {
        turn->count = 1;
        if (!read_result(rd, f, &path, turn->parts, err)) return false;
    } else if (!read_plain(rd, f, &path, turn, err)) {
        return false;
    }
    rd->chat->count++;
    return true;
}

static bool visit_tool(void *arg, size_t index, struct str raw, struct err *err) {
    struct chat *chat = ((struct reader *)arg)->chat;
    struct chat_path path = chat_path_of("tools[%zu]", index), below = chat_path_of("tools[%zu].function", index);
    struct json_field f[] = {
        {.name = STR_INIT("function"), .kinds = JSON_IS(JSON_OBJECT), .required = true},
    };
    struct json_field fn[] = {
        {.name = STR_INIT("name"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("description"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("parameters"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        {.name = STR_INIT("strict"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
    };
    if (!chat_scan(raw, &path, f, ARRAY_LEN(f), err) || !chat_scan(f[0].raw, &below, fn, ARRAY_LEN(fn), err))
        return false;
    chat->tools[chat->tool_count++] = (struct chat_tool){.name = fn[0].raw,
                                                         .description = chat_given(&fn[1]),
                                                         .schema = chat_given(&fn[2]),
                                                         .strict = chat_flag(&fn[3])};
    return true;
}

static bool read_lists(struct reader *rd, struct str messages, struct str tools, struct err *err) {
    struct chat *chat = rd->chat;
    chat->turns = ARENA_ARRAY(rd->arena, struct chat_turn, chat_count(messages) + 1);
    chat->tools = ARENA_ARRAY(rd->arena, struct chat_tool, (tools.p ? chat_count(tools) : 0) + 1);
    if (!chat->turns || !chat->tools) return err_no_memory(err);
    return chat_each(messages, visit_message, rd, err) && (!tools.p || chat_each(tools, visit_tool, rd, err));
}

bool ollama_read(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err) {
    enum { MODEL, MESSAGES, TOOLS, OPTIONS, FORMAT, THINK, STREAM, KEEP_ALIVE, STRICT };
    struct chat_path top = chat_path_of("%s", "");
    struct json_field f[] = {
        [MODEL] = {.name = STR_INIT("model")},
        [MESSAGES] = {.name = STR_INIT("messages"), .kinds = JSON_IS(JSON_ARRAY), .required = true},
        [TOOLS] = {.name = STR_INIT("tools"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
        [OPTIONS] = {.name = STR_INIT("options"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [FORMAT] = {.name = STR_INIT("format"), .kinds = JSON_IS(JSON_STRING) | JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [THINK] = {.name = STR_INIT("think"), .kinds = JSON_IS(JSON_STRING) | JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [STREAM] = {.name = STR_INIT("stream"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [KEEP_ALIVE] = {.name = STR_INIT("keep_alive")},
        [STRICT] = {.name = STR_INIT("strict")},
    };
    struct ollama_common common = {&f[OPTIONS], &f[FORMAT], &f[THINK], &f[STREAM]};
    struct reader rd = {.arena = arena, .chat = out_chat};
    *out_chat = (struct chat){0};
    if (!chat_scan(request->body, &top, f, ARRAY_LEN(f), err)) return false;
    if (!ollama_common_read(out_chat, arena, &common, err)) return false;
    chat_note_others(request->body, f, ARRAY_LEN(f), STR(""), arena,
                     (struct chat_names){out_chat->others, &out_chat->other_count});
    if (!read_lists(&rd, f[MESSAGES].raw, chat_given(&f[TOOLS]), err)) return false;
    if (out_chat->count) return true;
    return chat_wrong(err, &top, "messages", "must have at least one message");
}
