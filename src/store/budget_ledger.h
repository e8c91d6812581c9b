// What the usage ledger says was used of budgets, with what is still only in the log's segments: for a data directory
// on which no server counts, or none that can be asked.
//
// Ownership: budget_ledger_open … budget_ledger_close; the directory outlives it. Thread rule: one thread; blocks.
// Units: as store/budget.h. Errors: those of sql.h, ERR_IO.
#ifndef STORE_BUDGET_LEDGER_H
#define STORE_BUDGET_LEDGER_H

#include "store/budget.h"
#include "store/datadir.h"

struct budget_ledger;

// As it is at this moment, of one tenant. segments: with what is not in the tables yet, which takes longer and is worth
// it where no server brings it there within moments.
NODISCARD bool budget_ledger_open(const struct datadir *dir, int64_t tenant, bool segments,
                                  struct budget_ledger **out_ledger, struct err *err);
// Of the tenant; it lives as long as the ledger.
struct str budget_ledger_time_zone(const struct budget_ledger *ledger);
void budget_ledger_close(struct budget_ledger *ledger); // NULL is fine
// Of requests that came in at since or later, but before until. *out_reserved: what was set aside for those that were
// begun and not ended, and does not count as used yet; of concurrency only that, the number of them.
NODISCARD bool budget_ledger_used(struct budget_ledger *ledger, const struct budget_row *row, int64_t since,
                                  int64_t until, uint64_t *out_used, uint64_t *out_reserved, struct err *err);

#endif
