// Skipping runs of bytes eight at a time with plain 64-bit arithmetic.
#ifndef BASE_SCAN_WORD_H
#define BASE_SCAN_WORD_H

#include "base/defs.h"

#include <string.h>

#define WORD_EACH(byte) (0x0101010101010101ULL * (byte))

static inline bool byte_is_digit(char c) { return (unsigned char)(c - '0') < 10; }

// The index of the first byte whose bits are not all zero, in memory order. w is not 0.
static inline unsigned word_first(uint64_t w) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (unsigned)__builtin_clzll(w) >> 3;
#else
    return (unsigned)__builtin_ctzll(w) >> 3;
#endif
}

// Past the decimal digits at p.
static inline const char *skip_digits(const char *p, const char *end) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        // A sum that carries into the next byte comes from a byte that is no digit itself, and that one is found first.
        uint64_t high = w ^ WORD_EACH(0x30), nine = ((w + WORD_EACH(0x06)) ^ WORD_EACH(0x30));
        uint64_t other = (high | nine) & WORD_EACH(0xf0);
        if (other) return p + word_first(other);
        p += 8;
    }
#endif
    while (p < end && byte_is_digit(*p)) p++;
    return p;
}

// The top bit of each byte that ends a plain run; wrong only for bytes after the first such one.
static inline uint64_t word_string_stops(uint64_t w) {
    uint64_t quote = w ^ WORD_EACH('"'), backslash = w ^ WORD_EACH('\\');
    uint64_t stops = (w - WORD_EACH(0x20)) | (quote - WORD_EACH(1)) | (backslash - WORD_EACH(1)) | w;
    return stops & WORD_EACH(0x80);
}

// Past the plain bytes of a string: to the first '"', '\\', byte below 0x20 or of 0x80 and above, or to the end.
static inline const char *skip_plain(const char *p, const char *end) {
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        if (word_string_stops(w)) break;
        p += 8;
    }
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80) break;
    }
    return p;
}

// The top bit of each byte that is a decimal digit or '@'.
static inline uint64_t word_digits_or_at(uint64_t w) {
    uint64_t low = w & WORD_EACH(0x7f), other = (low ^ WORD_EACH('@')) + WORD_EACH(0x7f);
    uint64_t from = low + WORD_EACH(0x80 - '0'), past = low + WORD_EACH(0x80 - ('9' + 1));
    return ((from & ~past) | ~other) & ~w & WORD_EACH(0x80);
}

static inline size_t find_digit_or_at(const char *p, size_t n) {
    size_t i = 0;
    for (uint64_t w; i + sizeof w <= n; i += sizeof w) {
        memcpy(&w, p + i, sizeof w);
        uint64_t hits = word_digits_or_at(w);
        if (hits) return i + word_first(hits);
    }
    while (i < n && !byte_is_digit(p[i]) && p[i] != '@') i++;
    return i;
}

#endif
