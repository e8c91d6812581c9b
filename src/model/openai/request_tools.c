// The tools of a request, which of them to use, and the form of the answer.
#include "model/openai/openai.h"

#define STRING JSON_IS(JSON_STRING)
#define OBJECT JSON_IS(JSON_OBJECT)
#define BOOLEAN JSON_IS(JSON_BOOL)

static int flag(struct str raw) { return raw.p ? str_eq(raw, STR("true")) : -1; }

// Their room doubles whenever their number is a power of two.
static struct chat_tool *tool_add(struct openai_reading *x) {
    struct chat *c = x->chat;
    size_t n = c->tool_count;
    if ((n & (n - 1)) == 0) {
        struct chat_tool *more = arena_alloc(x->arena, (n ? n * 2 : 1) * sizeof *more);
        if (!more) {
            err_no_memory(x->err);
            return NULL;
        }
        if (n) memcpy(more, c->tools, n * sizeof *more);
        c->tools = more;
    }
    c->tools[n] = (struct chat_tool){.strict = -1};
    c->tool_count++;
    return &c->tools[n];
}

enum function { NAME, DESCRIPTION, PARAMETERS, FUNCTION_STRICT, FUNCTION_CACHE, FUNCTION_MEMBERS };
static const struct openai_member k_function[FUNCTION_MEMBERS] = {
    [NAME] = {STR_INIT("name"), STRING, NULL},
    [DESCRIPTION] = {STR_INIT("description"), STRING, NULL},
    [PARAMETERS] = {STR_INIT("parameters"), OBJECT, NULL},
    [FUNCTION_STRICT] = {STR_INIT("strict"), BOOLEAN, NULL},
    [FUNCTION_CACHE] = {STR_INIT("cache_control"), OBJECT, NULL},
};

static bool read_function(struct openai_reading *x, struct json_reader *r) {
    struct str m[FUNCTION_MEMBERS];
    struct chat_tool *tool = &x->chat->tools[x->chat->tool_count - 1];
    if (!openai_members(x, r, k_function, FUNCTION_MEMBERS, "tools[].", m)) return false;
    if (!m[NAME].p) return openai_missing(x, STR("function.name"));
    if (m[NAME].n == 2) return openai_wrong(x, STR("function.name"), "must not be empty");
    tool->name = m[NAME];
    tool->description = m[DESCRIPTION];
    tool->schema = m[PARAMETERS];
    tool->strict = flag(m[FUNCTION_STRICT]);
    if (m[FUNCTION_CACHE].p) tool->cache_control = m[FUNCTION_CACHE];
    return true;
}

// A tool of another type than "function" is known to its inventor alone: kept whole.
static bool read_hosted(struct openai_reading *x, struct str raw, struct str type, struct str custom) {
    struct chat_tool *tool = &x->chat->tools[x->chat->tool_count - 1];
    tool->hosted = raw;
    tool->name = type;
    struct str name;
    if (custom.p && JSON_GET(custom, &name, STR("name"))) tool->name = name;
    return true;
}

static bool read_tool(struct openai_reading *x, struct json_reader *r) {
    enum { TYPE, FUNCTION, CUSTOM, CACHE, COUNT };
    static const struct openai_member table[COUNT] = {
        [TYPE] = {STR_INIT("type"), STRING, NULL},
        [FUNCTION] = {STR_INIT("function"), OBJECT, NULL},
        [CUSTOM] = {STR_INIT("custom"), OBJECT, NULL},
        [CACHE] = {STR_INIT("cache_control"), OBJECT, NULL},
    };
    struct str m[COUNT], raw;
    struct json_reader inner;
    struct chat_tool *tool = tool_add(x);
    if (!tool) return false;
    if (!json_skip(r, &raw)) return false;
    if (!openai_members_of(x, raw, table, COUNT, NULL, m)) return false;
    if (!m[TYPE].p) return openai_missing(x, STR("type"));
    if (!json_string_eq(m[TYPE], STR("function"))) return read_hosted(x, raw, m[TYPE], m[CUSTOM]);
    if (!m[FUNCTION].p) return openai_missing(x, STR("function"));
    tool->cache_control = m[CACHE];
    json_reader_init(&inner, m[FUNCTION], JSON_DEPTH_MAX);
    return read_function(x, &inner);
}

static bool each(struct openai_reading *x, struct json_reader *r, const char *list,
                 bool (*read)(struct openai_reading *x, struct json_reader *r)) {
    enum json_kind kind;
    if (!json_enter_array(r)) return false;
    x->list = list;
    for (x->element = 0; json_element(r, &kind); x->element++) {
        if (kind != JSON_OBJECT) return openai_wrong(x, STR(""), "must be an object");
        if (!read(x, r)) return false;
    }
    x->list = NULL;
    return json_ok(r);
}

bool openai_read_tools(struct openai_reading *x, struct json_reader *r) { return each(x, r, "tools", read_tool); }

static bool read_old_function(struct openai_reading *x, struct json_reader *r) {
    return tool_add(x) && read_function(x, r);
}

bool openai_read_functions(struct openai_reading *x, struct json_reader *r) {
    x->chat->old_functions = true;
    return each(x, r, "functions", read_old_function);
}

// --- which to use ---

// The name in {"type":"function","function":{"name":…}}, or {"name":…} of the older form, or of a custom tool.
static bool choice_name(struct str raw, struct str *out_name) {
    bool found = JSON_GET(raw, out_name, STR("function"), STR("name")) ||
                 JSON_GET(raw, out_name, STR("custom"), STR("name")) || JSON_GET(raw, out_name, STR("name"));
    return found && json_raw_kind(*out_name) == JSON_STRING && out_name->n > 2;
}

// Keeps those of the tools that the list names.
static bool keep_allowed(struct openai_reading *x, struct str list) {
    struct chat *c = x->chat;
    struct json_reader r;
    enum json_kind kind;
    struct str raw, name, text;
    bool *keep = arena_zalloc(x->arena, c->tool_count + 1);
    if (!keep) return err_no_memory(x->err);
    json_reader_init(&r, list, 0);
    json_enter_array(&r);
    for (int n = 0; json_element(&r, &kind) && json_skip(&r, &raw); n++) {
        if (n == 256 || !choice_name(raw, &name) || !json_string_text(name, x->arena, &text))
            return openai_wrong(x, STR("tool_choice.allowed_tools.tools"), "must be up to 256 tools by their names");
        for (size_t i = 0; i < c->tool_count; i++) keep[i] |= json_string_eq(c->tools[i].name, text);
    }
    size_t kept = 0;
    for (size_t i = 0; i < c->tool_count; i++)
        if (keep[i]) c->tools[kept++] = c->tools[i];
    c->tool_count = kept;
    return true;
}

static bool read_allowed(struct openai_reading *x, struct str raw) {
    struct str inner, mode, tools;
    if (!JSON_GET(raw, &inner, STR("allowed_tools"))) inner = raw;
    if (!JSON_GET(inner, &tools, STR("tools")) || json_raw_kind(tools) != JSON_ARRAY)
        return openai_missing(x, STR("tool_choice.allowed_tools.tools"));
    x->chat->tool_choice = CHAT_CHOICE_AUTO;
    if (JSON_GET(inner, &mode, STR("mode")) && json_string_eq(mode, STR("required")))
        x->chat->tool_choice = CHAT_CHOICE_ANY;
    return keep_allowed(x, tools);
}

bool openai_read_tool_choice(struct openai_reading *x, struct str raw) {
    static const struct {
        struct str name;
        enum chat_tool_choice choice;
    } words[] = {{STR_INIT("auto"), CHAT_CHOICE_AUTO},
                 {STR_INIT("none"), CHAT_CHOICE_NONE},
                 {STR_INIT("required"), CHAT_CHOICE_ANY},
                 {STR_INIT("any"), CHAT_CHOICE_ANY}};
    struct str type;
    if (raw.p[0] == '"') {
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            if (!json_string_eq(raw, words[i].name)) continue;
            x->chat->tool_choice = words[i].choice;
            return true;
        }
        return openai_wrong(x, STR("tool_choice"), "is unknown");
    }
    if (JSON_GET(raw, &type, STR("type")) && json_string_eq(type, STR("allowed_tools"))) return read_allowed(x, raw);
    if (!choice_name(raw, &x->chat->tool_choice_name)) return openai_wrong(x, STR("tool_choice"), "names no function");
    x->chat->tool_choice = CHAT_CHOICE_ONE;
    return true;
}

// --- the form of the answer ---

bool openai_read_response_format(struct openai_reading *x, struct str raw) {
    enum { TYPE, SCHEMA, COUNT };
    static const struct openai_member table[COUNT] = {
        [TYPE] = {STR_INIT("type"), STRING, NULL},
        [SCHEMA] = {STR_INIT("json_schema"), OBJECT, NULL},
    };
    enum { S_NAME, S_DESCRIPTION, S_SCHEMA, S_STRICT, S_COUNT };
    static const struct openai_member inner[S_COUNT] = {
        [S_NAME] = {STR_INIT("name"), STRING, NULL},
        [S_DESCRIPTION] = {STR_INIT("description"), STRING, NULL},
        [S_SCHEMA] = {STR_INIT("schema"), OBJECT, NULL},
        [S_STRICT] = {STR_INIT("strict"), BOOLEAN, NULL},
    };
    struct str m[COUNT], s[S_COUNT];
    struct chat *c = x->chat;
    if (!openai_members_of(x, raw, table, COUNT, "response_format.", m)) return false;
    if (json_string_eq(m[TYPE], STR("text"))) return true;
    if (json_string_eq(m[TYPE], STR("json_object"))) {
        c->output = CHAT_OUTPUT_JSON;
        return true;
    }
    if (!json_string_eq(m[TYPE], STR("json_schema"))) return openai_wrong(x, STR("response_format.type"), "is unknown");
    if (!m[SCHEMA].p) return openai_missing(x, STR("response_format.json_schema"));
    if (!openai_members_of(x, m[SCHEMA], inner, S_COUNT, "response_format.json_schema.", s)) return false;
    c->output = s[S_SCHEMA].p ? CHAT_OUTPUT_SCHEMA : CHAT_OUTPUT_JSON;
    c->output_name = s[S_NAME];
    c->output_description = s[S_DESCRIPTION];
    c->output_schema = s[S_SCHEMA];
    c->output_strict = flag(s[S_STRICT]);
    return true;
}
