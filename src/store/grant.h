// The rows of grants, and of whom they are given to, as the policy is made from them. (The entities write them.)
//
// Ownership: texts shown to a visitor are borrowed for the call; a visitor runs no statement of this file, and ends the
// walk by returning false with *err set. Thread rule: the connection's. Units: unix nanoseconds, 0 = none. Cost: by
// index, whatever there is besides, unless said otherwise. Errors: those of sql.h.
#ifndef STORE_GRANT_H
#define STORE_GRANT_H

#include "store/sql.h"

struct grant_row {
    int64_t id, tenant_id;
    struct str principal_kind;
    int64_t principal_id;
    struct str effect, role, permissions;
    struct str scope_kind;
    int64_t scope_id;
    int64_t scope_team; // of a project: the team it is of; 0 = none
    struct str resource, condition;
    int64_t not_before, expires_at, revoked_at;
    struct str granted_by_kind;
    int64_t granted_by_id;
    int64_t parent_id, elevation_id; // 0 = none
};
typedef bool grant_visit(void *arg, const struct grant_row *row, struct err *err);

enum grant_pick {
    GRANTS_OF_ONE,          // all of the principal
    GRANTS_DENIES_OF_ONE,   // what is denied to the principal
    GRANTS_BY_ID,           // one; kind is not used
    GRANTS_OF_TENANT,       // all that a tenant gave: in its scope; kind and id are not used
    GRANTS_FOR_PLATFORM,    // those that reach all tenants
    GRANTS_OF_OWNERS,       // of those who own API keys
    GRANTS_OF_OWNERS_TEAMS, // of the teams they are in
    GRANTS_OF_KEYS_TENANTS, // for everybody of the tenants that have API keys
    GRANTS_PICK_COUNT
};
NODISCARD bool grant_each(struct sql_scope scope, enum grant_pick pick, struct str kind, int64_t id, grant_visit *visit,
                          void *arg, struct err *err);

// A user, service account, team or tenant.
struct holder_row {
    struct str kind;
    int64_t id;
    int64_t tenant_id; // it is of; 0: there is no such row
    bool active;
};
typedef bool holder_visit(void *arg, const struct holder_row *row, struct err *err);
// kind: "user", "service_account", "team" or "tenant". Of one that is not there: tenant_id 0 and not active.
NODISCARD bool holder_find(struct sql *db, struct str kind, int64_t id, struct holder_row *out_row, struct err *err);
// Everyone who owns an API key that is not revoked, the missing ones too; and every tenant that is not active.
NODISCARD bool holder_each_owner(struct sql *db, holder_visit *visit, void *arg, struct err *err);
NODISCARD bool holder_each_idle_tenant(struct sql *db, holder_visit *visit, void *arg, struct err *err);
// All users and service accounts of a tenant.
NODISCARD bool holder_each_of_tenant(struct sql_scope scope, holder_visit *visit, void *arg, struct err *err);

struct member_row {
    int64_t team_id;
    struct str kind; // of the member
    int64_t id;
};
typedef bool member_visit(void *arg, const struct member_row *row, struct err *err);
NODISCARD bool member_each_of_one(struct sql *db, struct str kind, int64_t id, member_visit *visit, void *arg,
                                  struct err *err);
NODISCARD bool member_each_of_owners(struct sql *db, member_visit *visit, void *arg, struct err *err);
NODISCARD bool member_each_of_tenant(struct sql_scope scope, member_visit *visit, void *arg, struct err *err);

// Grows with every change of roles, grants, members, users, service accounts, teams, projects or tenants, whoever made
// it.
NODISCARD bool grant_edits(struct sql *db, uint64_t *out_edits, struct err *err);

// Whose rights alone, besides those of whom they lent theirs to, one of these changes can have changed. kind: as of a
// holder; a new team, tenant or project, which nobody was given anything in yet. A change of grant_edits that is not
// among them is one of anybody's rights, or an old one.
struct access_change {
    uint64_t number; // of grant_edits
    struct str kind;
    int64_t id;
};
typedef bool access_change_visit(void *arg, const struct access_change *change, struct err *err);
// Those after `since`, up to `until`.
NODISCARD bool access_change_each(struct sql *db, uint64_t since, uint64_t until, access_change_visit *visit, void *arg,
                                  struct err *err);

#endif
