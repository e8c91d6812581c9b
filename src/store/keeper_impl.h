// What the files of the keeper share.
#ifndef STORE_KEEPER_IMPL_H
#define STORE_KEEPER_IMPL_H

#include "base/arena.h"
#include "os/thread.h"
#include "store/keeper.h"
#include "store/master.h"
#include "store/tenant.h"

#define KEEPER_KEPT 512
#define KEEPER_WRAPPED_BUF (2 * MASTER_WRAPPED_MAX)

#define PURPOSE_SEAL STR("seal")
#define PURPOSE_HASH STR("api_key_hash")
#define PURPOSE_EARLY STR("secret_key")

// A data key's row, without its tenant.
struct keeper_row {
    struct str purpose; // one of the above
    int64_t version;
    unsigned char id[KEEPER_ID_SIZE];
};

// Keys unwrapped, in locked memory.
struct keeper_kept {
    struct {
        int64_t tenant, version;
        size_t purpose; // its length: no two are as long
        bool used;
        unsigned char id[KEEPER_ID_SIZE], key[KEEPER_KEY_SIZE];
    } slots[KEEPER_KEPT];
    unsigned char hash[KEEPER_KEY_SIZE];
};

// `asking` is held while a program or Vault is asked, so that who needs a key that is unwrapped already does not wait
// for them, and who needs the same one waits for one answer. It is taken before `lock`, and neither over SQL: its
// holder would wait for a transaction whose owner waits for it.
struct keeper {
    struct mutex asking; // the master key and its settings; they change under both
    struct mutex lock;   // of the rest, for moments alone
    struct str data;     // the data directory
    struct arena arena;
    struct conf_master_key now, next;
    struct vault_session *vault;
    uint64_t skew_ns;
    struct master *master;
    int64_t generation; // of the database's master key, which `master` was proven to be; 0 = not open
    struct keeper_kept *kept;
    size_t turn; // the slot to be used next
    struct secret hash;
    bool open;
};

// Which key it is, for wrapping: one row's bytes are no other's.
void keeper_label(int64_t tenant, const struct keeper_row *row, unsigned char out_label[MASTER_LABEL_SIZE]);
// Of the check value.
#define KEEPER_CHECK_ROW (&(const struct keeper_row){.purpose = STR("master_key check"), .version = 1})
// PATH/secret.key, or what file settings say.
NODISCARD bool keeper_file(const struct keeper *k, struct buf *out_path, struct err *err);
// The database's row of the master key; *out_there: there is one.
NODISCARD bool keeper_master_row(struct sql *db, int64_t *out_generation, struct buf *out_check, bool *out_there,
                                 struct err *err);
// What the database knows the master key in force by.
struct keeper_proof {
    int64_t generation;
    struct buf check;
};
static inline void keeper_proof_free(struct keeper_proof *p) { buf_free(&p->check); }
// Into an empty one.
NODISCARD bool keeper_proof_read(struct sql *db, struct keeper_proof *out_proof, struct err *err);
// Finds which of the configured master keys it is and takes it. Under `asking`.
NODISCARD bool keeper_prove(struct keeper *k, const struct keeper_proof *proof, struct err *err);
// The same, unless it is the one at hand. Under `asking`.
NODISCARD bool keeper_ensure(struct keeper *k, const struct keeper_proof *proof, struct err *err);
// This one is in force from now on. Under `asking`.
void keeper_take(struct keeper *k, struct master *master, int64_t generation);
// keeper_ensure with what the database says now. Not under the locks.
NODISCARD bool keeper_refresh(struct keeper *k, struct sql *db, struct err *err);
// Wraps with the master key in force, found first where a proof says so; appends. *out_generation: the one it is of; 0
// when there was no proof and none was at hand, which it is not after other settings came: nothing was appended.
NODISCARD bool keeper_wrap(struct keeper *k, const struct keeper_proof *proof, int64_t tenant,
                           const struct keeper_row *row, const unsigned char key[KEEPER_KEY_SIZE],
                           struct buf *out_wrapped, int64_t *out_generation, struct err *err);
NODISCARD bool keeper_unwrap(struct keeper *k, struct sql *db, int64_t tenant, const struct keeper_row *row,
                             struct str wrapped, unsigned char out_key[KEEPER_KEY_SIZE], struct err *err);
// A fresh database's master key, or an early one's: within a transaction.
NODISCARD bool keeper_found(struct keeper *k, struct sql *db, struct err *err);
NODISCARD bool keeper_insert(struct sql *db, int64_t tenant, const struct keeper_row *row, struct str wrapped,
                             int64_t now_ns, bool rekeying, struct err *err);
// Sets the row of the master key; check: KEEPER_CHECK_ROW wrapped, its key all zeros, for tenant 0.
NODISCARD bool keeper_check_put(struct sql *db, const struct conf_master_key *settings, int64_t generation,
                                struct str check, struct err *err);
// Takes the row's lock on the generation; *out_same: it is still this one.
NODISCARD bool keeper_hold(struct sql *db, int64_t generation, bool *out_same, struct err *err);

#endif
