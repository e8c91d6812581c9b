// What roles give by inheriting, against a model that is as plain as can be: a million random (role, permission) checks
// on random graphs of roles, circles among them; and which changes of a role are let through.
#include "policy_rig.h"

#define ROLES 40
#define PARENTS_MAX 4
#define WORLDS 250
#define CHECKS_EACH 4000
#define TENANTS 2

static uint64_t g_seed = 7;
static uint64_t roll(uint64_t below) {
    g_seed ^= g_seed << 13;
    g_seed ^= g_seed >> 7;
    g_seed ^= g_seed << 17;
    return g_seed % below;
}

// Role i of a tenant: which roles it names as parents (built-in ones after the tenant's own), and what it gives itself.
struct plain_role {
    size_t parents[PARENTS_MAX], n_parents;
    uint32_t own[RESOURCE_TYPE_COUNT];
    char name[16], parents_json[200], permissions_json[400];
};
static struct plain_role g_roles[TENANTS][ROLES];

static const char *parent_name(size_t tenant, size_t i, char space[16]) {
    if (i < ROLES) return g_roles[tenant][i].name;
    struct str name = policy_builtin(i - ROLES)->name;
    snprintf(space, 16, "%.*s", STR_ARG(name));
    return space;
}

static void make_role(size_t tenant, size_t i) {
    struct plain_role *r = &g_roles[tenant][i];
    char space[16], text[PERMISSION_TEXT_MAX];
    size_t n = 0, m = 0;
    snprintf(r->name, sizeof r->name, "r%zu", i);
    r->n_parents = roll(PARENTS_MAX);
    n += (size_t)snprintf(r->parents_json, sizeof r->parents_json, "[");
    for (size_t k = 0; k < r->n_parents; k++) {
        // Mostly roles before it, so that most graphs have depth; at times any, which makes circles.
        size_t any = roll(12) ? roll(i + 1) : roll(ROLES + policy_builtin_count());
        r->parents[k] = any;
        snprintf(r->name, sizeof r->name, "r%zu", i);
        n += (size_t)snprintf(r->parents_json + n, sizeof r->parents_json - n, "%s\"%s\"", k ? "," : "",
                              any == i ? r->name : parent_name(tenant, any, space));
    }
    snprintf(r->parents_json + n, sizeof r->parents_json - n, "]");
    m += (size_t)snprintf(r->permissions_json, sizeof r->permissions_json, "[");
    for (size_t k = roll(9); k > 0; k--) {
        enum resource_type type = (enum resource_type)roll(RESOURCE_TYPE_COUNT);
        enum action action = (enum action)roll(ACTION_COUNT);
        if (!(resource_actions(type) >> action & 1)) continue;
        r->own[type] |= 1u << action;
        m += (size_t)snprintf(r->permissions_json + m, sizeof r->permissions_json - m, "%s\"%.*s\"", m > 1 ? "," : "",
                              STR_ARG(permission_text(type, action, text)));
    }
    snprintf(r->permissions_json + m, sizeof r->permissions_json - m, "]");
}

static void make_world(void) {
    memset(g_roles, 0, sizeof g_roles);
    for (size_t t = 0; t < TENANTS; t++) {
        for (size_t i = 0; i < ROLES; i++) snprintf(g_roles[t][i].name, sizeof g_roles[t][i].name, "r%zu", i);
        for (size_t i = 0; i < ROLES; i++) make_role(t, i);
    }
}

static bool builtin_gives(size_t i, enum resource_type type, enum action action);

// Walks over whatever can be reached.
static bool naive(size_t tenant, size_t i, enum resource_type type, enum action action, bool *seen) {
    if (i >= ROLES) return builtin_gives(i - ROLES, type, action);
    if (seen[i]) return false;
    seen[i] = true;
    const struct plain_role *r = &g_roles[tenant][i];
    if (r->own[type] >> action & 1) return true;
    for (size_t k = 0; k < r->n_parents; k++)
        if (naive(tenant, r->parents[k], type, action, seen)) return true;
    return false;
}

static bool builtin_gives(size_t i, enum resource_type type, enum action action) {
    struct permission_set set = {0};
    struct err err;
    struct str parents = policy_builtin(i)->parents;
    REQUIRE(permission_read_json(&set, policy_builtin(i)->permissions, &err));
    if (permission_has(&set, type, action)) return true;
    for (size_t k = 0; k < policy_builtin_count(); k++) {
        char quoted[40];
        int n = snprintf(quoted, sizeof quoted, "\"%.*s\"", STR_ARG(policy_builtin(k)->name));
        if (str_find(parents, str_of(quoted, (size_t)n)) < parents.n && builtin_gives(k, type, action)) return true;
    }
    return false;
}

static struct policy *build(void) {
    static const int64_t ids[TENANTS] = {ACME, BETA};
    struct policy_builder *b = builder_make();
    struct err err;
    for (size_t t = 0; t < TENANTS; t++)
        for (size_t i = 0; i < ROLES; i++) {
            const struct plain_role *r = &g_roles[t][i];
            struct policy_role role = {ids[t], str_c(r->name), str_c(r->parents_json), str_c(r->permissions_json)};
            REQUIRE(policy_add_role(b, &role, &err));
        }
    return builder_done(b);
}

static void test_a_million(void) {
    size_t yes = 0, no = 0;
    for (size_t world = 0; world < WORLDS && !g_check_failures; world++) {
        make_world();
        struct policy *p = build();
        for (size_t i = 0; i < CHECKS_EACH; i++) {
            size_t tenant = roll(TENANTS), role = roll(ROLES);
            enum resource_type type = (enum resource_type)roll(RESOURCE_TYPE_COUNT);
            enum action action = (enum action)roll(ACTION_COUNT);
            while (!(resource_actions(type) >> action & 1)) action = (enum action)roll(ACTION_COUNT);
            struct policy_role_view view;
            bool seen[ROLES] = {false};
            bool want = naive(tenant, role, type, action, seen);
            REQUIRE(policy_role_find(p, tenant ? BETA : ACME, str_c(g_roles[tenant][role].name), &view));
            CHECK(permission_has(view.permissions, type, action) == want);
            *(want ? &yes : &no) += 1;
        }
        policy_unref(p);
    }
    CHECK(yes + no >= 1000000 && yes > 50000 && no > 50000);
    printf("%zu given, %zu not\n", yes, no);
}

// Whether role i can be reached from another.
static bool reaches(size_t tenant, size_t from, size_t to, bool *seen) {
    if (from >= ROLES || seen[from]) return false;
    seen[from] = true;
    for (size_t k = 0; k < g_roles[tenant][from].n_parents; k++) {
        size_t next = g_roles[tenant][from].parents[k];
        if (next == to || reaches(tenant, next, to, seen)) return true;
    }
    return false;
}

// A change that would close a circle is refused with a message that says so; any other is not refused for that.
static void test_circles_are_refused(void) {
    size_t refused = 0, fine = 0;
    for (size_t world = 0; world < 20; world++) {
        make_world();
        struct policy *p = build();
        for (size_t i = 0; i < 500; i++) {
            size_t role = roll(ROLES), parent = roll(ROLES);
            char json[40];
            bool seen[ROLES] = {false};
            struct permission_set gives = {0};
            struct err err = {0};
            snprintf(json, sizeof json, "[\"r%zu\"]", parent);
            const struct policy_role changed = {ACME, str_c(g_roles[0][role].name), str_c(json), STR("[]")};
            bool circle = parent == role || reaches(0, parent, role, seen);
            bool ok = policy_role_check(p, &changed, &gives, &err);
            CHECK(ok == !circle);
            if (!ok) CHECK(strstr(err.message, "cannot inherit from") && strstr(err.message, "leads back to it"));
            *(circle ? &refused : &fine) += 1;
        }
        policy_unref(p);
    }
    CHECK(refused > 300 && fine > 300);
}

TEST_MAIN(test_a_million, test_circles_are_refused)
