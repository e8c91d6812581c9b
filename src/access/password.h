// Passwords: which are taken, and their hashes.
//
// After NIST SP 800-63B: any Unicode text of 10 to 1024 bytes, without rules on which characters it is made of, unless
// it is one that guessers try first. It is hashed as its bytes are: no Unicode normalization, so that a keyboard which
// composes "é" in another way types another password. Hashes are Argon2id (RFC 9106) in its usual text form, which
// carries the cost they were made with.
//
// Ownership: passwords are borrowed and never kept. Thread rule: hashing takes tens of milliseconds and much memory, so
// it runs off the event loops; a hasher serves any thread. Units: bytes. Errors: ERR_INVALID_FIELD says why a password
// is not taken, without repeating it; ERR_OVERLOADED when too many wait to be hashed; ERR_NO_MEMORY.
#ifndef ACCESS_PASSWORD_H
#define ACCESS_PASSWORD_H

#include "base/err.h"
#include "conf/conf.h"

#define PASSWORD_MIN 10
#define PASSWORD_MAX 1024
#define PASSWORD_HASH_MAX 128

// personal: texts that people who know the user would try: e-mail address, name, the tenant's name.
NODISCARD bool password_check(struct str password, const struct str *personal, size_t n, struct err *err);
// Whether it is one of the common passwords, words and names of the built-in list, or such a word with a few digits or
// signs around it or in the place of letters. Case of ASCII letters is ignored. The list is kept as 40-bit hashes: of
// passwords that are not in it, one in 10 million is taken for one that is.
bool password_is_common(struct str password);

// Bounds how many passwords are hashed at a time, because each takes its memory.
struct password_hasher;
// running at a time, waiting besides; more are refused.
NODISCARD bool password_hasher_create(unsigned running, unsigned waiting, struct password_hasher **out_hasher,
                                      struct err *err);
void password_hasher_free(struct password_hasher *hasher); // NULL is fine

// hasher NULL: not bounded, for commands.
NODISCARD bool password_hash(struct password_hasher *hasher, const struct conf_password *cost, struct str password,
                             char out_hash[PASSWORD_HASH_MAX], struct err *err);
// hash empty: none fits, found out at the price of one that `cost` says.
NODISCARD bool password_verify(struct password_hasher *hasher, const struct conf_password *cost, struct str hash,
                               struct str password, bool *out_fits, struct err *err);
// Whether it was made at a lower cost.
bool password_is_cheap(struct str hash, const struct conf_password *cost);

#endif
