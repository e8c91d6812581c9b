// Fuzzes what a grant is made of: permissions, selectors, conditions, tags, and the JSON lists of roles.
//
// The input is split at NUL bytes: permissions, selector, condition, tags, parents. What is accepted must mean what its
// parts say.
#include "access/policy.h"
#include "access/policy_selector.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok) abort();
}

static struct str part(struct str *rest) {
    struct str s = STR("");
    return str_split(rest, '\0', &s) ? s : STR("");
}

// A selector that is accepted means itself, and covers and meets itself.
static void check_selector(struct str text) {
    struct selector s;
    struct err err;
    if (!selector_parse(text, &s, &err)) return;
    check(text.n == 0 || s.kind != SELECTOR_ANY);
    check(selector_matches(&s, s.text, STR("")) && selector_matches(&s, STR(""), s.text));
    check(selector_covers(&s, &s, s.type) && selector_meets(&s, &s, s.type));
}

static void check_condition(struct str text, struct str tags) {
    struct tag_condition c;
    struct err err;
    if (!tag_condition_parse(text, &c, &err)) return;
    check(c.n <= POLICY_TERMS_MAX && tag_condition_covers(&c, &c) && tag_condition_covers(NULL, &c));
    // In doubt it may hold more, never less.
    check(!tag_condition_holds(&c, tags, false) || tag_condition_holds(&c, tags, true));
    if (tag_condition_holds(&c, tags, false)) check(tag_condition_meets(&c, &c));
}

// A policy of all of it: an allow and a deny alike, so nothing can be allowed to who holds both.
static void check_policy(struct str permissions, struct str selector, struct str condition, struct str tags,
                         struct str parents) {
    struct policy_builder *b;
    struct policy *p;
    struct err err;
    check(policy_builder_create(&b, &err));
    const struct policy_role role = {1, STR("r"), parents, permissions};
    struct policy_grant g = {.id = 1,
                             .tenant = 1,
                             .principal = {PRINCIPAL_USER, 1},
                             .role = STR("r"),
                             .scope = SCOPE_TENANT,
                             .resource = selector,
                             .condition = condition};
    check(policy_add_role(b, &role, &err) && policy_add_grant(b, &g, &err));
    g.id = 2, g.deny = true;
    check(policy_add_grant(b, &g, &err) && policy_build(b, &p, &err));
    policy_builder_free(b);
    struct policy_subject s;
    struct policy_decision d;
    policy_subject_init(p, g.principal, 1, NULL, &s);
    for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) {
        const struct policy_resource r = {
            .type = (enum resource_type)t, .tenant = 1, .id = selector, .name = STR("gpt-5"), .tags = tags};
        for (unsigned a = 0; a < ACTION_COUNT; a++) check(!policy_decide(p, &s, (enum action)a, &r, 1, &d));
    }
    policy_unref(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str rest = str_of((const char *)data, size);
    if (size == 0 || size > 4096) return 0;
    struct str permissions = part(&rest), selector = part(&rest), condition = part(&rest), tags = part(&rest);
    struct str parents = part(&rest);
    struct permission_set set = {0}, all;
    struct err err;
    permission_all(&all);
    if (permission_add(&set, permissions, &err)) check(!permission_empty(&set));
    if (!permission_read_json(&set, permissions, &err)) check(err.code != ERR_INTERNAL);
    check(permission_subset(&set, &all));
    check_selector(selector);
    check_condition(condition, tags);
    check_policy(permissions, selector, condition, tags, parents);
    return 0;
}
