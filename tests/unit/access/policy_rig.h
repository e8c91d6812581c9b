// Shared by the tests of the policy: making one from lines of grants, asking it.
#ifndef TESTS_POLICY_RIG_H
#define TESTS_POLICY_RIG_H

#include "check.h"

#include "access/policy.h"

#include <stdlib.h>

#define NOW INT64_C(1700000000000000000)
#define ACME 10 // tenants
#define BETA 20

static inline struct principal user(int64_t id) { return (struct principal){PRINCIPAL_USER, id}; }
static inline struct principal team(int64_t id) { return (struct principal){PRINCIPAL_TEAM, id}; }
static inline struct principal everybody(int64_t tenant) { return (struct principal){PRINCIPAL_TENANT, tenant}; }
static inline struct principal account(int64_t id) { return (struct principal){PRINCIPAL_SERVICE_ACCOUNT, id}; }

static inline struct policy_builder *builder_make(void) {
    struct policy_builder *b = NULL;
    struct err err;
    REQUIRE(policy_builder_create(&b, &err));
    return b;
}

static inline struct policy *builder_done(struct policy_builder *b) {
    struct policy *p = NULL;
    struct err err;
    REQUIRE(policy_build(b, &p, &err));
    policy_builder_free(b);
    return p;
}

static inline void put_grant(struct policy_builder *b, struct policy_grant g) {
    struct err err;
    REQUIRE(policy_add_grant(b, &g, &err));
}

static inline void put_user(struct policy_builder *b, int64_t id, int64_t home, bool active) {
    struct err err;
    REQUIRE(policy_add_principal(b, user(id), home, active, &err));
}

static inline struct policy_decision ask_at(const struct policy *p, struct principal who, int64_t home,
                                            const struct permission_set *within, enum action action,
                                            struct policy_resource r, int64_t now) {
    struct policy_subject s;
    struct policy_decision d;
    policy_subject_init(p, who, home, within, &s);
    CHECK(policy_decide(p, &s, action, &r, now, &d) == d.allowed);
    return d;
}

static inline bool may(const struct policy *p, int64_t user_id, int64_t home, enum action action,
                       struct policy_resource r) {
    return ask_at(p, user(user_id), home, NULL, action, r, NOW).allowed;
}

static inline struct policy_resource model_in(int64_t tenant, const char *name) {
    return (struct policy_resource){.type = RESOURCE_MODEL, .tenant = tenant, .id = str_c(name), .name = str_c(name)};
}

#endif
