// The inside of quotas: counters with their windows, and the index of budgets.
//
// A counter has four windows, of which one is current; its number says which. A turn to the next period prepares the
// window after it and then raises the number, so that whoever sees the number sees the window ready, and what is
// settled late still finds the one it was reserved in. One that is settled more than two periods late finds it gone.
#ifndef ACCESS_QUOTA_IMPL_H
#define ACCESS_QUOTA_IMPL_H

#include "access/quota.h"
#include "os/thread.h"
#include "os/zone_file.h"

#define QUOTA_WINDOWS 4
#define QUOTA_LATE 2 // periods

// Times are cast to unsigned for the atomic cells.
struct quota_window {
    uint64_t start, end;
    uint64_t used;    // with what is reserved
    uint64_t settled; // without
    uint64_t cap;
    uint64_t told;                   // percent
    uint64_t refused;                // not 0: a request was
    uint64_t saved;                  // of settled; the saver's
    uint64_t all_used, all_reserved; // of all nodes, as last heard
    uint64_t beyond;                 // what others used, and `used` does not count
    uint64_t untold;                 // of settled: nobody else knows of it yet (quota_pin)
    uint64_t looked, quiet;          // quota_stirs
};

// What all nodes have used, as far as is known here.
static inline uint64_t quota_window_settled(const struct quota_window *w) {
    return MAX(atom_load_relaxed(&w->settled), atom_load_relaxed(&w->all_used));
}

// `used` as it counts. Of all nodes it was heard (quota_sync) as of a moment when less was under way, or from one that
// had forgotten what was: then more is given back than was in it, and what this node has settled is used all the same.
static inline uint64_t quota_window_counts(const struct quota_window *w, uint64_t used) {
    uint64_t settled = atom_load_relaxed(&w->settled);
    return (int64_t)(used - settled) < 0 ? settled : used;
}
static inline uint64_t quota_window_used(const struct quota_window *w) {
    return quota_window_counts(w, atom_load_relaxed(&w->used));
}

struct quota_counter {
    uint64_t refs;
    uint64_t number;  // of the current window, at number % QUOTA_WINDOWS
    uint64_t turning; // 1: a thread prepares the next one
    const struct zone *zone;
    enum budget_period period;
    bool forever;       // its only window has no end
    int64_t created_at; // of the budget; where a total begins
    struct quota_window windows[QUOTA_WINDOWS];
};

// used: of the window that now_ns lies in.
NODISCARD bool quota_counter_create(const struct zone *zone, const struct budget_row *row, int64_t now_ns,
                                    struct quota_counter **out_counter);
struct quota_counter *quota_counter_ref(struct quota_counter *counter);
void quota_counter_unref(struct quota_counter *counter);
// The number of the window that a request of that time counts in.
uint64_t quota_counter_window(struct quota_counter *counter, int64_t now_ns);
static inline struct quota_window *quota_window_at(struct quota_counter *counter, uint64_t number) {
    return &counter->windows[number % QUOTA_WINDOWS];
}
// NULL: it is gone.
static inline struct quota_window *quota_window_find(struct quota_counter *counter, uint64_t number) {
    return atom_load(&counter->number) - number <= QUOTA_LATE ? quota_window_at(counter, number) : NULL;
}

// --- The index ----------------------------------------------------------------------------------------------------

// Patterns of models are looked through one by one.
#define QUOTA_PATTERNS BUDGET_SCOPE_COUNT

struct quota_group {
    int64_t tenant;
    unsigned scope; // enum budget_scope, or QUOTA_PATTERNS
    int64_t id;
    struct str text;
    size_t first, n; // of budgets
};
struct quota_tenant {
    int64_t id;
    unsigned scopes; // bits: those it has budgets for
};
struct quota_index {
    uint64_t refs;
    uint64_t seed;
    struct arena arena;
    struct quota_budget *budgets; // by group
    size_t n;
    struct quota_group *groups;
    size_t n_groups;
    uint32_t *slots; // open addressing: 1 + index into groups
    size_t slots_mask;
    struct quota_tenant *tenants; // open addressing; id 0 = free
    size_t tenants_mask;
};

struct quota_zone {
    struct quota_zone *next;
    struct zone *zone;
    size_t n;
    char name[];
};

struct quota {
    struct mutex lock; // over index
    struct quota_index *index;
    uint64_t generation; // of index; 1, 2, …
    uint64_t seed;
    uint64_t edits; // of the table, before it was read
    struct mutex load_lock;
    struct quota_zone *zones; // all that were ever needed; under load_lock
    int64_t saved_at, pruned_at;
};

struct quota_index *quota_index_ref(struct quota_index *index);
void quota_index_unref(struct quota_index *index);
// The current one, with a reference.
struct quota_index *quota_current(struct quota *quota, uint64_t *out_generation);
// The group's budgets; NULL when there is none.
const struct quota_group *quota_index_find(const struct quota_index *index, int64_t tenant, unsigned scope, int64_t id,
                                           struct str text);
// Bits of the scopes that the tenant has budgets for; 0 for most.
unsigned quota_index_scopes(const struct quota_index *index, int64_t tenant);

#endif
