// Scalar values as people write them: sizes, durations and exact decimals, both ways.
//
// Thread rule: pure. Errors: false, with the output untouched.
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/buf.h"

// "65536", "64 KiB", "1.5 MiB", "10 MB" (KB, MB, GB are powers of 1000); the result is whole bytes.
NODISCARD bool value_size(struct str s, int64_t *out_bytes);
// "250ms", "30s", "1m30s", "1.5h", "2d", "0"; whole milliseconds.
NODISCARD bool value_duration(struct str s, int64_t *out_ms);
// "2.5", "0.0375", "10"; at most six decimals; the result is millionths.
NODISCARD bool value_decimal(struct str s, int64_t *out_millionths);

// The shortest text that gives the value again.
void value_put_size(struct buf *out, int64_t bytes);
void value_put_duration(struct buf *out, int64_t ms);
void value_put_decimal(struct buf *out, int64_t millionths);

#endif
