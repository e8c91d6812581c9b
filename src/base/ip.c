// Parses addresses and CIDR ranges, and writes addresses.
#include "base/ip.h"

#include <stdio.h>

static bool v4_parse(struct str text, unsigned char out[4]) {
    struct str part;
    for (size_t i = 0; i < 4; i++) {
        uint64_t v;
        if (!text.p || !str_split(&text, '.', &part) || part.n > 3 || !str_to_u64(part, &v) || v > 255) return false;
        if (part.n > 1 && part.p[0] == '0') return false; // some read it as octal
        out[i] = (unsigned char)v;
    }
    return text.p == NULL;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool group_parse(struct str part, unsigned char out[2]) {
    unsigned v = 0;
    if (part.n == 0 || part.n > 4) return false;
    for (size_t i = 0; i < part.n; i++) {
        int digit = hex_digit(part.p[i]);
        if (digit < 0) return false;
        v = v << 4 | (unsigned)digit;
    }
    out[0] = (unsigned char)(v >> 8);
    out[1] = (unsigned char)v;
    return true;
}

// Groups with colons between, the last perhaps an IPv4 address, into at most 16 bytes. Empty text has none.
static bool groups_parse(struct str text, unsigned char out[16], size_t *out_n) {
    size_t n = 0;
    struct str part;
    if (text.n == 0) {
        *out_n = 0;
        return true;
    }
    while (text.p && str_split(&text, ':', &part)) {
        if (!text.p && str_find_char(part, '.') < part.n) {
            if (n > 12 || !v4_parse(part, out + n)) return false;
            n += 4;
        } else {
            if (n > 14 || !group_parse(part, out + n)) return false;
            n += 2;
        }
    }
    *out_n = n;
    return true;
}

static bool v6_parse(struct str text, unsigned char out[16]) {
    unsigned char head[16], tail[16];
    size_t n_head, n_tail = 0, gap = str_find(text, STR("::"));
    if (text.n > 45) return false;
    if (!groups_parse(str_head(text, gap), head, &n_head)) return false;
    if (gap == text.n) {
        if (n_head != 16) return false;
    } else if (str_find_char(str_head(text, gap), '.') < gap || !groups_parse(str_from(text, gap + 2), tail, &n_tail) ||
               n_head + n_tail > 14) {
        return false;
    }
    memset(out, 0, 16);
    memcpy(out, head, n_head);
    memcpy(out + 16 - n_tail, tail, n_tail);
    return true;
}

bool ip_parse(struct str text, struct ip *out_ip) {
    struct ip ip = {0};
    ip.p[10] = ip.p[11] = 0xff;
    if (str_find_char(text, ':') == text.n ? !v4_parse(text, ip.p + 12) : !v6_parse(text, ip.p)) return false;
    *out_ip = ip;
    return true;
}

bool ip_range_parse(struct str text, struct ip_range *out_range) {
    size_t slash = str_find_char(text, '/');
    struct str address = str_head(text, slash);
    struct ip ip;
    uint64_t bits = 128;
    bool v4 = str_find_char(address, ':') == address.n;
    if (!ip_parse(address, &ip)) return false;
    if (slash < text.n) {
        struct str prefix = str_from(text, slash + 1);
        if (prefix.n > 3 || !str_to_u64(prefix, &bits) || bits > (v4 ? 32 : 128)) return false;
        if (v4) bits += 96;
    }
    for (size_t i = 0; i < sizeof ip.p; i++) {
        unsigned kept = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : (unsigned)(bits - 8 * i);
        unsigned char mask = (unsigned char)(0xff00U >> kept);
        out_range->first.p[i] = ip.p[i] & mask;
        out_range->last.p[i] = (unsigned char)(ip.p[i] | (unsigned char)~mask);
    }
    return true;
}

bool ip_set_has(const struct ip_set *set, const struct ip *ip) {
    for (size_t i = 0; i < set->n; i++)
        if (ip_in(&set->p[i], ip)) return true;
    return false;
}

static unsigned group_of(const struct ip *ip, unsigned i) { return (unsigned)ip->p[2 * i] << 8 | ip->p[2 * i + 1]; }

// The longest run of two zero groups or more, the first of those alike; returns how long it is.
static unsigned zero_run(const struct ip *ip, unsigned *out_from) {
    unsigned best = 0, n = 0;
    for (unsigned i = 0; i < 8; i++) {
        n = group_of(ip, i) ? 0 : n + 1;
        if (n <= best) continue;
        best = n;
        *out_from = i + 1 - n;
    }
    return best > 1 ? best : 0;
}

struct str ip_text(const struct ip *ip, char out[IP_TEXT_MAX]) {
    static const unsigned char v4[12] = {[10] = 0xff, [11] = 0xff};
    unsigned from = 8, run = zero_run(ip, &from);
    int n = 0;
    if (memcmp(ip->p, v4, sizeof v4) == 0) {
        n = snprintf(out, IP_TEXT_MAX, "%u.%u.%u.%u", ip->p[12], ip->p[13], ip->p[14], ip->p[15]);
        return str_of(out, (size_t)n);
    }
    for (unsigned i = 0; i < 8; i++) {
        bool gap = run && i == from, after_gap = run && i == from + run;
        if (gap) i += run - 1;
        const char *before = i == 0 || after_gap ? "" : ":";
        n += gap ? snprintf(out + n, IP_TEXT_MAX - (size_t)n, "::")
                 : snprintf(out + n, IP_TEXT_MAX - (size_t)n, "%s%x", before, group_of(ip, i));
    }
    return str_of(out, (size_t)n);
}
