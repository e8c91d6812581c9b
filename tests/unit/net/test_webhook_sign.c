// Signatures of webhook deliveries: the example of the specification, plain secrets, and secrets that are no base64.
#include "net/webhook_sign.h"

#include "check.h"

static void signs(const char *secret, const char *want) {
    struct buf out = BUF_INIT(256);
    struct err err;
    CHECK(webhook_sign(str_c(secret), STR("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330, STR("{\"test\": 2432232314}"),
                       &out, &err));
    CHECK_STR(buf_str(&out), str_c(want));
    buf_free(&out);
}

static void refuses(const char *secret) {
    struct buf out = BUF_INIT(256);
    struct err err;
    CHECK(!webhook_sign(str_c(secret), STR("id"), 1, STR("{}"), &out, &err));
    CHECK_INT(err.code, ERR_CONFIG_INVALID);
    CHECK_INT(out.n, 0);
    struct str told = str_from(str_c(secret), 6);
    CHECK(!told.n || str_find(str_c(err.message), told) == strlen(err.message));
    buf_free(&out);
}

// The values are those of the reference libraries' own tests.
static void test_specified(void) {
    signs("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

// HMAC-SHA-256 of the same content under the bytes "plain", and under "x" from padded base64.
static void test_secrets(void) {
    signs("plain", "v1,tgOMx2V+ymftc5zrV4Kwy5UOWZAx1XMh0yu4Sm/6/r0=");
    signs("whsec_eA==", "v1,Qs87/2TtT3dBZBDJE56tFymiPdefBYtvg4D+Xlx+Xd4=");
    signs("x", "v1,Qs87/2TtT3dBZBDJE56tFymiPdefBYtvg4D+Xlx+Xd4=");
}

static void test_not_base64(void) {
    static const char *const bad[] = {"whsec_", "whsec_Q", "whsec_!!!!", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuses(bad[i]);
}

TEST_MAIN(test_specified, test_secrets, test_not_base64)
