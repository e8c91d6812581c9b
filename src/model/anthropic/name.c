// Names and ids that other vendors allow and Anthropic does not, in its alphabet, and back.
//
// Encoded is "_enc_" and then each byte that is no letter or digit as '_' and two hexadecimal digits; what begins with
// "_enc_" by itself is encoded too, so that no two names become one.
#include "model/anthropic/anthropic.h"

#define MARK "_enc_"

static bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

static bool fits(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if (!is_plain(text.p[i]) && text.p[i] != '_' && text.p[i] != '-') return false;
    return text.n && !str_starts(text, STR(MARK));
}

struct str anthropic_name(struct arena *arena, struct str json_string) {
    static const char k_hex[] = "0123456789abcdef";
    struct str text;
    if (!json_string_text(json_string, arena, &text)) return STR_NONE;
    if (fits(text)) return json_string;
    char *p = arena_alloc(arena, text.n * 3 + sizeof MARK + 2);
    if (!p) return STR_NONE;
    size_t n = 0;
    p[n++] = '"';
    memcpy(p + n, MARK, sizeof MARK - 1);
    n += sizeof MARK - 1;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (is_plain(text.p[i])) {
            p[n++] = text.p[i];
            continue;
        }
        p[n++] = '_';
        p[n++] = k_hex[c >> 4];
        p[n++] = k_hex[c & 15];
    }
    p[n++] = '"';
    return str_of(p, n);
}

static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str anthropic_name_back(struct str escaped, char *out) {
    char text[ANTHROPIC_NAME_MAX / 6];
    size_t n = 0;
    if (!str_starts(escaped, STR(MARK))) return escaped;
    struct str s = str_from(escaped, sizeof MARK - 1);
    for (size_t i = 0; i < s.n; i++) {
        if (n == sizeof text) return escaped;
        if (s.p[i] != '_') {
            text[n++] = s.p[i];
            continue;
        }
        if (i + 2 >= s.n) return escaped;
        int high = digit(s.p[i + 1]), low = digit(s.p[i + 2]);
        if (high < 0 || low < 0) return escaped;
        text[n++] = (char)(high * 16 + low);
        i += 2;
    }
    struct buf b = BUF_INIT(ANTHROPIC_NAME_MAX);
    json_escape_put(&b, str_of(text, n));
    struct str back = escaped;
    if (!b.failed) {
        if (b.n) memcpy(out, b.p, b.n);
        back = str_of(out, b.n);
    }
    buf_free(&b);
    return back;
}
