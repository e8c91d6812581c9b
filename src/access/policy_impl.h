// What a policy is made of; for the files policy*.c alone.
#ifndef ACCESS_POLICY_IMPL_H
#define ACCESS_POLICY_IMPL_H

#include "access/policy.h"
#include "access/policy_selector.h"
#include "base/arena.h"
#include "base/vec.h"

#define NO_GRANT UINT32_MAX
#define NO_SLOT UINT32_MAX
#define FOREVER INT64_MAX

// --- roles ---

struct role {
    int64_t tenant;
    struct str name, parents;
    struct permission_set own, all; // all: with the parents'
    uint32_t *links;                // its parents, in the table's list
    size_t n_links;
};
// Ordered by tenant, then name: the built-in ones stand first.
struct role_table {
    VEC(struct role) list;
    struct arena *arena;
};
// The texts are borrowed. Faults are counted, not told.
NODISCARD bool role_table_add(struct role_table *table, const struct policy_role *role, size_t *io_faults);
// Sorts, and works out what each role gives. False: out of memory.
NODISCARD bool role_table_resolve(struct role_table *table, size_t *io_faults);
// A built-in role, or the tenant's; NULL when there is none.
struct role *role_table_find(const struct role_table *table, int64_t tenant, struct str name);

// --- grants ---

// Where and when something is given, compiled.
struct reach {
    int64_t tenant, scope_id, scope_team;
    int64_t from, until; // until: FOREVER when it has no end
    struct selector selector;
    const struct tag_condition *condition; // NULL = none
    enum scope_kind scope;
};
struct grant {
    struct reach reach;
    const struct permission_set *permissions;
    uint32_t parent; // NO_GRANT: has none, or it is not here (lost)
    uint32_t holder; // slots
    uint32_t giver;
    uint32_t tenant_slot; // of everybody of reach.tenant
    bool deny, revoked, lost;
    bool idle; // the tenant it is of is suspended
};

// --- principals ---

// Grants of one principal that speak of one type: few are looked at one by one, many are found by scope and name.
struct entry {
    uint32_t grant;
    uint32_t actions; // of the type
};
struct group { // entries with the same key stand together
    uint64_t key;
    uint32_t first, n; // n = 0: a free place
};
#define PREFIX_LENGTHS_MAX 12
struct bucket {
    uint32_t first, n;     // entries
    uint32_t groups, mask; // the table of groups, unless mask is 0
    uint8_t scopes;        // which there are, as bits
    bool exact;            // there are selectors of single names
    uint8_t n_lengths;
    uint16_t lengths[PREFIX_LENGTHS_MAX]; // of prefixes
};
struct policy_slot {
    struct principal principal;
    int64_t home;
    uint32_t grants, n_grants; // in policy->by_holder
    uint32_t types[2];         // [deny]: which types have a bucket, as bits
    uint32_t buckets[2];       // the first of them
    uint32_t teams, n_teams;   // slots, in policy->teams
    uint32_t everybody;        // the slot of its home; NO_SLOT
    bool suspended;
};

struct policy {
    uint64_t refs;
    struct arena arena;
    struct role_table roles;
    VEC(struct policy_grant) told; // as they were given, sorted by id
    struct grant *grants;          // the same, compiled
    VEC(struct policy_slot) slots;
    uint32_t *by_principal; // open addressing: 1 + slot
    size_t by_principal_mask;
    uint32_t *by_holder; // grants, slot by slot
    uint32_t *teams;
    VEC(struct bucket) buckets;
    VEC(struct entry) entries;
    VEC(struct group) groups;
    size_t faults;
};

// NULL when there is none.
const struct policy_slot *policy_slot_find(const struct policy *policy, struct principal principal);

// --- deciding ---

struct query {
    const struct policy *policy;
    enum action action;
    const struct policy_resource *resource;
    int64_t now;
    uint64_t id_hash, name_hash; // of the whole texts, once a table was looked into
    bool hashed;
};
enum why {
    WHY_APPLIES,
    WHY_REVOKED,
    WHY_NOT_YET,
    WHY_EXPIRED,
    WHY_OTHER_PERMISSION,
    WHY_OTHER_SCOPE,
    WHY_OTHER_RESOURCE,
    WHY_CONDITION,
    WHY_IDLE,
    WHY_PARENT_GONE,
    WHY_PARENT_NARROWER,
    WHY_GIVER_LOST,
    WHY_GIVER_DENIED,
    WHY_TENANT_DENIES,
    WHY_COUNT
};
// Whether the grant by itself applies; for an allow also its chain. home: the tenant of who holds it.
enum why grant_applies(struct query *q, uint32_t grant, int64_t home);
// A grant's own texts alone: time, permission, scope, selector, condition.
enum why grant_alone_applies(const struct query *q, const struct grant *g);
// Whether the slot's principal, one of its teams or its tenant holds the grant.
bool slot_holds(const struct policy *policy, const struct policy_slot *slot, uint32_t grant);
// The key of a group in a bucket's table.
uint64_t group_key(enum scope_kind scope, int64_t scope_id, enum selector_kind kind, uint64_t text_hash);
#define GROUP_SEED 0x9e3779b97f4a7c15u

// Whether an explicit deny of the slot's principal, its teams or its tenant applies.
bool slot_denied(struct query *q, const struct policy_slot *slot);
// Operators and the server itself.
bool slot_is_operator(const struct policy_slot *slot);
bool slot_suspended(const struct policy *policy, const struct policy_slot *slot);

// Every slot whose grants a subject has: *io starts at 0; NULL at the end.
const struct policy_slot *subject_slot(const struct policy *policy, const struct policy_subject *subject, uint32_t *io);
#define BUCKET_SCAN_MAX 16

#endif
