// Seals the texts that signing in keeps in the database, and gives the secret that keys its hashes.
//
// Thread rule: the connection's. Errors: those of store/sealed.h.
#ifndef ACCESS_SEAL_TEXT_H
#define ACCESS_SEAL_TEXT_H

#include "store/sealed.h"

// Which row of which table it is for is authenticated with it.
NODISCARD bool text_seal(struct sql_scope scope, const struct datadir *dir, const char *purpose, int64_t row,
                         struct str text, struct buf *out, struct err *err);
NODISCARD bool text_unseal(struct sql_scope scope, const struct datadir *dir, const char *purpose, int64_t row,
                           struct str sealed, struct buf *out, struct err *err);
const struct secret *hash_secret(const struct datadir *dir);

#endif
