// Parses and compares selectors and conditions.
#include "access/policy_selector.h"

#include "base/json_read.h"
#include "base/utf8.h"

// --- selectors ---

static bool plain_text(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f) return false;
    return utf8_valid(text);
}

bool selector_parse(struct str text, struct selector *out_selector, struct err *err) {
    struct selector s = {.kind = SELECTOR_ANY};
    if (text.n == 0) {
        *out_selector = s;
        return true;
    }
    if (text.n > POLICY_SELECTOR_MAX)
        return err_set(err, ERR_INVALID_FIELD, "a selector has at most %d bytes, not %zu", POLICY_SELECTOR_MAX, text.n);
    if (!plain_text(text)) return err_set(err, ERR_INVALID_FIELD, "a selector is UTF-8 without control characters");
    size_t slash = str_find_char(text, '/');
    if (slash == text.n || slash + 1 == text.n)
        return err_set(err, ERR_INVALID_FIELD,
                       "\"%.*s\" is no selector: it is TYPE/NAME, such as \"model/gpt-5\", \"model/gpt-*\", "
                       "\"project/*\"",
                       STR_ARG(str_head(text, 80)));
    if (!resource_type_parse(str_head(text, slash), &s.type))
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\": there is no type of resource \"%.*s\"",
                       STR_ARG(str_head(text, 80)), STR_ARG(str_head(str_head(text, slash), 64)));
    s.text = str_from(text, slash + 1);
    size_t star = str_find_char(s.text, '*');
    if (star + 1 < s.text.n)
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\": a * may stand only at the end", STR_ARG(str_head(text, 80)));
    s.kind = star < s.text.n ? SELECTOR_PREFIX : SELECTOR_EXACT;
    s.text = str_head(s.text, star);
    *out_selector = s;
    return true;
}

bool selector_covers(const struct selector *wide, const struct selector *narrow, enum resource_type type) {
    if (wide->kind == SELECTOR_ANY) return true;
    if (wide->type != type) return false;
    if (narrow->kind == SELECTOR_ANY) return wide->kind == SELECTOR_PREFIX && wide->text.n == 0;
    if (wide->kind == SELECTOR_PREFIX) return str_starts(narrow->text, wide->text);
    return narrow->kind == SELECTOR_EXACT && str_eq(wide->text, narrow->text);
}

bool selector_meets(const struct selector *a, const struct selector *b, enum resource_type type) {
    if ((a->kind != SELECTOR_ANY && a->type != type) || (b->kind != SELECTOR_ANY && b->type != type)) return false;
    if (a->kind == SELECTOR_ANY || b->kind == SELECTOR_ANY) return true;
    // Only a model's id is its name: elsewhere one selector may mean a resource by its id and the other by its name.
    if (type != RESOURCE_MODEL) return true;
    if (a->kind == SELECTOR_EXACT && b->kind == SELECTOR_EXACT) return str_eq(a->text, b->text);
    if (a->kind == SELECTOR_EXACT) return str_starts(a->text, b->text);
    if (b->kind == SELECTOR_EXACT) return str_starts(b->text, a->text);
    return str_starts(a->text, b->text) || str_starts(b->text, a->text);
}

// --- conditions ---

static bool term_parse(struct str part, struct tag_condition_term *out_term) {
    struct tag_condition_term t = {0};
    size_t at = str_find_char(part, '=');
    if (at == part.n || at == 0) return false;
    t.negated = part.p[at - 1] == '!';
    t.key = str_trim(str_head(part, at - t.negated));
    t.value = str_trim(str_from(part, at + 1));
    if (t.key.n == 0 || str_find_char(t.key, '!') < t.key.n || str_find_char(t.value, '=') < t.value.n) return false;
    *out_term = t;
    return true;
}

bool tag_condition_parse(struct str text, struct tag_condition *out_condition, struct err *err) {
    struct tag_condition c = {0};
    struct str rest = text, part;
    if (text.n > POLICY_CONDITION_MAX)
        return err_set(err, ERR_INVALID_FIELD, "a condition has at most %d bytes, not %zu", POLICY_CONDITION_MAX,
                       text.n);
    if (!plain_text(text)) return err_set(err, ERR_INVALID_FIELD, "a condition is UTF-8 without control characters");
    while (text.n && str_split(&rest, ',', &part)) {
        if (c.n == POLICY_TERMS_MAX)
            return err_set(err, ERR_INVALID_FIELD, "a condition has at most %d parts", POLICY_TERMS_MAX);
        if (!term_parse(str_trim(part), &c.terms[c.n]))
            return err_set(err, ERR_INVALID_FIELD,
                           "\"%.*s\" is no condition: it is TAG=VALUE or TAG!=VALUE, several with commas between",
                           STR_ARG(str_head(part, 80)));
        c.n++;
    }
    *out_condition = c;
    return true;
}

enum tag_found { TAG_ABSENT, TAG_EQUAL, TAG_OTHER, TAG_BROKEN };

// Reads to the end, so that the answer does not hang on where in the text a fault lies. A tag that is there twice is
// broken: two readers could pick differently.
static enum tag_found tag_find(struct str tags, struct str key, struct str value) {
    struct json_reader r;
    struct err ignored;
    struct str name, raw;
    enum json_kind kind;
    enum tag_found found = TAG_ABSENT;
    if (tags.n == 0) return TAG_ABSENT;
    json_reader_init(&r, tags, 2);
    if (json_enter_object(&r)) {
        while (json_member(&r, &name, &kind)) {
            if (!json_string_eq(name, key)) continue;
            if (found != TAG_ABSENT || kind != JSON_STRING || !json_string(&r, &raw)) return TAG_BROKEN;
            found = json_string_eq(raw, value) ? TAG_EQUAL : TAG_OTHER;
        }
    }
    return json_end(&r, &ignored) ? found : TAG_BROKEN;
}

bool tag_condition_holds(const struct tag_condition *c, struct str tags, bool in_doubt) {
    bool holds = true, doubt = false;
    for (size_t i = 0; i < c->n && holds; i++) {
        enum tag_found found = tag_find(tags, c->terms[i].key, c->terms[i].value);
        doubt = doubt || found == TAG_BROKEN;
        if (found != TAG_BROKEN) holds = (found == TAG_EQUAL) != c->terms[i].negated;
    }
    return holds && (!doubt || in_doubt);
}

static bool term_eq(const struct tag_condition_term *a, const struct tag_condition_term *b) {
    return a->negated == b->negated && str_eq(a->key, b->key) && str_eq(a->value, b->value);
}

bool tag_condition_covers(const struct tag_condition *wide, const struct tag_condition *narrow) {
    for (size_t i = 0; wide && i < wide->n; i++) {
        bool there = false;
        for (size_t k = 0; narrow && k < narrow->n && !there; k++) there = term_eq(&wide->terms[i], &narrow->terms[k]);
        if (!there) return false;
    }
    return true;
}

bool tag_condition_meets(const struct tag_condition *a, const struct tag_condition *b) {
    for (size_t i = 0; a && i < a->n; i++) {
        for (size_t k = 0; b && k < b->n; k++) {
            const struct tag_condition_term *x = &a->terms[i], *y = &b->terms[k];
            if (!str_eq(x->key, y->key)) continue;
            bool same = str_eq(x->value, y->value);
            if (same && x->negated != y->negated) return false;
            if (!same && !x->negated && !y->negated) return false;
        }
    }
    return true;
}
