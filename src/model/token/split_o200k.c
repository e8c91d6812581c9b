// Cuts a text as o200k_base and Mistral's Tekken do.
//
// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
// |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
// |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// Tekken's has no contractions, and \p{N} alone.
#include "model/token/encoder.h"
#include "model/token/split.h"

#define CHARS_BOTH (CLASS_BIT(CHAR_LETTER) | CLASS_BIT(CHAR_MARK)) // those that count as small and as capital
#define CHARS_SMALL (CHARS_BOTH | CLASS_BIT(CHAR_LOWER))
#define CHARS_CAPITAL (CHARS_BOTH | CLASS_BIT(CHAR_UPPER))

// The letters of the first two lines at p, or NULL. only_first: of the first line.
static inline const uint8_t *word_end(const uint8_t *p, const uint8_t *end, bool only_first) {
    const uint8_t *at = p, *both = NULL; // both: the end of the last character that counts as small as well
    for (size_t n; at < end;) {
        const unsigned class = CLASS_BIT(class_at(at, &n));
        if (class & CLASS_BIT(CHAR_LOWER)) return run_end(at + n, end, CHARS_SMALL);
        if (!(class & CHARS_CAPITAL)) break;
        at += n;
        if (class & CHARS_BOTH) both = at;
    }
    if (both) return both; // the pattern steps back until something is left for the small letters
    return at > p && !only_first ? at : NULL;
}

static const uint8_t *other_end(const uint8_t *p, const uint8_t *end) {
    p = run_end(p, end, CHARS_OTHER);
    while (p < end && (*p == '\r' || *p == '\n' || *p == '/')) p++;
    return p;
}

// A word with the character before it that may belong to it, or NULL.
static inline const uint8_t *worded_end(const uint8_t *p, const uint8_t *end, unsigned class, size_t n) {
    if (CLASS_BIT(class) & CHARS_LETTER) return word_end(p, end, false);
    if (class == CHAR_MARK) {
        const uint8_t *word = word_end(p + n, end, true);
        return word ? word : p + n; // a mark is a word by itself
    }
    return class == CHAR_NEWLINE || class == CHAR_NUMBER ? NULL : word_end(p + n, end, false);
}

static inline const uint8_t *piece_end(const uint8_t *p, const uint8_t *end, bool tekken) {
    size_t n, m;
    const unsigned class = class_at(p, &n);
    const uint8_t *word = worded_end(p, end, class, n);
    if (word) return tekken ? word : word + contraction_nocase(word, end);
    if (class == CHAR_NUMBER) return number_end(p, end, tekken ? 1 : 3);
    if (CLASS_BIT(class) & CHARS_OTHER) return other_end(p, end);
    if (*p == ' ' && p + 1 < end && CLASS_BIT(class_at(p + 1, &m)) & CHARS_OTHER) return other_end(p + 1, end);
    return space_end(p, end);
}

void encode_o200k(struct encoder *e, const uint8_t *p, const uint8_t *end) {
    for (const uint8_t *next; p < end; p = next) {
        next = piece_end(p, end, false);
        encoder_piece(e, p, (size_t)(next - p));
    }
}

void encode_tekken(struct encoder *e, const uint8_t *p, const uint8_t *end) {
    for (const uint8_t *next; p < end; p = next) {
        next = piece_end(p, end, true);
        encoder_piece(e, p, (size_t)(next - p));
    }
}
