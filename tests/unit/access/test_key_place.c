// Tests of access/key_place.h: lists of addresses and origins, who is let in, lists that cannot be read.
#include "check.h"

#include "access/key_place.h"

static struct err err;
static struct arena arena;

static struct key_place read_place(const char *addresses, const char *origins, bool *out_damaged) {
    struct key_place place;
    REQUIRE(key_place_read(&arena, str_c(addresses), str_c(origins), &place, out_damaged));
    return place;
}

static bool lets(const char *addresses, const char *origins, const char *peer, const char *origin) {
    bool damaged;
    struct key_place place = read_place(addresses, origins, &damaged);
    CHECK(!damaged);
    bool ok = key_place_allows(&place, str_c(peer), str_c(origin), &err);
    CHECK(ok || err.code == ERR_FORBIDDEN);
    return ok;
}

static void test_addresses(void) {
    CHECK(lets("[]", "[]", "198.51.100.9", "") && lets("", "", "what", "ever") && lets("[ ]", "[ ]", "::1", ""));
    CHECK(lets("[\"10.0.0.0/8\",\"2001:db8::/32\"]", "[]", "10.1.1.1", ""));
    CHECK(lets("[\"10.0.0.0/8\",\"2001:db8::/32\"]", "[]", "2001:db8::7", ""));
    CHECK(!lets("[\"10.0.0.0/8\",\"2001:db8::/32\"]", "[]", "11.1.1.1", "") && strstr(err.message, "11.1.1.1"));
    CHECK(!lets("[\"10.0.0.0/8\"]", "[]", "", "") && !lets("[\"10.0.0.0/8\"]", "[]", "unix", ""));
}

static void test_origins(void) {
    static const char one[] = "[\"https://app.example.com\"]", wild[] = "[\"https://*.example.com\"]";
    CHECK(lets("[]", one, "::1", "https://app.example.com") && lets("[]", one, "::1", "HTTPS://APP.example.COM"));
    CHECK(!lets("[]", one, "::1", "") && strstr(err.message, "no Origin"));
    CHECK(!lets("[]", one, "::1", "null") && !lets("[]", one, "::1", "http://app.example.com"));
    CHECK(!lets("[]", one, "::1", "https://app.example.com.evil.com"));
    CHECK(!lets("[]", one, "::1", "https://app.example.com:8443"));
    CHECK(!lets("[]", one, "::1", "https://xapp.example.com"));
    CHECK(lets("[]", wild, "::1", "https://a.example.com") && lets("[]", wild, "::1", "https://a.b.example.com"));
    CHECK(!lets("[]", wild, "::1", "https://example.com") && !lets("[]", wild, "::1", "https://.example.com"));
    CHECK(!lets("[]", wild, "::1", "https://evilexample.com"));
    CHECK(lets("[]", "[\"http://localhost:*\"]", "::1", "http://localhost:5173"));
    CHECK(lets("[]", "[\"http://[::1]:80\"]", "::1", "http://[::1]:80"));
    CHECK(!lets("[\"10.0.0.0/8\"]", one, "::1", "https://app.example.com"));
}

static void test_damaged(void) {
    static const char *const bad[] = {"[\"10.0.0.0/8\",\"x\"]", "[\"10.0.0.0/8\"", "{}", "[7]", "nonsense", "[\"\"]"};
    bool damaged;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct key_place place = read_place(bad[i], "[]", &damaged);
        CHECK(damaged && !key_place_allows(&place, STR("10.0.0.1"), STR(""), &err));
        place = read_place("[]", bad[i], &damaged);
        CHECK(damaged && !key_place_allows(&place, STR("10.0.0.1"), STR("https://a.b"), &err));
    }
}

static void test_checks(void) {
    static const char *const good[] = {"https://a.b", "http://localhost:8080", "https://*.a.b", "http://a:*",
                                       "chrome-extension://abcdef"};
    static const char *const bad[] = {"",
                                      "a.b",
                                      "https://",
                                      "://a",
                                      "https://a/b",
                                      "https://*",
                                      "https://a.*.b",
                                      "https://u@a.b",
                                      "https://a b.com",
                                      "https://*.",
                                      "https://a?b"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) CHECK(!key_origin_check(str_c(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) CHECK(key_origin_check(str_c(bad[i])) != NULL);
    CHECK(!key_address_check(STR("10.0.0.0/8")) && key_address_check(STR("10.0.0.1/8")));
}

static void done(void) { arena_free(&arena); }

static void begin(void) { arena_init(&arena, NULL, 0, 1 << 20); }

TEST_MAIN(begin, test_addresses, test_origins, test_damaged, test_checks, done)
