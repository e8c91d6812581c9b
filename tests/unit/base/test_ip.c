// Tests of base/ip.h: addresses of both kinds, ranges, and what is neither.
#include "check.h"

#include "base/ip.h"

static void good(struct str text, const char *hex) {
    struct ip ip;
    char got[33];
    CHECK(ip_parse(text, &ip));
    for (size_t i = 0; i < 16; i++) snprintf(got + 2 * i, 3, "%02x", ip.p[i]);
    CHECK_STR(str_c(got), str_c(hex));
}

static void test_addresses(void) {
    good(STR("0.0.0.0"), "00000000000000000000ffff00000000");
    good(STR("255.1.20.3"), "00000000000000000000ffffff011403");
    good(STR("::"), "00000000000000000000000000000000");
    good(STR("::1"), "00000000000000000000000000000001");
    good(STR("1::"), "00010000000000000000000000000000");
    good(STR("2001:DB8::a:0"), "20010db80000000000000000000a0000");
    good(STR("1:2:3:4:5:6:7:8"), "00010002000300040005000600070008");
    good(STR("1:2:3:4:5:6:1.2.3.4"), "00010002000300040005000601020304");
    good(STR("::ffff:192.0.2.7"), "00000000000000000000ffffc0000207");
    static const char *const bad[] = {"",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.256",
                                      "1.2.3.",
                                      ".1.2.3",
                                      "01.2.3.4",
                                      "1.2.3.-4",
                                      "1.2.3.4 ",
                                      ":",
                                      ":::",
                                      "1:2",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1::2::3",
                                      "1:2:3:4:5:6:7::8",
                                      "g::",
                                      "12345::",
                                      "::1%eth0",
                                      "[::1]",
                                      "1.2.3.4::",
                                      "::1.2.3.4:5",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      ":1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:"};
    struct ip ip;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!ip_parse(str_c(bad[i]), &ip));
        if (ip_parse(str_c(bad[i]), &ip)) fprintf(stderr, "taken: %s\n", bad[i]);
    }
}

static bool within(const char *range, const char *address) {
    struct ip_range r;
    struct ip ip;
    REQUIRE(ip_range_parse(str_c(range), &r) && ip_parse(str_c(address), &ip));
    return ip_in(&r, &ip);
}

static void test_ranges(void) {
    CHECK(within("10.0.0.0/8", "10.255.255.255"));
    CHECK(!within("10.0.0.0/8", "11.0.0.0"));
    CHECK(within("10.1.2.3/31", "10.1.2.2"));
    CHECK(!within("10.1.2.3/31", "10.1.2.4"));
    CHECK(within("10.1.2.3", "10.1.2.3"));
    CHECK(!within("10.1.2.3", "10.1.2.4"));
    CHECK(within("0.0.0.0/0", "255.255.255.255"));
    CHECK(!within("0.0.0.0/0", "::1"));
    CHECK(within("::/0", "1.2.3.4"));
    CHECK(within("2001:db8::/33", "2001:db8:7fff::1"));
    CHECK(!within("2001:db8::/33", "2001:db8:8000::"));
    CHECK(within("2001:db8::/128", "2001:db8::"));
    static const char *const bad[] = {
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0/8", "::/0128"};
    struct ip_range r;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) CHECK(!ip_range_parse(str_c(bad[i]), &r));
}

static void written(const char *address, const char *want) {
    struct ip ip;
    char text[IP_TEXT_MAX];
    REQUIRE(ip_parse(str_c(address), &ip));
    CHECK_STR(ip_text(&ip, text), str_c(want));
}

static void test_text(void) {
    written("192.0.2.1", "192.0.2.1");
    written("::ffff:255.255.255.255", "255.255.255.255");
    written("0.0.0.0", "0.0.0.0");
    written("::", "::");
    written("::1", "::1");
    written("1::", "1::");
    written("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
    written("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"); // one group alone is not left out
    written("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");
    written("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"); // of two alike the first
    written("0:0:1:2:3:4:0:0", "::1:2:3:4:0:0");
    written("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::");
    written("::1.2.3.4", "::102:304");
    written("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void test_sets(void) {
    struct ip_range ranges[2];
    struct ip_set set = {ranges, 2}, none = {0};
    struct ip ip;
    REQUIRE(ip_range_parse(STR("10.0.0.0/8"), &ranges[0]) && ip_range_parse(STR("::1"), &ranges[1]));
    CHECK(ip_parse(STR("10.2.3.4"), &ip) && ip_set_has(&set, &ip) && !ip_set_has(&none, &ip));
    CHECK(ip_parse(STR("::1"), &ip) && ip_set_has(&set, &ip));
    CHECK(ip_parse(STR("::2"), &ip) && !ip_set_has(&set, &ip));
}

TEST_MAIN(test_addresses, test_ranges, test_text, test_sets)
