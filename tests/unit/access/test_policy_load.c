// Tests of access/policy_load.h and of the rights in access/keyring.h: rows in, decisions out; suspension, delegation,
// guests; what is read does not grow with what others have.
#include "policy_rig.h"
#include "test_database.h"

#include "access/keyring.h"
#include "access/policy_load.h"
#include "access/token.h"

static struct err err;

#define ROWS                                                                                                           \
    "INSERT INTO tenant (id, name) VALUES (10, 'acme'), (20, 'beta');"                                                 \
    "INSERT INTO team (id, tenant_id, created_at, updated_at, name) VALUES (1, 10, 0, 0, 'red'), (2, 20, 0, 0, 'x');"  \
    "INSERT INTO project (id, tenant_id, created_at, updated_at, team_id, name) VALUES (1, 10, 0, 0, 1, 'p');"         \
    "INSERT INTO app_user (id, tenant_id, created_at, updated_at, email) VALUES (1, 10, 0, 0, 'a'), (2, 10, 0, 0, "    \
    "'b'),"                                                                                                            \
    " (3, 20, 0, 0, 'c'), (4, 10, 0, 0, 'd');"                                                                         \
    "INSERT INTO service_account (id, tenant_id, created_at, updated_at, name) VALUES (1, 10, 0, 0, 'bot');"           \
    "INSERT INTO team_member (tenant_id, team_id, principal_kind, principal_id, created_at) VALUES"                    \
    " (10, 1, 'user', 2, 0), (10, 1, 'service_account', 1, 0);"                                                        \
    "INSERT INTO role (id, tenant_id, created_at, updated_at, name, parents, permissions) VALUES"                      \
    " (1, 10, 0, 0, 'coder', '[\"viewer\"]', '[\"model:use\"]');"

// Grants: id, tenant, kind, id, role, scope, scope id, resource, parent, granted by (user), effect.
#define GRANT(id, tenant, kind, who, role, scope, scope_id, resource, parent, by, effect)                              \
    "INSERT INTO access_grant (id, tenant_id, created_at, updated_at, principal_kind, principal_id, role, scope_kind," \
    " scope_id, resource, parent_id, granted_by_kind, granted_by_id, effect) VALUES (" #id ", " #tenant                \
    ", 0, 0, '" kind "', " #who ", '" role "', '" scope "', " #scope_id ", '" resource "', " parent ", 'user', " #by   \
    ", '" effect "');"

static struct sql *open_world(const char *name, struct datadir *out_dir) {
    struct sql *db = NULL;
    REQUIRE(test_datadir(name, out_dir, &err) && datadir_open_db(out_dir, 1000, &db, &err));
    bool ok =
        sql_exec(db,
                 STR(ROWS GRANT(1, 10, "user", 1, "admin", "tenant", 10, "", "NULL", 0, "allow")
                         GRANT(2, 10, "team", 1, "coder", "team", 1, "", "NULL", 0, "allow")
                             GRANT(3, 10, "user", 3, "viewer", "tenant", 10, "", "1", 1, "allow")
                                 GRANT(4, 10, "tenant", 10, "owner", "tenant", 10, "model/secret*", "NULL", 0, "deny")
                                     GRANT(5, 10, "user", 4, "coder", "project", 1, "model/gpt-*", "NULL", 0, "allow")),
                 &err);
    if (!ok) fprintf(stderr, "%s\n", err.message);
    REQUIRE(ok);
    return db;
}

static struct policy *load_of(struct sql *db, struct principal who) {
    struct policy *p = NULL;
    REQUIRE(policy_load_principals(db, &who, 1, &p, &err));
    CHECK_INT(policy_faults(p), 0);
    return p;
}

static bool can(struct sql *db, struct principal who, int64_t home, enum action action, struct policy_resource r) {
    struct policy *p = load_of(db, who);
    bool yes = ask_at(p, who, home, NULL, action, r, NOW).allowed;
    policy_unref(p);
    return yes;
}

static const struct policy_resource k_key = {.type = RESOURCE_KEY, .tenant = ACME};

static struct policy_resource red_model(const char *name) {
    struct policy_resource r = model_in(ACME, name);
    r.team = 1;
    r.project = 1;
    return r;
}

static void test_principals(void) {
    struct datadir dir;
    struct sql *db = open_world("one", &dir);
    CHECK(can(db, user(1), ACME, ACTION_CREATE, k_key) && !can(db, user(2), ACME, ACTION_CREATE, k_key));
    CHECK(can(db, user(2), ACME, ACTION_USE, red_model("gpt-5")) &&
          !can(db, user(2), ACME, ACTION_USE, model_in(ACME, "gpt-5")));
    CHECK(can(db, account(1), ACME, ACTION_USE, red_model("gpt-5")));
    CHECK(can(db, user(4), ACME, ACTION_USE, red_model("gpt-5")) &&
          !can(db, user(4), ACME, ACTION_USE, red_model("o3")));
    // What is denied to everybody of the tenant, to its own and to the guest.
    CHECK(!can(db, user(1), ACME, ACTION_USE, model_in(ACME, "secret-1")));
    CHECK(can(db, user(3), BETA, ACTION_READ, model_in(ACME, "gpt-5")));
    CHECK(!can(db, user(3), BETA, ACTION_READ, model_in(ACME, "secret-1")));
    CHECK(!can(db, user(3), BETA, ACTION_READ, model_in(BETA, "gpt-5")));
    CHECK(!can(db, user(99), ACME, ACTION_READ, k_key));
    // The one who delegated loses it, and so does the other.
    REQUIRE(sql_exec(db, STR("UPDATE app_user SET status = 'suspended' WHERE id = 1"), &err));
    CHECK(!can(db, user(1), ACME, ACTION_CREATE, k_key) && !can(db, user(3), BETA, ACTION_READ, k_key));
    REQUIRE(sql_exec(db, STR("UPDATE app_user SET status = 'active' WHERE id = 1"), &err));
    CHECK(can(db, user(3), BETA, ACTION_READ, k_key));
    REQUIRE(sql_exec(db, STR("UPDATE access_grant SET revoked_at = 5 WHERE id = 1"), &err));
    CHECK(!can(db, user(1), ACME, ACTION_CREATE, k_key) && !can(db, user(3), BETA, ACTION_READ, k_key));
    REQUIRE(sql_exec(
        db, STR("UPDATE access_grant SET revoked_at = 0; UPDATE tenant SET status = 'suspended' WHERE id = 10"), &err));
    CHECK(!can(db, user(1), ACME, ACTION_CREATE, k_key) && !can(db, user(3), BETA, ACTION_READ, k_key));
    sql_close(db);
    datadir_close(&dir);
}

static void test_guards_see_both(void) {
    struct datadir dir;
    struct sql *db = open_world("guards", &dir);
    const struct principal both[] = {user(1), user(2)};
    struct policy *p;
    struct policy_subject giver;
    REQUIRE(policy_load_principals(db, both, 2, &p, &err));
    policy_subject_init(p, user(1), ACME, NULL, &giver);
    struct policy_grant g = {.tenant = ACME, .principal = user(2), .role = STR_INIT("coder"), .scope = SCOPE_TENANT};
    CHECK(policy_may_give(p, &giver, &g, NOW, &err));
    g.role = STR("owner");
    CHECK(!policy_may_give(p, &giver, &g, NOW, &err) && err.code == ERR_FORBIDDEN &&
          strstr(err.message, "tenant:delete"));
    g.role = STR("admin"), g.scope = SCOPE_PLATFORM;
    CHECK(!policy_may_give(p, &giver, &g, NOW, &err));
    CHECK(policy_may_become(p, &giver, user(2), ACME, NULL, NOW, &err));
    policy_subject_init(p, user(2), ACME, NULL, &giver);
    CHECK(!policy_may_become(p, &giver, user(1), ACME, NULL, NOW, &err));
    policy_unref(p);
    sql_close(db);
    datadir_close(&dir);
}

// A tenant's roles are there for who may use them, though none is given to anybody yet.
static void test_roles(void) {
    struct datadir dir;
    struct sql *db = open_world("roles", &dir);
    struct policy_role_view role;
    REQUIRE(sql_exec(db, STR("DELETE FROM access_grant WHERE parent_id IS NOT NULL; DELETE FROM access_grant"), &err));
    struct policy *p = load_of(db, user(1));
    CHECK(policy_role_find(p, ACME, STR("coder"), &role) && !policy_role_find(p, BETA, STR("coder"), &role));
    policy_unref(p);
    p = load_of(db, everybody(BETA));
    CHECK(!policy_role_find(p, ACME, STR("coder"), &role) && policy_role_find(p, ACME, STR("owner"), &role));
    policy_unref(p);
    sql_close(db);
    datadir_close(&dir);
}

static void test_tenant(void) {
    struct datadir dir;
    struct sql *db = open_world("tenant", &dir);
    struct policy *p, *q;
    REQUIRE(policy_load_tenant(db, ACME, &p, &err));
    CHECK_INT(policy_grant_count(p), 5);
    CHECK(may(p, 1, ACME, ACTION_CREATE, k_key) && may(p, 2, ACME, ACTION_USE, red_model("gpt-5")));
    CHECK(may(p, 3, BETA, ACTION_READ, k_key) && !may(p, 3, BETA, ACTION_READ, model_in(ACME, "secret-1")));
    struct policy_role_view role;
    CHECK(policy_role_find(p, ACME, STR("coder"), &role) &&
          permission_has(role.permissions, RESOURCE_KEY, ACTION_READ));
    CHECK(!policy_role_find(p, BETA, STR("coder"), &role));
    REQUIRE(policy_load_tenant(db, BETA, &q, &err));
    CHECK_INT(policy_grant_count(q), 0);
    policy_unref(p);
    policy_unref(q);
    sql_close(db);
    datadir_close(&dir);
}

// --- keys ---

static struct secret make_key(struct sql *db, struct datadir *dir, const char *set) {
    struct key_created key = {0};
    struct key_wanted wanted = {.tenant = STR_INIT("acme")};
    char text[400];
    REQUIRE(key_create(db, dir, &wanted, NOW, &key, &err));
    int n = snprintf(text, sizeof text, "UPDATE api_key SET %s WHERE id = %d", set, (int)key.id);
    REQUIRE(sql_exec(db, str_of(text, (size_t)n), &err));
    return key.text;
}

static const struct key_entry *entry_of(const struct keyring *ring, const struct secret *text) {
    const struct key_entry *entry = NULL;
    REQUIRE(keyring_check(ring, secret_str(text), NOW, &entry, &err));
    return entry;
}

static struct keyring *ring_of(struct sql *db, const struct datadir *dir) {
    struct keyring *ring = NULL;
    REQUIRE(keyring_load(db, dir, &ring, &err));
    return ring;
}

static void test_keys(void) {
    struct datadir dir;
    struct sql *db = open_world("keys", &dir);
    struct secret plain = make_key(db, &dir, "name = 'plain'");
    struct secret bots =
        make_key(db, &dir, "owner_kind = 'service_account', owner_id = 1, team_id = 1, project_id = 1");
    struct secret stray = make_key(db, &dir, "owner_kind = 'user', owner_id = 4");
    struct secret narrow = make_key(db, &dir, "owner_kind = 'user', owner_id = 1, scopes = '[\"key:read\"]'");
    struct secret lost = make_key(db, &dir, "owner_kind = 'user', owner_id = 77");
    struct secret placed = make_key(db, &dir, "addresses = '[\"10.0.0.0/8\"]'");
    struct secret broken = make_key(db, &dir, "addresses = '[\"10.0.0', owner_kind = 'alien', scopes = '[\"x\"]'");
    struct keyring *ring = ring_of(db, &dir);
    CHECK_INT(keyring_damaged(ring), 1);
    CHECK(keyring_check_model(ring, entry_of(ring, &plain), STR("gpt-5"), NOW, &err));
    // An explicit deny for the tenant binds its keys too.
    CHECK(!keyring_check_model(ring, entry_of(ring, &plain), STR("secret-1"), NOW, &err));
    CHECK(err.code == ERR_MODEL_NOT_ALLOWED && strstr(err.message, "denied"));
    CHECK(keyring_check_model(ring, entry_of(ring, &bots), STR("gpt-5"), NOW, &err));
    CHECK(!keyring_allows_model(ring, entry_of(ring, &bots), STR("secret-1"), NOW));
    CHECK(!keyring_check_model(ring, entry_of(ring, &stray), STR("gpt-5"), NOW, &err)); // not in its project
    CHECK(err.code == ERR_MODEL_NOT_ALLOWED && strstr(err.message, "no grant gives its owner (a user) model:use"));
    CHECK_STR(str_c(err.param), STR("model"));
    CHECK(!keyring_check_model(ring, entry_of(ring, &narrow), STR("gpt-5"), NOW, &err) &&
          strstr(err.message, "scopes"));
    CHECK(!keyring_admits(ring, entry_of(ring, &lost), STR("::1"), STR(""), &err) && err.code == ERR_FORBIDDEN);
    CHECK(keyring_admits(ring, entry_of(ring, &placed), STR("10.9.9.9"), STR(""), &err));
    CHECK(!keyring_admits(ring, entry_of(ring, &placed), STR("127.0.0.1"), STR(""), &err) && err.status == 403);
    CHECK(!keyring_admits(ring, entry_of(ring, &broken), STR("10.0.0.1"), STR(""), &err));
    CHECK(!keyring_allows_model(ring, entry_of(ring, &broken), STR("gpt-5"), NOW));

    bool edited = true;
    CHECK(keyring_edited(ring, db, &edited, &err) && !edited);
    REQUIRE(sql_exec(db, STR("UPDATE tenant SET status = 'suspended' WHERE id = 10"), &err));
    CHECK(keyring_edited(ring, db, &edited, &err) && edited);
    keyring_unref(ring);
    ring = ring_of(db, &dir);
    CHECK(!keyring_admits(ring, entry_of(ring, &plain), STR("::1"), STR(""), &err) && strstr(err.message, "suspended"));
    CHECK(!keyring_admits(ring, entry_of(ring, &bots), STR("::1"), STR(""), &err));
    CHECK(!keyring_allows_model(ring, entry_of(ring, &plain), STR("gpt-5"), NOW));
    keyring_unref(ring);
    REQUIRE(sql_exec(db, STR("UPDATE tenant SET status = 'active'; UPDATE service_account SET status = 'suspended'"),
                     &err));
    ring = ring_of(db, &dir);
    CHECK(keyring_admits(ring, entry_of(ring, &plain), STR("::1"), STR(""), &err));
    CHECK(!keyring_admits(ring, entry_of(ring, &bots), STR("::1"), STR(""), &err));
    keyring_unref(ring);
    struct secret *all[] = {&plain, &bots, &stray, &narrow, &lost, &placed, &broken};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) secret_free(all[i]);
    sql_close(db);
    datadir_close(&dir);
}

// What a key lies in is known by name, after every change of it; a token that acts elsewhere leaves it behind.
static void test_names_of_places(void) {
    struct datadir dir;
    struct sql *db = open_world("places", &dir);
    struct secret in = make_key(db, &dir, "name = 'in', team_id = 1, project_id = 1");
    struct secret out = make_key(db, &dir, "name = 'out'");
    struct secret guest = make_key(db, &dir, "tenant_id = 20, team_id = 2, owner_kind = 'user', owner_id = 3");
    struct keyring *ring = ring_of(db, &dir);
    const struct key_entry *e = entry_of(ring, &in), *acting = NULL;
    bool edited = false;
    CHECK_STR(e->team, STR("red"));
    CHECK_STR(e->project, STR("p"));
    CHECK_STR(entry_of(ring, &out)->team, STR(""));
    CHECK_STR(entry_of(ring, &out)->project, STR(""));
    CHECK(!e->elsewhere);
    struct token_claims claims = {.principal = {PRINCIPAL_KEY, e->id}, .home = 10, .tenant = 10, .key_id = e->id};
    claims.expires_at = NOW + 1000000000;
    struct keyring *of_token = NULL;
    REQUIRE(keyring_of_token(db, &dir, &claims, NOW, &of_token, &acting, &err));
    CHECK_STR(acting->team, STR("red"));
    CHECK_STR(acting->project, STR("p"));
    CHECK(!acting->elsewhere);
    keyring_unref(of_token);
    REQUIRE(sql_exec(db, STR(GRANT(9, 10, "user", 3, "owner", "tenant", 10, "", "NULL", 0, "allow")), &err));
    e = entry_of(ring, &guest);
    CHECK_STR(e->team, STR("x"));
    claims = (struct token_claims){.principal = e->owner, .home = 20, .tenant = 10, .key_id = e->id};
    claims.expires_at = NOW + 1000000000;
    REQUIRE(keyring_of_token(db, &dir, &claims, NOW, &of_token, &acting, &err));
    CHECK_STR(acting->tenant, STR("acme"));
    CHECK(acting->elsewhere && !acting->team.n && !acting->project.n);
    keyring_unref(of_token);
    REQUIRE(sql_exec(db, STR("UPDATE team SET name = 'crimson' WHERE id = 1"), &err));
    CHECK(keyring_edited(ring, db, &edited, &err) && edited);
    keyring_unref(ring);
    ring = ring_of(db, &dir);
    CHECK_STR(entry_of(ring, &in)->team, STR("crimson"));
    keyring_unref(ring);
    secret_free(&in);
    secret_free(&out);
    secret_free(&guest);
    sql_close(db);
    datadir_close(&dir);
}

// Reads by index only: the plan of every query that a request's policy runs names one.
static void test_plans(void) {
    static const char *const texts[] = {
        "SELECT * FROM access_grant g WHERE g.principal_kind = 'user' AND g.principal_id = 1",
        "SELECT team_id FROM team_member WHERE principal_kind = 'user' AND principal_id = 1",
        "SELECT g.* FROM (SELECT DISTINCT owner_kind, owner_id FROM api_key WHERE owner_kind <> '' AND revoked_at = 0) "
        "o"
        " JOIN access_grant g ON g.principal_kind = o.owner_kind AND g.principal_id = o.owner_id",
    };
    struct datadir dir;
    if (test_server()) return; // with so few rows PostgreSQL would rightly scan
    struct sql *db = open_world("plans", &dir);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char text[500];
        struct sql_stmt *st;
        int n = snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", texts[i]);
        bool has = false, found = false;
        REQUIRE(sql_prepare(sql_platform(db), str_of(text, (size_t)n), &st, &err));
        while (sql_step(st, &has, &err) && has) {
            struct str detail = sql_col_text(st, 3);
            found = found || str_find(detail, STR("USING INDEX")) < detail.n ||
                    str_find(detail, STR("USING COVERING INDEX")) < detail.n;
            CHECK(!str_starts(detail, STR("SCAN g")) && !str_starts(detail, STR("SCAN access_grant")));
        }
        CHECK(found);
    }
    sql_close(db);
    datadir_close(&dir);
}

TEST_MAIN(test_principals, test_guards_see_both, test_roles, test_tenant, test_keys, test_names_of_places, test_plans)
