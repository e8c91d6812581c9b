// Reads and writes sizes, durations and decimals with exact integer arithmetic.
#include "conf/value.h"

struct unit {
    struct str name;
    int64_t factor;
};

static const struct unit size_units[] = {
    {STR_INIT("GiB"), INT64_C(1) << 30},
    {STR_INIT("GB"), 1000000000},
    {STR_INIT("MiB"), 1 << 20},
    {STR_INIT("MB"), 1000000},
    {STR_INIT("KiB"), 1 << 10},
    {STR_INIT("KB"), 1000},
    {STR_INIT("kB"), 1000},
    {STR_INIT("B"), 1},
};
static const struct unit time_units[] = {
    {STR_INIT("d"), 86400000}, {STR_INIT("h"), 3600000}, {STR_INIT("ms"), 1},
    {STR_INIT("m"), 60000},    {STR_INIT("s"), 1000},
};

// A number in digits, split so that no precision is lost: value = digits / 10^decimals.
struct number {
    int64_t digits;
    int64_t power; // 10^decimals
};

static bool number_take(struct str *s, struct number *out) {
    struct number v = {0, 1};
    size_t i = 0, before = 0, after = 0;
    bool point = false;
    for (; i < s->n; i++) {
        char c = s->p[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9') break;
        if (__builtin_mul_overflow(v.digits, INT64_C(10), &v.digits) ||
            __builtin_add_overflow(v.digits, (int64_t)(c - '0'), &v.digits))
            return false;
        if (point && ++after > 12) return false;
        if (point)
            v.power *= 10;
        else
            before++;
    }
    if (!before || (point && !after)) return false;
    *s = str_from(*s, i);
    *out = v;
    return true;
}

// v * factor, when that is a whole number.
static bool number_scale(struct number v, int64_t factor, int64_t *out) {
    while (v.power > 1 && v.digits % 10 == 0) v = (struct number){v.digits / 10, v.power / 10};
    int64_t product;
    if (__builtin_mul_overflow(v.digits, factor, &product) || product % v.power) return false;
    *out = product / v.power;
    return true;
}

bool value_size(struct str s, int64_t *out_bytes) {
    struct number v;
    if (!number_take(&s, &v)) return false;
    s = str_trim(s);
    if (!s.n) return number_scale(v, 1, out_bytes);
    for (size_t i = 0; i < ARRAY_LEN(size_units); i++) {
        if (str_eq(s, size_units[i].name)) return number_scale(v, size_units[i].factor, out_bytes);
    }
    return false;
}

static int64_t time_unit_take(struct str *s) {
    for (size_t i = 0; i < ARRAY_LEN(time_units); i++) {
        if (!str_starts(*s, time_units[i].name)) continue;
        *s = str_from(*s, time_units[i].name.n);
        return time_units[i].factor;
    }
    return 0;
}

bool value_duration(struct str s, int64_t *out_ms) {
    int64_t total = 0, last = INT64_MAX;
    if (str_eq(s, STR("0"))) {
        *out_ms = 0;
        return true;
    }
    do {
        struct number v;
        int64_t part;
        if (!number_take(&s, &v)) return false;
        while (s.n && s.p[0] == ' ') s = str_from(s, 1);
        int64_t factor = time_unit_take(&s);
        if (!factor || factor >= last || !number_scale(v, factor, &part)) return false;
        if (__builtin_add_overflow(total, part, &total)) return false;
        last = factor;
        while (s.n && s.p[0] == ' ') s = str_from(s, 1);
    } while (s.n);
    *out_ms = total;
    return true;
}

bool value_decimal(struct str s, int64_t *out_millionths) {
    struct number v;
    return number_take(&s, &v) && !s.n && number_scale(v, 1000000, out_millionths);
}

void value_put_size(struct buf *out, int64_t bytes) {
    static const struct unit *const binary[] = {&size_units[0], &size_units[2], &size_units[4]};
    for (size_t i = 0; i < ARRAY_LEN(binary); i++) {
        if (bytes == 0 || bytes % binary[i]->factor) continue;
        buf_printf(out, "%lld %.*s", (long long)(bytes / binary[i]->factor), STR_ARG(binary[i]->name));
        return;
    }
    buf_put_i64(out, bytes);
}

void value_put_duration(struct buf *out, int64_t ms) {
    static const struct unit *const order[] = {&time_units[0], &time_units[1], &time_units[3], &time_units[4],
                                               &time_units[2]};
    if (ms == 0) buf_lit(out, "0");
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (ms < order[i]->factor) continue;
        // 90 s reads better than 1m30s, and 1d than 24h.
        if (ms % order[i]->factor && ms < 10 * order[i]->factor && i < 3 && ms % 1000 == 0) continue;
        buf_printf(out, "%lld%.*s", (long long)(ms / order[i]->factor), STR_ARG(order[i]->name));
        ms %= order[i]->factor;
    }
}

void value_put_decimal(struct buf *out, int64_t millionths) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%06lld", (long long)(millionths % 1000000));
    while (n > 0 && digits[n - 1] == '0') n--;
    buf_put_i64(out, millionths / 1000000);
    if (n > 0) buf_printf(out, ".%.*s", n, digits);
}
