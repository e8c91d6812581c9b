// JSON schemas: each keyword both ways, references, what is refused, what is too much.
#include "base/buf.h"
#include "check.h"
#include "model/json_schema.h"

#include <stdlib.h>

static struct arena g_arena;

static enum json_schema_verdict verdict(const char *schema, const char *value, struct json_schema_fault *fault) {
    const struct json_schema *s;
    struct err err;
    if (!json_schema_read(str_c(schema), &g_arena, &s, &err)) {
        fprintf(stderr, "%s: %s\n", schema, err.message);
        return JSON_SCHEMA_GIVEN_UP;
    }
    return json_schema_check(s, str_c(value), fault);
}

static const struct {
    const char *schema, *value;
    bool valid;
} k_keywords[] = {
    {"true", "1", true},
    {"false", "1", false},
    {"{}", "null", true},
    {"{\"type\":\"string\"}", "\"a\"", true},
    {"{\"type\":\"string\"}", "1", false},
    {"{\"type\":\"integer\"}", "1.0", true},
    {"{\"type\":\"integer\"}", "1.5", false},
    {"{\"type\":\"integer\"}", "12345678901234567890", true},
    {"{\"type\":\"number\"}", "1e3", true},
    {"{\"type\":[\"null\",\"boolean\"]}", "false", true},
    {"{\"type\":[\"null\",\"boolean\"]}", "0", false},
    {"{\"enum\":[1,\"a\",null,{\"x\":[1,2]}]}", "{\"x\":[1.0,2]}", true},
    {"{\"enum\":[1,\"a\",null,{\"x\":[1,2]}]}", "{\"x\":[2,1]}", false},
    {"{\"const\":{\"a\":1,\"b\":2}}", "{\"b\":2,\"a\":1}", true},
    {"{\"const\":{\"a\":1,\"b\":2}}", "{\"a\":1}", false},
    {"{\"const\":\"\\u00e4\"}", "\"\xc3\xa4\"", true},
    {"{\"const\":null}", "null", true},
    {"{\"const\":null}", "0", false},
    {"{\"required\":[\"a\"]}", "{\"\\u0061\":1}", true},
    {"{\"required\":[\"a\"]}", "{\"b\":1}", false},
    {"{\"required\":[\"a\"]}", "[]", true},
    {"{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"a\":\"x\",\"b\":1}", true},
    {"{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"a\":1}", false},
    {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}", true},
    {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"b\":1}", false},
    {"{\"additionalProperties\":{\"type\":\"number\"}}", "{\"a\":\"x\"}", false},
    {"{\"minProperties\":1,\"maxProperties\":2}", "{}", false},
    {"{\"minProperties\":1,\"maxProperties\":2}", "{\"a\":1,\"b\":1}", true},
    {"{\"minProperties\":1,\"maxProperties\":2}", "{\"a\":1,\"b\":1,\"c\":1}", false},
    {"{\"items\":{\"type\":\"number\"}}", "[1,2]", true},
    {"{\"items\":{\"type\":\"number\"}}", "[1,\"2\"]", false},
    {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"number\"}}", "[\"a\",1]", true},
    {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1]", false},
    {"{\"minItems\":1,\"maxItems\":2}", "[]", false},
    {"{\"minItems\":1,\"maxItems\":2}", "[1,2,3]", false},
    {"{\"uniqueItems\":true}", "[1,2,[1],{\"a\":1}]", true},
    {"{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},3,{\"b\":2,\"a\":1.0}]", false},
    {"{\"uniqueItems\":false}", "[1,1]", true},
    {"{\"minimum\":1,\"maximum\":3}", "1", true},
    {"{\"minimum\":1,\"maximum\":3}", "0.99", false},
    {"{\"minimum\":1,\"maximum\":3}", "3.01", false},
    {"{\"minimum\":1}", "\"x\"", true},
    {"{\"minimum\":9007199254740993}", "9007199254740992", false},
    {"{\"exclusiveMinimum\":1,\"exclusiveMaximum\":3}", "1", false},
    {"{\"exclusiveMinimum\":1,\"exclusiveMaximum\":3}", "3", false},
    {"{\"exclusiveMinimum\":1,\"exclusiveMaximum\":3}", "2", true},
    {"{\"multipleOf\":3}", "9", true},
    {"{\"multipleOf\":3}", "10", false},
    {"{\"multipleOf\":0.1}", "0.3", true},
    {"{\"multipleOf\":0.1}", "0.35", false},
    {"{\"minLength\":2,\"maxLength\":3}", "\"\xe2\x98\x83\"", false},
    {"{\"minLength\":2,\"maxLength\":3}", "\"\xe2\x98\x83\\u2603\"", true},
    {"{\"minLength\":2,\"maxLength\":3}", "\"abcd\"", false},
    {"{\"pattern\":\"^[a-z]+$\"}", "\"abc\"", true},
    {"{\"pattern\":\"^[a-z]+$\"}", "\"abc1\"", false},
    {"{\"pattern\":\"^\\\\d+$\"}", "\"12\"", true},
    {"{\"pattern\":\"x\"}", "1", true},
    {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":3}]}", "4", true},
    {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":3}]}", "2", false},
    {"{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", "2", true},
    {"{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", "4", false},
    {"{\"oneOf\":[{\"minimum\":1},{\"maximum\":3}]}", "4", true},
    {"{\"oneOf\":[{\"minimum\":1},{\"maximum\":3}]}", "2", false},
    {"{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "2", false},
    {"{\"not\":{\"type\":\"string\"}}", "2", true},
    {"{\"not\":{\"type\":\"string\"}}", "\"2\"", false},
    {"{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"type\":\"number\"}}}", "1", true},
    {"{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"type\":\"number\"}}}", "\"\"", false},
    {"{\"$ref\":\"#/$defs/a~1b~0c\",\"$defs\":{\"a/b~c\":{\"type\":\"number\"}}}", "\"\"", false},
    {"{\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}},\"required\":[\"next\"],"
     "\"type\":\"object\"}",
     "{\"next\":{\"next\":{\"next\":null}}}", true},
    {"{\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}},\"required\":[\"next\"],"
     "\"type\":\"object\"}",
     "{\"next\":{\"next\":{\"last\":null}}}", false},
    {"{\"title\":\"t\",\"description\":\"d\",\"format\":\"date\",\"default\":1,\"$schema\":\"s\"}", "1", true},
};

static void keywords(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_keywords); i++) {
        struct json_schema_fault fault;
        enum json_schema_verdict got = verdict(k_keywords[i].schema, k_keywords[i].value, &fault);
        enum json_schema_verdict want = k_keywords[i].valid ? JSON_SCHEMA_VALID : JSON_SCHEMA_INVALID;
        if (got != want) fprintf(stderr, "%s: %s\n", k_keywords[i].schema, k_keywords[i].value);
        CHECK_INT(got, want);
        CHECK((fault.why[0] == '\0') == k_keywords[i].valid);
        CHECK(verdict(k_keywords[i].schema, k_keywords[i].value, NULL) == want);
    }
}

static void faults(void) {
    struct json_schema_fault f;
    const char *schema = "{\"properties\":{\"items\":{\"items\":{\"properties\":{\"name\":{\"type\":\"string\"}},"
                         "\"required\":[\"name\"],\"additionalProperties\":false}}}}";
    CHECK_INT(verdict(schema, "{\"items\":[{\"name\":\"x\"},{\"name\":7}]}", &f), JSON_SCHEMA_INVALID);
    CHECK_STR(str_c(f.path), STR("/items/1/name"));
    CHECK_STR(str_c(f.why), STR("expected a string"));
    CHECK_INT(verdict(schema, "{\"items\":[{}]}", &f), JSON_SCHEMA_INVALID);
    CHECK_STR(str_c(f.path), STR("/items/0"));
    CHECK_STR(str_c(f.why), STR("\"name\" is missing"));
    CHECK_INT(verdict(schema, "{\"items\":[{\"name\":\"x\",\"b\":1}]}", &f), JSON_SCHEMA_INVALID);
    CHECK_STR(str_c(f.path), STR("/items/0/b"));
    CHECK_INT(verdict(schema, "Sure! {}", &f), JSON_SCHEMA_NO_JSON);
    CHECK(f.why[0]);
    CHECK_INT(verdict(schema, "", &f), JSON_SCHEMA_NO_JSON);
    CHECK_INT(verdict("{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}", "1", &f), JSON_SCHEMA_INVALID);
    CHECK_STR(str_c(f.why), STR("none of anyOf"));
}

static void refused(void) {
    static const struct {
        const char *schema, *why;
    } cases[] = {{"", "schema"},
                 {"{", "schema"},
                 {"7", "expected a schema"},
                 {"[]", "expected a schema"},
                 {"{\"patternProperties\":{}}", "patternProperties"},
                 {"{\"properties\":{\"a\":{\"if\":{}}}}", "if"},
                 {"{\"$defs\":{\"a\":{\"nope\":1}}}", "nope"},
                 {"{\"type\":\"text\"}", "no such type"},
                 {"{\"type\":[]}", "expected a type"},
                 {"{\"type\":7}", "type"},
                 {"{\"enum\":[]}", "at least one"},
                 {"{\"enum\":7}", "enum"},
                 {"{\"required\":[7]}", "texts"},
                 {"{\"properties\":[]}", "properties"},
                 {"{\"properties\":{\"a\":7}}", "expected a schema"},
                 {"{\"items\":[{}]}", "expected a schema"},
                 {"{\"minimum\":\"1\"}", "minimum"},
                 {"{\"multipleOf\":0}", "above 0"},
                 {"{\"multipleOf\":-1}", "above 0"},
                 {"{\"minLength\":-1}", "minLength"},
                 {"{\"minLength\":1.5}", "minLength"},
                 {"{\"uniqueItems\":1}", "uniqueItems"},
                 {"{\"pattern\":\"(\"}", "pattern"},
                 {"{\"pattern\":7}", "pattern"},
                 {"{\"anyOf\":[]}", "at least one"},
                 {"{\"anyOf\":{}}", "list of schemas"},
                 {"{\"not\":null}", "expected a schema"},
                 {"{\"$ref\":\"other.json\"}", "a place in this schema"},
                 {"{\"$ref\":\"#nope\"}", "a place in this schema"},
                 {"{\"$ref\":\"#/$defs/x\"}", "no such place"},
                 {"{\"$ref\":7}", "$ref"},
                 {"{\"type\":\"null\",\"type\":\"string\"}", "twice"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct json_schema *s;
        struct err err;
        bool ok = json_schema_read(str_c(cases[i].schema), &g_arena, &s, &err);
        if (ok || !strstr(err.message, cases[i].why))
            fprintf(stderr, "%s: %s\n", cases[i].schema, ok ? "taken" : err.message);
        CHECK(!ok && strstr(err.message, cases[i].why));
    }
}

static void bounded(void) {
    struct json_schema_fault f;
    CHECK_INT(verdict("{\"$ref\":\"#\"}", "1", &f), JSON_SCHEMA_GIVEN_UP);
    CHECK(f.why[0]);
    CHECK_INT(verdict("{\"not\":{\"$ref\":\"#\"}}", "1", &f), JSON_SCHEMA_GIVEN_UP);
    // Each level twice the work of the one below.
    CHECK_INT(verdict("{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"anyOf\":[{\"allOf\":[{\"$ref\":"
                      "\"#/$defs/b\"},{\"not\":{}}]},{\"allOf\":[{\"$ref\":\"#/$defs/b\"},{\"not\":{}}]}]},"
                      "\"b\":{\"anyOf\":[{\"$ref\":\"#/$defs/a\"},{\"$ref\":\"#/$defs/a\"}]}}}",
                      "1", &f),
              JSON_SCHEMA_GIVEN_UP);
    static char deep[2001];
    memset(deep, '[', 1000);
    memset(deep + 1000, ']', 1000);
    CHECK_INT(verdict("{}", deep, &f), JSON_SCHEMA_NO_JSON);
    BUF_AUTO struct buf list = BUF_INIT(1 << 20);
    for (int i = 0; i < 20000; i++) buf_printf(&list, "%c%d", i ? ',' : '[', i);
    buf_lit(&list, "]");
    CHECK_INT(verdict("{\"uniqueItems\":true}", buf_cstr(&list), &f), JSON_SCHEMA_GIVEN_UP);
    BUF_AUTO struct buf schema = BUF_INIT(1 << 20);
    for (int i = 0; i < 100; i++) buf_lit(&schema, "{\"not\":");
    buf_lit(&schema, "{}");
    for (int i = 0; i < 100; i++) buf_lit(&schema, "}");
    const struct json_schema *s;
    struct err err;
    CHECK(!json_schema_read(buf_str(&schema), &g_arena, &s, &err));
    CHECK(strstr(err.message, "too deep") != NULL);
}

static void run_all(void) {
    arena_init(&g_arena, NULL, 0, (size_t)64 << 20);
    keywords();
    faults();
    refused();
    bounded();
    arena_free(&g_arena);
}

TEST_MAIN(run_all)
