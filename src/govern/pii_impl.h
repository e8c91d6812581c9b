// What the files of the finder share: the text with its edges, groups of digits, and the forms.
//
// A form is a function: whether something of its kind begins at a place, and where it ends. Thread rule: pure.
#ifndef GOVERN_PII_IMPL_H
#define GOVERN_PII_IMPL_H

#include "govern/pii.h"

#include "base/scan_word.h"

#include <string.h>

struct pii_text {
    const char *p;
    size_t n, floor; // nothing before floor is anybody's any more; it still counts as a neighbour
    unsigned kinds;
    struct pii_memo *memo;
};

static inline bool pii_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool pii_upper(char c) { return c >= 'A' && c <= 'Z'; }
static inline bool pii_letter(char c) { return pii_upper(c) || (c >= 'a' && c <= 'z'); }
static inline bool pii_alnum(char c) { return pii_digit(c) || pii_letter(c); }
static inline bool pii_hex(char c) { return pii_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
// Letters, digits and '_', as bits: words are gone over byte by byte.
static inline bool pii_word(char c) {
    static const uint64_t sets[4] = {0x03ff000000000000, 0x07fffffe87fffffe, 0, 0};
    return sets[(unsigned char)c >> 6] >> ((unsigned char)c & 63) & 1;
}
static inline char pii_to_upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 32) : c; }
// 0 past the end.
static inline char pii_at(const struct pii_text *t, size_t i) { return i < t->n ? t->p[i] : '\0'; }
static inline char pii_before(const struct pii_text *t, size_t i) { return i ? t->p[i - 1] : '\0'; }
static inline bool pii_wants(const struct pii_text *t, enum pii_kind kind) { return t->kinds & PII_BIT(kind); }

// Length of the letter or digit outside of ASCII that ends before, or begins at i; 0: there is none.
size_t pii_letter_before(const struct pii_text *t, size_t i);
size_t pii_letter_at(const struct pii_text *t, size_t i);
// Whether a number may begin, or end, here: no letter, digit or '_' beside it, and it is not one part of several.
bool pii_begins(const struct pii_text *t, size_t at);
bool pii_ends(const struct pii_text *t, size_t end);
// Whether one of the words that name the kind stands shortly before a digit.
bool pii_named(const struct pii_text *t, size_t at, enum pii_kind kind);
// Likewise, words that say that it is something else: a version, a section.
bool pii_misnamed(const struct pii_text *t, size_t at);

// How many digits there are at i, at most `most`.
static inline unsigned pii_digits_at(const struct pii_text *t, size_t i, size_t most) {
    const char *from = t->p + MIN(i, t->n);
    return (unsigned)(skip_digits(from, from + MIN(most, t->n - MIN(i, t->n))) - from);
}

enum pii_gap { PII_NO_GAP, PII_SPACE, PII_DASH, PII_DOT };
#define PII_GROUPS_MAX 6        // of one number
#define PII_GROUP_DIGITS_MAX 20 // as long as any longer one
size_t pii_wide_gap_at(const struct pii_text *t, size_t i, enum pii_gap *out_gap);
// Length of the gap at i, with which kind it is; 0: none.
static inline size_t pii_gap_at(const struct pii_text *t, size_t i, enum pii_gap *out_gap) {
    char c = pii_at(t, i);
    *out_gap = c == ' ' ? PII_SPACE : c == '-' ? PII_DASH : c == '.' ? PII_DOT : PII_NO_GAP;
    if (*out_gap) return 1;
    return (unsigned char)c < 0x80 ? 0 : pii_wide_gap_at(t, i, out_gap);
}
// Those that begin with a group of so many digits; what stays so until the next call.
const struct pii_group *pii_groups_at(const struct pii_text *t, size_t at, unsigned digits);
bool pii_groups_read(const struct pii_text *t, unsigned i);
// Whether there is such a group, from 0 to PII_GROUPS_MAX - 1, of the present ones; then it is read.
static inline bool pii_groups_has(const struct pii_text *t, unsigned i) {
    return t->memo->group + i < t->memo->group_end || pii_groups_read(t, i);
}
// Whether they begin with such lengths, the same gap between all.
bool pii_groups_are(const struct pii_text *t, const unsigned *lengths, unsigned n);
// The digits of the first n groups, which are read; how many.
size_t pii_groups_digits(const struct pii_text *t, unsigned n, char *out, size_t max);

bool pii_hit(enum pii_kind kind, enum pii_score score, size_t at, size_t end, struct pii_match *out);

// The forms. `at`: an '@'; the beginning of a word; the beginning of a group of digits, where a number may begin.
bool pii_email_at(const struct pii_text *t, size_t at, struct pii_match *out);
bool pii_word_form(const struct pii_text *t, size_t at, size_t end, struct pii_match *out);
bool pii_number_form(const struct pii_text *t, const struct pii_group *g, struct pii_match *out);
bool pii_phone_form(const struct pii_text *t, const struct pii_group *g, struct pii_match *out);
bool pii_ip4_form(const struct pii_text *t, size_t at, struct pii_match *out);
bool pii_ip6_form(const struct pii_text *t, size_t at, struct pii_match *out);

#endif
