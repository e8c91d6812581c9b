// Access tokens: what a person, a service account or a key hands on for a while, with no more rights than named in it.
//
// A token is "ps_at_" and a JSON Web Token (RFC 7519) signed with Ed25519 (RFC 8037); no other algorithm is known here.
// Its claims: iss, sub ("user_0…"), tenant and home ("tenant_0…"), scope (permissions, spaces between), iat, nbf, exp,
// jti, and key ("key_0…") or sid ("session_0…"), what it was made with. It is checked without the database, so it is
// short-lived; who has the key ring at hand also refuses those of a revoked key, and the control plane those of a
// session that ended.
//
// Ownership: text of claims lives in the token's own bytes or the caller's buf. Thread rule: token_keys is immutable
// and reference-counted; token_check is pure and takes some 100 µs, so callers remember what they checked. Units: unix
// ns. Errors: ERR_UNAUTHENTICATED with what is wrong; those of sql.h and store/sealed.h.
#ifndef ACCESS_TOKEN_H
#define ACCESS_TOKEN_H

#include "access/permission.h"
#include "access/who.h"
#include "base/json_write.h"
#include "conf/conf.h"
#include "store/datadir.h"
#include "store/token_key.h"

#define TOKEN_PREFIX "ps_at_"
#define TOKEN_MAX 8192
#define TOKEN_JTI_LEN 22
#define TOKEN_LEEWAY_NS INT64_C(10000000000) // clocks of replicas may differ by so much

struct token_claims {
    struct principal principal; // a user, a service account, or a key
    int64_t home, tenant;       // the principal's own tenant, and the one it may act in
    int64_t key_id, session_id; // what it was made with; 0 = not
    struct permission_set scopes;
    int64_t issued_at, not_before, expires_at;
    char jti[TOKEN_JTI_LEN];
};

// Whether text may be a token, rather than a key: it begins like one.
static inline bool token_looks_like(struct str text) { return str_starts(text, STR(TOKEN_PREFIX)); }

// --- the keys ---

struct token_keys;
NODISCARD bool token_keys_load(struct sql *db, int64_t now_ns, struct token_keys **out_keys, struct err *err);
// One public key alone, for those who check without a database; NULL when out of memory. kid: 43 characters.
struct token_keys *token_keys_of(const char public_key[TOKEN_PUBLIC_SIZE], struct str kid, int64_t retires_at);
struct token_keys *token_keys_ref(struct token_keys *keys);
void token_keys_unref(struct token_keys *keys); // NULL is fine
// {"keys":[…]}: a JSON Web Key Set (RFC 7517) of those that are good at that time.
void token_keys_put(struct json_writer *w, const struct token_keys *keys, int64_t now_ns);

// ERR_NOT_FOUND instead when only its key is unknown: another replica may have begun to use it, so load them anew.
NODISCARD bool token_check(const struct token_keys *keys, struct str text, int64_t now_ns,
                           struct token_claims *out_claims, struct err *err);

// --- making ---

// Signs with the present key; makes the first one, and the next one a day before its time. issued_at, not_before and
// jti are set. No transaction may be open. *out_new_key: others should load the keys anew.
NODISCARD bool token_make(struct sql *db, const struct datadir *dir, const struct conf_auth *auth, int64_t now_ns,
                          struct token_claims *claims, struct buf *out_text, bool *out_new_key, struct err *err);

#endif
