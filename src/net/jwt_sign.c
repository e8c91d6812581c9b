// Signs JSON web tokens with RSA.
#include "net/jwt_sign.h"

#include "base/json_write.h"
#include "base/mem.h"
#include "base/text.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define SIGNATURE_MAX 2048 // a key of 16384 bits

static EVP_PKEY *read_key(struct str pem) {
    if (pem.n > INT32_MAX) return NULL;
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!bio) return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "");
    BIO_free(bio);
    ERR_clear_error();
    if (key && EVP_PKEY_base_id(key) == EVP_PKEY_RSA) return key;
    EVP_PKEY_free(key);
    return NULL;
}

static bool sign(EVP_PKEY *key, struct str text, unsigned char out[SIGNATURE_MAX], size_t *out_n) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    *out_n = SIGNATURE_MAX;
    bool ok = ctx && EVP_PKEY_size(key) <= SIGNATURE_MAX &&
              EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(ctx, out, out_n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static void put_header(struct str key_id, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("alg"), STR("RS256"));
    json_put_member_str(&w, STR("typ"), STR("JWT"));
    if (key_id.n) json_put_member_str(&w, STR("kid"), key_id);
    json_put_object_end(&w);
}

bool jwt_sign_rs256(struct str pem, struct str key_id, struct str claims, struct buf *out, struct err *err) {
    unsigned char signature[SIGNATURE_MAX];
    size_t n = 0;
    EVP_PKEY *key = read_key(pem);
    if (!key) return err_set(err, ERR_CONFIG_INVALID, "the private key is no RSA key in PEM");
    struct buf header = BUF_INIT(4096), text = BUF_INIT((size_t)1 << 16);
    put_header(key_id, &header);
    base64url_put(&text, buf_str(&header));
    buf_putc(&text, '.');
    base64url_put(&text, claims);
    bool ok = !header.failed && !text.failed && sign(key, buf_str(&text), signature, &n);
    if (ok) {
        buf_put(out, buf_str(&text));
        buf_putc(out, '.');
        base64url_put(out, str_of((const char *)signature, n));
    }
    EVP_PKEY_free(key);
    buf_free(&header);
    buf_free(&text);
    return (ok && !out->failed) || err_no_memory(err);
}
