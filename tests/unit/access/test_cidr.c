// Tests of access/cidr.h: addresses of both versions, blocks, and texts that are none.
#include "check.h"

#include "access/cidr.h"

static bool has(const char *block, const char *address) {
    struct cidr c;
    uint8_t bytes[16];
    REQUIRE(cidr_parse(str_c(block), &c) && address_parse(str_c(address), bytes));
    return cidr_has(&c, bytes);
}

static void test_blocks(void) {
    CHECK(has("10.0.0.0/8", "10.255.1.2") && !has("10.0.0.0/8", "11.0.0.0"));
    CHECK(has("192.0.2.7", "192.0.2.7") && !has("192.0.2.7", "192.0.2.8"));
    CHECK(has("192.0.2.128/25", "192.0.2.200") && !has("192.0.2.128/25", "192.0.2.100"));
    CHECK(has("0.0.0.0/0", "255.255.255.255") && !has("0.0.0.0/0", "::1"));
    CHECK(has("::/0", "10.0.0.1") && has("::/0", "2001:db8::1"));
    CHECK(has("2001:db8::/32", "2001:db8:ffff::9") && !has("2001:db8::/32", "2001:db9::"));
    CHECK(has("10.0.0.0/8", "::ffff:10.1.2.3") && has("::ffff:10.0.0.0/104", "10.9.9.9"));
    CHECK(has("::1", "[::1]") && has("fe80::/10", "fe80::1%eth0"));
    CHECK(has("2001:db8:0:0:1:0:0:1", "2001:DB8::1:0:0:1"));
    CHECK(has("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8") && has("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"));
    CHECK(has("2001:db8::8/125", "2001:db8::f") && !has("2001:db8::8/125", "2001:db8::10"));
}

static void test_refused(void) {
    static const char *const bad[] = {
        "",          "1.2.3",      "1.2.3.4.5",     "1.2.3.256",         "1.2.3.04",
        "1.2.3.4 ",  " 1.2.3.4",   "1..3.4",        "a.b.c.d",           "1.2.3.4/33",
        "1.2.3.4/",  "1.2.3.4/-1", "1.2.3.4/08x",   "10.0.0.1/8",        ":",
        ":::",       "1::2::3",    "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8:9",
        "12345::",   "g::",        "::1/129",       "2001:db8::1/32",    "1:2:3:4:5:6:7:1.2.3.4",
        "1.2.3.4::", "::1.2.3",    "[::1",          "localhost"};
    struct cidr c;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        bool parsed = cidr_parse(str_c(bad[i]), &c);
        if (parsed) fprintf(stderr, "parsed: \"%s\"\n", bad[i]);
        CHECK(!parsed);
    }
    CHECK(!cidr_parse(STR_NONE, &c));
    CHECK(!cidr_parse(str_of("1.2.3.4\0", 8), &c));
}

TEST_MAIN(test_blocks, test_refused)
