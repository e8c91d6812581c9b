// Finds what is to be masked, from left to right, in one pass.
#include "govern/mask.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_word(char c) { return is_digit(c) || is_letter(c) || c == '_' || c == '-'; }
static bool is_local(char c) { return is_word(c) || c == '.' || c == '+' || c == '%'; }
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static bool starts_nocase(struct str s, struct str prefix) {
    return s.n >= prefix.n && str_eq_nocase(str_head(s, prefix.n), prefix);
}

void mask_add(struct mask *mask, struct str pattern) {
    static const struct {
        struct str name;
        enum mask_kind kind;
    } kinds[] = {{STR_INIT("email"), MASK_EMAIL},
                 {STR_INIT("card"), MASK_CARD},
                 {STR_INIT("address"), MASK_ADDRESS},
                 {STR_INIT("secret"), MASK_SECRET}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(pattern, kinds[i].name)) mask->kinds |= kinds[i].kind;
    struct str text = str_from(pattern, 5);
    if (str_starts(pattern, STR("text:")) && text.n && !str_eq(text, STR("*")) && mask->n < MASK_TEXTS_MAX)
        mask->texts[mask->n++] = text;
}

// Each returns how many bytes at the beginning of the text are to be masked, 0 = none.

// The part before '@' begins here.
static size_t email_at(struct str s) {
    size_t at = 0, dots = 0, end;
    while (at < s.n && at < 64 && is_local(s.p[at])) at++;
    if (at == 0 || at >= s.n || s.p[at] != '@') return 0;
    for (end = at + 1; end < s.n && end < at + 255 && (is_word(s.p[end]) || s.p[end] == '.'); end++)
        dots += s.p[end] == '.' && end + 1 < s.n && is_letter(s.p[end + 1]);
    while (end > at + 1 && (s.p[end - 1] == '.' || s.p[end - 1] == '-')) end--;
    return dots && end > at + 3 ? end : 0;
}

// 13 to 19 digits, perhaps with spaces or dashes between, whose check digit (Luhn) is right.
static size_t card_at(struct str s) {
    char digits[19];
    size_t n = 0, end = 0;
    for (size_t i = 0; i < s.n && n < sizeof digits; i++) {
        bool gap = (s.p[i] == ' ' || s.p[i] == '-') && i && is_digit(s.p[i - 1]);
        if (!is_digit(s.p[i]) && !gap) break;
        if (gap) continue;
        digits[n++] = s.p[i];
        end = i + 1;
    }
    if (n < 13 || (end < s.n && is_digit(s.p[end]))) return 0;
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(digits[n - 1 - i] - '0') << (i & 1);
        sum += d > 9 ? d - 9 : d;
    }
    return sum % 10 == 0 ? end : 0;
}

static size_t address_at(struct str s) {
    size_t i = 0;
    for (int part = 0; part < 4; part++) {
        unsigned v = 0;
        size_t from = i;
        while (i < s.n && i < from + 3 && is_digit(s.p[i])) v = v * 10 + (unsigned)(s.p[i++] - '0');
        if (i == from || v > 255) return 0;
        if (part < 3 && (i >= s.n || s.p[i++] != '.')) return 0;
    }
    return i < s.n && (is_digit(s.p[i]) || (s.p[i] == '.' && i + 1 < s.n && is_digit(s.p[i + 1]))) ? 0 : i;
}

// Keys by their usual beginnings, and what follows "Bearer ".
static size_t secret_at(struct str s) {
    static const struct str beginnings[] = {
        STR_INIT("sk-"),    STR_INIT("ps-"),   STR_INIT("ghp_"), STR_INIT("gho_"),    STR_INIT("github_pat_"),
        STR_INIT("xoxb-"),  STR_INIT("xoxp-"), STR_INIT("AKIA"), STR_INIT("ASIA"),    STR_INIT("AIza"),
        STR_INIT("glpat-"), STR_INIT("hf_"),   STR_INIT("eyJ"),  STR_INIT("Bearer "), STR_INIT("whsec_")};
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        if (!str_starts(s, beginnings[i])) continue;
        size_t end = beginnings[i].n;
        while (end < s.n && (is_word(s.p[end]) || strchr("./+=", s.p[end]))) end++;
        if (end >= beginnings[i].n + 12) return end;
    }
    return 0;
}

static size_t text_at(const struct mask *mask, struct str s) {
    for (size_t i = 0; i < mask->n; i++) {
        struct str t = mask->texts[i];
        bool open = t.p[t.n - 1] == '*';
        if (open) t.n--;
        if (lower(s.p[0]) != lower(t.p[0]) || !starts_nocase(s, t)) continue;
        size_t end = t.n;
        while (open && end < s.n && (is_word(s.p[end]) || (unsigned char)s.p[end] >= 0x80)) end++;
        return end;
    }
    return 0;
}

static size_t masked_at(const struct mask *mask, struct str s, bool begins, const char **out_name) {
    size_t n = text_at(mask, s);
    *out_name = "[masked]";
    if (n || !begins) return n; // the others begin where a word does
    if (mask->kinds & MASK_SECRET && (n = secret_at(s))) return *out_name = "[secret]", n;
    if (mask->kinds & MASK_EMAIL && (n = email_at(s))) return *out_name = "[email]", n;
    if (mask->kinds & MASK_CARD && is_digit(s.p[0]) && (n = card_at(s))) return *out_name = "[card]", n;
    if (mask->kinds & MASK_ADDRESS && is_digit(s.p[0]) && (n = address_at(s))) return *out_name = "[address]", n;
    return 0;
}

// The longest of what is known by its form, and has no other end than another byte: addresses of e-mail.
#define PART_MAX 384

static size_t part_of_texts(const struct mask *mask, struct str masked) {
    size_t most = 0;
    for (size_t i = 0; i < mask->n; i++)
        for (size_t n = MIN(mask->texts[i].n, masked.n); n > most; n--)
            if (str_eq_nocase(str_from(masked, masked.n - n), str_head(mask->texts[i], n))) most = n;
    return most;
}

struct str mask_whole(const struct mask *mask, struct str masked) {
    size_t n = masked.n - part_of_texts(mask, masked), least = masked.n > PART_MAX ? masked.n - PART_MAX : 0;
    if (!mask->kinds) return str_head(masked, n);
    // Parts of words, and groups of digits with spaces between.
    while (n > least && (is_local(masked.p[n - 1]) || masked.p[n - 1] == '@' || masked.p[n - 1] == '/' ||
                         (masked.p[n - 1] == ' ' && n > 1 && is_digit(masked.p[n - 2]))))
        n--;
    return str_head(masked, n);
}

void mask_put(struct buf *out, const struct mask *mask, struct str text) {
    size_t kept = 0; // up to there it was copied
    bool escaped = false;
    for (size_t i = 0; i < text.n;) {
        const char *name;
        // A letter after a backslash is an escape of JSON, and no part of the word that follows.
        bool begins = i == 0 || !is_local(text.p[i - 1]) || escaped;
        escaped = !escaped && i > 0 && text.p[i - 1] == '\\';
        if (escaped) {
            i++;
            continue;
        }
        size_t n = masked_at(mask, str_from(text, i), begins, &name);
        if (!n) {
            i++;
            continue;
        }
        buf_put(out, str_of(text.p + kept, i - kept));
        buf_put(out, str_c(name));
        kept = i += n;
    }
    buf_put(out, str_from(text, kept));
}

// Shorter ones hold no key but one of a few characters; most requests have such a path.
#define PLAIN_PATH 20
#define PATH_MAX_LENGTH ((size_t)1 << 20)

static bool holds_secret(struct str part) {
    for (size_t i = 0; i < part.n; i++)
        if ((i == 0 || !is_word(part.p[i - 1])) && secret_at(str_from(part, i))) return true;
    return false;
}

struct str mask_path(struct str path, char out[MASK_PATH_MAX]) {
    const struct mask mask = {.kinds = MASK_SECRET};
    struct str rest = path, part;
    bool any = false;
    if (path.n <= PLAIN_PATH) return path;
    // Part by part: a slash is no end of a secret in other text.
    while (!any && str_split(&rest, '/', &part)) any = holds_secret(part);
    if (!any) return path;
    BUF_AUTO struct buf text = BUF_INIT(PATH_MAX_LENGTH);
    rest = path;
    for (bool first = true; str_split(&rest, '/', &part); first = false) {
        if (!first) buf_putc(&text, '/');
        mask_put(&text, &mask, part);
    }
    if (text.failed) return STR("[secret]");
    struct str masked = str_head(buf_str(&text), MASK_PATH_MAX);
    memcpy(out, masked.p, masked.n);
    return str_of(out, masked.n);
}
