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
    LEDGER_GROUP_TENANT,
    LEDGER_GROUP_HOUR,
    LEDGER_GROUP_TEAM,
    LEDGER_GROUP_PROJECT,
    LEDGER_GROUP_OWNER,
    LEDGER_GROUP_UPSTREAM_MODEL,
    LEDGER_GROUP_ENDPOINT,
    LEDGER_GROUP_STATUS,
    LEDGER_GROUP_ERROR,
    LEDGER_GROUP_TAGS,
    LEDGER_GROUP_TASK,
    LEDGER_GROUP_MONTH,
    LEDGER_GROUP_COUNT
};

// Where usage lies: as its record says, 0 = in none.
struct ledger_place {
    uint64_t team_id, project_id;
};

// What is zero or empty does not filter.
struct ledger_query {
    struct str data_dir;
    struct str database;  // as in ledger_options
    int64_t since, until; // ns since 1970 UTC, since ≤ ts < until; until 0 = no end
    uint64_t tenant_id;
    uint64_t key_id, team_id, project_id, owner_id;
    uint8_t owner_kind; // with owner_id
    bool in_places;     // only what lies in one of these, of which there may be none
    const struct ledger_place *places;
    size_t n_places;
    struct str model;    // requested or upstream name
    struct str provider; // its name
    struct str error;    // err_info()->wire_code
    struct str tag;      // "name=value"
    struct str task;     // its name
    unsigned endpoint;   // enum usage_endpoint, and one
    unsigned status;     // HTTP status
    bool errors;         // only those with a status of 400 or more, or an error in the middle of a stream
    uint64_t request_id;
    int64_t min_cost_nano, min_latency_us; // at least so much. Sums with these read every record in the range
    // LEDGER_GROUP_NONE: only records older than this one, for the next page; before_id 0 = from the newest.
    int64_t before_ts;
    uint64_t before_id;
    uint64_t limit; // the newest rows, or the first groups; 0 = all
    enum ledger_group group;
};

// One record (LEDGER_GROUP_NONE: newest first), or one group with sums, largest cost first (hours, days, months: newest
// first).
struct ledger_row {
    struct usage_record
        rec; // a group: tokens, attempts and money are sums, latency and ttft averages, and of the other fields only
             // what it was grouped by is set: key_id; model; ts = the hour's, day's or month's start; …
    uint64_t requests;  // 1, or the group's count
    uint64_t errors;    // of those with a status of 400 or more, or an error in the middle of a stream
    uint64_t unpriced;  // of those with USAGE_PRICE_UNKNOWN
    int64_t saved_nano; // as usage_saved
};

// each returns false to stop early, which is no error.
NODISCARD bool ledger_read(const struct ledger_query *query, bool (*each)(void *arg, const struct ledger_row *row),
                           void *arg, struct err *err);

#endif
