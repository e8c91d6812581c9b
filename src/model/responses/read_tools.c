// Reads the tools of a Responses request, and which of them is to be used.
#include "model/responses/read.h"

#include <stdio.h>

// A tool of free text is, to others, a function of one text.
static const struct str k_free_schema =
    STR_INIT("{\"type\":\"object\",\"properties\":{\"" RESPONSES_FREE_INPUT
             "\":{\"type\":\"string\"}},\"required\":[\"" RESPONSES_FREE_INPUT "\"],\"additionalProperties\":false}");

static bool is_type(const struct json_field *f, struct str type) { return f->found && json_string_eq(f->raw, type); }

static bool read_tool(struct chat *chat, struct str raw, size_t i, struct chat_tool *out_tool, struct err *err) {
    enum { TYPE, NAME, DESCRIPTION, PARAMETERS, STRICT, FORMAT };
    struct json_field f[] = {
        [TYPE] = {.name = STR_INIT("type"), .kinds = JSON_IS(JSON_STRING)},
        [NAME] = {.name = STR_INIT("name"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [DESCRIPTION] = {.name = STR_INIT("description"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [PARAMETERS] = {.name = STR_INIT("parameters"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [STRICT] = {.name = STR_INIT("strict"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [FORMAT] = {.name = STR_INIT("format"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
    };
    char path[48];
    snprintf(path, sizeof path, "tools[%zu]", i);
    if (json_raw_kind(raw) != JSON_OBJECT) return responses_wrong(err, path, "must be an object");
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return err_wrap(err, "\"%s\"", path);
    if (!f[TYPE].found) return responses_wrong(err, path, "has no \"type\"");
    struct chat_tool t = {.strict = -1};
    bool function = is_type(&f[TYPE], STR("function")), free_text = is_type(&f[TYPE], STR("custom"));
    if (!function && !free_text) {
        t.hosted = raw;
        t.name = f[TYPE].raw;
        *out_tool = t;
        return true;
    }
    if (!f[NAME].found || f[NAME].kind != JSON_STRING || f[NAME].raw.n <= 2) {
        snprintf(path, sizeof path, "tools[%zu].name", i);
        return responses_wrong(err, path, "must be the function's name");
    }
    t.name = f[NAME].raw;
    if (f[DESCRIPTION].kind == JSON_STRING) t.description = f[DESCRIPTION].raw;
    if (function && f[PARAMETERS].kind == JSON_OBJECT) t.schema = f[PARAMETERS].raw;
    if (function && f[STRICT].kind == JSON_BOOL) t.strict = f[STRICT].raw.p[0] == 't';
    if (free_text) t.schema = k_free_schema;
    struct str format_type;
    if (free_text && f[FORMAT].kind == JSON_OBJECT && JSON_GET(f[FORMAT].raw, &format_type, STR("type")) &&
        !json_string_eq(format_type, STR("text")))
        responses_other(chat, STR("tools[].format"));
    *out_tool = t;
    return true;
}

// --- the choice ---

static bool choose_word(struct chat *chat, struct str raw, struct err *err) {
    if (json_string_eq(raw, STR("auto")))
        chat->tool_choice = CHAT_CHOICE_AUTO;
    else if (json_string_eq(raw, STR("none")))
        chat->tool_choice = CHAT_CHOICE_NONE;
    else if (json_string_eq(raw, STR("required")))
        chat->tool_choice = CHAT_CHOICE_ANY;
    else
        return responses_wrong(err, "tool_choice", "must be none, auto, required or an object");
    return true;
}

static bool is_listed(const struct chat_tool *tool, const struct str *names, size_t n, struct arena *arena) {
    struct str name;
    for (size_t i = 0; i < n; i++)
        if (json_string_text(names[i], arena, &name) && json_string_eq(tool->name, name)) return true;
    return false;
}

#define ALLOWED_MAX 256

// Only these are told to the model: to others that is the same.
static bool keep_allowed(struct chat *chat, struct str list, struct arena *arena, struct err *err) {
    struct str *items, type;
    size_t n, kept = 0;
    if (!responses_array(list, &items, &n, arena)) return err_no_memory(err);
    if (n > ALLOWED_MAX) return responses_wrong(err, "tool_choice.tools", "has more than %d tools", ALLOWED_MAX);
    for (size_t i = 0; i < n; i++) {
        struct str name = responses_string(items[i], STR("name"));
        type = responses_string(items[i], STR("type"));
        items[i] = name.n ? name : type;
    }
    for (size_t i = 0; i < chat->tool_count; i++)
        if (is_listed(&chat->tools[i], items, n, arena)) chat->tools[kept++] = chat->tools[i];
    chat->tool_count = kept;
    return true;
}

static bool choose_object(struct chat *chat, struct str raw, struct arena *arena, struct err *err) {
    enum { TYPE, NAME, MODE, TOOLS };
    struct json_field f[] = {
        [TYPE] = {.name = STR_INIT("type"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [NAME] = {.name = STR_INIT("name"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [MODE] = {.name = STR_INIT("mode"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [TOOLS] = {.name = STR_INIT("tools"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
    };
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return err_wrap(err, "\"tool_choice\"");
    if (is_type(&f[TYPE], STR("allowed_tools"))) {
        bool must = f[MODE].found && json_string_eq(f[MODE].raw, STR("required"));
        chat->tool_choice = must ? CHAT_CHOICE_ANY : CHAT_CHOICE_AUTO;
        return keep_allowed(chat, f[TOOLS].raw, arena, err);
    }
    if (!is_type(&f[TYPE], STR("function")) && !is_type(&f[TYPE], STR("custom")))
        return responses_other(chat, STR("tool_choice")); // one that OpenAI runs
    if (f[NAME].kind != JSON_STRING) return responses_wrong(err, "tool_choice.name", "must be the function's name");
    chat->tool_choice = CHAT_CHOICE_ONE;
    chat->tool_choice_name = f[NAME].raw;
    return true;
}

bool responses_read_tools(struct chat *chat, const struct json_field *tools, const struct json_field *choice,
                          struct arena *arena, struct err *err) {
    struct str *items;
    size_t n;
    if (!responses_array(tools->raw, &items, &n, arena)) return err_no_memory(err);
    if (n) chat->tools = ARENA_ARRAY(arena, struct chat_tool, n);
    if (n && !chat->tools) return err_no_memory(err);
    for (chat->tool_count = 0; chat->tool_count < n; chat->tool_count++)
        if (!read_tool(chat, items[chat->tool_count], chat->tool_count, &chat->tools[chat->tool_count], err))
            return false;
    if (!choice->found || choice->kind == JSON_NULL) return true;
    return choice->kind == JSON_STRING ? choose_word(chat, choice->raw, err)
                                       : choose_object(chat, choice->raw, arena, err);
}
