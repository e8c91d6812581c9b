// Proves a chain of audit events, or finds the first thing that is wrong with it.
//
// The verifier is pure: it is shown the events of one tenant in their order, each checkpoint after its event, and the
// head at the end, wherever they come from, and keeps no more of them than the last hash. It finds: an event that was
// changed in any byte, inserted, removed or moved; a checkpoint or head that was changed, removed or signed by another
// key; events that are missing at the beginning or at the end.
//
// Which keys count: one that the caller trusts, and those that it, or one it leads to, vouches for (audit_key_rotate).
//
// Ownership: a keyset's memory is its own until audit_keyset_free; a verifier holds none. Thread rule: one thread a
// verifier. Errors: what is wrong with the trail is a fault, not an error.
#ifndef STORE_AUDIT_VERIFY_H
#define STORE_AUDIT_VERIFY_H

#include "base/vec.h"
#include "store/audit_read.h"

struct audit_keyset_key {
    struct audit_public key;
    bool trusted;
};
struct audit_keyset {
    VEC(struct audit_keyset_key) keys;
};
#define AUDIT_KEYS_MAX 10000
NODISCARD bool audit_keyset_add(struct audit_keyset *set, const struct audit_public *key, struct err *err);
// False when no key of the set is this one.
bool audit_keyset_trust(struct audit_keyset *set, const unsigned char public_key[AUDIT_KEY_SIZE]);
void audit_keyset_free(struct audit_keyset *set);

struct audit_fault {
    int64_t tenant, seq; // the first event that is wrong, or missing
    char why[256];
};
struct audit_verifier {
    const struct audit_keyset *keys;
    int64_t tenant, next;
    struct audit_hash last;
    int64_t last_at;
    int64_t checkpoint_seq, checkpoint_at; // the last seen
    bool checkpoint_known;                 // whether there was one before is known
    bool checkpoint_due;                   // one must follow the last event
    uint64_t events, checkpoints;
    bool faulty;
    struct audit_fault fault;
};
// From event `first` on. previous: the hash of the event before it, NULL for the first of all.
void audit_verifier_begin(struct audit_verifier *v, const struct audit_keyset *keys, int64_t tenant, int64_t first,
                          const struct audit_hash *previous);
// Each false: v->fault says what is wrong; then it is of no further use.
bool audit_verifier_event(struct audit_verifier *v, int64_t tenant, const struct audit_event *event,
                          const struct audit_hash *hash);
bool audit_verifier_checkpoint(struct audit_verifier *v, const struct audit_head *head);
// head NULL: there is none.
bool audit_verifier_end(struct audit_verifier *v, const struct audit_head *head);
PRINTF_LIKE(3, 4) bool audit_verifier_fail(struct audit_verifier *v, int64_t seq, const char *fmt, ...);

struct audit_verdict {
    uint64_t chains, events, checkpoints;
    bool faulty;
    struct audit_fault fault;
    unsigned char key[AUDIT_KEY_SIZE]; // the key that was trusted
};
struct audit_verify_options {
    int64_t tenant;           // 0 = all
    int64_t since;            // events from this number on; 0 = all
    const unsigned char *key; // public; NULL = the newest, whose secret opens with this server's (dir)
    const struct datadir *dir;
};
// The chains of a database, as they stand at one moment. True with a verdict, faulty or not.
NODISCARD bool audit_verify(struct sql *db, const struct audit_verify_options *options,
                            struct audit_verdict *out_verdict, struct err *err);

#endif
