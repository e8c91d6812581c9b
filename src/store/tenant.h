// The entity tenant: a number for each tenant's name, which rows of other entities carry.
//
// What a tenant may do stands in the configuration; here is only its name, so that keys and usage records outlive its
// being configured. Ownership: names shown to a visitor are borrowed for the call. Thread rule: the connection's.
// Errors: those of sql.h.
#ifndef STORE_TENANT_H
#define STORE_TENANT_H

#include "store/sql.h"

#define TENANT_DEFAULT 1 // without a name: the general configuration

// The number of a name, given to it now if it has none; an empty name is TENANT_DEFAULT.
NODISCARD bool tenant_intern(struct sql *db, struct str name, int64_t *out_id, struct err *err);
// ERR_NOT_FOUND for a name that never had a key.
NODISCARD bool tenant_find(struct sql *db, struct str name, int64_t *out_id, struct err *err);
// All of them; the visitor ends the walk by returning false with *err set.
typedef bool tenant_visit(void *arg, int64_t id, struct str name, struct err *err);
NODISCARD bool tenant_each(struct sql *db, tenant_visit *visit, void *arg, struct err *err);

#endif
