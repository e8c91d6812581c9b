// Free lists of memory blocks by size class, with byte accounting: where connections and arenas get their memory.
//
// Ownership: a block belongs to the caller until pool_put. Thread rule: one pool belongs to one thread (each event loop
// has its own). Units: bytes. Errors: NULL when out of memory. Blocks over POOL_BLOCK_MAX go straight to base/mem.
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/defs.h"

#define POOL_CLASS_MIN_BITS 9  // 512 bytes
#define POOL_CLASS_MAX_BITS 18 // 256 KiB
#define POOL_CLASSES (POOL_CLASS_MAX_BITS - POOL_CLASS_MIN_BITS + 1)
#define POOL_BLOCK_MAX ((size_t)1 << POOL_CLASS_MAX_BITS)

struct pool_block;
struct pool {
    struct pool_block *free[POOL_CLASSES];
    size_t idle_bytes; // on the free lists
    size_t used_bytes; // handed out
    size_t idle_max;   // blocks put back past this are given to the system
};

void pool_init(struct pool *pool, size_t idle_max);
void pool_free(struct pool *pool);
// At least n bytes; *out_cap says how many there are: pass that same figure to pool_put.
NODISCARD void *pool_get(struct pool *pool, size_t n, size_t *out_cap);
void pool_put(struct pool *pool, void *p, size_t cap);
// Gives what is idle back to the system until no more than `keep` bytes rest on the lists.
void pool_trim(struct pool *pool, size_t keep);

#endif
