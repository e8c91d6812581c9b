// How budgets stand now: as a running server, or several through Redis, count them; else as the usage ledger says.
//
// Ownership: made at first need for a call, and ended with it. Thread rule: the call's; may wait for Redis. It works on
// connections of its own, so that it can be asked in the middle of a list. Errors: those of quota_list and
// budget_ledger.h.
#ifndef ADMIN_API_BUDGET_USE_H
#define ADMIN_API_BUDGET_USE_H

#include "admin/api.h"
#include "store/budget.h"

enum budget_counter { COUNTED_BY_SERVER, COUNTED_BY_ALL, COUNTED_BY_LEDGER };
struct budget_now {
    int64_t start, end; // of the period; end INT64_MAX = never
    uint64_t used, reserved;
    enum budget_counter by;
};
// The budget as its row says.
struct budget_row budget_of_row(struct entity_row *row);
NODISCARD bool budget_now(struct api_call *call, const struct budget_row *row, bool enabled, struct budget_now *out_now,
                          struct err *err);
// The period before that one, or (NULL) the present one, by the ledger. *out_has: there is one.
NODISCARD bool budget_period_before(struct api_call *call, const struct budget_row *row, const struct budget_now *after,
                                    struct budget_now *out_now, bool *out_has, struct err *err);
void budget_use_end(struct api_call *call);

#endif
