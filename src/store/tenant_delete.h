// Deletes a tenant with all that is its own, and proves it.
//
// The order: the tenant is marked as being deleted (tenant_delete_begin, in the transaction of the request); then, in
// transactions of their own, its data keys are destroyed, so that whatever it sealed cannot be read any more; the rows
// of every table go (store/tenant_table.def), large tables lot by lot; and in one last transaction what came meanwhile,
// its audit trail, whose head the proof binds, and the tenant itself, while the proof is signed, kept and told of in
// the default tenant's trail. Each step can be repeated: what a killed process left is gone on with
// (tenant_delete_next, tenant_delete_run), by any process on the database, several at once as well. The number of a
// tenant is never given out again; its name may be.
//
// Ownership: text borrowed. Thread rule: the connection's; blocks, for as long as there are rows. Units: unix ns.
// Errors: those of sql.h, keeper.h and audit.h.
#ifndef STORE_TENANT_DELETE_H
#define STORE_TENANT_DELETE_H

#include "base/buf.h"
#include "store/audit.h"
#include "store/datadir.h"

struct tenant_delete_wish {
    int64_t tenant;
    struct str name, title, reason;
    struct str actor_kind, actor_id, actor_name, address, request_id;
    int64_t now;
};
// Within the caller's transaction: marks it. The caller has seen that it may go. Once more, it changes nothing.
NODISCARD bool tenant_delete_begin(struct sql *db, const struct tenant_delete_wish *wish, struct err *err);

struct tenant_deleter {
    struct sql *db; // without an open transaction
    const struct datadir *dir;
    const struct audit_signer *signer;
};
// All the rest, or what is left of it. ERR_NOT_FOUND: nobody began to delete this tenant.
NODISCARD bool tenant_delete_run(const struct tenant_deleter *d, int64_t tenant, struct err *err);
// The next tenant after this one whose deletion was begun and not finished; 0 = none.
NODISCARD bool tenant_delete_next(struct sql *db, int64_t after, int64_t *out_tenant, struct err *err);
// The next deleted tenant after this one, gone before `before`, whose counters in Redis nobody has taken out; 0 = none.
NODISCARD bool tenant_counters_next(struct sql *db, int64_t after, int64_t before, int64_t *out_tenant,
                                    struct err *err);
NODISCARD bool tenant_counters_done(struct sql *db, int64_t tenant, int64_t now_ns, struct err *err);
// Rows that a writer which was under way left of tenants that were deleted since: they go too.
NODISCARD bool tenant_delete_late(struct sql *db, int64_t since, struct err *err);

// The kept proof of the tenant with this number or, when it is 0, of the last one of this name, appended.
// ERR_NOT_FOUND; ERR_CONFLICT while it is being deleted.
NODISCARD bool tenant_proof_find(struct sql *db, int64_t tenant, struct str name, struct buf *out, struct err *err);

// Every table of the database that has a column tenant_id, as the database itself says.
typedef bool tenant_table_visit(void *arg, struct str table, struct err *err);
NODISCARD bool tenant_tables_each(struct sql *db, tenant_table_visit *visit, void *arg, struct err *err);

#endif
