// Tests of gateway/finding.h: which texts of a body are looked at, and how the place is told.
#include "check.h"

#include "base/mem.h"
#include "gateway/finding.h"
#include "govern/pii.h"

#define ARENA_MAX ((size_t)1 << 20)

static void gives(const char *type, struct str body, const char *want) {
    struct arena a;
    struct finding f = {0};
    struct err err;
    arena_init(&a, NULL, 0, ARENA_MAX);
    const struct finding_in in = {.body = body, .content_type = str_c(type), .kinds = PII_ALL};
    REQUIRE(finding_in_body(&in, &a, &f, &err));
    CHECK_INT(f.found, *want != '\0');
    CHECK_STR(f.text, str_c(want));
    arena_free(&a);
}

static void json(const char *body, const char *want) { gives("application/json", str_c(body), want); }

static void strings(void) {
    json("{\"messages\":[{\"role\":\"user\",\"content\":\"4111111111111111\"}]}", "credit_card in messages[0].content");
    json("{\"a\":{\"b\":[1,2,[\"x\",{\"c\":\"ada@example.com\"}]]}}", "email in a.b[2][1].c");
    json("[\"x\",\"DE89370400440532013000\"]", "iban in [1]");
    json("\"ada@example.com\"", "email in the body");
    json("{\"a\":\"4\\u0031\\u0031\\u0031 1111 1111\\u00201111\"}", "credit_card in a");
    json("{\"a\":\"x\\n4111111111111111\\ty\"}", "credit_card in a");
    json("{\"a\":4111111111111111,\"b\":1}", "credit_card in a");
    json("{\"a\":411111111111111.1,\"b\":-1e9,\"c\":null,\"d\":true,\"e\":\"\",\"f\":{},\"g\":[]}", "");
    json("{\"a\":\"41111111\",\"b\":\"11111111\"}", "");
    json("{}", "");
    json("", "");
    // Names of members are looked at, and not repeated.
    json("{\"a\":{\"ada@example.com\":1}}", "email in a.*");
    json("{\"DE89370400440532013000\":\"x\"}", "iban in *");
    json("{\"with space\":\"ada@example.com\"}", "email in *");
    json("{\"x9876\":{\"n\\u0061me\":{\"k\":\"ada@example.com\"}}}", "email in *.*.k");
}

static void what_is_no_text(void) {
    json("{\"url\":\"data:image/png;base64,4111111111111111\"}", "");
    json("{\"url\":\"data:text/plain,4111111111111111\"}", "credit_card in url");
    json("{\"url\":\"database: 4111111111111111\"}", "credit_card in url");
    gives("application/octet-stream",
          STR("\x00\xff"
              "4111111111111111"),
          "");
}

static void other_bodies(void) {
    gives("text/plain", STR("it is 4111111111111111."), "credit_card in the body");
    gives("", STR("{\"a\":1}\n{\"b\":\"4\\u0031\\u0031\\u0031111111111111\"}\n"), "credit_card in the body");
    gives("", STR("{\"a\":1"), "");
    gives("", STR("{\"a\":1}\t\r\n \n2 3\n[\n\"\\u0034111111111111111\" \n"), "credit_card in the body");
    gives("", STR("{\"a\":\"4111111111111111\",,"), "credit_card in a"); // as far as it went
    gives("", STR("{]\n4111111111111111"), "credit_card in the body");
    gives("application/x-www-form-urlencoded", STR("a=1&card=4111+1111+1111+1111"), "credit_card in the form data");
    gives("application/x-www-form-urlencoded; charset=utf-8", STR("to=ada%40example.com"), "email in the form data");
    gives("application/x-www-form-urlencoded", STR("to=ada%4"), "");
    gives("application/x-www-form-urlencoded", STR("%"), "");
}

#define PART "--b\r\nContent-Disposition: form-data; name=\"x\""
static void forms(void) {
    static const char type[] = "multipart/form-data; boundary=b";
    gives(type, STR(PART "\r\n\r\n4111111111111111\r\n--b--\r\n"), "credit_card in the form data");
    gives(type, STR(PART "\r\n\r\nhello\r\n" PART "\r\n\r\nada@example.com\r\n--b--\r\n"), "email in the form data");
    gives(type, STR(PART "\r\n\r\n{\"m\":[\"4\\u0031\\u0031\\u0031111111111111\"]}\r\n--b--\r\n"),
          "credit_card in m[0]");
    gives(type, STR(PART "; filename=\"ada@example.com.pdf\"\r\n\r\n\xff\r\n--b--\r\n"), "email in the form data");
    gives(type, STR(PART "; filename=\"x\"\r\n\r\n\xff 4111111111111111\r\n--b--\r\n"), "");
    // None that is well-formed; still looked at.
    gives(type, STR("4111111111111111"), "credit_card in the form data");
    gives(type, STR("--b"), "");
    gives(type, STR(PART "\r\n\r\n4111111111111111"), "credit_card in the form data");
}

static void nothing_is_asked_for(void) {
    struct arena a;
    struct finding f;
    struct err err;
    arena_init(&a, NULL, 0, ARENA_MAX);
    const struct finding_in in = {.body = STR("{\"a\":\"4111111111111111\"}"), .content_type = STR(""), .kinds = 0};
    REQUIRE(finding_in_body(&in, &a, &f, &err));
    CHECK(!f.found && !f.text.n);
    arena_free(&a);
}

// Deep, and with names that are long.
static void places_have_an_end(void) {
    struct buf b = BUF_INIT(ARENA_MAX);
    for (int i = 0; i < 100; i++) buf_lit(&b, "{\"a_name_of_some_length\":[");
    buf_lit(&b, "\"ada@example.com\"");
    for (int i = 0; i < 100; i++) buf_lit(&b, "]}");
    gives("application/json", buf_str(&b), "email in a long path");
    buf_free(&b);
}

// Whether memory is short or not: it is found, or said that it was not looked at.
static void short_of_memory(void) {
    static const struct str body = STR_INIT("{\"a\":[{\"b\":\"\\n4111111111111111\"}]}");
    for (uint64_t nth = 1; nth < 8; nth++) {
        struct arena a;
        struct finding f = {0};
        struct err err;
        const struct finding_in in = {.body = body, .content_type = STR(""), .kinds = PII_ALL};
        arena_init(&a, NULL, 0, ARENA_MAX);
        mem_fail_nth(nth);
        bool ok = finding_in_body(&in, &a, &f, &err);
        mem_fail_nth(0);
        CHECK(ok ? f.found : err.code == ERR_NO_MEMORY);
        arena_free(&a);
    }
}

TEST_MAIN(strings, what_is_no_text, other_bodies, forms, nothing_is_asked_for, places_have_an_end, short_of_memory)
