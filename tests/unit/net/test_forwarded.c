// Tests of net/forwarded.h: whose word counts, what an entry is, how much is read, and that clients cannot put in a
// word.
#include "check.h"

#include "net/forwarded.h"

#define TRUSTED "10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48"

static struct ip_range g_ranges[3];
static struct ip_set g_trusted = {g_ranges, ARRAY_LEN(g_ranges)};
static char g_text[IP_TEXT_MAX];

static void trust(void) {
    static const char *const texts[] = {TRUSTED};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) REQUIRE(ip_range_parse(str_c(texts[i]), &g_ranges[i]));
}

static struct str client_of(const char *peer, const struct http_field *fields, size_t n) {
    struct ip ip;
    REQUIRE(ip_parse(str_c(peer), &ip));
    ip = forwarded_client(&ip, fields, n, &g_trusted);
    return ip_text(&ip, g_text);
}

static struct str client(const char *peer, const char *value) {
    struct http_field fields[] = {{STR("host"), STR("a.example")}, {STR("X-Forwarded-For"), str_c(value)}};
    return client_of(peer, fields, 2);
}

static void test_whose_word(void) {
    static const struct {
        const char *peer, *value, *client;
    } cases[] = {
        {"10.0.0.1", "198.51.100.4", "198.51.100.4"},
        {"192.0.2.7", " 198.51.100.4\t", "198.51.100.4"},
        {"::ffff:10.0.0.1", "198.51.100.4", "198.51.100.4"},
        {"2001:db8:1::9", "2001:DB8:2:0::1", "2001:db8:2::1"},
        // Somebody else's word is nothing.
        {"192.0.2.8", "198.51.100.4", "192.0.2.8"},
        {"127.0.0.1", "198.51.100.4", "127.0.0.1"},
        {"11.0.0.0", "198.51.100.4, 10.0.0.1", "11.0.0.0"},
        // What the client wrote stands before what the proxy added.
        {"10.0.0.1", "127.0.0.1, 198.51.100.4", "198.51.100.4"},
        {"10.0.0.1", "10.9.9.9,198.51.100.4", "198.51.100.4"},
        {"10.0.0.1", "<script>, ::::, 198.51.100.4", "198.51.100.4"},
        // Proxies behind proxies.
        {"10.0.0.1", "203.0.113.1, 198.51.100.4, 10.0.0.2, 192.0.2.7", "198.51.100.4"},
        {"10.0.0.1", "2001:db8:2::1, 2001:db8:1::2", "2001:db8:2::1"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        // Nothing said, or nothing that can be read: the last good one.
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", ",", "10.0.0.1"},
        {"10.0.0.1", "unknown", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.4,", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.4, , 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", "198.51.100.4, unknown, 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", "198.51.100.4 10.0.0.2", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.4;10.0.0.2", "10.0.0.1"},
    };
    trust();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(client(cases[i].peer, cases[i].value), str_c(cases[i].client));
}

static void test_several_fields(void) {
    struct http_field fields[] = {{STR("x-forwarded-for"), STR("203.0.113.1, 198.51.100.4")},
                                  {STR("forwarded"), STR("for=203.0.113.9")},
                                  {STR("X-FORWARDED-FOR"), STR("10.0.0.2")},
                                  {STR("x-forwarded-fo"), STR("203.0.113.8")},
                                  {STR("x-forwarded-host"), STR("203.0.113.7")}};
    trust();
    CHECK_STR(client_of("10.0.0.1", fields, 5), STR("198.51.100.4"));
    CHECK_STR(client_of("10.0.0.1", fields, 2), STR("198.51.100.4"));
    CHECK_STR(client_of("10.0.0.1", fields + 1, 1), STR("10.0.0.1"));
    CHECK_STR(client_of("10.0.0.1", NULL, 0), STR("10.0.0.1"));
    // A field without a value at the end is an entry that is none.
    fields[3] = (struct http_field){STR("x-forwarded-for"), STR_NONE};
    CHECK_STR(client_of("10.0.0.1", fields, 5), STR("10.0.0.1"));
}

static void test_entries(void) {
    static const char *const good[][2] = {{"198.51.100.4", "198.51.100.4"},        {"198.51.100.4:1", "198.51.100.4"},
                                          {"198.51.100.4:65535", "198.51.100.4"},  {"2001:db8::1", "2001:db8::1"},
                                          {"[2001:db8::1]", "2001:db8::1"},        {"[2001:db8::1]:443", "2001:db8::1"},
                                          {"::ffff:198.51.100.4", "198.51.100.4"}, {"::", "::"}};
    static const char *const bad[] = {"",
                                      ":",
                                      "[",
                                      "]",
                                      "[]",
                                      "[]:1",
                                      "1.2.3",
                                      "1.2.3.4:",
                                      "1.2.3.4:x",
                                      "1.2.3.4:-1",
                                      "1.2.3.4:65536",
                                      "1.2.3.4:000001",
                                      "1.2.3.4:1:2",
                                      "[1.2.3.4]",
                                      "[1.2.3.4]:5",
                                      "[::1",
                                      "::1]",
                                      "[::1]x",
                                      "[::1]:",
                                      "[::1]:99999",
                                      "[[::1]]",
                                      "fe80::1%eth0",
                                      "\"1.2.3.4\"",
                                      "unknown",
                                      "_hidden",
                                      "for=1.2.3.4",
                                      "a.example",
                                      "1.2.3.4/8",
                                      "01.2.3.4",
                                      "1.2.3.4 ",
                                      "[::1] ",
                                      "localhost:1"};
    struct ip ip;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CHECK(forwarded_entry(str_c(good[i][0]), &ip));
        CHECK_STR(ip_text(&ip, g_text), str_c(good[i][1]));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        bool taken = forwarded_entry(str_c(bad[i]), &ip);
        if (taken) fprintf(stderr, "taken: %s\n", bad[i]);
        CHECK(!taken);
    }
    CHECK(!forwarded_entry(STR_NONE, &ip));
    CHECK(!forwarded_entry(str_of("1.2.3.4\0", 8), &ip));
}

// `n` trusted proxies behind one client, with `pad` spaces before each.
static struct str chain(size_t n, size_t pad) {
    static char text[1 << 16];
    size_t at = (size_t)snprintf(text, sizeof text, "198.51.100.4");
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, ",%*s10.0.0.%zu", (int)pad, "", i + 1);
    struct http_field field = {STR("x-forwarded-for"), str_of(text, at)};
    return client_of("10.1.0.0", &field, 1);
}

static void test_bounds(void) {
    trust();
    CHECK_STR(chain(FORWARDED_ENTRIES_MAX - 1, 1), STR("198.51.100.4"));
    // What is further away is not looked at: the furthest that was counts.
    CHECK_STR(chain(FORWARDED_ENTRIES_MAX, 1), STR("10.0.0.1"));
    CHECK_STR(chain(FORWARDED_ENTRIES_MAX + 2, 1), STR("10.0.0.3"));
    // 4 KB: of five entries of 1009 bytes four are read.
    CHECK_STR(chain(4, 1000), STR("198.51.100.4"));
    CHECK_STR(chain(5, 1000), STR("10.0.0.2"));
    CHECK_STR(chain(1, FORWARDED_BYTES_MAX - 21), STR("198.51.100.4"));
    CHECK_STR(chain(1, FORWARDED_BYTES_MAX - 20), STR("10.0.0.1"));
    CHECK_STR(chain(1, 5000), STR("10.1.0.0"));
    // Over several fields likewise.
    struct http_field fields[FORWARDED_ENTRIES_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        fields[i] = (struct http_field){STR("x-forwarded-for"), i ? STR("10.0.0.9") : STR("198.51.100.4")};
    CHECK_STR(client_of("10.1.0.0", fields, ARRAY_LEN(fields) - 1), STR("198.51.100.4"));
    CHECK_STR(client_of("10.1.0.0", fields, ARRAY_LEN(fields)), STR("10.0.0.9"));
}

static enum forwarded_proto proto(const char *value) {
    struct http_field field = {STR("X-Forwarded-Proto"), str_c(value)};
    return forwarded_proto(&field, 1);
}

static void test_proto(void) {
    CHECK(forwarded_proto(NULL, 0) == FORWARDED_UNSAID);
    CHECK(proto("https") == FORWARDED_HTTPS && proto(" HTTPS ") == FORWARDED_HTTPS);
    CHECK(proto("http") == FORWARDED_HTTP);
    CHECK(proto("https, http") == FORWARDED_HTTP && proto("http,https") == FORWARDED_HTTPS);
    static const char *const others[] = {"", "on", "https,", "httpss", "wss", "https http", "\"https\""};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) CHECK(proto(others[i]) == FORWARDED_UNSAID);
}

struct applied {
    const char *peer;
    bool tls;
};

static struct applied apply(const char *peer, bool tls, const char *proto_said, const struct ip_set *trusted,
                            size_t max) {
    static char kept[64];
    struct http_field fields[] = {{STR("x-forwarded-for"), STR("198.51.100.4")},
                                  {STR("x-forwarded-proto"), str_c(proto_said)},
                                  {STR("x-forwarded-host"), STR("evil.example")}};
    struct http_req req = {
        .peer = str_c(peer), .tls = tls, .host = STR("a.example"), .fields = fields, .field_count = ARRAY_LEN(fields)};
    arena_init(&req.arena, NULL, 0, max);
    forwarded_apply(&req, trusted);
    CHECK_STR(req.host, STR("a.example"));
    snprintf(kept, sizeof kept, "%.*s", STR_ARG(req.peer));
    arena_free(&req.arena);
    return (struct applied){kept, req.tls};
}

static void test_requests(void) {
    static const struct ip_set nobody = {0};
    trust();
    struct applied a = apply("10.0.0.1", false, "https", &g_trusted, 4096);
    CHECK_STR(str_c(a.peer), STR("198.51.100.4"));
    CHECK(a.tls);
    CHECK(!apply("10.0.0.1", true, "http", &g_trusted, 4096).tls);
    CHECK(apply("10.0.0.1", true, "?", &g_trusted, 4096).tls && !apply("10.0.0.1", false, "", &g_trusted, 4096).tls);
    // Of others all stays.
    static const char *const others[] = {"127.0.0.1", "-", ""};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        a = apply(others[i], false, "https", &g_trusted, 4096);
        CHECK_STR(str_c(a.peer), str_c(others[i]));
        CHECK(!a.tls);
        CHECK(apply(others[i], true, "http", &g_trusted, 4096).tls);
    }
    // Without proxies nothing is made, and with no memory the proxy is not taken for the client.
    a = apply("10.0.0.1", false, "https", &nobody, 0);
    CHECK_STR(str_c(a.peer), STR("10.0.0.1"));
    CHECK(!a.tls);
    a = apply("10.0.0.1", false, "https", &g_trusted, 0);
    CHECK_STR(str_c(a.peer), STR("-"));
}

TEST_MAIN(test_whose_word, test_several_fields, test_entries, test_bounds, test_proto, test_requests)
