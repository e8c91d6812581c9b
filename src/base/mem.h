// The one entry through which the process allocates: counted, capped, and able to fail on command in tests.
//
// Ownership: what mem_alloc/mem_realloc return belongs to the caller until mem_free. Thread rule: any thread.
// Errors: NULL when out of memory, over the cap, or told to fail; callers must cope.
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/defs.h"
#include "base/str.h"

NODISCARD void *mem_alloc(size_t n);
// Zeroed; count * size is checked for overflow.
NODISCARD void *mem_zalloc(size_t count, size_t size);
// As realloc; on failure the old block stays valid.
NODISCARD void *mem_realloc(void *p, size_t n);
void mem_free(void *p);
// Usable bytes of a block, at least what was asked for; 0 for NULL.
size_t mem_size(void *p);
// Owned, NUL-terminated copy.
NODISCARD char *mem_strdup(struct str s);

// For start-up and the command line only, where there is nothing to fall back to: aborts with a message.
NODISCARD void *mem_must(void *p);

struct mem_stats {
    uint64_t allocs; // calls that succeeded
    uint64_t frees;
    uint64_t failed; // refused or failed calls
    uint64_t bytes;  // usable bytes now held
};
void mem_stats_get(struct mem_stats *out_stats);
// Refuse allocations that would take the total past `bytes`; 0 = no cap.
void mem_cap_set(uint64_t bytes);
// The Nth allocation from now fails (1 = the next one), once; 0 = none.
void mem_fail_nth(uint64_t n);

// __attribute__((cleanup)) helper for a pointer variable.
static inline void mem_free_ptr(void *pp) {
    void *p;
    memcpy(&p, pp, sizeof p);
    mem_free(p);
}
#define AUTO_FREE CLEANUP(mem_free_ptr)

#endif
