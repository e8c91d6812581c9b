// Which resources a grant means: selectors ("model/gpt-*") and conditions on tags ("env=prod,region!=eu"), compiled.
//
// Ownership: texts are borrowed from what was parsed. Thread rule: values. Errors: ERR_INVALID_FIELD.
#ifndef ACCESS_POLICY_SELECTOR_H
#define ACCESS_POLICY_SELECTOR_H

#include "access/permission.h"

#define POLICY_SELECTOR_MAX 320  // bytes of a selector's text
#define POLICY_CONDITION_MAX 512 // and of a condition's
#define POLICY_TERMS_MAX 8

enum selector_kind {
    SELECTOR_ANY,    // every resource
    SELECTOR_EXACT,  // one, by id or name
    SELECTOR_PREFIX, // those of a type whose id or name begins so; all of the type when empty
};
struct selector {
    enum selector_kind kind;
    enum resource_type type; // unless SELECTOR_ANY
    struct str text;
};
// An empty text is SELECTOR_ANY.
NODISCARD bool selector_parse(struct str text, struct selector *out_selector, struct err *err);
// The type is the selector's already.
static inline bool selector_matches(const struct selector *s, struct str id, struct str name) {
    if (s->kind == SELECTOR_ANY) return true;
    if (s->kind == SELECTOR_EXACT) return str_eq(s->text, id) || str_eq(s->text, name);
    return str_starts(id, s->text) || str_starts(name, s->text);
}
// Of resources of the type: everything `narrow` means, `wide` means too.
bool selector_covers(const struct selector *wide, const struct selector *narrow, enum resource_type type);
// Of resources of the type: there might be one that both mean.
bool selector_meets(const struct selector *a, const struct selector *b, enum resource_type type);

struct tag_condition_term {
    struct str key, value;
    bool negated; // the tag is absent or another
};
struct tag_condition {
    size_t n;
    struct tag_condition_term terms[POLICY_TERMS_MAX];
};
// An empty text has no terms.
NODISCARD bool tag_condition_parse(struct str text, struct tag_condition *out_condition, struct err *err);
// tags: a JSON object, or empty. What cannot be read makes it `in_doubt`.
bool tag_condition_holds(const struct tag_condition *c, struct str tags, bool in_doubt);
// Whenever `narrow` holds, `wide` does. NULL has no terms.
bool tag_condition_covers(const struct tag_condition *wide, const struct tag_condition *narrow);
// Both might hold for one resource.
bool tag_condition_meets(const struct tag_condition *a, const struct tag_condition *b);

#endif
