// Sizes, durations and decimals: what is read, what is refused, and that writing gives the value again.
#include "check.h"
#include "conf/value.h"

struct row {
    const char *text;
    int64_t want; // -1: refused
};

typedef bool parse_fn(struct str s, int64_t *out);
typedef void put_fn(struct buf *out, int64_t v);

static void rows_check(const struct row *rows, size_t n, parse_fn *parse, put_fn *put) {
    for (size_t i = 0; i < n; i++) {
        int64_t got = -2;
        bool ok = parse(str_c(rows[i].text), &got);
        if (ok != (rows[i].want >= 0)) fprintf(stderr, "\"%s\"\n", rows[i].text);
        CHECK(ok == (rows[i].want >= 0));
        CHECK_INT(got, ok ? rows[i].want : -2);
        if (!ok) continue;
        struct buf text = BUF_INIT(100);
        int64_t again = -2;
        put(&text, got);
        CHECK(parse(buf_str(&text), &again));
        CHECK_INT(again, got);
        buf_free(&text);
    }
}

static void sizes(void) {
    static const struct row rows[] = {
        {"0", 0},
        {"1", 1},
        {"65536", 65536},
        {"64 KiB", 65536},
        {"64KiB", 65536},
        {"1.5 MiB", 1572864},
        {"10 MB", 10000000},
        {"2 kB", 2000},
        {"1 GiB", 1 << 30},
        {"7 B", 7},
        {"0.5 KiB", 512},
        {"", -1},
        {"KiB", -1},
        {"1 kib", -1},
        {"1.0001 KB", -1},
        {"-1", -1},
        {"1e3", -1},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", -1},
        {"9999999999 GiB", -1},
        {"1.", -1},
        {".5 KiB", -1},
        {"1 MiB x", -1},
        {"1.2.3", -1},
    };
    rows_check(rows, ARRAY_LEN(rows), value_size, value_put_size);
}

static void durations(void) {
    static const struct row rows[] = {
        {"0", 0},
        {"250ms", 250},
        {"30s", 30000},
        {"5m", 300000},
        {"1h30m", 5400000},
        {"1h 30m", 5400000},
        {"1.5h", 5400000},
        {"2d", 172800000},
        {"90s", 90000},
        {"1m30s500ms", 90500},
        {"0s", 0},
        {"3600s", 3600000},
        {"30", -1},
        {"", -1},
        {"s", -1},
        {"5s2m", -1},
        {"1s1s", -1},
        {"0.5ms", -1},
        {"-1s", -1},
        {"1 week", -1},
        {"99999999999999d", -1},
        {"1s ", 1000},
        {"5 s", 5000},
        {"1m-2s", -1},
    };
    rows_check(rows, ARRAY_LEN(rows), value_duration, value_put_duration);
}

static void decimals(void) {
    static const struct row rows[] = {
        {"0", 0},
        {"2.5", 2500000},
        {"0.0375", 37500},
        {"10", 10000000},
        {"0.000001", 1},
        {"1.50", 1500000},
        {"0.0000001", -1},
        {"", -1},
        {"-1", -1},
        {"1e3", -1},
        {"1,5", -1},
        {"$2", -1},
        {"2.5 ", -1},
        {"9223372036854", INT64_C(9223372036854000000)},
        {"9223372036855", -1},
        {"0.000000000000", 0},
    };
    rows_check(rows, ARRAY_LEN(rows), value_decimal, value_put_decimal);
}

static void shortest_text(void) {
    struct buf b = BUF_INIT(200);
    value_put_size(&b, 33554432);
    buf_putc(&b, ' ');
    value_put_duration(&b, 600000);
    buf_putc(&b, ' ');
    value_put_duration(&b, 75000);
    buf_putc(&b, ' ');
    value_put_duration(&b, 1500);
    buf_putc(&b, ' ');
    value_put_decimal(&b, 37500);
    CHECK_STR(buf_str(&b), STR("32 MiB 10m 75s 1s500ms 0.0375"));
    buf_free(&b);
}

TEST_MAIN(sizes, durations, decimals, shortest_text)
