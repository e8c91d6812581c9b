// Ciphertexts in references: Vault's transit engine decrypts them.
#include "base/json_write.h"
#include "store/vault_internal.h"

#include <sodium.h>

bool vault_is_transit(struct str path, struct str key) {
    struct str mark = STR("/decrypt/");
    size_t at = str_find(path, mark);
    return at && at < path.n && str_find_char(str_from(path, at + mark.n), '/') == path.n - at - mark.n &&
           str_starts(key, STR("vault:v"));
}

static bool doc_set(struct str path, struct str ciphertext, struct str base64, struct vault_doc *doc, struct err *err) {
    struct secret plain = {.p = mem_alloc(base64.n + 1), .n = base64.n + 1}; // longer than what comes out
    struct buf name BUF_AUTO = BUF_INIT(VAULT_NAME_MAX + 1);
    size_t n = 0;
    const char *end = NULL;
    if (!plain.p) return err_no_memory(err);
    if (sodium_base642bin((unsigned char *)plain.p, plain.n, base64.p, base64.n, NULL, &n, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != base64.p + base64.n) {
        secret_free(&plain);
        return vault_answer_odd(path, "the plaintext is not base64", err);
    }
    buf_put(&name, path);
    buf_putc(&name, '#');
    buf_put(&name, ciphertext);
    char *copy = name.failed ? NULL : mem_strdup(buf_str(&name));
    struct vault_doc fresh = {.path = copy, .transit = true};
    bool ok = copy && secret_set(&fresh.data, str_of(plain.p, n));
    secret_free(&plain);
    if (!ok) {
        vault_doc_free(&fresh);
        return err_no_memory(err);
    }
    vault_doc_free(doc);
    *doc = fresh;
    return true;
}

// {"data": {"plaintext": "base64"}}
bool vault_plaintext_parse(struct str path, struct str ciphertext, struct str body, struct vault_doc *doc,
                           struct err *err) {
    struct json_field top = {.name = STR_INIT("data"), .kinds = JSON_IS(JSON_OBJECT), .required = true};
    struct json_field f = {.name = STR_INIT("plaintext"), .kinds = JSON_IS(JSON_STRING), .required = true};
    struct err odd;
    if (!json_scan(body, &top, 1, &odd) || !json_scan(top.raw, &f, 1, &odd))
        return vault_answer_odd(path, odd.message, err);
    struct buf base64 = BUF_INIT(VAULT_ANSWER_MAX);
    bool ok = buf_reserve(&base64, f.raw.n) && json_string_decode(f.raw, &base64);
    ok = ok ? doc_set(path, ciphertext, buf_str(&base64), doc, err) : err_no_memory(err);
    secret_wipe(base64.p, base64.n);
    buf_free(&base64);
    return ok;
}

bool vault_transit_read(struct vault_session *s, struct str path, struct str ciphertext, struct vault_doc *doc,
                        struct err *err) {
    struct buf asked BUF_AUTO = BUF_INIT(4096);
    struct buf body BUF_AUTO = BUF_INIT(VAULT_NAME_MAX * 2);
    struct json_writer w;
    json_writer_init(&w, &body);
    json_put_object(&w);
    json_put_member_str(&w, STR("ciphertext"), ciphertext);
    json_put_object_end(&w);
    vault_path_put(&asked, path);
    if (asked.failed || body.failed) return err_no_memory(err);
    struct vault_answer answer;
    if (!vault_ask(s, "POST", buf_str(&asked), buf_str(&body), &answer, err)) return false;
    bool ok = vault_answer_ok(&answer) ? vault_plaintext_parse(path, ciphertext, buf_str(&answer.body), doc, err)
                                       : vault_refused(s, &answer, buf_str(&asked), err);
    vault_answer_free(&answer);
    return ok;
}
