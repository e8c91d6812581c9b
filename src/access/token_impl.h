// What the files of access tokens share: their text, their keys.
#ifndef ACCESS_TOKEN_IMPL_H
#define ACCESS_TOKEN_IMPL_H

#include "access/token.h"

#define KID_LEN 43 // RFC 7638: base64url of a SHA-256

struct token_key {
    char kid[KID_LEN];
    unsigned char public_key[TOKEN_PUBLIC_SIZE];
    int64_t retires_at;
};
const struct token_key *token_key_find(const struct token_keys *keys, struct str kid);
void token_kid(const char public_key[TOKEN_PUBLIC_SIZE], char out_kid[KID_LEN]);

// The part of a token that is signed: header and claims.
void token_body_put(struct buf *out, struct str kid, const struct token_claims *claims);

#endif
