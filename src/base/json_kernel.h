// The JSON validation kernels, compiled once a level over the primitives of scan_block.h.
//
// They say where a value ends or that it is not valid; what exactly is wrong with a string or number is told by the
// slow functions of json_steps.c.
#ifndef BASE_JSON_KERNEL_H
#define BASE_JSON_KERNEL_H

#include "base/json_read.h"
#include "base/scan_kernel.h"
#include "base/scan_word.h"
#include "base/utf8_kernel.h"

// The bytes of a block that must be escaped in a string. The padding of a part block counts too: mask it.
KERNEL uint64_t block_needs_escape(block_t b) { return block_eq(b, '"') | block_eq(b, '\\') | block_below(b, 0x20); }

static size_t kernel_string_stop(const char *p, size_t n) {
    for (size_t i = 0; i < n; i += BLOCK) {
        block_t b = block_take(p + i, n - i);
        uint64_t stop = (block_needs_escape(b) | block_high(b)) & bits_below(n - i);
        if (stop) return i + bit_first(stop);
    }
    return n;
}

static size_t kernel_json_escape(const char *p, size_t n) {
    for (size_t i = 0; i < n; i += BLOCK) {
        uint64_t stop = block_needs_escape(block_take(p + i, n - i)) & bits_below(n - i);
        if (stop) return i + bit_first(stop);
    }
    return n;
}

// The characters that a preceding run of backslashes escapes; *carry: the block before ended in an open backslash.
// J. Keiser and D. Lemire, simdjson: runs of backslashes are added to the odd positions so that each run's parity
// shows where it ends.
KERNEL uint64_t escaped_of(uint64_t backslash, uint64_t *carry) {
    const uint64_t odd = 0xaaaaaaaaaaaaaaaaULL;
    uint64_t starts = backslash & ~*carry;
    uint64_t codes = (((starts << 1) | odd) - starts) ^ odd;
    uint64_t escaped = codes ^ (backslash | *carry);
    *carry = (codes & backslash) >> 63;
    return escaped;
}

// The bytes that may follow a backslash, except 'u': each table gives the groups a nibble belongs to, a group being the
// high nibble 2 (1), 5 (2), 6 (4) or 7 (8).
KERNEL uint64_t block_simple_escape(block_t b) {
    static const char lo[16] = {0, 0, 1 | 4 | 8, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1};
    static const char hi[16] = {0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0};
    return block_any(block_pair_lookup(b, lo, hi), 15);
}

// The \u escapes of a block; *paired is the 'u' of the last low surrogate that was checked with its other half.
static bool unicode_escapes_valid(const char *p, const char *end, uint64_t at, const char **paired) {
    for (; at; at &= at - 1) {
        const char *u = p + bit_first(at);
        if (u == *paired) continue;
        uint32_t code_point;
        const char *after = json_unicode_escape(u, end, &code_point);
        if (!after) return false;
        if (code_point > 0xffff) *paired = after - 5;
    }
    return true;
}

KERNEL const char *string_long(const char *start, const char *end) {
    uint64_t carry = 0, high = 0;
    const char *paired = NULL;
    for (const char *p = start;; p += BLOCK) {
        size_t left = (size_t)(end - p);
        block_t b = block_take(p, left);
        uint64_t escaped = escaped_of(block_eq(b, '\\'), &carry);
        uint64_t close = block_eq(b, '"') & ~escaped & bits_below(left);
        uint64_t body = close ? (close & (0 - close)) - 1 : bits_below(left);
        uint64_t bad = block_below(b, 0x20);
        high |= block_high(b) & body;
        {
            uint64_t unicode = escaped & block_eq(b, 'u') & body;
            bad |= escaped & ~block_simple_escape(b) & ~unicode;
            if (UNLIKELY(unicode) && !unicode_escapes_valid(p, end, unicode, &paired)) return NULL;
        }
        if (UNLIKELY(bad & body)) return NULL;
        if (close) {
            const char *stop = p + bit_first(close);
            bool ok = !high || kernel_utf8_valid(start, (size_t)(stop - start));
            return ok ? stop + 1 : NULL;
        }
        if (left <= BLOCK) return NULL;
    }
}

static __attribute__((noinline)) const char *string_long_call(const char *start, const char *end) {
    return string_long(start, end);
}

// Most strings are short and plain: one block settles them.
KERNEL const char *string_any(const char *start, const char *end) {
    size_t left = (size_t)(end - start);
    block_t b = block_take(start, left);
    uint64_t stop = (block_needs_escape(b) | block_high(b)) & bits_below(left);
    if (LIKELY(stop)) {
        const char *at = start + bit_first(stop);
        if (LIKELY(*at == '"')) return at + 1;
    }
    return string_long_call(start, end);
}

static const char *kernel_json_string(const char *p, const char *end) { return string_any(p, end); }

// NULL when it is no number; a wrong byte after it is for the caller to find.
KERNEL const char *number_any(const char *p, const char *end) {
    p += *p == '-';
    const char *q = skip_digits(p, end);
    if (UNLIKELY(q == p || (*p == '0' && q - p > 1))) return NULL;
    p = q;
    if (p < end && *p == '.') {
        q = skip_digits(p + 1, end);
        if (UNLIKELY(q == p + 1)) return NULL;
        p = q;
    }
    if (UNLIKELY(p < end && (*p | 0x20) == 'e')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        q = skip_digits(p, end);
        if (q == p) return NULL;
        p = q;
    }
    return p;
}

// Most numbers are short and without exponent: one load shows all their digits.
KERNEL const char *number_fast(const char *p, const char *end) {
    if (UNLIKELY(end - p < 32)) return number_any(p, end);
    __m256i v = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(const void *)p), _mm256_set1_epi8('0'));
    __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(9)), v);
    uint64_t other = ~(uint64_t)(uint32_t)_mm256_movemask_epi8(low);
    unsigned sign = *p == '-';
    unsigned at = bit_first(other >> sign) + sign;
    if (UNLIKELY(at == sign || (p[sign] == '0' && at > sign + 1) || at >= 30)) return number_any(p, end);
    if (p[at] == '.') {
        unsigned point = at + 1;
        at = bit_first(other >> point) + point;
        if (UNLIKELY(at == point || at >= 32)) return number_any(p, end);
    }
    if (UNLIKELY((p[at] | 0x20) == 'e')) return number_any(p, end);
    return p + at;
}

KERNEL uint32_t word_of(const char *p) {
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

// true, false or null; without a branch on which, as that can't be predicted. NULL when it is none.
KERNEL const char *literal_any(const char *p, const char *end) {
    if (UNLIKELY(end - p < 5)) return end - p == 4 && (!memcmp(p, "true", 4) || !memcmp(p, "null", 4)) ? end : NULL;
    uint32_t w = word_of(p);
    unsigned yes = w == word_of("true"), none = w == word_of("null"), no = w == word_of("fals"), e = p[4] == 'e';
    unsigned ok = yes | none | (no & e);
    return LIKELY(ok) ? p + 4 + no : NULL;
}

#include "base/json_walk.h"

static const char *kernel_json_value(const char *p, const char *end, unsigned depth_max, struct json_fault *fault) {
    const char *after;
    if (*p == '"')
        after = string_any(p + 1, end);
    else if (*p == '{' || *p == '[')
        after = depth_max ? walk_container(p, end, depth_max) : NULL;
    else
        after = *p == '-' || byte_is_digit(*p) ? number_fast(p, end) : literal_any(p, end);
    return LIKELY(after) ? after : json_value_steps(p, end, depth_max, fault);
}

#endif
