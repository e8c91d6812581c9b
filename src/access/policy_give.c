// Guards against escalation: whether what is to be given is the giver's.
//
// A proof, not a search: it succeeds when one grant of the giver covers what is to be given for its whole time, and no
// deny on the giver might meet it. In doubt it fails.
#include "access/policy_impl.h"

#include <stdio.h>

struct giving {
    const struct policy *policy;
    const struct policy_subject *giver;
    const struct policy_slot *receiver; // NULL: not known, or no one in particular
    const struct permission_set *permissions;
    struct reach reach;
    uint32_t parent; // that it is lent from; NO_GRANT: it is given
    bool lifts;      // a deny ends by it: no deny on the giver is passed over
};

// --- one reach and another ---

static bool scope_covers(const struct reach *wide, const struct reach *narrow) {
    if (wide->scope == SCOPE_PLATFORM) return true;
    if (narrow->scope == SCOPE_PLATFORM || wide->tenant != narrow->tenant) return false;
    if (wide->scope == SCOPE_TENANT) return true;
    if (wide->scope == narrow->scope) return wide->scope_id == narrow->scope_id;
    return wide->scope == SCOPE_TEAM && narrow->scope == SCOPE_PROJECT && wide->scope_id == narrow->scope_team;
}

static bool scope_meets(const struct reach *a, const struct reach *b) {
    if (a->scope == SCOPE_PLATFORM || b->scope == SCOPE_PLATFORM) return true;
    if (a->tenant != b->tenant) return false;
    if (a->scope == SCOPE_TENANT || b->scope == SCOPE_TENANT) return true;
    return a->scope != b->scope || a->scope_id == b->scope_id;
}

static bool covers(const struct grant *wide, const struct giving *g, enum resource_type type, enum action action) {
    const struct reach *w = &wide->reach, *n = &g->reach;
    return !wide->deny && !wide->revoked && !wide->idle && permission_has(wide->permissions, type, action) &&
           w->from <= n->from && w->until >= n->until && scope_covers(w, n) &&
           selector_covers(&w->selector, &n->selector, type) && tag_condition_covers(w->condition, n->condition);
}

// --- denies that stand against it ---

// A deny that the receiver is under as well takes nothing from what is given. One for everybody of a tenant binds all
// whom that tenant's grants let in.
static bool binds_receiver(const struct giving *g, uint32_t at) {
    const struct policy_grant *deny = &g->policy->told.p[at];
    if (g->lifts) return false;
    bool tenants = deny->principal.kind == PRINCIPAL_TENANT && deny->principal.id == g->reach.tenant;
    if (tenants && g->reach.scope != SCOPE_PLATFORM) return true;
    return g->receiver && slot_holds(g->policy, g->receiver, at);
}

static bool deny_meets(const struct giving *g, uint32_t at, enum resource_type type, enum action action) {
    const struct grant *d = &g->policy->grants[at];
    const struct reach *r = &d->reach, *n = &g->reach;
    return d->deny && !d->revoked && permission_has(d->permissions, type, action) && r->until > n->from &&
           r->from < n->until && scope_meets(r, n) && selector_meets(&r->selector, &n->selector, type) &&
           tag_condition_meets(r->condition, n->condition) && !binds_receiver(g, at);
}

static bool slot_deny_meets(const struct giving *g, const struct policy_slot *slot, enum resource_type type,
                            enum action action) {
    if (!(slot->types[1] >> type & 1)) return false;
    for (uint32_t i = 0; i < slot->n_grants; i++)
        if (deny_meets(g, g->policy->by_holder[slot->grants + i], type, action)) return true;
    return false;
}

static bool person_deny_meets(const struct giving *g, const struct policy_slot *slot, enum resource_type type,
                              enum action action) {
    const struct policy *p = g->policy;
    if (slot_deny_meets(g, slot, type, action)) return true;
    if (slot->everybody != NO_SLOT && slot_deny_meets(g, &p->slots.p[slot->everybody], type, action)) return true;
    for (uint32_t i = 0; i < slot->n_teams; i++)
        if (slot_deny_meets(g, &p->slots.p[p->teams[slot->teams + i]], type, action)) return true;
    return false;
}

// --- allows that cover it ---

// The grant covers it, and so does every one it hangs on, each still held by who passed it on.
static bool chain_covers(const struct giving *g, uint32_t at, enum resource_type type, enum action action) {
    const struct policy *p = g->policy;
    for (unsigned steps = 0; steps <= POLICY_CHAIN_MAX; steps++) {
        const struct grant *grant = &p->grants[at];
        if (!covers(grant, g, type, action) || grant->lost) return false;
        if (grant->parent == NO_GRANT) return true;
        if (grant->giver == NO_SLOT) return false;
        const struct policy_slot *from = &p->slots.p[grant->giver];
        at = grant->parent;
        if (slot_is_operator(from)) continue;
        if (slot_suspended(p, from) || !slot_holds(p, from, at)) return false;
        if (person_deny_meets(g, from, type, action)) return false;
    }
    return false;
}

// Of what is itself lent (delegated, or for a time by elevation) nothing can be given.
static bool is_lent(const struct policy *p, uint32_t at) {
    return p->told.p[at].parent != 0 || p->told.p[at].elevation != 0;
}

// Who is let in from elsewhere is bound by what the tenant denies to everybody, and so cannot lift it.
static bool guest_denied(const struct giving *g, uint32_t at, enum resource_type type, enum action action) {
    const struct grant *grant = &g->policy->grants[at];
    bool guest = grant->reach.scope != SCOPE_PLATFORM && grant->reach.tenant != g->giver->tenant;
    return guest && slot_deny_meets(g, &g->policy->slots.p[grant->tenant_slot], type, action);
}

static bool slot_covers(const struct giving *g, const struct policy_slot *slot, enum resource_type type,
                        enum action action, bool *io_lent) {
    const struct policy *p = g->policy;
    if (!(slot->types[0] >> type & 1)) return false;
    for (uint32_t i = 0; i < slot->n_grants; i++) {
        uint32_t at = p->by_holder[slot->grants + i];
        if (!chain_covers(g, at, type, action) || guest_denied(g, at, type, action)) continue;
        if (!is_lent(p, at)) return true;
        *io_lent = true;
    }
    return false;
}

static bool has(const struct giving *g, enum resource_type type, enum action action, bool *io_lent) {
    const struct policy_subject *s = g->giver;
    const struct policy_slot *slot;
    if (s->within && !permission_has(s->within, type, action)) return false;
    if (s->principal.kind == PRINCIPAL_OPERATOR || s->principal.kind == PRINCIPAL_SYSTEM)
        return g->parent == NO_GRANT || chain_covers(g, g->parent, type, action);
    for (uint32_t i = 0; (slot = subject_slot(g->policy, s, &i));)
        if (slot_deny_meets(g, slot, type, action)) return false;
    if (g->parent != NO_GRANT) return chain_covers(g, g->parent, type, action);
    for (uint32_t i = 0; (slot = subject_slot(g->policy, s, &i));)
        if (slot_covers(g, slot, type, action, io_lent)) return true;
    return false;
}

// --- the answer ---

COLD static bool exceeds(const struct giving *g, enum resource_type type, enum action action, bool lent,
                         struct err *err) {
    char text[PERMISSION_TEXT_MAX];
    struct str permission = permission_text(type, action, text), scope = scope_kind_name(g->reach.scope);
    const struct policy_subject *s = g->giver;
    if (s->within && !permission_has(s->within, type, action))
        return err_set(err, ERR_FORBIDDEN, "%.*s is beyond the scopes of the key or token you use",
                       STR_ARG(permission));
    if (g->parent != NO_GRANT)
        return err_set(err, ERR_FORBIDDEN,
                       "%.*s cannot be delegated so: the grant it would come from does not reach as far (scope, "
                       "resources, condition, time), or you are denied part of it",
                       STR_ARG(permission));
    if (lent)
        return err_set(err, ERR_FORBIDDEN,
                       "%.*s is lent to you, by a delegation or an elevation: it can only be delegated on, so that it "
                       "ends when yours does",
                       STR_ARG(permission));
    return err_set(err, ERR_FORBIDDEN,
                   "%.*s (scope: %.*s) is not yours to give: you do not hold it for all of these resources and for as "
                   "long, or are denied part of it",
                   STR_ARG(permission), STR_ARG(scope));
}

static bool may_give_all(const struct giving *g, struct err *err) {
    const struct policy_subject *s = g->giver;
    if (policy_suspended(s) || s->principal.kind == PRINCIPAL_NOBODY)
        return err_set(err, ERR_FORBIDDEN, "who is suspended or unknown can give nothing");
    for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) {
        enum resource_type type = (enum resource_type)t;
        if (g->reach.selector.kind != SELECTOR_ANY && g->reach.selector.type != type) continue;
        for (unsigned a = 0; a < ACTION_COUNT; a++) {
            bool lent = false;
            if (!(g->permissions->actions[t] >> a & 1) || has(g, type, (enum action)a, &lent)) continue;
            return exceeds(g, type, (enum action)a, lent, err);
        }
    }
    return true;
}

static bool read_permissions(const struct policy *p, const struct policy_grant *grant,
                             struct permission_set *out_permissions, struct err *err) {
    struct permission_set set = {0};
    if (grant->role.n) {
        const struct role *role = role_table_find(&p->roles, grant->tenant, grant->role);
        if (!role)
            return err_set(err, ERR_INVALID_FIELD, "there is no role \"%.*s\"", STR_ARG(str_head(grant->role, 80)));
        if (role->tenant && grant->scope == SCOPE_PLATFORM)
            return err_set(err, ERR_INVALID_FIELD,
                           "role \"%.*s\" is a tenant's own and cannot be given for the platform",
                           STR_ARG(str_head(grant->role, 80)));
        set = role->all;
    } else if (grant->permissions.n && !permission_read_json(&set, grant->permissions, err)) {
        return false;
    }
    *out_permissions = set;
    return true;
}

static bool reach_of(const struct policy_grant *grant, int64_t now, struct tag_condition *condition, struct reach *out,
                     struct err *err) {
    *out = (struct reach){.tenant = grant->tenant,
                          .scope = grant->scope,
                          .scope_id = grant->scope_id,
                          .scope_team = grant->scope_team,
                          .from = grant->not_before > now ? grant->not_before : now,
                          .until = grant->expires_at ? grant->expires_at : FOREVER};
    if (grant->scope == SCOPE_TENANT) out->scope_id = grant->tenant;
    if (!selector_parse(grant->resource, &out->selector, err) || !tag_condition_parse(grant->condition, condition, err))
        return false;
    if (condition->n) out->condition = condition;
    if (grant->tenant <= 0) return err_set(err, ERR_INVALID_FIELD, "a grant is of a tenant");
    if (grant->scope == SCOPE_TENANT && grant->scope_id && grant->scope_id != grant->tenant)
        return err_set(err, ERR_INVALID_FIELD, "a grant reaches no other tenant than its own");
    return true;
}

// The parent is an allow that the giver holds, and the chain has room.
static bool find_parent(const struct policy *p, const struct policy_subject *giver, const struct policy_grant *grant,
                        uint32_t *out_parent, struct err *err) {
    const struct policy_grant *parent = policy_grant_find(p, grant->parent);
    bool all = giver->principal.kind == PRINCIPAL_OPERATOR || giver->principal.kind == PRINCIPAL_SYSTEM;
    uint32_t at = parent ? (uint32_t)(parent - p->told.p) : NO_GRANT;
    if (!parent || !(all || (giver->own && slot_holds(p, giver->own, at))))
        return err_set(err, ERR_FORBIDDEN, "the grant to delegate from is not one that you hold");
    if (parent->deny || grant->deny) return err_set(err, ERR_INVALID_FIELD, "a deny cannot be delegated");
    if (grant->granted_by.kind != giver->principal.kind || grant->granted_by.id != giver->principal.id)
        return err_set(err, ERR_INVALID_FIELD, "a delegation is by who delegates it");
    if (parent->tenant != grant->tenant && parent->scope != SCOPE_PLATFORM)
        return err_set(err, ERR_INVALID_FIELD, "a delegation stays in the tenant of the grant it comes from");
    unsigned depth = 1;
    for (uint32_t up = p->grants[at].parent; up != NO_GRANT && depth <= POLICY_CHAIN_MAX; depth++)
        up = p->grants[up].parent;
    if (depth > POLICY_CHAIN_MAX)
        return err_set(err, ERR_FORBIDDEN, "a grant can be delegated on at most %d times", POLICY_CHAIN_MAX);
    *out_parent = at;
    return true;
}

static bool may_give(const struct policy *policy, const struct policy_subject *giver, const struct policy_grant *grant,
                     bool lifts, int64_t now, struct err *err) {
    struct permission_set permissions;
    struct tag_condition condition;
    struct giving g = {
        .policy = policy, .giver = giver, .permissions = &permissions, .parent = NO_GRANT, .lifts = lifts};
    if (!read_permissions(policy, grant, &permissions, err)) return false;
    if (!reach_of(grant, now, &condition, &g.reach, err)) return false;
    if (grant->parent && !lifts && !find_parent(policy, giver, grant, &g.parent, err)) return false;
    g.receiver = policy_slot_find(policy, grant->principal);
    return may_give_all(&g, err);
}

bool policy_may_give(const struct policy *policy, const struct policy_subject *giver, const struct policy_grant *grant,
                     int64_t now_ns, struct err *err) {
    return may_give(policy, giver, grant, false, now_ns, err);
}

bool policy_may_lift(const struct policy *policy, const struct policy_subject *giver, const struct policy_grant *deny,
                     int64_t now_ns, struct err *err) {
    return !deny->deny || may_give(policy, giver, deny, true, now_ns, err);
}

// --- other things that give ---

bool policy_may_change_role(const struct policy *policy, const struct policy_subject *giver,
                            const struct policy_role *before, const struct policy_role *after, int64_t now_ns,
                            struct err *err) {
    struct permission_set was = {0}, is = {0}, changed;
    int64_t tenant = after ? after->tenant : before->tenant;
    const struct role *old = before ? role_table_find(&policy->roles, before->tenant, before->name) : NULL;
    struct giving g = {
        .policy = policy,
        .giver = giver,
        .permissions = &changed,
        .parent = NO_GRANT,
        .reach = {.tenant = tenant, .scope = SCOPE_TENANT, .scope_id = tenant, .from = now_ns, .until = FOREVER}};
    if (old) was = old->all;
    if (after && !policy_role_check(policy, after, &is, err)) return false;
    for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) changed.actions[t] = is.actions[t] & ~was.actions[t];
    if (!may_give_all(&g, err)) return false;
    // What is taken out of a role is lifted from those to whom the role is denied.
    for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) changed.actions[t] = was.actions[t] & ~is.actions[t];
    g.lifts = true;
    return may_give_all(&g, err);
}

// One grant of another, as if it were to be given to whoever takes that one's place.
static bool may_take(const struct policy *p, const struct policy_subject *giver, uint32_t at,
                     const struct permission_set *only, int64_t now, struct err *err) {
    const struct grant *grant = &p->grants[at];
    struct permission_set permissions = *grant->permissions;
    if (grant->revoked || grant->reach.until <= now) return true;
    for (unsigned t = 0; only && t < RESOURCE_TYPE_COUNT; t++) permissions.actions[t] &= only->actions[t];
    struct giving g = {.policy = p,
                       .giver = giver,
                       .permissions = &permissions,
                       .parent = NO_GRANT,
                       .lifts = grant->deny,
                       .reach = grant->reach};
    if (g.reach.from < now) g.reach.from = now;
    return may_give_all(&g, err) || err_wrap(err, "what that one holds is more than you do");
}

bool policy_may_become(const struct policy *policy, const struct policy_subject *giver, struct principal other,
                       int64_t home, const struct permission_set *only, int64_t now_ns, struct err *err) {
    struct policy_subject there;
    const struct policy_slot *slot;
    enum principal_kind kind = giver->principal.kind;
    if (other.kind == kind && other.id == giver->principal.id) {
        if (!giver->within || (only && permission_subset(only, giver->within))) return true;
        return err_set(err, ERR_FORBIDDEN, "that is more than the scopes of the key or token you use");
    }
    policy_subject_init(policy, other, home, NULL, &there);
    for (uint32_t i = 0; (slot = subject_slot(policy, &there, &i));)
        for (uint32_t k = 0; k < slot->n_grants; k++) {
            uint32_t at = policy->by_holder[slot->grants + k];
            // Only a team can be left, and with it what it denies.
            if (policy->grants[at].deny && other.kind != PRINCIPAL_TEAM) continue;
            if (!may_take(policy, giver, at, only, now_ns, err)) return false;
        }
    return true;
}

bool policy_may_make_key(const struct policy *policy, const struct policy_subject *giver, const struct policy_key *key,
                         int64_t now_ns, struct err *err) {
    if (key->owner.kind != PRINCIPAL_NOBODY)
        return policy_may_become(policy, giver, key->owner, key->tenant, &key->scopes, now_ns, err);
    struct giving g = {.policy = policy,
                       .giver = giver,
                       .permissions = &key->scopes,
                       .parent = NO_GRANT,
                       .reach = {.tenant = key->tenant,
                                 .scope = SCOPE_TENANT,
                                 .scope_id = key->tenant,
                                 .from = now_ns,
                                 .until = key->expires_at ? key->expires_at : FOREVER}};
    if (key->team) g.reach.scope = SCOPE_TEAM, g.reach.scope_id = key->team;
    if (key->project) g.reach.scope = SCOPE_PROJECT, g.reach.scope_id = key->project, g.reach.scope_team = key->team;
    return may_give_all(&g, err);
}

// --- elevation ---

bool policy_elevation_check(const struct policy *policy, const struct policy_elevation *request, struct err *err) {
    const struct role *role = role_table_find(&policy->roles, request->tenant, request->role);
    if (!role)
        return err_set(err, ERR_INVALID_FIELD, "there is no role \"%.*s\"", STR_ARG(str_head(request->role, 80)));
    if (role->tenant && request->scope == SCOPE_PLATFORM)
        return err_set(err, ERR_INVALID_FIELD, "role \"%.*s\" is a tenant's own and cannot be given for the platform",
                       STR_ARG(str_head(request->role, 80)));
    if (request->duration_s < POLICY_ELEVATION_MIN_S || request->duration_s > POLICY_ELEVATION_MAX_S)
        return err_set(err, ERR_INVALID_FIELD, "an elevation lasts from %d s to %d h", POLICY_ELEVATION_MIN_S,
                       POLICY_ELEVATION_MAX_S / 3600);
    if (request->requester.kind != PRINCIPAL_USER)
        return err_set(err, ERR_INVALID_FIELD, "only people can ask for an elevation");
    return true;
}

static bool holds_approval(const struct policy *policy, const struct policy_subject *approver,
                           const struct policy_elevation *r, int64_t now) {
    const struct policy_resource at = {.type = RESOURCE_ELEVATION,
                                       .tenant = r->scope == SCOPE_PLATFORM ? 0 : r->tenant,
                                       .team = r->scope == SCOPE_TEAM ? r->scope_id : r->scope_team,
                                       .project = r->scope == SCOPE_PROJECT ? r->scope_id : 0};
    struct policy_decision ignored;
    return policy_decide(policy, approver, ACTION_APPROVE, &at, now, &ignored);
}

bool policy_may_approve(const struct policy *policy, const struct policy_subject *approver,
                        const struct policy_elevation *request, int64_t now_ns, struct policy_grant *out_grant,
                        struct err *err) {
    struct principal who = approver->principal;
    if (!policy_elevation_check(policy, request, err)) return false;
    if (who.kind != PRINCIPAL_USER && who.kind != PRINCIPAL_OPERATOR)
        return err_set(err, ERR_FORBIDDEN, "an elevation is approved by a person");
    if (who.kind == request->requester.kind && who.id == request->requester.id)
        return err_set(err, ERR_FORBIDDEN, "an elevation is approved by a second person, not by who asks for it");
    if (!holds_approval(policy, approver, request, now_ns))
        return err_set(err, ERR_FORBIDDEN, "you do not hold elevation:approve there");
    const struct policy_grant grant = {.tenant = request->tenant,
                                       .principal = request->requester,
                                       .role = request->role,
                                       .scope = request->scope,
                                       .scope_id = request->scope_id,
                                       .scope_team = request->scope_team,
                                       .not_before = now_ns,
                                       .expires_at = now_ns + request->duration_s * INT64_C(1000000000),
                                       .elevation = request->id,
                                       .granted_by = who};
    if (!policy_may_give(policy, approver, &grant, now_ns, err)) return false;
    *out_grant = grant;
    return true;
}
