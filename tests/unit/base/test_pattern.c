// Regular expressions: what they find, what is refused, and that none of them is slow.
#include "base/pattern.h"

#include "check.h"

#include <stdlib.h>

static struct arena g_arena;

static enum pattern_found find(const char *pattern, const char *text) {
    const struct pattern *p;
    struct err err;
    if (!pattern_compile(&g_arena, str_c(pattern), PATTERN_POSIX, &p, &err)) {
        fprintf(stderr, "%s: %s\n", pattern, err.message);
        return PATTERN_GIVEN_UP;
    }
    return pattern_find(p, str_c(text));
}

static const struct {
    const char *pattern, *text;
    bool found;
} k_finding[] = {
    {"", "", true},
    {"", "x", true},
    {"a", "", false},
    {"b", "abc", true},
    {"^b", "abc", false},
    {"^abc$", "abc", true},
    {"c$", "abc", true},
    {"b$", "abc", false},
    {"^$", "", true},
    {"a.c", "a\nc", true},
    {"a|b|cd", "xcdx", true},
    {"^(a|b|cd)$", "cd", true},
    {"^(a|b|cd)$", "ac", false},
    {"^(|x)$", "", true},
    {"^a*$", "aaaa", true},
    {"^a*$", "aab", false},
    {"^a+$", "", false},
    {"^ab?c$", "ac", true},
    {"^ab?c$", "abbc", false},
    {"^a{3}$", "aaa", true},
    {"^a{3}$", "aa", false},
    {"^a{2,}$", "aaaaa", true},
    {"^a{2,}$", "a", false},
    {"^a{1,3}$", "aaaa", false},
    {"^(ab){2}$", "abab", true},
    {"^a{0}$", "", true},
    {"^a{,3}$", "a{,3}", true},
    {"^x{y}$", "x{y}", true},
    {"^a+?b*?c??$", "aab", true},
    {"^(?:ab|c)+$", "ccab", true},
    {"[a-c]", "b", true},
    {"^[^a-c]$", "b", false},
    {"^[^a-c]$", "d", true},
    {"^[]a]+$", "a]", true},
    {"^[^]a]$", "]", false},
    {"^[a-]+$", "-a", true},
    {"^[[:digit:][:upper:]]+$", "A9", true},
    {"^[[:digit:]]+$", "A9", false},
    {"^[\\d\\-x]+$", "4-x", true},
    {"^[\\D]+$", "ab", true},
    {"^[\\W]$", "_", false},
    {"^\\d{4}-\\d{2}$", "2026-11", true},
    {"^\\D+$", "12", false},
    {"^\\w+\\s\\S+$", "snow \xe2\x98\x83", true},
    {"^.$", "\xe2\x98\x83", true},
    {"^\\u2603$", "\xe2\x98\x83", true},
    {"^[\xc3\xa4-\xc3\xbc]$", "\xc3\xb6", true},
    {"\\bcat\\b", "a cat.", true},
    {"\\bcat\\b", "concat", false},
    {"\\Bcat", "concat", true},
    {"^a\\.b\\/c\\$$", "a.b/c$", true},
    {"^a\\.b$", "axb", false},
    {"^\\x41\\t$", "A\t", true},
    {"(a*)*b", "aaaac", false},
    {"((a?){20}){20}x", "aaaa", false},
    {"(){1000}{1000}{1000}x", "x", true},
    {"paris|PARIS", "It is paris.", true},
};

static void finding(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_finding); i++) {
        enum pattern_found want = k_finding[i].found ? PATTERN_FOUND : PATTERN_ABSENT;
        enum pattern_found got = find(k_finding[i].pattern, k_finding[i].text);
        if (got != want) fprintf(stderr, "%s in \"%s\"\n", k_finding[i].pattern, k_finding[i].text);
        CHECK_INT(got, want);
    }
}

static void line_ends(void) {
    const struct pattern *p;
    struct err err;
    REQUIRE(pattern_compile(&g_arena, STR("^a.c$"), PATTERN_SCRIPT, &p, &err));
    CHECK_INT(pattern_find(p, STR("axc")), PATTERN_FOUND);
    CHECK_INT(pattern_find(p, STR("a\nc")), PATTERN_ABSENT);
    CHECK_INT(pattern_find(p, STR("a\xff"
                                  "c")),
              PATTERN_GIVEN_UP);
    CHECK_INT(pattern_find(p, STR("\xff")), PATTERN_GIVEN_UP);
}

static void refused(void) {
    static const struct {
        const char *pattern, *why;
    } cases[] = {{"*", "nothing to repeat"},
                 {"a|+", "nothing to repeat"},
                 {"(a", "without )"},
                 {"a)", ") without ("},
                 {"[a", "set without ]"},
                 {"[[:nope:]]", "no such class"},
                 {"[[:digit:", "without :]"},
                 {"[z-a]", "not a range"},
                 {"[a-\\d]", "not a range"},
                 {"a\\", "after the backslash"},
                 {"(a)\\1", "backslash"},
                 {"\\p{L}", "backslash"},
                 {"(?=a)", "groups"},
                 {"(?<n>a)", "groups"},
                 {"a{3,2}", "most is less"},
                 {"a{1001}", "number"},
                 {"a{1", "expected }"},
                 {"a{1000}{1000}", "repeats too much"},
                 {"\\xg1", "hexadecimal"},
                 {"\\u12", "hexadecimal"},
                 {"a********************", "too many quantifiers"},
                 {"\xff", "UTF-8"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct pattern *p;
        struct err err;
        bool ok = pattern_compile(&g_arena, str_c(cases[i].pattern), PATTERN_POSIX, &p, &err);
        if (ok || !strstr(err.message, cases[i].why))
            fprintf(stderr, "%s: %s\n", cases[i].pattern, ok ? "taken" : err.message);
        CHECK(!ok && strstr(err.message, cases[i].why));
    }
    static char deep[400];
    const struct pattern *p;
    struct err err;
    memset(deep, '(', sizeof deep);
    CHECK(!pattern_compile(&g_arena, str_of(deep, sizeof deep), PATTERN_POSIX, &p, &err));
    static char text[PATTERN_TEXT_MAX + 1];
    memset(text, 'a', sizeof text);
    CHECK(!pattern_compile(&g_arena, str_of(text, sizeof text), PATTERN_POSIX, &p, &err));
    CHECK(pattern_compile(&g_arena, str_of(text, sizeof text - 1), PATTERN_POSIX, &p, &err));
}

// Patterns that take ages elsewhere end, and what is too much is said to be.
static void bounded(void) {
    static char text[1 << 20];
    const struct pattern *p;
    struct err err;
    memset(text, 'a', sizeof text);
    REQUIRE(pattern_compile(&g_arena, STR("(a+)+(a|aa)*$b"), PATTERN_POSIX, &p, &err));
    CHECK_INT(pattern_find(p, str_of(text, 20000)), PATTERN_ABSENT);
    REQUIRE(pattern_compile(&g_arena, STR("(a{0,200}){0,20}b"), PATTERN_POSIX, &p, &err));
    CHECK_INT(pattern_find(p, str_of(text, sizeof text)), PATTERN_GIVEN_UP);
    CHECK(pattern_size(p) > 500);
}

static void run_all(void) {
    arena_init(&g_arena, NULL, 0, (size_t)64 << 20);
    finding();
    line_ends();
    refused();
    bounded();
    arena_free(&g_arena);
}

TEST_MAIN(run_all)
