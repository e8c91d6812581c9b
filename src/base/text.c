// Bytes as text: hexadecimal, base 32, base 64, percent-encoding, RFC 3339.
#include "base/text.h"

#define NS_PER_S 1000000000LL
#define S_PER_DAY 86400LL

void hex_put(struct buf *out, struct str bytes) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char u = (unsigned char)bytes.p[i];
        buf_putc(out, digits[u >> 4]);
        buf_putc(out, digits[u & 15]);
    }
}

void percent_put(struct buf *out, struct str bytes, const char *also) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (plain || (c && (strchr("-._~", c) || strchr(also, c)))) {
            buf_putc(out, (char)c);
            continue;
        }
        buf_putc(out, '%');
        buf_putc(out, digits[c >> 4]);
        buf_putc(out, digits[c & 15]);
    }
}

static const char k_base32[] = "0123456789abcdefghjkmnpqrstvwxyz";

void base32_u64(char out[BASE32_U64_LEN], uint64_t v) {
    for (int i = BASE32_U64_LEN - 1; i >= 0; i--, v >>= 5) out[i] = k_base32[v & 31];
}

bool base32_u64_parse(struct str s, uint64_t *out_value) {
    if (s.n != BASE32_U64_LEN) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *d = s.p[i] ? strchr(k_base32, s.p[i]) : NULL;
        if (!d || v >> 59) return false;
        v = v << 5 | (uint64_t)(d - k_base32);
    }
    *out_value = v;
    return true;
}

static void base64_with(struct buf *out, struct str in, const char *alphabet, bool pad) {
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = MIN(in.n - i, (size_t)3);
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++) v = v << 8 | (k < left ? (unsigned char)in.p[i + k] : 0u);
        for (size_t k = 0; k < 4; k++) {
            if (k <= left)
                buf_putc(out, alphabet[(v >> (18 - 6 * k)) & 63]);
            else if (pad)
                buf_putc(out, '=');
        }
    }
}

void base64_put(struct buf *out, struct str bytes) {
    base64_with(out, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

void base64url_put(struct buf *out, struct str bytes) {
    base64_with(out, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

// Civil date from days since 1970 and back: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
static void civil_of_days(int64_t z, int64_t *out_y, int64_t *out_m, int64_t *out_d) {
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *out_d = doy - (153 * mp + 2) / 5 + 1;
    *out_m = mp < 10 ? mp + 3 : mp - 9;
    *out_y = yoe + era * 400 + (*out_m <= 2);
}

static int64_t days_of_civil(int64_t y, int64_t m, int64_t d) {
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void put_digits(char *p, int width, int64_t v) {
    for (int i = width - 1; i >= 0; i--, v /= 10) p[i] = (char)('0' + v % 10);
}

void time_text(char out[TIME_TEXT_LEN], int64_t unix_ns) {
    int64_t ms = unix_ns / 1000000 - (unix_ns % 1000000 < 0);
    int64_t s = ms / 1000 - (ms % 1000 < 0);
    int64_t days = s / S_PER_DAY - (s % S_PER_DAY < 0);
    int64_t sod = s - days * S_PER_DAY, y, m, d;
    civil_of_days(days, &y, &m, &d);
    memcpy(out, "0000-00-00T00:00:00.000Z", TIME_TEXT_LEN);
    put_digits(out, 4, y);
    put_digits(out + 5, 2, m);
    put_digits(out + 8, 2, d);
    put_digits(out + 11, 2, sod / 3600);
    put_digits(out + 14, 2, sod / 60 % 60);
    put_digits(out + 17, 2, sod % 60);
    put_digits(out + 20, 3, ms - s * 1000);
}

// Takes exactly `width` digits from *s.
static bool take_digits(struct str *s, size_t width, int64_t *out_value) {
    uint64_t v;
    if (s->n < width || !str_to_u64(str_head(*s, width), &v)) return false;
    *s = str_from(*s, width);
    *out_value = (int64_t)v;
    return true;
}

static bool take_char(struct str *s, const char *any) {
    if (s->n == 0 || s->p[0] == '\0' || !strchr(any, s->p[0])) return false;
    *s = str_from(*s, 1);
    return true;
}

static bool take_fraction(struct str *s, int64_t *out_ns) {
    int64_t scale = NS_PER_S / 10, ns = 0;
    size_t digits = 0;
    for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; *s = str_from(*s, 1), digits++, scale /= 10)
        ns += (s->p[0] - '0') * scale;
    *out_ns = ns;
    return digits > 0;
}

static bool take_offset(struct str *s, int64_t *out_seconds) {
    int64_t h, m, sign = s->n && s->p[0] == '-' ? -1 : 1;
    *out_seconds = 0;
    if (take_char(s, "Zz")) return true;
    if (!take_char(s, "+-") || !take_digits(s, 2, &h) || !take_char(s, ":") || !take_digits(s, 2, &m)) return false;
    *out_seconds = sign * (h * 3600 + m * 60);
    return h < 24 && m < 60;
}

bool time_parse(struct str s, int64_t *out_unix_ns) {
    int64_t y, mo, d, h = 0, mi = 0, sec = 0, ns = 0, offset = 0;
    if (!take_digits(&s, 4, &y) || !take_char(&s, "-") || !take_digits(&s, 2, &mo) || !take_char(&s, "-") ||
        !take_digits(&s, 2, &d))
        return false;
    if (s.n) {
        bool ok = take_char(&s, "Tt ") && take_digits(&s, 2, &h) && take_char(&s, ":") && take_digits(&s, 2, &mi) &&
                  take_char(&s, ":") && take_digits(&s, 2, &sec);
        if (!ok || (take_char(&s, ".") && !take_fraction(&s, &ns)) || !take_offset(&s, &offset) || s.n) return false;
    }
    int64_t y2, mo2, d2, days = days_of_civil(y, mo, d);
    civil_of_days(days, &y2, &mo2, &d2);
    if (mo != mo2 || d != d2 || y < 1678 || y > 2261 || h > 23 || mi > 59 || sec > 60) return false;
    *out_unix_ns = (days * S_PER_DAY + h * 3600 + mi * 60 + sec - offset) * NS_PER_S + ns;
    return true;
}
