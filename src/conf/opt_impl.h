// What the files that work on option tables share: numbers by type, ranges, type names.
#ifndef CONF_OPT_IMPL_H
#define CONF_OPT_IMPL_H

#include "conf/opt.h"

// For OPT_INT, OPT_SIZE, OPT_DURATION, OPT_DECIMAL.
NODISCARD bool opt_number_parse(enum opt_type type, struct str text, int64_t *out_value);
void opt_number_put(struct buf *out, enum opt_type type, int64_t value);
// "a size such as 64 KiB"
const char *opt_type_expected(enum opt_type type);
// "1 to 100", "at least 1 KiB"
void opt_range_put(struct buf *out, const struct opt *opt);

#endif
