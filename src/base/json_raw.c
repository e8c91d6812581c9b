// Reads raw JSON values: numbers, booleans, and strings with their escapes decoded.
#include "base/json_read.h"

#include "base/scan_level.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>

#define DOUBLE_TEXT_MAX 511

enum json_kind json_raw_kind(struct str raw) {
    switch (raw.n ? raw.p[0] : '\0') {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
    case '\0':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

// "-0" is zero to both integer getters.
bool json_raw_i64(struct str raw, int64_t *out_value) { return str_to_i64(raw, out_value); }

bool json_raw_u64(struct str raw, uint64_t *out_value) {
    if (str_eq(raw, STR("-0"))) {
        *out_value = 0;
        return true;
    }
    return str_to_u64(raw, out_value);
}

bool json_raw_double(struct str raw, double *out_value) {
    // strtod needs a terminated copy; nobody writes longer numbers in earnest, so refuse rather than allocate.
    char text[DOUBLE_TEXT_MAX + 1];
    if (json_raw_kind(raw) != JSON_NUMBER || raw.n > DOUBLE_TEXT_MAX) return false;
    struct json_fault ignored;
    if (raw.p[0] != '-' && (raw.p[0] < '0' || raw.p[0] > '9')) return false;
    if (scan_ops_portable.json_value(raw.p, raw.p + raw.n, 1, &ignored) != raw.p + raw.n) return false;
    memcpy(text, raw.p, raw.n);
    text[raw.n] = '\0';
    double v = strtod(text, NULL);
    if (!isfinite(v)) return false;
    *out_value = v;
    return true;
}

bool json_raw_bool(struct str raw, bool *out_value) {
    bool yes = str_eq(raw, STR("true"));
    if (!yes && !str_eq(raw, STR("false"))) return false;
    *out_value = yes;
    return true;
}

static bool is_string(struct str raw) { return raw.n >= 2 && raw.p[0] == '"' && raw.p[raw.n - 1] == '"'; }
static struct str body_of(struct str raw) { return str_of(raw.p + 1, raw.n - 2); }

bool json_string_borrow(struct str raw, struct str *out_text) {
    if (!is_string(raw)) return false;
    struct str body = body_of(raw);
    if (str_find_char(body, '\\') < body.n) return false;
    *out_text = body;
    return true;
}

// Decodes the escape at s.p (a backslash) to out: how many bytes it took, or 0 when it is none; *out_n bytes came out.
static size_t escape_decode(struct str s, char out[UTF8_MAX_BYTES], size_t *out_n) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (s.n < 2) return 0;
    if (s.p[1] == 'u') {
        uint32_t code_point;
        const char *after = json_unicode_escape(s.p + 1, s.p + s.n, &code_point);
        if (!after) return 0;
        *out_n = utf8_encode(out, code_point);
        return (size_t)(after - s.p);
    }
    const char *hit = s.p[1] ? strchr(names, s.p[1]) : NULL;
    if (!hit) return 0;
    out[0] = values[hit - names];
    *out_n = 1;
    return 2;
}

// The next piece of a decoded string: a run of plain bytes, or one escape decoded into `small`. False at the end and
// on a bad escape (rest->n tells them apart).
static bool piece_next(struct str *rest, char small[UTF8_MAX_BYTES], struct str *out_piece) {
    if (rest->n == 0) return false;
    if (rest->p[0] != '\\') {
        size_t n = str_find_char(*rest, '\\');
        *out_piece = str_head(*rest, n);
        *rest = str_from(*rest, n);
        return true;
    }
    size_t n, took = escape_decode(*rest, small, &n);
    if (took == 0) return false;
    *out_piece = str_of(small, n);
    *rest = str_from(*rest, took);
    return true;
}

bool json_string_decode(struct str raw, struct buf *out) {
    if (!is_string(raw)) return false;
    struct str rest = body_of(raw), piece;
    char small[UTF8_MAX_BYTES];
    size_t before = out->n;
    while (piece_next(&rest, small, &piece)) buf_put(out, piece);
    if (rest.n == 0 && !out->failed) return true;
    out->n = before;
    return false;
}

bool json_string_text(struct str raw, struct arena *arena, struct str *out_text) {
    if (json_string_borrow(raw, out_text)) return true;
    if (!is_string(raw)) return false;
    struct str rest = body_of(raw), piece;
    char small[UTF8_MAX_BYTES];
    char *p = arena_alloc(arena, rest.n); // decoding never makes a string longer
    if (!p) return false;
    size_t n = 0;
    while (piece_next(&rest, small, &piece)) {
        memcpy(p + n, piece.p, piece.n);
        n += piece.n;
    }
    if (rest.n) return false;
    *out_text = str_of(p, n);
    return true;
}

bool json_string_equals(struct str raw, struct str text) {
    if (!is_string(raw)) return false;
    struct str rest = body_of(raw), piece;
    // Every escape is longer than what it stands for, and at most six times as long.
    if (rest.n < text.n || rest.n / 6 > text.n) return false;
    if (rest.n == text.n && !str_eq(rest, text)) return false;
    bool plain = str_find_char(rest, '\\') == rest.n;
    if (plain || rest.n == text.n) return plain && rest.n == text.n;
    char small[UTF8_MAX_BYTES];
    while (piece_next(&rest, small, &piece)) {
        if (!str_starts(text, piece)) return false;
        text = str_from(text, piece.n);
    }
    return rest.n == 0 && text.n == 0;
}

size_t json_string_len(struct str raw) {
    if (!is_string(raw)) return 0;
    struct str rest = body_of(raw), piece;
    char small[UTF8_MAX_BYTES];
    size_t n = 0;
    while (piece_next(&rest, small, &piece)) n += piece.n;
    return rest.n ? 0 : n;
}
