// The set of requests that were begun and not ended yet, each with the segment that says so.
//
// Ownership: values are borrowed. Thread rule: one thread. Errors: begun_put is false when out of memory.
#ifndef STORE_LEDGER_BEGUN_H
#define STORE_LEDGER_BEGUN_H

#include "base/defs.h"

struct begun_slot {
    uint64_t id; // 0 = free
    void *where;
};
struct begun {
    struct begun_slot *slots;
    size_t n, cap; // cap: 0 or a power of two
};

void begun_free(struct begun *b);
// NULL when absent.
void *begun_get(const struct begun *b, uint64_t id);
// Unless it is there; id and where not zero. *out_new: it was not.
NODISCARD bool begun_put(struct begun *b, uint64_t id, void *where, bool *out_new);
// What was there, or NULL.
void *begun_take(struct begun *b, uint64_t id);
// Takes out all that are `where`.
void begun_purge(struct begun *b, const void *where);

#endif
