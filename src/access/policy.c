// Decides: denies first, then allows, each with the chain it hangs on.
#include "access/policy_impl.h"

#include "base/hash.h"

static const struct str k_scopes[SCOPE_KIND_COUNT] = {
    [SCOPE_PLATFORM] = STR_INIT("platform"),
    [SCOPE_TENANT] = STR_INIT("tenant"),
    [SCOPE_TEAM] = STR_INIT("team"),
    [SCOPE_PROJECT] = STR_INIT("project"),
};
struct str scope_kind_name(enum scope_kind kind) {
    return k_scopes[kind];
}

bool scope_kind_parse(struct str name, enum scope_kind *out_kind) {
    for (unsigned i = 0; i < SCOPE_KIND_COUNT; i++) {
        if (!str_eq(k_scopes[i], name)) continue;
        *out_kind = (enum scope_kind)i;
        return true;
    }
    return false;
}

static const struct str k_reasons[POLICY_REASON_COUNT] = {
    [POLICY_OPERATOR] = STR_INIT("operator"),
    [POLICY_GRANTED] = STR_INIT("granted"),
    [POLICY_DENIED] = STR_INIT("denied"),
    [POLICY_NO_GRANT] = STR_INIT("no_grant"),
    [POLICY_BEYOND_SCOPES] = STR_INIT("beyond_scopes"),
    [POLICY_BY_SCOPES] = STR_INIT("by_scopes"),
    [POLICY_SUSPENDED] = STR_INIT("suspended"),
};
struct str policy_reason_text(enum policy_reason reason) {
    return k_reasons[reason];
}

void policy_subject_init(const struct policy *policy, struct principal principal, int64_t tenant,
                         const struct permission_set *within, struct policy_subject *out_subject) {
    *out_subject = (struct policy_subject){.principal = principal, .tenant = tenant, .within = within};
    out_subject->own = policy_slot_find(policy, principal);
    if (tenant) out_subject->all = policy_slot_find(policy, (struct principal){PRINCIPAL_TENANT, tenant});
}

const struct policy_slot *subject_slot(const struct policy *policy, const struct policy_subject *subject,
                                       uint32_t *io) {
    uint32_t n_teams = subject->own ? subject->own->n_teams : 0;
    while (*io < n_teams + 2) {
        uint32_t i = (*io)++;
        if (i == 0 && subject->own) return subject->own;
        if (i == 1 && subject->all && subject->all != subject->own) return subject->all;
        if (i >= 2) return &policy->slots.p[policy->teams[subject->own->teams + i - 2]];
    }
    return NULL;
}

bool slot_holds(const struct policy *policy, const struct policy_slot *slot, uint32_t grant) {
    uint32_t holder = policy->grants[grant].holder, self = (uint32_t)(slot - policy->slots.p);
    if (holder == self || holder == slot->everybody) return true;
    for (uint32_t i = 0; i < slot->n_teams; i++)
        if (policy->teams[slot->teams + i] == holder) return true;
    return false;
}

// --- one grant ---

static bool in_scope(const struct reach *reach, const struct policy_resource *r) {
    switch (reach->scope) {
    case SCOPE_PLATFORM:
        return true;
    case SCOPE_TENANT:
        return r->tenant == reach->tenant;
    case SCOPE_TEAM:
        return r->tenant == reach->tenant && r->team == reach->scope_id;
    case SCOPE_PROJECT:
        return r->tenant == reach->tenant && r->project == reach->scope_id;
    case SCOPE_KIND_COUNT:
        break;
    }
    return false;
}

enum why grant_alone_applies(const struct query *q, const struct grant *g) {
    const struct policy_resource *r = q->resource;
    const struct selector *s = &g->reach.selector;
    if (g->revoked) return WHY_REVOKED;
    if (!permission_has(g->permissions, r->type, q->action)) return WHY_OTHER_PERMISSION;
    if (s->kind != SELECTOR_ANY && (s->type != r->type || !selector_matches(s, r->id, r->name)))
        return WHY_OTHER_RESOURCE;
    if (!in_scope(&g->reach, r)) return WHY_OTHER_SCOPE;
    if (q->now < g->reach.from) return WHY_NOT_YET;
    if (q->now >= g->reach.until) return WHY_EXPIRED;
    if (g->idle) return WHY_IDLE;
    if (g->reach.condition && !tag_condition_holds(g->reach.condition, r->tags, g->deny)) return WHY_CONDITION;
    return WHY_APPLIES;
}

// --- finding ---

// The first grant of `n` entries that applies; NO_GRANT.
static uint32_t first_of(struct query *q, uint32_t first, uint32_t n, int64_t home) {
    const struct entry *e = q->policy->entries.p + first;
    for (uint32_t i = 0; i < n; i++)
        if (e[i].actions >> q->action & 1 && grant_applies(q, e[i].grant, home) == WHY_APPLIES) return e[i].grant;
    return NO_GRANT;
}

static uint32_t in_group(struct query *q, const struct bucket *b, uint64_t key, int64_t home) {
    const struct group *table = q->policy->groups.p + b->groups;
    for (size_t at = key & b->mask; table[at].n; at = (at + 1) & b->mask)
        if (table[at].key == key) return first_of(q, table[at].first, table[at].n, home);
    return NO_GRANT;
}

static uint32_t by_prefixes(struct query *q, const struct bucket *b, enum scope_kind scope, int64_t scope_id,
                            struct str text, int64_t home) {
    uint32_t found = NO_GRANT;
    for (unsigned i = 0; i < b->n_lengths && found == NO_GRANT; i++) {
        if (b->lengths[i] > text.n) continue;
        uint64_t h = hash_bytes(str_head(text, b->lengths[i]), GROUP_SEED);
        found = in_group(q, b, group_key(scope, scope_id, SELECTOR_PREFIX, h), home);
    }
    return found;
}

static uint32_t in_scope_of_bucket(struct query *q, const struct bucket *b, enum scope_kind scope, int64_t scope_id,
                                   int64_t home) {
    const struct policy_resource *r = q->resource;
    bool two_names = r->name.n && !str_eq(r->name, r->id);
    uint32_t found = in_group(q, b, group_key(scope, scope_id, SELECTOR_ANY, 0), home);
    if (found == NO_GRANT && b->exact) {
        if (!q->hashed) {
            q->id_hash = hash_bytes(r->id, GROUP_SEED);
            q->name_hash = two_names ? hash_bytes(r->name, GROUP_SEED) : 0;
            q->hashed = true;
        }
        found = in_group(q, b, group_key(scope, scope_id, SELECTOR_EXACT, q->id_hash), home);
        if (found == NO_GRANT && two_names)
            found = in_group(q, b, group_key(scope, scope_id, SELECTOR_EXACT, q->name_hash), home);
    }
    if (found == NO_GRANT) found = by_prefixes(q, b, scope, scope_id, r->id, home);
    if (found == NO_GRANT && two_names) found = by_prefixes(q, b, scope, scope_id, r->name, home);
    return found;
}

static uint32_t in_bucket(struct query *q, const struct bucket *b, int64_t home) {
    const struct policy_resource *r = q->resource;
    const int64_t ids[SCOPE_KIND_COUNT] = {
        [SCOPE_TENANT] = r->tenant, [SCOPE_TEAM] = r->team, [SCOPE_PROJECT] = r->project};
    uint32_t found = NO_GRANT;
    if (b->mask == 0) return first_of(q, b->first, b->n, home);
    for (unsigned s = 0; s < SCOPE_KIND_COUNT && found == NO_GRANT; s++)
        if (b->scopes >> s & 1 && (s == SCOPE_PLATFORM || ids[s]))
            found = in_scope_of_bucket(q, b, (enum scope_kind)s, ids[s], home);
    return found;
}

static uint32_t in_slot(struct query *q, const struct policy_slot *slot, bool deny, int64_t home) {
    uint32_t types = slot->types[deny], bit = 1u << q->resource->type;
    if (!(types & bit)) return NO_GRANT;
    unsigned before = (unsigned)__builtin_popcount(types & (bit - 1));
    return in_bucket(q, &q->policy->buckets.p[slot->buckets[deny] + before], home);
}

// --- delegation ---

bool slot_denied(struct query *q, const struct policy_slot *slot) {
    const struct policy *p = q->policy;
    if (in_slot(q, slot, true, slot->home) != NO_GRANT) return true;
    if (slot->everybody != NO_SLOT && in_slot(q, &p->slots.p[slot->everybody], true, slot->home) != NO_GRANT)
        return true;
    for (uint32_t i = 0; i < slot->n_teams; i++)
        if (in_slot(q, &p->slots.p[p->teams[slot->teams + i]], true, slot->home) != NO_GRANT) return true;
    return false;
}

// Who is let in from elsewhere is bound by what the tenant denies to everybody.
static bool tenant_denies(struct query *q, const struct grant *g, int64_t home) {
    if (g->reach.scope == SCOPE_PLATFORM || g->reach.tenant == home) return false;
    return in_slot(q, &q->policy->slots.p[g->tenant_slot], true, home) != NO_GRANT;
}

bool slot_is_operator(const struct policy_slot *slot) {
    return slot->principal.kind == PRINCIPAL_OPERATOR || slot->principal.kind == PRINCIPAL_SYSTEM;
}

bool slot_suspended(const struct policy *policy, const struct policy_slot *slot) {
    return slot->suspended || (slot->everybody != NO_SLOT && policy->slots.p[slot->everybody].suspended);
}

// One step up: whether who delegated grant `child` still holds `child`'s parent, and it applies.
static enum why parent_applies(struct query *q, const struct grant *child) {
    const struct policy *p = q->policy;
    if (child->lost) return WHY_PARENT_GONE;
    const struct grant *parent = &p->grants[child->parent];
    if (parent->deny) return WHY_PARENT_GONE;
    enum why why = grant_alone_applies(q, parent);
    if (why == WHY_REVOKED || why == WHY_EXPIRED || why == WHY_NOT_YET || why == WHY_IDLE) return WHY_PARENT_GONE;
    if (why != WHY_APPLIES) return WHY_PARENT_NARROWER;
    if (child->giver == NO_SLOT) return WHY_GIVER_LOST;
    const struct policy_slot *giver = &p->slots.p[child->giver];
    if (slot_is_operator(giver)) return WHY_APPLIES;
    if (slot_suspended(p, giver) || !slot_holds(p, giver, child->parent)) return WHY_GIVER_LOST;
    if (slot_denied(q, giver) || tenant_denies(q, parent, giver->home)) return WHY_GIVER_DENIED;
    return WHY_APPLIES;
}

enum why grant_applies(struct query *q, uint32_t grant, int64_t home) {
    const struct policy *p = q->policy;
    const struct grant *g = &p->grants[grant];
    enum why why = grant_alone_applies(q, g);
    if (why != WHY_APPLIES || g->deny) return why;
    if (UNLIKELY(tenant_denies(q, g, home))) return WHY_TENANT_DENIES;
    for (unsigned steps = 0; g->parent != NO_GRANT || g->lost; steps++) {
        if (steps == POLICY_CHAIN_MAX) return WHY_PARENT_GONE; // too long, or a circle
        why = parent_applies(q, g);
        if (why != WHY_APPLIES) return why;
        g = &p->grants[g->parent];
    }
    return WHY_APPLIES;
}

// --- the decision ---

static uint32_t in_subject(struct query *q, const struct policy_subject *subject, bool deny) {
    const struct policy_slot *slot;
    uint32_t found = NO_GRANT;
    for (uint32_t i = 0; found == NO_GRANT && (slot = subject_slot(q->policy, subject, &i));)
        found = in_slot(q, slot, deny, subject->tenant);
    return found;
}

// The scopes of a key without an owner are its rights, where it lies.
static bool by_scopes(const struct policy_subject *s, const struct policy_resource *r) {
    if (s->principal.kind != PRINCIPAL_KEY || !s->within || !s->tenant || r->tenant != s->tenant) return false;
    if (s->project) return r->project == s->project;
    return !s->team || r->team == s->team;
}

static bool decided(struct policy_decision *out, bool allowed, enum policy_reason reason,
                    const struct policy_grant *grant) {
    *out = (struct policy_decision){allowed, reason, grant};
    return allowed;
}

bool policy_suspended(const struct policy_subject *subject) {
    return (subject->own && subject->own->suspended) || (subject->all && subject->all->suspended);
}

bool policy_decide(const struct policy *policy, const struct policy_subject *subject, enum action action,
                   const struct policy_resource *resource, int64_t now_ns, struct policy_decision *out_decision) {
    struct query q = {.policy = policy, .action = action, .resource = resource, .now = now_ns};
    enum principal_kind kind = subject->principal.kind;
    if (subject->within && !permission_has(subject->within, resource->type, action))
        return decided(out_decision, false, POLICY_BEYOND_SCOPES, NULL);
    if (kind == PRINCIPAL_OPERATOR || kind == PRINCIPAL_SYSTEM)
        return decided(out_decision, true, POLICY_OPERATOR, NULL);
    if (kind == PRINCIPAL_NOBODY) return decided(out_decision, false, POLICY_NO_GRANT, NULL);
    if (policy_suspended(subject)) return decided(out_decision, false, POLICY_SUSPENDED, NULL);
    uint32_t found = in_subject(&q, subject, true);
    if (found != NO_GRANT) return decided(out_decision, false, POLICY_DENIED, &policy->told.p[found]);
    if (by_scopes(subject, resource)) return decided(out_decision, true, POLICY_BY_SCOPES, NULL);
    // What is allowed to everybody of its tenant is not a key's.
    if (kind == PRINCIPAL_KEY) return decided(out_decision, false, POLICY_NO_GRANT, NULL);
    found = in_subject(&q, subject, false);
    if (found == NO_GRANT) return decided(out_decision, false, POLICY_NO_GRANT, NULL);
    return decided(out_decision, true, POLICY_GRANTED, &policy->told.p[found]);
}
