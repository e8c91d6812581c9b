// Cuts the text of a condition into words: names, numbers, literals and signs, each with its place.
#include "conf/condition_impl.h"

#include <stdio.h>

#define DIGITS_MAX 15 // what a double holds exactly

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool word_fault(struct word_reader *r, size_t at, const char *fmt, ...) {
    char message[ERR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < at && i < r->text.n; i++) {
        const char c = r->text.p[i];
        if (c == '\n')
            line++, column = 1;
        else if (((unsigned char)c & 0xc0) != 0x80)
            column++;
    }
    if (line > 1) return err_set(r->err, ERR_CONFIG_INVALID, "line %u, column %u: %.400s", line, column, message);
    return err_set(r->err, ERR_CONFIG_INVALID, "column %u: %.400s", column, message);
}

size_t word_number(struct str s, double *out_number) {
    static const double power[DIGITS_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int64_t value = 0;
    size_t i = 0, digits = 0, point = 0;
    for (; i < s.n; i++) {
        if (s.p[i] == '.' && !point && i > 0 && i + 1 < s.n && is_digit(s.p[i + 1])) {
            point = i;
            continue;
        }
        if (!is_digit(s.p[i])) break;
        if (++digits > DIGITS_MAX) return 0;
        value = value * 10 + (s.p[i] - '0');
    }
    if (digits == 0) return 0;
    double number = (double)value / power[point ? i - point - 1 : 0];
    if (i < s.n && (s.p[i] == 'k' || s.p[i] == 'K'))
        number *= 1e3, i++;
    else if (i < s.n && s.p[i] == 'M')
        number *= 1e6, i++;
    *out_number = number;
    return i;
}

static bool read_number(struct word_reader *r, struct word *w) {
    const struct str rest = str_from(r->text, r->at);
    const size_t n = word_number(rest, &w->number);
    if (n == 0) return word_fault(r, r->at, "a number has at most %d digits", DIGITS_MAX);
    if (n < rest.n && (is_letter(rest.p[n]) || is_digit(rest.p[n]) || rest.p[n] == '.'))
        return word_fault(r, r->at + n, "a number ends in a digit, \"k\" (1000) or \"M\" (1000000)");
    w->kind = WORD_NUMBER;
    w->text = str_head(rest, n);
    r->at += n;
    return true;
}

static bool read_literal(struct word_reader *r, struct word *w) {
    const char quote = r->text.p[r->at];
    const size_t begin = r->at + 1;
    size_t i = begin;
    for (; i < r->text.n && r->text.p[i] != quote; i++) {
        if (r->text.p[i] == '\n') break;
        if (r->text.p[i] != '\\') continue;
        const char next = i + 1 < r->text.n ? r->text.p[i + 1] : ' ';
        if (next != '\\' && next != '"' && next != '\'') return word_fault(r, i, "after a backslash comes \\, \" or '");
        i++;
    }
    if (i >= r->text.n || r->text.p[i] != quote) return word_fault(r, w->at, "the closing %c is missing", quote);
    w->kind = WORD_TEXT;
    w->text = str_of(r->text.p + begin, i - begin);
    r->at = i + 1;
    return true;
}

static bool read_sign(struct word_reader *r, struct word *w) {
    static const char two[][3] = {"||", "&&", "==", "!=", "<=", ">="};
    const struct str rest = str_from(r->text, r->at);
    w->kind = WORD_SIGN;
    for (size_t i = 0; i < ARRAY_LEN(two); i++)
        if (str_starts(rest, str_c(two[i]))) {
            w->text = str_head(rest, 2);
            r->at += 2;
            return true;
        }
    const char c = rest.p[0];
    if (c == '=') return word_fault(r, r->at, "\"=\" is no sign; did you mean \"==\"?");
    if (c == '&' || c == '|') return word_fault(r, r->at, "\"%c\" is no sign; did you mean \"%c%c\"?", c, c, c);
    if (c == '\0' || !memchr("!<>+-*/%()[].,", c, 14)) {
        if (c > ' ' && c < 127) return word_fault(r, r->at, "\"%c\" means nothing here", c);
        return word_fault(r, r->at, "a character that means nothing outside of quotes");
    }
    w->text = str_head(rest, 1);
    r->at++;
    return true;
}

bool word_next(struct word_reader *r, struct word *out_word) {
    const struct str t = r->text;
    while (r->at < t.n && (t.p[r->at] == ' ' || t.p[r->at] == '\t' || t.p[r->at] == '\n' || t.p[r->at] == '\r'))
        r->at++;
    struct word w = {.at = r->at};
    bool ok = true;
    if (r->at >= t.n) {
        w.kind = WORD_END;
    } else if (is_letter(t.p[r->at])) {
        while (r->at < t.n && (is_letter(t.p[r->at]) || is_digit(t.p[r->at]))) r->at++;
        w.kind = WORD_NAME;
        w.text = str_of(t.p + w.at, r->at - w.at);
    } else if (is_digit(t.p[r->at])) {
        ok = read_number(r, &w);
    } else if (t.p[r->at] == '"' || t.p[r->at] == '\'') {
        ok = read_literal(r, &w);
    } else {
        ok = read_sign(r, &w);
    }
    if (ok) *out_word = w;
    return ok;
}

struct str word_literal(struct str inner, struct arena *arena) {
    char *out = arena_alloc(arena, inner.n + 1);
    size_t n = 0;
    if (!out) return STR_NONE;
    for (size_t i = 0; i < inner.n; i++) {
        if (inner.p[i] == '\\') i++;
        out[n++] = inner.p[i];
    }
    return str_of(out, n);
}
