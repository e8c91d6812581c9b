// Secret bytes: owned, wiped when freed, never printed.
//
// Ownership: the struct owns its copy until secret_free. Thread rule: one thread, or many readers. Errors: secret_set
// returns false when out of memory. To print one, use SECRET_SHOWN; to compare, str_eq_secret over secret_str.
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/mem.h"

struct secret {
    char *p;
    size_t n;
};

#define SECRET_SHOWN "***"
#define SECRET_AUTO CLEANUP(secret_free)

// Borrowed; do not copy it anywhere that outlives its use.
static inline struct str secret_str(const struct secret *s) { return (struct str){s->p, s->n}; }

// Zeroes bytes in a way the compiler keeps.
static inline void secret_wipe(void *p, size_t n) {
    if (n) explicit_bzero(p, n);
}

static inline void secret_free(struct secret *s) {
    secret_wipe(s->p, s->n);
    mem_free(s->p);
    *s = (struct secret){0};
}

// Takes a copy, in place of what was there.
NODISCARD static inline bool secret_set(struct secret *s, struct str bytes) {
    char *p = mem_strdup(bytes);
    if (!p) return false;
    secret_free(s);
    *s = (struct secret){p, bytes.n};
    return true;
}

#endif
