// The policy: roles and grants compiled for deciding, and the one decision function.
//
// Semantics. A grant gives (or denies) a role's or a list's permissions to a principal, within a scope (platform,
// tenant, team, project), on the resources that its selector and condition mean, between two points of time. A subject
// is a principal with the teams it is in and its tenant: it holds the grants of all of them. As with AWS IAM's
// evaluation order: an explicit deny that applies wins; else one allow that applies suffices; else no. A grant applies
// to a resource that lies in its scope: the resource's own project, team or tenant, or any of them for the platform. A
// grant that was delegated counts only as long as, and only as far as, the one it came from does and who delegated it
// still holds that one, up its chain (Zanzibar: rights are followed, not copied). The rights of an API key are its
// scopes, and if it has an owner, what is in the owner's rights too. A deny for everybody of a tenant binds also those
// whom a grant of that tenant lets in from elsewhere. Who is suspended, or whose tenant is, has no rights; what a
// suspended tenant granted within itself gives none. A custom role counts in its own tenant only, so never for the
// platform. In doubt (tags that cannot be read, a deny whose selector cannot be) the answer is no.
//
// Ownership: reference-counted and immutable once built. Thread rule: decisions from any thread; they neither allocate
// nor lock. Units: unix ns. Cost: a decision looks only at the grants of the subject's own principals that speak of the
// resource's type, and where these are many, at those of its scopes and names.
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
    int64_t scope_id;                           // of the team or project; the tenant's (or 0) for SCOPE_TENANT
    int64_t scope_team;                         // of a SCOPE_PROJECT: the team that the project is of, where known
    struct str resource;                        // "", "model/gpt-5", "model/gpt-*", "project/*"
    struct str condition;                       // "", "env=prod", "env!=prod", "env=prod,region=eu": all of them
    int64_t not_before, expires_at, revoked_at; // 0 = none; a grant that was revoked is so for good
    int64_t parent;                             // the grant it was delegated from; 0 = none
    int64_t elevation;                          // the request it answers; 0 = none
    struct principal granted_by;
};
// Whether the texts of a grant can be read: its permissions, selector and condition. ERR_INVALID_FIELD.
NODISCARD bool policy_grant_check(const struct policy_grant *grant, struct err *err);

// The roles every tenant has; their names cannot be given to others.
size_t policy_builtin_count(void);
const struct policy_role *policy_builtin(size_t i);
struct str policy_builtin_help(size_t i);

NODISCARD bool policy_builder_create(struct policy_builder **out_builder, struct err *err);
void policy_builder_free(struct policy_builder *builder); // NULL is fine
// Texts are copied; things may come in any order. A role whose parent does not exist, or with an unknown permission,
// gives nothing by that part; roles that inherit from one another in a circle give the same; policy_faults counts them.
NODISCARD bool policy_add_role(struct policy_builder *builder, const struct policy_role *role, struct err *err);
NODISCARD bool policy_add_grant(struct policy_builder *builder, const struct policy_grant *grant, struct err *err);
// Membership: the principal holds the team's grants.
NODISCARD bool policy_add_member(struct policy_builder *builder, int64_t team, struct principal member,
                                 struct err *err);
// What is known of a user, service account, team or tenant: the tenant it is of (a tenant: itself) and whether it is
// active. Of whom nothing is known: active, at home nowhere.
NODISCARD bool policy_add_principal(struct policy_builder *builder, struct principal principal, int64_t home,
                                    bool active, struct err *err);
NODISCARD bool policy_build(struct policy_builder *builder, struct policy **out_policy, struct err *err);
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy); // NULL is fine
size_t policy_faults(const struct policy *policy);
size_t policy_grant_count(const struct policy *policy);
const struct policy_grant *policy_grant_at(const struct policy *policy, size_t i);
// By its id; NULL when the policy does not have it.
const struct policy_grant *policy_grant_find(const struct policy *policy, int64_t id);

// Adds to a list of `max` places, of which *io_n are taken, those who hold what one of the list delegated, and so on
// down the chains. False: there are more than it has room for.
bool policy_add_borrowers(const struct policy *policy, struct principal *list, size_t max, size_t *io_n);

// --- roles, and the matrix of what each may do ---

struct policy_role_view {
    int64_t tenant; // 0 = built in
    struct str name;
    const struct permission_set *permissions; // with those of its parents
};
// The built-in roles first, then the custom ones.
size_t policy_role_count(const struct policy *policy);
void policy_role_at(const struct policy *policy, size_t i, struct policy_role_view *out_role);
// A tenant's role of that name, or a built-in one. False when there is none.
bool policy_role_find(const struct policy *policy, int64_t tenant, struct str name, struct policy_role_view *out_role);
// Whether a role can be written: its name is none of a built-in role, its parents exist and do not lead back to it, its
// permissions exist. *out_permissions: what it would give, with its parents'.
NODISCARD bool policy_role_check(const struct policy *policy, const struct policy_role *role,
                                 struct permission_set *out_permissions, struct err *err);
// Role by role (the built-in ones and the tenant's; tenant 0: all), what it may do with each type, as JSON:
// {"resources": [{"type", "actions"}…], "roles": [{"name", "builtin", "permissions": {"key": ["read", …]}}…]}.
void policy_put_matrix(const struct policy *policy, int64_t tenant, struct json_writer *w);

// --- deciding ---

// Who asks, prepared once and used for many decisions.
struct policy_subject {
    struct principal principal;
    int64_t tenant;                      // home; its PRINCIPAL_TENANT grants count
    const struct permission_set *within; // scopes of an API key or token: nothing beyond them; NULL = no such bound
    const struct policy_slot *own;       // set by policy_subject_init
    const struct policy_slot *all;       // likewise: of the tenant
    int64_t team, project; // of a PRINCIPAL_KEY: it lies there, and its scopes reach no further; may be set after init
};
void policy_subject_init(const struct policy *policy, struct principal principal, int64_t tenant,
                         const struct permission_set *within, struct policy_subject *out_subject);

// It, or its tenant, is suspended or gone: it may do nothing at all.
bool policy_suspended(const struct policy_subject *subject);

enum policy_reason {
    POLICY_OPERATOR, // allowed: operators may do everything
    POLICY_GRANTED,
    POLICY_DENIED,        // by an explicit deny
    POLICY_NO_GRANT,      // nothing allows it
    POLICY_BEYOND_SCOPES, // the key's or token's scopes leave it out
    POLICY_BY_SCOPES,     // allowed: the scopes of a key without an owner
    POLICY_SUSPENDED,     // who asks, or its tenant, is suspended
    POLICY_REASON_COUNT
};
struct str policy_reason_text(enum policy_reason reason); // "granted"
#define POLICY_CHAIN_MAX 16                               // delegations of delegations
struct policy_decision {
    bool allowed;
    enum policy_reason reason;
    const struct policy_grant *grant; // the one that allowed or denied it; NULL = none. Lives as long as the policy
};
bool policy_decide(const struct policy *policy, const struct policy_subject *subject, enum action action,
                   const struct policy_resource *resource, int64_t now_ns, struct policy_decision *out_decision);
// As above, and the whole reasoning as JSON: {"allowed", "reason", "because", "action", "resource", "grant", "chain":
// [the grant, the one it was delegated from, … to the origin], "considered": [{"grant", "applies", "why_not"}…]}.
bool policy_explain(const struct policy *policy, const struct policy_subject *subject, enum action action,
                    const struct policy_resource *resource, int64_t now_ns, struct buf *out_json);

// Whether the answer is the same for every resource of the type in the tenant: then lists need no look at each row.
// False: look at each.
bool policy_decides_alike(const struct policy *policy, const struct policy_subject *subject, enum action action,
                          enum resource_type type, int64_t tenant, int64_t now_ns, bool *out_allowed);

// --- giving: nobody can give, lend, make or approve what is not theirs ---
//
// All of these refuse in doubt, with ERR_FORBIDDEN, and *err says what exceeds. Besides them the caller must hold the
// plain permission (grant:create, grant:delegate, role:update, key:create, elevation:approve …). What is held by a
// delegation or an elevation can only be lent on (a grant with that one as its parent), so that it ends with it. The
// giver's principals and the receiver's must be in the policy (policy_load_…). A key without an owner can give nothing.

// Whether everything the grant would give is already the giver's, at its scope, for its whole time. With a parent:
// whether the giver holds the parent and the grant stays within it. Of a deny: whether the giver may do what it denies.
NODISCARD bool policy_may_give(const struct policy *policy, const struct policy_subject *giver,
                               const struct policy_grant *grant, int64_t now_ns, struct err *err);
// Whether a grant may be revoked or deleted: always, unless it is a deny, which only who may do what it denies can
// lift.
NODISCARD bool policy_may_lift(const struct policy *policy, const struct policy_subject *giver,
                               const struct policy_grant *grant, int64_t now_ns, struct err *err);
// Whether the giver may change what a tenant's role gives, from `before` to `after` (an absent one is NULL: for making
// and removing it): all that is in only one of them must be the giver's, in the whole tenant and for good.
NODISCARD bool policy_may_change_role(const struct policy *policy, const struct policy_subject *giver,
                                      const struct policy_role *before, const struct policy_role *after, int64_t now_ns,
                                      struct err *err);
// Whether the giver may come to act as another, or let somebody: everything that one holds (within `only`, NULL = all)
// must be the giver's. For keys of another owner, new passwords of others, and membership in a team (both ways).
NODISCARD bool policy_may_become(const struct policy *policy, const struct policy_subject *giver,
                                 struct principal other, int64_t home, const struct permission_set *only,
                                 int64_t now_ns, struct err *err);
struct policy_key {
    int64_t tenant, team, project;
    struct principal owner; // PRINCIPAL_NOBODY = none
    struct permission_set scopes;
    int64_t expires_at;
};
// Whether the giver may make a key like this, or change one to it.
NODISCARD bool policy_may_make_key(const struct policy *policy, const struct policy_subject *giver,
                                   const struct policy_key *key, int64_t now_ns, struct err *err);

// A request for a role for a time, which a second person approves.
#define POLICY_ELEVATION_MIN_S 60
#define POLICY_ELEVATION_MAX_S (24 * 3600)
struct policy_elevation {
    int64_t id, tenant;
    struct principal requester;
    struct str role;
    enum scope_kind scope;
    int64_t scope_id, scope_team;
    int64_t duration_s;
};
// Whether it can be asked for: there is such a role, the time is within bounds. ERR_INVALID_FIELD.
NODISCARD bool policy_elevation_check(const struct policy *policy, const struct policy_elevation *request,
                                      struct err *err);
// Four eyes: the approver is another person, holds elevation:approve at that scope and may give the role. *out_grant is
// what is to be given, from now on for that time; its texts are borrowed.
NODISCARD bool policy_may_approve(const struct policy *policy, const struct policy_subject *approver,
                                  const struct policy_elevation *request, int64_t now_ns,
                                  struct policy_grant *out_grant, struct err *err);

#endif
