// The policy against a reference that is as plain as can be: over a million random questions, each answered by both.
#include "policy_world.h"

// --- the reference: looks at every grant, reads every text anew, knows no index ---

static bool in_list(struct str json, const char *text) {
    char quoted[80];
    int n = snprintf(quoted, sizeof quoted, "\"%s\"", text);
    return str_find(json, str_of(quoted, (size_t)n)) < json.n;
}

static bool listed(struct str json, enum resource_type type, enum action action) {
    char text[80];
    struct str t = resource_type_name(type), a = action_name(action);
    if (in_list(json, "*")) return true;
    snprintf(text, sizeof text, "%.*s:%.*s", STR_ARG(t), STR_ARG(a));
    if (in_list(json, text)) return true;
    snprintf(text, sizeof text, "%.*s:*", STR_ARG(t));
    if (in_list(json, text)) return true;
    snprintf(text, sizeof text, "*:%.*s", STR_ARG(a));
    return in_list(json, text);
}

static const struct policy_role *role_named(const struct world *w, int64_t tenant, struct str name) {
    for (size_t i = 0; i < policy_builtin_count(); i++)
        if (str_eq(policy_builtin(i)->name, name)) return policy_builtin(i);
    for (size_t i = 0; i < w->n_roles; i++)
        if (str_eq(w->roles[tenant == BETA][i].name, name)) return &w->roles[tenant == BETA][i];
    return NULL;
}

static bool role_gives(const struct world *w, int64_t tenant, struct str name, enum resource_type type,
                       enum action action, unsigned depth) {
    const struct policy_role *role = role_named(w, tenant, name);
    static const char *const all[] = {"viewer", "developer", "admin", "owner", "service", "r0", "r1", "r2"};
    if (!role || depth > ARRAY_LEN(all)) return false; // deeper is a circle
    if (listed(role->permissions, type, action)) return true;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (in_list(role->parents, all[i]) && role_gives(w, tenant, str_c(all[i]), type, action, depth + 1))
            return true;
    return false;
}

static bool gives(const struct world *w, const struct policy_grant *g, enum resource_type type, enum action action) {
    if (!g->role.n) return listed(g->permissions, type, action);
    const struct policy_role *role = role_named(w, g->tenant, g->role);
    if (role && role->tenant && g->scope == SCOPE_PLATFORM) return false;
    return role_gives(w, g->tenant, g->role, type, action, 0);
}

static bool means(struct str selector, const struct policy_resource *r) {
    char id[80], name[80], pattern[80];
    if (!selector.n) return true;
    snprintf(id, sizeof id, "%.*s/%.*s", STR_ARG(resource_type_name(r->type)), STR_ARG(r->id));
    snprintf(name, sizeof name, "%.*s/%.*s", STR_ARG(resource_type_name(r->type)), STR_ARG(r->name));
    snprintf(pattern, sizeof pattern, "%.*s", STR_ARG(selector));
    size_t n = strlen(pattern);
    if (pattern[n - 1] != '*') return !strcmp(pattern, id) || !strcmp(pattern, name);
    return !strncmp(pattern, id, n - 1) || !strncmp(pattern, name, n - 1);
}

static bool holds_condition(struct str condition, struct str tags) {
    bool prod = str_find(tags, STR("\"env\":\"prod\"")) < tags.n, eu = str_find(tags, STR("\"eu\":\"yes\"")) < tags.n;
    if (str_eq(condition, STR("env=prod"))) return prod;
    if (str_eq(condition, STR("env!=prod"))) return !prod;
    if (str_eq(condition, STR("env=prod,eu=yes"))) return prod && eu;
    return true;
}

static bool lies_in(const struct policy_grant *g, const struct policy_resource *r) {
    if (g->scope == SCOPE_PLATFORM) return true;
    if (g->tenant != r->tenant) return false;
    if (g->scope == SCOPE_TEAM) return g->scope_id == r->team;
    if (g->scope == SCOPE_PROJECT) return g->scope_id == r->project;
    return true;
}

struct question {
    enum action action;
    struct policy_resource r;
};

static bool alone(const struct world *w, const struct policy_grant *g, const struct question *q) {
    if (g->revoked_at || (g->not_before && g->not_before > NOW) || (g->expires_at && g->expires_at <= NOW))
        return false;
    if (!g->deny && g->scope != SCOPE_PLATFORM && w->tenant_suspended[g->tenant == BETA]) return false;
    return gives(w, g, q->r.type, q->action) && means(g->resource, &q->r) && lies_in(g, &q->r) &&
           holds_condition(g->condition, q->r.tags);
}

static bool holds(const struct world *w, int64_t u, const struct policy_grant *g) {
    if (g->principal.kind == PRINCIPAL_USER) return g->principal.id == u;
    if (g->principal.kind == PRINCIPAL_TEAM) return w->member[g->principal.id][u];
    return g->principal.id == tenant_of_user(u);
}

static bool denied(const struct world *w, int64_t u, const struct question *q) {
    for (size_t i = 0; i < w->n; i++)
        if (w->grants[i].deny && holds(w, u, &w->grants[i]) && alone(w, &w->grants[i], q)) return true;
    return false;
}

static bool out_of_work(const struct world *w, int64_t u) {
    return w->suspended[u] || w->tenant_suspended[tenant_of_user(u) == BETA];
}

// A guest is bound by what the tenant denies to everybody.
static bool closed_to(const struct world *w, int64_t u, const struct policy_grant *by, const struct question *q) {
    if (by->scope == SCOPE_PLATFORM || by->tenant == tenant_of_user(u)) return false;
    for (size_t i = 0; i < w->n; i++) {
        const struct policy_grant *g = &w->grants[i];
        bool for_all = g->deny && g->principal.kind == PRINCIPAL_TENANT && g->principal.id == by->tenant;
        if (for_all && alone(w, g, q)) return true;
    }
    return false;
}

static bool allows(const struct world *w, int64_t u, const struct policy_grant *g, const struct question *q,
                   unsigned depth) {
    if (g->deny || depth > POLICY_CHAIN_MAX || !holds(w, u, g) || !alone(w, g, q) || closed_to(w, u, g, q))
        return false;
    if (!g->parent) return true;
    for (size_t i = 0; i < w->n; i++) {
        if (w->grants[i].id != g->parent) continue;
        int64_t from = g->granted_by.id;
        return !out_of_work(w, from) && !denied(w, from, q) && allows(w, from, &w->grants[i], q, depth + 1);
    }
    return false;
}

static bool naive(const struct world *w, int64_t u, const struct question *q) {
    if (out_of_work(w, u) || denied(w, u, q)) return false;
    for (size_t i = 0; i < w->n; i++)
        if (allows(w, u, &w->grants[i], q, 0)) return true;
    return false;
}

// --- worlds ---

static void delegate_some(struct world *w) {
    for (size_t i = 1; i < w->n; i++) {
        if (roll(4)) continue;
        struct policy_grant *g = &w->grants[i];
        const struct policy_grant *from = &w->grants[roll(i)];
        g->parent = roll(20) ? from->id : 9999;
        g->granted_by = roll(3) && from->principal.kind == PRINCIPAL_USER ? from->principal : random_person();
        if (roll(2)) g->tenant = from->tenant, g->scope = from->scope, g->scope_id = from->scope_id;
        if (roll(2)) g->role = STR(""), g->permissions = STR("[\"*\"]");
        if (roll(2)) g->revoked_at = 0, g->expires_at = 0, g->not_before = 0;
    }
}

static void make_world(struct world *w, size_t n) {
    *w = (struct world){.n = n, .n_roles = ROLES};
    for (size_t i = 0; i < ROLES; i++) {
        w->roles[0][i] = random_role(ACME, k_custom[i]);
        w->roles[1][i] = random_role(BETA, k_custom[i]);
    }
    for (size_t i = 0; i < n; i++) w->grants[i] = random_grant((int64_t)i + 1);
    // Many of one principal and one type, so that they are found by name and not one by one.
    for (size_t i = 0; n > 60 && i < n; i++)
        if (roll(3)) w->grants[i].principal = user(1 + (int64_t)roll(2)), w->grants[i].deny = roll(30) == 0;
    delegate_some(w);
    for (size_t t = 1; t <= TEAMS; t++)
        for (size_t u = 1; u <= USERS; u++) w->member[t][u] = roll(3) == 0;
    for (size_t u = 1; u <= USERS; u++) w->suspended[u] = roll(12) == 0;
    w->tenant_suspended[0] = roll(20) == 0;
    w->tenant_suspended[1] = roll(8) == 0;
}

static size_t g_yes, g_no;

static void check_alike(const struct policy *p, const struct policy_subject *s, const struct question *q,
                        bool allowed) {
    bool all;
    if (!policy_decides_alike(p, s, q->action, q->r.type, q->r.tenant, NOW, &all)) return;
    CHECK(all == allowed);
}

static void ask(const struct world *w, const struct policy *p, size_t questions) {
    struct policy_subject subjects[USERS + 1];
    for (int64_t u = 1; u <= USERS; u++) policy_subject_init(p, user(u), tenant_of_user(u), NULL, &subjects[u]);
    for (size_t i = 0; i < questions; i++) {
        struct question q = {.r = random_resource()};
        struct policy_decision d;
        int64_t u = 1 + (int64_t)roll(USERS);
        q.action = random_action(q.r.type);
        bool want = naive(w, u, &q), got = policy_decide(p, &subjects[u], q.action, &q.r, NOW, &d);
        CHECK(want == got);
        *(want ? &g_yes : &g_no) += 1;
        if (i % 8 == 0) check_alike(p, &subjects[u], &q, got);
    }
}

static void test_alike(void) {
    static struct world w;
    static const size_t sizes[] = {3, 10, 25, 50, 160};
    for (size_t i = 0; i < 2000 && !g_check_failures; i++) {
        make_world(&w, sizes[i % ARRAY_LEN(sizes)]);
        struct policy *p = world_policy(&w);
        ask(&w, p, 510);
        policy_unref(p);
    }
    // A test whose answers are all the same would show nothing.
    CHECK(g_yes + g_no >= 1000000 && g_yes > 100000 && g_no > 100000);
    printf("%zu allowed, %zu not\n", g_yes, g_no);
}

TEST_MAIN(test_alike)
