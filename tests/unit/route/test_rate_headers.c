// Tests of route/rate_headers.h: every form that providers write, and what nobody should have written.
#include "base/text.h"
#include "route/rate_headers.h"

#include "check.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define NOW (INT64_C(1774771200) * 1000000000) // 2026-03-29T08:00:00Z

static void test_durations(void) {
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {{"1s", SECOND},
                {"6m0s", 360 * SECOND},
                {"12ms", 12 * MS},
                {"8.64s", 8640 * MS},
                {"2m59.56s", 179560 * MS},
                {"1h2m3.5s", 3723500 * MS},
                {"250us", 250000},
                {"250\xc2\xb5s", 250000},
                {"7ns", 7},
                {"0", 0},
                {"0s", 0},
                {"20", 20 * SECOND},
                {"0.5", 500 * MS},
                {".5", 500 * MS},
                {"1.0000000000000000000000001", SECOND},
                {"1d", 86400 * SECOND},
                {"99999999999999999999999999999s", RATE_MAX_NS},
                {"99999999999999999999999", RATE_MAX_NS},
                {"23h23h", RATE_MAX_NS}};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        uint64_t ns = 1;
        bool ok = rate_duration_parse(str_c(good[i].text), &ns);
        if (!ok || ns != good[i].ns) fprintf(stderr, "%s\n", good[i].text);
        CHECK(ok && ns == good[i].ns);
    }
    static const char *const bad[] = {"",    "s",   "1x",   "-1s",   "1 s",  "1s ", "+1",    ".",    "1..2s", "1e9",
                                      "1s2", "m0s", "\xc2", "1\xc2", "0x10", "inf", "1s-1s", "1.s.", "..5"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t ns = 42;
        bool ok = rate_duration_parse(str_c(bad[i]), &ns);
        if (ok) fprintf(stderr, "\"%s\" was read\n", bad[i]);
        CHECK(!ok && ns == 42);
    }
}

static void test_dates(void) {
    static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    int64_t want, got;
    REQUIRE(time_parse(STR("1994-11-06T08:49:37Z"), &want));
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        got = 0;
        CHECK(rate_http_date_parse(str_c(good[i]), &got));
        CHECK_INT(got, want);
    }
    static const char *const bad[] = {"",
                                      ",",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 32 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nox 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 25:49:37 GMT",
                                      "Sun, 06 Nov 19x4 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:3Z GMT",
                                      "Sun, 30 Feb 1994 08:49:37 GMT",
                                      ", GMT",
                                      "Sunday, 06-Nov-94 08:49 GMT",
                                      "Sun Nov  6 08:49:37 199"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        bool ok = rate_http_date_parse(str_c(bad[i]), &got);
        if (ok) fprintf(stderr, "\"%s\" was read\n", bad[i]);
        CHECK(!ok);
    }
}

static bool add(struct rate_headers *h, const char *name, const char *value) {
    return rate_headers_add(h, str_c(name), str_c(value), NOW);
}

static void test_openai(void) {
    struct rate_headers h = {0};
    CHECK(add(&h, "x-ratelimit-limit-requests", "60"));
    CHECK(add(&h, "X-RateLimit-Remaining-Requests", "59"));
    CHECK(add(&h, "x-ratelimit-reset-requests", "1s"));
    CHECK(add(&h, "x-ratelimit-limit-tokens", "150000"));
    CHECK(add(&h, "x-ratelimit-remaining-tokens", " 149984 "));
    CHECK(add(&h, "x-ratelimit-reset-tokens", "6m0s"));
    CHECK_INT(h.of[RATE_OF_REQUESTS].limit, 60);
    CHECK_INT(h.of[RATE_OF_REQUESTS].remaining, 59);
    CHECK_INT(h.of[RATE_OF_REQUESTS].reset_ns, SECOND);
    const struct rate_counter tokens = h.of[RATE_OF_TOKENS];
    CHECK(rate_headers_told(&h, RATE_OF_TOKENS));
    CHECK(tokens.limit == 150000 && tokens.remaining == 149984 && tokens.reset_ns == 360 * SECOND);
    CHECK_INT(rate_headers_wait(&h), 0);
    CHECK(add(&h, "x-ratelimit-remaining-tokens", "0"));
    CHECK_INT(rate_headers_wait(&h), 360 * SECOND);
    CHECK(add(&h, "retry-after", "2"));
    CHECK_INT(rate_headers_wait(&h), 2 * SECOND);
}

static void test_anthropic(void) {
    struct rate_headers h = {0};
    CHECK(add(&h, "anthropic-ratelimit-requests-limit", "50"));
    CHECK(add(&h, "anthropic-ratelimit-requests-remaining", "49"));
    CHECK(add(&h, "anthropic-ratelimit-requests-reset", "2026-03-29T08:00:30Z"));
    CHECK(add(&h, "anthropic-ratelimit-input-tokens-limit", "1000"));
    CHECK(add(&h, "anthropic-ratelimit-input-tokens-remaining", "900"));
    CHECK(add(&h, "anthropic-ratelimit-input-tokens-reset", "2026-03-29T08:00:01Z"));
    CHECK(rate_headers_told(&h, RATE_OF_INPUT) && !rate_headers_told(&h, RATE_OF_OUTPUT));
    CHECK(add(&h, "anthropic-ratelimit-output-tokens-limit", "500"));
    CHECK(add(&h, "anthropic-ratelimit-output-tokens-remaining", "100"));
    CHECK(add(&h, "anthropic-ratelimit-output-tokens-reset", "2026-03-29T08:00:05+00:00"));
    CHECK_INT(h.of[RATE_OF_REQUESTS].reset_ns, 30 * SECOND);
    CHECK(rate_headers_told(&h, RATE_OF_OUTPUT) && !rate_headers_told(&h, RATE_OF_TOKENS));
    CHECK_INT(h.of[RATE_OF_OUTPUT].reset_ns, 5 * SECOND);
    CHECK(add(&h, "anthropic-ratelimit-tokens-reset", "2026-03-29T07:00:00Z"));
    CHECK_INT(h.of[RATE_OF_TOKENS].reset_ns, 0);
    CHECK(add(&h, "anthropic-ratelimit-tokens-remaining", "700"));
    CHECK(rate_headers_told(&h, RATE_OF_TOKENS)); // of how much, nobody knows
    CHECK(add(&h, "anthropic-ratelimit-tokens-limit", "1500"));
    CHECK(!rate_headers_told(&h, RATE_OF_TOKENS)); // it is the sum of both
    CHECK(add(&h, "anthropic-ratelimit-tokens-limit", "1499"));
    CHECK(rate_headers_told(&h, RATE_OF_TOKENS)); // a workspace's
    CHECK(add(&h, "anthropic-ratelimit-input-tokens-limit", "18446744073709551615"));
    CHECK(rate_headers_told(&h, RATE_OF_TOKENS));
}

static void test_others(void) {
    struct rate_headers h = {0};
    CHECK(add(&h, "retry-after-ms", "1500"));
    CHECK_INT(h.retry_after_ns, 1500 * MS);
    CHECK(add(&h, "retry-after", "Sun, 29 Mar 2026 08:00:10 GMT"));
    CHECK_INT(h.retry_after_ns, 10 * SECOND);
    CHECK(add(&h, "retry-after", "1"));
    CHECK_INT(h.retry_after_ns, 10 * SECOND);
    CHECK(add(&h, "x-ratelimit-reset", "1774771260"));
    CHECK_INT(h.of[RATE_OF_REQUESTS].reset_ns, 60 * SECOND);
    CHECK(add(&h, "x-ratelimit-reset", "1774771230000"));
    CHECK_INT(h.of[RATE_OF_REQUESTS].reset_ns, 30 * SECOND);
    CHECK(add(&h, "ratelimit-remaining", "7.0"));
    CHECK_INT(h.of[RATE_OF_REQUESTS].remaining, 7);
    CHECK(add(&h, "retry-after", "99999999"));
    CHECK_INT(h.retry_after_ns, RATE_MAX_NS);
}

static void test_hostile(void) {
    static const struct {
        const char *name, *value;
    } bad[] = {{"retry-after", ""},
               {"retry-after", "-5"},
               {"retry-after", "soon"},
               {"retry-after-ms", "5s"},
               {"retry-after", "Sun, 99 Mar 2026 08:00:10 GMT"},
               {"x-ratelimit-remaining-tokens", "-1"},
               {"x-ratelimit-remaining-tokens", "1e5"},
               {"x-ratelimit-remaining-tokens", "18446744073709551616"},
               {"x-ratelimit-limit-requests", "many"},
               {"x-ratelimit-remaining-tokens", "."},
               {"x-ratelimit-reset-tokens", "1s1"},
               {"x-ratelimit-other", "1"},
               {"retry-afterx", "1"},
               {"", "1"},
               {"retry-after", "11111111111111111111111111111111111111111111111111111111111111111111111111"}};
    struct rate_headers h = {0}, none = {0};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        bool used = add(&h, bad[i].name, bad[i].value);
        if (used) fprintf(stderr, "%s: %s\n", bad[i].name, bad[i].value);
        CHECK(!used);
    }
    CHECK(memcmp(&h, &none, sizeof h) == 0);
    struct http_field fields[] = {{STR("date"), STR("x")}, {STR("Retry-After"), STR("3")}};
    CHECK(!rate_headers_read(&h, fields, 1, NOW));
    CHECK(rate_headers_read(&h, fields, 2, NOW));
    CHECK_INT(h.retry_after_ns, 3 * SECOND);
}

TEST_MAIN(test_durations, test_dates, test_openai, test_anthropic, test_others, test_hostile)
