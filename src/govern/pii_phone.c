// Telephone numbers: international, North American, and others where a word says that it is one.
#include "govern/pii_impl.h"

struct calling {
    unsigned char least, most; // digits behind it; 0: nobody has it
};
// By their codes, none of which another one begins with.
static const struct calling k_callings[1000] = {
#define CALLING(code, least, most) [code] = {least, most},
#include "govern/pii_calling.def"
#undef CALLING
};

#define DIGITS_MAX 16 // one more than there can be

// A number as it is written: its digits, and where it could end.
struct written {
    char d[DIGITS_MAX];
    unsigned n;
    unsigned char end[DIGITS_MAX + 1]; // from its beginning on, by how many digits it has then; 0: not between groups
};

// What stands between two groups at i: one gap, a parenthesis with or without one. 0: it ends here.
static size_t between(const struct pii_text *t, size_t i) {
    enum pii_gap gap;
    size_t from = i;
    if (pii_at(t, i) == ')' || pii_at(t, i) == '/') i++;
    i += pii_gap_at(t, i, &gap);
    if (pii_at(t, i) == '(') i++;
    return pii_digit(pii_at(t, i)) ? i - from : 0;
}

static void read_written(const struct pii_text *t, size_t at, unsigned most, struct written *w) {
    const size_t from = at;
    memset(w, 0, sizeof *w);
    for (unsigned n; w->n < most && (n = pii_digits_at(t, at, most - w->n)); at += between(t, at)) {
        for (unsigned i = 0; i < n; i++) w->d[w->n++] = t->p[at++];
        if (pii_digit(pii_at(t, at))) return;
        w->end[w->n] = (unsigned char)(at - from);
        // The zero that is dialled at home alone: +44 (0)20 …
        if (w->n < 4 && w->n > 1 && str_starts(str_of(t->p + at, t->n - at), STR(" (0)"))) at += 4;
        if (w->n < 4 && str_starts(str_of(t->p + at, t->n - at), STR("(0)"))) at += 3;
    }
}

// The longest that has between least and most digits, and ends where a number may.
static size_t end_of(const struct pii_text *t, size_t at, const struct written *w, unsigned least, unsigned most) {
    for (unsigned n = MIN(most, (unsigned)DIGITS_MAX - 1); n >= least && n > 0; n--)
        if (w->end[n] && pii_ends(t, at + w->end[n])) return at + w->end[n];
    return 0;
}

// Area and exchange of the North American plan.
static bool is_american(const char d[10]) {
    bool area = d[0] >= '2' && d[1] != '9' && !(d[1] == '1' && d[2] == '1');
    bool exchange = d[3] >= '2' && !(d[4] == '1' && d[5] == '1');
    return area && exchange;
}

// The code at the beginning; 0: there is none.
static unsigned calling_of(const struct written *w) {
    unsigned code = 0;
    for (unsigned n = 0; n < 3 && n < w->n; n++) {
        code = code * 10 + (unsigned)(w->d[n] - '0');
        if (k_callings[code].most) return code;
    }
    return 0;
}

static bool plus_form(const struct pii_text *t, size_t at, struct pii_match *out) {
    struct written w;
    size_t plus = at - 1;
    char before = pii_before(t, plus);
    if (plus < t->floor || !pii_begins(t, plus) || before == ')' || before == '/' || before == '=') return false;
    read_written(t, at, DIGITS_MAX, &w);
    unsigned code = calling_of(&w), digits = code < 10 ? 1 : code < 100 ? 2 : 3;
    if (!code || (code == 1 && (w.n < 11 || !is_american(w.d + 1)))) return false;
    size_t end = end_of(t, at, &w, digits + k_callings[code].least, digits + k_callings[code].most);
    return end && pii_hit(PII_PHONE, PII_BY_FORM, plus, end, out);
}

// "(212) 555-0123"
static bool bracket_form(const struct pii_text *t, size_t at, struct pii_match *out) {
    struct written w;
    size_t open = at - 1;
    if (open < t->floor || pii_word(pii_before(t, open)) || pii_letter_before(t, open)) return false;
    if (at + 4 > t->n || t->p[at + 3] != ')') return false;
    read_written(t, at, 10, &w);
    if (w.n < 10 || !w.end[3] || !w.end[6] || !w.end[10] || !is_american(w.d) || !pii_ends(t, at + w.end[10]))
        return false;
    return pii_hit(PII_PHONE, PII_BY_FORM, open, at + w.end[10], out);
}

// "212-555-0123", "1-212-555-0123"; with spaces, or nothing between, many numbers are like that.
static bool american_form(const struct pii_text *t, const struct pii_group *g, struct pii_match *out) {
    static const unsigned lengths[] = {3, 3, 4}, longer[] = {1, 3, 3, 4};
    char d[11];
    unsigned skip = g->digits == 1, n = 3 + skip;
    bool grouped = skip ? t->p[g->at] == '1' && pii_groups_are(t, longer, 4)
                        : g->digits == lengths[0] && pii_groups_has(t, 2) && g[1].digits == lengths[1] &&
                              g[2].digits == lengths[2] && g[2].gap >= g[1].gap;
    if (!grouped && g->digits != 10) return false;
    if (!grouped) n = 1, skip = 0;
    if (pii_groups_digits(t, n, d, sizeof d) != 10 + skip || !is_american(d + skip)) return false;
    size_t at = g->at, end = g[n - 1].end;
    bool own = grouped && g[n - 1].gap != PII_SPACE;
    if (!pii_ends(t, end) || (!own && !pii_named(t, at, PII_PHONE))) return false;
    return pii_hit(PII_PHONE, own ? PII_BY_FORM : PII_BY_WORD, at, end, out);
}

// As it is dialled at home, "030 901820", or from there abroad, "0049 30 901820".
static bool national_form(const struct pii_text *t, size_t at, struct pii_match *out) {
    struct written w;
    bool bracket = pii_before(t, at) == '(' && at - 1 >= t->floor;
    if (pii_at(t, at) != '0' || !pii_named(t, at, PII_PHONE)) return false;
    read_written(t, at, DIGITS_MAX, &w);
    size_t end = end_of(t, at, &w, 8, 15);
    return end && pii_hit(PII_PHONE, PII_BY_WORD, at - bracket, end, out);
}

bool pii_phone_form(const struct pii_text *t, const struct pii_group *g, struct pii_match *out) {
    size_t at = g->at;
    char before = pii_before(t, at);
    if (before == '+') return plus_form(t, at, out);
    if (before == '(' && bracket_form(t, at, out)) return true;
    return american_form(t, g, out) || national_form(t, at, out);
}
