// Personal data that is all digits: cards, and numbers of identity in groups.
#include "govern/pii_impl.h"

// --- check digits ---

static unsigned digit(char c) { return (unsigned)(c - '0'); }

static bool luhn(struct str d) {
    unsigned sum = 0;
    for (size_t i = 0; i < d.n; i++) {
        unsigned v = digit(d.p[d.n - 1 - i]) << (i & 1);
        sum += v > 9 ? v - 9 : v;
    }
    return sum % 10 == 0;
}

// Weights 10 to 2, modulo 11; a rest of 1 has no digit.
static bool modulus11(const char d[10]) {
    unsigned sum = 0;
    for (unsigned i = 0; i < 9; i++) sum += digit(d[i]) * (10 - i);
    return (11 - sum % 11) % 11 == digit(d[9]);
}

// In the dihedral group of ten: products, and the powers of one permutation.
static bool verhoeff(struct str d) {
    static const unsigned char times[10][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
                                                {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
                                                {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
                                                {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
                                                {8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}};
    static const unsigned char moved[8][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
                                               {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
                                               {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
                                               {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}};
    unsigned char c = 0;
    for (size_t i = 0; i < d.n; i++) c = times[c][moved[i % 8][digit(d.p[d.n - 1 - i])]];
    return c == 0;
}

static bool is_one_digit(struct str d) {
    for (size_t i = 1; i < d.n; i++)
        if (d.p[i] != d.p[0]) return false;
    return true;
}

// --- cards ---

// What the first six digits of a network's cards lie between, and how long these are.
struct card_range {
    unsigned from, to;
    unsigned lengths; // a bit each
};
#define LENGTH(n) (1u << (n))
static const struct card_range k_ranges[] = {
    {220000, 220499, LENGTH(16) | LENGTH(17) | LENGTH(18) | LENGTH(19)}, // Mir
    {222100, 272099, LENGTH(16)},                                        // Mastercard
    {300000, 305999, LENGTH(14) | LENGTH(16) | LENGTH(19)},              // Diners Club
    {309500, 309599, LENGTH(14) | LENGTH(16) | LENGTH(19)},
    {340000, 349999, LENGTH(15)},                                        // American Express
    {352800, 358999, LENGTH(16) | LENGTH(17) | LENGTH(18) | LENGTH(19)}, // JCB
    {360000, 369999, LENGTH(14) | LENGTH(16) | LENGTH(19)},              // Diners Club
    {370000, 379999, LENGTH(15)},                                        // American Express
    {380000, 399999, LENGTH(14) | LENGTH(16) | LENGTH(19)},              // Diners Club
    {400000, 499999, LENGTH(13) | LENGTH(16) | LENGTH(19)},              // Visa
    {500000, 509999, LENGTH(16) | LENGTH(18) | LENGTH(19)},              // Maestro, Elo, Verve
    {510000, 559999, LENGTH(16)},                                        // Mastercard
    {560000, 589999, LENGTH(16) | LENGTH(18) | LENGTH(19)},              // Maestro
    {601100, 601199, LENGTH(16) | LENGTH(19)},                           // Discover
    {604001, 608999, LENGTH(16)},                                        // RuPay
    {620000, 629999, LENGTH(16) | LENGTH(17) | LENGTH(18) | LENGTH(19)}, // UnionPay
    {630400, 630499, LENGTH(16) | LENGTH(18) | LENGTH(19)},              // Maestro
    {644000, 659999, LENGTH(16) | LENGTH(19)},                           // Discover
    {675900, 676399, LENGTH(16) | LENGTH(18) | LENGTH(19)},              // Maestro
    {810000, 817199, LENGTH(16)},                                        // UnionPay, RuPay
    {979200, 979299, LENGTH(16)},                                        // Troy
};

bool pii_is_card(struct str d) {
    unsigned first = 0;
    bool known = false;
    if (d.n < 13 || d.n > 19 || is_one_digit(d)) return false;
    for (size_t i = 0; i < 6; i++) first = first * 10 + digit(d.p[i]);
    for (size_t i = 0; i < ARRAY_LEN(k_ranges) && !known; i++)
        known = first >= k_ranges[i].from && first <= k_ranges[i].to && (k_ranges[i].lengths & LENGTH(d.n));
    return known && luhn(d);
}

// Of a table of numbers with four digits each, some would pass by chance.
static bool in_table(const struct pii_text *t, const struct pii_group *g) {
    size_t at = g->at;
    bool before = at >= 5 && pii_before(t, at) == ' ' && pii_digits_at(t, at - 5, 5) == 4 && pii_begins(t, at - 5);
    return before || (pii_groups_has(t, 5) && g[4].digits == 4 && g[5].digits == 4);
}

static bool card_of(const struct pii_text *t, const struct pii_group *g, unsigned n, struct pii_match *out) {
    char d[19];
    size_t end = g[n - 1].end, count = pii_groups_digits(t, n, d, sizeof d);
    if (!count || !pii_ends(t, end) || !pii_is_card(str_of(d, count))) return false;
    // Barcodes look like the short ones that were once given out.
    if (count == 13 && !pii_named(t, g->at, PII_CREDIT_CARD)) return false;
    return pii_hit(PII_CREDIT_CARD, PII_BY_CHECK, g->at, end, out);
}

static bool card_form(const struct pii_text *t, const struct pii_group *g, struct pii_match *out) {
    static const unsigned fours[] = {4, 4, 4, 4}, amex[] = {4, 6, 5}, diners[] = {4, 6, 4};
    if (g->digits >= 13) return g->digits <= 19 && card_of(t, g, 1, out);
    if (g->digits != 4) return false;
    if (pii_groups_are(t, amex, 3) || pii_groups_are(t, diners, 3)) return card_of(t, g, 3, out);
    if (in_table(t, g) || !pii_groups_are(t, fours, 4)) return false;
    bool longer = pii_groups_has(t, 4) && g[4].digits <= 3 && g[4].gap == g[1].gap;
    return (longer && card_of(t, g, 5, out)) || card_of(t, g, 4, out);
}

// --- the United States ---

// Numbers that were printed in advertisements, or are everybody's example.
static bool is_famous(const char d[9]) {
    return memcmp(d, "078051120", 9) == 0 || memcmp(d, "219099999", 9) == 0 || memcmp(d, "123456789", 9) == 0;
}

static bool is_ssn(const char d[9]) {
    bool area = memcmp(d, "000", 3) != 0 && memcmp(d, "666", 3) != 0 && d[0] != '9';
    return area && memcmp(d + 3, "00", 2) != 0 && memcmp(d + 5, "0000", 4) != 0 && !is_famous(d) &&
           !is_one_digit(str_of(d, 9));
}

static bool is_itin(const char d[9]) {
    unsigned g = digit(d[3]) * 10 + digit(d[4]);
    return d[0] == '9' && ((g >= 50 && g <= 65) || (g >= 70 && g <= 88) || (g >= 90 && g <= 92) || g >= 94);
}

static bool us_form(const struct pii_text *t, const struct pii_group *g, struct pii_match *out) {
    static const unsigned lengths[] = {3, 2, 4};
    char d[9];
    bool grouped = pii_groups_are(t, lengths, 3);
    unsigned n = grouped ? 3 : 1;
    if ((!grouped && g->digits != 9) || pii_groups_digits(t, n, d, sizeof d) != 9) return false;
    bool ssn = is_ssn(d), dashes = grouped && g[1].gap == PII_DASH;
    enum pii_kind kind = ssn ? PII_US_SSN : PII_US_ITIN;
    size_t at = g->at, end = g[n - 1].end;
    if (!(ssn || is_itin(d)) || !pii_wants(t, kind) || !pii_ends(t, end)) return false;
    if (!dashes && !pii_named(t, at, kind)) return false;
    return pii_hit(kind, dashes ? PII_BY_FORM : PII_BY_WORD, at, end, out);
}

// --- others ---

static bool nhs_form(const struct pii_text *t, const struct pii_group *g, struct pii_match *out) {
    static const unsigned lengths[] = {3, 3, 4};
    char d[10];
    bool grouped = pii_groups_are(t, lengths, 3) && g[1].gap != PII_DOT;
    unsigned n = grouped ? 3 : 1;
    if ((!grouped && g->digits != 10) || pii_groups_digits(t, n, d, sizeof d) != 10) return false;
    size_t at = g->at, end = g[n - 1].end;
    if (!modulus11(d) || is_one_digit(str_of(d, 10)) || !pii_ends(t, end)) return false;
    // With dashes it is as Americans write telephone numbers.
    bool own = grouped && g[1].gap == PII_SPACE;
    return (own || pii_named(t, at, PII_UK_NHS)) && pii_hit(PII_UK_NHS, PII_BY_CHECK, at, end, out);
}

static bool aadhaar_form(const struct pii_text *t, const struct pii_group *g, struct pii_match *out) {
    static const unsigned lengths[] = {4, 4, 4};
    char d[12];
    bool grouped = g->digits != 12, own = grouped && !in_table(t, g);
    unsigned n = grouped ? 3 : 1;
    if (t->p[g->at] < '2' || (!own && !pii_named(t, g->at, PII_IN_AADHAAR))) return false;
    if (grouped && !(pii_groups_are(t, lengths, 3) && g[1].gap != PII_DOT)) return false;
    size_t at = g->at, end = g[n - 1].end;
    bool more = grouped && pii_groups_has(t, n) && g[n].gap == g[1].gap;
    if ((more && !pii_named(t, at, PII_IN_AADHAAR)) || !pii_ends(t, end)) return false;
    pii_groups_digits(t, n, d, sizeof d);
    return !is_one_digit(str_of(d, 12)) && verhoeff(str_of(d, 12)) &&
           pii_hit(PII_IN_AADHAAR, PII_BY_CHECK, at, end, out);
}

bool pii_number_form(const struct pii_text *t, const struct pii_group *g, struct pii_match *out) {
    const unsigned us = PII_BIT(PII_US_SSN) | PII_BIT(PII_US_ITIN);
    switch (g->digits) {
    case 3:
    case 9:
    case 10:
        return ((t->kinds & us) && us_form(t, g, out)) || (pii_wants(t, PII_UK_NHS) && nhs_form(t, g, out));
    case 4:
    case 12:
        return (pii_wants(t, PII_CREDIT_CARD) && card_form(t, g, out)) ||
               (pii_wants(t, PII_IN_AADHAAR) && aadhaar_form(t, g, out));
    default:
        return g->digits >= 13 && pii_wants(t, PII_CREDIT_CARD) && card_form(t, g, out);
    }
}
