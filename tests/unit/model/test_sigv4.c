// AWS Signature Version 4, against cases of AWS' published test suite and signatures made by its client library.
#include "check.h"

#include "model/sigv4.h"

#include <stdlib.h>

#define NOON 1440938160 // 2015-08-30T12:36:00Z

static const struct sigv4_key k_key = {STR_INIT("AKIDEXAMPLE"), STR_INIT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                                       STR_INIT("")};

static void expect(struct sigv4_request r, const struct sigv4_key *key, const char *names, const char *signature) {
    BUF_AUTO struct buf got = BUF_INIT(4096), want = BUF_INIT(4096);
    char date[SIGV4_DATE_LEN];
    struct err err;
    r.now = NOON;
    if (!r.region.n) r.region = STR("us-east-1");
    if (!r.service.n) r.service = STR("service");
    REQUIRE(sigv4_sign(&r, key, date, &got, &err));
    CHECK_STR(str_of(date, sizeof date), STR("20150830T123600Z"));
    buf_printf(
        &want,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/%.*s/%.*s/aws4_request, SignedHeaders=%s, Signature=%s",
        STR_ARG(r.region), STR_ARG(r.service), names, signature);
    CHECK_STR(buf_str(&got), buf_str(&want));
}

static const struct sigv4_field k_host[] = {{STR_INIT("Host"), STR_INIT("example.amazonaws.com")}};
#define GET(...)                                                                                                       \
    (struct sigv4_request) { .method = STR("GET"), .fields = k_host, .field_count = 1, __VA_ARGS__ }

static void published_cases(void) {
    // get-vanilla
    expect(GET(.path = STR("/")), &k_key, "host;x-amz-date",
           "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    // get-vanilla-query-order-key-case
    expect(GET(.path = STR("/"), .query = STR("Param2=value2&Param1=value1")), &k_key, "host;x-amz-date",
           "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    // get-utf8
    expect(GET(.path = STR("/\xe1\x88\xb4")), &k_key, "host;x-amz-date",
           "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
    // get-unreserved
    expect(GET(.path = STR("/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")), &k_key,
           "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f");
    // post-vanilla
    expect((struct sigv4_request){.method = STR("POST"), .path = STR("/"), .fields = k_host, .field_count = 1}, &k_key,
           "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

static void a_body_in_pieces(void) {
    // post-x-www-form-urlencoded
    static const struct sigv4_field fields[] = {
        {STR_INIT("Content-Type"), STR_INIT("application/x-www-form-urlencoded")},
        {STR_INIT("Host"), STR_INIT("example.amazonaws.com")}};
    static const struct str body[] = {STR_INIT("Param1="), STR_INIT(""), STR_INIT("value1")};
    expect(
        (struct sigv4_request){
            .method = STR("POST"), .path = STR("/"), .fields = fields, .field_count = 2, .body = body, .body_count = 3},
        &k_key, "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

static void fields_are_sorted_joined_and_trimmed(void) {
    // get-header-value-trim, get-header-key-duplicate
    static const struct sigv4_field trimmed[] = {{STR_INIT("My-Header1"), STR_INIT(" value1")},
                                                 {STR_INIT("Host"), STR_INIT("example.amazonaws.com")},
                                                 {STR_INIT("My-Header2"), STR_INIT(" \"a   b   c\"")}};
    expect((struct sigv4_request){.method = STR("GET"), .path = STR("/"), .fields = trimmed, .field_count = 3}, &k_key,
           "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
    static const struct sigv4_field twice[] = {{STR_INIT("Host"), STR_INIT("example.amazonaws.com")},
                                               {STR_INIT("My-Header1"), STR_INIT("value2")},
                                               {STR_INIT("my-header1"), STR_INIT("value2")},
                                               {STR_INIT("My-Header1"), STR_INIT("value1")}};
    expect((struct sigv4_request){.method = STR("GET"), .path = STR("/"), .fields = twice, .field_count = 4}, &k_key,
           "host;my-header1;x-amz-date", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
}

// The model's id is encoded in the path, and once more for the signature.
static void bedrock_as_its_client_signs_it(void) {
    static const struct sigv4_field fields[] = {
        {STR_INIT("content-type"), STR_INIT("application/json")},
        {STR_INIT("host"), STR_INIT("bedrock-runtime.eu-central-1.amazonaws.com")}};
    static const struct str body[] = {STR_INIT("{\"messages\":"), STR_INIT("[]}")};
    struct sigv4_key key = k_key;
    struct sigv4_request r = {.method = STR("POST"),
                              .path = STR("/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse"),
                              .fields = fields,
                              .field_count = 2,
                              .body = body,
                              .body_count = 2,
                              .region = STR("eu-central-1"),
                              .service = STR("bedrock")};
    expect(r, &key, "content-type;host;x-amz-date", "fa62c758f70ebb113a4ffc1cdeb6900bb89988a465e6c70e27f1a9ded7004b3a");
    r.path = STR("/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Feu.x/converse-stream");
    key.session_token = STR("AQoDYXdzEPT//////////wEXAMPLE==");
    expect(r, &key, "content-type;host;x-amz-date;x-amz-security-token",
           "f5b971c7977928e25099e06c9749ffdb5ee70e82f164113e9b0ff791823899ee");
}

static void too_much_is_refused(void) {
    struct sigv4_field fields[SIGV4_FIELDS_MAX + 1];
    char query[512] = "";
    for (size_t i = 0; i < sizeof query - 4; i += 4) memcpy(query + i, "a=1&", 4);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) fields[i] = k_host[0];
    BUF_AUTO struct buf got = BUF_INIT(4096), small = BUF_INIT(20);
    char date[SIGV4_DATE_LEN];
    struct err err;
    struct sigv4_request r = GET(.path = STR("/"), .region = STR("r"), .service = STR("s"));
    CHECK(!sigv4_sign(&r, &k_key, date, &small, &err));
    r.query = str_c(query);
    CHECK(!sigv4_sign(&r, &k_key, date, &got, &err));
    r = (struct sigv4_request){.method = STR("GET"), .fields = fields, .field_count = ARRAY_LEN(fields)};
    CHECK(!sigv4_sign(&r, &k_key, date, &got, &err));
    CHECK_INT(err.code, ERR_INTERNAL);
}

TEST_MAIN(published_cases, a_body_in_pieces, fields_are_sorted_joined_and_trimmed, bedrock_as_its_client_signs_it,
          too_much_is_refused)
