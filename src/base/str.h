// Borrowed byte slices: the one way text and bytes are passed around.
//
// Ownership: a `struct str` never owns; it lives as long as the memory it points into.
// Thread rule: pure values. Units: n is bytes. Not NUL-terminated; p may be NULL only when n is 0.
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/defs.h"

#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(lit) ((struct str){"" lit "", sizeof(lit) - 1})
#define STR_INIT(lit)                                                                                                  \
    { "" lit "", sizeof(lit) - 1 }
#define STR_NONE ((struct str){NULL, 0})
// For printf: "%.*s" with STR_ARG(s).
#define STR_ARG(s) ((int)((s).n > 0x7fffffff ? 0x7fffffff : (s).n)), ((s).p ? (s).p : "")

static inline struct str str_of(const char *p, size_t n) { return (struct str){p, n}; }

// From a NUL-terminated string; NULL gives the empty slice.
static inline struct str str_c(const char *z) { return (struct str){z, z ? strlen(z) : 0}; }

static inline bool str_eq(struct str a, struct str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }

static inline bool str_starts(struct str s, struct str prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str s, struct str suffix) {
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

// The rest of s from byte `from` on; empty when from is past the end.
static inline struct str str_from(struct str s, size_t from) {
    return from >= s.n ? (struct str){s.p ? s.p + s.n : NULL, 0} : (struct str){s.p + from, s.n - from};
}

// The first n bytes of s, or all of it.
static inline struct str str_head(struct str s, size_t n) { return (struct str){s.p, n < s.n ? n : s.n}; }

// ASCII case-insensitive comparison, for header names and tokens.
bool str_same_nocase(struct str a, struct str b); // both of one length
static inline bool str_eq_nocase(struct str a, struct str b) { return a.n == b.n && str_same_nocase(a, b); }
// Order as memcmp, the shorter first on a tie.
int str_cmp(struct str a, struct str b);
// Index of the first c, or s.n when there is none.
size_t str_find_char(struct str s, char c);
// Index of the first needle, or s.n when there is none. An empty needle is found at 0.
size_t str_find(struct str s, struct str needle);
// Without leading and trailing spaces, tabs, CR and LF.
struct str str_trim(struct str s);
// Takes the part of *rest before the first sep; *rest becomes what follows it. False when *rest was used up (p ==
// NULL). "a,b" gives "a", "b"; "" gives "" once.
bool str_split(struct str *rest, char sep, struct str *out_part);
// Decimal digits only, no sign, no space; false on overflow, emptiness or any other byte.
NODISCARD bool str_to_u64(struct str s, uint64_t *out_value);
// Optional '-', then digits.
NODISCARD bool str_to_i64(struct str s, int64_t *out_value);
// Edit distance (Levenshtein, with adjacent transposition), capped at `cap`; for "did you mean".
size_t str_distance(struct str a, struct str b, size_t cap);
// Constant-time equality for secrets: time depends on the lengths only.
bool str_eq_secret(struct str a, struct str b);

#endif
