// Reads the audit trail back: chains in their order, heads, checkpoints, and one event.
//
// Ownership: what a visitor is shown lives for the call. Thread rule: the connection's. Errors: those of sql.h, and
// whatever a visitor sets when it returns false.
#ifndef STORE_AUDIT_READ_H
#define STORE_AUDIT_READ_H

#include "store/audit_chain.h"

struct audit_record {
    int64_t id; // in the order of writing, over all tenants
    int64_t tenant;
    struct audit_event event;
    struct audit_hash hash;
    struct str address_key;
};
typedef bool audit_visit(void *arg, const struct audit_record *record, struct err *err);

// The columns of a record, of the table as e; and a row of them, borrowed from the statement.
#define AUDIT_RECORD_COLUMNS                                                                                           \
    "e.id, e.tenant_id, e.seq, e.at, e.outcome, e.hash, e.address_key, e.actor_kind, e.actor_id, e.actor_name,"        \
    " e.on_behalf, e.action, e.resource_type, e.resource_id, e.resource_name, e.reason, e.address, e.agent,"           \
    " e.request_id, e.before_json, e.after_json"
NODISCARD bool audit_record_read(struct sql_stmt *st, struct audit_record *out_record, struct err *err);

// A tenant's events from `first` on, in their order, at most `limit` (0 = all).
NODISCARD bool audit_each(struct sql_scope scope, int64_t first, int64_t limit, audit_visit *visit, void *arg,
                          struct err *err);
// ERR_NOT_FOUND.
NODISCARD bool audit_get(struct sql_scope scope, int64_t seq, audit_visit *visit, void *arg, struct err *err);

// *out_has: whether the tenant has a chain.
NODISCARD bool audit_head_read(struct sql_scope scope, struct audit_head *out_head, int64_t *out_checkpoint_seq,
                               bool *out_has, struct err *err);
// The newest `limit` (0 = all) up to and with seq `last` (0 = all), newest first.
typedef bool audit_head_visit(void *arg, const struct audit_head *head, struct err *err);
NODISCARD bool audit_checkpoint_each(struct sql_scope scope, int64_t last, int64_t limit, audit_head_visit *visit,
                                     void *arg, struct err *err);
// The next tenant after this one that has anything of a chain; 0 = none.
NODISCARD bool audit_tenant_next(struct sql *db, int64_t after, int64_t *out_tenant, struct err *err);

// A statement of heads (HEAD_COLUMNS) read for verify.
#define AUDIT_HEAD_COLUMNS "tenant_id, seq, at, hash, key_id, signature"
NODISCARD bool audit_head_row(struct sql_stmt *st, struct audit_head *out_head);

#endif
