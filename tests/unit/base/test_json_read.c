// The JSON reader as a cursor: iteration, getters, raw spans, wanted members, and errors with their places.
#include "base/json_read.h"

#include "check.h"

static struct json_reader reader(struct str text) {
    struct json_reader r;
    json_reader_init(&r, text, 0);
    return r;
}

static void reads_members(void) {
    struct str body = STR(" { \"a\" : 1 , \"mod\\u0065l\":\"gpt\",\"list\":[1,[],{}, \"x\"],\"n\":null,\"t\":true }\n");
    struct json_reader r = reader(body);
    struct str key, raw = STR_NONE, list = STR_NONE;
    enum json_kind kind;
    int64_t a = 0;
    bool t = false, null_seen = false;
    CHECK(json_peek(&r, &kind) && kind == JSON_OBJECT);
    REQUIRE(json_enter_object(&r));
    while (json_member(&r, &key, &kind)) {
        if (json_string_eq(key, STR("a"))) CHECK(json_i64(&r, &a));
        if (json_string_eq(key, STR("model"))) CHECK(kind == JSON_STRING && json_string(&r, &raw));
        if (json_string_eq(key, STR("list"))) CHECK(kind == JSON_ARRAY && json_skip(&r, &list));
        if (json_string_eq(key, STR("n"))) null_seen = json_null(&r);
        if (json_string_eq(key, STR("t"))) CHECK(json_bool(&r, &t));
    }
    struct err err;
    CHECK(json_end(&r, &err));
    CHECK_INT(a, 1);
    CHECK_STR(raw, STR("\"gpt\""));
    CHECK_STR(list, STR("[1,[],{}, \"x\"]"));
    CHECK(list.p > body.p && list.p + list.n < body.p + body.n);
    CHECK(t && null_seen);
}

static void skips_what_is_left_unread(void) {
    struct json_reader r = reader(STR("[{\"a\":[1,2,3],\"b\":{\"c\":1}},[4,[5]],6]"));
    enum json_kind kind;
    struct str key;
    struct err err;
    int elements = 0, members = 0;
    REQUIRE(json_enter_array(&r));
    while (json_element(&r, &kind)) {
        elements++;
        if (kind != JSON_OBJECT) continue;
        CHECK(json_enter_object(&r));
        while (json_member(&r, &key, &kind)) members++;
    }
    CHECK(json_end(&r, &err));
    CHECK_INT(elements, 3);
    CHECK_INT(members, 2);
}

static void leaves_early_but_validates_the_rest(void) {
    enum json_kind kind;
    struct err err;
    struct json_reader r = reader(STR("[[1,2,{\"a\":3}],7]"));
    int64_t seven = 0;
    REQUIRE(json_enter_array(&r) && json_element(&r, &kind) && json_enter_array(&r) && json_element(&r, &kind));
    CHECK(json_leave(&r));
    CHECK(json_element(&r, &kind) && json_i64(&r, &seven));
    CHECK_INT(seven, 7);
    CHECK(json_leave(&r) && json_end(&r, &err));

    r = reader(STR("[[1,2,{\"a\":3,}],7]"));
    REQUIRE(json_enter_array(&r) && json_element(&r, &kind) && json_enter_array(&r) && json_element(&r, &kind));
    CHECK(!json_leave(&r));
    CHECK(!json_end(&r, &err));
}

static void empty_containers(void) {
    struct json_reader r = reader(STR("{}"));
    struct str key;
    enum json_kind kind;
    struct err err;
    CHECK(json_enter_object(&r) && !json_member(&r, &key, &kind) && json_end(&r, &err));
    r = reader(STR(" [ ] "));
    CHECK(json_enter_array(&r) && !json_element(&r, &kind) && json_end(&r, &err));
}

static void duplicate_keys_are_shown_to_an_iterating_caller(void) {
    struct json_reader r = reader(STR("{\"a\":1,\"a\":2}"));
    struct str key;
    enum json_kind kind;
    struct err err;
    int64_t v, sum = 0;
    REQUIRE(json_enter_object(&r));
    while (json_member(&r, &key, &kind))
        if (json_string_eq(key, STR("a")) && json_i64(&r, &v)) sum += v;
    CHECK(json_end(&r, &err));
    CHECK_INT(sum, 3);
}

// The code and the message of what went wrong.
static void check_refusal(struct str text, enum err_code code, const char *part) {
    struct err err;
    CHECK(!json_validate(text, 0, &err));
    CHECK_INT(err.code, code);
    if (!strstr(err.message, part)) fprintf(stderr, "%s | lacks: %s\n", err.message, part);
    CHECK(strstr(err.message, part) != NULL);
}

static void errors_say_where_and_what(void) {
    check_refusal(STR("{\"a\" 1}"), ERR_INVALID_JSON, "byte 5 (line 1, column 6): expected ':'");
    check_refusal(STR("{\n \"a\": 1,\n \"b\" 2}"), ERR_INVALID_JSON, "line 3, column 6): expected ':'");
    check_refusal(STR("[1,2"), ERR_INVALID_JSON, "byte 4 (line 1, column 5): the array has no end");
    check_refusal(STR("{\"a\":1"), ERR_INVALID_JSON, "the object has no end");
    check_refusal(STR("[1 2]"), ERR_INVALID_JSON, "byte 3 (line 1, column 4): expected ',' or ']'");
    check_refusal(STR("{\"a\":1 2}"), ERR_INVALID_JSON, "expected ',' or '}'");
    check_refusal(STR("{1:2}"), ERR_INVALID_JSON, "expected a member name in quotes");
    check_refusal(STR("[NaN]"), ERR_INVALID_JSON, "byte 1 (line 1, column 2): expected a value");
    check_refusal(STR(""), ERR_INVALID_JSON, "byte 0 (line 1, column 1): expected a value");
    check_refusal(STR("{} x"), ERR_INVALID_JSON, "byte 3 (line 1, column 4): expected nothing more");
    check_refusal(STR("\xef\xbb\xbf{}"), ERR_INVALID_JSON, "byte order mark");
    check_refusal(STR("[01]"), ERR_INVALID_JSON, "leading zero");
    check_refusal(STR("[1.]"), ERR_INVALID_JSON, "byte 3 (line 1, column 4): a digit is missing");
    check_refusal(STR("\"a\\ud800b\""), ERR_INVALID_JSON, "byte 2 (line 1, column 3): a \\u escape is half of");
    check_refusal(STR("\"\\u12x4\""), ERR_INVALID_JSON, "needs four hexadecimal digits");
    check_refusal(STR("\"abc\\q\""), ERR_INVALID_JSON, "byte 4 (line 1, column 5): unknown escape");
    check_refusal(STR("[\"a\nb\"]"), ERR_INVALID_JSON, "byte 3 (line 1, column 4): a control character");
    check_refusal(STR("[\"ab\xff\"]"), ERR_INVALID_JSON, "byte 4 (line 1, column 5): bytes in a string are not");
    check_refusal(STR("[1,\"abc"), ERR_INVALID_JSON, "byte 3 (line 1, column 4): the string that starts here");
}

static void the_first_failure_stays(void) {
    struct json_reader r = reader(STR("[1 2]"));
    enum json_kind kind;
    struct err err;
    int64_t v = -1;
    REQUIRE(json_enter_array(&r) && json_element(&r, &kind));
    CHECK(json_i64(&r, &v));
    CHECK(!json_element(&r, &kind));
    CHECK(!json_ok(&r) && !json_element(&r, &kind) && !json_i64(&r, &v) && !json_skip(&r, NULL) && !json_leave(&r));
    CHECK_INT(v, 1);
    CHECK(!json_end(&r, &err));
    CHECK(strstr(err.message, "byte 3 ") != NULL);
}

static void wrong_kinds_are_field_errors(void) {
    struct err err;
    struct str raw = STR("kept");
    int64_t i = 5;
    uint64_t u = 5;
    double d = 5;
    bool yes = true;
    const char *texts[] = {"\"1\"", "1.5", "1e3", "9223372036854775808", "true", "null", "[]", "{}"};
    for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
        struct json_reader r = reader(str_c(texts[k]));
        CHECK(!json_i64(&r, &i) && !json_end(&r, &err));
        CHECK_INT(err.code, ERR_INVALID_FIELD);
    }
    struct json_reader r = reader(STR("-1"));
    CHECK(!json_u64(&r, &u) && !json_end(&r, &err) && err.code == ERR_INVALID_FIELD);
    r = reader(STR("1e999"));
    CHECK(!json_double(&r, &d) && !json_end(&r, &err) && err.code == ERR_INVALID_FIELD);
    r = reader(STR("1"));
    CHECK(!json_string(&r, &raw) && !json_end(&r, &err) && err.code == ERR_INVALID_FIELD);
    r = reader(STR("0"));
    CHECK(!json_bool(&r, &yes) && !json_end(&r, &err) && err.code == ERR_INVALID_FIELD);
    r = reader(STR("false"));
    CHECK(!json_null(&r) && !json_end(&r, &err) && err.code == ERR_INVALID_FIELD);
    r = reader(STR("[]"));
    CHECK(!json_enter_object(&r) && !json_end(&r, &err) && err.code == ERR_INVALID_FIELD);
    r = reader(STR("{}"));
    CHECK(!json_enter_array(&r) && !json_end(&r, &err) && err.code == ERR_INVALID_FIELD);
    CHECK(i == 5 && u == 5 && d > 4.9 && d < 5.1 && yes);
    CHECK_STR(raw, STR("kept"));
    // Invalid text is invalid text, whatever kind was wanted.
    r = reader(STR("[1,]"));
    CHECK(!json_enter_object(&r) && !json_end(&r, &err) && err.code == ERR_INVALID_JSON);
}

static void callers_can_fail_a_value(void) {
    struct json_reader r = reader(STR("{\"n\":0}"));
    struct str key, raw;
    enum json_kind kind;
    struct err err;
    REQUIRE(json_enter_object(&r) && json_member(&r, &key, &kind) && json_skip(&r, &raw));
    CHECK(!json_fail(&r, raw, "must be at least 1"));
    CHECK(!json_end(&r, &err) && err.code == ERR_INVALID_FIELD);
    CHECK(strstr(err.message, "byte 5 (line 1, column 6): must be at least 1") != NULL);
}

#define CHAT                                                                                                           \
    "{\"messages\":[{\"role\":\"user\"}], \"mod\\u0065l\" : \"gpt\",\"stream\":true,\"stop\":null,\"x\":1,\"x\":2}"

static void scans_wanted_members(void) {
    struct str body = STR(CHAT);
    struct err err;
    struct json_field f[] = {{.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("stream"), .kinds = JSON_IS(JSON_BOOL)},
                             {.name = STR_INIT("messages"), .kinds = JSON_IS(JSON_ARRAY)},
                             {.name = STR_INIT("stop"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
                             {.name = STR_INIT("absent")}};
    REQUIRE(json_scan(body, f, ARRAY_LEN(f), &err));
    CHECK_STR(f[0].raw, STR("\"gpt\""));
    CHECK_STR(f[0].member, STR("\"mod\\u0065l\" : \"gpt\""));
    CHECK(f[1].found && f[1].kind == JSON_BOOL);
    CHECK_STR(f[2].raw, STR("[{\"role\":\"user\"}]"));
    CHECK_STR(f[2].member, STR("\"messages\":[{\"role\":\"user\"}]"));
    CHECK(f[3].found && f[3].kind == JSON_NULL);
    CHECK(!f[4].found && f[4].raw.n == 0);
}

static void check_scan_refusal(struct str body, enum err_code code, const char *param) {
    struct err err;
    struct json_field f[] = {{.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("n"), .kinds = JSON_IS(JSON_NUMBER)}};
    CHECK(!json_scan(body, f, ARRAY_LEN(f), &err));
    CHECK_INT(err.code, code);
    CHECK_STR(str_c(err.param), str_c(param));
}

static void scan_refuses_what_it_must(void) {
    check_scan_refusal(STR("{\"model\":\"a\",\"model\":\"a\"}"), ERR_INVALID_FIELD, "model");
    check_scan_refusal(STR("{\"model\":\"a\",\"mode\\u006c\":\"b\"}"), ERR_INVALID_FIELD, "model");
    check_scan_refusal(STR("{\"n\":1}"), ERR_MISSING_FIELD, "model");
    check_scan_refusal(STR("{}"), ERR_MISSING_FIELD, "model");
    check_scan_refusal(STR("{\"model\":null}"), ERR_INVALID_FIELD, "model");
    check_scan_refusal(STR("{\"model\":\"a\",\"n\":\"1\"}"), ERR_INVALID_FIELD, "n");
    check_scan_refusal(STR("{\"model\":\"a\"} {}"), ERR_INVALID_JSON, "");
    check_scan_refusal(STR("{\"model\":\"a\",\"z\":[1,}"), ERR_INVALID_JSON, "");
    check_scan_refusal(STR("{\"model\":\"a\""), ERR_INVALID_JSON, "");
    check_scan_refusal(STR("[]"), ERR_INVALID_FIELD, "");
    check_scan_refusal(STR(""), ERR_INVALID_JSON, "");
}

static void scan_goes_on_after_a_nested_object(void) {
    struct json_reader r = reader(STR("{\"usage\":{\"in\":3,\"out\":4},\"id\":\"x\"}"));
    struct json_field usage[] = {{.name = STR_INIT("in")}, {.name = STR_INIT("out")}};
    struct str key, id = STR_NONE;
    enum json_kind kind;
    struct err err;
    REQUIRE(json_enter_object(&r));
    while (json_member(&r, &key, &kind)) {
        if (json_string_eq(key, STR("usage"))) CHECK(json_object_scan(&r, usage, ARRAY_LEN(usage), &err));
        if (json_string_eq(key, STR("id"))) CHECK(json_string(&r, &id));
    }
    CHECK(json_end(&r, &err));
    CHECK_STR(usage[1].raw, STR("4"));
    CHECK_STR(id, STR("\"x\""));
}

static void gets_a_path(void) {
    struct str raw,
        body = STR("{\"id\":1,\"usage\":{\"total\":9,\"prompt_tokens_details\":{\"cached_tokens\":7}},\"a\":[]}");
    REQUIRE(JSON_GET(body, &raw, STR("usage"), STR("prompt_tokens_details"), STR("cached_tokens")));
    CHECK_STR(raw, STR("7"));
    REQUIRE(JSON_GET(body, &raw, STR("usage"), STR("total")));
    CHECK_STR(raw, STR("9"));
    CHECK(json_get(body, NULL, 0, &raw));
    CHECK_STR(raw, body);
    CHECK(!JSON_GET(body, &raw, STR("usage"), STR("none")));
    CHECK(!JSON_GET(body, &raw, STR("id"), STR("none")));
    CHECK(!JSON_GET(body, &raw, STR("a"), STR("none")));
    CHECK(!JSON_GET(STR(""), &raw, STR("a")));
    CHECK(!JSON_GET(STR("{\"a\":"), &raw, STR("a")));
}

static void depth_counts_across_cursor_and_skip(void) {
    struct json_reader r;
    enum json_kind kind;
    struct err err;
    json_reader_init(&r, STR("[[[[1]]]]"), 3);
    CHECK(json_enter_array(&r) && json_element(&r, &kind) && json_enter_array(&r) && json_element(&r, &kind));
    CHECK(!json_skip(&r, NULL));
    CHECK(!json_end(&r, &err) && strstr(err.message, "byte 3 (line 1, column 4): nested too deep"));
    json_reader_init(&r, STR("[[[1]]]"), 3);
    CHECK(json_enter_array(&r) && json_element(&r, &kind) && json_enter_array(&r) && json_element(&r, &kind));
    CHECK(json_skip(&r, NULL) && json_leave(&r) && json_leave(&r) && json_end(&r, &err));
}

TEST_MAIN(reads_members, skips_what_is_left_unread, leaves_early_but_validates_the_rest, empty_containers,
          duplicate_keys_are_shown_to_an_iterating_caller, errors_say_where_and_what, the_first_failure_stays,
          wrong_kinds_are_field_errors, callers_can_fail_a_value, scans_wanted_members, scan_refuses_what_it_must,
          scan_goes_on_after_a_nested_object, gets_a_path, depth_counts_across_cursor_and_skip)
