// The UTF-8 validation kernel: 32 bytes a step with AVX2, else a byte-wise automaton with an ASCII skip.
//
// The vector form is the table-lookup method of J. Keiser and D. Lemire, "Validating UTF-8 In Less Than One Instruction
// Per Byte" (Software: Practice and Experience, 2021).
#ifndef BASE_UTF8_KERNEL_H
#define BASE_UTF8_KERNEL_H

#include "base/scan_kernel.h"
#include "base/utf8.h"

#if defined(SCAN_BLOCK_PORTABLE)

static bool kernel_utf8_valid(const char *p, size_t n) { return utf8_valid_prefix(str_of(p, n)) == n; }

#else

enum {
    TOO_SHORT = 1 << 0,
    TOO_LONG = 1 << 1,
    OVERLONG_3 = 1 << 2,
    TOO_LARGE = 1 << 3,
    SURROGATE = 1 << 4,
    OVERLONG_2 = 1 << 5,
    TOO_LARGE_1000 = 1 << 6,
    OVERLONG_4 = 1 << 6,
    TWO_CONTS = 1 << 7,
    CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS
};

#define LOOKUP16(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))
#define B(x) ((char)(unsigned char)(x))

KERNEL __m256i high_nibble(__m256i v) { return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15)); }

// The bytes of `v` moved up by k places, filled from the end of `before`.
#define SHIFTED(v, before, k) _mm256_alignr_epi8(v, _mm256_permute2x128_si256(before, v, 0x21), 16 - (k))

KERNEL __m256i utf8_pair_errors(__m256i v, __m256i before1) {
    const __m256i first_high =
        LOOKUP16(B(TOO_LONG), B(TOO_LONG), B(TOO_LONG), B(TOO_LONG), B(TOO_LONG), B(TOO_LONG), B(TOO_LONG), B(TOO_LONG),
                 B(TWO_CONTS), B(TWO_CONTS), B(TWO_CONTS), B(TWO_CONTS), B(TOO_SHORT | OVERLONG_2), B(TOO_SHORT),
                 B(TOO_SHORT | OVERLONG_3 | SURROGATE), B(TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4));
    const __m256i first_low =
        LOOKUP16(B(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), B(CARRY | OVERLONG_2), B(CARRY), B(CARRY),
                 B(CARRY | TOO_LARGE), B(CARRY | TOO_LARGE | TOO_LARGE_1000), B(CARRY | TOO_LARGE | TOO_LARGE_1000),
                 B(CARRY | TOO_LARGE | TOO_LARGE_1000), B(CARRY | TOO_LARGE | TOO_LARGE_1000),
                 B(CARRY | TOO_LARGE | TOO_LARGE_1000), B(CARRY | TOO_LARGE | TOO_LARGE_1000),
                 B(CARRY | TOO_LARGE | TOO_LARGE_1000), B(CARRY | TOO_LARGE | TOO_LARGE_1000),
                 B(CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE), B(CARRY | TOO_LARGE | TOO_LARGE_1000),
                 B(CARRY | TOO_LARGE | TOO_LARGE_1000));
    const __m256i second_high =
        LOOKUP16(B(TOO_SHORT), B(TOO_SHORT), B(TOO_SHORT), B(TOO_SHORT), B(TOO_SHORT), B(TOO_SHORT), B(TOO_SHORT),
                 B(TOO_SHORT), B(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4),
                 B(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE),
                 B(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE),
                 B(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE), B(TOO_SHORT), B(TOO_SHORT), B(TOO_SHORT),
                 B(TOO_SHORT));
    __m256i low = _mm256_and_si256(before1, _mm256_set1_epi8(15));
    __m256i errors =
        _mm256_and_si256(_mm256_shuffle_epi8(first_high, high_nibble(before1)), _mm256_shuffle_epi8(first_low, low));
    return _mm256_and_si256(errors, _mm256_shuffle_epi8(second_high, high_nibble(v)));
}

KERNEL __m256i utf8_errors(__m256i v, __m256i before) {
    __m256i pairs = utf8_pair_errors(v, SHIFTED(v, before, 1));
    // The third and fourth byte of a character must be, and alone may be, the second continuation in a row.
    __m256i third = _mm256_subs_epu8(SHIFTED(v, before, 2), _mm256_set1_epi8(B(0xe0 - 0x80)));
    __m256i fourth = _mm256_subs_epu8(SHIFTED(v, before, 3), _mm256_set1_epi8(B(0xf0 - 0x80)));
    __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(B(0x80)));
    return _mm256_xor_si256(must, pairs);
}

// Non-zero where the last bytes of v begin a character that v does not hold the end of.
KERNEL __m256i utf8_unfinished(__m256i v) {
    const __m256i most =
        _mm256_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                         -1, -1, -1, -1, -1, B(0xf0 - 1), B(0xe0 - 1), B(0xc0 - 1));
    return _mm256_subs_epu8(v, most);
}

static bool kernel_utf8_valid(const char *p, size_t n) {
    __m256i before = _mm256_setzero_si256(), errors = before, unfinished = before;
    for (size_t i = 0; i < n; i += 32) {
        char padded[32] = {0};
        const char *from = p + i;
        if (n - i < 32) {
            memcpy(padded, from, n - i);
            from = padded;
        }
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)from);
        if (_mm256_movemask_epi8(v) == 0) {
            errors = _mm256_or_si256(errors, unfinished);
            unfinished = _mm256_setzero_si256();
        } else {
            errors = _mm256_or_si256(errors, utf8_errors(v, before));
            unfinished = utf8_unfinished(v);
        }
        before = v;
    }
    errors = _mm256_or_si256(errors, unfinished);
    return _mm256_testz_si256(errors, errors) != 0;
}

#undef B
#undef LOOKUP16
#undef SHIFTED

#endif
#endif
