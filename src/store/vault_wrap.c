// Bytes wrapped and unwrapped by a key of Vault's transit engine, which never leaves Vault.
#include "base/json_write.h"
#include "store/vault_internal.h"

#include <sodium.h>

#define BODY_MAX ((size_t)65536)
#define VARIANT sodium_base64_VARIANT_ORIGINAL

static bool put_request(bool wrap, struct str bytes, struct buf *body, struct err *err) {
    struct json_writer w;
    struct secret base64 = {0};
    if (bytes.n > BODY_MAX / 2) return err_set(err, ERR_STORE, "too long to be a wrapped key");
    if (wrap) {
        base64.n = sodium_base64_encoded_len(bytes.n, VARIANT);
        base64.p = mem_alloc(base64.n);
        if (!base64.p) return err_no_memory(err);
        sodium_bin2base64(base64.p, base64.n, (const unsigned char *)bytes.p, bytes.n, VARIANT);
    }
    // Room at once, so that growing leaves no copy behind.
    bool ok = buf_reserve(body, BODY_MAX / 2 + bytes.n * 2);
    json_writer_init(&w, body);
    json_put_object(&w);
    json_put_member_str(&w, wrap ? STR("plaintext") : STR("ciphertext"), wrap ? str_c(base64.p) : bytes);
    json_put_object_end(&w);
    secret_free(&base64);
    return (ok && !body->failed) || err_no_memory(err);
}

// {"data": {"ciphertext": "vault:v1:…"}}, or {"data": {"plaintext": "base64"}}.
bool vault_wrap_parse(struct str path, bool wrap, struct str body, struct buf *out, struct err *err) {
    struct json_field top = {.name = STR_INIT("data"), .kinds = JSON_IS(JSON_OBJECT), .required = true};
    struct json_field f = {.kinds = JSON_IS(JSON_STRING), .required = true};
    struct err odd;
    size_t before = out->n, n = 0;
    const char *end = NULL;
    f.name = wrap ? STR("ciphertext") : STR("plaintext");
    if (!json_scan(body, &top, 1, &odd) || !json_scan(top.raw, &f, 1, &odd))
        return vault_answer_odd(path, odd.message, err);
    if (!buf_reserve(out, f.raw.n + 1) || !json_string_decode(f.raw, out)) {
        out->failed = false;
        out->n = before;
        return vault_answer_odd(path, "it is too long", err);
    }
    struct str text = str_of(out->p + before, out->n - before);
    if (wrap) {
        if (str_starts(text, STR("vault:"))) return true;
        out->n = before;
        return vault_answer_odd(path, "it is no ciphertext", err);
    }
    // In place: what comes out is never ahead of what goes in.
    bool ok =
        sodium_base642bin((unsigned char *)out->p + before, text.n, text.p, text.n, NULL, &n, &end, VARIANT) == 0 &&
        end == text.p + text.n;
    if (ok && n < text.n) secret_wipe(out->p + before + n, text.n - n);
    if (!ok) secret_wipe(out->p + before, text.n);
    out->n = before + (ok ? n : 0);
    return ok || vault_answer_odd(path, "the plaintext is not base64", err);
}

bool vault_transit_wrap(struct vault_session *s, struct str mount, struct str key, bool wrap, struct str bytes,
                        struct buf *out, struct err *err) {
    struct buf path BUF_AUTO = BUF_INIT(4096), body = BUF_INIT(BODY_MAX * 4);
    while (mount.n && mount.p[mount.n - 1] == '/') mount.n--;
    const char *fault = vault_path_fault(mount);
    if (!fault) fault = str_find_char(key, '/') < key.n ? "a key's name has no slash" : vault_path_fault(key);
    if (fault) return err_set(err, ERR_CONFIG_INVALID, "the transit key's mount or name: %s", fault);
    vault_path_put(&path, mount);
    buf_put(&path, wrap ? STR("/encrypt/") : STR("/decrypt/"));
    vault_path_put(&path, key);
    struct vault_answer answer;
    bool ok = !path.failed || err_no_memory(err);
    ok = ok && put_request(wrap, bytes, &body, err) &&
         vault_ask(s, "POST", buf_str(&path), buf_str(&body), &answer, err);
    if (ok) {
        ok = vault_answer_ok(&answer) ? vault_wrap_parse(buf_str(&path), wrap, buf_str(&answer.body), out, err)
                                      : vault_refused(s, &answer, buf_str(&path), err);
        vault_answer_free(&answer);
    }
    secret_wipe(body.p, body.n);
    buf_free(&body);
    return ok;
}
