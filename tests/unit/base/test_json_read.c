// The JSON reader as a cursor: iteration, getters, raw spans, errors and their places.
#include "base/json_read.h"

#include "check.h"

static void reads_members(void) {
    struct str body = STR(" { \"a\" : 1 , \"mod\\u0065l\":\"gpt\",\"list\":[1,[],{}, \"x\"],\"n\":null,\"t\":true }\n");
    struct json_reader r;
    struct str key, raw = STR_NONE, list = STR_NONE;
    enum json_kind kind;
    int64_t a = 0;
    bool t = false, null_seen = false;
    json_reader_init(&r, body, 0);
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
    CHECK(t && null_seen);
}
TEST_MAIN(reads_members)
