// Web and socket addresses: their parts, and the many ways to get them wrong.
#include "check.h"
#include "conf/provider_preset.h"
#include "conf/url.h"

static void urls(void) {
    static const struct {
        const char *text, *host, *path;
        uint16_t port;
        bool tls;
    } rows[] = {
        {"https://api.openai.com/v1", "api.openai.com", "/v1", 443, true},
        {"https://api.openai.com/v1/", "api.openai.com", "/v1", 443, true},
        {"http://127.0.0.1:11434", "127.0.0.1", "", 11434, false},
        {"http://[::1]:8000/v1", "::1", "/v1", 8000, false},
        {"http://[::1]", "::1", "", 80, false},
        {"https://x.example/a/b//", "x.example", "/a/b", 443, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_url url;
        REQUIRE(!conf_url_parse(str_c(rows[i].text), &url));
        CHECK_STR(url.host, str_c(rows[i].host));
        CHECK_STR(url.path, str_c(rows[i].path));
        CHECK_INT(url.port, rows[i].port);
        CHECK(url.tls == rows[i].tls);
    }
}

static void bad_urls(void) {
    static const char *const rows[] = {
        "",
        "api.openai.com",
        "ftp://x",
        "https://",
        "https:///v1",
        "https://a b/v1",
        "http://x:0",
        "http://x:65536",
        "http://x:",
        "http://x:1x",
        "http://u:p@x/",
        "http://x/?q",
        "http://x/#",
        "http://[::1",
        "http://[::1]x",
        "http://[zz]/",
        "http://x/../y",
        "http://x/..",
        "http://x/a b",
        "http://x\n/v1",
        "http://[]",
        "https://[1.2.3.4]",
        "HTTP://x",
        "http://x/\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_url url;
        if (!conf_url_parse(str_c(rows[i]), &url)) fprintf(stderr, "\"%s\"\n", rows[i]);
        CHECK(conf_url_parse(str_c(rows[i]), &url) != NULL);
    }
}

static void addresses(void) {
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {{"127.0.0.1:8080", "127.0.0.1", 8080},
                {"[::1]:80", "::1", 80},
                {":8080", "", 8080},
                {"*:1", "*", 1},
                {"localhost:0", "localhost", 0}};
    static const char *const bad[] = {"",      "localhost", "8080",  "localhost:", "a:b",        "::1:80",    "a:65536",
                                      "[::1]", "[::1]:x",   "a b:1", "1.2.3.4:-1", "a:00000080", "http://x:1"};
    struct conf_addr addr;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        REQUIRE(!conf_addr_parse(str_c(rows[i].text), &addr));
        CHECK_STR(addr.host, str_c(rows[i].host));
        CHECK_INT(addr.port, rows[i].port);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (!conf_addr_parse(str_c(bad[i]), &addr)) fprintf(stderr, "\"%s\"\n", bad[i]);
        CHECK(conf_addr_parse(str_c(bad[i]), &addr) != NULL);
    }
}

static void presets(void) {
    for (enum provider_kind k = 0; k < PROVIDER_KIND_COUNT; k++) {
        const struct provider_preset *p = provider_preset_get(k);
        struct conf_url url;
        CHECK_INT(p->kind, k);
        CHECK(provider_preset_find(p->name) == p);
        CHECK(!p->base_url.n || !conf_url_parse(p->base_url, &url)); // some are at another one for each customer
        CHECK(k != PROVIDER_DEMO || !p->base_url.n);
        CHECK(!p->local_port || url.port == p->local_port);
        CHECK(!str_ends(p->base_url, STR("/")));
    }
    CHECK(!provider_preset_find(STR("nobody")));
    CHECK(provider_preset_owns(provider_preset_get(PROVIDER_OPENAI), STR("gpt-4o")));
    CHECK(provider_preset_owns(provider_preset_get(PROVIDER_ANTHROPIC), STR("claude-sonnet-4-5")));
    CHECK(!provider_preset_owns(provider_preset_get(PROVIDER_ANTHROPIC), STR("gpt-4o")));
    CHECK(!provider_preset_owns(provider_preset_get(PROVIDER_GROQ), STR("gpt-4o")));
}

TEST_MAIN(urls, bad_urls, addresses, presets)
