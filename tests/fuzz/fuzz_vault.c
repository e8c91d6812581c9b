// Fuzzes what Vault answers to reads and decryptions: any bytes give a document or an error, and its values can be
// read.
#include "base/mem.h"
#include "store/vault_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_doc(struct vault_doc *doc) {
    static const struct str keys[] = {STR_INIT(""), STR_INIT("k"), STR_INIT("data")};
    INVARIANT(doc->path && doc->data.p);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct buf out BUF_AUTO = BUF_INIT(VAULT_ANSWER_MAX);
        struct err err;
        if (vault_doc_value(doc, keys[i], &out, &err)) INVARIANT(out.n <= doc->data.n && !out.failed);
    }
    vault_doc_free(doc);
}

// The first byte says which answer the rest is.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > VAULT_ANSWER_MAX) return 0;
    struct str body = str_of((const char *)data + 1, size - 1);
    const uint64_t skew_ns = 0;
    struct vault_session session = {.skew_ns = &skew_ns};
    struct vault_doc doc = {0};
    struct err err;
    if (data[0] >= 0xf0) {
        BUF_AUTO struct buf out = BUF_INIT(VAULT_ANSWER_MAX);
        if (!vault_wrap_parse(STR("transit/x"), data[0] % 2, body, &out, &err)) INVARIANT(out.n == 0 && err.message[0]);
        return 0;
    }
    bool ok = data[0] % 3 == 2 ? vault_plaintext_parse(STR("transit/decrypt/app"), STR("vault:v1:x"), body, &doc, &err)
                               : vault_doc_parse(&session, STR("secret/app"), data[0] % 3 == 1, body, &doc, &err);
    if (ok)
        check_doc(&doc);
    else
        INVARIANT(!doc.path && err.message[0]);
    return 0;
}
