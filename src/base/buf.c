// Owned, growable, capped byte buffers.
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>

void buf_free(struct buf *b) {
    mem_free(b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}

bool buf_reserve(struct buf *b, size_t n) {
    if (b->failed) return false;
    if (b->cap - b->n >= n) return true;
    if (n > b->max || b->n > b->max - n) {
        b->failed = true;
        return false;
    }
    size_t want = b->n + n;
    size_t cap = b->cap < 64 ? 64 : b->cap + b->cap / 2;
    cap = MIN(MAX(cap, want), b->max);
    char *p = mem_realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_grow_slow(struct buf *b, const void *p, size_t n) {
    if (!buf_reserve(b, n)) return;
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
}

size_t fmt_u64(char out[20], uint64_t v) {
    char tmp[20];
    size_t i = sizeof tmp;
    do {
        tmp[--i] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    memcpy(out, tmp + i, sizeof tmp - i);
    return sizeof tmp - i;
}

void buf_put_u64(struct buf *b, uint64_t v) {
    char tmp[20];
    buf_append(b, tmp, fmt_u64(tmp, v));
}

void buf_put_i64(struct buf *b, int64_t v) {
    if (v < 0) buf_putc(b, '-');
    buf_put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap) {
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < sizeof small) {
        buf_append(b, small, (size_t)n);
    } else if (buf_reserve(b, (size_t)n + 1)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_drop(struct buf *b, size_t n) {
    INVARIANT(n <= b->n);
    b->n -= n;
    if (b->n && n) memmove(b->p, b->p + n, b->n);
}

const char *buf_cstr(struct buf *b) {
    if (!buf_reserve(b, 1)) return NULL;
    b->p[b->n] = '\0';
    return b->p;
}
