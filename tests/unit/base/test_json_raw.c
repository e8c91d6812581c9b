// Raw JSON values: numbers at their limits, and strings with escapes.
#include "base/json_read.h"

#include "check.h"

static void integers(void) {
    int64_t i = 0;
    uint64_t u = 0;
    CHECK(json_raw_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
    CHECK(json_raw_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(json_raw_i64(STR("-0"), &i) && i == 0);
    CHECK(!json_raw_i64(STR("9223372036854775808"), &i));
    CHECK(!json_raw_i64(STR("-9223372036854775809"), &i));
    CHECK(json_raw_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(json_raw_u64(STR("-0"), &u) && u == 0);
    CHECK(!json_raw_u64(STR("18446744073709551616"), &u));
    CHECK(!json_raw_u64(STR("-1"), &u));
    const char *bad[] = {"", "-", "1.0", "1e2", "\"1\"", "null", "1 ", "+1", "0x1", "99999999999999999999999"};
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
        CHECK(!json_raw_i64(str_c(bad[k]), &i));
        CHECK(!json_raw_u64(str_c(bad[k]), &u));
    }
}

static bool same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

static void doubles(void) {
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0.0},           {"-0", -0.0},
                {"0.1", 0.1},         {"1e308", 1e308},
                {"-2.5e-3", -2.5e-3}, {"5e-324", 5e-324},
                {"1e-999", 0.0},      {"123456789012345678901234567890", 123456789012345678901234567890.0}};
    double d;
    for (size_t k = 0; k < ARRAY_LEN(good); k++)
        CHECK(json_raw_double(str_c(good[k].text), &d) && same(d, good[k].value));
    const char *bad[] = {"",   "1e309", "-1e999", "nan",  "inf", "0x10", " 1",
                         "1 ", "1.",    "\"1\"",  "true", "-",   "01",   "1,2"};
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) CHECK(!json_raw_double(str_c(bad[k]), &d));
    char longest[600];
    memset(longest, '1', sizeof longest);
    CHECK(!json_raw_double(str_of(longest, sizeof longest), &d));
    CHECK(json_raw_double(str_of(longest, 300), &d) && d > 1e299);
}

static void kinds_and_bools(void) {
    bool yes = false;
    CHECK(json_raw_bool(STR("true"), &yes) && yes);
    CHECK(json_raw_bool(STR("false"), &yes) && !yes);
    CHECK(!json_raw_bool(STR("null"), &yes) && !json_raw_bool(STR(""), &yes) && !json_raw_bool(STR("truex"), &yes));
    CHECK_INT(json_raw_kind(STR("{}")), JSON_OBJECT);
    CHECK_INT(json_raw_kind(STR("[]")), JSON_ARRAY);
    CHECK_INT(json_raw_kind(STR("\"\"")), JSON_STRING);
    CHECK_INT(json_raw_kind(STR("true")), JSON_BOOL);
    CHECK_INT(json_raw_kind(STR("false")), JSON_BOOL);
    CHECK_INT(json_raw_kind(STR("null")), JSON_NULL);
    CHECK_INT(json_raw_kind(STR("-1")), JSON_NUMBER);
    CHECK_INT(json_raw_kind(STR_NONE), JSON_NULL);
}

static void check_text(struct str raw, struct str want) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct arena arena;
    struct str text;
    buf_lit(&out, "before ");
    CHECK(json_string_decode(raw, &out));
    CHECK_STR(str_from(buf_str(&out), 7), want);
    arena_init(&arena, NULL, 0, 1 << 16);
    CHECK(json_string_text(raw, &arena, &text));
    CHECK_STR(text, want);
    arena_free(&arena);
    CHECK_INT(json_string_len(raw), want.n);
    CHECK(json_string_eq(raw, want));
    CHECK(!json_string_eq(raw, STR("something else")));
    if (want.n) CHECK(!json_string_eq(raw, str_head(want, want.n - 1)));
}

static void strings(void) {
    check_text(STR("\"\""), STR(""));
    check_text(STR("\"plain\""), STR("plain"));
    check_text(STR("\"a\\nb\""), STR("a\nb"));
    check_text(STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), STR("\"\\/\b\f\n\r\t"));
    check_text(STR("\"\\u0041\\u00e9\\u6f22\\ud83d\\ude00\""), STR("A\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80"));
    check_text(STR("\"\\u0000\""), STR("\0"));
    check_text(STR("\"\\\\u0041\""), STR("\\u0041"));
    check_text(STR("\"gr\xc3\xbc\xc3\x9f\\u0065\""), STR("gr\xc3\xbc\xc3\x9f"
                                                         "e"));
    check_text(STR("\"\\uDBFF\\uDFFF\""), STR("\xf4\x8f\xbf\xbf"));
}

static void borrows_only_without_escapes(void) {
    struct str raw = STR("\"abc\""), text;
    CHECK(json_string_borrow(raw, &text) && text.p == raw.p + 1 && text.n == 3);
    CHECK(!json_string_borrow(STR("\"a\\nc\""), &text));
    CHECK(!json_string_borrow(STR("\""), &text));
    CHECK(!json_string_borrow(STR("12"), &text));
    CHECK(!json_string_borrow(STR(""), &text));
}

static void what_is_no_string_is_refused(void) {
    const char *bad[] = {"",       "\"",      "1",         "null",        "\"a",           "a\"",
                         "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\n\""};
    struct arena arena;
    struct str text = STR("kept");
    arena_init(&arena, NULL, 0, 1 << 16);
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
        BUF_AUTO struct buf out = BUF_INIT(100);
        buf_lit(&out, "x");
        CHECK(!json_string_decode(str_c(bad[k]), &out));
        CHECK_STR(buf_str(&out), STR("x"));
        CHECK(!json_string_text(str_c(bad[k]), &arena, &text));
        CHECK_INT(json_string_len(str_c(bad[k])), 0);
        CHECK(!json_string_eq(str_c(bad[k]), STR("")));
    }
    CHECK_STR(text, STR("kept"));
    arena_free(&arena);
}

static void a_full_buf_is_reported(void) {
    BUF_AUTO struct buf out = BUF_INIT(4);
    CHECK(!json_string_decode(STR("\"abcde\\n\""), &out));
    struct arena arena;
    struct str text;
    arena_init(&arena, NULL, 0, 0);
    CHECK(!json_string_text(STR("\"a\\n\""), &arena, &text));
    CHECK(json_string_text(STR("\"an\""), &arena, &text));
    arena_free(&arena);
}

static void keys_compare_decoded(void) {
    CHECK(json_string_eq(STR("\"mod\\u0065l\""), STR("model")));
    CHECK(json_string_eq(STR("\"\\u006d\\u006f\\u0064\\u0065\\u006c\""), STR("model")));
    CHECK(!json_string_eq(STR("\"mod\\u0065\""), STR("model")));
    CHECK(!json_string_eq(STR("\"mod\\u0065ls\""), STR("model")));
    CHECK(!json_string_eq(STR("\"Model\""), STR("model")));
    CHECK(!json_string_eq(STR("\"mod\\\\u0065l\""), STR("model")));
    CHECK(json_string_eq(STR("\"a\\u0000\""), STR("a\0")));
    CHECK(!json_string_eq(STR("\"a\\u0000\""), STR("a")));
}

TEST_MAIN(integers, doubles, kinds_and_bools, strings, borrows_only_without_escapes, what_is_no_string_is_refused,
          a_full_buf_is_reported, keys_compare_decoded)
