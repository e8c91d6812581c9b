// The entity session: sign-ins of people, known by the hash of a cookie's text.
//
// Ownership: text read goes into the caller's arena; rows shown to a visitor are borrowed for the call. Thread rule:
// the connection's. Units: unix ns, 0 = never. Errors: those of sql.h; ERR_NOT_FOUND.
#ifndef STORE_SESSION_H
#define STORE_SESSION_H

#include "base/arena.h"
#include "base/text.h"
#include "store/sql.h"

#define SESSION_HASH_SIZE 32

struct session_row {
    int64_t id, tenant_id, user_id;
    int64_t created_at, seen_at, expires_at, revoked_at;
    struct str address, agent; // where it was begun
    bool second_factor;        // it was begun with one
    struct str csrf, rights;
    struct str email;             // the user's
    char hash[SESSION_HASH_SIZE]; // written only
    bool is_old;                  // found by its old hash
    int64_t password_at, totp_at; // the user's
    struct str tenant;            // its name; empty: the default tenant
    bool may_act;                 // the user and the tenant are active
    struct str rights_now;        // as user_row.rights
};

// id, revoked_at and what comes after `hash` are ignored.
NODISCARD bool session_insert(struct sql_scope tenant, const struct session_row *row, int64_t *out_id, struct err *err);
// By its hash, or by its old one while that serves. *out_found false: none. Revoked and expired ones are found too.
NODISCARD bool session_by_hash(struct sql *db, const char hash[SESSION_HASH_SIZE], int64_t now_ns, struct arena *arena,
                               struct session_row *out_row, bool *out_found, struct err *err);
NODISCARD bool session_touch(struct sql_scope tenant, int64_t id, int64_t now_ns, struct err *err);
// A new hash; the one it had, `old`, serves until old_until. *out_done false: it has had another meanwhile.
NODISCARD bool session_rehash(struct sql_scope tenant, int64_t id, const char old[SESSION_HASH_SIZE],
                              const char fresh[SESSION_HASH_SIZE], struct str rights, int64_t old_until, bool *out_done,
                              struct err *err);

// Those that are neither revoked nor expired, newest first: of a user, or (user 0) of the whole tenant, with ids below
// `before` (0: from the newest on), at most `limit`. The visitor ends the walk by returning false with *err set.
typedef bool session_visit(void *arg, const struct session_row *row, struct err *err);
struct session_wanted {
    int64_t user, before, limit;
    int64_t now, idle; // seen longer ago than idle: expired
};
NODISCARD bool session_each(struct sql_scope tenant, const struct session_wanted *wanted, session_visit *visit,
                            void *arg, struct err *err);
// The user of a live session, for deciding who may end it. ERR_NOT_FOUND.
NODISCARD bool session_owner(struct sql_scope tenant, int64_t id, int64_t *out_user, struct err *err);
// ERR_NOT_FOUND when there is no such session that is not revoked.
NODISCARD bool session_revoke(struct sql_scope tenant, int64_t id, int64_t now_ns, struct err *err);
// All of a user but one (0: all).
NODISCARD bool session_revoke_all(struct sql_scope tenant, int64_t user, int64_t but, int64_t now_ns, int64_t *out_n,
                                  struct err *err);
// Removes those that expired before that time, a thousand at most.
NODISCARD bool session_purge(struct sql *db, int64_t before, struct err *err);

// "session_" and 13 digits of base 32.
#define SESSION_ID_TEXT_LEN (8 + BASE32_U64_LEN)
void session_id_text(char out[SESSION_ID_TEXT_LEN], int64_t id);
NODISCARD bool session_id_parse(struct str text, int64_t *out_id);

#endif
