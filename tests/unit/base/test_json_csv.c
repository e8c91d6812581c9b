// Tests of base/json_csv.h: each kind of value, texts that need quoting, what is no object.
#include "check.h"

#include "base/json_csv.h"

static void check_row(struct str json, struct str want) {
    BUF_AUTO struct buf out = BUF_INIT(4096);
    CHECK(json_csv_row(&out, json));
    CHECK_STR(buf_str(&out), want);
}

static void test_values(void) {
    check_row(STR("{}"), STR("\r\n"));
    check_row(STR("{\"a\":1,\"b\":-0.5,\"c\":null,\"d\":true,\"e\":\"x\"}"), STR("1,-0.5,,true,x\r\n"));
    check_row(STR("{\"a\":\"\",\"b\":\"say \\\"hi\\\", \\u00e9\\n\"}"), STR(",\"say \"\"hi\"\", \xc3\xa9\n\"\r\n"));
    check_row(STR("{\"a\": {\"env\": \"prod\"}, \"b\": [1, 2]}"),
              STR("\"{\"\"env\"\": \"\"prod\"\"}\",\"[1, 2]\"\r\n"));
    // What a spreadsheet would work out.
    check_row(STR("{\"a\":\"=1+1\",\"b\":\"+1\",\"c\":\"-1\",\"d\":\"@x\",\"e\":\"\\t=1\",\"f\":\"1=\",\"g\":-1}"),
              STR("\"'=1+1\",\"'+1\",\"'-1\",\"'@x\",\"'\t=1\",1=,-1\r\n"));
}

static void test_names(void) {
    BUF_AUTO struct buf out = BUF_INIT(4096);
    CHECK(json_csv_names(&out, STR("{\"day\":\"x\",\"co\\\"st\":[{}]}")));
    CHECK_STR(buf_str(&out), STR("day,\"co\"\"st\"\r\n"));
}

static void test_wrong(void) {
    static const struct str cases[] = {STR_INIT(""),       STR_INIT("[]"),          STR_INIT("1"),
                                       STR_INIT("{\"a\""), STR_INIT("{\"a\":1} x"), STR_INIT("{\"a\":tru}")};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUF_AUTO struct buf out = BUF_INIT(4096);
        CHECK(!json_csv_row(&out, cases[i]));
    }
}

TEST_MAIN(test_values, test_names, test_wrong)
