// Non-cryptographic hashing.
#include "base/hash.h"

static uint64_t read64(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t read_tail(const char *p, size_t n) {
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

__extension__ typedef unsigned __int128 u128;

static uint64_t fold(uint64_t a, uint64_t b) {
    u128 m = (u128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t hash_bytes(struct str s, uint64_t seed) {
    const uint64_t k0 = 0xa0761d6478bd642fULL, k1 = 0xe7037ed1a0b428dbULL, k2 = 0x8ebc6af09c88c6e3ULL;
    const char *p = s.p;
    size_t n = s.n;
    uint64_t h = seed ^ fold(seed ^ k0, (uint64_t)n ^ k1);
    for (; n >= 16; n -= 16, p += 16) h = fold(read64(p) ^ k1, read64(p + 8) ^ h);
    uint64_t a = 0, b = 0;
    if (n > 8) {
        a = read64(p);
        b = read_tail(p + 8, n - 8);
    } else if (n) {
        a = read_tail(p, n);
    }
    return fold(k2 ^ (uint64_t)s.n, fold(a ^ k1, b ^ h));
}

#define CRC_POLY 0x82f63b78u

static uint32_t crc_portable(uint32_t crc, const unsigned char *p, size_t n) {
    while (n--) {
        crc ^= *p++;
        for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ (CRC_POLY & (0u - (crc & 1)));
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, const unsigned char *p, size_t n) {
    uint64_t c = crc;
    for (; n >= 8; n -= 8, p += 8) c = __builtin_ia32_crc32di(c, read64((const char *)p));
    uint32_t c32 = (uint32_t)c;
    while (n--) c32 = __builtin_ia32_crc32qi(c32, *p++);
    return c32;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n) {
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc_sse42(crc, p, n);
#endif
    return ~crc_portable(crc, p, n);
}
