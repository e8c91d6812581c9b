// Reads a JSON schema into nodes; every member must be one that is known.
#include "model/json_schema_impl.h"

#include "base/vec.h"

#define FIELDS_MAX 10000 // properties, names, values of an enum

struct reading {
    struct str text;
    struct arena *arena;
    VEC(struct schema_node *) nodes;
    unsigned depth;
    struct str keyword; // that is being read, for messages
    struct err *err;
};

static bool wrong(struct reading *r, const char *what) {
    return err_set(r->err, ERR_INVALID_FIELD, "the schema is wrong at \"%.*s\": %s", STR_ARG(str_head(r->keyword, 60)),
                   what);
}

static struct schema_node *node_of(struct reading *r, struct str raw);

// --- kinds of keywords ---

struct place {
    struct reading *r;
    struct schema_node *node;
    struct str raw; // the keyword's value
};

static bool node_here(const struct place *p, struct schema_node **out) {
    *out = node_of(p->r, p->raw);
    return *out != NULL;
}

static bool nodes_here(const struct place *p, struct schema_list *out) {
    struct json_reader j;
    enum json_kind kind;
    struct str raw;
    VEC(struct schema_node *) list = {0};
    json_reader_init(&j, p->raw, 0);
    bool ok = json_enter_array(&j) || wrong(p->r, "expected a list of schemas");
    while (ok && json_element(&j, &kind)) {
        struct schema_node *node = json_skip(&j, &raw) ? node_of(p->r, raw) : NULL;
        ok = node && (vec_push(&list, node) || err_no_memory(p->r->err));
    }
    if (ok && !list.n) ok = wrong(p->r, "expected at least one schema");
    out->n = list.n;
    out->p = ok ? ARENA_ARRAY(p->r->arena, struct schema_node *, list.n) : NULL;
    if (ok && !out->p) ok = err_no_memory(p->r->err);
    if (ok) memcpy(out->p, list.p, list.n * sizeof *list.p);
    vec_free(&list);
    return ok;
}

static bool number_here(const struct place *p, struct schema_bound *out) {
    *out = (struct schema_bound){.set = true, .raw = p->raw};
    double v;
    return (json_raw_kind(p->raw) == JSON_NUMBER && json_raw_double(p->raw, &v)) || wrong(p->r, "expected a number");
}

static bool count_here(const struct place *p, uint64_t *out) {
    return json_raw_u64(p->raw, out) || wrong(p->r, "expected a whole number that is not negative");
}

// Texts, or any values, into a list of the arena's.
static bool list_here(const struct place *p, bool texts, struct str **out, size_t *out_n) {
    struct json_reader j;
    enum json_kind kind;
    struct str raw;
    VEC(struct str) list = {0};
    json_reader_init(&j, p->raw, 0);
    bool ok = json_enter_array(&j) || wrong(p->r, "expected a list");
    while (ok && json_element(&j, &kind) && json_skip(&j, &raw)) {
        if (texts && !json_string_text(raw, p->r->arena, &raw)) ok = wrong(p->r, "expected texts");
        if (ok && list.n >= FIELDS_MAX) ok = wrong(p->r, "too many");
        if (ok) ok = vec_push(&list, raw) || err_no_memory(p->r->err);
    }
    *out_n = list.n;
    *out = ok ? ARENA_ARRAY(p->r->arena, struct str, list.n + 1) : NULL;
    if (ok && !*out) ok = err_no_memory(p->r->err);
    if (ok && list.n) memcpy(*out, list.p, list.n * sizeof *list.p);
    vec_free(&list);
    return ok;
}

// A map of schemas by name. out may be NULL: they are only read.
static bool members_here(const struct place *p, struct schema_member **out, size_t *out_n) {
    struct json_reader j;
    struct str key, raw;
    enum json_kind kind;
    VEC(struct schema_member) list = {0};
    json_reader_init(&j, p->raw, 0);
    bool ok = json_enter_object(&j) || wrong(p->r, "expected an object of schemas");
    while (ok && json_member(&j, &key, &kind) && json_skip(&j, &raw)) {
        struct schema_member m = {.node = node_of(p->r, raw)};
        ok = m.node && (json_string_text(key, p->r->arena, &m.name) || err_no_memory(p->r->err));
        if (ok && list.n >= FIELDS_MAX) ok = wrong(p->r, "too many");
        if (ok) ok = vec_push(&list, m) || err_no_memory(p->r->err);
    }
    if (out) {
        *out_n = list.n;
        *out = ok ? ARENA_ARRAY(p->r->arena, struct schema_member, list.n + 1) : NULL;
        if (ok && !*out) ok = err_no_memory(p->r->err);
        if (ok && list.n) memcpy(*out, list.p, list.n * sizeof *list.p);
    }
    vec_free(&list);
    return ok;
}

// --- the keywords ---

static bool read_type_name(const struct place *p, struct str name) {
    static const struct {
        struct str name;
        unsigned bit;
    } types[] = {{STR_INIT("null"), JSON_IS(JSON_NULL)},     {STR_INIT("boolean"), JSON_IS(JSON_BOOL)},
                 {STR_INIT("number"), JSON_IS(JSON_NUMBER)}, {STR_INIT("string"), JSON_IS(JSON_STRING)},
                 {STR_INIT("array"), JSON_IS(JSON_ARRAY)},   {STR_INIT("object"), JSON_IS(JSON_OBJECT)},
                 {STR_INIT("integer"), SCHEMA_INTEGER}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!str_eq(name, types[i].name)) continue;
        p->node->types |= types[i].bit;
        return true;
    }
    return wrong(p->r, "no such type");
}

static bool read_type(const struct place *p) {
    struct str name, *names;
    size_t n;
    if (json_raw_kind(p->raw) == JSON_STRING)
        return json_string_text(p->raw, p->r->arena, &name) && read_type_name(p, name);
    if (!list_here(p, true, &names, &n)) return false;
    for (size_t i = 0; i < n; i++)
        if (!read_type_name(p, names[i])) return false;
    return n > 0 || wrong(p->r, "expected a type");
}

static bool read_enum(const struct place *p) {
    return list_here(p, false, &p->node->values, &p->node->n_values) &&
           (p->node->n_values || wrong(p->r, "expected at least one value"));
}

static bool read_const(const struct place *p) {
    p->node->constant = p->raw;
    return true;
}

static bool read_required(const struct place *p) {
    return list_here(p, true, &p->node->required, &p->node->n_required);
}

static bool read_properties(const struct place *p) {
    return members_here(p, &p->node->properties, &p->node->n_properties);
}

static bool read_defs(const struct place *p) { return members_here(p, NULL, NULL); }

static bool read_unique(const struct place *p) {
    return json_raw_bool(p->raw, &p->node->unique) || wrong(p->r, "expected true or false");
}

static bool read_multiple(const struct place *p) {
    return number_here(p, &p->node->multiple) &&
           (json_number_order(p->raw, STR("0")) > 0 || wrong(p->r, "expected a number above 0"));
}

static bool read_pattern(const struct place *p) {
    struct str text;
    struct err why;
    if (json_raw_kind(p->raw) != JSON_STRING || !json_string_text(p->raw, p->r->arena, &text))
        return wrong(p->r, "expected a text");
    return pattern_compile(p->r->arena, text, PATTERN_SCRIPT, &p->node->pattern, &why) || wrong(p->r, why.message);
}

// A step of a pointer, with ~0 and ~1 undone.
static bool pointer_step(const struct place *p, struct str step, struct str *out) {
    char *text = arena_alloc(p->r->arena, step.n + 1);
    size_t n = 0;
    if (!text) return err_no_memory(p->r->err);
    for (size_t i = 0; i < step.n; i++) {
        bool tilde = step.p[i] == '~' && i + 1 < step.n && (step.p[i + 1] == '0' || step.p[i + 1] == '1');
        text[n++] = tilde ? (step.p[++i] == '0' ? '~' : '/') : step.p[i];
    }
    *out = str_of(text, n);
    return true;
}

static bool read_ref(const struct place *p) {
    struct str text, step, at = p->r->text;
    if (json_raw_kind(p->raw) != JSON_STRING || !json_string_text(p->raw, p->r->arena, &text) ||
        !str_starts(text, STR("#")) || str_find_char(text, '%') < text.n)
        return wrong(p->r, "expected a place in this schema, such as #/$defs/name");
    text = str_from(text, 1);
    if (text.n && text.p[0] != '/') return wrong(p->r, "expected a place in this schema, such as #/$defs/name");
    text = str_from(text, 1);
    while (text.n && str_split(&text, '/', &step))
        if (!pointer_step(p, step, &step) || !json_get(at, &step, 1, &at)) return wrong(p->r, "there is no such place");
    p->node->ref = node_of(p->r, at);
    return p->node->ref != NULL;
}

#define KEYWORD_NODE(name, member)                                                                                     \
    static bool name(const struct place *p) { return node_here(p, &p->node->member); }
#define KEYWORD_NODES(name, member)                                                                                    \
    static bool name(const struct place *p) { return nodes_here(p, &p->node->member); }
#define KEYWORD_NUMBER(name, member)                                                                                   \
    static bool name(const struct place *p) { return number_here(p, &p->node->member); }
#define KEYWORD_COUNT(name, member)                                                                                    \
    static bool name(const struct place *p) { return count_here(p, &p->node->member); }
KEYWORD_NODE(read_additional, additional)
KEYWORD_NODE(read_items, items)
KEYWORD_NODE(read_not, negated)
KEYWORD_NODES(read_prefix, prefix)
KEYWORD_NODES(read_any, any)
KEYWORD_NODES(read_all, all)
KEYWORD_NODES(read_one, one)
KEYWORD_NUMBER(read_minimum, minimum)
KEYWORD_NUMBER(read_maximum, maximum)
KEYWORD_NUMBER(read_above, above)
KEYWORD_NUMBER(read_below, below)
KEYWORD_COUNT(read_min_length, length.min)
KEYWORD_COUNT(read_max_length, length.max)
KEYWORD_COUNT(read_min_items, count.min)
KEYWORD_COUNT(read_max_items, count.max)
KEYWORD_COUNT(read_min_properties, size.min)
KEYWORD_COUNT(read_max_properties, size.max)

static const struct {
    struct str name;
    bool (*read)(const struct place *p); // NULL: it says nothing here
} k_keywords[] = {
    {STR_INIT("type"), read_type},
    {STR_INIT("enum"), read_enum},
    {STR_INIT("const"), read_const},
    {STR_INIT("properties"), read_properties},
    {STR_INIT("required"), read_required},
    {STR_INIT("additionalProperties"), read_additional},
    {STR_INIT("minProperties"), read_min_properties},
    {STR_INIT("maxProperties"), read_max_properties},
    {STR_INIT("items"), read_items},
    {STR_INIT("prefixItems"), read_prefix},
    {STR_INIT("minItems"), read_min_items},
    {STR_INIT("maxItems"), read_max_items},
    {STR_INIT("uniqueItems"), read_unique},
    {STR_INIT("minimum"), read_minimum},
    {STR_INIT("maximum"), read_maximum},
    {STR_INIT("exclusiveMinimum"), read_above},
    {STR_INIT("exclusiveMaximum"), read_below},
    {STR_INIT("multipleOf"), read_multiple},
    {STR_INIT("minLength"), read_min_length},
    {STR_INIT("maxLength"), read_max_length},
    {STR_INIT("pattern"), read_pattern},
    {STR_INIT("anyOf"), read_any},
    {STR_INIT("allOf"), read_all},
    {STR_INIT("oneOf"), read_one},
    {STR_INIT("not"), read_not},
    {STR_INIT("$ref"), read_ref},
    {STR_INIT("$defs"), read_defs},
    {STR_INIT("definitions"), read_defs},
    {STR_INIT("$schema"), NULL},
    {STR_INIT("$id"), NULL},
    {STR_INIT("$comment"), NULL},
    {STR_INIT("title"), NULL},
    {STR_INIT("description"), NULL},
    {STR_INIT("default"), NULL},
    {STR_INIT("examples"), NULL},
    {STR_INIT("format"), NULL},
    {STR_INIT("deprecated"), NULL},
    {STR_INIT("readOnly"), NULL},
    {STR_INIT("writeOnly"), NULL},
};

// --- a schema ---

static bool read_member(struct reading *r, struct schema_node *node, struct str key, struct str raw, uint64_t *seen) {
    for (size_t i = 0; i < ARRAY_LEN(k_keywords); i++) {
        if (!json_string_eq(key, k_keywords[i].name)) continue;
        const struct place place = {.r = r, .node = node, .raw = raw};
        r->keyword = k_keywords[i].name;
        if (*seen & UINT64_C(1) << i) return wrong(r, "it is there twice");
        *seen |= UINT64_C(1) << i;
        return !k_keywords[i].read || k_keywords[i].read(&place);
    }
    r->keyword = str_head(str_from(key, 1), key.n - 2);
    return wrong(r, "no keyword that is known here");
}

static bool read_object(struct reading *r, struct schema_node *node, struct str raw) {
    struct json_reader j;
    struct str key, value;
    enum json_kind kind;
    uint64_t seen = 0;
    json_reader_init(&j, raw, 0);
    if (!json_enter_object(&j)) return wrong(r, "expected a schema: an object, true or false");
    while (json_member(&j, &key, &kind))
        if (!json_skip(&j, &value) || !read_member(r, node, key, value, &seen)) return false;
    return true;
}

static bool fill(struct reading *r, struct schema_node *node, struct str raw) {
    bool always;
    *node = (struct schema_node){.raw = raw.p};
    node->length.max = node->count.max = node->size.max = UINT64_MAX;
    if (!vec_push(&r->nodes, node)) return err_no_memory(r->err);
    if (!json_raw_bool(raw, &always)) return read_object(r, node, raw);
    node->never = !always;
    return true;
}

// The node of the schema that stands there; the same for the same place, so that a $ref may lead back.
static struct schema_node *node_of(struct reading *r, struct str raw) {
    for (size_t i = 0; i < r->nodes.n; i++)
        if (r->nodes.p[i]->raw == raw.p) return r->nodes.p[i];
    struct str keyword = r->keyword;
    if (r->depth >= JSON_SCHEMA_DEPTH_MAX) return wrong(r, "too deep"), NULL;
    if (r->nodes.n >= JSON_SCHEMA_NODES_MAX) return wrong(r, "too many schemas"), NULL;
    struct schema_node *node = ARENA_NEW(r->arena, struct schema_node);
    if (!node) return err_no_memory(r->err), NULL;
    r->depth++;
    bool ok = fill(r, node, raw);
    r->depth--;
    if (ok) r->keyword = keyword;
    return ok ? node : NULL;
}

bool json_schema_read(struct str text, struct arena *arena, const struct json_schema **out, struct err *err) {
    struct reading r = {.arena = arena, .keyword = STR("#"), .err = err};
    r.text = text = str_trim(text);
    if (text.n > JSON_SCHEMA_TEXT_MAX)
        return err_set(err, ERR_INVALID_FIELD, "a schema has at most %zu bytes", JSON_SCHEMA_TEXT_MAX);
    if (!json_validate(text, 0, err)) return err_wrap(err, "the schema");
    struct json_schema *schema = ARENA_NEW(arena, struct json_schema);
    if (!schema) return err_no_memory(err);
    schema->top = node_of(&r, text);
    vec_free(&r.nodes);
    if (!schema->top) return false;
    *out = schema;
    return true;
}
