// Parses addresses and blocks of them.
#include "access/cidr.h"

static bool read_4(struct str text, uint8_t out[4]) {
    struct str part;
    unsigned n = 0;
    while (str_split(&text, '.', &part)) {
        uint64_t v;
        // No leading zero: some read such a number as octal.
        if (n == 4 || part.n == 0 || part.n > 3 || (part.n > 1 && part.p[0] == '0')) return false;
        if (!str_to_u64(part, &v) || v > 255) return false;
        out[n++] = (uint8_t)v;
    }
    return n == 4;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_group(struct str part, uint8_t out[2]) {
    unsigned v = 0;
    if (part.n == 0 || part.n > 4) return false;
    for (size_t i = 0; i < part.n; i++) {
        int d = hex_digit(part.p[i]);
        if (d < 0) return false;
        v = v * 16 + (unsigned)d;
    }
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return true;
}

// Groups with a colon between; at the end of the whole address the last may be one of version 4. How many bytes that
// is; 17 when it is nothing.
static unsigned read_groups(struct str text, bool ends, uint8_t out[16]) {
    unsigned n = 0;
    struct str part, rest = text;
    while (text.n && str_split(&rest, ':', &part)) {
        if (ends && !rest.p && str_find_char(part, '.') < part.n) return n <= 12 && read_4(part, out + n) ? n + 4 : 17;
        if (n > 14 || !read_group(part, out + n)) return 17;
        n += 2;
    }
    return n;
}

static bool read_6(struct str text, uint8_t out[16]) {
    uint8_t head[16] = {0}, tail[16] = {0};
    size_t gap = str_find(text, STR("::"));
    if (gap == text.n) return read_groups(text, true, out) == 16;
    unsigned before = read_groups(str_head(text, gap), false, head),
             after = read_groups(str_from(text, gap + 2), true, tail);
    if (before + after > 14) return false;
    memset(out, 0, 16);
    memcpy(out, head, before);
    memcpy(out + 16 - after, tail, after);
    return true;
}

bool address_parse(struct str text, uint8_t out_bytes[16]) {
    uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};
    if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']') text = str_of(text.p + 1, text.n - 2);
    bool six = str_find_char(text, ':') < text.n;
    if (six) text = str_head(text, str_find_char(text, '%'));
    if (text.n > 45 || !(six ? read_6(text, bytes) : read_4(text, bytes + 12))) return false;
    memcpy(out_bytes, bytes, 16);
    return true;
}

bool cidr_parse(struct str text, struct cidr *out_block) {
    struct cidr c = {.bits = 128};
    size_t slash = str_find_char(text, '/');
    struct str address = str_head(text, slash), bits = str_from(text, slash + 1);
    uint64_t n;
    if (!address_parse(address, c.bytes)) return false;
    if (slash < text.n) {
        unsigned most = str_find_char(address, ':') < address.n ? 128 : 32;
        if (bits.n == 0 || bits.n > 3 || !str_to_u64(bits, &n) || n > most) return false;
        c.bits = (uint8_t)(128 - most + n);
    }
    for (unsigned i = c.bits; i < 128; i++)
        if (c.bytes[i / 8] >> (7 - i % 8) & 1) return false;
    *out_block = c;
    return true;
}

bool cidr_has(const struct cidr *block, const uint8_t bytes[16]) {
    unsigned whole = block->bits / 8, rest = block->bits % 8;
    if (memcmp(block->bytes, bytes, whole) != 0) return false;
    return rest == 0 || (block->bytes[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}
