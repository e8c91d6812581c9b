// Gathers roles, grants and memberships, and compiles them into a policy.
#include "access/policy_impl.h"

#include "access/policy_index.h"
#include "base/hash.h"
#include "base/map.h"
#include "os/rand.h"
#include "os/thread.h"

#include <stdlib.h>

// A text that was met, once (an empty one is not kept); and the permissions it lists, if it was asked for them.
struct text {
    struct str s;
    struct permission_set *permissions;
    bool faulty;
};
struct membership {
    uint32_t member, team; // slots
};
struct policy_builder {
    struct policy *policy;
    struct map texts;
    VEC(struct membership) members;
};

static const struct permission_set k_nothing;

bool policy_builder_create(struct policy_builder **out_builder, struct err *err) {
    struct policy_builder *b = mem_zalloc(1, sizeof *b);
    struct policy *p = b ? mem_zalloc(1, sizeof *p) : NULL;
    if (!p) {
        mem_free(b);
        return err_no_memory(err);
    }
    p->refs = 1;
    arena_init(&p->arena, NULL, 0, SIZE_MAX / 2);
    p->roles.arena = &p->arena;
    map_init(&b->texts, rand_u64());
    b->policy = p;
    for (size_t i = 0; i < policy_builtin_count(); i++) {
        if (role_table_add(&p->roles, policy_builtin(i), &p->faults)) continue;
        policy_builder_free(b);
        return err_no_memory(err);
    }
    *out_builder = b;
    return true;
}

void policy_builder_free(struct policy_builder *builder) {
    if (!builder) return;
    policy_unref(builder->policy);
    map_free(&builder->texts);
    vec_free(&builder->members);
    mem_free(builder);
}

static struct text *intern(struct policy_builder *b, struct str s) {
    struct text *t = map_get(&b->texts, s);
    if (t) return t;
    t = ARENA_NEW(&b->policy->arena, struct text);
    if (t) t->s = arena_str(&b->policy->arena, s);
    return t && t->s.p && map_put(&b->texts, t->s, t) ? t : NULL;
}

static bool copy(struct policy_builder *b, struct str *io_text) {
    if (io_text->n == 0) {
        *io_text = STR("");
        return true;
    }
    const struct text *t = intern(b, *io_text);
    if (t) *io_text = t->s;
    return t != NULL;
}

// --- principals ---

static size_t place_of(const struct policy *p, struct principal principal) {
    uint64_t h = ((uint64_t)principal.id ^ (uint64_t)principal.kind << 56) * GROUP_SEED;
    size_t at = (size_t)(h >> 20) & p->by_principal_mask;
    while (p->by_principal[at]) {
        const struct principal *there = &p->slots.p[p->by_principal[at] - 1].principal;
        if (there->kind == principal.kind && there->id == principal.id) break;
        at = (at + 1) & p->by_principal_mask;
    }
    return at;
}

const struct policy_slot *policy_slot_find(const struct policy *policy, struct principal principal) {
    if (!policy->by_principal) return NULL;
    uint32_t found = policy->by_principal[place_of(policy, principal)];
    return found ? &policy->slots.p[found - 1] : NULL;
}

static bool make_room(struct policy *p) {
    size_t places = p->by_principal ? p->by_principal_mask + 1 : 0;
    if (places > p->slots.n * 2) return true;
    if (p->slots.n >= NO_SLOT / 4) return false;
    size_t more = places ? places * 2 : 64;
    uint32_t *fresh = mem_zalloc(more, sizeof *fresh);
    if (!fresh) return false;
    mem_free(p->by_principal);
    p->by_principal = fresh;
    p->by_principal_mask = more - 1;
    for (size_t i = 0; i < p->slots.n; i++) p->by_principal[place_of(p, p->slots.p[i].principal)] = (uint32_t)i + 1;
    return true;
}

// The slot of a principal, made if it has none; NO_SLOT: out of memory.
static uint32_t slot_of(struct policy *p, struct principal principal) {
    if (!make_room(p)) return NO_SLOT;
    size_t at = place_of(p, principal);
    if (p->by_principal[at]) return p->by_principal[at] - 1;
    struct policy_slot slot = {.principal = principal, .everybody = NO_SLOT};
    if (!vec_push(&p->slots, slot)) return NO_SLOT;
    p->by_principal[at] = (uint32_t)p->slots.n;
    return (uint32_t)p->slots.n - 1;
}

static struct principal tenant_principal(int64_t tenant) { return (struct principal){PRINCIPAL_TENANT, tenant}; }

bool policy_add_principal(struct policy_builder *builder, struct principal principal, int64_t home, bool active,
                          struct err *err) {
    struct policy *p = builder->policy;
    uint32_t at = slot_of(p, principal);
    if (at == NO_SLOT || (home && slot_of(p, tenant_principal(home)) == NO_SLOT)) return err_no_memory(err);
    p->slots.p[at].home = home;
    p->slots.p[at].suspended = !active;
    return true;
}

bool policy_add_member(struct policy_builder *builder, int64_t team, struct principal member, struct err *err) {
    struct membership m = {slot_of(builder->policy, member), NO_SLOT};
    m.team = m.member == NO_SLOT ? NO_SLOT : slot_of(builder->policy, (struct principal){PRINCIPAL_TEAM, team});
    return (m.team != NO_SLOT && vec_push(&builder->members, m)) || err_no_memory(err);
}

// --- roles and grants ---

bool policy_add_role(struct policy_builder *builder, const struct policy_role *role, struct err *err) {
    struct policy_role own = *role;
    bool ok = copy(builder, &own.name) && copy(builder, &own.parents) && copy(builder, &own.permissions);
    // A tenant's role, whatever the row says: there are no other built-in ones.
    if (own.tenant <= 0) return err_set(err, ERR_INVALID_FIELD, "a role is of a tenant");
    return (ok && role_table_add(&builder->policy->roles, &own, &builder->policy->faults)) || err_no_memory(err);
}

bool policy_add_grant(struct policy_builder *builder, const struct policy_grant *grant, struct err *err) {
    struct policy *p = builder->policy;
    struct policy_grant own = *grant;
    if (p->told.n >= POLICY_GRANTS_MAX)
        return err_set(err, ERR_OVERLOADED, "a policy has at most %d grants", POLICY_GRANTS_MAX);
    bool ok = copy(builder, &own.role) && copy(builder, &own.permissions) && copy(builder, &own.resource) &&
              copy(builder, &own.condition) && slot_of(p, own.principal) != NO_SLOT &&
              slot_of(p, tenant_principal(own.tenant)) != NO_SLOT;
    if (ok && own.granted_by.kind != PRINCIPAL_NOBODY) ok = slot_of(p, own.granted_by) != NO_SLOT;
    return (ok && vec_push(&p->told, own)) || err_no_memory(err);
}

static bool listed_permissions(struct policy_builder *b, struct str json, const struct permission_set **out_set) {
    struct err ignored;
    if (json.n == 0) {
        *out_set = &k_nothing;
        return true;
    }
    struct text *t = intern(b, json);
    if (!t) return false;
    if (!t->permissions) {
        t->permissions = ARENA_NEW(&b->policy->arena, struct permission_set);
        if (!t->permissions) return false;
        t->faulty = !permission_read_json(t->permissions, json, &ignored);
    }
    if (t->faulty) b->policy->faults++;
    *out_set = t->permissions;
    return true;
}

static bool find_permissions(struct policy_builder *b, const struct policy_grant *t,
                             const struct permission_set **out_set) {
    if (!t->role.n) return listed_permissions(b, t->permissions, out_set);
    const struct role *role = role_table_find(&b->policy->roles, t->tenant, t->role);
    // Who may change a tenant's role must not thereby change rights beyond the tenant.
    bool usable = role && (role->tenant == 0 || t->scope != SCOPE_PLATFORM);
    if (!usable) b->policy->faults++;
    *out_set = usable ? &role->all : &k_nothing;
    return true;
}

// What cannot be read makes an allow void and a deny wider.
static bool compile_reach(struct policy_builder *b, const struct policy_grant *t, struct grant *g) {
    struct policy *p = b->policy;
    struct tag_condition condition;
    struct err ignored;
    bool readable = selector_parse(t->resource, &g->reach.selector, &ignored);
    if (!readable) g->reach.selector = (struct selector){.kind = SELECTOR_ANY};
    bool known = tag_condition_parse(t->condition, &condition, &ignored);
    if (known && condition.n) {
        struct tag_condition *kept = ARENA_NEW(&p->arena, struct tag_condition);
        if (!kept) return false;
        *kept = condition;
        g->reach.condition = kept;
    }
    bool here = t->scope != SCOPE_TENANT || t->scope_id == 0 || t->scope_id == t->tenant;
    if (t->scope == SCOPE_TEAM || t->scope == SCOPE_PROJECT) here = t->scope_id > 0;
    if (readable && known && here) return true;
    p->faults++;
    if (!g->deny || !here) g->permissions = &k_nothing;
    return true;
}

static bool compile(struct policy_builder *b, const struct policy_grant *t, struct grant *g) {
    struct policy *p = b->policy;
    *g = (struct grant){.reach = {.tenant = t->tenant,
                                  .scope = t->scope,
                                  .scope_id = t->scope_id,
                                  .scope_team = t->scope_team,
                                  .from = t->not_before,
                                  .until = t->expires_at ? t->expires_at : FOREVER},
                        .parent = NO_GRANT,
                        .giver = NO_SLOT,
                        .deny = t->deny,
                        .revoked = t->revoked_at != 0};
    if (t->scope == SCOPE_PLATFORM) g->reach.scope_id = 0;
    if (t->scope == SCOPE_TENANT) g->reach.scope_id = t->tenant;
    if (!find_permissions(b, t, &g->permissions) || !compile_reach(b, t, g)) return false;
    g->holder = slot_of(p, t->principal);
    g->tenant_slot = slot_of(p, tenant_principal(t->tenant));
    if (t->granted_by.kind != PRINCIPAL_NOBODY) g->giver = slot_of(p, t->granted_by);
    g->idle = p->slots.p[g->tenant_slot].suspended && t->scope != SCOPE_PLATFORM && !t->deny;
    if (!t->parent || t->deny) return true;
    const struct policy_grant *parent = policy_grant_find(p, t->parent);
    if (parent) g->parent = (uint32_t)(parent - p->told.p);
    g->lost = !parent;
    return true;
}

static int by_id(const void *a, const void *b) {
    const struct policy_grant *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

// In the order of their ids, each once.
static void sort_grants(struct policy *p) {
    size_t kept = 0;
    if (p->told.n) qsort(p->told.p, p->told.n, sizeof *p->told.p, by_id);
    for (size_t i = 0; i < p->told.n; i++) {
        if (kept && p->told.p[i].id && p->told.p[i].id == p->told.p[kept - 1].id) continue;
        p->told.p[kept++] = p->told.p[i];
    }
    p->told.n = kept;
}

static int by_member(const void *a, const void *b) {
    const struct membership *x = a, *y = b;
    if (x->member != y->member) return x->member < y->member ? -1 : 1;
    return x->team < y->team ? -1 : x->team > y->team;
}

static bool link_teams(struct policy_builder *b) {
    struct policy *p = b->policy;
    size_t n = b->members.n, kept = 0;
    if (n) qsort(b->members.p, n, sizeof *b->members.p, by_member);
    p->teams = mem_zalloc(n + 1, sizeof *p->teams);
    if (!p->teams) return false;
    for (size_t i = 0; i < n; i++) {
        const struct membership *m = &b->members.p[i];
        struct policy_slot *slot = &p->slots.p[m->member];
        if (slot->n_teams && p->teams[kept - 1] == m->team) continue;
        if (!slot->n_teams) slot->teams = (uint32_t)kept;
        slot->n_teams++;
        p->teams[kept++] = m->team;
    }
    for (size_t i = 0; i < p->slots.n; i++) {
        struct policy_slot *slot = &p->slots.p[i];
        const struct policy_slot *all = slot->home ? policy_slot_find(p, tenant_principal(slot->home)) : NULL;
        if (all) slot->everybody = (uint32_t)(all - p->slots.p);
    }
    return true;
}

bool policy_build(struct policy_builder *builder, struct policy **out_policy, struct err *err) {
    struct policy *p = builder->policy;
    if (!role_table_resolve(&p->roles, &p->faults)) return err_no_memory(err);
    sort_grants(p);
    p->grants = mem_zalloc(p->told.n + 1, sizeof *p->grants);
    bool ok = p->grants != NULL;
    for (size_t i = 0; ok && i < p->told.n; i++) ok = compile(builder, &p->told.p[i], &p->grants[i]);
    if (!ok || !link_teams(builder) || !policy_index(p)) return err_no_memory(err);
    *out_policy = policy_ref(p);
    return true;
}

struct policy *policy_ref(struct policy *policy) {
    atom_add_relaxed(&policy->refs, 1);
    return policy;
}

void policy_unref(struct policy *policy) {
    if (!policy || atom_sub(&policy->refs, 1) != 0) return;
    vec_free(&policy->roles.list);
    vec_free(&policy->told);
    mem_free(policy->grants);
    vec_free(&policy->slots);
    mem_free(policy->by_principal);
    mem_free(policy->by_holder);
    mem_free(policy->teams);
    vec_free(&policy->buckets);
    vec_free(&policy->entries);
    vec_free(&policy->groups);
    arena_free(&policy->arena);
    mem_free(policy);
}

size_t policy_faults(const struct policy *policy) { return policy->faults; }
size_t policy_grant_count(const struct policy *policy) { return policy->told.n; }
const struct policy_grant *policy_grant_at(const struct policy *policy, size_t i) { return &policy->told.p[i]; }

const struct policy_grant *policy_grant_find(const struct policy *policy, int64_t id) {
    size_t low = 0, high = policy->told.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (policy->told.p[middle].id == id) return &policy->told.p[middle];
        if (id < policy->told.p[middle].id)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool policy_grant_check(const struct policy_grant *grant, struct err *err) {
    struct permission_set set = {0};
    struct selector selector;
    struct tag_condition condition;
    if (!selector_parse(grant->resource, &selector, err) || !tag_condition_parse(grant->condition, &condition, err))
        return false;
    if (grant->role.n) return true;
    if (grant->permissions.n && !permission_read_json(&set, grant->permissions, err)) return false;
    if (permission_empty(&set))
        return err_set(err, ERR_MISSING_FIELD, "a grant gives a role or permissions, and this one gives neither");
    return true;
}
