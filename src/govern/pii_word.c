// Personal data in one word of letters and digits, with check digits: accounts, tax codes, numbers of identity.
#include "govern/pii_impl.h"

// --- IBAN ---

static const struct iban {
    char country[3];
    unsigned char length;
    const char *form;
} k_ibans[] = {
#define IBAN(country, length, form) {country, length, form},
#include "govern/pii_iban.def"
#undef IBAN
};

#define IBAN_MAX 34

static const struct iban *iban_of(char first, char second) {
    size_t from = 0, n = ARRAY_LEN(k_ibans);
    for (; n > 1; n -= n / 2) {
        const char *middle = k_ibans[from + n / 2].country;
        if (middle[0] < first || (middle[0] == first && middle[1] <= second)) from += n / 2;
    }
    return k_ibans[from].country[0] == first && k_ibans[from].country[1] == second ? &k_ibans[from] : NULL;
}

static bool is_of(char c, char form) { return form == 'n' ? pii_digit(c) : form == 'a' ? pii_upper(c) : pii_alnum(c); }

// ISO 7064 mod 97-10: the first four go to the end, letters are 10 to 35.
static bool mod97(struct str iban) {
    uint64_t rest = 0;
    for (size_t i = 0; i < iban.n; i++) {
        char c = iban.p[i + 4 < iban.n ? i + 4 : i + 4 - iban.n];
        rest = pii_digit(c) ? rest * 10 + (unsigned)(c - '0') : rest * 100 + (unsigned)(c - 'A') + 10;
        if (rest > UINT64_MAX / 1000) rest %= 97;
    }
    return rest % 97 == 1;
}

// Takes the characters behind the first four as the form says, in groups of four where the first is one. Where they
// end; 0: they are not like that.
static size_t take(const struct pii_text *t, size_t at, const char *form, char out[IBAN_MAX - 4]) {
    enum pii_gap gap;
    bool groups = pii_gap_at(t, at, &gap) > 0;
    size_t n = 0;
    for (const char *f = form; *f; f++) {
        size_t end = n;
        for (unsigned v = 0; end == n; f++) {
            v = v * 10 + (unsigned)(*f - '0');
            if (!pii_digit(f[1])) end += v;
        }
        for (; n < end; n++) {
            if (groups && n % 4 == 0) at += pii_gap_at(t, at, &gap);
            out[n] = pii_to_upper(pii_at(t, at++));
            if (!is_of(out[n], *f)) return 0;
        }
    }
    return at;
}

static bool iban_form(const struct pii_text *t, size_t at, struct pii_match *out) {
    char s[IBAN_MAX] = "";
    if (at + 8 > t->n || !pii_letter(t->p[at]) || !pii_letter(t->p[at + 1])) return false;
    if (!pii_digit(t->p[at + 2]) || !pii_digit(t->p[at + 3])) return false;
    const struct iban *c = iban_of(pii_to_upper(t->p[at]), pii_to_upper(t->p[at + 1]));
    if (!c) return false;
    for (size_t i = 0; i < 4; i++) s[i] = pii_to_upper(t->p[at + i]);
    size_t end = take(t, at + 4, c->form, s + 4);
    if (!end || !pii_ends(t, end) || !mod97(str_of(s, c->length + (size_t)4))) return false;
    return pii_hit(PII_IBAN, PII_BY_CHECK, at, end, out);
}

// --- numbers of identity ---

static unsigned number_of(const char *p, size_t n) {
    unsigned v = 0;
    for (size_t i = 0; i < n; i++) v = v * 10 + (unsigned)(p[i] - '0');
    return v;
}

// form: '9' a digit, 'A' a capital letter, '*' either, else itself.
static bool looks(struct str s, const char *form) {
    for (size_t i = 0; i < s.n; i++) {
        bool ok = form[i] == '9'   ? pii_digit(s.p[i])
                  : form[i] == 'A' ? pii_upper(s.p[i])
                                   : form[i] == '*' && (pii_digit(s.p[i]) || pii_upper(s.p[i]));
        if (!ok) return false;
    }
    return form[s.n] == '\0';
}

static bool is_nif(struct str s) {
    static const char letters[] = "TRWAGMYFPDXBNJZSQVHLCKE";
    char d[8];
    if (s.n != 9 || !pii_upper(s.p[8])) return false;
    memcpy(d, s.p, sizeof d);
    if (d[0] >= 'X' && d[0] <= 'Z') d[0] = (char)(d[0] - 'X' + '0');
    for (size_t i = 0; i < sizeof d; i++)
        if (!pii_digit(d[i])) return false;
    return letters[number_of(d, 8) % 23] == s.p[8];
}

static bool is_nric(struct str s) {
    static const unsigned char weights[] = {2, 7, 6, 5, 4, 3, 2};
    if (s.n != 9 || !looks(s, "A9999999A") || !strchr("STFGM", s.p[0])) return false;
    unsigned sum = s.p[0] == 'T' || s.p[0] == 'G' ? 4 : s.p[0] == 'M' ? 3 : 0;
    for (size_t i = 0; i < 7; i++) sum += weights[i] * (unsigned)(s.p[i + 1] - '0');
    const char *letters = s.p[0] == 'S' || s.p[0] == 'T' ? "JZIHGFEDCBA"
                          : s.p[0] == 'M'                ? "XWUTRQPNJLK"
                                                         : "XWUTRQPNMLK";
    return letters[sum % 11] == s.p[8];
}

// In place of a digit there may be a letter, where two people would have had the same code.
static bool is_fiscal_code(struct str s) {
    static const unsigned char odd[] = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                        20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
    unsigned sum = 0;
    if (s.n != 16 || !looks(s, "AAAAAA**A**A***A") || !strchr("ABCDEHLMPRST", s.p[8])) return false;
    static const unsigned char digits[] = {6, 7, 9, 10, 12, 13, 14};
    for (size_t i = 0; i < sizeof digits; i++)
        if (!pii_digit(s.p[digits[i]]) && !strchr("LMNPQRSTUV", s.p[digits[i]])) return false;
    for (size_t i = 0; i < 15; i++) {
        unsigned v = (unsigned)(pii_digit(s.p[i]) ? s.p[i] - '0' : s.p[i] - 'A');
        sum += i % 2 ? v : odd[v];
    }
    return (char)('A' + sum % 26) == s.p[15];
}

// ddmmyy, the century's sign, three digits, one that is checked.
static bool hetu_form(const struct pii_text *t, size_t at, struct pii_match *out) {
    static const char letters[] = "0123456789ABCDEFHJKLMNPRSTUVWXY";
    char d[9];
    if (at + 11 > t->n || !pii_ends(t, at + 11) || !strchr("+-YXWVUABCDEF", t->p[at + 6]) || !t->p[at + 6])
        return false;
    for (size_t i = 0; i < 9; i++) {
        d[i] = t->p[at + i + (i > 5)];
        if (!pii_digit(d[i])) return false;
    }
    unsigned day = number_of(d, 2), month = number_of(d + 2, 2);
    if (!day || day > 31 || !month || month > 12 || number_of(d + 6, 3) < 2) return false;
    return letters[number_of(d, 9) % 31] == t->p[at + 10] && pii_hit(PII_FI_HETU, PII_BY_CHECK, at, at + 11, out);
}

bool pii_word_form(const struct pii_text *t, size_t at, size_t end, struct pii_match *out) {
    struct str s = str_of(t->p + at, end - at);
    if (!pii_letter(s.p[0]) && s.n != 6 && s.n != 9 && s.n != 11 && s.n != 16) return false;
    if (!pii_begins(t, at)) return false;
    if (pii_letter(s.p[0]) && pii_wants(t, PII_IBAN) && iban_form(t, at, out)) return true;
    if ((s.n == 6 || s.n == 11) && pii_wants(t, PII_FI_HETU) && hetu_form(t, at, out)) return true;
    if ((s.n != 9 && s.n != 16) || !pii_ends(t, end)) return false;
    if (pii_wants(t, PII_ES_NIF) && is_nif(s)) return pii_hit(PII_ES_NIF, PII_BY_CHECK, at, end, out);
    if (pii_wants(t, PII_SG_NRIC) && is_nric(s)) return pii_hit(PII_SG_NRIC, PII_BY_CHECK, at, end, out);
    if (pii_wants(t, PII_IT_FISCAL_CODE) && is_fiscal_code(s))
        return pii_hit(PII_IT_FISCAL_CODE, PII_BY_CHECK, at, end, out);
    return false;
}
