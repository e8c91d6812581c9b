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

size_t pii_letter_at(const struct pii_text *t, size_t i) {
    uint32_t c;
    if (i >= t->n || (unsigned char)t->p[i] < 0x80) return 0;
    size_t n = utf8_decode(str_of(t->p + i, t->n - i), &c);
    return n && is_letter(c) ? n : 0;
}

size_t pii_letter_before(const struct pii_text *t, size_t i) {
    uint32_t c;
    size_t n = 1;
    if (!i || (unsigned char)t->p[i - 1] < 0x80) return 0;
    while (n < UTF8_MAX_BYTES && n < i && ((unsigned char)t->p[i - n] & 0xc0) == 0x80) n++;
    return utf8_decode(str_of(t->p + i - n, n), &c) == n && is_letter(c) ? n : 0;
}

// "1.5", "a-1", "50%41": of these the number is a part.
bool pii_begins(const struct pii_text *t, size_t at) {
    char c = pii_before(t, at), before = at > 1 ? t->p[at - 2] : '\0';
    if (pii_word(c) || pii_letter_before(t, at)) return false;
    if (c == '.') return !pii_digit(before);
    if (c == '-') return !pii_alnum(before);
    return c != '%' && !(c == '#' && before == '&');
}

bool pii_ends(const struct pii_text *t, size_t end) {
    char c = pii_at(t, end), after = pii_at(t, end + 1);
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

size_t pii_gap_at(const struct pii_text *t, size_t i, enum pii_gap *out_gap) {
    static const struct {
        struct str text;
        enum pii_gap gap;
    } wide[] = {{STR_INIT("\xc2\xa0"), PII_SPACE},     {STR_INIT("\xe2\x80\xaf"), PII_SPACE},
                {STR_INIT("\xe2\x80\x89"), PII_SPACE}, {STR_INIT("\xe2\x80\x87"), PII_SPACE},
                {STR_INIT("\xe2\x80\x90"), PII_DASH},  {STR_INIT("\xe2\x80\x91"), PII_DASH},
                {STR_INIT("\xe2\x80\x92"), PII_DASH},  {STR_INIT("\xe2\x80\x93"), PII_DASH}};
    char c = pii_at(t, i);
    *out_gap = c == ' ' ? PII_SPACE : c == '-' ? PII_DASH : c == '.' ? PII_DOT : PII_NO_GAP;
    if (*out_gap) return 1;
    if ((unsigned char)c < 0x80) return 0;
    for (size_t k = 0; k < ARRAY_LEN(wide); k++) {
        if (!str_starts(str_of(t->p + i, t->n - i), wide[k].text)) continue;
        *out_gap = wide[k].gap;
        return wide[k].text.n;
    }
    return 0;
}

void pii_groups_read(const struct pii_text *t, size_t at, struct pii_groups *out) {
    enum pii_gap gap = PII_NO_GAP;
    for (out->n = 0; out->n < PII_GROUPS_MAX; out->n++) {
        size_t end = at;
        while (pii_digit(pii_at(t, end)) && end - at < PII_GROUP_DIGITS_MAX) end++;
        if (end == at) return;
        out->p[out->n].at = at;
        out->p[out->n].end = end;
        out->p[out->n].digits = (unsigned)(end - at);
        out->p[out->n].gap = gap;
        at = end + pii_gap_at(t, end, &gap);
        if (at == end) {
            out->n++;
            return;
        }
    }
}

bool pii_groups_are(const struct pii_groups *g, const unsigned *lengths, unsigned n) {
    if (g->n < n) return false;
    for (unsigned i = 0; i < n; i++)
        if (g->p[i].digits != lengths[i] || (i > 1 && g->p[i].gap != g->p[1].gap)) return false;
    return true;
}

size_t pii_groups_digits(const struct pii_text *t, const struct pii_groups *g, unsigned n, char *out, size_t max) {
    size_t sum = 0;
    for (unsigned i = 0; i < n && i < g->n; i++) {
        if (sum + g->p[i].digits > max) return 0;
        memcpy(out + sum, t->p + g->p[i].at, g->p[i].digits);
        sum += g->p[i].digits;
    }
    return sum;
}

// --- going over it ---

#define WORD_MAX ((size_t)40) // no form has a longer one

// The word that a digit is in.
static size_t word_start(const struct pii_text *t, size_t i) {
    size_t from = i;
    while (from > t->floor && i - from <= WORD_MAX && pii_word(t->p[from - 1])) from--;
    return from;
}

static size_t digits_at(const struct pii_text *t, size_t at, size_t most) {
    size_t n = 0;
    while (n < most && pii_digit(pii_at(t, at + n))) n++;
    return n;
}

// Whether a group of n digits can be the first of a number: most numbers in a text cannot, and go no further.
static bool can_begin(const struct pii_text *t, size_t at, size_t n) {
    enum pii_gap gap;
    char before = pii_before(t, at), after = pii_at(t, at + n);
    if (before == '+' || (before == '(' && after == ')')) return true;
    if (n >= 9) return n != 11 || t->p[at] == '0';
    if (t->p[at] == '0' && n > 1) return true;
    if (after == '.' && n <= 3) return true;
    size_t second = at + n + pii_gap_at(t, at + n, &gap);
    if (second == at + n || n == 2 || n > 4 || (n == 1 && t->p[at] != '1')) return false;
    size_t m = digits_at(t, second, 7);
    return n == 4 ? m == 4 || m == 6 : m == 3 || (n == 3 && m == 2);
}

static bool number_at(const struct pii_text *t, size_t at, struct pii_match *out) {
    struct pii_groups g;
    pii_groups_read(t, at, &g);
    return pii_number_form(t, &g, out) || pii_phone_form(t, &g, out) || pii_ip4_form(t, at, out);
}

// i: a digit. Where nothing is found, *out_next is where its word ends.
static bool word_at(const struct pii_text *t, size_t i, struct pii_match *out, size_t *out_next) {
    size_t at = word_start(t, i), end = i;
    while (end < t->n && pii_word(t->p[end])) end++;
    *out_next = end;
    if (i - at > WORD_MAX) return false;
    if (pii_wants(t, PII_IP_ADDRESS) && pii_ip6_form(t, at, out)) return true;
    if (end - at <= WORD_MAX && pii_begins(t, at) && pii_word_form(t, at, end, out)) return true;
    size_t n = end - at;
    bool digits = at == i && n < PII_GROUP_DIGITS_MAX && digits_at(t, at, n) == n;
    return digits && can_begin(t, at, n) && number_at(t, at, out);
}

bool pii_next(struct pii_scan *scan, struct pii_match *out_match) {
    struct pii_text t = {.p = scan->text.p, .n = scan->text.n, .floor = scan->floor, .kinds = scan->kinds};
    while (scan->kinds && scan->at < t.n) {
        size_t i = scan->at + scan_digit_or_at(str_from(scan->text, scan->at)), next = i + 1;
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
