// Text from anywhere made safe for a log line: JSON escapes, and control characters that people can see.
#include "obs/log_impl.h"

#include "base/scan.h"
#include "base/utf8.h"

#define HEX "0123456789abcdef"

// Characters that change how a terminal or an editor shows what follows: C0, DEL, C1, and those that set the direction
// of writing or hide in it.
static bool is_treacherous(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

static char short_escape(uint32_t c) {
    switch (c) {
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '"':
    case '\\':
        return (char)c;
    default:
        return 0;
    }
}

// One character as at most 8 bytes; its length.
static size_t put_json(char out[8], uint32_t c, struct str raw) {
    char named = short_escape(c);
    out[0] = '\\';
    if (named) {
        out[1] = named;
        return 2;
    }
    if (is_treacherous(c)) { // all of them below U+10000
        out[1] = 'u';
        for (int i = 0; i < 4; i++) out[2 + i] = HEX[c >> (12 - 4 * i) & 15];
        return 6;
    }
    memcpy(out, raw.p, raw.n);
    return raw.n;
}

static bool put_all(char *text, size_t cap, size_t *n, struct str value) {
    size_t at = *n;
    while (value.n) {
        uint32_t c;
        size_t len = utf8_decode(value, &c);
        char one[8];
        size_t put = len ? put_json(one, c, str_head(value, len)) : sizeof "\xef\xbf\xbd" - 1;
        if (cap - at < put) return false;
        memcpy(text + at, len ? one : "\xef\xbf\xbd", put);
        at += put;
        value = str_from(value, len ? len : 1);
    }
    *n = at;
    return true;
}

// Bytes that end plain text, as their top bits: '"', '\\', below 0x20, 0x80 and above. May err on the safe side in the
// bytes after the first.
static uint64_t word_stops(uint64_t w) {
    const uint64_t each = 0x0101010101010101ULL;
    uint64_t quote = w ^ each * '"', slash = w ^ each * '\\';
    return ((w - each * 0x20) | (quote - each) | (slash - each) | w) & each * 0x80;
}

// Copies plain text of 8 to 64 bytes; false when there is more in it. The last word overlaps the one before.
static bool copy_plain(char *out, struct str value) {
    uint64_t w, stops = 0;
    for (size_t i = 0; i < value.n - 7; i += 8) {
        memcpy(&w, value.p + i, 8);
        memcpy(out + i, &w, 8);
        stops |= word_stops(w);
    }
    memcpy(&w, value.p + value.n - 8, 8);
    memcpy(out + value.n - 8, &w, 8);
    return ((stops | word_stops(w)) & 0x8080808080808080ULL) == 0;
}

static bool is_plain_json(struct str value) {
    if (value.n >= 8) return scan_string_stop(value) == value.n;
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') return false;
    }
    return true;
}

bool log_text_json(char *text, size_t cap, size_t *n, struct str value) {
    if (cap - *n < value.n) return false;
    if (value.n >= 8 && value.n <= 64) {
        if (LIKELY(copy_plain(text + *n, value))) {
            *n += value.n;
            return true;
        }
    } else if (LIKELY(is_plain_json(value))) {
        if (value.n) memcpy(text + *n, value.p, value.n);
        *n += value.n;
        return true;
    }
    return put_all(text, cap, n, value);
}

// Without quotes where no reader could mistake it.
static bool is_plain(struct str value) {
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) return false;
    }
    return value.n != 0;
}

bool log_text_visible(char *text, size_t cap, size_t *n, struct str value) {
    size_t at = *n;
    if (is_plain(value)) {
        if (cap - at < value.n) return false;
        memcpy(text + at, value.p, value.n);
        *n = at + value.n;
        return true;
    }
    if (cap - at < 2) return false;
    text[at++] = '"';
    if (!put_all(text, cap - 1, &at, value)) return false;
    text[at++] = '"';
    *n = at;
    return true;
}
