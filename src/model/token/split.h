// What the patterns that cut a text into pieces have in common.
//
// Ownership: borrowed text. Thread rule: pure functions. Errors: the text must be valid UTF-8.
#ifndef MODEL_TOKEN_SPLIT_H
#define MODEL_TOKEN_SPLIT_H

#include "model/token/unicode.h"

// The length of a contraction ('s 't 're 've 'm 'll 'd, in small letters) at p, or 0.
static inline size_t contraction(const uint8_t *p, const uint8_t *end) {
    if (end - p < 2 || p[0] != '\'') return 0;
    switch (p[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
        return 2;
    default:
        break;
    }
    if (end - p < 3) return 0;
    return (p[2] == 'e' && (p[1] == 'r' || p[1] == 'v')) || (p[1] == 'l' && p[2] == 'l') ? 3 : 0;
}

// The same in letters of either case: (?i) of Unicode, where ſ is an s too.
static inline size_t contraction_nocase(const uint8_t *p, const uint8_t *end) {
    if (end - p < 2 || p[0] != '\'') return 0;
    if (end - p >= 3 && p[1] == 0xc5 && p[2] == 0xbf) return 3;
    const uint8_t lower[3] = {'\'', (uint8_t)(p[1] | 0x20), (uint8_t)(end - p > 2 ? p[2] | 0x20 : 0)};
    return p[1] < 0x40 ? 0 : contraction(lower, lower + (end - p > 2 ? 3 : 2));
}

// The end of \s*[\r\n]+|\s+(?!\S)|\s+ at p, where there is a space.
static inline const uint8_t *space_end(const uint8_t *p, const uint8_t *end) {
    const uint8_t *at = p, *newline = NULL, *last = p;
    while (at < end) {
        size_t n;
        const unsigned class = class_at(at, &n);
        if (!(CLASS_BIT(class) & CHARS_SPACE)) break;
        last = at;
        at += n;
        if (class == CHAR_NEWLINE) newline = at;
    }
    if (newline) return newline;
    return at == end || last == p ? at : last;
}

// The end of \p{N}{1,max} at p, where there is a number.
static inline const uint8_t *number_end(const uint8_t *p, const uint8_t *end, int max) {
    size_t n;
    for (; max > 0 && p < end && class_at(p, &n) == CHAR_NUMBER; max--) p += n;
    return p;
}

#endif
