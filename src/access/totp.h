// The second factor: time-based one-time passwords (RFC 6238: SHA-1, 6 digits, 30 s), and recovery codes.
//
// Those parameters are what every authenticator app takes; SHA-1 is safe in HMAC (RFC 6194, 2). A code is taken one
// step early or late, and each step's code once: the caller remembers the step.
//
// Ownership: secrets are the caller's. Thread rule: pure, but for totp_secret_make and recovery_make, which draw random
// bytes. Units: unix ns.
#ifndef ACCESS_TOTP_H
#define ACCESS_TOTP_H

#include "base/buf.h"
#include "base/secret.h"
#include "store/user.h"

#define TOTP_SECRET_SIZE 20 // RFC 4226, 4: 160 bits
#define TOTP_DIGITS 6
#define TOTP_STEP_NS INT64_C(30000000000)

void totp_secret_make(char out_secret[TOTP_SECRET_SIZE]);
// RFC 4648 base32 without padding: what people type where they cannot scan.
void totp_secret_put(struct buf *out, const char secret[TOTP_SECRET_SIZE]);
// "otpauth://totp/ISSUER:ACCOUNT?secret=…&issuer=…", as authenticator apps read it from a QR code.
void totp_uri_put(struct buf *out, const char secret[TOTP_SECRET_SIZE], struct str issuer, struct str account);

// The code of a step: a number below 1,000,000.
uint32_t totp_code(struct str secret, int64_t step);
// Whether text is the code of the present step, the one before or the one after, and of none up to `last`.
NODISCARD bool totp_check(struct str secret, struct str text, int64_t now_ns, int64_t last, int64_t *out_step);

#define RECOVERY_CODES 10
#define RECOVERY_CODE_LEN 19 // "xxxx-xxxx-xxxx-xxxx" of Crockford's base 32: 80 random bits
void recovery_make(char out_code[RECOVERY_CODE_LEN]);
// Keyed with the server's secret; hyphens, spaces and case are ignored. False for what cannot be a code.
NODISCARD bool recovery_hash(const struct secret *server, struct str code, char out_hash[RECOVERY_HASH_SIZE]);

#endif
