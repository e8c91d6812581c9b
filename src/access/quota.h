// Quotas and budgets: what a request will use is reserved before the call, and settled or refunded after it.
//
//   struct quota         one a process: the budgets in force with their counters
//   struct quota_seat    one an event loop: its view of them
//   struct quota_grant   one a request: the budgets it counts in, and what it holds of each
//
// Each budget has a counter with a window, the current period in its tenant's time zone. A reservation adds to the
// counters of all budgets that apply, and takes all of it back when one has too little left. The set of budgets is an
// immutable index, replaced whole when they change; counters outlive that. Nothing here waits or locks, save the
// replacement.
//
// Ownership: quota_create … quota_free after all seats; a seat's grants are closed before it. Thread rule: a seat and
// its grants belong to one thread; struct quota, budgets and counters to all. Units: tokens, nanodollars, unix
// nanoseconds. Errors: none, a reservation is granted or refused.
#ifndef ACCESS_QUOTA_H
#define ACCESS_QUOTA_H

#include "access/who.h"
#include "base/arena.h"
#include "base/buf.h"
#include "store/budget.h"

struct quota;
struct quota_index;
struct quota_counter;
struct quota_hold;

// A budget in force; it lives as long as a grant that counts in it.
struct quota_budget {
    int64_t id, tenant_id;
    struct str name;
    enum budget_scope scope;
    int64_t scope_id;
    struct str scope_text, scope_name;
    enum budget_metric metric;
    enum budget_period period;
    enum budget_action action;
    uint64_t limit;
    struct str downgrade_to;
    unsigned notify_at[BUDGET_THRESHOLDS_MAX];
    unsigned n_notify;
    struct quota_counter *counter;
};

// --- Budgets ------------------------------------------------------------------------------------------------------

NODISCARD bool quota_create(struct quota **out_quota, struct err *err);
void quota_free(struct quota *quota);
// Takes over the budgets that are now in the database. Counters of budgets whose metric, scope, period and time zone
// stay are kept; new ones begin with what the usage ledger says. Blocks on the database: a pool thread, one at a time.
// *out_damaged: rows that cannot be read, and time zones that are none (UTC then).
NODISCARD bool quota_load(struct quota *quota, struct sql *db, int64_t now_ns, uint64_t *out_damaged, struct err *err);
// Records of an earlier process came into the usage ledger after quota_load: counters get what the ledger has beyond
// them. A pool thread.
NODISCARD bool quota_recount(struct quota *quota, struct sql *db, struct err *err);
// Whether the table differs from what was loaded.
NODISCARD bool quota_edited(struct quota *quota, struct sql *db, bool *out_edited, struct err *err);
size_t quota_count(struct quota *quota);

// --- Requests -----------------------------------------------------------------------------------------------------

struct quota_seat {
    struct quota *quota;
    struct quota_hold *hold; // the index in use; NULL before the first request
    uint64_t generation;
};
// quota NULL: nothing is limited.
void quota_seat_init(struct quota_seat *seat, struct quota *quota);
void quota_seat_free(struct quota_seat *seat);

#define QUOTA_TAGS_MAX 16

// Whose request it is; 0 and empty = none.
struct quota_subject {
    int64_t tenant, team, project, key;
    enum principal_kind owner_kind; // PRINCIPAL_USER, PRINCIPAL_SERVICE_ACCOUNT
    int64_t owner_id;
    struct str model;       // as asked for
    const struct str *tags; // "name=value"
    size_t n_tags;          // those past QUOTA_TAGS_MAX do not count
};
// What is asked for, or was used.
struct quota_ask {
    uint64_t requests, tokens, cost_nano;
};

#define QUOTA_GRANT_MAX 24
struct quota_part {
    const struct quota_budget *budget;
    uint64_t window; // the counter's window it counts in
    uint64_t amount; // what it asks of it; held while the grant is
};
// Zeroed: no budget applies.
struct quota_grant {
    struct quota_hold *hold;
    unsigned n;
    bool held;
    struct quota_part parts[QUOTA_GRANT_MAX];
};

struct quota_refusal {
    const struct quota_budget *budget; // the one with too little left; NULL: more than QUOTA_GRANT_MAX apply
    uint64_t used, asked;
    int64_t resets_at; // 0 = never by itself
    bool by_cap;       // the budget has something left, but not this node's share of it (quota_cap)
};

// Whether budgets of tags could apply to a request of that tenant.
bool quota_wants_tags(struct quota_seat *seat, int64_t tenant);
// Finds the budgets that apply and what is asked of each, and reserves nothing yet. False: none applies, and *out_grant
// is empty. now_ns: when the request came in. A request whose grant is not empty ends with quota_close.
bool quota_match(struct quota_seat *seat, const struct quota_subject *subject, const struct quota_ask *ask,
                 int64_t now_ns, struct quota_grant *out_grant);
// Reserves it: in all budgets, or (false) in none.
NODISCARD bool quota_take(struct quota_grant *grant, struct str model, struct quota_refusal *out_refusal);
// Reserves it without looking at the limits: somebody else (Redis) has said yes.
void quota_force(struct quota_grant *grant);
// Both in one.
NODISCARD bool quota_reserve(struct quota_seat *seat, const struct quota_subject *subject, const struct quota_ask *ask,
                             int64_t now_ns, struct quota_grant *out_grant, struct quota_refusal *out_refusal);
// Without quota_take having been asked: the refusal of the i-th part, of which so much is used.
void quota_refuse(const struct quota_grant *grant, unsigned i, uint64_t used, struct quota_refusal *out_refusal);

// The call is over: what was held becomes what was used. Without a reservation it does nothing.
void quota_settle(struct quota_grant *grant, const struct quota_ask *used);
// The call used nothing: all is given back.
void quota_refund(struct quota_grant *grant);
// Refunds what is still held and forgets the budgets; a zeroed or closed grant is fine.
void quota_close(struct quota_grant *grant);

// Says which budget is used up, whose, how much it is and when it begins anew: ERR_RATE_LIMITED or, for money,
// ERR_QUOTA_EXCEEDED.
void quota_refusal_err(const struct quota_refusal *refusal, int64_t now_ns, struct err *out_err);

// --- Windows ------------------------------------------------------------------------------------------------------

struct quota_state {
    int64_t start, end; // of the window; end INT64_MAX = never
    uint64_t limit;
    uint64_t used;    // with what is reserved
    uint64_t settled; // without
    uint64_t cap;     // quota_cap; QUOTA_NO_CAP when there is none
    // Of all nodes that count together, as quota_heard last said; 0 when it never did.
    uint64_t all_used;     // settled; no less than this node knows by itself
    uint64_t all_reserved; // in requests under way, and shares that nodes hold
};
// How the part's window stands; false when it is long past.
bool quota_part_state(const struct quota_part *part, struct quota_state *out_state);
// What callers are told is used: what this node counts, and what it has heard that others used beyond that.
uint64_t quota_part_shown(const struct quota_part *part);
// This node may use no more than `cap` of the part's window, whatever the limit says: its share, when several nodes
// share the budget. QUOTA_NO_CAP takes it back. A window begins without one.
#define QUOTA_NO_CAP UINT64_MAX
void quota_cap(const struct quota_part *part, uint64_t cap);

// What all nodes together have used of the part's window, this node's requests counted in: it counts on from there,
// save calls at once, of which it counts its own.
void quota_sync(const struct quota_part *part, uint64_t used);
// A part's window for somebody who tells others of what is settled in it, a while later: it outlives grant and budget.
struct quota_pin {
    struct quota_counter *counter;
    uint64_t window, untold;
};
struct quota_pin quota_pin(const struct quota_part *part);
// So much was settled, and is told from now on.
void quota_pin_settled(struct quota_pin *pin, uint64_t amount);
// It was told, or never will be.
void quota_unpin(struct quota_pin *pin);
// What others were told of the window, or can know by the ledger; 0 when it is long past.
uint64_t quota_pin_told(const struct quota_pin *pin);
// What all nodes together have used and reserved, as of a moment ago: it is only shown and told, nothing counts on.
// With a cap, what goes beyond this node's own is what others have used.
void quota_heard(const struct quota_part *part, uint64_t used, uint64_t reserved);
// What other nodes have used, where each counts by itself (quota_cap): callers are told of it.
void quota_others(const struct quota_part *part, uint64_t used);

// The present periods of budgets, whether a request counts in them or not; as grants, they keep their budgets alive.
struct quota_list {
    struct quota_index *index;
    struct quota_part *parts; // amount 0; by tenant
    size_t n;
};
// Of one tenant, or (0) of all, with the periods before.
NODISCARD bool quota_list(struct quota *quota, int64_t tenant, int64_t now_ns, struct quota_list *out_list,
                          struct err *err);
void quota_list_free(struct quota_list *list); // zeroed is fine
// Whether this node has counted in the part's window since the last call or shortly before: what all have used is worth
// asking for. One thread at a time.
bool quota_stirs(const struct quota_part *part);
// The period that a time lies in. Errors: none; what has no end begins with the budget and ends with INT64_MAX.
struct zone;
void quota_period(const struct zone *zone, enum budget_period period, int64_t created_at, int64_t at_ns,
                  int64_t *out_start, int64_t *out_end);

// --- Answers ------------------------------------------------------------------------------------------------------

#define QUOTA_HEADERS_MAX 12
struct quota_header {
    struct str name, value;
};
// RateLimit-Policy, RateLimit, RateLimit-Limit, -Remaining, -Reset and x-ratelimit-{limit,remaining,reset}-{requests,
// tokens} of the budgets that apply; and Retry-After when the call was refused. How many; none when none applies or
// memory is out.
unsigned quota_headers(const struct quota_grant *grant, const struct quota_refusal *refusal, int64_t now_ns,
                       struct arena *arena, struct quota_header out[QUOTA_HEADERS_MAX]);

// --- Upkeep -------------------------------------------------------------------------------------------------------

// A threshold was reached, once a budget and period. Percent; used and limit at that time.
struct quota_notice {
    const struct quota_budget *budget;
    unsigned percent;
    uint64_t used;
    int64_t period_start, period_end;
};
struct quota_listener {
    // In the transaction that notes the threshold as told; false with *err set takes all of that back, until the next
    // time. May be NULL.
    bool (*record)(void *arg, struct sql *db, const struct quota_notice *notice, struct err *err);
    void (*told)(void *arg, const struct quota_notice *notice); // after it
    void *arg;
};
// Saves what was used and tells thresholds that were reached; to be called about once a second on a pool thread, one at
// a time. A threshold is told once its row is saved, so that no restart and no other node tells it again.
NODISCARD bool quota_save(struct quota *quota, struct sql *db, int64_t now_ns, const struct quota_listener *listener,
                          struct err *err);

#endif
