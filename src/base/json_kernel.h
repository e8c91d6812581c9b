// The JSON validation kernels, compiled once a level over the primitives of scan_block.h.
//
// They say where a value ends or that it is not valid; what exactly is wrong with a string or number is told by the
// slow functions of json_fault.c.
#ifndef BASE_JSON_KERNEL_H
#define BASE_JSON_KERNEL_H

#include "base/json_read.h"
#include "base/scan_kernel.h"
#include "base/utf8_kernel.h"

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
    return block_nonzero(block_pair_lookup(b, lo, hi));
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
#if defined(SCAN_BLOCK_PORTABLE)
        if (escaped)
#endif
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

KERNEL bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

KERNEL const char *skip_digits(const char *p, const char *end) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 8) {
        const uint64_t tops = 0xf0f0f0f0f0f0f0f0ULL, zeros = 0x3030303030303030ULL, six = 0x0606060606060606ULL;
        uint64_t w;
        memcpy(&w, p, sizeof w);
        uint64_t other = ((w & tops) ^ zeros) | (((w + six) & tops) ^ zeros);
        if (other) return p + (bit_first(other) >> 3);
        p += 8;
    }
#endif
    while (p < end && is_digit(*p)) p++;
    return p;
}

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

KERNEL const char *skip_space(const char *p, const char *end) {
    if (LIKELY(p < end && (unsigned char)*p > ' ')) return p;
    if (end - p > 1 && *p == ' ' && (unsigned char)p[1] > ' ') return p + 1;
    return p + kernel_space(p, (size_t)(end - p));
}

KERNEL bool text_at(const char *p, const char *end, const char *text, size_t n) {
    return (size_t)(end - p) >= n && memcmp(p, text, n) == 0;
}

KERNEL const char *fault_here(struct json_fault *fault, const char *what, const char *at) {
    fault->what = what;
    fault->at = at;
    return NULL;
}

static COLD const char *literal_fault(const char *p, struct json_fault *fault) {
    return fault_here(fault, "expected a value", p);
}

// A value that is neither object nor array.
KERNEL const char *scalar_any(const char *p, const char *end, struct json_fault *fault) {
    const char *after = NULL;
    if (*p == '"') {
        after = string_any(p + 1, end);
        if (UNLIKELY(!after)) json_string_fault(p + 1, end, fault);
    } else if (*p == '-' || is_digit(*p)) {
        after = number_any(p, end);
        if (UNLIKELY(!after)) json_number_fault(p, end, fault);
    } else if (text_at(p, end, "true", 4) || text_at(p, end, "null", 4)) {
        after = p + 4;
    } else if (text_at(p, end, "false", 5)) {
        after = p + 5;
    } else {
        literal_fault(p, fault);
    }
    return after;
}

// From a member's key to the first byte of its value.
KERNEL const char *member_start(const char *p, const char *end, struct json_fault *fault) {
    if (UNLIKELY(p == end || *p != '"')) return fault_here(fault, "expected a member name in quotes", p);
    const char *after = string_any(p + 1, end);
    if (UNLIKELY(!after)) {
        json_string_fault(p + 1, end, fault);
        return NULL;
    }
    p = skip_space(after, end);
    if (UNLIKELY(p == end || *p != ':')) return fault_here(fault, "expected ':' after the member name", p);
    return skip_space(p + 1, end);
}

struct json_stack {
    uint64_t bits[JSON_DEPTH_MAX / 64];
    unsigned depth;
    bool in_object; // the top bit
};

KERNEL void stack_push(struct json_stack *s, bool object) {
    uint64_t bit = 1ULL << (s->depth % 64), *word = &s->bits[s->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    s->in_object = object;
    s->depth++;
}

KERNEL void stack_pop(struct json_stack *s) {
    s->depth--;
    if (s->depth) s->in_object = s->bits[(s->depth - 1) / 64] >> ((s->depth - 1) % 64) & 1;
}

// p stands on '{' or '['. Returns where its first value starts, or the place after it when it is empty (*out_empty).
KERNEL const char *container_start(const char *p, const char *end, struct json_stack *s, bool *out_empty,
                                   struct json_fault *fault) {
    bool object = *p == '{';
    p = skip_space(p + 1, end);
    *out_empty = p < end && *p == (object ? '}' : ']');
    if (*out_empty) return p + 1;
    stack_push(s, object);
    return object ? member_start(p, end, fault) : p;
}

// p stands after a value inside a container. Goes over the closing brackets and the comma that follow: to the start of
// the next value, or after the outermost container (depth 0).
KERNEL const char *value_next(const char *p, const char *end, struct json_stack *s, struct json_fault *fault) {
    while (s->depth) {
        p = skip_space(p, end);
        char close = s->in_object ? '}' : ']';
        if (UNLIKELY(p == end))
            return fault_here(fault, s->in_object ? "the object has no end" : "the array has no end", p);
        if (LIKELY(*p == ',')) {
            p = skip_space(p + 1, end);
            return s->in_object ? member_start(p, end, fault) : p;
        }
        if (UNLIKELY(*p != close))
            return fault_here(fault, s->in_object ? "expected ',' or '}'" : "expected ',' or ']'", p);
        stack_pop(s);
        p++;
    }
    return p;
}

static const char *kernel_json_value(const char *p, const char *end, unsigned depth_max, struct json_fault *fault) {
    struct json_stack stack;
    stack.depth = 0;
    stack.in_object = false;
    do {
        if (UNLIKELY(p == end)) return fault_here(fault, "expected a value", p);
        if (*p == '{' || *p == '[') {
            if (UNLIKELY(stack.depth >= depth_max)) return fault_here(fault, "nested too deep", p);
            bool empty;
            p = container_start(p, end, &stack, &empty, fault);
            if (UNLIKELY(!p)) return NULL;
            if (!empty) continue;
        } else {
            p = scalar_any(p, end, fault);
            if (UNLIKELY(!p)) return NULL;
        }
        p = value_next(p, end, &stack, fault);
        if (UNLIKELY(!p)) return NULL;
    } while (stack.depth);
    return p;
}

#endif
