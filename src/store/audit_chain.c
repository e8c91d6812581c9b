// Hashes audit events and signs heads in their canonical form.
#include "store/audit_chain.h"

#include <sodium.h>

static_assert(AUDIT_KEY_SIZE == crypto_sign_PUBLICKEYBYTES && AUDIT_SIGNATURE_SIZE == crypto_sign_BYTES &&
                  AUDIT_SECRET_SIZE == crypto_sign_SECRETKEYBYTES,
              "Ed25519 as libsodium has it");

static void put_number(crypto_generichash_state *state, int64_t v) {
    unsigned char bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)((uint64_t)v >> (8 * i));
    crypto_generichash_update(state, bytes, sizeof bytes);
}

static void put_text(crypto_generichash_state *state, struct str text) {
    put_number(state, (int64_t)text.n);
    if (text.n) crypto_generichash_update(state, (const unsigned char *)text.p, text.n);
}

void audit_hash_event(int64_t tenant, const struct audit_hash *previous, const struct audit_event *event,
                      struct audit_hash *out_hash) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out_hash->p);
    put_text(&state, STR("penstock audit event 1"));
    crypto_generichash_update(&state, previous->p, sizeof previous->p);
    put_number(&state, tenant);
    put_number(&state, event->seq);
    put_number(&state, event->at);
    put_number(&state, (int64_t)event->outcome);
#define PUT(field) put_text(&state, event->field);
    AUDIT_TEXTS(PUT)
#undef PUT
    crypto_generichash_final(&state, out_hash->p, sizeof out_hash->p);
}

// What is signed is the hash of the form, so that all forms are signed at one length.
static void head_form(const struct audit_head *head, struct audit_hash *out) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out->p);
    put_text(&state, STR("penstock audit head 1"));
    put_number(&state, head->tenant);
    put_number(&state, head->seq);
    put_number(&state, head->at);
    crypto_generichash_update(&state, head->hash.p, sizeof head->hash.p);
    crypto_generichash_final(&state, out->p, sizeof out->p);
}

static void key_form(const struct audit_public *key, struct audit_hash *out) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out->p);
    put_text(&state, STR("penstock audit key 1"));
    put_number(&state, key->id);
    put_number(&state, key->created_at);
    crypto_generichash_update(&state, key->p, sizeof key->p);
    crypto_generichash_final(&state, out->p, sizeof out->p);
}

void audit_sign_head(struct audit_head *head, const unsigned char secret[AUDIT_SECRET_SIZE]) {
    struct audit_hash form;
    head_form(head, &form);
    INVARIANT(crypto_sign_detached(head->signature, NULL, form.p, sizeof form.p, secret) == 0);
}

bool audit_head_signed(const struct audit_head *head, const unsigned char public_key[AUDIT_KEY_SIZE]) {
    struct audit_hash form;
    head_form(head, &form);
    return crypto_sign_verify_detached(head->signature, form.p, sizeof form.p, public_key) == 0;
}

void audit_sign_key(const struct audit_public *key, const unsigned char secret[AUDIT_SECRET_SIZE],
                    unsigned char out_signature[AUDIT_SIGNATURE_SIZE]) {
    struct audit_hash form;
    key_form(key, &form);
    INVARIANT(crypto_sign_detached(out_signature, NULL, form.p, sizeof form.p, secret) == 0);
}

bool audit_key_signed(const struct audit_public *key, const unsigned char signature[AUDIT_SIGNATURE_SIZE],
                      const unsigned char public_key[AUDIT_KEY_SIZE]) {
    struct audit_hash form;
    key_form(key, &form);
    return crypto_sign_verify_detached(signature, form.p, sizeof form.p, public_key) == 0;
}

void audit_hash_text(struct str what, struct str text, struct audit_hash *out_hash) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out_hash->p);
    put_text(&state, what);
    put_text(&state, text);
    crypto_generichash_final(&state, out_hash->p, sizeof out_hash->p);
}

void audit_sign_text(struct str what, struct str text, const unsigned char secret[AUDIT_SECRET_SIZE],
                     unsigned char out_signature[AUDIT_SIGNATURE_SIZE]) {
    struct audit_hash form;
    audit_hash_text(what, text, &form);
    crypto_sign_detached(out_signature, NULL, form.p, sizeof form.p, secret);
}

bool audit_text_signed(struct str what, struct str text, const unsigned char signature[AUDIT_SIGNATURE_SIZE],
                       const unsigned char public_key[AUDIT_KEY_SIZE]) {
    struct audit_hash form;
    audit_hash_text(what, text, &form);
    return crypto_sign_verify_detached(signature, form.p, sizeof form.p, public_key) == 0;
}
