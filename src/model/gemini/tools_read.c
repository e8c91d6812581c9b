// A request in Google's dialect into the neutral form: its tools and which of them may be called.
#include "model/gemini/gemini.h"

static bool read_function(const struct gemini_read *rd, struct str raw, const struct gemini_place *at,
                          struct chat_tool *tool) {
    enum { NAME, DESCRIPTION, PARAMETERS, JSON_SCHEMA, RESPONSE, RESPONSE_JSON, BEHAVIOR, N };
    static const struct gemini_member members[] = {
        [NAME] = {STR_INIT("name"), JSON_IS(JSON_STRING)},
        [DESCRIPTION] = {STR_INIT("description"), JSON_IS(JSON_STRING)},
        [PARAMETERS] = {STR_INIT("parameters"), JSON_IS(JSON_OBJECT)},
        [JSON_SCHEMA] = {STR_INIT("parametersJsonSchema"), JSON_IS(JSON_OBJECT)},
        [RESPONSE] = {STR_INIT("response"), JSON_IS(JSON_OBJECT)},
        [RESPONSE_JSON] = {STR_INIT("responseJsonSchema"), JSON_IS(JSON_OBJECT)},
        [BEHAVIOR] = {STR_INIT("behavior"), JSON_IS(JSON_STRING)},
    };
    struct gemini_place below = {.up = at, .name = STR("parameters")};
    struct str f[N];
    if (!gemini_object(rd, raw, at, members, N, f)) return false;
    if (!f[NAME].p) return gemini_fault(rd, at, STR("name"), "is missing");
    if (f[RESPONSE].p || f[RESPONSE_JSON].p) gemini_other(rd, at, STR("response"));
    if (f[BEHAVIOR].p) gemini_other(rd, at, STR("behavior"));
    *tool = (struct chat_tool){.name = f[NAME], .description = f[DESCRIPTION], .schema = f[JSON_SCHEMA], .strict = -1};
    return tool->schema.p || !f[PARAMETERS].p || gemini_schema_read(rd, f[PARAMETERS], &below, &tool->schema);
}

// The tools of one element: its function declarations, and each other member as a hosted tool.
struct tools {
    struct chat_tool *list;
    size_t n, cap;
};

static struct chat_tool *tools_add(const struct gemini_read *rd, struct tools *t) {
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 8;
        struct chat_tool *list = ARENA_ARRAY(rd->arena, struct chat_tool, cap);
        if (!list) return NULL;
        if (t->n) memcpy(list, t->list, t->n * sizeof *list);
        t->list = list, t->cap = cap;
    }
    return &t->list[t->n++];
}

static bool read_declarations(const struct gemini_read *rd, struct str raw, const struct gemini_place *up,
                              struct tools *t) {
    struct gemini_place list = {.up = up, .name = STR("functionDeclarations")}, at = {.up = &list};
    struct json_reader r;
    enum json_kind kind;
    struct str value;
    bool one = json_raw_kind(raw) == JSON_OBJECT;
    struct str all = one ? arena_printf(rd->arena, "[%.*s]", STR_ARG(raw)) : raw;
    if (!all.n) return err_no_memory(rd->err);
    json_reader_init(&r, all, JSON_DEPTH_MAX);
    if (!json_enter_array(&r)) return gemini_fault(rd, &list, STR_NONE, "must be an array");
    for (; json_element(&r, &kind); at.index++) {
        struct chat_tool *tool = tools_add(rd, t);
        if (!tool) return err_no_memory(rd->err);
        if (!json_skip(&r, &value) || !read_function(rd, value, &at, tool)) return false;
    }
    return true;
}

static bool read_hosted(const struct gemini_read *rd, struct str key, struct str value, struct tools *t) {
    struct chat_tool *tool = tools_add(rd, t);
    if (!tool) return err_no_memory(rd->err);
    *tool = (struct chat_tool){.name = key, .strict = -1};
    tool->hosted = arena_printf(rd->arena, "{%.*s:%.*s}", STR_ARG(key), STR_ARG(value));
    return tool->hosted.n || err_no_memory(rd->err);
}

static bool read_tool(const struct gemini_read *rd, struct str raw, const struct gemini_place *at, struct tools *t) {
    struct json_reader r;
    struct str key, value;
    enum json_kind kind;
    if (raw.p[0] != '{') return gemini_fault(rd, at, STR_NONE, "must be an object");
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (!json_enter_object(&r)) return true;
    while (json_member(&r, &key, &kind)) {
        bool functions =
            json_string_eq(key, STR("functionDeclarations")) || json_string_eq(key, STR("function_declarations"));
        if (!json_skip(&r, &value)) return json_error(&r, rd->err);
        if (kind == JSON_NULL) continue;
        if (functions ? !read_declarations(rd, value, at, t) : !read_hosted(rd, key, value, t)) return false;
    }
    return true;
}

// --- which may be called ---

static bool allowed(struct str names, struct str name) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    json_reader_init(&r, names, 0);
    if (json_enter_array(&r))
        while (json_element(&r, &kind))
            if (json_skip(&r, &raw) && str_eq(raw, name)) return true;
    return false;
}

// Several names: the tools that are not among them cannot be called, so they need not be told.
static void keep_allowed(struct tools *t, struct str names) {
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->list[i].hosted.p || allowed(names, t->list[i].name)) t->list[kept++] = t->list[i];
    t->n = kept;
}

static bool one_name(struct str names, struct str *out_name) {
    struct json_reader r;
    enum json_kind kind;
    json_reader_init(&r, names, 0);
    return gemini_count(names) == 1 && json_enter_array(&r) && json_element(&r, &kind) && kind == JSON_STRING &&
           json_skip(&r, out_name);
}

static bool read_choice(const struct gemini_read *rd, struct str config, struct tools *t) {
    static const struct gemini_member outer[] = {{STR_INIT("functionCallingConfig"), JSON_IS(JSON_OBJECT)}};
    static const struct gemini_member inner[] = {{STR_INIT("mode"), JSON_IS(JSON_STRING)},
                                                 {STR_INIT("allowedFunctionNames"), JSON_IS(JSON_ARRAY)}};
    struct gemini_place at = {.name = STR("toolConfig")}, below = {.up = &at, .name = outer[0].name};
    struct str f[1], g[2];
    struct chat *chat = rd->chat;
    if (!gemini_object(rd, config, &at, outer, 1, f)) return false;
    if (!f[0].p) return true;
    if (!gemini_object(rd, f[0], &below, inner, 2, g)) return false;
    struct str mode = g[0].p ? g[0] : STR("\"AUTO\"");
    if (json_string_eq(mode, STR("NONE"))) {
        chat->tool_choice = CHAT_CHOICE_NONE;
        return true;
    }
    bool any = json_string_eq(mode, STR("ANY"));
    bool of_ours = any || json_string_eq(mode, STR("AUTO")) || json_string_eq(mode, STR("VALIDATED")) ||
                   json_string_eq(mode, STR("MODE_UNSPECIFIED"));
    if (!of_ours) return gemini_fault(rd, &below, inner[0].name, "must be AUTO, ANY, NONE or VALIDATED");
    chat->tool_choice = any ? CHAT_CHOICE_ANY : CHAT_CHOICE_AUTO;
    if (!g[1].p) return true;
    if (gemini_count(g[1]) > 512) return gemini_fault(rd, &below, inner[1].name, "has too many elements");
    if (any && one_name(g[1], &chat->tool_choice_name))
        chat->tool_choice = CHAT_CHOICE_ONE;
    else if (gemini_count(g[1]))
        keep_allowed(t, g[1]);
    return true;
}

bool gemini_read_tools(const struct gemini_read *rd, struct str tools, struct str tool_config) {
    struct gemini_place list = {.name = STR("tools")}, at = {.up = &list};
    struct json_reader r;
    enum json_kind kind;
    struct str value;
    struct tools t = {0};
    json_reader_init(&r, tools.p ? tools : STR("[]"), JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        for (; json_element(&r, &kind); at.index++)
            if (!json_skip(&r, &value) || !read_tool(rd, value, &at, &t)) return false;
    if (tool_config.p && !read_choice(rd, tool_config, &t)) return false;
    rd->chat->tools = t.list;
    rd->chat->tool_count = t.n;
    return true;
}
