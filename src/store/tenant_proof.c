// Makes and checks proofs of deletion.
#include "store/tenant_proof.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/text.h"
#include "store/audit_key.h"

#define WHAT STR("penstock tenant deletion 1")

// Without white space outside of strings.
static void put_dense(struct buf *out, struct str json) {
    bool inside = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (!inside && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
        if (inside && c == '\\' && i + 1 < json.n) {
            buf_append(out, json.p + i++, 2);
            continue;
        }
        if (c == '"') inside = !inside;
        buf_putc(out, c);
    }
}

static void put_hex(struct json_writer *w, struct str name, const void *bytes, size_t n) {
    BUF_AUTO struct buf hex = BUF_INIT(4 * AUDIT_SIGNATURE_SIZE);
    hex_put(&hex, str_of(bytes, n));
    json_put_member_str(w, name, buf_str(&hex));
}

bool tenant_proof_make(struct sql *db, const struct audit_signer *signer, struct str proof, struct buf *out,
                       struct err *err) {
    struct audit_seal seal;
    struct json_writer w;
    if (!audit_signer_seal(signer, db, WHAT, proof, &seal, err)) return false;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_raw(&w, STR("proof"), proof);
    json_put_member_object(&w, STR("signature"));
    json_put_member_str(&w, STR("algorithm"), STR("Ed25519"));
    json_put_member_i64(&w, STR("key_id"), seal.key_id);
    put_hex(&w, STR("public_key"), seal.public_key, sizeof seal.public_key);
    put_hex(&w, STR("value"), seal.signature, sizeof seal.signature);
    json_put_object_end(&w);
    json_put_object_end(&w);
    return !out->failed || err_no_memory(err);
}

static bool no_proof(struct err *err) {
    return err_set(err, ERR_INVALID_FIELD, "this is no proof of a tenant's deletion");
}

static int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static bool take_hex(struct str document, struct str name, unsigned char *out, size_t n) {
    struct str raw, text;
    if (!JSON_GET(document, &raw, STR("signature"), name) || !json_string_borrow(raw, &text) || text.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = nibble(text.p[2 * i]), low = nibble(text.p[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool take_proof(struct str document, struct str *out_proof, struct err *err) {
    struct err why;
    document = str_trim(document);
    bool ok = document.n <= TENANT_PROOF_MAX && json_validate(document, 32, &why) &&
              JSON_GET(document, out_proof, STR("proof")) && json_raw_kind(*out_proof) == JSON_OBJECT;
    return ok || no_proof(err);
}

bool tenant_proof_check(struct str document, struct tenant_proof_verdict *out_verdict, struct err *err) {
    BUF_AUTO struct buf dense = BUF_INIT(TENANT_PROOF_MAX);
    unsigned char signature[AUDIT_SIGNATURE_SIZE];
    struct tenant_proof_verdict v = {0};
    struct str raw;
    if (!take_proof(document, &v.proof, err)) return false;
    if (!take_hex(document, STR("public_key"), v.key, sizeof v.key) ||
        !take_hex(document, STR("value"), signature, sizeof signature) ||
        !JSON_GET(document, &raw, STR("signature"), STR("key_id")) || !json_raw_i64(raw, &v.key_id))
        return no_proof(err);
    put_dense(&dense, v.proof);
    if (dense.failed) return err_no_memory(err);
    v.sound = audit_text_signed(WHAT, buf_str(&dense), signature, v.key);
    *out_verdict = v;
    return true;
}

bool tenant_proof_digest(struct str document, struct buf *out, struct err *err) {
    BUF_AUTO struct buf dense = BUF_INIT(TENANT_PROOF_MAX);
    struct audit_hash hash;
    struct str proof;
    if (!take_proof(document, &proof, err)) return false;
    put_dense(&dense, proof);
    if (dense.failed) return err_no_memory(err);
    audit_hash_text(WHAT, buf_str(&dense), &hash);
    hex_put(out, str_of((const char *)hash.p, sizeof hash.p));
    return !out->failed || err_no_memory(err);
}

bool tenant_proof_told(struct str after, struct str document) {
    BUF_AUTO struct buf digest = BUF_INIT(256);
    struct str raw, told;
    struct err ignored;
    return tenant_proof_digest(document, &digest, &ignored) && JSON_GET(after, &raw, STR("proof")) &&
           json_string_borrow(raw, &told) && str_eq(told, buf_str(&digest));
}
