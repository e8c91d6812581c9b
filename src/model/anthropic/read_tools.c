// The tools of a request in Anthropic's dialect.
#include "model/anthropic/anthropic.h"

#include <stdio.h>

#define KINDS(k) JSON_IS(JSON_##k)

// A tool of the client's own has no type, or "custom"; all others are Anthropic's.
static bool is_hosted(struct str raw, struct chat_tool *tool) {
    struct str type, name;
    if (!JSON_GET(raw, &type, STR("type")) || json_raw_kind(type) != JSON_STRING) return false;
    if (json_string_eq(type, STR("custom"))) return false;
    if (!JSON_GET(raw, &name, STR("name")) || json_raw_kind(name) != JSON_STRING) name = type;
    tool->hosted = raw;
    tool->name = name;
    return true;
}

static bool read_tool(struct anthropic_reading *r, struct str raw, struct chat_tool *tool) {
    enum { TYPE, NAME, DESCRIPTION, SCHEMA, STRICT, CACHE };
    struct json_field f[] = {
        [TYPE] = {.name = STR_INIT("type"), .kinds = KINDS(STRING)},
        [NAME] = {.name = STR_INIT("name"), .kinds = KINDS(STRING), .required = true},
        [DESCRIPTION] = {.name = STR_INIT("description"), .kinds = KINDS(STRING)},
        [SCHEMA] = {.name = STR_INIT("input_schema"), .kinds = KINDS(OBJECT), .required = true},
        [STRICT] = {.name = STR_INIT("strict"), .kinds = KINDS(BOOL)},
        [CACHE] = {.name = STR_INIT("cache_control"), .kinds = KINDS(OBJECT)},
    };
    tool->strict = -1;
    if (json_raw_kind(raw) != JSON_OBJECT) return anthropic_wrong(r, "", "an object was expected");
    if (is_hosted(raw, tool)) return true;
    if (!anthropic_members(r, raw, STR("tools[]."), f, ARRAY_LEN(f))) return false;
    tool->name = f[NAME].raw;
    tool->description = f[DESCRIPTION].raw;
    tool->schema = f[SCHEMA].raw;
    tool->cache_control = f[CACHE].raw;
    if (f[STRICT].found) tool->strict = f[STRICT].raw.p[0] == 't';
    return true;
}

bool anthropic_read_tools(struct anthropic_reading *r, struct str raw) {
    struct str *list;
    size_t n;
    snprintf(r->path, sizeof r->path, "tools");
    if (!anthropic_elements(r, raw, &list, &n)) return false;
    r->chat->tools = ARENA_ARRAY(r->arena, struct chat_tool, n + 1);
    if (!r->chat->tools) return err_no_memory(r->err);
    for (size_t i = 0; i < n; i++) {
        snprintf(r->path, sizeof r->path, "tools[%zu]", i);
        if (!read_tool(r, list[i], &r->chat->tools[i])) return false;
    }
    r->chat->tool_count = n;
    return true;
}
