// What usage adds up to hour by hour, combination by combination, for files that other programs read; and which of
// these files were written.
//
// Only what the tables hold: records that are still in the log's segments come later. Ownership: rows shown to a
// visitor are borrowed for the call. Thread rule: the connection's. Units: hours since 1970 UTC; periods and times in
// unix ns. Errors: those of sql.h.
#ifndef STORE_USAGE_HOURS_H
#define STORE_USAGE_HOURS_H

#include "store/sql.h"
#include "store/usage.h"

struct usage_hour_row {
    int64_t hour;
    struct usage_record rec; // what the requests were of; tokens, attempts and money are sums
    struct str tenant_name, key_name;
    uint64_t requests, unpriced, latency_us, ttft_us, ttft_requests; // sums
    int64_t saved_nano;                                              // likewise
};
typedef bool usage_hour_visit(void *arg, const struct usage_hour_row *row, struct err *err);
// By hour, tenant and combination.
NODISCARD bool usage_hours_each(struct sql *db, int64_t from, int64_t to, usage_hour_visit *visit, void *arg,
                                struct err *err);

// Enough of the sums to see that something was added.
struct usage_mark {
    int64_t requests, tokens, cost_nano, latency_us;
};
static inline bool usage_mark_eq(const struct usage_mark *a, const struct usage_mark *b) {
    return a->requests == b->requests && a->tokens == b->tokens && a->cost_nano == b->cost_nano &&
           a->latency_us == b->latency_us;
}
NODISCARD bool usage_hours_mark(struct sql *db, int64_t from, int64_t to, struct usage_mark *out_mark, struct err *err);

// --- files ---

// This server may write until then, unless another one may: *out_holds.
NODISCARD bool usage_export_lease(struct sql *db, struct str target, int64_t holder, int64_t until, int64_t now,
                                  bool *out_holds, struct err *err);
// The newest period that was written; -1 = none.
NODISCARD bool usage_export_last(struct sql *db, struct str target, int64_t *out_period, struct err *err);
NODISCARD bool usage_export_find(struct sql *db, struct str target, int64_t period, bool *out_found,
                                 struct usage_mark *out_mark, struct err *err);
// Written now; forgets those of this target that are older than `forget`.
NODISCARD bool usage_export_note(struct sql *db, struct str target, int64_t period, const struct usage_mark *mark,
                                 int64_t now, int64_t forget, struct err *err);

#endif
