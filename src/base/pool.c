// Free lists of memory blocks by size class, with byte accounting.
#include "base/pool.h"

#include "base/mem.h"

struct pool_block {
    struct pool_block *next;
};

static unsigned class_of(size_t n) {
    if (n <= ((size_t)1 << POOL_CLASS_MIN_BITS)) return 0;
    unsigned bits = (unsigned)(64 - __builtin_clzl(n - 1));
    return bits - POOL_CLASS_MIN_BITS;
}

void pool_init(struct pool *pool, size_t idle_max) { *pool = (struct pool){.idle_max = idle_max}; }

void *pool_get(struct pool *pool, size_t n, size_t *out_cap) {
    size_t cap = n;
    struct pool_block *block = NULL;
    if (n <= POOL_BLOCK_MAX) {
        unsigned c = class_of(n);
        cap = (size_t)1 << (c + POOL_CLASS_MIN_BITS);
        block = pool->free[c];
        if (block) {
            pool->free[c] = block->next;
            pool->idle_bytes -= cap;
        }
    }
    if (!block) block = mem_alloc(cap);
    if (!block) return NULL;
    pool->used_bytes += cap;
    *out_cap = cap;
    return block;
}

void pool_put(struct pool *pool, void *p, size_t cap) {
    if (!p) return;
    INVARIANT(pool->used_bytes >= cap);
    pool->used_bytes -= cap;
    if (cap > POOL_BLOCK_MAX || pool->idle_bytes + cap > pool->idle_max) {
        mem_free(p);
        return;
    }
    struct pool_block *block = p;
    unsigned c = class_of(cap);
    block->next = pool->free[c];
    pool->free[c] = block;
    pool->idle_bytes += cap;
}

void pool_trim(struct pool *pool, size_t keep) {
    for (unsigned c = POOL_CLASSES; c-- > 0;) {
        size_t cap = (size_t)1 << (c + POOL_CLASS_MIN_BITS);
        while (pool->free[c] && pool->idle_bytes > keep) {
            struct pool_block *block = pool->free[c];
            pool->free[c] = block->next;
            pool->idle_bytes -= cap;
            mem_free(block);
        }
    }
}

void pool_free(struct pool *pool) { pool_trim(pool, 0); }
