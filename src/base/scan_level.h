// The table of scanning kernels for one instruction set: internal to the base room, and to tests that compare them.
//
// Each level is one file (scan_portable.c, scan_avx2.c, scan_avx512.c) that compiles the same kernel bodies over its
// own 64-byte block primitives. Ownership and thread rule: constant tables, pure functions.
#ifndef BASE_SCAN_LEVEL_H
#define BASE_SCAN_LEVEL_H

#include "base/str.h"

enum scan_level { SCAN_PORTABLE, SCAN_AVX2, SCAN_AVX512, SCAN_LEVEL_COUNT };

struct json_fault {
    const char *what; // static text
    const char *at;
};

struct scan_ops {
    size_t (*string_stop)(const char *p, size_t n);
    size_t (*json_escape)(const char *p, size_t n);
    size_t (*space)(const char *p, size_t n);
    size_t (*find)(struct str hay, struct str needle);
    size_t (*digit_or_at)(const char *p, size_t n);
    bool (*utf8_valid)(const char *p, size_t n);
    // p stands after the opening quote; returns the place after the closing one, or NULL when the string is not valid
    // (json_string_steps then tells why).
    const char *(*json_string)(const char *p, const char *end);
    // p stands on the first byte of a value, p < end; returns the place after it, or NULL with out_fault set.
    const char *(*json_value)(const char *p, const char *end, unsigned depth_max, struct json_fault *out_fault);
};

// NULL when this build or CPU has no such level.
const struct scan_ops *scan_ops_at(enum scan_level level);
// The best one.
const struct scan_ops *scan_ops(void);

extern const struct scan_ops scan_ops_portable;
#if defined(__x86_64__)
extern const struct scan_ops scan_ops_avx2;
extern const struct scan_ops scan_ops_avx512;
#endif

// The portable level, and the judge of what a vector kernel refused: the same contract, with the fault always told.
const char *json_string_steps(const char *p, const char *end, struct json_fault *out_fault);
const char *json_value_steps(const char *p, const char *end, unsigned depth_max, struct json_fault *out_fault);
// Checks the \uXXXX escape whose 'u' is at p, and its second half when it begins a surrogate pair. Returns the place
// after what it checked, or NULL.
const char *json_unicode_escape(const char *p, const char *end, uint32_t *out_code_point);

#endif
