// The class of a character, as the patterns that cut a text into words ask for it.
//
// The table is made by tools/unicode_classes.py from Unicode 16, which the reference implementations use as well.
// Ownership: constants. Thread rule: any thread. Errors: the text must be valid UTF-8.
#ifndef MODEL_TOKEN_UNICODE_H
#define MODEL_TOKEN_UNICODE_H

#include "base/defs.h"

#include <string.h>

// As in tools/unicode_classes.py.
enum char_class {
    CHAR_OTHER,
    CHAR_LOWER,  // Ll
    CHAR_UPPER,  // Lu, Lt
    CHAR_LETTER, // Lm, Lo
    CHAR_MARK,   // M
    CHAR_NUMBER, // N
    CHAR_SPACE,  // White_Space but for the next two
    CHAR_NEWLINE // CR and LF
};

#define CLASS_BIT(class) (1u << (class))
#define CHARS_LETTER (CLASS_BIT(CHAR_LOWER) | CLASS_BIT(CHAR_UPPER) | CLASS_BIT(CHAR_LETTER))
#define CHARS_SPACE (CLASS_BIT(CHAR_SPACE) | CLASS_BIT(CHAR_NEWLINE))
#define CHARS_NUMBER CLASS_BIT(CHAR_NUMBER)
#define CHARS_OTHER (CLASS_BIT(CHAR_OTHER) | CLASS_BIT(CHAR_MARK))
#define UNICODE_BLOCKS 4352

extern const unsigned char vocabulary_unicode[];

static inline uint8_t code_point_class(uint32_t c) {
    uint16_t block;
    memcpy(&block, vocabulary_unicode + (c >> 8) * 2, sizeof block);
    return vocabulary_unicode[UNICODE_BLOCKS * 2 + (size_t)block * 256 + (c & 0xff)];
}

// The character at p, which is not the end, and its length.
static inline uint32_t char_at(const uint8_t *p, size_t *out_n) {
    const uint32_t a = p[0];
    if (a < 0x80) return *out_n = 1, a;
    if (a < 0xe0) return *out_n = 2, (a & 0x1f) << 6 | (p[1] & 0x3fu);
    if (a < 0xf0) return *out_n = 3, (a & 0x0f) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    return *out_n = 4, (a & 0x07) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
}

static inline unsigned class_at(const uint8_t *p, size_t *out_n) {
    // The first block is that of the first characters.
    if (p[0] < 0x80) return *out_n = 1, vocabulary_unicode[UNICODE_BLOCKS * 2 + p[0]];
    return code_point_class(char_at(p, out_n));
}

// The end of the run of characters of these classes that begins at p.
static inline const uint8_t *run_end(const uint8_t *p, const uint8_t *end, unsigned classes) {
    size_t n;
    while (p < end && CLASS_BIT(class_at(p, &n)) & classes) p += n;
    return p;
}

#endif
