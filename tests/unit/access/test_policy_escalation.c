// Nobody gains what the actor did not hold: random sequences of giving, delegating, revoking, changing roles, joining
// and leaving teams, elevation and making keys, each done only when the guards let it; before and after each, the
// rights of all are compared, now and later.
#include "policy_world.h"

#define SAMPLES 70
static const int64_t k_when[] = {NOW, NOW + 500, NOW + 3000, NOW + 50000};
#define WHENS ARRAY_LEN(k_when)

struct sample {
    enum action action;
    struct policy_resource r;
};
static struct sample g_samples[SAMPLES];

struct rights {
    bool may[USERS + 1][WHENS][SAMPLES];
};

static void sample_rights(const struct policy *p, struct rights *out) {
    for (int64_t u = 1; u <= USERS; u++) {
        struct policy_subject s;
        struct policy_decision d;
        policy_subject_init(p, user(u), tenant_of_user(u), NULL, &s);
        for (size_t t = 0; t < WHENS; t++)
            for (size_t i = 0; i < SAMPLES; i++)
                out->may[u][t][i] = policy_decide(p, &s, g_samples[i].action, &g_samples[i].r, k_when[t], &d);
    }
}

// What the operator set up at the beginning.
static void make_origin(struct world *w) {
    *w = (struct world){.n = 14, .n_roles = ROLES};
    for (size_t i = 0; i < ROLES; i++) {
        w->roles[0][i] = random_role(ACME, k_custom[i]);
        w->roles[1][i] = random_role(BETA, k_custom[i]);
    }
    for (size_t i = 0; i < w->n; i++) w->grants[i] = random_grant((int64_t)i + 1);
    w->grants[0] = (struct policy_grant){
        .id = 1, .tenant = ACME, .principal = user(1), .role = STR_INIT("admin"), .scope = SCOPE_TENANT};
    w->grants[1] = (struct policy_grant){
        .id = 2, .tenant = BETA, .principal = user(5), .role = STR_INIT("owner"), .scope = SCOPE_TENANT};
    for (size_t t = 1; t <= TEAMS; t++)
        for (size_t u = 1; u <= USERS; u++)
            w->member[t][u] = roll(3) == 0 && tenant_of_user((int64_t)u) == tenant_of_team((int64_t)t);
}

// --- acts: each changes the world if the guard lets it ---

struct act {
    struct world *w;
    const struct policy *p;
    struct policy_subject actor;
    struct err err;
};

static bool act_give(struct act *a) {
    struct policy_grant g = random_grant((int64_t)a->w->n + 1);
    g.revoked_at = 0;
    g.granted_by = a->actor.principal;
    if (a->w->n == GRANTS || !policy_may_give(a->p, &a->actor, &g, NOW, &a->err)) return false;
    a->w->grants[a->w->n++] = g;
    return true;
}

// A part of a grant that may be the actor's, or more than a part.
static bool act_delegate(struct act *a) {
    const struct policy_grant *from = &a->w->grants[roll(a->w->n)];
    struct policy_grant g = *from, other = random_grant(0);
    g.id = (int64_t)a->w->n + 1;
    g.parent = from->id;
    g.elevation = 0;
    g.granted_by = a->actor.principal;
    g.principal = other.principal;
    if (!roll(3)) g.scope = other.scope, g.scope_id = other.scope_id, g.scope_team = other.scope_team;
    if (!roll(3)) g.resource = other.resource;
    if (!roll(3)) g.condition = other.condition;
    if (!roll(3)) g.role = other.role, g.permissions = other.permissions;
    if (!roll(3)) g.expires_at = other.expires_at;
    if (a->w->n == GRANTS || !policy_may_give(a->p, &a->actor, &g, NOW, &a->err)) return false;
    a->w->grants[a->w->n++] = g;
    return true;
}

static bool act_revoke(struct act *a) {
    struct policy_grant *g = &a->w->grants[roll(a->w->n)];
    if (g->revoked_at || !policy_may_lift(a->p, &a->actor, g, NOW, &a->err)) return false;
    g->revoked_at = NOW;
    return true;
}

static bool act_change_role(struct act *a) {
    size_t t = roll(2);
    struct policy_role *role = &a->w->roles[t][roll(ROLES)], after = random_role(role->tenant, "x");
    after.name = role->name;
    if (!policy_may_change_role(a->p, &a->actor, role, &after, NOW, &a->err)) return false;
    *role = after;
    return true;
}

static bool act_team(struct act *a) {
    int64_t t = 1 + (int64_t)roll(TEAMS), u = 1 + (int64_t)roll(USERS);
    if (tenant_of_user(u) != tenant_of_team(t)) return false;
    if (!policy_may_become(a->p, &a->actor, team(t), tenant_of_team(t), NULL, NOW, &a->err)) return false;
    a->w->member[t][u] = !a->w->member[t][u];
    return true;
}

static bool act_elevate(struct act *a) {
    const struct policy_grant like = random_grant(0);
    struct policy_elevation e = {.id = 7,
                                 .tenant = like.tenant,
                                 .requester = random_person(),
                                 .role = str_c(PICK(k_role_names)),
                                 .scope = like.scope,
                                 .scope_id = like.scope_id,
                                 .scope_team = like.scope_team,
                                 .duration_s = 60};
    struct policy_grant g;
    if (a->w->n == GRANTS || !policy_may_approve(a->p, &a->actor, &e, NOW, &g, &a->err)) return false;
    CHECK(g.principal.id != a->actor.principal.id && g.expires_at > NOW);
    g.id = (int64_t)a->w->n + 1;
    a->w->grants[a->w->n++] = g;
    return true;
}

// A key's text is known to who made it: all that the key may do must have been the actor's.
static bool act_key(struct act *a) {
    struct policy_key key = {.tenant = roll(3) ? ACME : BETA, .project = (int64_t)roll(PROJECTS + 1)};
    struct policy_subject s;
    if (key.project) key.tenant = tenant_of_project(key.project), key.team = team_of_project(key.project);
    if (roll(2)) key.owner = random_person(), key.tenant = tenant_of_user(key.owner.id);
    REQUIRE(permission_read_json(&key.scopes, str_c(PICK(k_lists)), &a->err));
    if (!policy_may_make_key(a->p, &a->actor, &key, NOW, &a->err)) return false;
    struct principal who = key.owner.kind ? key.owner : (struct principal){PRINCIPAL_KEY, 1};
    policy_subject_init(a->p, who, key.tenant, &key.scopes, &s);
    s.team = key.team, s.project = key.project;
    for (size_t t = 0; t < WHENS; t++) {
        for (size_t i = 0; i < SAMPLES; i++) {
            struct policy_decision d, own;
            if (!policy_decide(a->p, &s, g_samples[i].action, &g_samples[i].r, k_when[t], &d)) continue;
            CHECK(policy_decide(a->p, &a->actor, g_samples[i].action, &g_samples[i].r, k_when[t], &own));
        }
    }
    return true;
}

static bool (*const k_acts[])(struct act *) = {act_give,        act_give, act_delegate, act_delegate, act_revoke,
                                               act_change_role, act_team, act_elevate,  act_key};

// --- what must hold ---

static size_t g_gains;

static void compare(const struct rights *before, const struct rights *after, int64_t actor) {
    for (int64_t u = 1; u <= USERS; u++)
        for (size_t t = 0; t < WHENS; t++)
            for (size_t i = 0; i < SAMPLES; i++) {
                if (!after->may[u][t][i] || before->may[u][t][i]) continue;
                g_gains++;
                CHECK(before->may[actor][t][i]);
            }
}

// What came by delegation is held by who delegated it as well, at every moment.
static void check_delegated(const struct policy *p, const struct rights *now) {
    for (size_t i = 0; i < policy_grant_count(p); i++) {
        const struct policy_grant *g = policy_grant_at(p, i);
        if (!g->parent || g->deny || g->principal.kind != PRINCIPAL_USER) continue;
        struct policy_subject s;
        policy_subject_init(p, g->principal, tenant_of_user(g->principal.id), NULL, &s);
        for (size_t k = 0; k < SAMPLES; k++) {
            struct policy_decision d;
            policy_decide(p, &s, g_samples[k].action, &g_samples[k].r, NOW, &d);
            if (d.allowed && d.grant == g) CHECK(now->may[g->granted_by.id][0][k]);
        }
    }
}

static size_t g_done[ARRAY_LEN(k_acts)];

static void run_sequence(size_t acts) {
    static struct world w;
    static struct rights rights[2];
    make_origin(&w);
    for (size_t i = 0; i < SAMPLES; i++) {
        g_samples[i].r = random_resource();
        g_samples[i].action = random_action(g_samples[i].r.type);
    }
    struct policy *p = world_policy(&w);
    sample_rights(p, &rights[0]);
    for (size_t i = 0; i < acts; i++) {
        int64_t u = 1 + (int64_t)roll(USERS);
        size_t which = roll(ARRAY_LEN(k_acts));
        struct act a = {.w = &w, .p = p};
        policy_subject_init(p, user(u), tenant_of_user(u), NULL, &a.actor);
        if (!k_acts[which](&a)) continue;
        g_done[which]++;
        policy_unref(p);
        p = world_policy(&w);
        sample_rights(p, &rights[1]);
        compare(&rights[0], &rights[1], u);
        check_delegated(p, &rights[1]);
        rights[0] = rights[1];
        if (g_check_failures) {
            fprintf(stderr, "act %zu of the sequence, by user %d: kind %zu\n", i, (int)u, which);
            break;
        }
    }
    policy_unref(p);
}

static void test_sequences(void) {
    for (size_t i = 0; i < 300 && !g_check_failures; i++) run_sequence(400);
    for (size_t i = 0; i < ARRAY_LEN(k_acts); i++) {
        printf("%zu ", g_done[i]);
        CHECK(g_done[i] > 50); // of each kind some were let through
    }
    printf("acts done, %zu rights gained by them\n", g_gains);
    CHECK(g_gains > 1000);
}

TEST_MAIN(test_sequences)
