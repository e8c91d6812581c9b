// The process's key ring, and how it is renewed when keys change, here or in another process.
//
// Ownership: borrows the data directory. Thread rule: any thread; keys_current and keys_edited block on the database,
// so they run on the worker pool. Errors: those of keyring_load.
#ifndef GATEWAY_KEYS_H
#define GATEWAY_KEYS_H

#include "access/keyring.h"

struct keys;
NODISCARD bool keys_create(const struct datadir *dir, struct keys **out_keys, struct err *err);
void keys_free(struct keys *keys);
// A ring that is not stale, with a reference for the caller.
NODISCARD bool keys_current(struct keys *keys, struct keyring **out_ring, struct err *err);
// Looks whether the table was edited behind our back; then the next keys_current loads it anew and *out_edited is set.
NODISCARD bool keys_edited(struct keys *keys, bool *out_edited, struct err *err);

#endif
