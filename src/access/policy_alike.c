// Whether a decision is the same for all resources of a type in a tenant.
#include "access/policy_impl.h"

// What a grant does to the resources of one type in one tenant.
enum effect {
    EFFECT_NONE, // to no resource
    EFFECT_SOME, // to some, perhaps
    EFFECT_ALL,
};
struct look {
    const struct policy *policy;
    enum action action;
    enum resource_type type;
    int64_t tenant, now;
};

static enum effect alone(const struct look *l, const struct grant *g) {
    const struct reach *r = &g->reach;
    if (g->revoked || g->idle || l->now < r->from || l->now >= r->until) return EFFECT_NONE;
    if (!permission_has(g->permissions, l->type, l->action)) return EFFECT_NONE;
    if (r->selector.kind != SELECTOR_ANY && r->selector.type != l->type) return EFFECT_NONE;
    if (r->scope != SCOPE_PLATFORM && r->tenant != l->tenant) return EFFECT_NONE;
    if (r->scope == SCOPE_TEAM || r->scope == SCOPE_PROJECT || r->condition) return EFFECT_SOME;
    if (r->selector.kind == SELECTOR_EXACT || r->selector.text.n) return EFFECT_SOME;
    return EFFECT_ALL;
}

// The most that one of a slot's grants does: denies by themselves, allows that hang on no other.
static enum effect most_of(const struct look *l, const struct policy_slot *slot, bool deny, int64_t home) {
    enum effect most = EFFECT_NONE;
    for (uint32_t i = 0; i < slot->n_grants && most != EFFECT_ALL; i++) {
        const struct grant *g = &l->policy->grants[l->policy->by_holder[slot->grants + i]];
        if (g->deny != deny) continue;
        enum effect e = alone(l, g);
        bool hangs = g->lost || g->parent != NO_GRANT || (g->reach.scope != SCOPE_PLATFORM && g->reach.tenant != home);
        if (!deny && hangs && e == EFFECT_ALL) e = EFFECT_SOME;
        if (e > most) most = e;
    }
    return most;
}

static enum effect most_of_subject(const struct look *l, const struct policy_subject *subject, bool deny) {
    const struct policy_slot *slot;
    enum effect most = EFFECT_NONE;
    for (uint32_t i = 0; most != EFFECT_ALL && (slot = subject_slot(l->policy, subject, &i));) {
        enum effect e = most_of(l, slot, deny, subject->tenant);
        if (e > most) most = e;
    }
    return most;
}

static bool answer(bool *out_allowed, bool allowed) {
    *out_allowed = allowed;
    return true;
}

bool policy_decides_alike(const struct policy *policy, const struct policy_subject *subject, enum action action,
                          enum resource_type type, int64_t tenant, int64_t now_ns, bool *out_allowed) {
    const struct look l = {policy, action, type, tenant, now_ns};
    enum principal_kind kind = subject->principal.kind;
    if (subject->within && !permission_has(subject->within, type, action)) return answer(out_allowed, false);
    if (kind == PRINCIPAL_OPERATOR || kind == PRINCIPAL_SYSTEM) return answer(out_allowed, true);
    if (kind == PRINCIPAL_NOBODY) return answer(out_allowed, false);
    if (policy_suspended(subject)) return answer(out_allowed, false);
    enum effect denied = most_of_subject(&l, subject, true);
    if (denied == EFFECT_ALL) return answer(out_allowed, false);
    enum effect allowed = EFFECT_NONE;
    if (kind != PRINCIPAL_KEY)
        allowed = most_of_subject(&l, subject, false);
    else if (subject->within && subject->tenant == tenant && tenant)
        allowed = subject->team || subject->project ? EFFECT_SOME : EFFECT_ALL;
    if (allowed == EFFECT_NONE) return answer(out_allowed, false);
    if (allowed == EFFECT_ALL && denied == EFFECT_NONE) return answer(out_allowed, true);
    return false;
}
