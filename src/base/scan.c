// SIMD byte scanning: choice of the level and the entry points.
#include "base/scan.h"

#include "base/scan_level.h"

const struct scan_ops *scan_ops_at(enum scan_level level) {
    switch (level) {
    case SCAN_PORTABLE:
        return &scan_ops_portable;
#if defined(__x86_64__)
    case SCAN_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? &scan_ops_avx2 : NULL;
    case SCAN_AVX512:
        return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("bmi2")
                   ? &scan_ops_avx512
                   : NULL;
#else
    case SCAN_AVX2:
    case SCAN_AVX512:
        return NULL;
#endif
    case SCAN_LEVEL_COUNT:
        break;
    }
    return NULL;
}

const struct scan_ops *scan_ops(void) {
    const struct scan_ops *ops = scan_ops_at(SCAN_AVX512);
    if (!ops) ops = scan_ops_at(SCAN_AVX2);
    return ops ? ops : &scan_ops_portable;
}

size_t scan_string_stop(struct str s) { return scan_ops()->string_stop(s.p, s.n); }
size_t scan_json_escape(struct str s) { return scan_ops()->json_escape(s.p, s.n); }
size_t scan_spaces(struct str s) { return scan_ops()->space(s.p, s.n); }
size_t scan_digit_or_at(struct str s) { return scan_ops()->digit_or_at(s.p, s.n); }
size_t scan_find(struct str hay, struct str needle) { return scan_ops()->find(hay, needle); }

size_t scan_last_blank_line(struct str s) {
    size_t n = s.n;
    while (n > 1) {
        const char *hit = memrchr(s.p, '\n', n);
        if (!hit) return 0;
        size_t at = (size_t)(hit - s.p);
        if (at >= 1 && hit[-1] == '\n') return at + 1;
        if (at >= 2 && hit[-1] == '\r' && hit[-2] == '\n') return at + 1;
        n = at;
    }
    return 0;
}
