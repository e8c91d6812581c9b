// Signatures of webhook deliveries, as standardwebhooks.com describes: HMAC-SHA-256 over id, time and body.
//
// Thread rule: pure. Errors: ERR_CONFIG_INVALID for a secret that begins with "whsec_" and does not go on in base64;
// ERR_NO_MEMORY.
#ifndef NET_WEBHOOK_SIGN_H
#define NET_WEBHOOK_SIGN_H

#include "base/buf.h"
#include "base/err.h"

// Appends "v1,<base64>". secret: the key's bytes as they are, or "whsec_" and their base64.
NODISCARD bool webhook_sign(struct str secret, struct str id, int64_t unix_seconds, struct str body, struct buf *out,
                            struct err *err);

#endif
