// Fuzzes access/token.h: no text makes it fail, and none that was not signed passes.
#include "access/token.h"
#include "base/mem.h"
#include "base/text.h"

#include <sodium.h>

// The key is fixed, so that found inputs stay what they are.
static void sign(const unsigned char *secret, const uint8_t *data, size_t n, struct buf *out) {
    unsigned char signature[crypto_sign_ed25519_BYTES];
    size_t cut = n;
    for (size_t i = 0; i < n && cut == n; i++)
        if (data[i] == '.') cut = i;
    buf_lit(out, TOKEN_PREFIX);
    base64url_put(out, str_of((const char *)data, cut));
    buf_putc(out, '.');
    if (cut < n) base64url_put(out, str_of((const char *)data + cut + 1, n - cut - 1));
    crypto_sign_ed25519_detached(signature, NULL, (unsigned char *)out->p + strlen(TOKEN_PREFIX),
                                 out->n - strlen(TOKEN_PREFIX), secret);
    buf_putc(out, '.');
    base64url_put(out, str_of((char *)signature, sizeof signature));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const unsigned char seed[crypto_sign_ed25519_SEEDBYTES] = {1};
    unsigned char secret[crypto_sign_ed25519_SECRETKEYBYTES], public_key[TOKEN_PUBLIC_SIZE];
    struct token_claims claims;
    struct err err;
    static struct token_keys *keys;
    crypto_sign_ed25519_seed_keypair(public_key, secret, seed);
    if (!keys)
        keys = token_keys_of((const char *)public_key, STR("0123456789012345678901234567890123456789012"), INT64_MAX);
    const int64_t now = INT64_C(1700000000000000000);
    // As it comes: nothing passes.
    INVARIANT(!token_check(keys, str_of((const char *)data, n), now, &claims, &err));
    // Signed: header and claims, with a point between, are looked at.
    struct buf text = BUF_INIT(1 << 20);
    if (n < 100000) {
        sign(secret, data, n, &text);
        if (token_check(keys, buf_str(&text), now, &claims, &err))
            INVARIANT(claims.tenant > 0 && claims.home > 0 && claims.principal.id > 0 && claims.expires_at > now);
    }
    buf_free(&text);
    return 0;
}
