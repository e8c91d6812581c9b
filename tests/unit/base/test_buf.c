// Buffers: growth, the cap, sticky failure, formatting, dropping.
#include "base/buf.h"

#include "base/mem.h"

#include "check.h"

static void grows_and_keeps_content(void) {
    BUF_AUTO struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < 5000; i++) buf_put(&b, STR("0123456789"));
    CHECK(!b.failed && b.n == 50000 && b.cap >= b.n);
    for (size_t i = 0; i < b.n; i += 997) CHECK(b.p[i] == (char)('0' + i % 10));
    size_t cap = b.cap;
    buf_clear(&b);
    CHECK(b.n == 0 && b.cap == cap);
}

static void the_cap_is_exact_and_failure_sticks(void) {
    BUF_AUTO struct buf b = BUF_INIT(10);
    buf_lit(&b, "0123456789");
    CHECK(!b.failed && b.n == 10);
    buf_putc(&b, 'x');
    CHECK(b.failed && b.n == 10);
    buf_append(&b, "", 0);
    CHECK_STR(buf_str(&b), STR("0123456789"));
    buf_clear(&b);
    CHECK(!b.failed);
    buf_lit(&b, "0123456789a");
    CHECK(b.failed && b.n == 0);
    buf_putc(&b, 'y');
    CHECK(b.failed && b.n == 0);
    buf_clear(&b);
    CHECK(!buf_reserve(&b, SIZE_MAX) && b.failed);
}

static void an_allocation_failure_sticks(void) {
    BUF_AUTO struct buf b = BUF_INIT(1 << 16);
    buf_lit(&b, "kept");
    mem_fail_nth(1);
    char big[1000] = {0};
    buf_append(&b, big, sizeof big);
    mem_fail_nth(0);
    CHECK(b.failed);
    CHECK_STR(buf_str(&b), STR("kept"));
}

static void formats(void) {
    BUF_AUTO struct buf b = BUF_INIT(1 << 12);
    buf_put_u64(&b, 0);
    buf_putc(&b, ' ');
    buf_put_u64(&b, UINT64_MAX);
    buf_putc(&b, ' ');
    buf_put_i64(&b, INT64_MIN);
    buf_putc(&b, ' ');
    buf_put_i64(&b, 42);
    buf_printf(&b, " %s-%d", "x", 7);
    CHECK_STR(buf_str(&b), STR("0 18446744073709551615 -9223372036854775808 42 x-7"));
    buf_clear(&b);
    buf_printf(&b, "%0500d", 1);
    CHECK(b.n == 500 && b.p[0] == '0' && b.p[499] == '1');
    char text[20];
    CHECK_INT(fmt_u64(text, 1234567890), 10);
}

static void a_long_format_respects_the_cap(void) {
    BUF_AUTO struct buf b = BUF_INIT(300);
    buf_printf(&b, "%0400d", 1);
    CHECK(b.failed && b.n == 0);
}

static void drops_and_terminates(void) {
    BUF_AUTO struct buf b = BUF_INIT(8);
    buf_lit(&b, "abcdef");
    buf_drop(&b, 0);
    buf_drop(&b, 2);
    CHECK_STR(buf_str(&b), STR("cdef"));
    const char *z = buf_cstr(&b);
    REQUIRE(z);
    CHECK(strcmp(z, "cdef") == 0 && b.n == 4);
    buf_drop(&b, 4);
    CHECK_INT(b.n, 0);
    buf_lit(&b, "12345678");
    CHECK(!b.failed && buf_cstr(&b) == NULL);
}

TEST_MAIN(grows_and_keeps_content, the_cap_is_exact_and_failure_sticks, an_allocation_failure_sticks, formats,
          a_long_format_respects_the_cap, drops_and_terminates)
