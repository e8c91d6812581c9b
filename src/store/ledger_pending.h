// Usage records that are still only in the log's segments, for reports that merge them with the table.
//
// Ownership: the caller's, until ledger_pending_free; texts live in its arena. Thread rule: one thread. Errors:
// ERR_IO, ERR_NO_MEMORY. Damage is the server's to report; here it only ends what can be read of a segment.
#ifndef STORE_LEDGER_PENDING_H
#define STORE_LEDGER_PENDING_H

#include "base/arena.h"
#include "base/vec.h"
#include "store/ledger_read.h"
#include "store/sql.h"

struct ledger_pending {
    VEC(struct usage_record) list;
    VEC(struct usage_record) begun; // requests that were begun and not ended, with what was set aside for them
    bool with_begun;                // set before the reading: they are wanted
    struct arena arena;
};
void ledger_pending_init(struct ledger_pending *p);
void ledger_pending_free(struct ledger_pending *p);
// All answered records in the segments of the data directory that the query means, each once.
NODISCARD bool ledger_pending_read(struct ledger_pending *p, const struct ledger_query *q, struct err *err);
// Takes out those that are in the table by now, and of those begun the ones that it knows. A row there that is of
// unknown status gives way: its record goes to `unknown` as it stands in the table's sums.
typedef bool ledger_pending_visit(void *arg, const struct usage_record *unknown, struct err *err);
NODISCARD bool ledger_pending_settle(struct ledger_pending *p, struct sql *db, ledger_pending_visit *unknown, void *arg,
                                     struct err *err);
// Newest first.
void ledger_pending_sort(struct ledger_pending *p);
bool ledger_query_means(const struct ledger_query *q, const struct usage_record *rec);

#endif
