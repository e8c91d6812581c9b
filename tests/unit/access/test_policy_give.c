// Tests of the guards of access/policy.h: giving, delegating, lifting, roles, teams, keys, elevation; what is refused.
#include "policy_rig.h"

static struct err err;

static struct policy_grant grant_of(int64_t id, struct principal who, const char *role) {
    return (struct policy_grant){
        .id = id, .tenant = ACME, .principal = who, .role = str_c(role), .scope = SCOPE_TENANT};
}

static struct policy_grant listed(int64_t id, struct principal who, const char *json) {
    struct policy_grant g = grant_of(id, who, "");
    g.permissions = str_c(json);
    return g;
}

static struct policy_subject subject(const struct policy *p, struct principal who, int64_t home) {
    struct policy_subject s;
    policy_subject_init(p, who, home, NULL, &s);
    return s;
}

static bool gives(const struct policy *p, int64_t giver, struct policy_grant g) {
    const struct policy_subject s = subject(p, user(giver), ACME);
    g.granted_by = user(giver);
    bool ok = policy_may_give(p, &s, &g, NOW, &err);
    CHECK(ok || err.code == ERR_FORBIDDEN || err.code == ERR_INVALID_FIELD);
    return ok;
}

static struct policy_builder *people(void) {
    struct policy_builder *b = builder_make();
    for (int64_t u = 1; u <= 6; u++) put_user(b, u, ACME, true);
    return b;
}

static void test_reach(void) {
    struct policy_builder *b = people();
    struct policy_grant g = grant_of(1, user(1), "developer");
    g.resource = STR("model/gpt-*"), g.expires_at = NOW + 1000, g.condition = STR("env=prod");
    put_grant(b, g);
    g = grant_of(2, user(2), "admin"), g.scope = SCOPE_TEAM, g.scope_id = 4;
    put_grant(b, g);
    struct policy *p = builder_done(b);
    g = listed(9, user(3), "[\"model:use\"]");
    g.resource = STR("model/gpt-5"), g.expires_at = NOW + 1000, g.condition = STR("env=prod,eu=yes");
    CHECK(gives(p, 1, g));
    struct policy_grant wide = g;
    wide.resource = STR("model/g*");
    CHECK(!gives(p, 1, wide) && strstr(err.message, "model:use"));
    wide = g, wide.resource = STR("");
    CHECK(!gives(p, 1, wide));
    wide = g, wide.condition = STR("eu=yes");
    CHECK(!gives(p, 1, wide));
    wide = g, wide.expires_at = 0;
    CHECK(!gives(p, 1, wide));
    wide = g, wide.expires_at = NOW + 1001;
    CHECK(!gives(p, 1, wide));
    wide = g, wide.scope = SCOPE_PLATFORM;
    CHECK(!gives(p, 1, wide));
    wide = g, wide.tenant = BETA;
    CHECK(!gives(p, 1, wide));
    wide = g, wide.permissions = STR("[\"model:use\",\"key:read\"]"), wide.resource = STR("");
    CHECK(!gives(p, 1, wide));
    wide = g, wide.scope_id = BETA;
    CHECK(!gives(p, 1, wide) && err.code == ERR_INVALID_FIELD);
    wide = g, wide.permissions = STR("[\"modle:use\"]");
    CHECK(!gives(p, 1, wide) && strstr(err.message, "did you mean \"model\""));
    wide = g, wide.role = STR("nobody");
    CHECK(!gives(p, 1, wide) && strstr(err.message, "no role"));
    // A team's head: within the team, and in its projects where it is known that they are.
    g = grant_of(9, user(3), "viewer"), g.scope = SCOPE_TEAM, g.scope_id = 4;
    CHECK(gives(p, 2, g));
    g.scope_id = 5;
    CHECK(!gives(p, 2, g));
    g.scope = SCOPE_PROJECT;
    CHECK(!gives(p, 2, g));
    g.scope_team = 4;
    CHECK(gives(p, 2, g));
    CHECK(!gives(p, 6, g) && !gives(p, 77, g));
    policy_unref(p);
}

static void test_scopes_of_a_key(void) {
    struct policy_builder *b = people();
    put_grant(b, grant_of(1, user(1), "admin"));
    struct policy *p = builder_done(b);
    struct permission_set within = {0};
    struct policy_subject s;
    REQUIRE(permission_add(&within, STR("key:*"), &err) && permission_add(&within, STR("grant:*"), &err));
    policy_subject_init(p, user(1), ACME, &within, &s);
    struct policy_grant g = listed(9, user(3), "[\"key:read\"]");
    CHECK(policy_may_give(p, &s, &g, NOW, &err));
    g.permissions = STR("[\"model:use\"]");
    CHECK(!policy_may_give(p, &s, &g, NOW, &err) && strstr(err.message, "scopes"));
    // A key for oneself cannot have wider scopes than the one it is made with.
    struct policy_key key = {.tenant = ACME, .owner = user(1)};
    REQUIRE(permission_add(&key.scopes, STR("key:read"), &err));
    CHECK(policy_may_make_key(p, &s, &key, NOW, &err));
    REQUIRE(permission_add(&key.scopes, STR("model:use"), &err));
    CHECK(!policy_may_make_key(p, &s, &key, NOW, &err));
    CHECK(!policy_may_become(p, &s, user(1), ACME, NULL, NOW, &err));
    // A key without an owner gives nothing.
    policy_subject_init(p, (struct principal){PRINCIPAL_KEY, 4}, ACME, &within, &s);
    g.permissions = STR("[\"key:read\"]");
    CHECK(!policy_may_give(p, &s, &g, NOW, &err));
    policy_unref(p);
}

static void test_lent(void) {
    struct policy_builder *b = people();
    put_grant(b, grant_of(1, user(1), "admin"));
    struct policy_grant g = grant_of(2, user(2), "developer");
    g.parent = 1, g.granted_by = user(1);
    put_grant(b, g);
    g = grant_of(3, user(3), "developer"), g.elevation = 7;
    put_grant(b, g);
    g = listed(4, user(3), "[\"model:use\"]"), g.deny = true;
    put_grant(b, g);
    struct policy *p = builder_done(b);
    g = listed(9, user(4), "[\"key:create\"]");
    CHECK(gives(p, 1, g));
    CHECK(!gives(p, 2, g) && strstr(err.message, "lent"));
    CHECK(!gives(p, 3, g) && strstr(err.message, "lent"));
    g.parent = 2;
    CHECK(gives(p, 2, g));
    CHECK(!gives(p, 3, g) && strstr(err.message, "not one that you hold"));
    g.parent = 3;
    CHECK(gives(p, 3, g));
    g.permissions = STR("[\"model:use\"]"); // which is denied to the one who would pass it on
    CHECK(!gives(p, 3, g));
    g.permissions = STR("[\"audit:read\"]"); // beyond what it comes from
    CHECK(!gives(p, 3, g) && strstr(err.message, "does not reach as far"));
    g.parent = 4;
    CHECK(!gives(p, 3, g));
    g.parent = 99;
    CHECK(!gives(p, 3, g));
    // Keys without owners, roles and team mates are for good: not from what is lent.
    struct policy_key key = {.tenant = ACME};
    const struct policy_subject lender = subject(p, user(2), ACME), admin = subject(p, user(1), ACME);
    REQUIRE(permission_add(&key.scopes, STR("key:create"), &err));
    CHECK(policy_may_make_key(p, &admin, &key, NOW, &err) && !policy_may_make_key(p, &lender, &key, NOW, &err));
    key.owner = user(2);
    CHECK(policy_may_make_key(p, &lender, &key, NOW, &err));
    const struct policy_role role = {ACME, STR("r"), STR("[]"), STR("[\"key:create\"]")};
    CHECK(policy_may_change_role(p, &admin, NULL, &role, NOW, &err));
    CHECK(!policy_may_change_role(p, &lender, NULL, &role, NOW, &err));
    policy_unref(p);
}

// A chain as long as can be, and one more.
static void test_chain(void) {
    struct policy_builder *b = builder_make();
    for (int64_t i = 1; i <= 20; i++) {
        put_user(b, i, ACME, true);
        struct policy_grant g = grant_of(i, user(i), "developer");
        if (i > 1) g.parent = i - 1, g.granted_by = user(i - 1);
        put_grant(b, g);
    }
    struct policy *p = builder_done(b);
    const struct policy_resource r = model_in(ACME, "m");
    for (int64_t i = 1; i <= 20; i++) CHECK(may(p, i, ACME, ACTION_USE, r) == (i <= POLICY_CHAIN_MAX + 1));
    for (int64_t i = 1; i <= 20; i++) {
        struct policy_grant g = listed(99, user(30), "[\"model:use\"]");
        g.parent = i;
        CHECK(gives(p, i, g) == (i <= POLICY_CHAIN_MAX));
    }
    policy_unref(p);
    // A circle, which only a hand can write, gives nothing.
    b = builder_make();
    for (int64_t i = 1; i <= 2; i++) {
        struct policy_grant g = grant_of(i, user(i), "developer");
        g.parent = 3 - i, g.granted_by = user(3 - i);
        put_grant(b, g);
    }
    p = builder_done(b);
    CHECK(!may(p, 1, ACME, ACTION_USE, r) && !may(p, 2, ACME, ACTION_USE, r));
    struct policy_grant g = listed(99, user(30), "[\"model:use\"]");
    CHECK(!gives(p, 1, g));
    g.parent = 1;
    CHECK(!gives(p, 1, g));
    policy_unref(p);
}

static void test_lifting(void) {
    struct policy_builder *b = people();
    put_grant(b, grant_of(1, user(1), "admin"));
    put_grant(b, grant_of(2, user(2), "viewer"));
    struct policy_grant deny = listed(3, everybody(ACME), "[\"model:use\"]");
    deny.deny = true, deny.resource = STR("model/gpt-4*");
    put_grant(b, deny);
    struct policy_grant on_role = grant_of(4, everybody(ACME), "barred");
    on_role.deny = true;
    put_grant(b, on_role);
    struct policy_grant teams = listed(5, team(8), "[\"model:read\"]");
    teams.deny = true;
    put_grant(b, teams);
    const struct policy_role barred = {ACME, STR("barred"), STR("[]"), STR("[\"key:delete\"]")};
    REQUIRE(policy_add_role(b, &barred, &err) && policy_add_member(b, 8, user(1), &err));
    struct policy *p = builder_done(b);
    const struct policy_subject admin = subject(p, user(1), ACME), viewer = subject(p, user(2), ACME);
    const struct policy_subject operator= subject(p, (struct principal){PRINCIPAL_OPERATOR, 0}, 0);
    // One who is under it cannot lift it; an allow can always be taken back.
    CHECK(!policy_may_lift(p, &admin, &deny, NOW, &err) && policy_may_lift(p, &operator, & deny, NOW, &err));
    CHECK(policy_may_lift(p, &viewer, policy_grant_find(p, 1), NOW, &err));
    // Nor by emptying the role that is denied.
    struct policy_role after = barred;
    after.permissions = STR("[]");
    CHECK(!policy_may_change_role(p, &admin, &barred, &after, NOW, &err));
    CHECK(!policy_may_change_role(p, &admin, &barred, NULL, NOW, &err));
    CHECK(policy_may_change_role(p, &operator, & barred, &after, NOW, &err));
    // Nor by leaving the team to which it is denied.
    CHECK(!policy_may_become(p, &admin, team(8), ACME, NULL, NOW, &err));
    CHECK(policy_may_become(p, &operator, team(8), ACME, NULL, NOW, &err));
    // What everybody is denied takes nothing from what an admin can give the tenant's people.
    struct policy_grant g = listed(9, user(3), "[\"model:use\"]");
    CHECK(gives(p, 1, g));
    g.scope = SCOPE_PLATFORM;
    CHECK(!gives(p, 1, g));
    // One may deny what one may do.
    g = listed(9, user(3), "[\"key:read\"]"), g.deny = true;
    CHECK(gives(p, 2, g) && gives(p, 1, g));
    g.permissions = STR("[\"key:create\"]");
    CHECK(!gives(p, 2, g));
    policy_unref(p);
}

// Two selectors of which one names a thing by its id and the other by its name may mean the same thing.
static void test_two_names(void) {
    struct policy_builder *b = people();
    put_grant(b, grant_of(1, user(1), "admin"));
    struct policy_grant deny = listed(2, user(1), "[\"key:delete\",\"model:use\"]");
    deny.deny = true, deny.resource = STR("key/prod*");
    put_grant(b, deny);
    deny.id = 3, deny.resource = STR("model/gpt-4*");
    put_grant(b, deny);
    struct policy *p = builder_done(b);
    struct policy_grant g = listed(9, user(3), "[\"key:delete\"]");
    g.resource = STR("key/key_0123");
    CHECK(!gives(p, 1, g));
    g = listed(9, user(3), "[\"model:use\"]"), g.resource = STR("model/claude*");
    CHECK(gives(p, 1, g));
    g.resource = STR("model/gpt*");
    CHECK(!gives(p, 1, g));
    policy_unref(p);
}

static void test_roles(void) {
    struct policy_builder *b = people();
    const struct policy_role base = {ACME, STR("base"), STR("[\"viewer\"]"), STR("[]")};
    const struct policy_role upper = {ACME, STR("upper"), STR("[\"base\"]"), STR("[\"model:use\"]")};
    put_grant(b, grant_of(1, user(1), "admin"));
    REQUIRE(policy_add_role(b, &base, &err) && policy_add_role(b, &upper, &err));
    CHECK(!policy_add_role(b, &(struct policy_role){0, STR("x"), STR("[]"), STR("[\"*\"]")}, &err));
    struct policy *p = builder_done(b);
    struct permission_set all;
    CHECK(policy_role_check(p, &upper, &all, &err) && permission_has(&all, RESOURCE_KEY, ACTION_READ));
    struct policy_role r = base;
    r.parents = STR("[\"upper\"]");
    CHECK(!policy_role_check(p, &r, &all, &err) && strstr(err.message, "leads back"));
    r.parents = STR("[\"base\"]");
    CHECK(!policy_role_check(p, &r, &all, &err) && strstr(err.message, "leads back"));
    r.parents = STR("[\"nothing\"]");
    CHECK(!policy_role_check(p, &r, &all, &err) && strstr(err.message, "no role \"nothing\""));
    r.parents = STR("{}");
    CHECK(!policy_role_check(p, &r, &all, &err));
    r = (struct policy_role){ACME, STR("owner"), STR("[]"), STR("[]")};
    CHECK(!policy_role_check(p, &r, &all, &err) && strstr(err.message, "built-in"));
    r = (struct policy_role){ACME, STR("new"), STR("[]"), STR("[\"key:fly\"]")};
    CHECK(!policy_role_check(p, &r, &all, &err) && strstr(err.message, "read create update delete rotate"));
    r = (struct policy_role){ACME, STR(""), STR("[]"), STR("[]")};
    CHECK(!policy_role_check(p, &r, &all, &err));
    const struct policy_subject admin = subject(p, user(1), ACME);
    r = base, r.permissions = STR("[\"tenant:delete\"]");
    CHECK(!policy_may_change_role(p, &admin, &base, &r, NOW, &err) && strstr(err.message, "tenant:delete"));
    r.permissions = STR("[\"audit:read\"]");
    CHECK(policy_may_change_role(p, &admin, &base, &r, NOW, &err));
    r.tenant = BETA, r.parents = STR("[]");
    CHECK(!policy_may_change_role(p, &admin, NULL, &r, NOW, &err));
    policy_unref(p);
}

static void test_elevation(void) {
    struct policy_builder *b = people();
    put_grant(b, grant_of(1, user(1), "admin"));
    put_grant(b, grant_of(2, user(2), "developer"));
    struct policy_grant g = listed(3, user(3), "[\"elevation:approve\"]");
    put_grant(b, g);
    g = grant_of(4, user(4), "admin"), g.elevation = 5, g.expires_at = NOW + INT64_C(3600000000000);
    put_grant(b, g);
    struct policy *p = builder_done(b);
    struct policy_elevation e = {.id = 6,
                                 .tenant = ACME,
                                 .requester = user(2),
                                 .role = STR_INIT("auditor"),
                                 .scope = SCOPE_TENANT,
                                 .duration_s = 3600};
    const struct policy_subject admin = subject(p, user(1), ACME), self = subject(p, user(2), ACME),
                                poor = subject(p, user(3), ACME), lent = subject(p, user(4), ACME);
    CHECK(policy_may_approve(p, &admin, &e, NOW, &g, &err));
    CHECK(g.expires_at == NOW + INT64_C(3600000000000) && g.elevation == 6 && g.not_before == NOW && g.parent == 0);
    CHECK(g.principal.id == 2 && g.granted_by.id == 1);
    CHECK(!policy_may_approve(p, &self, &e, NOW, &g, &err) && strstr(err.message, "second person"));
    CHECK(!policy_may_approve(p, &poor, &e, NOW, &g, &err) && err.code == ERR_FORBIDDEN); // cannot give what it lacks
    CHECK(!policy_may_approve(p, &lent, &e, NOW, &g, &err) && strstr(err.message, "lent"));
    const struct policy_subject bot = subject(p, account(1), ACME);
    CHECK(!policy_may_approve(p, &bot, &e, NOW, &g, &err) && strstr(err.message, "by a person"));
    e.role = STR("owner");
    CHECK(!policy_may_approve(p, &admin, &e, NOW, &g, &err));
    e.role = STR("auditor"), e.scope = SCOPE_PLATFORM;
    CHECK(!policy_may_approve(p, &admin, &e, NOW, &g, &err));
    e.scope = SCOPE_TENANT, e.tenant = BETA;
    CHECK(!policy_may_approve(p, &admin, &e, NOW, &g, &err));
    e.tenant = ACME, e.requester = user(1);
    CHECK(!policy_may_approve(p, &admin, &e, NOW, &g, &err));
    e.requester = user(2), e.duration_s = 59;
    CHECK(!policy_elevation_check(p, &e, &err));
    e.duration_s = POLICY_ELEVATION_MAX_S + 1;
    CHECK(!policy_elevation_check(p, &e, &err));
    e.duration_s = 60, e.role = STR("nobody");
    CHECK(!policy_elevation_check(p, &e, &err));
    e.role = STR("viewer"), e.requester = account(1);
    CHECK(!policy_elevation_check(p, &e, &err));
    policy_unref(p);
}

TEST_MAIN(test_reach, test_scopes_of_a_key, test_lent, test_chain, test_lifting, test_two_names, test_roles,
          test_elevation)
