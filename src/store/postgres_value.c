// Reads values in the form the PostgreSQL server sends them.
#include "store/postgres.h"

#include <math.h>

static int64_t integer(struct str bytes) {
    if (bytes.n == 0 || bytes.n > 8) return 0;
    uint64_t v = (bytes.p[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes.n; i++) v = v << 8 | (unsigned char)bytes.p[i];
    return (int64_t)v;
}

static unsigned word(struct str bytes, size_t i) {
    return (unsigned)(unsigned char)bytes.p[2 * i] << 8 | (unsigned char)bytes.p[2 * i + 1];
}

// Four words (digits, weight of the first, sign, scale), then digits to the base 10,000.
static int64_t numeric(struct str bytes) {
    enum { N, WEIGHT, SIGN, SCALE, DIGITS };
    if (bytes.n < 2 * DIGITS || bytes.n % 2) return 0;
    unsigned n = word(bytes, N), sign = word(bytes, SIGN);
    int weight = (int16_t)word(bytes, WEIGHT);
    bool negative = sign == 0x4000;
    if (bytes.n / 2 < DIGITS + n || (sign && !negative)) return 0;
    uint64_t v = 0;
    for (int i = 0; i <= weight; i++) {
        uint64_t digit = (unsigned)i < n ? word(bytes, DIGITS + (size_t)i) : 0;
        if (__builtin_mul_overflow(v, 10000, &v) || __builtin_add_overflow(v, digit, &v) || v > INT64_MAX)
            return negative ? INT64_MIN : INT64_MAX;
    }
    return negative ? -(int64_t)v : (int64_t)v;
}

static int64_t floating(struct str bytes) {
    double d;
    if (bytes.n != sizeof d) return 0;
    int64_t bits = integer(bytes);
    memcpy(&d, &bits, sizeof d);
    if (isnan(d)) return 0;
    if (d >= 9.2233720368547758e18) return INT64_MAX;
    if (d <= -9.2233720368547758e18) return INT64_MIN;
    return (int64_t)d;
}

bool pg_value_is_number(Oid type) {
    return type == PG_INT8 || type == PG_INT4 || type == PG_INT2 || type == PG_BOOL || type == PG_NUMERIC ||
           type == PG_FLOAT8;
}

int64_t pg_value_i64(Oid type, struct str bytes) {
    int64_t v = 0;
    switch ((enum pg_type)type) {
    case PG_INT8:
    case PG_INT4:
    case PG_INT2:
    case PG_BOOL:
        return integer(bytes);
    case PG_NUMERIC:
        return numeric(bytes);
    case PG_FLOAT8:
        return floating(bytes);
    case PG_TEXT:
    case PG_UNKNOWN:
        return str_to_i64(bytes, &v) ? v : 0;
    case PG_BYTEA:
    case PG_INT8_ARRAY:
        return 0;
    }
    return 0;
}
