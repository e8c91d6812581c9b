// The master key: wraps data keys, wherever it is.
//
// A key at hand (a file, a variable) wraps with AES-256-GCM here; a program or Vault wraps by itself, so that the key
// never comes here.
//
// Ownership: master_open … master_free; what it holds of a key is in locked memory that no core dump shows. A Vault
// session is borrowed. Thread rule: one thread at a time; a program or Vault blocks. Errors: ERR_STORE when a wrapped
// key is not this one's or is damaged, ERR_CONFIG_INVALID for settings that lead to no key, those of os/child.h and
// store/vault.h. No message has a byte of a key.
#ifndef STORE_MASTER_H
#define STORE_MASTER_H

#include "base/buf.h"
#include "base/secret.h"
#include "conf/conf.h"

#define MASTER_KEY_SIZE 32
#define MASTER_LABEL_SIZE 32
#define MASTER_NAME_MAX 256
#define MASTER_WRAPPED_MAX ((size_t)16384)

struct master;
struct vault_session;

// settings: not of source MASTER_NONE; borrowed while it is open. file: of source MASTER_FILE when settings->file is
// empty. create: a file that is not there is made.
NODISCARD bool master_open(const struct conf_master_key *settings, struct str file, bool create,
                           struct vault_session *vault, struct master **out_master, struct err *err);
// One with a key that is at hand.
NODISCARD bool master_of(const unsigned char key[MASTER_KEY_SIZE], struct master **out_master, struct err *err);
void master_free(struct master *m); // NULL is fine
// "file", "env NAME", "command PROGRAM", "vault_transit MOUNT/KEY"; what settings of source MASTER_NONE say is "none".
void master_name(const struct conf_master_key *settings, char out_name[MASTER_NAME_MAX]);

// Appends. The label says which key it is; only with it the key can be unwrapped.
NODISCARD bool master_wrap(struct master *m, const unsigned char label[MASTER_LABEL_SIZE],
                           const unsigned char key[MASTER_KEY_SIZE], struct buf *out_wrapped, struct err *err);
NODISCARD bool master_unwrap(struct master *m, const unsigned char label[MASTER_LABEL_SIZE], struct str wrapped,
                             unsigned char out_key[MASTER_KEY_SIZE], struct err *err);

// 32 bytes: as they are (where raw says so), in hexadecimal, or in base64 with either alphabet, padded or not; spaces
// around them are passed over. False for anything else.
NODISCARD bool master_key_parse(struct str text, bool raw, unsigned char out_key[MASTER_KEY_SIZE]);

#endif
