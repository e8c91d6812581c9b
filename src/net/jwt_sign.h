// JSON web tokens signed with RSA (RS256, RFC 7519 and RFC 7515), as OAuth servers take them from service accounts.
//
// Thread rule: pure. Errors: ERR_CONFIG_INVALID for a key that is none; ERR_NO_MEMORY.
#ifndef NET_JWT_SIGN_H
#define NET_JWT_SIGN_H

#include "base/buf.h"
#include "base/err.h"

// Appends "HEADER.CLAIMS.SIGNATURE". pem: a private RSA key; claims: a JSON object; key_id: told in the header, may be
// empty.
NODISCARD bool jwt_sign_rs256(struct str pem, struct str key_id, struct str claims, struct buf *out, struct err *err);

#endif
