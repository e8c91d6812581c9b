// A growable array of any type, as macros over one grow function.
//
//   VEC(struct thing) things = {0};
//   if (!vec_push(&things, (struct thing){…})) out of memory;
//   for (size_t i = 0; i < things.n; i++) use(&things.p[i]);
//   vec_free(&things);
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/mem.h"

#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *p;                                                                                                       \
        size_t n;                                                                                                      \
        size_t cap;                                                                                                    \
    }

// Room for one more element of `size`; *p and *cap change. False when out of memory.
static inline bool vec_grow(void **p, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return true;
    size_t want = *cap ? *cap * 2 : 8, bytes;
    if (__builtin_mul_overflow(want, size, &bytes)) return false;
    void *q = mem_realloc(*p, bytes);
    if (!q) return false;
    *p = q;
    *cap = want;
    return true;
}

#define vec_push(v, ...)                                                                                               \
    (vec_grow((void **)(void *)&(v)->p, (v)->n, &(v)->cap, sizeof *(v)->p) ? ((v)->p[(v)->n++] = (__VA_ARGS__), true)  \
                                                                           : false)
#define vec_free(v) (mem_free((v)->p), (v)->p = NULL, (v)->n = (v)->cap = 0)

#endif
