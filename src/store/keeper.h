// Keeps data keys: random keys that seal what a tenant has in the database, themselves wrapped by the master key.
//
// The database is the truth: every look-up reads the key's row, so that what another replica made, replaced or
// destroyed holds here at once; only the unwrapping is remembered, in locked memory that no core dump shows.
//
// Ownership: keeper_create … keeper_free; nothing of a configuration is borrowed. A keeper_key is on the caller's stack
// and to be wiped with keeper_key_wipe. Thread rule: any thread, each with its connection; blocks on the database, and
// on a program or Vault where the master key is there. Units: unix nanoseconds. Errors: those of sql.h and
// store/master.h; ERR_STORE when the master key is not the one the database knows; ERR_NOT_FOUND for a data key that is
// not there (any more).
#ifndef STORE_KEEPER_H
#define STORE_KEEPER_H

#include "base/secret.h"
#include "conf/conf.h"
#include "store/sql.h"

#define KEEPER_KEY_SIZE 32
#define KEEPER_ID_SIZE 8
#define KEEPER_VERSION_MAX INT64_C(0xffffffff)

struct keeper;
struct keeper_key {
    int64_t version;                  // 1, 2, … of its tenant
    unsigned char id[KEEPER_ID_SIZE]; // random
    unsigned char key[KEEPER_KEY_SIZE];
};
static inline void keeper_key_wipe(struct keeper_key *k) { secret_wipe(k, sizeof *k); }

// storage NULL: the master key is secret.key in the data directory. vault: where storage says that it is there; else
// NULL will do. Reads nothing.
NODISCARD bool keeper_create(struct str data, const struct conf_storage *storage, const struct conf_vault *vault,
                             struct keeper **out_keeper, struct err *err);
void keeper_free(struct keeper *k); // NULL is fine
// Takes other settings from now on: a reload's. What is unwrapped already stays in use.
NODISCARD bool keeper_configure(struct keeper *k, const struct conf_storage *storage, const struct conf_vault *vault,
                                struct err *err);
// Finds the master key and proves it with the database, which has this build's schema; makes both when the database
// knows none. Does nothing the second time.
NODISCARD bool keeper_open(struct keeper *k, struct sql *db, struct err *err);

// What hashes API keys, of an open keeper: the same for all replicas. As long as the keeper.
const struct secret *keeper_hash_secret(const struct keeper *k);
// The tenant's newest data key; made now if there is none, within the transaction if one is open.
NODISCARD bool keeper_newest(struct keeper *k, struct sql_scope scope, struct keeper_key *out_key, struct err *err);
// ERR_NOT_FOUND: it was destroyed, or never was.
NODISCARD bool keeper_find(struct keeper *k, struct sql_scope scope, int64_t version, struct keeper_key *out_key,
                           struct err *err);
// What sealed before there were data keys: the bytes of an early secret.key. ERR_NOT_FOUND: there is nothing of that
// time.
NODISCARD bool keeper_early(struct keeper *k, struct sql *db, struct keeper_key *out_key, struct err *err);

// Destroys a tenant's data keys: what they sealed can never be read again, here or from a copy of the rows. Outside of
// a transaction the bytes are also overwritten in the file of an embedded database.
NODISCARD bool keeper_destroy(struct keeper *k, struct sql_scope scope, struct err *err);

// --- for store/rekey.c ---

// Makes the next version, unless one is there to which values are still being sealed anew; *out_resumed says so.
NODISCARD bool keeper_advance(struct keeper *k, struct sql_scope scope, int64_t *out_version, bool *out_resumed,
                              struct err *err);

// --- the master key ---

// Wraps all data keys with another master key: the configured next one, or (fresh) a new one in the file of the present
// one. Running servers go on: what they know stays unwrapped, and both keys are known to those that have the next one
// configured. *out_count: keys wrapped anew.
NODISCARD bool keeper_rotate_master(struct keeper *k, struct sql *db, bool fresh, int64_t *out_count, struct err *err);
struct keeper_state {
    int64_t generation; // how often the master key was changed, and once for the first
    int64_t changed_at;
    char source[256]; // of the one in force
};
NODISCARD bool keeper_state_get(struct sql *db, struct keeper_state *out_state, struct err *err);

#endif
