// Tests of access/policy.h: every rule of deciding, one by one.
#include "policy_rig.h"

#include "base/json_read.h"

static const struct permission_set *permissions(const char *json) {
    static struct permission_set set;
    struct err err;
    set = (struct permission_set){0};
    REQUIRE(permission_read_json(&set, str_c(json), &err));
    return &set;
}

static struct policy_grant grant_of(int64_t id, struct principal who, const char *role) {
    return (struct policy_grant){
        .id = id, .tenant = ACME, .principal = who, .role = str_c(role), .scope = SCOPE_TENANT};
}

static void test_roles_and_scopes(void) {
    struct policy_builder *b = builder_make();
    struct policy_grant g = grant_of(1, user(1), "developer");
    put_grant(b, g);
    g = grant_of(2, user(2), "viewer"), g.scope = SCOPE_PLATFORM;
    put_grant(b, g);
    g = grant_of(3, user(3), "admin"), g.scope = SCOPE_TEAM, g.scope_id = 7;
    put_grant(b, g);
    g = grant_of(4, user(4), "admin"), g.scope = SCOPE_PROJECT, g.scope_id = 8;
    put_grant(b, g);
    g = grant_of(5, user(5), "admin"), g.scope_id = BETA; // a row that reaches for another tenant
    put_grant(b, g);
    struct policy *p = builder_done(b);
    const struct policy_resource key = {.type = RESOURCE_KEY, .tenant = ACME, .team = 7, .project = 8};
    const struct policy_resource other = {.type = RESOURCE_KEY, .tenant = BETA, .team = 7, .project = 8};
    CHECK(may(p, 1, ACME, ACTION_CREATE, key) && may(p, 1, ACME, ACTION_READ, key));
    CHECK(!may(p, 1, ACME, ACTION_CREATE, other) && !may(p, 1, ACME, ACTION_READ, other));
    CHECK(may(p, 1, ACME, ACTION_USE, model_in(ACME, "gpt-5")) &&
          !may(p, 1, ACME, ACTION_USE, model_in(BETA, "gpt-5")));
    CHECK(may(p, 2, ACME, ACTION_READ, key) && may(p, 2, ACME, ACTION_READ, other) &&
          !may(p, 2, ACME, ACTION_DELETE, key));
    CHECK(may(p, 3, ACME, ACTION_DELETE, key) && !may(p, 3, ACME, ACTION_DELETE, other));
    CHECK(may(p, 4, ACME, ACTION_DELETE, key) && !may(p, 4, ACME, ACTION_DELETE, other));
    struct policy_resource elsewhere = key;
    elsewhere.team = 0, elsewhere.project = 0;
    CHECK(!may(p, 3, ACME, ACTION_DELETE, elsewhere) && !may(p, 4, ACME, ACTION_DELETE, elsewhere));
    CHECK(!may(p, 5, ACME, ACTION_READ, key) && !may(p, 5, ACME, ACTION_READ, other));
    CHECK_INT(policy_faults(p), 1);
    CHECK(!may(p, 6, ACME, ACTION_READ, key)); // nobody knows
    policy_unref(p);
}

static void test_reasons(void) {
    struct policy_builder *b = builder_make();
    put_grant(b, grant_of(1, user(1), "owner"));
    struct policy_grant deny = grant_of(2, user(1), "");
    deny.deny = true, deny.permissions = STR("[\"model:use\"]"), deny.resource = STR("model/gpt-4*");
    put_grant(b, deny);
    struct policy *p = builder_done(b);
    struct policy_decision d = ask_at(p, user(1), ACME, NULL, ACTION_USE, model_in(ACME, "gpt-5"), NOW);
    CHECK(d.allowed && d.reason == POLICY_GRANTED && d.grant->id == 1);
    d = ask_at(p, user(1), ACME, NULL, ACTION_USE, model_in(ACME, "gpt-4o"), NOW);
    CHECK(!d.allowed && d.reason == POLICY_DENIED && d.grant->id == 2);
    d = ask_at(p, user(2), ACME, NULL, ACTION_USE, model_in(ACME, "gpt-5"), NOW);
    CHECK(!d.allowed && d.reason == POLICY_NO_GRANT && !d.grant);
    d = ask_at(p, (struct principal){PRINCIPAL_OPERATOR, 0}, 0, NULL, ACTION_USE, model_in(BETA, "x"), NOW);
    CHECK(d.allowed && d.reason == POLICY_OPERATOR);
    d = ask_at(p, (struct principal){PRINCIPAL_NOBODY, 0}, 0, NULL, ACTION_USE, model_in(BETA, "x"), NOW);
    CHECK(!d.allowed);
    const struct permission_set *scopes = permissions("[\"model:read\"]");
    d = ask_at(p, user(1), ACME, scopes, ACTION_USE, model_in(ACME, "gpt-5"), NOW);
    CHECK(!d.allowed && d.reason == POLICY_BEYOND_SCOPES);
    d = ask_at(p, user(1), ACME, scopes, ACTION_READ, model_in(ACME, "gpt-5"), NOW);
    CHECK(d.allowed && d.reason == POLICY_GRANTED);
    d = ask_at(p, (struct principal){PRINCIPAL_OPERATOR, 0}, 0, scopes, ACTION_USE, model_in(BETA, "x"), NOW);
    CHECK(!d.allowed && d.reason == POLICY_BEYOND_SCOPES);
    d = ask_at(p, (struct principal){PRINCIPAL_KEY, 5}, ACME, scopes, ACTION_READ, model_in(ACME, "x"), NOW);
    CHECK(d.allowed && d.reason == POLICY_BY_SCOPES);
    d = ask_at(p, (struct principal){PRINCIPAL_KEY, 5}, ACME, scopes, ACTION_READ, model_in(BETA, "x"), NOW);
    CHECK(!d.allowed);
    d = ask_at(p, (struct principal){PRINCIPAL_KEY, 5}, ACME, NULL, ACTION_READ, model_in(ACME, "x"), NOW);
    CHECK(!d.allowed);
    policy_unref(p);
}

TEST_MAIN(test_roles_and_scopes, test_reasons)
