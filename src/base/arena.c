// Bump allocation with one lifetime.
#include "base/arena.h"

#include "base/mem.h"
#include "base/secret.h"

#include <stdio.h>

#define BLOCK_DEFAULT 4096

struct arena_block {
    struct arena_block *next;
    size_t cap;
};
static_assert(sizeof(struct arena_block) % 16 == 0, "blocks keep 16-byte alignment");

void arena_init(struct arena *a, struct pool *pool, size_t block_size, size_t max) {
    *a = (struct arena){.pool = pool, .block_size = block_size ? block_size : BLOCK_DEFAULT, .max = max};
}

void arena_free(struct arena *a) {
    while (a->head) {
        struct arena_block *block = a->head;
        a->head = block->next;
        if (a->pool)
            pool_put(a->pool, block, block->cap);
        else
            mem_free(block);
    }
    a->next = a->end = NULL;
    a->held = 0;
    a->refused = false;
}

void arena_wipe_free(struct arena *a) {
    for (struct arena_block *b = a->head; b; b = b->next) secret_wipe(b + 1, b->cap - sizeof *b);
    arena_free(a);
}

static void *refuse(struct arena *a) {
    a->refused = true;
    return NULL;
}

void *arena_alloc_slow(struct arena *a, size_t n) {
    size_t want;
    if (__builtin_add_overflow(n, sizeof(struct arena_block) + 15, &want)) return refuse(a);
    want = (want & ~(size_t)15);
    size_t cap = MAX(want, a->block_size);
    if (cap > a->max || a->held > a->max - cap) {
        cap = want; // a full block no longer fits, an exact one may
        if (cap > a->max || a->held > a->max - cap) return refuse(a);
    }
    struct arena_block *block = a->pool ? pool_get(a->pool, cap, &cap) : mem_alloc(cap);
    if (!block) return refuse(a);
    block->cap = cap;
    block->next = a->head;
    a->head = block;
    a->held += cap;
    char *p = (char *)block + sizeof *block, *next = p + ((n + 15) & ~(size_t)15), *end = (char *)block + cap;
    // What is left of the block before goes on being used while that is more.
    if (end - next >= a->end - a->next) {
        a->next = next;
        a->end = end;
    }
    return p;
}

void *arena_zalloc(struct arena *a, size_t n) {
    void *p = arena_alloc(a, n);
    if (p) memset(p, 0, n);
    return p;
}

struct str arena_str(struct arena *a, struct str s) {
    if (s.n == 0) return STR("");
    char *p = arena_alloc(a, s.n);
    if (!p) return STR_NONE;
    memcpy(p, s.p, s.n);
    return str_of(p, s.n);
}

char *arena_cstr(struct arena *a, struct str s) {
    char *p = arena_alloc(a, s.n + 1);
    if (!p) return NULL;
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str arena_printf(struct arena *a, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p) vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p ? str_of(p, (size_t)n) : STR_NONE;
}
