// A schema in Google's form as JSON Schema: types in lower case, nullable as a type, counts as numbers.
#include "model/gemini/gemini.h"

#define SCHEMA_DEPTH_MAX 28 // the writer nests 64 deep, and a level takes two

struct schema_read {
    const struct gemini_read *rd;
    const struct gemini_place *at;
    struct json_writer json;
};

static bool schema(struct schema_read *s, struct str raw, unsigned depth);

// Each value of an object, or each element of an array, is a schema.
static bool schemas(struct schema_read *s, struct str raw, unsigned depth) {
    struct json_reader r;
    struct str key, value;
    enum json_kind kind;
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (raw.p[0] == '[') {
        json_put_array(&s->json);
        if (json_enter_array(&r))
            while (json_element(&r, &kind))
                if (!json_skip(&r, &value) || !schema(s, value, depth)) return false;
        json_put_array_end(&s->json);
        return true;
    }
    json_put_object(&s->json);
    if (raw.p[0] == '{' && json_enter_object(&r))
        while (json_member(&r, &key, &kind)) {
            struct str name;
            if (!json_skip(&r, &value) || !json_string_text(key, s->rd->arena, &name)) return false;
            json_put_key(&s->json, name);
            if (!schema(s, value, depth)) return false;
        }
    json_put_object_end(&s->json);
    return true;
}

static void put_type(struct schema_read *s, struct str raw, bool nullable) {
    char text[16];
    struct str name = chat_inner(raw);
    if (raw.p[0] != '"' || name.n >= sizeof text || str_eq(name, STR("TYPE_UNSPECIFIED"))) return;
    for (size_t i = 0; i < name.n; i++)
        text[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    json_put_key(&s->json, STR("type"));
    if (nullable) json_put_array(&s->json);
    json_put_str(&s->json, str_of(text, name.n));
    if (!nullable) return;
    json_put_str(&s->json, STR("null"));
    json_put_array_end(&s->json);
}

static bool is_one_of(struct str name, const struct str *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, names[i])) return true;
    return false;
}

static bool put_member(struct schema_read *s, struct str name, struct str raw, bool nullable, unsigned depth) {
    static const struct str counts[] = {STR_INIT("minItems"),      STR_INIT("maxItems"),  STR_INIT("minProperties"),
                                        STR_INIT("maxProperties"), STR_INIT("minLength"), STR_INIT("maxLength")};
    static const struct str below[] = {STR_INIT("properties"), STR_INIT("anyOf"), STR_INIT("any_of"),
                                       STR_INIT("$defs"),      STR_INIT("defs"),  STR_INIT("prefixItems")};
    static const struct str ours[] = {STR_INIT("nullable"), STR_INIT("propertyOrdering"),
                                      STR_INIT("property_ordering")};
    uint64_t count;
    if (is_one_of(name, ours, ARRAY_LEN(ours)) || str_eq(raw, STR("null"))) return true;
    if (str_eq(name, STR("type"))) {
        put_type(s, raw, nullable);
        return true;
    }
    if (str_eq(name, STR("format")) && json_string_eq(raw, STR("enum"))) return true;
    bool list = is_one_of(name, below, ARRAY_LEN(below)) && (raw.p[0] == '{' || raw.p[0] == '[');
    if (str_eq(name, STR("any_of"))) name = STR("anyOf");
    json_put_key(&s->json, name);
    if (list) return schemas(s, raw, depth + 1);
    if (str_eq(name, STR("items")) && raw.p[0] == '{') return schema(s, raw, depth + 1);
    if (is_one_of(name, counts, ARRAY_LEN(counts)) && gemini_u64(raw, &count))
        json_put_u64(&s->json, count);
    else
        json_put_raw(&s->json, raw);
    return true;
}

static bool schema(struct schema_read *s, struct str raw, unsigned depth) {
    struct json_reader r;
    struct str key, value, nullable = STR_NONE;
    enum json_kind kind;
    if (depth > SCHEMA_DEPTH_MAX) return gemini_fault(s->rd, s->at, STR_NONE, "is nested too deep");
    if (raw.p[0] != '{') {
        json_put_raw(&s->json, raw);
        return true;
    }
    if (!JSON_GET(raw, &nullable, STR("nullable"))) nullable = STR_NONE;
    json_put_object(&s->json);
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (json_enter_object(&r))
        while (json_member(&r, &key, &kind)) {
            struct str name;
            if (!json_skip(&r, &value) || !json_string_text(key, s->rd->arena, &name))
                return gemini_fault(s->rd, s->at, STR_NONE, "has a name that can't be read");
            if (!put_member(s, name, value, gemini_is_true(nullable), depth)) return false;
        }
    json_put_object_end(&s->json);
    return true;
}

bool gemini_schema_read(const struct gemini_read *rd, struct str raw, const struct gemini_place *at,
                        struct str *out_schema) {
    struct schema_read s = {.rd = rd, .at = at};
    struct buf out = BUF_INIT(raw.n * 2 + 256);
    json_writer_init(&s.json, &out);
    bool good = schema(&s, raw, 0);
    if (good) *out_schema = out.failed ? STR_NONE : arena_str(rd->arena, buf_str(&out));
    buf_free(&out);
    return good && (out_schema->n || err_no_memory(rd->err));
}
