// Checks values against a JSON schema.
#include "model/json_schema_impl.h"

#include <math.h>
#include <stdio.h>

#define DEPTH_MAX 200 // of schemas within each other, $ref followed

// How the value that is looked at is reached.
struct step {
    const struct step *above;
    struct str key; // raw; p NULL: an element
    size_t index;
};
struct checking {
    struct json_schema_fault *fault; // NULL once it is set, or where none is wanted
    uint64_t work;
    unsigned quiet; // what is wrong in here is not wrong in all
    unsigned depth;
    bool given_up;
};
struct here {
    struct checking *c;
    const struct schema_node *node;
    struct str value;
    enum json_kind kind;
    const struct step *step;
};

static bool eval(struct checking *c, const struct schema_node *node, struct str value, const struct step *step);

// --- what is wrong ---

static size_t put_path(const struct step *step, char *out, size_t max) {
    if (!step) return 0;
    size_t n = put_path(step->above, out, max);
    if (n + 1 >= max) return n;
    int m = step->key.p
                ? snprintf(out + n, max - n, "/%.*s", STR_ARG(str_head(str_from(step->key, 1), step->key.n - 2)))
                : snprintf(out + n, max - n, "/%zu", step->index);
    return MIN(n + (size_t)MAX(m, 0), max - 1);
}

PRINTF_LIKE(2, 3) static bool wrong(const struct here *h, const char *fmt, ...) {
    struct checking *c = h->c;
    va_list ap;
    if (!c->fault || c->quiet) return false;
    va_start(ap, fmt);
    vsnprintf(c->fault->why, sizeof c->fault->why, fmt, ap);
    va_end(ap);
    c->fault->path[0] = '\0';
    put_path(h->step, c->fault->path, sizeof c->fault->path);
    c->fault = NULL;
    return false;
}

static bool give_up(struct checking *c) {
    c->given_up = true;
    return false;
}

static bool pay(struct checking *c, uint64_t n) {
    if (c->work < n) return give_up(c);
    c->work -= n;
    return true;
}

// Whether it holds, without a word when not.
static bool holds(const struct here *h, const struct schema_node *node) {
    h->c->quiet++;
    bool ok = eval(h->c, node, h->value, h->step);
    h->c->quiet--;
    return ok;
}

// --- any value ---

static bool is_whole(struct str raw) {
    int64_t n;
    double v;
    return json_raw_i64(raw, &n) || (json_raw_double(raw, &v) && floor(v) == v);
}

static bool check_type(const struct here *h) {
    unsigned types = h->node->types;
    bool ok = !types || (types & JSON_IS(h->kind)) ||
              ((types & SCHEMA_INTEGER) && h->kind == JSON_NUMBER && is_whole(h->value));
    static const char *const names[] = {"null",     "a boolean", "a number",  "a string",
                                        "an array", "an object", "an integer"};
    if (ok) return true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (types == 1U << i) return wrong(h, "expected %s", names[i]);
    return wrong(h, "of a type that is not expected");
}

static bool check_values(const struct here *h) {
    const struct schema_node *n = h->node;
    bool found = n->n_values == 0;
    for (size_t i = 0; i < n->n_values && !found && h->c->work; i++)
        found = json_same(h->value, n->values[i], &h->c->work);
    if (found && n->constant.p) found = json_same(h->value, n->constant, &h->c->work);
    if (!found && !h->c->work) return give_up(h->c);
    return found || wrong(h, n->n_values ? "none of the values of enum" : "not the value of const");
}

static bool check_parts(const struct here *h) {
    const struct schema_node *n = h->node;
    size_t matching = 0;
    if (n->ref && !eval(h->c, n->ref, h->value, h->step)) return false;
    for (size_t i = 0; i < n->all.n; i++)
        if (!eval(h->c, n->all.p[i], h->value, h->step)) return false;
    for (size_t i = 0; i < n->any.n && !matching; i++) matching += holds(h, n->any.p[i]);
    if (n->any.n && !matching) return wrong(h, "none of anyOf");
    matching = 0;
    for (size_t i = 0; i < n->one.n && matching < 2; i++) matching += holds(h, n->one.p[i]);
    if (n->one.n && matching != 1) return wrong(h, matching ? "more than one of oneOf" : "none of oneOf");
    return !n->negated || !holds(h, n->negated) || wrong(h, "what not forbids");
}

// --- numbers, strings ---

static bool is_multiple(struct str value, struct str of) {
    int64_t a, b;
    double v = 0, w = 1;
    if (json_raw_i64(value, &a) && json_raw_i64(of, &b)) return b == 0 || a % b == 0;
    if (!json_raw_double(value, &v) || !json_raw_double(of, &w)) return true;
    double times = v / w; // 0.3 is a multiple of 0.1, as far as a double can tell
    return fabs(times - round(times)) <= 1e-9 * fmax(1, fabs(times));
}

static bool check_number(const struct here *h) {
    const struct schema_node *n = h->node;
    if (n->minimum.set && json_number_order(h->value, n->minimum.raw) < 0)
        return wrong(h, "less than %.*s", STR_ARG(str_head(n->minimum.raw, 40)));
    if (n->maximum.set && json_number_order(h->value, n->maximum.raw) > 0)
        return wrong(h, "more than %.*s", STR_ARG(str_head(n->maximum.raw, 40)));
    if (n->above.set && json_number_order(h->value, n->above.raw) <= 0)
        return wrong(h, "not more than %.*s", STR_ARG(str_head(n->above.raw, 40)));
    if (n->below.set && json_number_order(h->value, n->below.raw) >= 0)
        return wrong(h, "not less than %.*s", STR_ARG(str_head(n->below.raw, 40)));
    return !n->multiple.set || is_multiple(h->value, n->multiple.raw) ||
           wrong(h, "no multiple of %.*s", STR_ARG(str_head(n->multiple.raw, 40)));
}

static bool check_count(const struct here *h, const struct schema_range *range, uint64_t n, const char *what) {
    if (n < range->min) return wrong(h, "fewer than %llu %s", (unsigned long long)range->min, what);
    return n <= range->max || wrong(h, "more than %llu %s", (unsigned long long)range->max, what);
}

static size_t characters(struct str text) {
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return n;
}

static bool check_string(const struct here *h) {
    const struct schema_node *n = h->node;
    if (!n->pattern && n->length.min == 0 && n->length.max == UINT64_MAX) return true;
    BUF_AUTO struct buf out = BUF_INIT(h->value.n + 1);
    struct str text;
    if (!json_string_borrow(h->value, &text)) {
        if (!json_string_decode(h->value, &out)) return give_up(h->c);
        text = buf_str(&out);
    }
    if (!check_count(h, &n->length, characters(text), "characters")) return false;
    if (n->pattern && !pay(h->c, text.n * pattern_size(n->pattern) / 4)) return false;
    enum pattern_found found = n->pattern ? pattern_find(n->pattern, text) : PATTERN_FOUND;
    if (found == PATTERN_GIVEN_UP) return give_up(h->c);
    return found == PATTERN_FOUND || wrong(h, "not of the pattern");
}

// --- arrays ---

// The elements before are walked over again for each: lists that must be unique are short.
static bool is_new(const struct here *h, struct str one, size_t n) {
    struct json_reader r;
    enum json_kind kind;
    struct str other;
    json_reader_init(&r, h->value, 0);
    if (!json_enter_array(&r)) return give_up(h->c);
    for (size_t i = 0; i < n; i++) {
        if (!json_element(&r, &kind) || !json_skip(&r, &other)) return give_up(h->c);
        if (json_same(one, other, &h->c->work)) return wrong(h, "elements %zu and %zu are the same", i, n);
        if (!h->c->work) return give_up(h->c);
    }
    return true;
}

static bool check_unique(const struct here *h) {
    struct json_reader r;
    enum json_kind kind;
    struct str one;
    size_t n = 0;
    json_reader_init(&r, h->value, 0);
    for (bool in = json_enter_array(&r); in && json_element(&r, &kind) && json_skip(&r, &one); n++)
        if (!is_new(h, one, n)) return false;
    return true;
}

static bool check_array(const struct here *h) {
    const struct schema_node *n = h->node;
    struct json_reader r;
    enum json_kind kind;
    struct str one;
    size_t count = 0;
    json_reader_init(&r, h->value, 0);
    if (!json_enter_array(&r)) return give_up(h->c);
    for (; json_element(&r, &kind); count++) {
        const struct step step = {.above = h->step, .index = count};
        const struct schema_node *node = count < n->prefix.n ? n->prefix.p[count] : n->items;
        if (!json_skip(&r, &one)) return give_up(h->c);
        if (node && !eval(h->c, node, one, &step)) return false;
    }
    return check_count(h, &n->count, count, "elements") && (!n->unique || check_unique(h));
}

// --- objects ---

static const struct schema_node *node_of_member(const struct here *h, struct str key) {
    const struct schema_node *n = h->node;
    for (size_t i = 0; i < n->n_properties; i++)
        if (json_string_eq(key, n->properties[i].name)) return n->properties[i].node;
    return n->additional;
}

static bool check_required(const struct here *h) {
    const struct schema_node *n = h->node;
    struct str raw;
    for (size_t i = 0; i < n->n_required; i++) {
        if (!pay(h->c, h->value.n)) return false;
        if (!json_get(h->value, &n->required[i], 1, &raw))
            return wrong(h, "\"%.*s\" is missing", STR_ARG(str_head(n->required[i], 80)));
    }
    return true;
}

static bool check_object(const struct here *h) {
    const struct schema_node *n = h->node;
    struct json_reader r;
    enum json_kind kind;
    struct str key, one;
    size_t count = 0;
    json_reader_init(&r, h->value, 0);
    if (!json_enter_object(&r)) return give_up(h->c);
    for (; json_member(&r, &key, &kind); count++) {
        const struct step step = {.above = h->step, .key = key};
        if (!json_skip(&r, &one) || !pay(h->c, n->n_properties * 8)) return give_up(h->c);
        const struct schema_node *node = node_of_member(h, key);
        if (!node) continue;
        const struct here member = {.c = h->c, .step = &step};
        if (node->never && node == n->additional) return wrong(&member, "a member that is not expected");
        if (!eval(h->c, node, one, &step)) return false;
    }
    return check_count(h, &n->size, count, "members") && check_required(h);
}

// --- all of it ---

static bool check_kind(const struct here *h) {
    switch (h->kind) {
    case JSON_NUMBER:
        return check_number(h);
    case JSON_STRING:
        return check_string(h);
    case JSON_ARRAY:
        return check_array(h);
    case JSON_OBJECT:
        return check_object(h);
    default:
        return true;
    }
}

static bool eval(struct checking *c, const struct schema_node *node, struct str value, const struct step *step) {
    const struct here h = {.c = c, .node = node, .value = value, .kind = json_raw_kind(value), .step = step};
    if (c->given_up || !pay(c, value.n + 16)) return false;
    if (c->depth >= DEPTH_MAX) return give_up(c);
    if (node->never) return wrong(&h, "nothing is allowed here");
    c->depth++;
    bool ok = check_type(&h) && check_values(&h) && check_kind(&h) && check_parts(&h);
    c->depth--;
    return ok && !c->given_up;
}

enum json_schema_verdict json_schema_check(const struct json_schema *schema, struct str value,
                                           struct json_schema_fault *out_fault) {
    struct json_schema_fault mine;
    struct checking c = {.fault = out_fault ? out_fault : &mine, .work = JSON_SCHEMA_WORK_MAX};
    struct json_schema_fault *fault = c.fault;
    struct err err;
    *fault = (struct json_schema_fault){0};
    value = str_trim(value);
    if (!json_validate(value, 0, &err)) {
        snprintf(fault->why, sizeof fault->why, "%.150s", err.message);
        return JSON_SCHEMA_NO_JSON;
    }
    bool ok = eval(&c, schema->top, value, NULL);
    if (c.given_up) {
        *fault = (struct json_schema_fault){.why = "too deep or too much to check"};
        return JSON_SCHEMA_GIVEN_UP;
    }
    return ok ? JSON_SCHEMA_VALID : JSON_SCHEMA_INVALID;
}
