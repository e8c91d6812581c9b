// The scanning and JSON kernels over plain 64-bit words, for any CPU.
#define SCAN_BLOCK_PORTABLE
#include "base/json_kernel.h"

const struct scan_ops scan_ops_portable = {
    .string_stop = kernel_string_stop,
    .json_escape = kernel_json_escape,
    .space = kernel_space,
    .find = kernel_find,
    .utf8_valid = kernel_utf8_valid,
    .json_string = kernel_json_string,
    .json_value = kernel_json_value,
};
