// JSON web tokens signed with RSA: checked with the public key.
#include "check.h"

#include "net/jwt_sign.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

static EVP_PKEY *g_key;

static struct str pem_of(EVP_PKEY *key, char *out, size_t size) {
    BIO *bio = BIO_new(BIO_s_mem());
    REQUIRE(bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    int n = BIO_read(bio, out, (int)size);
    BIO_free(bio);
    REQUIRE(n > 0);
    return str_of(out, (size_t)n);
}

// Without padding, in the alphabet of URLs.
static size_t decode(struct str text, unsigned char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t n = 0;
    unsigned bits = 0, count = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = strchr(digits, text.p[i]);
        REQUIRE(at && *at);
        bits = bits << 6 | (unsigned)(at - digits);
        count += 6;
        if (count >= 8) out[n++] = (unsigned char)(bits >> (count -= 8));
    }
    return n;
}

static void signs(void) {
    char pem[8192];
    unsigned char bytes[1024];
    struct buf out = BUF_INIT(1 << 16);
    struct err err;
    g_key = EVP_RSA_gen(2048);
    REQUIRE(g_key);
    REQUIRE(jwt_sign_rs256(pem_of(g_key, pem, sizeof pem), STR("k1"), STR("{\"iss\":\"a\"}"), &out, &err));
    struct str token = buf_str(&out), rest = token, header, claims, signature;
    REQUIRE(str_split(&rest, '.', &header) && str_split(&rest, '.', &claims) && str_split(&rest, '.', &signature));
    CHECK(rest.p == NULL);
    CHECK_STR(str_of((char *)bytes, decode(header, bytes)), STR("{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"));
    CHECK_STR(str_of((char *)bytes, decode(claims, bytes)), STR("{\"iss\":\"a\"}"));
    size_t n = decode(signature, bytes), text = header.n + 1 + claims.n;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    REQUIRE(ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, g_key) == 1);
    CHECK_INT(EVP_DigestVerify(ctx, bytes, n, (const unsigned char *)token.p, text), 1);
    bytes[0] ^= 1;
    CHECK(EVP_DigestVerify(ctx, bytes, n, (const unsigned char *)token.p, text) != 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(g_key);
    buf_free(&out);
}

static void refuses_what_is_no_rsa_key(void) {
    char pem[8192];
    struct buf out = BUF_INIT(1 << 16);
    struct err err;
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    REQUIRE(curve);
    struct str keys[] = {STR(""), STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), STR("x"),
                         pem_of(curve, pem, sizeof pem)};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        CHECK(!jwt_sign_rs256(keys[i], STR(""), STR("{}"), &out, &err));
        CHECK_INT(err.code, ERR_CONFIG_INVALID);
        CHECK_INT(out.n, 0);
    }
    EVP_PKEY_free(curve);
    buf_free(&out);
}

TEST_MAIN(signs, refuses_what_is_no_rsa_key)
