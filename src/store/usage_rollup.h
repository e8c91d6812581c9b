// What usage adds up to: the combinations that requests were of (usage_dim), and their sums by hour, quarter of a
// day, day, dekad and month; by hour and day also what each facet of them adds up to alone.
//
// The sums of a batch are gathered in memory and added to the tables once, in the transaction that inserts its rows.
// Ownership: the caller's, until usage_rollup_free. Thread rule: one thread. Units: as in usage.h; an hour is ts
// divided by 3,600 s. Errors: those of sql.h.
#ifndef STORE_USAGE_ROLLUP_H
#define STORE_USAGE_ROLLUP_H

#include "base/map.h"
#include "base/vec.h"
#include "store/sql.h"

// The columns of usage_dim but for its id, in their order.
enum {
    DIM_TENANT,
    DIM_KEY,
    DIM_TEAM,
    DIM_PROJECT,
    DIM_OWNER_KIND,
    DIM_OWNER,
    DIM_PROVIDER,
    DIM_MODEL,
    DIM_UPSTREAM_MODEL,
    DIM_ENDPOINT,
    DIM_STATUS,
    DIM_ERROR,
    DIM_TAGS,
    DIM_TASK,
    DIM_COUNT
};
struct usage_dim {
    int64_t v[DIM_COUNT];
};

// What combinations have in common, as series are asked for. The numbers are stored.
enum usage_facet {
    USAGE_FACET_NONE,  // a combination
    USAGE_FACET_MODEL, // as requested, and upstream
    USAGE_FACET_PROVIDER,
    USAGE_FACET_TASK,
    USAGE_FACET_TAGS,
    USAGE_FACET_PLACE,   // team, project
    USAGE_FACET_OUTCOME, // status, error
    USAGE_FACET_ENDPOINT,
    USAGE_FACET_KEY,
    USAGE_FACET_OWNER, // of the key: id, kind
    USAGE_FACET_COUNT
};

// The columns of usage_hour behind dim_id, in their order.
enum {
    SUM_REQUESTS,
    SUM_UNPRICED,
    SUM_TOKENS_IN,
    SUM_TOKENS_CACHED,
    SUM_TOKENS_CACHE_WRITE,
    SUM_TOKENS_OUT,
    SUM_TOKENS_REASONING,
    SUM_COST,
    SUM_LATENCY,
    SUM_TTFT,
    SUM_TTFT_REQUESTS,
    SUM_ATTEMPTS,
    SUM_REFERENCE,
    SUM_SAVED,
    SUM_COUNT
};
// The columns of the tables' keys, in their order.
struct usage_sums_key {
    int64_t tenant;
    int64_t hour; // while they are written: of each table's period
    int64_t facet;
    int64_t value;          // of USAGE_FACET_NONE: dim_id
    int64_t value2, failed; // of other facets
};
struct usage_sums {
    struct usage_sums_key key; // first: the map's keys point here
    int64_t v[SUM_COUNT];
};

struct usage_known; // a combination and its id
struct usage_rollup {
    struct map known; // struct usage_dim → struct usage_known
    struct map by_id; // the same, by their ids
    const struct usage_known *last;
    VEC(struct usage_sums) sums;
    struct map found; // struct usage_sums_key → index in sums, and one
};

void usage_rollup_init(struct usage_rollup *r);
void usage_rollup_free(struct usage_rollup *r);

// The combination's id, stored when it is new: `begin` is called before anything is written.
NODISCARD bool usage_rollup_dim(struct usage_rollup *r, struct sql *db, const struct usage_dim *dim,
                                bool (*begin)(void *arg, struct err *err), void *arg, int64_t *out_id, struct err *err);
// Forgets combinations that a rolled-back transaction may have stored.
void usage_rollup_forget(struct usage_rollup *r);

// Rows of no one combination hold what a tenant's requests add up to in all: those that were errors, and the others.
#define USAGE_DIM_ALL 0
#define USAGE_DIM_ERRORS (-1)
// error: of the combination; sign -1 takes the record's numbers away again.
NODISCARD bool usage_rollup_add(struct usage_rollup *r, int64_t tenant, int64_t ts, int64_t dim, bool error,
                                const int64_t v[SUM_COUNT], int sign, struct err *err);
void usage_rollup_clear(struct usage_rollup *r);
// Adds what was gathered to the tables, and clears it. In the caller's transaction.
NODISCARD bool usage_rollup_write(struct usage_rollup *r, struct sql *db, struct err *err);

#endif
