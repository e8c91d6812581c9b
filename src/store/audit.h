// The audit trail: what was done by whom, appended to a chain of hashes that no edit, gap or reordering survives.
//
// Each tenant has a chain of its own, numbered from 1 without gaps. An event's hash is BLAKE2b-256 over its fields in
// a canonical form and the hash of the one before it (audit_chain.h). The head of each chain (number, time and hash of
// the newest event) is signed with Ed25519 in the same transaction, and so are checkpoints on the way: at the first
// event, at every AUDIT_CHECKPOINT_EVENTS-th, and at one that comes AUDIT_CHECKPOINT_NS after the last.
//
// That a chain begins is itself an event of the default tenant's chain ("audit.begin").
//
// What it holds against: whoever can write to the database but does not have the signing key (sealed with the server's
// secret) cannot change, insert, reorder or remove an event, at the beginning, within or at the end, without
// audit_verify saying so. Bringing back a whole older state of the database shows only against something kept
// elsewhere: an export, a sink's copy, a checkpoint that was written down.
//
// Ownership: text of an event to append is borrowed; a signer is its creator's. Thread rule: the connection's; a signer
// serves any thread. Units: unix ns. Errors: those of sql.h. audit_append is to be called inside the transaction of the
// act it tells of: both come to be, or neither; and the transaction's sql_commit then returns only when it is on the
// disk (sql_durable).
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "base/secret.h"
#include "store/sql.h"

#define AUDIT_CHECKPOINT_EVENTS 256
#define AUDIT_CHECKPOINT_NS ((int64_t)3600 * 1000000000)
#define AUDIT_TEXT_MAX (size_t)1024 // bytes of each text field; longer ones are cut
#define AUDIT_JSON_MAX ((size_t)64 * 1024)
#define AUDIT_TENANT_DEFAULT 1 // whose chain tells of what concerns no one tenant: configuration, server, keys

enum audit_outcome { AUDIT_OK, AUDIT_DENIED, AUDIT_FAILED, AUDIT_OUTCOME_COUNT };
// "ok", "denied", "failed".
struct str audit_outcome_name(enum audit_outcome outcome);
bool audit_outcome_parse(struct str name, enum audit_outcome *out_outcome);

struct audit_event {
    int64_t seq;                                 // of its tenant's chain; set by audit_append
    int64_t at;                                  // 0: audit_append sets it
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
// The text fields, in the order of the canonical form, of export columns and of CSV.
#define AUDIT_TEXTS(X)                                                                                                 \
    X(actor_kind)                                                                                                      \
    X(actor_id)                                                                                                        \
    X(actor_name)                                                                                                      \
    X(on_behalf)                                                                                                       \
    X(action)                                                                                                          \
    X(resource_type)                                                                                                   \
    X(resource_id)                                                                                                     \
    X(resource_name)                                                                                                   \
    X(reason)                                                                                                          \
    X(address)                                                                                                         \
    X(agent)                                                                                                           \
    X(request_id)                                                                                                      \
    X(before)                                                                                                          \
    X(after)

// The key that signs: made on first use, sealed in the database, read anew when another process has rotated it.
struct audit_signer;
struct datadir;
NODISCARD bool audit_signer_create(const struct datadir *dir, struct audit_signer **out_signer, struct err *err);
void audit_signer_free(struct audit_signer *signer); // NULL is fine

// Sets event->seq and, when it is 0, event->at. scope: the tenant's; the platform's stands for AUDIT_TENANT_DEFAULT.
// What is not UTF-8 or is too long in a text is replaced or cut, a JSON that is too long by {"truncated":true,…}; in
// the event given it stays as it is.
NODISCARD bool audit_append(struct sql_scope scope, const struct audit_signer *signer, struct audit_event *event,
                            struct err *err);
// In a transaction of its own, on the disk when it returns.
NODISCARD bool audit_append_alone(struct sql_scope scope, const struct audit_signer *signer, struct audit_event *event,
                                  struct err *err);

// As audit_append, but what keeps the event from being appended undoes nothing else of the transaction: *out_lost, and
// *out_why says what it was. For those who would rather act without a trail than not at all.
NODISCARD bool audit_append_or_lose(struct sql_scope scope, const struct audit_signer *signer,
                                    struct audit_event *event, bool *out_lost, struct err *out_why, struct err *err);

// As 32 hexadecimal digits, IPv4 as ::ffff:a.b.c.d; for what is no address, it is empty.
#define AUDIT_ADDRESS_KEY_MAX 33
struct str audit_address_key(struct str address, char out[AUDIT_ADDRESS_KEY_MAX]);

#endif
