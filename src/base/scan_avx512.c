// The scanning and JSON kernels over AVX-512BW.
#if defined(__x86_64__)
#if defined(__clang__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi,bmi2,lzcnt,popcnt"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi,bmi2,lzcnt,popcnt")
#endif
#define SCAN_BLOCK_AVX512
#include "base/json_kernel.h"

const struct scan_ops scan_ops_avx512 = {
    .string_stop = kernel_string_stop,
    .json_escape = kernel_json_escape,
    .space = kernel_space,
    .find = kernel_find,
    .digit_or_at = kernel_digit_or_at,
    .utf8_valid = kernel_utf8_valid,
    .json_string = kernel_json_string,
    .json_value = kernel_json_value,
};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
