// Builds policies from the database: for those who ask, for the owners of API keys, for a whole tenant.
//
// Whatever is loaded brings along what its decisions hang on: the grants that others were delegated from, what is
// denied to those who delegated them, roles, and who is suspended. Somebody whose row is gone counts as suspended.
//
// Ownership: the policy is the caller's, to policy_unref. Thread rule: blocks on the database: the connection's.
// Errors: those of sql.h; ERR_OVERLOADED past POLICY_GRANTS_MAX.
#ifndef ACCESS_POLICY_LOAD_H
#define ACCESS_POLICY_LOAD_H

#include "access/policy.h"
#include "store/sql.h"

// For decisions on these principals (users, service accounts, teams, tenants; a user or service account brings its
// teams and its tenant; a tenant its roles), and for guarding what they give one another. By index only: cost does not
// grow with the number of other users and grants.
NODISCARD bool policy_load_principals(struct sql *db, const struct principal *principals, size_t n,
                                      struct policy **out_policy, struct err *err);
// For decisions on all who own API keys, and on keys without owners.
NODISCARD bool policy_load_owners(struct sql *db, struct policy **out_policy, struct err *err);
// For decisions on everybody who has anything to say in a tenant: its own people and those from elsewhere.
NODISCARD bool policy_load_tenant(struct sql *db, int64_t tenant, struct policy **out_policy, struct err *err);

#endif
