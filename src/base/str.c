// Borrowed byte slices: comparison, search, splitting and number parsing.
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

void invariant_failed(const char *cond, const char *file, int line) {
    fprintf(stderr, "penstock: broken invariant: %s (%s:%d)\n", cond, file, line);
    abort();
}

static unsigned char lower(char c) {
    unsigned char u = (unsigned char)c;
    return (u >= 'A' && u <= 'Z') ? (unsigned char)(u + 32) : u;
}

bool str_same_nocase(struct str a, struct str b) {
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i])) return false;
    return true;
}

int str_cmp(struct str a, struct str b) {
    size_t n = MIN(a.n, b.n);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c != 0) return c;
    return (a.n > b.n) - (a.n < b.n);
}

size_t str_find_char(struct str s, char c) {
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;
    return hit ? (size_t)(hit - s.p) : s.n;
}

size_t str_find(struct str s, struct str needle) {
    if (needle.n == 0) return 0;
    if (s.n < needle.n) return s.n;
    const char *p = s.p, *end = s.p + s.n - needle.n + 1;
    while (p < end) {
        p = memchr(p, needle.p[0], (size_t)(end - p));
        if (!p) return s.n;
        if (memcmp(p, needle.p, needle.n) == 0) return (size_t)(p - s.p);
        p++;
    }
    return s.n;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

struct str str_trim(struct str s) {
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

bool str_split(struct str *rest, char sep, struct str *out_part) {
    if (!rest->p) return false;
    size_t at = str_find_char(*rest, sep);
    *out_part = str_head(*rest, at);
    *rest = at < rest->n ? str_from(*rest, at + 1) : STR_NONE;
    return true;
}

bool str_to_u64(struct str s, uint64_t *out_value) {
    uint64_t v = 0;
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        if (__builtin_mul_overflow(v, (uint64_t)10, &v)) return false;
        if (__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) return false;
    }
    *out_value = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *out_value) {
    bool negative = s.n && s.p[0] == '-';
    uint64_t u;
    if (!str_to_u64(str_from(s, negative ? 1 : 0), &u)) return false;
    if (u > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return false;
    *out_value = negative ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

#define DISTANCE_MAX_LEN 64

size_t str_distance(struct str a, struct str b, size_t cap) {
    if (a.n > DISTANCE_MAX_LEN || b.n > DISTANCE_MAX_LEN) return cap;
    size_t rows[3][DISTANCE_MAX_LEN + 1];
    size_t *before = rows[0], *prev = rows[1], *cur = rows[2];
    for (size_t j = 0; j <= b.n; j++) prev[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        cur[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t cost = lower(a.p[i - 1]) != lower(b.p[j - 1]);
            size_t best = MIN(prev[j] + 1, cur[j - 1] + 1);
            best = MIN(best, prev[j - 1] + cost);
            bool swapped =
                i > 1 && j > 1 && lower(a.p[i - 1]) == lower(b.p[j - 2]) && lower(a.p[i - 2]) == lower(b.p[j - 1]);
            if (swapped) best = MIN(best, before[j - 2] + 1);
            cur[j] = best;
        }
        size_t *spare = before;
        before = prev;
        prev = cur;
        cur = spare;
    }
    return MIN(prev[b.n], cap);
}

bool str_eq_secret(struct str a, struct str b) {
    if (a.n != b.n) return false;
    volatile unsigned char diff = 0;
    for (size_t i = 0; i < a.n; i++) diff = (unsigned char)(diff | ((unsigned char)a.p[i] ^ (unsigned char)b.p[i]));
    return diff == 0;
}
