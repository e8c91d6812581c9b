// The entity tenant: a number for each tenant's name, which rows of other entities carry.
//
// What a tenant may do stands in the configuration; here is only its name, so that keys and usage records outlive its
// being configured. Ownership: names shown to a visitor are borrowed for the call. Thread rule: the connection's.
// Errors: those of sql.h.
#ifndef STORE_TENANT_H
#define STORE_TENANT_H

#include "store/sql.h"

#define TENANT_DEFAULT 1              // without a name: the general configuration
#define TENANT_DEFAULT_NAME "default" // what it is shown as and asked for by

// The number of a name, given to it now if it has none; an empty name is TENANT_DEFAULT. A row that was made so is bare
// until the tenant is made in earnest (created_at = 0), which takes it over (tenant_take_over).
NODISCARD bool tenant_intern(struct sql *db, struct str name, int64_t *out_id, struct err *err);
// ERR_NOT_FOUND for a name that never had a key.
NODISCARD bool tenant_find(struct sql *db, struct str name, int64_t *out_id, struct err *err);
// Makes a bare row's time of creation now. *out_id: 0 when there is no bare row of this name.
NODISCARD bool tenant_take_over(struct sql *db, struct str name, int64_t now_ns, int64_t *out_id, struct err *err);
// All of them; the visitor ends the walk by returning false with *err set.
typedef bool tenant_visit(void *arg, int64_t id, struct str name, struct err *err);
NODISCARD bool tenant_each(struct sql *db, tenant_visit *visit, void *arg, struct err *err);

#endif
