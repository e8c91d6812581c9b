// What all work on option tables shares: numbers by type, ranges, the nearest name.
#include "conf/opt_impl.h"
#include "conf/value.h"

const struct opt *opt_get(const struct opt_table *table, struct str name) {
    for (size_t i = 0; table && i < table->n; i++)
        if (str_eq(str_c(table->opts[i].name), name)) return &table->opts[i];
    return NULL;
}

bool opt_number_parse(enum opt_type type, struct str text, int64_t *out_value) {
    if (type == OPT_SIZE) return value_size(text, out_value);
    if (type == OPT_DURATION) return value_duration(text, out_value);
    if (type == OPT_DECIMAL) return value_decimal(text, out_value);
    return str_to_i64(text, out_value);
}

void opt_number_put(struct buf *out, enum opt_type type, int64_t value) {
    if (type == OPT_SIZE)
        value_put_size(out, value);
    else if (type == OPT_DURATION)
        value_put_duration(out, value);
    else if (type == OPT_DECIMAL)
        value_put_decimal(out, value);
    else
        buf_put_i64(out, value);
}

const char *opt_type_expected(enum opt_type type) {
    if (type == OPT_SIZE) return "a size such as 64 KiB or 32 MiB";
    if (type == OPT_DURATION) return "a duration such as 500ms, 30s or 5m";
    if (type == OPT_DECIMAL) return "an amount such as 2.5 or 0.075 (six decimals at most)";
    return "a whole number";
}

void opt_range_put(struct buf *out, const struct opt *opt) {
    if (opt->max == INT64_MAX) {
        buf_lit(out, "at least ");
        opt_number_put(out, opt->type, opt->min);
        return;
    }
    opt_number_put(out, opt->type, opt->min);
    buf_lit(out, " to ");
    opt_number_put(out, opt->type, opt->max);
}

struct str opt_nearest(struct str name, const struct str *names, size_t n) {
    // A third of the letters may be wrong, two at least for names of some length.
    size_t best = name.n < 3 ? 1 : MAX((size_t)2, name.n / 3);
    struct str near = STR_NONE;
    if (name.n > 64) return near;
    for (size_t i = 0; i < n; i++) {
        size_t d = str_distance(name, names[i], best + 1);
        if (d > best || d >= names[i].n || (near.p && d == best)) continue;
        best = d;
        near = names[i];
    }
    return near;
}
