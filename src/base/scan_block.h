// Primitives over a block of 64 bytes, giving one bit a byte, for the level that the including file selects.
//
// The includer defines one of SCAN_BLOCK_AVX512, SCAN_BLOCK_AVX2 or SCAN_BLOCK_PORTABLE and, for the first two, turns
// the instruction set on before including this.
#ifndef BASE_SCAN_BLOCK_H
#define BASE_SCAN_BLOCK_H

#include "base/defs.h"

#include <string.h>

#if !defined(SCAN_BLOCK_PORTABLE)
#include <immintrin.h>
#endif

#define BLOCK 64
#define KERNEL static inline __attribute__((always_inline))

static inline unsigned bit_first(uint64_t mask) { return (unsigned)__builtin_ctzll(mask); }
static inline uint64_t bits_below(size_t n) { return n >= 64 ? ~0ULL : (1ULL << n) - 1; }

// Each bit becomes the parity of itself and all below it.
static inline uint64_t bits_parity(uint64_t mask) {
    for (unsigned k = 1; k < 64; k *= 2) mask ^= mask << k;
    return mask;
}

#if defined(SCAN_BLOCK_AVX512)

typedef __m512i block_t;

KERNEL block_t block_load(const char *p) { return _mm512_loadu_si512(p); }
// n < 64 bytes, the rest zero; reads no further.
KERNEL block_t block_load_part(const char *p, size_t n) { return _mm512_maskz_loadu_epi8(bits_below(n), p); }
KERNEL uint64_t block_eq(block_t b, char c) { return _mm512_cmpeq_epi8_mask(b, _mm512_set1_epi8(c)); }
KERNEL uint64_t block_below(block_t b, unsigned char c) { return _mm512_cmplt_epu8_mask(b, _mm512_set1_epi8((char)c)); }
KERNEL uint64_t block_high(block_t b) { return _mm512_movepi8_mask(b); }
KERNEL block_t block_pair_lookup(block_t b, const char lo[16], const char hi[16]) {
    block_t lo_table = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)lo));
    block_t hi_table = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)hi));
    block_t nibble = _mm512_and_si512(_mm512_srli_epi16(b, 4), _mm512_set1_epi8(15));
    return _mm512_and_si512(_mm512_shuffle_epi8(lo_table, b), _mm512_shuffle_epi8(hi_table, nibble));
}
// Which bytes have any of the given bits set.
KERNEL uint64_t block_any(block_t b, unsigned char bits) {
    return _mm512_test_epi8_mask(b, _mm512_set1_epi8((char)bits));
}

#elif defined(SCAN_BLOCK_AVX2)

typedef struct {
    __m256i lo, hi;
} block_t;

KERNEL block_t block_load(const char *p) {
    return (block_t){_mm256_loadu_si256((const __m256i *)(const void *)p),
                     _mm256_loadu_si256((const __m256i *)(const void *)(p + 32))};
}
KERNEL block_t block_load_part(const char *p, size_t n) {
    char padded[BLOCK] = {0};
    memcpy(padded, p, n);
    return block_load(padded);
}
KERNEL uint64_t block_mask(__m256i lo, __m256i hi) {
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(lo) | (uint64_t)(uint32_t)_mm256_movemask_epi8(hi) << 32;
}
KERNEL uint64_t block_eq(block_t b, char c) {
    __m256i v = _mm256_set1_epi8(c);
    return block_mask(_mm256_cmpeq_epi8(b.lo, v), _mm256_cmpeq_epi8(b.hi, v));
}
KERNEL uint64_t block_below(block_t b, unsigned char c) {
    __m256i v = _mm256_set1_epi8((char)(c - 1));
    return block_mask(_mm256_cmpeq_epi8(_mm256_min_epu8(b.lo, v), b.lo),
                      _mm256_cmpeq_epi8(_mm256_min_epu8(b.hi, v), b.hi));
}
KERNEL uint64_t block_high(block_t b) { return block_mask(b.lo, b.hi); }
KERNEL __m256i half_pair_lookup(__m256i b, __m256i lo_table, __m256i hi_table) {
    __m256i nibble = _mm256_and_si256(_mm256_srli_epi16(b, 4), _mm256_set1_epi8(15));
    return _mm256_and_si256(_mm256_shuffle_epi8(lo_table, b), _mm256_shuffle_epi8(hi_table, nibble));
}
KERNEL block_t block_pair_lookup(block_t b, const char lo[16], const char hi[16]) {
    __m256i lo_table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)lo));
    __m256i hi_table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)hi));
    return (block_t){half_pair_lookup(b.lo, lo_table, hi_table), half_pair_lookup(b.hi, lo_table, hi_table)};
}
KERNEL uint64_t block_any(block_t b, unsigned char bits) {
    __m256i zero = _mm256_setzero_si256(), v = _mm256_set1_epi8((char)bits);
    return ~block_mask(_mm256_cmpeq_epi8(_mm256_and_si256(b.lo, v), zero),
                       _mm256_cmpeq_epi8(_mm256_and_si256(b.hi, v), zero));
}

#else

typedef struct {
    uint64_t w[8]; // the lowest byte is the first in memory
} block_t;

#define EACH_BYTE 0x0101010101010101ULL

KERNEL block_t block_load(const char *p) {
    block_t b;
    memcpy(b.w, p, sizeof b.w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (int i = 0; i < 8; i++) b.w[i] = __builtin_bswap64(b.w[i]);
#endif
    return b;
}
KERNEL block_t block_load_part(const char *p, size_t n) {
    char padded[BLOCK] = {0};
    memcpy(padded, p, n);
    return block_load(padded);
}
// Gathers the top bit of each byte.
KERNEL uint64_t word_gather(uint64_t tops) { return ((tops >> 7) * 0x0102040810204080ULL) >> 56; }
KERNEL uint64_t word_zero_tops(uint64_t x) {
    uint64_t low7 = EACH_BYTE * 0x7f;
    return ~(((x & low7) + low7) | x | low7);
}
KERNEL uint64_t block_eq(block_t b, char c) {
    uint64_t mask = 0;
    for (int i = 0; i < 8; i++) mask |= word_gather(word_zero_tops(b.w[i] ^ EACH_BYTE * (unsigned char)c)) << (8 * i);
    return mask;
}

#endif
#endif
