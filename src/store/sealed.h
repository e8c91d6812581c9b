// The sealed store: named secrets of a data directory, encrypted with its secret.key.
//
// Each value is sealed with XChaCha20-Poly1305 under a key derived (BLAKE2b, context "penstock") from secret.key; the
// name is authenticated with it, so that values cannot be exchanged for one another in the database.
//
// Ownership: text read goes into the caller's buf or arena. Thread rule: the connection's. Units: unix nanoseconds.
// Errors: those of sql.h; ERR_NOT_FOUND; ERR_INVALID_FIELD for a bad name; ERR_STORE when a value does not open (wrong
// secret.key, or damage).
#ifndef STORE_SEALED_H
#define STORE_SEALED_H

#include "base/arena.h"
#include "store/datadir.h"

#define SEALED_NAME_MAX 128 // bytes: a-z A-Z 0-9 . _ - /
#define SEALED_VALUE_MAX (size_t)65536

struct sealed_row {
    struct str name;
    int64_t created_at, updated_at;
};
// The rule for names; ERR_INVALID_FIELD says what is wrong with this one.
NODISCARD bool sealed_name_check(struct str name, struct err *err);
// Puts a value in, or another in its place.
NODISCARD bool sealed_put(struct sql *db, const struct datadir *dir, struct str name, struct str value, int64_t now_ns,
                          struct err *err);
NODISCARD bool sealed_get(struct sql *db, const struct datadir *dir, struct str name, struct buf *out_value,
                          struct err *err);
NODISCARD bool sealed_delete(struct sql *db, struct str name, struct err *err);
typedef bool sealed_visit(void *arg, const struct sealed_row *row, struct err *err);
NODISCARD bool sealed_each(struct sql *db, sealed_visit *visit, void *arg, struct err *err);

// For other tables' secret columns: text to bytes and back; `purpose` ("config_history") and `label` are authenticated.
NODISCARD bool seal(const struct datadir *dir, struct str purpose, struct str label, struct str text, struct buf *out,
                    struct err *err);
NODISCARD bool unseal(const struct datadir *dir, struct str purpose, struct str label, struct str bytes,
                      struct buf *out, struct err *err);

#endif
