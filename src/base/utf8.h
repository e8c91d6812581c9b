// Strict UTF-8: validation without overlong forms, surrogates or anything past U+10FFFF, and encoding.
//
// Ownership: borrowed slices. Thread rule: pure functions. Units: bytes, except code points where named so.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

#define UTF8_MAX_BYTES 4

bool utf8_valid(struct str s);
// Length of the longest prefix that is whole, valid characters; s.n when all of s is. Cutting there never cuts one.
size_t utf8_valid_prefix(struct str s);
// The longest prefix of a valid s of at most `max` bytes that ends between characters.
struct str utf8_head(struct str s, size_t max);
// How many characters a valid s has.
size_t utf8_count(struct str s);
// Writes a code point and returns its length 1…4; 0 (nothing written) for a surrogate or a value past U+10FFFF.
size_t utf8_encode(char out[UTF8_MAX_BYTES], uint32_t code_point);
// Takes one character from the front of s: its length, or 0 when s starts with no valid character (or is empty).
size_t utf8_decode(struct str s, uint32_t *out_code_point);

#endif
