// The audit trail: what was done by whom, appended to a chain of hashes that no edit, gap or reordering survives.
//
// Each tenant has a chain of its own, numbered from 1 without gaps. An event's hash is BLAKE2b-256 over its fields in
// a canonical form and the hash of the one before it. The head of each chain (number and hash of the newest event) is
// signed with Ed25519 in the same transaction, and signed checkpoints are kept on the way, so that a cut tail shows
// too.
//
// Ownership: text of an event to append is borrowed. Thread rule: the connection's. Units: unix ns. Errors: those of
// sql.h. audit_append is to be called inside the transaction of the act it tells of: both come to be, or neither.
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "base/secret.h"
#include "store/sql.h"

enum audit_outcome { AUDIT_OK, AUDIT_DENIED, AUDIT_FAILED };

struct audit_event {
    int64_t seq; // of its tenant's chain; set by audit_append
    int64_t at;
    struct str actor_kind, actor_id, actor_name; // "user", "user_0…", "ada@example.com"
    struct str on_behalf;                        // the actor's home tenant, when it acted for another
    struct str action;                           // "key.create", "session.sign_in", "config.change", …
    struct str resource_type, resource_id, resource_name;
    enum audit_outcome outcome;
    struct str reason;         // why denied or failed; or the one the actor gave
    struct str address, agent; // where from
    struct str request_id;
    struct str before, after; // JSON objects without secrets, or empty
};

// The key that signs: made on first use, sealed in the database.
struct audit_signer;

NODISCARD bool audit_append(struct sql_scope scope, const struct audit_signer *signer, struct audit_event *event,
                            struct err *err);

#endif
