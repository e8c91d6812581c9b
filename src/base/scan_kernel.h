// The scanning kernels, compiled once a level over the primitives of scan_block.h.
#ifndef BASE_SCAN_KERNEL_H
#define BASE_SCAN_KERNEL_H

#include "base/scan_block.h"
#include "base/scan_level.h"

KERNEL block_t block_take(const char *p, size_t left) {
    return LIKELY(left >= BLOCK) ? block_load(p) : block_load_part(p, left);
}

KERNEL uint64_t block_space(block_t b) {
    return block_eq(b, ' ') | block_eq(b, '\n') | block_eq(b, '\r') | block_eq(b, '\t');
}

static size_t kernel_space(const char *p, size_t n) {
    for (size_t i = 0; i < n; i += BLOCK) {
        uint64_t stop = ~block_space(block_take(p + i, n - i)) & bits_below(n - i);
        if (stop) return i + bit_first(stop);
    }
    return n;
}

#if !defined(SCAN_BLOCK_PORTABLE)
static size_t kernel_digit_or_at(const char *p, size_t n) {
    for (size_t i = 0; i < n; i += BLOCK) {
        block_t b = block_take(p + i, n - i);
        uint64_t hits = ((block_below(b, '9' + 1) & ~block_below(b, '0')) | block_eq(b, '@')) & bits_below(n - i);
        if (hits) return i + bit_first(hits);
    }
    return n;
}
#endif

static size_t kernel_find(struct str hay, struct str needle) {
    if (needle.n == 0) return 0;
    if (hay.n < needle.n) return hay.n;
    size_t places = hay.n - needle.n + 1;
    char first = needle.p[0], last = needle.p[needle.n - 1];
    for (size_t i = 0; i < places; i += BLOCK) {
        size_t left = places - i;
        const char *p = hay.p + i;
        uint64_t hits = block_eq(block_take(p, left), first) & block_eq(block_take(p + needle.n - 1, left), last);
        for (hits &= bits_below(left); hits; hits &= hits - 1) {
            size_t at = i + bit_first(hits);
            if (memcmp(hay.p + at, needle.p, needle.n) == 0) return at;
        }
    }
    return hay.n;
}

#endif
