// The one entry through which the process allocates.
#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

// The allocator's own accounting is process-wide by nature; relaxed atomics keep it cheap. This is the only mutable
// global state in the product.
static struct { uint64_t allocs, frees, failed, bytes, cap, fail_in; } g_mem;

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define ADD(x, v) __atomic_add_fetch(&(x), (v), __ATOMIC_RELAXED)
#define SUB(x, v) __atomic_sub_fetch(&(x), (v), __ATOMIC_RELAXED)

static bool refused(size_t n) {
    if (UNLIKELY(LOAD(g_mem.fail_in) != 0) && SUB(g_mem.fail_in, 1) == 0) return true;
    uint64_t cap = LOAD(g_mem.cap);
    return UNLIKELY(cap != 0) && LOAD(g_mem.bytes) + n > cap;
}

static void *account(void *p) {
    if (UNLIKELY(!p)) {
        ADD(g_mem.failed, 1);
        return NULL;
    }
    ADD(g_mem.allocs, 1);
    ADD(g_mem.bytes, malloc_usable_size(p));
    return p;
}

void *mem_alloc(size_t n) { return account(refused(n) ? NULL : malloc(n ? n : 1)); }

void *mem_zalloc(size_t count, size_t size) {
    size_t n;
    if (__builtin_mul_overflow(count, size, &n) || refused(n)) return account(NULL);
    return account(calloc(1, n ? n : 1));
}

void *mem_realloc(void *p, size_t n) {
    size_t before = p ? malloc_usable_size(p) : 0;
    if (refused(n)) return account(NULL);
    void *q = realloc(p, n ? n : 1);
    if (!q) return account(NULL);
    SUB(g_mem.bytes, before);
    if (p) ADD(g_mem.frees, 1);
    return account(q);
}

void mem_free(void *p) {
    if (!p) return;
    ADD(g_mem.frees, 1);
    SUB(g_mem.bytes, malloc_usable_size(p));
    free(p);
}

size_t mem_size(void *p) { return p ? malloc_usable_size(p) : 0; }

char *mem_strdup(struct str s) {
    char *z = mem_alloc(s.n + 1);
    if (!z) return NULL;
    if (s.n) memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    return z;
}

void *mem_must(void *p) {
    if (p) return p;
    fputs("penstock: out of memory\n", stderr);
    abort();
}

void mem_stats_get(struct mem_stats *out_stats) {
    *out_stats = (struct mem_stats){.allocs = LOAD(g_mem.allocs),
                                    .frees = LOAD(g_mem.frees),
                                    .failed = LOAD(g_mem.failed),
                                    .bytes = LOAD(g_mem.bytes)};
}

void mem_cap_set(uint64_t bytes) { __atomic_store_n(&g_mem.cap, bytes, __ATOMIC_RELAXED); }
void mem_fail_nth(uint64_t n) { __atomic_store_n(&g_mem.fail_in, n, __ATOMIC_RELAXED); }
