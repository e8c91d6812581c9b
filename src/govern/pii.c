// Goes over a text to where personal data can be, and asks the forms.
#include "govern/pii_impl.h"

#include "base/scan.h"
#include "base/utf8.h"

// --- edges ---

// Letters and digits of alphabets that are written with spaces between words, and forms of Latin ones.
static bool is_letter(uint32_t c) {
    if (c < 0x80) return false;
    if (c < 0xc0) return c == 0xaa || c == 0xb5 || c == 0xba;
    if (c < 0xe00) return c != 0xd7 && c != 0xf7 && !(c >= 0x600 && c < 0x620) && c != 0x6d4;
    return (c >= 0x1e00 && c < 0x2000) || (c >= 0x10a0 && c < 0x1100) || (c >= 0xff10 && c <= 0xff19) ||
           (c >= 0xff21 && c <= 0xff3a) || (c >= 0xff41 && c <= 0xff5a) || (c >= 0x1d400 && c < 0x1d800);
}

// Of two bytes, as most are.
static inline bool is_pair(char first, char second) {
    return (unsigned char)first >= 0xc2 && (unsigned char)first < 0xe0 && ((unsigned char)second & 0xc0) == 0x80;
}
static inline uint32_t pair_of(char first, char second) {
    return ((uint32_t)(unsigned char)first & 0x1f) << 6 | ((uint32_t)(unsigned char)second & 0x3f);
}

size_t pii_letter_at(const struct pii_text *t, size_t i) {
    uint32_t c;
    if (i >= t->n || (unsigned char)t->p[i] < 0x80) return 0;
    if (is_pair(t->p[i], pii_at(t, i + 1))) return is_letter(pair_of(t->p[i], t->p[i + 1])) ? 2 : 0;
    size_t n = utf8_decode(str_of(t->p + i, t->n - i), &c);
    return n && is_letter(c) ? n : 0;
}

size_t pii_letter_before(const struct pii_text *t, size_t i) {
    uint32_t c;
    size_t n = 1;
    if (!i || (unsigned char)t->p[i - 1] < 0x80) return 0;
    if ((unsigned char)t->p[i - 1] >= 0xc0) return 0;
    if (i > 1 && is_pair(t->p[i - 2], t->p[i - 1])) return is_letter(pair_of(t->p[i - 2], t->p[i - 1])) ? 2 : 0;
    while (n < UTF8_MAX_BYTES && n < i && ((unsigned char)t->p[i - n] & 0xc0) == 0x80) n++;
    return utf8_decode(str_of(t->p + i - n, n), &c) == n && is_letter(c) ? n : 0;
}

// "1.5", "a-1", "50%41": of these the number is a part.
bool pii_begins(const struct pii_text *t, size_t at) {
    char c = pii_before(t, at);
    if (c == ' ') return true;
    char before = at > 1 ? t->p[at - 2] : '\0';
    if (pii_word(c) || pii_letter_before(t, at)) return false;
    if (c == '.') return !pii_digit(before);
    if (c == '-') return !pii_alnum(before);
    return c != '%' && !(c == '#' && before == '&');
}

bool pii_ends(const struct pii_text *t, size_t end) {
    char c = pii_at(t, end), after = pii_at(t, end + 1);
    if (c == ' ') return true;
    if (pii_word(c) || pii_letter_at(t, end)) return false;
    if (c == '.') return !pii_digit(after);
    if (c == '-' || c == '@') return !pii_alnum(after);
    return true;
}

bool pii_hit(enum pii_kind kind, enum pii_score score, size_t at, size_t end, struct pii_match *out) {
    *out = (struct pii_match){.kind = kind, .score = score, .at = at, .n = end - at};
    return true;
}

// --- digits in groups ---

size_t pii_wide_gap_at(const struct pii_text *t, size_t i, enum pii_gap *out_gap) {
    char c = pii_at(t, i);
    if (c == '\xc2' && pii_at(t, i + 1) == '\xa0') {
        *out_gap = PII_SPACE;
        return 2;
    }
    if (c != '\xe2' || pii_at(t, i + 1) != '\x80') return 0;
    char last = pii_at(t, i + 2); // U+2007, U+2009, U+202F; U+2010 to U+2013
    *out_gap = last == '\x87' || last == '\x89' || last == '\xaf' ? PII_SPACE
               : last >= '\x90' && last <= '\x93'                 ? PII_DASH
                                                                  : PII_NO_GAP;
    return *out_gap ? 3 : 0;
}

static void put_group(struct pii_memo *memo, size_t at, unsigned digits, enum pii_gap gap) {
    memo->groups[memo->group_end++] =
        (struct pii_group){.at = at, .end = at + digits, .digits = (unsigned char)digits, .gap = (unsigned char)gap};
}

// Of many numbers in a row each begins where the second group of the one before does.
const struct pii_group *pii_groups_at(const struct pii_text *t, size_t at, unsigned digits) {
    struct pii_memo *memo = t->memo;
    if (memo->group + 1 < memo->group_end && memo->groups[memo->group + 1].at == at) {
        memo->group++;
    } else {
        memo->group = memo->group_end = 0;
        put_group(memo, at, digits, PII_NO_GAP);
    }
    if (memo->group + PII_GROUPS_MAX > ARRAY_LEN(memo->groups)) {
        memo->group_end -= memo->group;
        memmove(memo->groups, memo->groups + memo->group, memo->group_end * sizeof memo->groups[0]);
        memo->group = 0;
    }
    return &memo->groups[memo->group];
}

bool pii_groups_read(const struct pii_text *t, unsigned i) {
    struct pii_memo *memo = t->memo;
    while (memo->group_end <= memo->group + i) {
        enum pii_gap gap;
        size_t end = memo->groups[memo->group_end - 1].end, at = end + pii_gap_at(t, end, &gap);
        unsigned digits = at == end ? 0 : pii_digits_at(t, at, PII_GROUP_DIGITS_MAX);
        if (!digits) return false;
        put_group(memo, at, digits, gap);
    }
    return true;
}

bool pii_groups_are(const struct pii_text *t, const unsigned *lengths, unsigned n) {
    const struct pii_group *g = &t->memo->groups[t->memo->group];
    for (unsigned i = 0; i < n; i++)
        if (!pii_groups_has(t, i) || g[i].digits != lengths[i] || (i > 1 && g[i].gap != g[1].gap)) return false;
    return true;
}

size_t pii_groups_digits(const struct pii_text *t, unsigned n, char *out, size_t max) {
    const struct pii_group *g = &t->memo->groups[t->memo->group];
    size_t sum = 0;
    for (unsigned i = 0; i < n; i++) {
        if (sum + g[i].digits > max) return 0;
        if (g[i].digits == 4)
            memcpy(out + sum, t->p + g[i].at, 4); // as most of those that get here
        else
            memcpy(out + sum, t->p + g[i].at, g[i].digits);
        sum += g[i].digits;
    }
    return sum;
}

// --- going over it ---

#define WORD_MIN ((size_t)4) // no form has a shorter one that is not all digits, or one of these
#define WORD_MAX ((size_t)40)

// The word that a digit is in.
static size_t word_start(const struct pii_text *t, size_t i) {
    size_t from = i;
    while (from > t->floor && i - from <= WORD_MAX && pii_word(t->p[from - 1])) from--;
    return from;
}

// Whether the first group can be that of a number: most numbers in a text cannot, and go no further.
static bool can_begin(const struct pii_text *t, size_t at, size_t n) {
    enum pii_gap gap;
    char before = pii_before(t, at), after = pii_at(t, at + n);
    if (before == '+' || (before == '(' && after == ')')) return true;
    if (n >= 9) return n != 11 || t->p[at] == '0';
    if (t->p[at] == '0' && n > 1) return true;
    if (after == '.' && n <= 3) return true;
    if (n == 2 || n > 4 || (n == 1 && t->p[at] != '1')) return false;
    size_t space = pii_gap_at(t, at + n, &gap), m = space ? pii_digits_at(t, at + n + space, 7) : 0;
    return n == 4 ? m == 4 || m == 6 : m == 3 || (n == 3 && m == 2);
}

// A group of n digits.
static bool number_at(const struct pii_text *t, size_t at, size_t n, struct pii_match *out) {
    if (!can_begin(t, at, n) || !pii_begins(t, at)) return false;
    const struct pii_group *g = pii_groups_at(t, at, (unsigned)n);
    if (pii_number_form(t, g, out) || (pii_wants(t, PII_PHONE) && pii_phone_form(t, g, out))) return true;
    return pii_at(t, g->end) == '.' && pii_wants(t, PII_IP_ADDRESS) && pii_ip4_form(t, at, out);
}

// The first group of such an address has four digits.
static bool may_be_ip6(const struct pii_text *t, size_t at) {
    return (pii_before(t, at) == ':' || pii_at(t, at + 4) == ':') && pii_wants(t, PII_IP_ADDRESS);
}

// i: a digit. Where nothing is found, *out_next is where its word ends.
static bool word_at(const struct pii_text *t, size_t i, struct pii_match *out, size_t *out_next) {
    size_t at = word_start(t, i), end = i + pii_digits_at(t, i, t->n - i);
    bool digits = !pii_word(pii_at(t, end)) && at == i;
    while (end < t->n && pii_word(t->p[end])) end++;
    *out_next = end;
    size_t n = end - at;
    if (i - at > WORD_MAX) return false;
    if (may_be_ip6(t, at) && pii_ip6_form(t, at, out)) return true;
    if (n >= WORD_MIN && n <= WORD_MAX && pii_word_form(t, at, end, out)) return true;
    return digits && n < PII_GROUP_DIGITS_MAX && number_at(t, at, n, out);
}

// The next byte that matters, of which some texts have many.
static size_t next_at(struct str text, size_t at) {
    uint64_t w;
    if (text.n - at < sizeof w) return at + find_digit_or_at(text.p + at, text.n - at);
    memcpy(&w, text.p + at, sizeof w);
    if ((w = word_digits_or_at(w))) return at + word_first(w);
    return at + sizeof w + scan_digit_or_at(str_from(text, at + sizeof w));
}

bool pii_find(struct str text, unsigned kinds, struct pii_match *out_match) {
    size_t at = scan_digit_or_at(text);
    if (at == text.n) return false;
    struct pii_scan scan = pii_scan_of(text, kinds);
    scan.at = at;
    return pii_next(&scan, out_match);
}

bool pii_next(struct pii_scan *scan, struct pii_match *out_match) {
    struct pii_text t = {
        .p = scan->text.p, .n = scan->text.n, .floor = scan->floor, .kinds = scan->kinds, .memo = &scan->memo};
    while (scan->kinds && scan->at < t.n) {
        size_t i = next_at(scan->text, scan->at), next = i + 1;
        if (i >= t.n) break;
        bool mail = t.p[i] == '@';
        bool found =
            mail ? pii_wants(&t, PII_EMAIL) && pii_email_at(&t, i, out_match) : word_at(&t, i, out_match, &next);
        if (found) {
            scan->at = scan->floor = out_match->at + out_match->n;
            return true;
        }
        scan->at = next;
    }
    scan->at = t.n;
    return false;
}
