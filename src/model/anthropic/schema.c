// JSON schemas as Anthropic's structured outputs take them: objects closed, what is not supported told in words.
#include "model/anthropic/anthropic.h"

#define SCHEMA_DEPTH_MAX 24 // a schema and its "properties" are two levels of the writer

enum keyword { KEY_COPY, KEY_DROP, KEY_NOTE, KEY_SCHEMA, KEY_SCHEMAS, KEY_NAMED, KEY_DESCRIPTION, KEY_ONE_OF };
static const struct {
    struct str name;
    enum keyword what;
} k_keywords[] = {
    {STR_INIT("description"), KEY_DESCRIPTION},
    {STR_INIT("properties"), KEY_NAMED},
    {STR_INIT("items"), KEY_SCHEMA},
    {STR_INIT("additionalProperties"), KEY_DROP},
    {STR_INIT("anyOf"), KEY_SCHEMAS},
    {STR_INIT("oneOf"), KEY_ONE_OF},
    {STR_INIT("allOf"), KEY_SCHEMAS},
    {STR_INIT("$defs"), KEY_NAMED},
    {STR_INIT("definitions"), KEY_NAMED},
    {STR_INIT("$schema"), KEY_DROP},
    {STR_INIT("minimum"), KEY_NOTE},
    {STR_INIT("maximum"), KEY_NOTE},
    {STR_INIT("exclusiveMinimum"), KEY_NOTE},
    {STR_INIT("exclusiveMaximum"), KEY_NOTE},
    {STR_INIT("multipleOf"), KEY_NOTE},
    {STR_INIT("minLength"), KEY_NOTE},
    {STR_INIT("maxLength"), KEY_NOTE},
    {STR_INIT("pattern"), KEY_NOTE},
    {STR_INIT("maxItems"), KEY_NOTE},
    {STR_INIT("uniqueItems"), KEY_NOTE},
    {STR_INIT("minProperties"), KEY_NOTE},
    {STR_INIT("maxProperties"), KEY_NOTE},
};
static const struct str k_formats[] = {
    STR_INIT("date-time"), STR_INIT("time"), STR_INIT("date"), STR_INIT("duration"), STR_INIT("email"),
    STR_INIT("hostname"),  STR_INIT("uri"),  STR_INIT("ipv4"), STR_INIT("ipv6"),     STR_INIT("uuid"),
};

static enum keyword keyword_of(struct str key, struct str value) {
    for (size_t i = 0; i < ARRAY_LEN(k_keywords); i++)
        if (json_string_eq(key, k_keywords[i].name)) return k_keywords[i].what;
    if (json_string_eq(key, STR("minItems")))
        return str_eq(value, STR("0")) || str_eq(value, STR("1")) ? KEY_COPY : KEY_NOTE;
    if (!json_string_eq(key, STR("format"))) return KEY_COPY;
    for (size_t i = 0; i < ARRAY_LEN(k_formats); i++)
        if (json_string_eq(value, k_formats[i])) return KEY_COPY;
    return KEY_NOTE;
}

struct closing {
    struct arena *arena;
    struct json_writer *w;
};

static void put_schema(const struct closing *c, struct str raw, unsigned depth);

static void put_key(const struct closing *c, struct str key) {
    struct str text;
    json_put_key(c->w, json_string_text(key, c->arena, &text) ? text : STR("_"));
}

// An object of schemas by name.
static void put_named(const struct closing *c, struct str raw, unsigned depth) {
    struct json_reader in;
    struct str key, value;
    enum json_kind kind;
    json_reader_init(&in, raw, JSON_DEPTH_MAX);
    if (json_raw_kind(raw) != JSON_OBJECT || !json_enter_object(&in)) {
        json_put_raw(c->w, raw);
        return;
    }
    json_put_object(c->w);
    while (json_member(&in, &key, &kind) && json_skip(&in, &value)) {
        put_key(c, key);
        put_schema(c, value, depth + 1);
    }
    json_put_object_end(c->w);
}

static void put_list(const struct closing *c, struct str raw, unsigned depth) {
    struct json_reader in;
    struct str value;
    enum json_kind kind;
    json_reader_init(&in, raw, JSON_DEPTH_MAX);
    if (json_raw_kind(raw) != JSON_ARRAY || !json_enter_array(&in)) {
        json_put_raw(c->w, raw);
        return;
    }
    json_put_array(c->w);
    while (json_element(&in, &kind) && json_skip(&in, &value)) put_schema(c, value, depth + 1);
    json_put_array_end(c->w);
}

static void put_member(const struct closing *c, struct str key, struct str value, enum keyword what, unsigned depth) {
    if (what == KEY_ONE_OF)
        json_put_key(c->w, STR("anyOf"));
    else
        put_key(c, key);
    if (what == KEY_NAMED)
        put_named(c, value, depth);
    else if (what == KEY_SCHEMAS || what == KEY_ONE_OF)
        put_list(c, value, depth);
    else if (what == KEY_SCHEMA)
        put_schema(c, value, depth + 1);
    else
        json_put_raw(c->w, value);
}

// "{minimum: 1, pattern: \"x\"}" behind the description, escaped.
static void note(struct buf *notes, struct str key, struct str value) {
    buf_put(notes, notes->n ? STR(", ") : STR("{"));
    buf_put(notes, chat_inner(key));
    buf_lit(notes, ": ");
    json_escape_put(notes, value);
}

static void put_description(const struct closing *c, struct str description, struct str notes) {
    struct buf b = BUF_INIT(description.n + notes.n + 16);
    buf_putc(&b, '"');
    if (description.n) buf_put(&b, chat_inner(description));
    if (description.n > 2 && notes.n) buf_lit(&b, "\\n\\n");
    buf_put(&b, notes);
    if (notes.n) buf_putc(&b, '}');
    buf_putc(&b, '"');
    json_put_key(c->w, STR("description"));
    json_put_raw(c->w, b.failed ? STR("\"\"") : buf_str(&b));
    buf_free(&b);
}

static bool is_object_type(struct str key, struct str value) {
    if (json_string_eq(key, STR("properties"))) return true;
    return json_string_eq(key, STR("type")) && str_find(value, STR("\"object\"")) < value.n;
}

static void put_schema(const struct closing *c, struct str raw, unsigned depth) {
    struct json_reader in;
    struct str key, value, description = STR_NONE;
    enum json_kind kind;
    bool object = false;
    json_reader_init(&in, raw, JSON_DEPTH_MAX);
    if (depth > SCHEMA_DEPTH_MAX || json_raw_kind(raw) != JSON_OBJECT || !json_enter_object(&in)) {
        json_put_raw(c->w, raw);
        return;
    }
    struct buf notes = BUF_INIT(raw.n * 6 + 64);
    json_put_object(c->w);
    while (json_member(&in, &key, &kind) && json_skip(&in, &value)) {
        enum keyword what = keyword_of(key, value);
        object = object || is_object_type(key, value);
        if (what == KEY_DESCRIPTION && kind == JSON_STRING)
            description = value;
        else if (what == KEY_NOTE)
            note(&notes, key, value);
        else if (what != KEY_DROP && what != KEY_DESCRIPTION)
            put_member(c, key, value, what, depth);
    }
    if (object) json_put_member_bool(c->w, STR("additionalProperties"), false);
    if (description.p || notes.n) put_description(c, description, notes.failed ? STR("") : buf_str(&notes));
    json_put_object_end(c->w);
    buf_free(&notes);
}

void anthropic_close_schema(struct str schema, struct arena *arena, struct json_writer *w) {
    const struct closing c = {.arena = arena, .w = w};
    put_schema(&c, schema, 0);
}
