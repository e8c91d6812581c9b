// Bump allocation with one lifetime: everything goes at once when the arena is reset.
//
// Arenas are named by lifetime: conf, conn, call, scratch. Ownership: the arena owns all it hands out. Thread rule: one
// thread at a time, the pool's. Errors: NULL when out of memory or past `max`.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/pool.h"
#include "base/str.h"

#include <stdarg.h>

struct arena_block;
struct arena {
    struct arena_block *head;
    char *next, *end;  // free space in one of them
    struct pool *pool; // NULL = straight from base/mem
    size_t held, max;  // bytes in blocks, and their limit
    size_t block_size;
    bool refused; // some allocation, since the arena was begun: what was made of it may lack a piece
};

// Takes no memory until the first allocation. block_size 0 = 4 KiB.
void arena_init(struct arena *a, struct pool *pool, size_t block_size, size_t max);
void arena_free(struct arena *a); // afterwards it is empty and usable again
// As arena_free, overwriting everything first: for arenas that held secrets.
void arena_wipe_free(struct arena *a);
NODISCARD void *arena_alloc_slow(struct arena *a, size_t n);

// 16-byte aligned, not zeroed.
NODISCARD static inline void *arena_alloc(struct arena *a, size_t n) {
    size_t want = (n + 15) & ~(size_t)15;
    if (LIKELY(want >= n && (size_t)(a->end - a->next) >= want && a->next)) {
        void *p = a->next;
        a->next += want;
        return p;
    }
    return arena_alloc_slow(a, n);
}
NODISCARD void *arena_zalloc(struct arena *a, size_t n);
// Copies; p is NULL on failure (and for an empty s points at nothing: n is 0 then).
struct str arena_str(struct arena *a, struct str s);
// NUL-terminated copy, or NULL.
NODISCARD char *arena_cstr(struct arena *a, struct str s);
// Formatted; the empty slice on failure.
PRINTF_LIKE(2, 3) struct str arena_printf(struct arena *a, const char *fmt, ...);
#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (n)))

#endif
