// Reads the usage ledger for reports: the table merged with records that are still only in the log's segments.
//
// Read-only: works beside a running server, and after one was killed. A record in both places is given once. Ownership:
// the slices of a row are valid during the callback. Thread rule: one thread a call. Errors: ERR_STORE, ERR_IO.
#ifndef STORE_LEDGER_READ_H
#define STORE_LEDGER_READ_H

#include "base/err.h"
#include "store/usage.h"

enum ledger_group {
    LEDGER_GROUP_NONE,
    LEDGER_GROUP_KEY,
    LEDGER_GROUP_MODEL,
    LEDGER_GROUP_PROVIDER,
    LEDGER_GROUP_DAY,
    LEDGER_GROUP_TENANT
};

struct ledger_query {
    struct str data_dir;
    struct str database;  // as in ledger_options
    int64_t since, until; // ns since 1970 UTC, since ≤ ts < until; until 0 = no end
    uint64_t key_id;      // 0 = any
    uint64_t tenant_id;   // 0 = any
    struct str model;     // requested or upstream name; empty = any
    uint64_t limit;       // the newest rows, or the first groups; 0 = all
    enum ledger_group group;
};

// One record (LEDGER_GROUP_NONE: newest first), or one group with sums, largest cost first (days: newest first).
struct ledger_row {
    struct usage_record rec; // a group: tokens, cost are sums, latency and ttft averages, and of the other fields only
                             // what it was grouped by is set: key_id; model; provider; ts = midnight UTC; tenant_id
    uint64_t requests;       // 1, or the group's count
    uint64_t errors;         // of those with a status of 400 or more, or an error in the middle of a stream
    uint64_t unpriced;       // of those with USAGE_PRICE_UNKNOWN
};

// each returns false to stop early, which is no error.
NODISCARD bool ledger_read(const struct ledger_query *query, bool (*each)(void *arg, const struct ledger_row *row),
                           void *arg, struct err *err);

#endif
