// Fuzzes UTF-8 validation at every instruction-set level against a plain decoder.
#include "base/scan_level.h"
#include "base/utf8.h"

#include "json_naive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str s = str_of((const char *)data, size);
    bool want = naive_utf8_valid(data, size);
    for (int level = 0; level < SCAN_LEVEL_COUNT; level++) {
        const struct scan_ops *ops = scan_ops_at((enum scan_level)level);
        if (ops) INVARIANT(ops->utf8_valid(s.p, s.n) == want);
    }
    size_t prefix = utf8_valid_prefix(s);
    INVARIANT((prefix == size) == want);
    INVARIANT(naive_utf8_valid(data, prefix));
    for (size_t at = 0; at < prefix;) {
        uint32_t code_point;
        char again[UTF8_MAX_BYTES];
        size_t n = utf8_decode(str_of(s.p + at, prefix - at), &code_point);
        INVARIANT(n && utf8_encode(again, code_point) == n && memcmp(again, s.p + at, n) == 0);
        at += n;
    }
    return 0;
}
