// The canonical form of audit events and what is hashed and signed of it: pure, so that a chain is proven anywhere.
//
// Numbers are 8 bytes, little-endian; a text is its length as such a number and its bytes.
//   event hash   BLAKE2b-256 of: text "penstock audit event 1", the 32 bytes of the hash before it (zero for the
//                first), tenant, seq, at, outcome, and the texts of AUDIT_TEXTS in their order
//   head         Ed25519 of BLAKE2b-256 of: text "penstock audit head 1", tenant, seq, at, the 32 bytes of the hash.
//   Heads and
//                checkpoints are signed alike
//   key          Ed25519 of BLAKE2b-256 of: text "penstock audit key 1", id, created_at, the 32 bytes of the public
//   key: by which a
//                key vouches for the one after or before it
//
// Thread rule: pure functions.
#ifndef STORE_AUDIT_CHAIN_H
#define STORE_AUDIT_CHAIN_H

#include "store/audit.h"

#define AUDIT_HASH_SIZE 32
#define AUDIT_KEY_SIZE 32
#define AUDIT_SIGNATURE_SIZE 64
#define AUDIT_SECRET_SIZE 64

// A text that a key of the trail vouches for.
struct audit_seal {
    int64_t key_id;
    unsigned char public_key[AUDIT_KEY_SIZE];
    unsigned char signature[AUDIT_SIGNATURE_SIZE];
};
struct audit_hash {
    unsigned char p[AUDIT_HASH_SIZE];
};
struct audit_head {
    int64_t tenant, seq, at;
    struct audit_hash hash;
    int64_t key_id;
    unsigned char signature[AUDIT_SIGNATURE_SIZE];
};
struct audit_public {
    int64_t id, created_at, retired_at;
    unsigned char p[AUDIT_KEY_SIZE];
    bool has_by_previous, has_of_previous;
    unsigned char by_previous[AUDIT_SIGNATURE_SIZE], of_previous[AUDIT_SIGNATURE_SIZE];
};

void audit_hash_event(int64_t tenant, const struct audit_hash *previous, const struct audit_event *event,
                      struct audit_hash *out_hash);
// Fills in the signature.
void audit_sign_head(struct audit_head *head, const unsigned char secret[AUDIT_SECRET_SIZE]);
bool audit_head_signed(const struct audit_head *head, const unsigned char public_key[AUDIT_KEY_SIZE]);
void audit_sign_key(const struct audit_public *key, const unsigned char secret[AUDIT_SECRET_SIZE],
                    unsigned char out_signature[AUDIT_SIGNATURE_SIZE]);
// Ed25519 of BLAKE2b-256 of: text `what`, text `text`. `what` says what kind of document it is.
void audit_sign_text(struct str what, struct str text, const unsigned char secret[AUDIT_SECRET_SIZE],
                     unsigned char out_signature[AUDIT_SIGNATURE_SIZE]);
bool audit_text_signed(struct str what, struct str text, const unsigned char signature[AUDIT_SIGNATURE_SIZE],
                       const unsigned char public_key[AUDIT_KEY_SIZE]);
void audit_hash_text(struct str what, struct str text, struct audit_hash *out_hash);
bool audit_key_signed(const struct audit_public *key, const unsigned char signature[AUDIT_SIGNATURE_SIZE],
                      const unsigned char public_key[AUDIT_KEY_SIZE]);

#endif
