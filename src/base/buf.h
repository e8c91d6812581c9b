// Owned, growable, capped byte buffers.
//
// Ownership: the buf owns its bytes; buf_free (or BUF_AUTO) releases them. Thread rule: one thread at a time.
// Errors are sticky: an append that would pass `max` or finds no memory changes nothing and sets `failed`, and so does
// every append after it; test once, at the end. A zeroed buf is invalid: use buf_init or BUF_INIT.
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

struct buf {
    char *p;
    size_t n;   // bytes in use
    size_t cap; // bytes allocated
    size_t max; // never grows past this
    bool failed;
};

#define BUF_INIT(maximum)                                                                                              \
    { .p = NULL, .n = 0, .cap = 0, .max = (maximum), .failed = false }
#define BUF_AUTO CLEANUP(buf_free)

static inline void buf_init(struct buf *b, size_t max) { *b = (struct buf)BUF_INIT(max); }
void buf_free(struct buf *b);
// Forgets the content and the failure, keeps the memory.
static inline void buf_clear(struct buf *b) { b->n = 0, b->failed = false; }

// Makes room for n more bytes; false (and failed) when that cannot be.
bool buf_reserve(struct buf *b, size_t n);
void buf_grow_slow(struct buf *b, const void *p, size_t n);

static inline void buf_append(struct buf *b, const void *p, size_t n) {
    if (LIKELY(!b->failed && b->cap - b->n >= n)) {
        if (n) memcpy(b->p + b->n, p, n);
        b->n += n;
    } else {
        buf_grow_slow(b, p, n);
    }
}
static inline void buf_put(struct buf *b, struct str s) { buf_append(b, s.p, s.n); }
static inline void buf_putc(struct buf *b, char c) { buf_append(b, &c, 1); }
#define buf_lit(b, lit) buf_append((b), "" lit "", sizeof(lit) - 1)
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_i64(struct buf *b, int64_t v);
PRINTF_LIKE(2, 3) void buf_printf(struct buf *b, const char *fmt, ...);
PRINTF_LIKE(2, 0) void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
// Drops the first n bytes, moving the rest to the front.
void buf_drop(struct buf *b, size_t n);
// NUL-terminates (not counted in n) and returns p; NULL when failed.
NODISCARD const char *buf_cstr(struct buf *b);

static inline struct str buf_str(const struct buf *b) { return (struct str){b->p, b->n}; }

// Writes v in decimal to out (at least 20 bytes); returns the length.
size_t fmt_u64(char out[20], uint64_t v);

#endif
