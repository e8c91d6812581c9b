// AES-256-GCM over whole texts (NIST SP 800-38D): a 96-bit nonce, a 128-bit tag.
//
// Ownership: everything is the caller's. Thread rule: pure. Units: bytes. Errors: ERR_NO_MEMORY; aead_open also false
// with ERR_STORE when key, nonce, associated data or text are not those that were sealed.
#ifndef STORE_AEAD_H
#define STORE_AEAD_H

#include "base/buf.h"
#include "base/err.h"

#define AEAD_KEY_SIZE 32
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE 16

// Appends the ciphertext and the tag. A nonce must never be used twice with one key.
NODISCARD bool aead_seal(const unsigned char key[AEAD_KEY_SIZE], const unsigned char nonce[AEAD_NONCE_SIZE],
                         struct str associated, struct str text, struct buf *out, struct err *err);
// Appends the text of what aead_seal made, in memory reserved at once; nothing when it does not open.
NODISCARD bool aead_open(const unsigned char key[AEAD_KEY_SIZE], const unsigned char nonce[AEAD_NONCE_SIZE],
                         struct str associated, struct str sealed, struct buf *out, struct err *err);

#endif
