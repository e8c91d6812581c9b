// The key ring: all keys of a data directory in memory with the rights they have, for the check that every request
// begins with.
//
// What a ring says never changes. Who sees it stale has another made and drops his reference to the old one.
//
// Ownership: reference-counted; every event loop holds a reference of its own. Entries live as long as their ring,
// which borrows the data directory. Thread rule: keyring_load and keyring_renew block on the database, so it runs off
// the loop, where the connection lives; everything else is safe from any thread. Units: unix nanoseconds. Errors:
// ERR_UNAUTHENTICATED with what to do; no message holds more of a key than its prefix.
#ifndef ACCESS_KEYRING_H
#define ACCESS_KEYRING_H

#include "access/key.h"
#include "access/key_place.h"
#include "access/policy.h"

struct key_entry {
    int64_t id, tenant_id;
    struct str name;         // may be empty
    struct str tenant;       // its name; empty: the general configuration is the key's
    bool tenant_made;        // as struct key_row
    const struct zone *zone; // the tenant's time zone; NULL: UTC, as when the system does not know the zone
    struct str prefix;       // "ps-abc123", of a live key
    bool is_admin;
    bool any_model;           // else those of models
    const struct str *models; // exact names, or patterns whose last byte is '*'
    size_t n_models;
    int64_t expires_at, revoked_at; // 0 = never
    int64_t team_id, project_id;    // 0 = none
    struct str team, project;       // their names
    bool elsewhere; // it acts for another tenant than its own: what is configured for a key of its name is not for it
    struct principal owner;        // a user or service account; PRINCIPAL_NOBODY: the scopes alone are its rights
    struct permission_set scopes;  // nothing beyond them; of keys without any: the use and reading of models
    struct str tags;               // JSON object of strings
    struct key_place place;        // from where it may be used
    const struct policy *policy;   // what it says of subject counts
    struct policy_subject subject; // whose rights count: the owner's within the scopes, or the scopes alone
    bool damaged;                  // a part of its row cannot be read
    char hash[KEY_HASH_SIZE];
};

struct keyring;

NODISCARD bool keyring_load(struct sql *db, const struct datadir *dir, struct keyring **out_ring, struct err *err);
// The ring that keyring_load would give now, at the cost of what has changed: the old one, as current again, if that is
// nothing; else one that shares with it what was read at first, and reads keys and rights of those concerned; all of
// them only after many changes, or one that can concern everybody (a role, what a team or tenant may do). By one thread
// at a time.
NODISCARD bool keyring_renew(struct sql *db, struct keyring *old, struct keyring **out_ring, struct err *err);
struct keyring *keyring_ref(struct keyring *ring);
void keyring_unref(struct keyring *ring); // NULL is fine

// Keys were created or revoked since the ring was loaded, by any process: one atomic load. The ring must then not be
// used for a request that comes in after this was seen.
bool keyring_stale(const struct keyring *ring);
// The database's keys, or whatever their rights hang on, differ from the ring's though nobody said so on this
// directory: another server changed them, or someone by hand. For a look once a second by the connection's owner.
NODISCARD bool keyring_edited(const struct keyring *ring, struct sql *db, bool *out_edited, struct err *err);

// Whose address the host name is: a tenant that has it as a domain, or 0.
int64_t keyring_host_tenant(const struct keyring *ring, struct str host);

size_t keyring_count(const struct keyring *ring);
// Keys whose list of models, scopes, owner or places cannot be read; they may do nothing by that part. Their owner
// should tell the operator.
size_t keyring_damaged(const struct keyring *ring);

// Who presents this key. No allocation, no lock.
NODISCARD bool keyring_check(const struct keyring *ring, struct str presented, int64_t now_ns,
                             const struct key_entry **out_entry, struct err *err);

// Why keyring_check refuses it; *out_entry: of one that has ended. KEYRING_MALFORMED also for one that is not refused.
enum keyring_refusal { KEYRING_MALFORMED, KEYRING_UNKNOWN, KEYRING_REVOKED, KEYRING_EXPIRED };
enum keyring_refusal keyring_refusal(const struct keyring *ring, struct str presented, int64_t now_ns,
                                     const struct key_entry **out_entry);

// As keyring_check, remembering the keys seen lately under a 128-bit keyed tag (SipHash-2-4), which costs a tenth of
// the full hash; revocation and expiry are looked at every time. One a loop, zeroed to begin with.
#define KEYRING_MEMO_SLOTS 64
struct keyring_memo {
    uint64_t ring; // the mark of the ring it belongs to
    unsigned char seed[16];
    struct {
        unsigned char tag[16];
        const struct key_entry *entry; // NULL = free
    } slots[KEYRING_MEMO_SLOTS];
};
NODISCARD bool keyring_check_memo(const struct keyring *ring, struct keyring_memo *memo, struct str presented,
                                  int64_t now_ns, const struct key_entry **out_entry, struct err *err);
// Whether the key may be used at all for a request from this address and page: its tenant and owner are active, and it
// may come from there. ERR_FORBIDDEN.
NODISCARD bool keyring_admits(const struct keyring *ring, const struct key_entry *entry, struct str peer,
                              struct str origin, struct err *err);
// Whether the key may use the model: it is on its list, and in its rights. No allocation, no lock.
bool keyring_allows_model(const struct keyring *ring, const struct key_entry *entry, struct str model, int64_t now_ns);
// As above; ERR_MODEL_NOT_ALLOWED names what is missing.
NODISCARD bool keyring_check_model(const struct keyring *ring, const struct key_entry *entry, struct str model,
                                   int64_t now_ns, struct err *err);
// A ring of one entry: whoever an access token stands for, with no more than its scopes, as the database now has it. Of
// a token made with a key the entry is the key's, else one without id. Whoever uses it loads it anew after a second or
// so. ERR_UNAUTHENTICATED when what it was made with has ended, ERR_FORBIDDEN when its tenant is suspended.
struct token_claims;
NODISCARD bool keyring_of_token(struct sql *db, const struct datadir *dir, const struct token_claims *claims,
                                int64_t now_ns, struct keyring **out_ring, const struct key_entry **out_entry,
                                struct err *err);
// A ring of one entry: the key of that id, or what took its place by rotation, as the database now has it, ended or
// not; for work that goes on without its text. ERR_NOT_FOUND: it is gone.
NODISCARD bool keyring_of_key(struct sql *db, const struct datadir *dir, int64_t tenant, int64_t id,
                              struct keyring **out_ring, const struct key_entry **out_entry, struct err *err);
// Whether a key has ended: ERR_UNAUTHENTICATED.
NODISCARD bool keyring_usable(const struct key_entry *entry, int64_t now_ns, struct err *err);
// The rights of all owners of keys, as they were when all keys were read.
const struct policy *keyring_policy(const struct keyring *ring);

// The key's own list of models alone.
bool key_allows_model(const struct key_entry *entry, struct str model);
// As above, with ERR_MODEL_NOT_ALLOWED and what the key may use.
NODISCARD bool key_check_model(const struct key_entry *entry, struct str model, struct err *err);

#endif
