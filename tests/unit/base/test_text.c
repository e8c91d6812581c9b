// Bytes as text: hex, base 32, base 64, and times, with the known answers of their RFCs.
#include "base/text.h"

#include "check.h"

static void check_put(void (*put)(struct buf *, struct str), struct str in, struct str want) {
    BUF_AUTO struct buf b = BUF_INIT(1 << 10);
    put(&b, in);
    CHECK_STR(buf_str(&b), want);
}

static void hex_and_base64(void) {
    check_put(hex_put,
              STR("\0\x7f\xff"
                  "a"),
              STR("007fff61"));
    check_put(hex_put, STR(""), STR(""));
    check_put(base64_put, STR(""), STR("")); // RFC 4648, section 10
    check_put(base64_put, STR("f"), STR("Zg=="));
    check_put(base64_put, STR("fo"), STR("Zm8="));
    check_put(base64_put, STR("foo"), STR("Zm9v"));
    check_put(base64_put, STR("foob"), STR("Zm9vYg=="));
    check_put(base64_put, STR("fooba"), STR("Zm9vYmE="));
    check_put(base64_put, STR("foobar"), STR("Zm9vYmFy"));
    check_put(base64_put, STR("\xfb\xff\xfe"), STR("+//+"));
    check_put(base64url_put, STR("\xfb\xff\xfe"), STR("-__-"));
    check_put(base64url_put, STR("f"), STR("Zg"));
    check_put(base64url_put, STR("fo"), STR("Zm8"));
}

static void base32(void) {
    char text[BASE32_U64_LEN];
    uint64_t values[] = {0, 1, 31, 32, 0x0123456789abcdefULL, UINT64_MAX}, back = 0;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        base32_u64(text, values[i]);
        CHECK(base32_u64_parse(str_of(text, sizeof text), &back) && back == values[i]);
    }
    base32_u64(text, 0);
    CHECK_STR(str_of(text, sizeof text), STR("0000000000000"));
    base32_u64(text, UINT64_MAX);
    CHECK_STR(str_of(text, sizeof text), STR("fzzzzzzzzzzzz"));
    back = 7;
    const char *bad[] = {"",
                         "000000000000",
                         "00000000000000",
                         "g000000000000",
                         "zzzzzzzzzzzzz",
                         "000000000000i",
                         "000000000000L",
                         "000000000000u",
                         "000000000000-",
                         "000000000000A"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) CHECK(!base32_u64_parse(str_c(bad[i]), &back));
    CHECK(!base32_u64_parse(STR("000000000000\0"), &back));
    CHECK_INT(back, 7);
}

static void check_time(int64_t ns, struct str want) {
    char text[TIME_TEXT_LEN];
    int64_t back = 1;
    time_text(text, ns);
    CHECK_STR(str_of(text, sizeof text), want);
    CHECK(time_parse(want, &back));
    CHECK_INT(back, (ns - ((ns % 1000000 + 1000000) % 1000000)));
}

#define S 1000000000LL

static void writes_times(void) {
    check_time(0, STR("1970-01-01T00:00:00.000Z"));
    check_time(-1, STR("1969-12-31T23:59:59.999Z"));
    check_time(951782400 * S, STR("2000-02-29T00:00:00.000Z"));
    check_time(1795246200 * S + 123456789, STR("2026-11-21T07:30:00.123Z"));
    check_time(4107542399 * S + 999999999, STR("2100-02-28T23:59:59.999Z"));
    check_time(-2203891200 * S, STR("1900-03-01T00:00:00.000Z"));
}

static void reads_times(void) {
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"1970-01-01", 0},
                {"1970-01-01T00:00:01Z", S},
                {"1970-01-01t00:00:01z", S},
                {"1970-01-01 00:00:01Z", S},
                {"1970-01-01T00:00:00.5Z", S / 2},
                {"1970-01-01T00:00:00.123456789Z", 123456789},
                {"1970-01-01T00:00:00.1234567891234Z", 123456789},
                {"1970-01-01T02:00:00+02:00", 0},
                {"1969-12-31T19:00:00-05:00", 0},
                {"1970-01-01T05:30:00+05:30", 0},
                {"2016-12-31T23:59:60Z", 1483228800 * S},
                {"2000-02-29", 951782400 * S}};
    int64_t ns = 0;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CHECK(time_parse(str_c(good[i].text), &ns));
        CHECK_INT(ns, good[i].ns);
    }
    ns = 7;
    const char *bad[] = {"",
                         "1970",
                         "1970-1-1",
                         "1970-01-01T",
                         "1970-01-01T00:00:00",
                         "1970-01-01T00:00Z",
                         "1970-13-01",
                         "1970-00-01",
                         "1970-01-00",
                         "1970-02-29",
                         "2100-02-29",
                         "1970-04-31",
                         "1970-01-01T24:00:00Z",
                         "1970-01-01T00:60:00Z",
                         "1970-01-01T00:00:61Z",
                         "1970-01-01T00:00:00.Z",
                         "1970-01-01T00:00:00+24:00",
                         "1970-01-01T00:00:00+0200",
                         "1970-01-01T00:00:00Zx",
                         "1970-01-01T00:00:00+02:60",
                         "1677-01-01",
                         "2262-01-01",
                         "x970-01-01",
                         "1970-01-01x",
                         "-970-01-01",
                         "1970/01/01",
                         "1970-01-01T00:00:00+02:"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) CHECK(!time_parse(str_c(bad[i]), &ns));
    CHECK_INT(ns, 7);
}

static void percent(void) {
    BUF_AUTO struct buf b = BUF_INIT(1024);
    percent_put(&b, STR("aZ09-._~ /@[`{\0\x7f\xc3\xa4%"), "/");
    CHECK_STR(buf_str(&b), STR("aZ09-._~%20/%40%5B%60%7B%00%7F%C3%A4%25"));
}

TEST_MAIN(hex_and_base64, base32, percent, writes_times, reads_times)
