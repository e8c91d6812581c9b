// Slices: comparison, search, splitting, trimming, number parsing and edit distance.
#include "check.h"

static void compares(void) {
    CHECK(str_eq(STR(""), STR_NONE));
    CHECK(str_eq(STR("a\0b"), STR("a\0b")));
    CHECK(!str_eq(STR("a"), STR("b")) && !str_eq(STR("a"), STR("ab")));
    CHECK(str_starts(STR("abc"), STR("ab")) && str_starts(STR("abc"), STR("")) && str_starts(STR_NONE, STR_NONE));
    CHECK(!str_starts(STR("a"), STR("ab")) && !str_starts(STR("ba"), STR("a")));
    CHECK(str_ends(STR("abc"), STR("bc")) && str_ends(STR("abc"), STR("")) && !str_ends(STR("c"), STR("bc")));
    CHECK(!str_ends(STR("abc"), STR("ab")));
    CHECK(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    CHECK(!str_eq_nocase(STR("a"), STR("ab")) && !str_eq_nocase(STR("@"), STR("`")) &&
          !str_eq_nocase(STR("["), STR("{")));
    CHECK(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("b"), STR("a")) > 0 && str_cmp(STR("a"), STR("a")) == 0);
    CHECK(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("ab"), STR("a")) > 0 && str_cmp(STR_NONE, STR("")) == 0);
    CHECK(str_cmp(STR("\xff"), STR("a")) > 0);
    CHECK(str_eq_secret(STR("key"), STR("key")) && str_eq_secret(STR(""), STR_NONE));
    CHECK(!str_eq_secret(STR("key"), STR("kez")) && !str_eq_secret(STR("key"), STR("keys")));
    CHECK_STR(str_c(NULL), STR(""));
    CHECK_STR(str_c("z"), STR("z"));
}

static void slices(void) {
    CHECK_STR(str_from(STR("abc"), 1), STR("bc"));
    CHECK_STR(str_from(STR("abc"), 3), STR(""));
    CHECK_STR(str_from(STR("abc"), 99), STR(""));
    CHECK_STR(str_from(STR_NONE, 1), STR(""));
    CHECK_STR(str_head(STR("abc"), 2), STR("ab"));
    CHECK_STR(str_head(STR("abc"), 9), STR("abc"));
    CHECK_STR(str_trim(STR(" \t\r\na b\n ")), STR("a b"));
    CHECK_STR(str_trim(STR(" \t ")), STR(""));
    CHECK_STR(str_trim(STR_NONE), STR(""));
}

static void finds(void) {
    CHECK_INT(str_find_char(STR("abc"), 'c'), 2);
    CHECK_INT(str_find_char(STR("abc"), 'x'), 3);
    CHECK_INT(str_find_char(STR_NONE, 'x'), 0);
    CHECK_INT(str_find(STR("aaab"), STR("ab")), 2);
    CHECK_INT(str_find(STR("abc"), STR("")), 0);
    CHECK_INT(str_find(STR("abc"), STR("abcd")), 3);
    CHECK_INT(str_find(STR("abab"), STR("bb")), 4);
    CHECK_INT(str_find(STR("xyz"), STR("z")), 2);
}

// The parts of s, joined with '|'.
static void check_split(struct str s, const char *want) {
    char got[64];
    size_t n = 0;
    struct str part;
    for (int i = 0; i < 10 && str_split(&s, ',', &part); i++) {
        if (part.n) memcpy(got + n, part.p, part.n);
        n += part.n;
        got[n++] = '|';
    }
    CHECK_STR(str_of(got, n), str_c(want));
}

static void splits(void) {
    check_split(STR("a,b"), "a|b|");
    check_split(STR("a"), "a|");
    check_split(STR(""), "|");
    check_split(STR(","), "||");
    check_split(STR("a,,b,"), "a||b||");
    check_split(STR_NONE, "");
}

static void parses_numbers(void) {
    uint64_t u = 1;
    int64_t i = 1;
    CHECK(str_to_u64(STR("0"), &u) && u == 0);
    CHECK(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(str_to_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
    CHECK(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    u = 7, i = 7;
    const char *bad[] = {"", "-", "+1", " 1", "1 ", "1a", "0x1", "18446744073709551616", "99999999999999999999", "1.0"};
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
        CHECK(!str_to_u64(str_c(bad[k]), &u));
        CHECK(!str_to_i64(str_c(bad[k]), &i));
    }
    CHECK(!str_to_u64(STR("-1"), &u) && !str_to_i64(STR("9223372036854775808"), &i));
    CHECK(!str_to_i64(STR("-9223372036854775809"), &i) && !str_to_i64(STR("--1"), &i));
    CHECK(u == 7 && i == 7);
}

static void measures_distance(void) {
    CHECK_INT(str_distance(STR("model"), STR("model"), 9), 0);
    CHECK_INT(str_distance(STR("model"), STR("Modle"), 9), 1);
    CHECK_INT(str_distance(STR("kitten"), STR("sitting"), 9), 3);
    CHECK_INT(str_distance(STR("kitten"), STR("sitting"), 2), 2);
    CHECK_INT(str_distance(STR(""), STR("abc"), 9), 3);
    CHECK_INT(str_distance(STR(""), STR(""), 9), 0);
    char longer[65];
    memset(longer, 'a', sizeof longer);
    CHECK_INT(str_distance(str_of(longer, 65), STR("a"), 5), 5);
    CHECK_INT(str_distance(str_of(longer, 64), str_of(longer, 64), 5), 0);
}

TEST_MAIN(compares, slices, finds, splits, parses_numbers, measures_distance)
