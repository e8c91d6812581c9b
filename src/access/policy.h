// The policy: roles and grants compiled for deciding, and the one decision function.
//
// Semantics. A grant gives (or denies) a role's or a list's permissions to a principal, within a scope (platform,
// tenant, team, project), on the resources that its selector and condition mean, between two points of time. A subject
// is a principal with the teams it is in and its tenant: it holds the grants of all of them. As with AWS IAM's
// evaluation order: an explicit deny that applies wins; else one allow that applies suffices; else no. A grant applies
// to a resource that lies in its scope: the resource's own project, team or tenant, or any of them for the platform. A
// grant that was delegated counts only as long as, and only as far as, the one it came from does, up its chain
// (Zanzibar: rights are followed, not copied). The rights of an API key are its scopes, and if it has an owner, what is
// in the owner's rights too.
//
// Ownership: reference-counted and immutable once built. Thread rule: decisions from any thread; they neither allocate
// nor lock. Units: unix ns. Cost: a decision looks only at the grants of the subject's own principals.
#ifndef ACCESS_POLICY_H
#define ACCESS_POLICY_H

#include "access/permission.h"
#include "access/who.h"
#include "base/buf.h"

enum scope_kind { SCOPE_PLATFORM, SCOPE_TENANT, SCOPE_TEAM, SCOPE_PROJECT, SCOPE_KIND_COUNT };
struct str scope_kind_name(enum scope_kind kind);
bool scope_kind_parse(struct str name, enum scope_kind *out_kind);

// What is to be done something with. Zero and empty where it has none: a tenant's own row has tenant = its id.
struct policy_resource {
    enum resource_type type;
    int64_t tenant, team, project; // where it lies
    struct str id;                 // "key_0…", or a model's name
    struct str name;               // as people call it; selectors match either
    struct str tags;               // JSON object of strings, or empty
};

struct policy;
struct policy_builder;
#define POLICY_GRANTS_MAX 1000000

struct policy_role {
    int64_t tenant;                        // 0 = built in
    struct str name, parents, permissions; // the latter JSON arrays, as stored
};
struct policy_grant {
    int64_t id, tenant;
    struct principal principal;
    bool deny;
    struct str role;        // its name, or empty:
    struct str permissions; // JSON array
    enum scope_kind scope;
    int64_t scope_id;                           // of the team or project; the tenant's for SCOPE_TENANT
    struct str resource;                        // "", "model/gpt-5", "model/gpt-*", "project/*"
    struct str condition;                       // "", "env=prod", "env!=prod"
    int64_t not_before, expires_at, revoked_at; // 0 = none
    int64_t parent;                             // the grant it was delegated from; 0 = none
    struct principal granted_by;
};

// The roles every tenant has; their names cannot be given to others.
size_t policy_builtin_count(void);
const struct policy_role *policy_builtin(size_t i);

NODISCARD bool policy_builder_create(struct policy_builder **out_builder, struct err *err);
void policy_builder_free(struct policy_builder *builder); // NULL is fine
// Texts are copied. A role whose parents make a circle or do not exist, or with an unknown permission, gives nothing
// by that part; policy_faults counts them. Roles may come in any order, before the grants.
NODISCARD bool policy_add_role(struct policy_builder *builder, const struct policy_role *role, struct err *err);
NODISCARD bool policy_add_grant(struct policy_builder *builder, const struct policy_grant *grant, struct err *err);
// Membership: the principal holds the team's grants.
NODISCARD bool policy_add_member(struct policy_builder *builder, int64_t team, struct principal member,
                                 struct err *err);
NODISCARD bool policy_build(struct policy_builder *builder, struct policy **out_policy, struct err *err);
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy); // NULL is fine
size_t policy_faults(const struct policy *policy);

// Who asks, prepared once and used for many decisions.
struct policy_subject {
    struct principal principal;
    int64_t tenant;                      // home; its PRINCIPAL_TENANT grants count
    const struct permission_set *within; // scopes of an API key or token: nothing beyond them; NULL = no such bound
    const struct policy_slot *own;       // set by policy_subject_init
};
void policy_subject_init(const struct policy *policy, struct principal principal, int64_t tenant,
                         const struct permission_set *within, struct policy_subject *out_subject);

enum policy_reason {
    POLICY_OPERATOR, // allowed: operators may do everything
    POLICY_GRANTED,
    POLICY_DENIED,        // by an explicit deny
    POLICY_NO_GRANT,      // nothing allows it
    POLICY_BEYOND_SCOPES, // the key's or token's scopes leave it out
};
#define POLICY_CHAIN_MAX 16 // delegations of delegations
struct policy_decision {
    bool allowed;
    enum policy_reason reason;
    const struct policy_grant *grant; // the one that allowed or denied it; NULL = none. Lives as long as the policy
};
bool policy_decide(const struct policy *policy, const struct policy_subject *subject, enum action action,
                   const struct policy_resource *resource, int64_t now_ns, struct policy_decision *out_decision);
// As above, and the whole reasoning as JSON: {"allowed", "reason", "grant", "chain": […], "considered": [{"grant",
// "applies", "why_not"}…]}.
bool policy_explain(const struct policy *policy, const struct policy_subject *subject, enum action action,
                    const struct policy_resource *resource, int64_t now_ns, struct buf *out_json);

// Whether everything the grant would give is already the giver's, at its scope, for its whole time: what makes
// delegation, and the making of grants, roles and keys, unable to escalate. *err says what exceeds it.
NODISCARD bool policy_may_give(const struct policy *policy, const struct policy_subject *giver,
                               const struct policy_grant *grant, int64_t now_ns, struct err *err);

// Whether the subject may do this to every resource of the type in the tenant: then lists need no look at each row.
bool policy_decides_alike(const struct policy *policy, const struct policy_subject *subject, enum action action,
                          enum resource_type type, int64_t tenant, int64_t now_ns, bool *out_allowed);

#endif
