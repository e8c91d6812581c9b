// The process's key ring and budgets, and how they are renewed when keys or budgets change, here or in another process.
//
// Ownership: borrows the data directory. Thread rule: any thread; what takes an err blocks on the database, so it runs
// on the worker pool. Errors: those of keyring_load and quota_load.
#ifndef GATEWAY_KEYS_H
#define GATEWAY_KEYS_H

#include "access/keyring.h"
#include "access/quota.h"
#include "govern/key_watch.h"

struct keys;
// The usage ledger is open by then: budgets begin with what it says.
NODISCARD bool keys_create(const struct datadir *dir, struct keys **out_keys, struct err *err);
void keys_free(struct keys *keys);
// A ring that is not stale, with a reference for the caller; budgets are no older.
NODISCARD bool keys_current(struct keys *keys, struct keyring **out_ring, struct err *err);
// Who presents an access token: a ring for it alone, with a reference (keyring_of_token). Blocks.
NODISCARD bool keys_token(struct keys *keys, struct str text, int64_t now_ns, struct keyring **out_ring,
                          const struct key_entry **out_entry, struct err *err);
// Looks whether the table was edited behind our back; then the next keys_current loads it anew and *out_edited is set.
NODISCARD bool keys_edited(struct keys *keys, bool *out_edited, struct err *err);
// Whether the schedule of any key is due (access/key_rotate.h).
NODISCARD bool keys_rotation_due(struct keys *keys, int64_t now_ns, bool *out_due, struct err *err);

// As key_watch_save, on the connection of the budgets.
NODISCARD bool keys_save_uses(struct keys *keys, struct key_watch *watch, struct err *err);

// As quota_recount.
NODISCARD bool keys_recount_budgets(struct keys *keys, struct err *err);
struct quota *keys_quota(struct keys *keys);
// About once a second: budgets that were changed are read again, what was used is saved, thresholds are told.
// *out_damaged: as of quota_load, when they were read; else 0.
NODISCARD bool keys_look_at_budgets(struct keys *keys, const struct quota_listener *listener, uint64_t *out_damaged,
                                    struct err *err);

#endif
