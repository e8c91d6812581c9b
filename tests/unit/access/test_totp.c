// Tests of access/totp.h: the vectors of RFC 6238, the window, codes used once, what apps scan, recovery codes.
#include "check.h"

#include "access/totp.h"

static const struct str k_rfc = STR_INIT("12345678901234567890");

static void test_rfc6238(void) {
    // Appendix B, SHA-1; its eight digits, of which ours are the last six.
    static const struct {
        int64_t at;
        uint32_t code;
    } k[] = {{59, 94287082},         {1111111109, 7081804},  {1111111111, 14050471},
             {1234567890, 89005924}, {2000000000, 69279037}, {20000000000, 65353130}};
    for (size_t i = 0; i < ARRAY_LEN(k); i++) CHECK_INT(totp_code(k_rfc, k[i].at / 30), k[i].code % 1000000);
}

static void test_rfc4226(void) {
    // Appendix D.
    static const uint32_t k[] = {755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489};
    for (size_t i = 0; i < ARRAY_LEN(k); i++) CHECK_INT(totp_code(k_rfc, (int64_t)i), k[i]);
}

static bool passes(int64_t code_step, int64_t now_step, int64_t last, int64_t *out_step) {
    char text[16];
    snprintf(text, sizeof text, "%06u", totp_code(k_rfc, code_step));
    return totp_check(k_rfc, str_c(text), now_step * TOTP_STEP_NS + 5, last, out_step);
}

static void test_window(void) {
    int64_t step = 0, now = 56666667;
    for (int64_t d = -3; d <= 3; d++) {
        bool near = d >= -1 && d <= 1;
        CHECK(passes(now + d, now, 0, &step) == near);
        if (near) CHECK_INT(step, now + d);
    }
    // Once each, and none from before the last one.
    CHECK(passes(now, now, now - 1, &step));
    CHECK(!passes(now, now, now, &step));
    CHECK(!passes(now - 1, now, now, &step));
    CHECK(passes(now + 1, now, now, &step));
}

static void test_bad_codes(void) {
    int64_t step, now = 56666667 * TOTP_STEP_NS;
    static const char *const k[] = {"", "1", "12345", "1234567", "abcdef", "      ", "-12345", "00000\0"};
    for (size_t i = 0; i < ARRAY_LEN(k); i++) CHECK(!totp_check(k_rfc, str_c(k[i]), now, 0, &step));
    CHECK(!totp_check(k_rfc, STR_NONE, now, 0, &step));
    CHECK(!totp_check(k_rfc, STR("755224"), 0, 0, &step)); // a clock at its beginning
    CHECK(!totp_check(k_rfc, STR("755224"), INT64_MIN, 0, &step));
}

static void test_uri(void) {
    struct buf out = BUF_INIT(1000);
    totp_uri_put(&out, k_rfc.p, STR("Acme & Söhne"), STR("ada@example.com"));
    CHECK_STR(buf_str(&out), STR("otpauth://totp/Acme%20%26%20S%C3%B6hne:ada%40example.com"
                                 "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20%26%20S%C3%B6hne"
                                 "&algorithm=SHA1&digits=6&period=30"));
    buf_free(&out);
    char a[TOTP_SECRET_SIZE], b[TOTP_SECRET_SIZE];
    totp_secret_make(a);
    totp_secret_make(b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

static void test_recovery(void) {
    struct secret one = {0}, two = {0};
    char code[RECOVERY_CODE_LEN], other[RECOVERY_CODE_LEN], a[RECOVERY_HASH_SIZE], b[RECOVERY_HASH_SIZE];
    REQUIRE(secret_set(&one, STR("01234567890123456789012345678901")));
    REQUIRE(secret_set(&two, STR("11234567890123456789012345678901")));
    recovery_make(code);
    recovery_make(other);
    CHECK(memcmp(code, other, sizeof code) != 0);
    CHECK(code[4] == '-' && code[9] == '-' && code[14] == '-');
    CHECK(recovery_hash(&one, str_of(code, sizeof code), a));
    // However it is typed.
    char typed[64];
    size_t n = 0;
    for (size_t i = 0; i < sizeof code; i++) {
        if (code[i] == '-') continue;
        typed[n++] = code[i] >= 'a' && code[i] <= 'z' ? (char)(code[i] - 32) : code[i];
        if (i % 3 == 0) typed[n++] = ' ';
    }
    CHECK(recovery_hash(&one, str_of(typed, n), b) && !memcmp(a, b, sizeof a));
    CHECK(recovery_hash(&two, str_of(code, sizeof code), b) && memcmp(a, b, sizeof a) != 0);
    CHECK(recovery_hash(&one, str_of(other, sizeof other), b) && memcmp(a, b, sizeof a) != 0);
    CHECK(!recovery_hash(&one, STR(""), b) && !recovery_hash(&one, STR("123456"), b));
    CHECK(!recovery_hash(&one, STR("0123-4567-89ab-cdef-0"), b));
    CHECK(!recovery_hash(&one, STR("0123-4567-89ab-cdeu"), b)); // no u there
    CHECK(!recovery_hash(&one, STR("0123-4567-89ab-cde\0"), b));
    secret_free(&one);
    secret_free(&two);
}

TEST_MAIN(test_rfc6238, test_rfc4226, test_window, test_bad_codes, test_uri, test_recovery)
