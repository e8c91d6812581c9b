// Builds policies from rows: seeds, and then whatever these hang on, until nothing is missing.
#include "access/policy_load.h"

#include "base/vec.h"
#include "store/grant.h"
#include "store/role.h"

enum want_kind {
    WANT_PRINCIPAL, // its row, teams, tenant and all its grants
    WANT_DENIES,    // as above, but of its grants only those that deny
    WANT_GRANT,     // one, by id
    WANT_TENANT,    // a tenant that gave something: its state, roles, and what it denies to everybody
};
struct want {
    enum want_kind kind;
    enum principal_kind of;
    int64_t id;
};

// What was asked for already: a set by open addressing.
struct seen {
    struct want *places;
    size_t n, mask;
};

struct loader {
    struct sql *db;
    struct policy_builder *builder;
    VEC(struct want) wants;
    size_t done; // of wants
    struct seen seen;
};

static size_t place_of(const struct seen *s, const struct want *w) {
    uint64_t h = ((uint64_t)w->id * 8 + (uint64_t)w->of) * 4 + (uint64_t)w->kind + 1;
    size_t at = (size_t)(h * 0x9e3779b97f4a7c15u >> 24) & s->mask;
    for (; s->places[at].id; at = (at + 1) & s->mask) {
        const struct want *there = &s->places[at];
        if (there->id == w->id && there->of == w->of && there->kind == w->kind) break;
    }
    return at;
}

static bool seen_grow(struct seen *s) {
    struct seen more = {.n = s->n, .mask = s->places ? s->mask * 2 + 1 : 255};
    if (s->places && s->n * 2 <= s->mask) return true;
    more.places = mem_zalloc(more.mask + 1, sizeof *more.places);
    if (!more.places) return false;
    for (size_t i = 0; s->places && i <= s->mask; i++)
        if (s->places[i].id) more.places[place_of(&more, &s->places[i])] = s->places[i];
    mem_free(s->places);
    *s = more;
    return true;
}

// *out_new: it was not there.
static bool seen_add(struct loader *l, const struct want *w, bool *out_new, struct err *err) {
    if (!seen_grow(&l->seen)) return err_no_memory(err);
    size_t at = place_of(&l->seen, w);
    *out_new = l->seen.places[at].id == 0;
    if (!*out_new) return true;
    l->seen.places[at] = *w;
    l->seen.n++;
    return true;
}

static bool want(struct loader *l, enum want_kind kind, struct principal of, struct err *err) {
    const struct want w = {kind, of.kind, of.id}, whole = {WANT_PRINCIPAL, of.kind, of.id};
    bool fresh;
    if (of.id <= 0) return true;
    if (kind == WANT_DENIES && l->seen.places && l->seen.places[place_of(&l->seen, &whole)].id) return true;
    if (!seen_add(l, &w, &fresh, err)) return false;
    if (!fresh) return true;
    if (l->wants.n > POLICY_GRANTS_MAX) return err_set(err, ERR_OVERLOADED, "there are too many grants to load");
    return vec_push(&l->wants, w) || err_no_memory(err);
}

// --- rows ---

static bool on_role(void *arg, const struct role_row *row, struct err *err) {
    struct loader *l = arg;
    const struct policy_role role = {row->tenant_id, row->name, row->parents, row->permissions};
    return policy_add_role(l->builder, &role, err);
}

// A row that cannot be read gives nothing; one that denies, and says so, denies all the same.
static bool read_grant(const struct grant_row *row, struct policy_grant *out_grant) {
    struct policy_grant g = {.id = row->id,
                             .tenant = row->tenant_id,
                             .principal.id = row->principal_id,
                             .deny = !str_eq(row->effect, STR("allow")),
                             .role = row->role,
                             .permissions = row->permissions,
                             .scope_id = row->scope_id,
                             .scope_team = row->scope_team,
                             .resource = row->resource,
                             .condition = row->condition,
                             .not_before = row->not_before,
                             .expires_at = row->expires_at,
                             .revoked_at = row->revoked_at,
                             .parent = row->parent_id,
                             .elevation = row->elevation_id,
                             .granted_by.id = row->granted_by_id};
    if (!principal_kind_parse(row->principal_kind, &g.principal.kind)) return false;
    if (!scope_kind_parse(row->scope_kind, &g.scope)) {
        if (!g.deny) return false;
        g.scope = SCOPE_TENANT;
        g.scope_id = g.tenant;
    }
    if (!principal_kind_parse(row->granted_by_kind, &g.granted_by.kind)) g.granted_by.kind = PRINCIPAL_NOBODY;
    *out_grant = g;
    return true;
}

static bool on_grant(void *arg, const struct grant_row *row, struct err *err) {
    struct loader *l = arg;
    struct policy_grant g;
    if (!read_grant(row, &g)) return true;
    if (!policy_add_grant(l->builder, &g, err)) return false;
    if (!want(l, WANT_TENANT, (struct principal){PRINCIPAL_TENANT, g.tenant}, err)) return false;
    if (!g.parent || g.deny) return true;
    if (!want(l, WANT_GRANT, (struct principal){PRINCIPAL_NOBODY, g.parent}, err)) return false;
    bool person = g.granted_by.kind == PRINCIPAL_USER || g.granted_by.kind == PRINCIPAL_SERVICE_ACCOUNT;
    return !person || want(l, WANT_DENIES, g.granted_by, err);
}

// As above, of a whole tenant: holders from elsewhere come with what is denied to them.
static bool on_tenants_grant(void *arg, const struct grant_row *row, struct err *err) {
    struct principal holder = {.id = row->principal_id};
    bool known = principal_kind_parse(row->principal_kind, &holder.kind);
    bool person = known && (holder.kind == PRINCIPAL_USER || holder.kind == PRINCIPAL_SERVICE_ACCOUNT);
    if (person && !want(arg, WANT_DENIES, holder, err)) return false;
    return on_grant(arg, row, err);
}

static bool on_holder(void *arg, const struct holder_row *row, struct err *err) {
    struct loader *l = arg;
    struct principal p = {.id = row->id};
    if (!principal_kind_parse(row->kind, &p.kind)) return true;
    return policy_add_principal(l->builder, p, row->tenant_id, row->active, err);
}

static bool on_member(void *arg, const struct member_row *row, struct err *err) {
    struct loader *l = arg;
    struct principal member = {.id = row->id};
    if (!principal_kind_parse(row->kind, &member.kind)) return true;
    return policy_add_member(l->builder, row->team_id, member, err);
}

// The teams of one who is loaded alone are loaded as far as that one is.
struct teams_of {
    struct loader *l;
    enum want_kind kind;
};
static bool on_team(void *arg, const struct member_row *row, struct err *err) {
    const struct teams_of *t = arg;
    return on_member(t->l, row, err) && want(t->l, t->kind, (struct principal){PRINCIPAL_TEAM, row->team_id}, err);
}

// --- what is wanted ---

static bool load_principal(struct loader *l, const struct want *w, struct err *err) {
    struct holder_row row;
    struct teams_of teams = {l, w->kind};
    struct str kind = principal_kind_name(w->of);
    if (!holder_find(l->db, kind, w->id, &row, err) || !on_holder(l, &row, err)) return false;
    if (w->of != PRINCIPAL_TENANT && row.tenant_id &&
        !want(l, w->kind, (struct principal){PRINCIPAL_TENANT, row.tenant_id}, err))
        return false;
    // Its roles too, before any of them is given to anybody.
    bool whole = w->of == PRINCIPAL_TENANT && w->kind == WANT_PRINCIPAL;
    if (whole && !want(l, WANT_TENANT, (struct principal){PRINCIPAL_TENANT, w->id}, err)) return false;
    bool person = w->of == PRINCIPAL_USER || w->of == PRINCIPAL_SERVICE_ACCOUNT;
    if (person && !member_each_of_one(l->db, kind, w->id, on_team, &teams, err)) return false;
    enum grant_pick pick = w->kind == WANT_DENIES ? GRANTS_DENIES_OF_ONE : GRANTS_OF_ONE;
    return grant_each(sql_platform(l->db), pick, kind, w->id, on_grant, l, err);
}

static bool load_tenant(struct loader *l, int64_t tenant, struct err *err) {
    return want(l, WANT_DENIES, (struct principal){PRINCIPAL_TENANT, tenant}, err) &&
           role_each(sql_tenant(l->db, tenant), on_role, l, err);
}

static bool load_want(struct loader *l, const struct want *w, struct err *err) {
    switch (w->kind) {
    case WANT_PRINCIPAL:
    case WANT_DENIES:
        return load_principal(l, w, err);
    case WANT_GRANT:
        return grant_each(sql_platform(l->db), GRANTS_BY_ID, STR_NONE, w->id, on_grant, l, err);
    case WANT_TENANT:
        return load_tenant(l, w->id, err);
    }
    return true;
}

static bool finish(struct loader *l, bool ok, struct policy **out_policy, struct err *err) {
    while (ok && l->done < l->wants.n) {
        const struct want w = l->wants.p[l->done++];
        ok = load_want(l, &w, err);
    }
    ok = ok && policy_build(l->builder, out_policy, err);
    policy_builder_free(l->builder);
    vec_free(&l->wants);
    mem_free(l->seen.places);
    return ok;
}

bool policy_load_principals(struct sql *db, const struct principal *principals, size_t n, struct policy **out_policy,
                            struct err *err) {
    struct loader l = {.db = db};
    if (!policy_builder_create(&l.builder, err)) return false;
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        // With a tenant come its roles, for looking at what they give before anybody has them.
        bool tenant = principals[i].kind == PRINCIPAL_TENANT;
        ok = want(&l, WANT_PRINCIPAL, principals[i], err) && (!tenant || want(&l, WANT_TENANT, principals[i], err));
    }
    return finish(&l, ok, out_policy, err);
}

// In bulk, since there may be many; each counts as seen whole.
static bool on_owner(void *arg, const struct holder_row *row, struct err *err) {
    struct loader *l = arg;
    struct want w = {.kind = WANT_PRINCIPAL, .id = row->id};
    bool fresh;
    if (!principal_kind_parse(row->kind, &w.of)) return true;
    return seen_add(l, &w, &fresh, err) && on_holder(arg, row, err);
}

bool policy_load_owners(struct sql *db, struct policy **out_policy, struct err *err) {
    struct loader l = {.db = db};
    struct sql_scope all = sql_platform(db);
    if (!policy_builder_create(&l.builder, err)) return false;
    bool ok = holder_each_owner(db, on_owner, &l, err) && holder_each_idle_tenant(db, on_holder, &l, err) &&
              member_each_of_owners(db, on_member, &l, err) &&
              grant_each(all, GRANTS_OF_OWNERS, STR_NONE, 0, on_grant, &l, err) &&
              grant_each(all, GRANTS_OF_OWNERS_TEAMS, STR_NONE, 0, on_grant, &l, err) &&
              grant_each(all, GRANTS_OF_KEYS_TENANTS, STR_NONE, 0, on_grant, &l, err);
    return finish(&l, ok, out_policy, err);
}

bool policy_load_tenant(struct sql *db, int64_t tenant, struct policy **out_policy, struct err *err) {
    struct loader l = {.db = db};
    struct sql_scope own = sql_tenant(db, tenant);
    if (!policy_builder_create(&l.builder, err)) return false;
    bool ok = want(&l, WANT_PRINCIPAL, (struct principal){PRINCIPAL_TENANT, tenant}, err) &&
              want(&l, WANT_TENANT, (struct principal){PRINCIPAL_TENANT, tenant}, err) &&
              holder_each_of_tenant(own, on_holder, &l, err) && member_each_of_tenant(own, on_member, &l, err) &&
              grant_each(own, GRANTS_OF_TENANT, STR_NONE, 0, on_tenants_grant, &l, err) &&
              grant_each(sql_platform(db), GRANTS_FOR_PLATFORM, STR_NONE, 0, on_tenants_grant, &l, err);
    return finish(&l, ok, out_policy, err);
}
