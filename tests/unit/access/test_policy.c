// Tests of access/policy.h: every rule of deciding, one by one.
#include "policy_rig.h"

#include "base/json_read.h"
#include "base/mem.h"

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

static bool may_with(const char *condition, bool deny, const char *tags) {
    struct policy_builder *b = builder_make();
    struct policy_grant g = grant_of(1, user(1), "developer");
    if (deny) put_grant(b, g);
    g.id = 2, g.deny = deny, g.condition = str_c(condition);
    put_grant(b, g);
    struct policy *p = builder_done(b);
    struct policy_resource r = model_in(ACME, "m");
    r.tags = str_c(tags);
    bool yes = may(p, 1, ACME, ACTION_USE, r);
    policy_unref(p);
    return yes;
}

static void test_conditions(void) {
    static const char *const broken[] = {"{",
                                         "[]",
                                         "{\"env\":\"prod\"} x",
                                         "{\"env\":7}",
                                         "{\"env\":\"prod\",\"env\":\"x\"}",
                                         "nothing",
                                         "{\"env\":\"prod\",}"};
    CHECK(may_with("env=prod", false, "{\"env\":\"prod\"}") &&
          may_with("env=prod", false, "{\"a\":\"b\",\"\\u0065nv\":\"prod\"}"));
    CHECK(!may_with("env=prod", false, "{\"env\":\"Prod\"}") && !may_with("env=prod", false, ""));
    CHECK(may_with("env!=prod", false, "") && may_with("env!=prod", false, "{\"env\":\"\"}"));
    CHECK(!may_with("env=", false, "{}") && may_with("env=", false, "{\"env\":\"\"}"));
    CHECK(may_with(" env = prod , eu != yes ", false, "{\"env\":\"prod\"}"));
    CHECK(!may_with("env=prod,eu!=yes", false, "{\"env\":\"prod\",\"eu\":\"yes\"}"));
    // In doubt, no: an allow does not apply, a deny does.
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        CHECK(!may_with("env=prod", false, broken[i]) && !may_with("env!=prod", false, broken[i]));
        CHECK(!may_with("env=prod", true, broken[i]) && !may_with("env!=prod", true, broken[i]));
    }
    CHECK(may_with("env=prod", true, "{}") && !may_with("env!=prod", true, "{}"));
}

// What cannot be read makes an allow void, and a deny wide.
static void test_faults(void) {
    static const char *const selectors[] = {"model", "model/",     "nothing/x", "model/a*b",
                                            "/",     "model/\x01", "model/\xff"};
    static const char *const conditions[] = {"env", "=x", "!=x", "a=b,", "a=b=c", "a!b=c", "\x01=b"};
    for (size_t i = 0; i < ARRAY_LEN(selectors) + ARRAY_LEN(conditions); i++) {
        struct policy_builder *b = builder_make();
        struct policy_grant g = grant_of(1, user(1), "developer"), bad = grant_of(2, user(2), "developer");
        struct err err;
        put_grant(b, g);
        if (i < ARRAY_LEN(selectors))
            bad.resource = str_c(selectors[i]);
        else
            bad.condition = str_c(conditions[i - ARRAY_LEN(selectors)]);
        CHECK(!policy_grant_check(&bad, &err) && err.code == ERR_INVALID_FIELD);
        put_grant(b, bad);
        bad.id = 3, bad.deny = true, bad.principal = user(1);
        put_grant(b, bad);
        struct policy *p = builder_done(b);
        CHECK_INT(policy_faults(p), 2);
        CHECK(!may(p, 1, ACME, ACTION_USE, model_in(ACME, "m")) && !may(p, 2, ACME, ACTION_USE, model_in(ACME, "m")));
        policy_unref(p);
    }
    struct err err;
    struct policy_grant none = grant_of(1, user(1), "");
    CHECK(!policy_grant_check(&none, &err) && err.code == ERR_MISSING_FIELD);
    none.permissions = STR("[\"key:read\"]");
    CHECK(policy_grant_check(&none, &err));
}

static void test_circle_of_roles(void) {
    struct policy_builder *b = builder_make();
    struct err err;
    const struct policy_role roles[] = {{ACME, STR("a"), STR("[\"b\"]"), STR("[\"key:read\"]")},
                                        {ACME, STR("b"), STR("[\"c\"]"), STR("[\"model:use\"]")},
                                        {ACME, STR("c"), STR("[\"a\",\"none\"]"), STR("[\"budget:read\",\"oops\"]")}};
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) REQUIRE(policy_add_role(b, &roles[i], &err));
    put_grant(b, grant_of(1, user(1), "b"));
    struct policy *p = builder_done(b);
    const struct policy_resource key = {.type = RESOURCE_KEY, .tenant = ACME},
                                 budget = {.type = RESOURCE_BUDGET, .tenant = ACME};
    CHECK(may(p, 1, ACME, ACTION_READ, key) && may(p, 1, ACME, ACTION_READ, budget) &&
          !may(p, 1, ACME, ACTION_DELETE, key));
    CHECK(policy_faults(p) >= 4); // the circle seen from each, a parent that is not there, a permission that is none
    policy_unref(p);
}

static void test_explain(void) {
    struct policy_builder *b = builder_make();
    put_user(b, 1, ACME, true);
    put_user(b, 2, ACME, true);
    put_grant(b, grant_of(1, user(1), "admin"));
    struct policy_grant g = grant_of(2, user(2), "developer");
    g.parent = 1, g.granted_by = user(1), g.resource = STR("model/\"quoted\"*");
    put_grant(b, g);
    g = grant_of(3, user(2), "viewer"), g.expires_at = NOW - 1;
    put_grant(b, g);
    struct policy *p = builder_done(b);
    struct policy_subject s;
    struct err err;
    struct buf json = BUF_INIT(1 << 20);
    policy_subject_init(p, user(2), ACME, NULL, &s);
    const struct policy_resource r = model_in(ACME, "\"quoted\"-1");
    CHECK(policy_explain(p, &s, ACTION_USE, &r, NOW, &json) && !json.failed);
    CHECK(json_validate(buf_str(&json), 0, &err));
    static const char *const parts[] = {"\"allowed\":true",
                                        "\"reason\":\"granted\"",
                                        "\"permission\":\"model:use\"",
                                        "\"chain\":[{\"id\":\"grant_0000000000002\"",
                                        "{\"id\":\"grant_0000000000001\"",
                                        "\"why_not\":\"its permissions do not hold this one\"",
                                        "\"left_out\":0"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) CHECK(str_find(buf_str(&json), str_c(parts[i])) < json.n);
    buf_clear(&json);
    CHECK(!policy_explain(p, &s, ACTION_DELETE, &r, NOW, &json) &&
          str_find(buf_str(&json), STR("\"grant\":null")) < json.n);
    CHECK(json_validate(buf_str(&json), 0, &err));
    struct json_writer w;
    buf_clear(&json);
    json_writer_init(&w, &json);
    policy_put_matrix(p, ACME, &w);
    json_writer_done(&w);
    CHECK(json_validate(buf_str(&json), 0, &err) &&
          str_find(buf_str(&json), STR("\"name\":\"owner\",\"builtin\":true")) < json.n);
    buf_free(&json);
    policy_unref(p);
}

// Each allocation failing in turn: an error, never a policy that says something else.
static void test_no_memory(void) {
    for (uint64_t n = 1; n < 500; n++) {
        struct policy_builder *b = NULL;
        struct policy *p = NULL;
        struct err err;
        struct policy_grant g = grant_of(1, user(1), "");
        g.permissions = STR("[\"model:use\"]"), g.condition = STR("a!=b");
        const struct policy_role role = {ACME, STR("r"), STR("[\"viewer\"]"), STR("[\"model:use\"]")};
        mem_fail_nth(n);
        bool ok = policy_builder_create(&b, &err) && policy_add_role(b, &role, &err) &&
                  policy_add_member(b, 4, user(1), &err);
        for (int64_t i = 1; ok && i < 40; i++)
            g.id = i, g.principal = user(1 + i / 30), ok = policy_add_grant(b, &g, &err);
        ok = ok && policy_build(b, &p, &err);
        mem_fail_nth(0);
        policy_builder_free(b);
        CHECK(ok || err.code == ERR_NO_MEMORY);
        if (!ok) continue;
        CHECK(may(p, 1, ACME, ACTION_USE, model_in(ACME, "m")));
        policy_unref(p);
        if (n > 1) return; // all of them were had
    }
    CHECK(false); // it ends before
}

TEST_MAIN(test_roles_and_scopes, test_reasons, test_conditions, test_faults, test_circle_of_roles, test_explain,
          test_no_memory)
