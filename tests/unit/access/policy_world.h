// Random worlds of people, teams, roles and grants for the tests of the policy, and building a policy from one.
#ifndef TESTS_POLICY_WORLD_H
#define TESTS_POLICY_WORLD_H

#include "policy_rig.h"

#define USERS 6 // 1 … 4 are at home in ACME, 5 and 6 in BETA
#define TEAMS 3 // 1 and 2 of ACME, 3 of BETA
#define PROJECTS 3
#define ROLES 3 // custom ones a tenant
#define GRANTS 160

struct world {
    struct policy_grant grants[GRANTS];
    size_t n;
    bool member[TEAMS + 1][USERS + 1];
    bool suspended[USERS + 1];
    bool tenant_suspended[2];
    struct policy_role roles[2][ROLES];
    size_t n_roles; // of each tenant
};

static uint64_t g_seed = 1;
static inline uint64_t roll(uint64_t below) {
    g_seed ^= g_seed << 13;
    g_seed ^= g_seed >> 7;
    g_seed ^= g_seed << 17;
    return g_seed % below;
}
#define PICK(list) ((list)[roll(sizeof(list) / sizeof *(list))])

static inline int64_t tenant_of_user(int64_t id) { return id <= 4 ? ACME : BETA; }
static inline int64_t tenant_of_team(int64_t id) { return id <= 2 ? ACME : BETA; }
static inline int64_t team_of_project(int64_t id) { return id == 1 ? 1 : id == 3 ? 3 : 0; }
static inline int64_t tenant_of_project(int64_t id) { return id <= 2 ? ACME : BETA; }

static const char *const k_lists[] = {
    "[\"*\"]",
    "[\"model:use\"]",
    "[\"model:*\"]",
    "[\"*:read\"]",
    "[\"key:*\",\"model:read\"]",
    "[\"key:create\",\"key:read\",\"budget:*\"]",
    "[\"model:read\"]",
    "[\"model:use\",\"key:*\"]",
    "[]",
};
static const char *const k_role_names[] = {"viewer", "developer", "admin", "owner", "service",
                                           "r0",     "r1",        "r2",    "gone"};
static const char *const k_custom[ROLES] = {"r0", "r1", "r2"};
static const char *const k_parents[] = {"[]", "[]", "[\"viewer\"]", "[\"r0\"]", "[\"r1\",\"service\"]", "[\"r2\"]"};
static const char *const k_selectors[] = {"",           "",        "",         "model/a",   "model/ab", "model/a*",
                                          "model/abc*", "model/*", "key/key1", "key/team*", "budget/*"};
static const char *const k_conditions[] = {"", "", "", "", "env=prod", "env!=prod", "env=prod,eu=yes"};
static const int64_t k_times[] = {0, 0, 0, 0, NOW - 1000, NOW, NOW + 1, NOW + 1000, NOW + 5000};

static inline struct policy_role random_role(int64_t tenant, const char *name) {
    return (struct policy_role){tenant, str_c(name), str_c(PICK(k_parents)), str_c(PICK(k_lists))};
}

static inline struct principal random_person(void) { return user(1 + (int64_t)roll(USERS)); }

static inline struct principal random_holder(void) {
    switch (roll(6)) {
    case 0:
        return team(1 + (int64_t)roll(TEAMS));
    case 1:
        return everybody(roll(2) ? ACME : BETA);
    default:
        return random_person();
    }
}

static inline struct policy_grant random_grant(int64_t id) {
    struct policy_grant g = {.id = id, .tenant = roll(3) ? ACME : BETA, .principal = random_holder()};
    g.deny = roll(5) == 0;
    if (roll(2))
        g.role = str_c(PICK(k_role_names));
    else
        g.permissions = str_c(PICK(k_lists));
    g.scope = (enum scope_kind)roll(SCOPE_KIND_COUNT);
    if (g.scope == SCOPE_PLATFORM && roll(3)) g.scope = SCOPE_TENANT;
    if (g.scope == SCOPE_TEAM) g.scope_id = 1 + (int64_t)roll(TEAMS);
    if (g.scope == SCOPE_PROJECT) {
        g.scope_id = 1 + (int64_t)roll(PROJECTS);
        g.scope_team = team_of_project(g.scope_id);
    }
    g.resource = str_c(PICK(k_selectors));
    g.condition = str_c(PICK(k_conditions));
    g.not_before = roll(4) ? 0 : PICK(k_times);
    g.expires_at = roll(2) ? 0 : PICK(k_times);
    g.revoked_at = roll(12) ? 0 : NOW - 5;
    return g;
}

static const char *const k_names[] = {"a", "ab", "abc", "abcd", "b", "key1", "teamkey", ""};
static const char *const k_tags[] = {"", "{}", "{\"env\":\"prod\"}", "{\"env\":\"prod\",\"eu\":\"yes\"}",
                                     "{\"env\":\"test\"}"};

static inline struct policy_resource random_resource(void) {
    static const enum resource_type types[] = {RESOURCE_MODEL, RESOURCE_MODEL, RESOURCE_KEY, RESOURCE_BUDGET};
    struct policy_resource r = {.type = PICK(types), .tenant = roll(3) ? ACME : BETA};
    r.project = (int64_t)roll(PROJECTS + 1);
    r.team = r.project ? team_of_project(r.project) : (int64_t)roll(TEAMS + 1);
    if (r.project) r.tenant = tenant_of_project(r.project);
    if (!r.project && r.team) r.tenant = tenant_of_team(r.team);
    r.id = str_c(PICK(k_names));
    r.name = r.type == RESOURCE_MODEL || roll(2) ? r.id : str_c(PICK(k_names));
    r.tags = str_c(PICK(k_tags));
    return r;
}

static inline enum action random_action(enum resource_type type) {
    for (;;) {
        enum action a = (enum action)roll(ACTION_COUNT);
        if (resource_actions(type) >> a & 1) return a;
    }
}

static inline struct policy *world_policy(const struct world *w) {
    struct policy_builder *b = builder_make();
    struct err err;
    for (size_t i = 0; i < w->n_roles; i++)
        REQUIRE(policy_add_role(b, &w->roles[0][i], &err) && policy_add_role(b, &w->roles[1][i], &err));
    for (int64_t u = 1; u <= USERS; u++) put_user(b, u, tenant_of_user(u), !w->suspended[u]);
    for (int64_t t = 1; t <= TEAMS; t++) REQUIRE(policy_add_principal(b, team(t), tenant_of_team(t), true, &err));
    for (int64_t t = 0; t < 2; t++)
        REQUIRE(policy_add_principal(b, everybody(t ? BETA : ACME), t ? BETA : ACME, !w->tenant_suspended[t], &err));
    for (int64_t t = 1; t <= TEAMS; t++)
        for (int64_t u = 1; u <= USERS; u++)
            if (w->member[t][u]) REQUIRE(policy_add_member(b, t, user(u), &err));
    for (size_t i = 0; i < w->n; i++) put_grant(b, w->grants[i]);
    return builder_done(b);
}

#endif
