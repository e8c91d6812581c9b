// AES-256-GCM by OpenSSL's libcrypto.
#include "store/aead.h"

#include "base/secret.h"

#include <limits.h>
#include <openssl/evp.h>

static const unsigned char *bytes_of(struct str s) { return (const unsigned char *)(s.n ? s.p : ""); }

static bool reserve(struct buf *out, size_t n, struct err *err) {
    bool failed = out->failed;
    if (buf_reserve(out, n)) return true;
    out->failed = failed;
    return err_no_memory(err);
}

static bool fits(struct str associated, struct str text) { return associated.n < INT_MAX / 2 && text.n < INT_MAX / 2; }

// The context holds the key's schedule; freeing it wipes that.
static EVP_CIPHER_CTX *context_new(bool seal, const unsigned char *key, const unsigned char *nonce,
                                   struct str associated) {
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;
    bool ok = c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, seal) == 1 &&
              (!associated.n || EVP_CipherUpdate(c, NULL, &n, bytes_of(associated), (int)associated.n) == 1);
    if (ok) return c;
    EVP_CIPHER_CTX_free(c);
    return NULL;
}

bool aead_seal(const unsigned char key[AEAD_KEY_SIZE], const unsigned char nonce[AEAD_NONCE_SIZE],
               struct str associated, struct str text, struct buf *out, struct err *err) {
    int n = 0, last = 0;
    if (!fits(associated, text)) return err_no_memory(err);
    if (!reserve(out, text.n + AEAD_TAG_SIZE, err)) return false;
    EVP_CIPHER_CTX *c = context_new(true, key, nonce, associated);
    unsigned char *p = (unsigned char *)out->p + out->n;
    bool ok = c && (!text.n || EVP_EncryptUpdate(c, p, &n, bytes_of(text), (int)text.n) == 1) &&
              EVP_EncryptFinal_ex(c, p + n, &last) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, p + text.n) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!ok) return err_no_memory(err); // nothing else can fail here
    out->n += text.n + AEAD_TAG_SIZE;
    return true;
}

bool aead_open(const unsigned char key[AEAD_KEY_SIZE], const unsigned char nonce[AEAD_NONCE_SIZE],
               struct str associated, struct str sealed, struct buf *out, struct err *err) {
    int n = 0, last = 0;
    unsigned char tag[AEAD_TAG_SIZE];
    if (sealed.n < AEAD_TAG_SIZE) return err_set(err, ERR_STORE, "the sealed text is too short");
    struct str text = str_head(sealed, sealed.n - AEAD_TAG_SIZE);
    if (!fits(associated, text)) return err_no_memory(err);
    // A byte more, so that there is an address to write to when the text is empty.
    if (!reserve(out, text.n + 1, err)) return false;
    EVP_CIPHER_CTX *c = context_new(false, key, nonce, associated);
    if (!c) return err_no_memory(err);
    unsigned char *p = (unsigned char *)out->p + out->n;
    memcpy(tag, sealed.p + text.n, sizeof tag);
    bool ok = (!text.n || EVP_DecryptUpdate(c, p, &n, bytes_of(text), (int)text.n) == 1) &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, tag) == 1 &&
              EVP_DecryptFinal_ex(c, p + n, &last) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!ok) {
        // What did not pass the tag is nobody's to see.
        secret_wipe(p, text.n);
        return err_set(err, ERR_STORE, "the sealed text does not open");
    }
    out->n += text.n;
    return true;
}
