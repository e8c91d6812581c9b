// The scanning kernels over plain 64-bit words, for any CPU.
#define SCAN_BLOCK_PORTABLE
#include "base/scan_kernel.h"
#include "base/scan_word.h"
#include "base/utf8_kernel.h"

static size_t portable_string_stop(const char *p, size_t n) { return (size_t)(skip_plain(p, p + n) - p); }

static size_t portable_json_escape(const char *p, size_t n) {
    const char *end = p + n, *at = skip_plain(p, end);
    while (at < end && (unsigned char)*at >= 0x80) at = skip_plain(at + 1, end);
    return (size_t)(at - p);
}

static size_t portable_digit_or_at(const char *p, size_t n) { return find_digit_or_at(p, n); }

static const char *portable_json_string(const char *p, const char *end) {
    struct json_fault ignored;
    return json_string_steps(p, end, &ignored);
}

const struct scan_ops scan_ops_portable = {
    .string_stop = portable_string_stop,
    .json_escape = portable_json_escape,
    .space = kernel_space,
    .find = kernel_find,
    .digit_or_at = portable_digit_or_at,
    .utf8_valid = kernel_utf8_valid,
    .json_string = portable_json_string,
    .json_value = json_value_steps,
};
