// A JSON Schema in the subset that Google's older Schema has.
//
// References are written out (a recursive one ends in a plain object), allOf and references beside other keywords are
// joined, null among alternatives is "nullable", const is an enum, an array without items gets some, and what Schema
// has no word for (additionalProperties, patterns of properties, …) is left out.
#include "model/gemini/gemini.h"

#define DEPTH_MAX 24 // the writer nests 64 deep, and a level takes two
#define LAYERS_MAX 32
#define NODES_MAX 20000            // what references may grow to
#define KEYWORDS 32                // that a schema is looked through for, about
#define WORK_MAX ((size_t)1 << 29) // bytes that are looked through

struct schema_write {
    struct json_writer *json;
    struct str root;
    struct arena *arena;
    struct err *err;
    size_t nodes, work;
    struct str open[DEPTH_MAX * 2]; // targets of references that are being written
    size_t open_count;
};

// Objects whose keywords hold together: a schema, what it refers to, the parts of its allOf.
struct layers {
    struct str list[LAYERS_MAX];
    size_t n;
    size_t opened; // references among them
    bool recursive;
    bool nullable;
};

static bool put_schema(struct schema_write *s, struct str raw, unsigned depth, bool nullable);

static bool too_large(struct schema_write *s) {
    return err_set(s->err, ERR_INVALID_FIELD, "a schema grows too large once its references are written out");
}

// What is looked through again and again, a large schema by each that refers to it, may not become too much.
static bool may_look(struct schema_write *s, size_t bytes, size_t times) {
    size_t work;
    if (__builtin_mul_overflow(bytes, times, &work) || work > WORK_MAX - s->work) return too_large(s);
    s->work += work;
    return true;
}

// --- references ---

// The value under a key that is decoded already.
static bool member_of(struct str object, struct str key, struct str *out) { return json_get(object, &key, 1, out); }

// "#/$defs/Thing", with ~0, ~1 undone.
static bool resolve(struct schema_write *s, struct str ref, struct str *out) {
    struct str path, part, at = s->root;
    char name[256];
    if (!json_string_text(ref, s->arena, &path) || !path.n || path.p[0] != '#') return false;
    path = str_from(path, 1);
    if (path.n && path.p[0] == '/') path = str_from(path, 1);
    if (!path.n) {
        *out = at;
        return true;
    }
    while (str_split(&path, '/', &part)) {
        size_t n = 0;
        if (part.n >= sizeof name) return false;
        for (size_t i = 0; i < part.n; i++) {
            char c = part.p[i];
            if (c == '~' && i + 1 < part.n) c = part.p[++i] == '1' ? '/' : '~';
            name[n++] = c;
        }
        if (!member_of(at, str_of(name, n), &at)) return false;
    }
    *out = at;
    return at.p[0] == '{';
}

static bool is_open(const struct schema_write *s, struct str target) {
    for (size_t i = 0; i < s->open_count; i++)
        if (s->open[i].p == target.p) return true;
    return false;
}

static void layers_add(struct schema_write *s, struct layers *l, struct str raw);

static void layers_add_ref(struct schema_write *s, struct layers *l, struct str ref) {
    struct str target;
    s->work += MIN(s->root.n, WORK_MAX - s->work); // what may_look then finds
    if (ref.p[0] != '"' || s->work == WORK_MAX || !resolve(s, ref, &target)) return;
    if (is_open(s, target) || s->open_count == ARRAY_LEN(s->open)) {
        l->recursive = true;
        return;
    }
    s->open[s->open_count++] = target;
    l->opened++;
    layers_add(s, l, target);
}

static void layers_add_all(struct schema_write *s, struct layers *l, struct str list) {
    struct json_reader r;
    struct str value;
    enum json_kind kind;
    json_reader_init(&r, list, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (json_element(&r, &kind))
            if (json_skip(&r, &value) && kind == JSON_OBJECT) layers_add(s, l, value);
}

static bool is_null_schema(struct str raw) {
    struct str type;
    return raw.p[0] == 'n' || (JSON_GET(raw, &type, STR("type")) && json_string_eq(type, STR("null")));
}

// The one alternative that is left when null is taken out; false when there are more.
static bool only_alternative(struct str list, struct str *out_one, bool *out_null) {
    struct json_reader r;
    struct str value;
    enum json_kind kind;
    size_t others = 0;
    *out_null = false;
    json_reader_init(&r, list, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (json_element(&r, &kind)) {
            if (!json_skip(&r, &value)) break;
            if (is_null_schema(value))
                *out_null = true;
            else
                *out_one = value, others++;
        }
    return others == 1;
}

static bool alternatives(struct str raw, struct str *out) {
    bool found = JSON_GET(raw, out, STR("anyOf")) || JSON_GET(raw, out, STR("oneOf"));
    return found && out->p[0] == '[';
}

static void layers_add(struct schema_write *s, struct layers *l, struct str raw) {
    struct str value, one;
    bool null;
    if (l->n == LAYERS_MAX || raw.p[0] != '{') return;
    l->list[l->n++] = raw;
    if (JSON_GET(raw, &value, STR("$ref"))) layers_add_ref(s, l, value);
    if (JSON_GET(raw, &value, STR("allOf"))) layers_add_all(s, l, value);
    if (alternatives(raw, &value) && only_alternative(value, &one, &null)) {
        l->nullable = l->nullable || null;
        layers_add(s, l, one);
    }
    if (JSON_GET(raw, &value, STR("nullable")) && gemini_is_true(value)) l->nullable = true;
}

// The first layer that has a keyword.
static bool keyword(const struct layers *l, struct str name, struct str *out) {
    for (size_t i = 0; i < l->n; i++)
        if (member_of(l->list[i], name, out)) return true;
    return false;
}

// --- types ---

static void put_upper(struct json_writer *json, struct str key, struct str name) {
    char text[16];
    size_t n = MIN(name.n, sizeof text);
    for (size_t i = 0; i < n; i++) text[i] = (char)(name.p[i] >= 'a' && name.p[i] <= 'z' ? name.p[i] - 32 : name.p[i]);
    json_put_member_str(json, key, str_of(text, n));
}

// The types of a list without null: how many, and the first.
static size_t list_types(struct str list, struct str out[8], bool *out_null) {
    struct json_reader r;
    struct str value;
    enum json_kind kind;
    size_t n = 0;
    json_reader_init(&r, list, 0);
    if (json_enter_array(&r))
        while (json_element(&r, &kind)) {
            if (!json_skip(&r, &value) || kind != JSON_STRING) continue;
            if (json_string_eq(value, STR("null")))
                *out_null = true;
            else if (n < 8)
                out[n++] = chat_inner(value);
        }
    return n;
}

static struct str guess_type(const struct layers *l) {
    struct str value;
    if (keyword(l, STR("properties"), &value)) return STR("object");
    if (keyword(l, STR("items"), &value)) return STR("array");
    if (keyword(l, STR("enum"), &value) || keyword(l, STR("const"), &value)) {
        bool text = value.p[0] == '"' || (value.n > 1 && str_trim(str_from(value, 1)).p[0] == '"');
        return text ? STR("string") : value.p[0] == 't' || value.p[0] == 'f' ? STR("boolean") : STR("number");
    }
    return l->recursive ? STR("object") : STR("string");
}

// --- keywords ---

// Values of an enum, or a const: Schema has it for strings only.
static void put_enum(struct schema_write *s, const struct layers *l) {
    struct json_reader r;
    struct str value, element;
    enum json_kind kind;
    bool is_const = keyword(l, STR("const"), &value);
    if (!is_const && (!keyword(l, STR("enum"), &value) || value.p[0] != '[')) return;
    if (is_const && value.p[0] != '"') return;
    json_put_member_array(s->json, STR("enum"));
    if (is_const) json_put_raw(s->json, value);
    json_reader_init(&r, is_const ? STR("[]") : value, 0);
    if (json_enter_array(&r))
        while (json_element(&r, &kind))
            if (json_skip(&r, &element) && kind == JSON_STRING) json_put_raw(s->json, element);
    json_put_array_end(s->json);
}

static void put_format(struct schema_write *s, const struct layers *l, struct str type) {
    static const struct {
        struct str type, format;
    } known[] = {{STR_INIT("string"), STR_INIT("date-time")},
                 {STR_INIT("number"), STR_INIT("float")},
                 {STR_INIT("number"), STR_INIT("double")},
                 {STR_INIT("integer"), STR_INIT("int32")},
                 {STR_INIT("integer"), STR_INIT("int64")}};
    struct str value;
    if (!keyword(l, STR("format"), &value)) return;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(known[i].type, type) && str_eq(chat_inner(value), known[i].format))
            json_put_member_raw(s->json, STR("format"), value);
}

static void put_plain(struct schema_write *s, const struct layers *l) {
    static const struct {
        struct str name;
        char first; // of its value: a string, or a number where it is 0
    } words[] = {{STR_INIT("title"), '"'},       {STR_INIT("description"), '"'}, {STR_INIT("pattern"), '"'},
                 {STR_INIT("minimum"), 0},       {STR_INIT("maximum"), 0},       {STR_INIT("minItems"), 0},
                 {STR_INIT("maxItems"), 0},      {STR_INIT("minLength"), 0},     {STR_INIT("maxLength"), 0},
                 {STR_INIT("minProperties"), 0}, {STR_INIT("maxProperties"), 0}};
    struct str value;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (keyword(l, words[i].name, &value) &&
            (words[i].first ? value.p[0] == '"' : json_raw_kind(value) == JSON_NUMBER))
            json_put_member_raw(s->json, words[i].name, value);
}

static bool has_property(const struct layers *l, size_t layers, struct str key) {
    struct str properties, value, name;
    for (size_t i = 0; i < layers; i++)
        if (member_of(l->list[i], STR("properties"), &properties) && json_string_borrow(key, &name) &&
            member_of(properties, name, &value))
            return true;
    return false;
}

#define PROPERTIES_MAX 4096

static size_t bytes_of(const struct layers *l) {
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) n += l->list[i].n;
    return n;
}

// Whether one of the first layers has a property of that name.
static bool told_before(struct schema_write *s, const struct layers *l, size_t layers, struct str key, bool *out_told) {
    if (layers && !may_look(s, bytes_of(l), 1)) return false;
    *out_told = layers && has_property(l, layers, key);
    return true;
}

static bool put_properties(struct schema_write *s, const struct layers *l, unsigned depth) {
    struct json_reader r;
    struct str properties, key, value, name;
    enum json_kind kind;
    bool any = false, told;
    for (size_t i = 0; i < l->n; i++) {
        if (!member_of(l->list[i], STR("properties"), &properties)) continue;
        json_reader_init(&r, properties, JSON_DEPTH_MAX);
        if (!json_enter_object(&r)) continue;
        while (json_member(&r, &key, &kind)) {
            if (!json_skip(&r, &value) || !json_string_text(key, s->arena, &name)) return err_no_memory(s->err);
            if (!told_before(s, l, i, key, &told)) return false;
            if (told) continue;
            if (!any) json_put_member_object(s->json, STR("properties"));
            any = true;
            json_put_key(s->json, name);
            if (!put_schema(s, value, depth + 1, false)) return false;
        }
    }
    if (any) json_put_object_end(s->json);
    return true;
}

// Only names that properties have: another is refused.
static bool put_required(struct schema_write *s, const struct layers *l) {
    struct json_reader r;
    struct str list, value;
    enum json_kind kind;
    bool any = false;
    size_t n = 0;
    const size_t bytes = bytes_of(l);
    for (size_t i = 0; i < l->n; i++) {
        if (!member_of(l->list[i], STR("required"), &list)) continue;
        json_reader_init(&r, list, 0);
        if (!json_enter_array(&r)) continue;
        while (json_element(&r, &kind)) {
            if (!json_skip(&r, &value) || kind != JSON_STRING || ++n > PROPERTIES_MAX) continue;
            if (!may_look(s, bytes, 1)) return false;
            if (!has_property(l, l->n, value)) continue;
            if (!any) json_put_member_array(s->json, STR("required"));
            any = true;
            json_put_raw(s->json, value);
        }
    }
    if (any) json_put_array_end(s->json);
    return true;
}

static bool put_items(struct schema_write *s, const struct layers *l, unsigned depth) {
    struct str items;
    json_put_key(s->json, STR("items"));
    if (keyword(l, STR("items"), &items) && items.p[0] == '{') return put_schema(s, items, depth + 1, false);
    json_put_raw(s->json, STR("{\"type\":\"STRING\"}"));
    return true;
}

// More than one alternative: then nothing else may stand beside it.
static bool put_alternatives(struct schema_write *s, struct str list, unsigned depth, bool nullable) {
    struct json_reader r;
    struct str value;
    enum json_kind kind;
    json_put_member_array(s->json, STR("anyOf"));
    json_reader_init(&r, list, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (json_element(&r, &kind))
            if (json_skip(&r, &value) && !is_null_schema(value) && !put_schema(s, value, depth + 1, nullable))
                return false;
    json_put_array_end(s->json);
    return true;
}

static bool put_typed(struct schema_write *s, const struct layers *l, struct str type, unsigned depth, bool nullable) {
    put_upper(s->json, STR("type"), type);
    put_plain(s, l);
    put_format(s, l, type);
    if (nullable) json_put_member_bool(s->json, STR("nullable"), true);
    if (str_eq(type, STR("string"))) put_enum(s, l);
    if (str_eq(type, STR("array"))) return put_items(s, l, depth);
    if (!str_eq(type, STR("object"))) return true;
    return put_properties(s, l, depth) && put_required(s, l);
}

static bool put_types(struct schema_write *s, const struct layers *l, const struct str *types, size_t n, bool nullable,
                      unsigned depth) {
    json_put_member_array(s->json, STR("anyOf"));
    for (size_t i = 0; i < n; i++) {
        json_put_object(s->json);
        if (!put_typed(s, l, types[i], depth + 1, nullable)) return false;
        json_put_object_end(s->json);
    }
    json_put_array_end(s->json);
    return true;
}

static bool put_layers(struct schema_write *s, struct layers *l, unsigned depth) {
    struct str value, one, types[8];
    bool null;
    for (size_t i = 0; i < l->n; i++) {
        if (!alternatives(l->list[i], &value) || only_alternative(value, &one, &null)) continue;
        return put_alternatives(s, value, depth, null || l->nullable);
    }
    types[0] = guess_type(l);
    size_t n = 1;
    if (keyword(l, STR("type"), &value)) {
        if (value.p[0] == '[') n = list_types(value, types, &l->nullable);
        if (value.p[0] == '"') types[0] = chat_inner(value);
    }
    if (n == 0) types[n++] = STR("string");
    return n == 1 ? put_typed(s, l, types[0], depth, l->nullable) : put_types(s, l, types, n, l->nullable, depth);
}

static bool put_schema(struct schema_write *s, struct str raw, unsigned depth, bool nullable) {
    struct layers l = {.nullable = nullable};
    if (++s->nodes > NODES_MAX || s->json->out->failed) return too_large(s);
    if (depth >= DEPTH_MAX || raw.p[0] != '{') {
        json_put_raw(s->json, STR("{\"type\":\"OBJECT\"}"));
        return true;
    }
    layers_add(s, &l, raw);
    if (!may_look(s, bytes_of(&l), KEYWORDS)) return false;
    json_put_object(s->json);
    if (!put_layers(s, &l, depth)) return false; // nothing of what was written is of use
    json_put_object_end(s->json);
    s->open_count -= l.opened;
    return true;
}

bool gemini_schema_put(struct json_writer *out, struct str schema, struct arena *arena, struct err *err) {
    struct schema_write s = {.json = out, .root = schema, .arena = arena, .err = err};
    return put_schema(&s, schema, 0, false);
}
