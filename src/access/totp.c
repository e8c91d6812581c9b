// Computes and checks one-time codes, and makes recovery codes.
#include "access/totp.h"

#include "base/text.h"
#include "os/rand.h"

#include <sodium.h>

// --- SHA-1 (FIPS 180-4), which libsodium leaves out ---

#define SHA1_SIZE 20
#define SHA1_BLOCK 64

static uint32_t rotl(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

static uint32_t big_endian(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_big_endian(unsigned char *p, uint32_t v) {
    for (unsigned i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static void sha1_block(uint32_t h[5], const unsigned char *block) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (unsigned i = 0; i < 16; i++) w[i] = big_endian(block + 4 * i);
    for (unsigned i = 16; i < 80; i++) w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (unsigned i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (b & c) | (~b & d)
                     : i < 40 ? b ^ c ^ d
                     : i < 60 ? (b & c) | (b & d) | (c & d)
                              : b ^ c ^ d;
        static const uint32_t k[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
        uint32_t next = rotl(a, 5) + f + e + k[i / 20] + w[i];
        e = d, d = c, c = rotl(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

// Of one block and at most 55 bytes after it: all that an HMAC over a counter needs.
static void sha1_after(const unsigned char first[SHA1_BLOCK], const unsigned char *rest, size_t n,
                       unsigned char out[SHA1_SIZE]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char last[SHA1_BLOCK] = {0};
    memcpy(last, rest, n);
    last[n] = 0x80;
    put_big_endian(last + 60, (uint32_t)((SHA1_BLOCK + n) * 8));
    sha1_block(h, first);
    sha1_block(h, last);
    for (unsigned i = 0; i < 5; i++) put_big_endian(out + 4 * i, h[i]);
}

// RFC 2104, of a key no longer than a block.
static void hmac_sha1(struct str key, const unsigned char *text, size_t n, unsigned char out[SHA1_SIZE]) {
    unsigned char pad[SHA1_BLOCK], inner[SHA1_SIZE];
    INVARIANT(key.n <= SHA1_BLOCK);
    memset(pad, 0x36, sizeof pad);
    for (size_t i = 0; i < key.n; i++) pad[i] ^= (unsigned char)key.p[i];
    sha1_after(pad, text, n, inner);
    for (size_t i = 0; i < sizeof pad; i++) pad[i] ^= 0x36 ^ 0x5c;
    sha1_after(pad, inner, sizeof inner, out);
    secret_wipe(pad, sizeof pad);
}

// --- codes ---

uint32_t totp_code(struct str secret, int64_t step) {
    unsigned char counter[8], mac[SHA1_SIZE];
    put_big_endian(counter, (uint32_t)((uint64_t)step >> 32));
    put_big_endian(counter + 4, (uint32_t)step);
    hmac_sha1(secret, counter, sizeof counter, mac);
    // RFC 4226, 5.3.
    return (big_endian(mac + (mac[SHA1_SIZE - 1] & 15)) & 0x7fffffff) % 1000000;
}

static void code_text(uint32_t code, char out[TOTP_DIGITS]) {
    for (unsigned i = TOTP_DIGITS; i-- > 0; code /= 10) out[i] = (char)('0' + code % 10);
}

bool totp_check(struct str secret, struct str text, int64_t now_ns, int64_t last, int64_t *out_step) {
    int64_t now = now_ns / TOTP_STEP_NS, found = -1;
    if (text.n != TOTP_DIGITS || now < 1) return false;
    for (int64_t step = now - 1; step <= now + 1; step++) {
        char want[TOTP_DIGITS];
        code_text(totp_code(secret, step), want);
        bool fits = str_eq_secret(str_of(want, sizeof want), text);
        if (fits && step > last && found < 0) found = step;
    }
    if (found < 0) return false;
    *out_step = found;
    return true;
}

// --- secrets ---

void totp_secret_make(char out_secret[TOTP_SECRET_SIZE]) { rand_bytes(out_secret, TOTP_SECRET_SIZE); }

void totp_secret_put(struct buf *out, const char secret[TOTP_SECRET_SIZE]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    static_assert(TOTP_SECRET_SIZE % 5 == 0, "whole groups, so no padding");
    for (size_t i = 0; i < TOTP_SECRET_SIZE; i += 5) {
        uint64_t group = 0;
        for (size_t k = 0; k < 5; k++) group = group << 8 | (unsigned char)secret[i + k];
        for (unsigned k = 0; k < 8; k++) buf_putc(out, digits[group >> (35 - 5 * k) & 31]);
    }
}

void totp_uri_put(struct buf *out, const char secret[TOTP_SECRET_SIZE], struct str issuer, struct str account) {
    buf_lit(out, "otpauth://totp/");
    percent_put(out, issuer, "");
    buf_putc(out, ':');
    percent_put(out, account, "");
    buf_lit(out, "?secret=");
    totp_secret_put(out, secret);
    buf_lit(out, "&issuer=");
    percent_put(out, issuer, "");
    buf_lit(out, "&algorithm=SHA1&digits=6&period=30");
}

// --- recovery codes ---

static const char crockford[] = "0123456789abcdefghjkmnpqrstvwxyz";
#define RECOVERY_DIGITS 16

void recovery_make(char out_code[RECOVERY_CODE_LEN]) {
    unsigned char random[RECOVERY_DIGITS];
    size_t n = 0;
    rand_bytes(random, sizeof random);
    for (size_t i = 0; i < RECOVERY_DIGITS; i++) {
        if (i && i % 4 == 0) out_code[n++] = '-';
        out_code[n++] = crockford[random[i] & 31];
    }
    secret_wipe(random, sizeof random);
}

bool recovery_hash(const struct secret *server, struct str code, char out_hash[RECOVERY_HASH_SIZE]) {
    static const char label[] = "recovery:";
    char text[sizeof label - 1 + RECOVERY_DIGITS];
    size_t n = 0;
    memcpy(text, label, sizeof label - 1);
    for (size_t i = 0; i < code.n; i++) {
        char c = code.p[i] >= 'A' && code.p[i] <= 'Z' ? (char)(code.p[i] + ('a' - 'A')) : code.p[i];
        if (c == '-' || c == ' ') continue;
        if (n == RECOVERY_DIGITS || !c || !strchr(crockford, c)) return false;
        text[sizeof label - 1 + n++] = c;
    }
    if (n != RECOVERY_DIGITS) return false;
    INVARIANT(crypto_generichash((unsigned char *)out_hash, RECOVERY_HASH_SIZE, (const unsigned char *)text,
                                 sizeof text, (const unsigned char *)server->p, server->n) == 0);
    secret_wipe(text, sizeof text);
    return true;
}
