// Strict UTF-8: validation, prefixes, encoding and decoding.
#include "base/utf8.h"

#include "base/scan_level.h"

bool utf8_valid(struct str s) { return s.n == 0 || scan_ops()->utf8_valid(s.p, s.n); }

static unsigned char byte_at(struct str s, size_t i) { return (unsigned char)s.p[i]; }
static bool is_continuation(unsigned char c) { return (c & 0xc0) == 0x80; }

// Length a lead byte asks for and the least second byte and greatest second byte it allows (Unicode table 3-7).
static size_t lead_rule(unsigned char lead, unsigned char *out_least, unsigned char *out_most) {
    *out_least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *out_most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t utf8_decode(struct str s, uint32_t *out_code_point) {
    if (s.n == 0) return 0;
    unsigned char least, most, lead = byte_at(s, 0);
    size_t n = lead_rule(lead, &least, &most);
    if (n == 0 || n > s.n) return 0;
    if (n == 1) {
        *out_code_point = lead;
        return 1;
    }
    if (byte_at(s, 1) < least || byte_at(s, 1) > most) return 0;
    uint32_t v = lead & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (!is_continuation(byte_at(s, i))) return 0;
        v = v << 6 | (byte_at(s, i) & 0x3fu);
    }
    *out_code_point = v;
    return n;
}

size_t utf8_valid_prefix(struct str s) {
    size_t i = 0;
    while (i < s.n) {
        uint64_t w;
        if (s.n - i >= sizeof w) {
            memcpy(&w, s.p + i, sizeof w);
            if ((w & 0x8080808080808080ULL) == 0) {
                i += sizeof w;
                continue;
            }
        }
        uint32_t ignored;
        size_t n = utf8_decode(str_from(s, i), &ignored);
        if (n == 0) return i;
        i += n;
    }
    return s.n;
}

struct str utf8_head(struct str s, size_t max) {
    if (s.n <= max) return s;
    while (max && is_continuation(byte_at(s, max))) max--;
    return str_head(s, max);
}

size_t utf8_count(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += !is_continuation(byte_at(s, i));
    return n;
}

size_t utf8_encode(char out[UTF8_MAX_BYTES], uint32_t c) {
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> n & 0xf0u) | c);
    return n;
}
