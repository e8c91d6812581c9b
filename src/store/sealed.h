// The sealed store: a tenant's named secrets, encrypted in the database.
//
// Each value is sealed with AES-256-GCM under a data key of the tenant (store/keeper.h); tenant, purpose and name are
// authenticated with it, so that values cannot be exchanged for one another in the database. Values that an early
// version sealed with secret.key itself (XChaCha20-Poly1305) open too, until store/rekey.h has sealed them anew.
//
// Ownership: text read goes into the caller's buf or arena. Thread rule: the connection's. Units: unix nanoseconds.
// Errors: those of sql.h and keeper.h; ERR_NOT_FOUND; ERR_INVALID_FIELD for a bad name; ERR_STORE when a value does not
// open (another's, or damage).
#ifndef STORE_SEALED_H
#define STORE_SEALED_H

#include "base/arena.h"
#include "store/datadir.h"
#include "store/tenant.h"

#define SEALED_NAME_MAX 128 // bytes: a-z A-Z 0-9 . _ - /
#define SEALED_VALUE_MAX (size_t)65536

struct sealed_row {
    struct str name;
    int64_t created_at, updated_at;
};
// The rule for names; ERR_INVALID_FIELD says what is wrong with this one.
NODISCARD bool sealed_name_check(struct str name, struct err *err);
// Puts a value in, or another in its place. The scopes of these four are a tenant's.
NODISCARD bool sealed_put(struct sql_scope scope, const struct datadir *dir, struct str name, struct str value,
                          int64_t now_ns, struct err *err);
NODISCARD bool sealed_get(struct sql_scope scope, const struct datadir *dir, struct str name, struct buf *out_value,
                          struct err *err);
NODISCARD bool sealed_delete(struct sql_scope scope, struct str name, struct err *err);
typedef bool sealed_visit(void *arg, const struct sealed_row *row, struct err *err);
NODISCARD bool sealed_each(struct sql_scope scope, sealed_visit *visit, void *arg, struct err *err);

// For other tables' secret columns: text to bytes and back. `purpose` ("config_history") and `label` (which row it is)
// are authenticated. A platform scope stands for the default tenant, whose keys are also the whole server's. Every
// column that is sealed so has a row in store/sealed_column.def, for the change of keys. Who writes what he sealed
// later than a minute after finds its key gone, should it have been changed meanwhile: seal and write in one
// transaction.
NODISCARD bool seal(struct sql_scope scope, const struct datadir *dir, struct str purpose, struct str label,
                    struct str text, struct buf *out, struct err *err);
NODISCARD bool unseal(struct sql_scope scope, const struct datadir *dir, struct str purpose, struct str label,
                      struct str bytes, struct buf *out, struct err *err);

// The bytes that all values under this version of a tenant's key begin with, and no others (but those that an early
// version sealed).
#define SEALED_PREFIX_SIZE 5
void sealed_prefix(int64_t version, char out_prefix[SEALED_PREFIX_SIZE]);

#endif
