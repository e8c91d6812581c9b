// The entity app_user as sign-in sees it: who has an e-mail address, password, second factor, recovery codes.
//
// Making, listing and changing users is the entity's business (store/entity.h); here is what that must not touch:
// hashes and sealed secrets. Every look-up is by an index.
//
// Ownership: text read goes into the caller's arena. Thread rule: the connection's. Units: unix ns, 0 = never. Errors:
// those of sql.h; ERR_NOT_FOUND for a user that is not there.
#ifndef STORE_USER_H
#define STORE_USER_H

#include "base/arena.h"
#include "store/sql.h"

#define USER_EMAIL_MAX 254 // RFC 5321, 4.5.3.1.3
#define RECOVERY_HASH_SIZE 32

struct user_row {
    int64_t id, tenant_id;
    struct str tenant; // its name; empty: the default tenant
    struct str tenant_status;
    struct str email, name, status;
    struct str password_hash; // empty: none, so none fits
    int64_t password_at;      // 0 with a hash: set by somebody else, to be changed
    struct str totp_secret;   // sealed; empty: none
    int64_t totp_at;          // when it was confirmed; 0: not yet
    int64_t totp_step;        // of the last code that was taken
    int64_t last_sign_in_at, locked_until;
    struct str rights; // changes whenever rights are given to the user, or taken
};
// Active, of an active tenant.
bool user_may_act(const struct user_row *user);

// All who have the address, which is in lower case, in the order of their ids; of one tenant in a tenant's scope. At
// most `max` are shown.
NODISCARD bool user_by_email(struct sql_scope scope, struct str email, struct arena *arena, struct user_row *out_rows,
                             size_t max, size_t *out_n, struct err *err);
NODISCARD bool user_get(struct sql_scope tenant, int64_t id, struct arena *arena, struct user_row *out_row,
                        struct err *err);

// at 0: it must be changed at the next sign-in.
NODISCARD bool user_set_password(struct sql_scope tenant, int64_t id, struct str hash, int64_t at, int64_t now_ns,
                                 struct err *err);
// Another hash of the same password.
NODISCARD bool user_rehash(struct sql_scope tenant, int64_t id, struct str hash, struct err *err);
// An unconfirmed second factor, in place of any; sealed empty: none.
NODISCARD bool user_set_totp(struct sql_scope tenant, int64_t id, struct str sealed, int64_t now_ns, struct err *err);
NODISCARD bool user_confirm_totp(struct sql_scope tenant, int64_t id, int64_t step, int64_t now_ns, struct err *err);
// Takes a step's code; *out_taken false: that one or a later one was taken before.
NODISCARD bool user_take_step(struct sql_scope tenant, int64_t id, int64_t step, bool *out_taken, struct err *err);
// *out_same false: since `proved` was read, the password or the second factor was changed.
NODISCARD bool user_signed_in(struct sql_scope tenant, const struct user_row *proved, struct str address,
                              int64_t now_ns, bool *out_same, struct err *err);
// Whether somebody with that e-mail address was last signed in from that client address.
NODISCARD bool user_is_usual(struct sql *db, struct str email, struct str address, bool *out_is, struct err *err);
// For administrators to see: how sign-in with this address fails, on all who have it, of whatever tenant.
NODISCARD bool user_note_failure(struct sql *db, struct str email, int64_t failures, int64_t locked_until,
                                 int64_t now_ns, struct err *err);

struct recovery_hash {
    char p[RECOVERY_HASH_SIZE];
};
// In place of those there were.
NODISCARD bool recovery_replace(struct sql_scope tenant, int64_t user, const struct recovery_hash *hashes, size_t n,
                                struct err *err);
// *out_taken false: there is no such code, or it was used.
NODISCARD bool recovery_take(struct sql_scope tenant, int64_t user, const char hash[RECOVERY_HASH_SIZE], int64_t now_ns,
                             bool *out_taken, struct err *err);
NODISCARD bool recovery_left(struct sql_scope tenant, int64_t user, int64_t *out_n, struct err *err);

#endif
