// Writes usage records to the database: one transaction a batch, each request id once.
//
// Ownership: the caller's, until ledger_rows_close. Thread rule: one thread; blocks. Errors: those of sql.h; a failed
// batch changes nothing and may be tried again.
#ifndef STORE_LEDGER_ROWS_H
#define STORE_LEDGER_ROWS_H

#include "base/map.h"
#include "base/vec.h"
#include "store/sql.h"
#include "store/usage.h"
#include "store/usage_rollup.h"

// A record in its encoded form: small to sort.
struct ledger_item {
    uint64_t id;
    struct str payload;
    bool unknown; // a BEGIN without its END: the row gets USAGE_STATUS_UNKNOWN
};

// Distinct keys whose last use is gathered before it is written.
#define LEDGER_KEYS_MAX 64
// Names met lately, in front of the map.
#define LEDGER_RECENT_NAMES 64

struct ledger_last_use {
    uint64_t id;
    int64_t ts;
};
struct ledger_name {
    struct str text; // owned by the map
    int64_t id;
};
struct ledger_rows {
    struct sql *db;
    int64_t place; // as in ledger_options
    bool in_transaction;
    struct map names; // text → id in `name`; owns its keys
    struct ledger_name recent[LEDGER_RECENT_NAMES];
    struct ledger_last_use keys[LEDGER_KEYS_MAX];
    size_t n_keys;
    VEC(struct ledger_item) scratch;
    struct usage_rollup rollup;
    VEC(int64_t) gone; // tenants that were or are being deleted, in order: their records are left out
};

// How far a segment is applied once the batch is; offset 0: forget the segment.
struct ledger_mark {
    uint64_t segment;
    uint64_t offset;
};
struct ledger_batch {
    VEC(struct ledger_item) items;
    VEC(struct ledger_mark) marks;
};

NODISCARD bool ledger_rows_open(struct ledger_rows *rows, struct str database, int64_t place, unsigned busy_ms,
                                struct err *err);
void ledger_rows_close(struct ledger_rows *rows);
// Sorts the items by id. A row that exists stays, unless it is an unknown one and the item is not.
NODISCARD bool ledger_rows_write(struct ledger_rows *rows, struct ledger_batch *batch, struct err *err);
// 0 when the segment is not known.
NODISCARD bool ledger_rows_mark(struct ledger_rows *rows, uint64_t segment, uint64_t *out_offset, struct err *err);
// Forgets all segments but those numbered from `first` on.
NODISCARD bool ledger_rows_forget(struct ledger_rows *rows, uint64_t first, struct err *err);

#endif
