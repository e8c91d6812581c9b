// The tools of a request for Anthropic.
#include "model/anthropic/anthropic.h"

#define DUMMIES_MAX 64 // tools named in the history alone

// Anthropic's own tools carry the day of their version: "web_search_20250305".
static bool is_own(struct str hosted, struct str *out_type) {
    struct str type;
    *out_type = STR("");
    if (!JSON_GET(hosted, &type, STR("type")) || json_raw_kind(type) != JSON_STRING) return false;
    type = chat_inner(type);
    *out_type = type;
    if (str_eq(type, STR("mcp_toolset"))) return true;
    if (type.n < 10 || type.p[type.n - 9] != '_') return false;
    for (size_t i = type.n - 8; i < type.n; i++)
        if (type.p[i] < '0' || type.p[i] > '9') return false;
    return true;
}

bool anthropic_has_tools(const struct chat *chat) {
    struct str type;
    for (size_t i = 0; i < chat->tool_count; i++)
        if (!chat->tools[i].hosted.p || is_own(chat->tools[i].hosted, &type)) return true;
    return false;
}

static void put_hosted(struct anthropic_writing *x, const struct chat_tool *tool) {
    struct str type;
    if (is_own(tool->hosted, &type)) {
        json_put_raw(&x->w, tool->hosted);
        return;
    }
    if (!type.n && tool->name.n > 2) type = chat_inner(tool->name); // of those of other makes that have no type
    struct str name = arena_printf(x->arena, "tools[].%.*s", STR_ARG(str_head(type.n ? type : STR("hosted"), 64)));
    chat_drop(x->report, name.n ? name : STR("tools[]"));
}

// "input_schema" has to say "type": a tool without parameters is an object without members.
static void put_input_schema(struct anthropic_writing *x, struct str schema) {
    struct str type;
    json_put_key(&x->w, STR("input_schema"));
    if (!schema.p || json_raw_kind(schema) != JSON_OBJECT) {
        json_put_raw(&x->w, STR("{\"type\":\"object\",\"properties\":{}}"));
    } else if (JSON_GET(schema, &type, STR("type"))) {
        json_put_raw(&x->w, schema);
    } else {
        bool empty = str_trim(str_from(str_head(schema, schema.n - 1), 1)).n == 0;
        struct str s =
            arena_printf(x->arena, "{\"type\":\"object\"%s%.*s", empty ? "" : ",", STR_ARG(str_from(schema, 1)));
        json_put_raw(&x->w, s.n ? s : schema);
    }
}

static void put_tool(struct anthropic_writing *x, const struct chat_tool *tool) {
    struct str name = anthropic_name(x->arena, tool->name);
    bool strict = tool->strict == 1 && (x->family->flags & ANTHROPIC_SCHEMA) && tool->schema.p;
    if (tool->strict == 1 && !strict && tool->schema.p) chat_drop(x->report, STR("tools[].function.strict"));
    json_put_object(&x->w);
    json_put_member_raw(&x->w, STR("name"), name.p ? name : STR("\"\""));
    if (tool->description.p) json_put_member_raw(&x->w, STR("description"), tool->description);
    if (strict) {
        json_put_key(&x->w, STR("input_schema"));
        anthropic_close_schema(tool->schema, x->arena, &x->w);
        json_put_member_bool(&x->w, STR("strict"), true);
    } else {
        put_input_schema(x, tool->schema);
    }
    anthropic_put_cache(x, tool->cache_control);
    json_put_object_end(&x->w);
}

// A history with calls is refused without any tools: those that it names, which must not be called.
static bool put_named_in_history(struct anthropic_writing *x) {
    struct str seen[DUMMIES_MAX];
    size_t n = 0;
    for (size_t t = 0; t < x->chat->count; t++) {
        const struct chat_turn *turn = &x->chat->turns[t];
        for (size_t i = 0; i < turn->count && n < DUMMIES_MAX; i++) {
            if (turn->parts[i].kind != CHAT_TOOL_CALL) continue;
            size_t k = 0;
            while (k < n && !str_eq(seen[k], turn->parts[i].name)) k++;
            if (k < n) continue;
            if (!n) json_put_member_array(&x->w, STR("tools"));
            seen[n++] = turn->parts[i].name;
            put_tool(x, &(struct chat_tool){.name = turn->parts[i].name, .strict = -1});
        }
    }
    if (n) json_put_array_end(&x->w);
    return n > 0;
}

static void put_choice(struct anthropic_writing *x, enum chat_tool_choice choice, struct str name) {
    static const struct str k_types[] = {STR_INIT("auto"), STR_INIT("auto"), STR_INIT("none"), STR_INIT("any"),
                                         STR_INIT("tool")};
    bool single = x->chat->parallel_tools == 0 && choice != CHAT_CHOICE_NONE;
    if (choice == CHAT_CHOICE_UNSET && !single) return;
    json_put_member_object(&x->w, STR("tool_choice"));
    json_put_member_str(&x->w, STR("type"), k_types[choice]);
    if (choice == CHAT_CHOICE_ONE) json_put_member_raw(&x->w, STR("name"), name);
    if (single) json_put_member_bool(&x->w, STR("disable_parallel_tool_use"), true);
    json_put_object_end(&x->w);
}

static void put_json_tool(struct anthropic_writing *x) {
    json_put_member_array(&x->w, STR("tools"));
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("name"), STR(ANTHROPIC_JSON_TOOL));
    json_put_member_raw(&x->w, STR("description"),
                        x->chat->output_description.p ? x->chat->output_description
                                                      : STR("\"Give the answer with this tool.\""));
    put_input_schema(x, x->chat->output_schema);
    json_put_object_end(&x->w);
    json_put_array_end(&x->w);
    put_choice(x, CHAT_CHOICE_ONE, STR("\"" ANTHROPIC_JSON_TOOL "\""));
}

void anthropic_put_tools(struct anthropic_writing *x) {
    const struct chat *chat = x->chat;
    enum chat_tool_choice choice = chat->tool_choice;
    struct str name = STR_NONE;
    if (x->json_tool) {
        put_json_tool(x);
        return;
    }
    if (!anthropic_has_tools(chat)) { // nor anything to choose from
        for (size_t i = 0; i < chat->tool_count; i++) put_hosted(x, &chat->tools[i]);
        if (put_named_in_history(x)) put_choice(x, CHAT_CHOICE_NONE, STR_NONE);
        return;
    }
    json_put_member_array(&x->w, STR("tools"));
    for (size_t i = 0; i < chat->tool_count; i++) {
        if (chat->tools[i].hosted.p)
            put_hosted(x, &chat->tools[i]);
        else
            put_tool(x, &chat->tools[i]);
    }
    json_put_array_end(&x->w);
    if ((choice == CHAT_CHOICE_ANY || choice == CHAT_CHOICE_ONE) && !x->forces) {
        chat_drop(x->report, STR("tool_choice"));
        choice = CHAT_CHOICE_AUTO;
    }
    if (choice == CHAT_CHOICE_ONE) name = anthropic_name(x->arena, chat->tool_choice_name);
    if (choice == CHAT_CHOICE_ONE && !name.p) choice = CHAT_CHOICE_ANY;
    put_choice(x, choice, name);
}
