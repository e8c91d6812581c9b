// What the files of a tenant's deletion share.
#ifndef STORE_TENANT_DELETE_IMPL_H
#define STORE_TENANT_DELETE_IMPL_H

#include "base/json_write.h"
#include "base/text.h"
#include "store/tenant_delete.h"
#include "store/tenant_table.h"

#include <stdio.h>

// All within a transaction.
NODISCARD bool tenant_count_deleted(struct sql *db, int64_t tenant, struct str table, int64_t n, struct err *err);
NODISCARD bool tenant_delete_table(struct sql *db, int64_t tenant, struct str table, struct err *err);
// Notes which data keys there are, and destroys them.
NODISCARD bool tenant_delete_keys(const struct tenant_deleter *d, int64_t tenant, struct err *err);
NODISCARD bool tenant_delete_state(struct sql *db, int64_t tenant, bool *out_finished, struct err *err);
// The last transaction: late rows, the audit trail, the tenant, the proof.
NODISCARD bool tenant_delete_finish(const struct tenant_deleter *d, int64_t tenant, struct err *err);

#endif
