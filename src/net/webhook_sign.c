// Signs a webhook's delivery with HMAC-SHA-256.
#include "net/webhook_sign.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define PREFIX STR("whsec_")
#define KEY_MAX 4096

// The key's bytes into *out, which is wiped by its owner.
static bool key_bytes(struct str secret, struct buf *out, struct err *err) {
    if (!str_starts(secret, PREFIX)) {
        buf_put(out, secret);
        return !out->failed || err_set(err, ERR_CONFIG_INVALID, "the webhook's secret is too long");
    }
    struct str text = str_from(secret, PREFIX.n);
    size_t padding = 0;
    while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=') padding++;
    if (!text.n || text.n % 4 || text.n > KEY_MAX || !buf_reserve(out, text.n))
        return err_set(err, ERR_CONFIG_INVALID, "the webhook's secret has no base64 after \"whsec_\"");
    int n = EVP_DecodeBlock((unsigned char *)out->p, (const unsigned char *)text.p, (int)text.n);
    if (n < (int)padding)
        return err_set(err, ERR_CONFIG_INVALID, "the webhook's secret has no base64 after \"whsec_\"");
    out->n = (size_t)n - padding;
    return true;
}

static void wiped_free(struct buf *b) {
    secret_wipe(b->p, b->p ? b->cap : 0);
    buf_free(b);
}

bool webhook_sign(struct str secret, struct str id, int64_t unix_seconds, struct str body, struct buf *out,
                  struct err *err) {
    struct buf key = BUF_INIT(KEY_MAX + 1), content = BUF_INIT(SIZE_MAX);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_n = 0;
    if (!key_bytes(secret, &key, err)) {
        wiped_free(&key);
        return false;
    }
    buf_put(&content, id);
    buf_printf(&content, ".%lld.", (long long)unix_seconds);
    buf_put(&content, body);
    bool ok = !content.failed && HMAC(EVP_sha256(), key.p ? key.p : "", (int)key.n, (const unsigned char *)content.p,
                                      content.n, mac, &mac_n) != NULL;
    if (ok) {
        buf_lit(out, "v1,");
        base64_put(out, str_of((const char *)mac, mac_n));
    }
    wiped_free(&key);
    buf_free(&content);
    return (ok && !out->failed) || err_no_memory(err);
}
