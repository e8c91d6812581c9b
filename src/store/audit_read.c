// Reads events, heads and checkpoints of the audit trail.
#include "store/audit_read.h"

bool audit_record_read(struct sql_stmt *st, struct audit_record *out_record, struct err *err) {
    int64_t outcome = sql_col_i64(st, 4);
    struct str hash = sql_col_blob(st, 5);
    struct audit_record r = {.id = sql_col_i64(st, 0), .tenant = sql_col_i64(st, 1)};
    r.event.seq = sql_col_i64(st, 2);
    r.event.at = sql_col_i64(st, 3);
    // A value that no build writes hashes as what it is, so that verifying tells; shown, it is a failure.
    r.event.outcome = (enum audit_outcome)outcome;
    r.address_key = sql_col_text(st, 6);
    int at = 7;
#define READ(field) r.event.field = sql_col_text(st, at++);
    AUDIT_TEXTS(READ)
#undef READ
    if (outcome < 0 || outcome >= AUDIT_OUTCOME_COUNT || hash.n != sizeof r.hash.p)
        return err_set(err, ERR_STORE, "event %lld of the audit trail is damaged", (long long)r.event.seq);
    memcpy(r.hash.p, hash.p, sizeof r.hash.p);
    *out_record = r;
    return true;
}

static bool show(struct sql_stmt *st, audit_visit *visit, void *arg, bool *out_any, struct err *err) {
    *out_any = false;
    for (bool row;;) {
        struct audit_record record;
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        *out_any = true;
        if (!audit_record_read(st, &record, err) || !visit(arg, &record, err)) break;
    }
    sql_reset(st);
    return false;
}

// Page by page, for a driver may hold a whole result in memory.
#define PAGE 1000
struct paging {
    audit_visit *visit;
    void *arg;
    int64_t n, last;
};

static bool visit_counted(void *arg, const struct audit_record *record, struct err *err) {
    struct paging *p = arg;
    p->n++;
    p->last = record->event.seq;
    return p->visit(p->arg, record, err);
}

bool audit_each(struct sql_scope scope, int64_t first, int64_t limit, audit_visit *visit, void *arg, struct err *err) {
    int64_t left = limit > 0 ? limit : INT64_MAX;
    while (left > 0) {
        struct sql_stmt *st;
        struct paging p = {.visit = visit, .arg = arg};
        int64_t n = left < PAGE ? left : PAGE;
        bool any;
        if (!sql_prepare(scope,
                         STR("SELECT " AUDIT_RECORD_COLUMNS
                             " FROM audit_event e WHERE e.tenant_id = ?1 AND e.seq >= ?2 ORDER BY e.seq LIMIT ?3"),
                         &st, err))
            return false;
        sql_bind_i64(st, 2, first);
        sql_bind_i64(st, 3, n);
        if (!show(st, visit_counted, &p, &any, err)) return false;
        if (p.n < n || p.last == INT64_MAX) return true;
        first = p.last + 1;
        left -= n;
    }
    return true;
}

bool audit_get(struct sql_scope scope, int64_t seq, audit_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    bool any;
    if (!sql_prepare(scope,
                     STR("SELECT " AUDIT_RECORD_COLUMNS " FROM audit_event e WHERE e.tenant_id = ?1 AND e.seq = ?2"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, seq);
    if (!show(st, visit, arg, &any, err)) return false;
    return any || err_set(err, ERR_NOT_FOUND, "the audit trail has no event %lld", (long long)seq);
}

bool audit_head_row(struct sql_stmt *st, struct audit_head *out_head) {
    struct audit_head head = {.tenant = sql_col_i64(st, 0),
                              .seq = sql_col_i64(st, 1),
                              .at = sql_col_i64(st, 2),
                              .key_id = sql_col_i64(st, 4)};
    struct str hash = sql_col_blob(st, 3);
    bool ok = hash.n == sizeof head.hash.p;
    if (ok) memcpy(head.hash.p, hash.p, sizeof head.hash.p);
    struct str signature = sql_col_blob(st, 5);
    ok = ok && signature.n == sizeof head.signature;
    if (ok) memcpy(head.signature, signature.p, sizeof head.signature);
    if (ok) *out_head = head;
    return ok;
}

bool audit_head_read(struct sql_scope scope, struct audit_head *out_head, int64_t *out_checkpoint_seq, bool *out_has,
                     struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, STR("SELECT " AUDIT_HEAD_COLUMNS ", checkpoint_seq FROM audit_head WHERE tenant_id = ?1"),
                     &st, err) ||
        !sql_step(st, out_has, err))
        return false;
    if (!*out_has) return true;
    bool ok = audit_head_row(st, out_head);
    *out_checkpoint_seq = sql_col_i64(st, 6);
    sql_reset(st);
    return ok || err_set(err, ERR_STORE, "the head of the audit trail is damaged");
}

bool audit_checkpoint_each(struct sql_scope scope, int64_t last, int64_t limit, audit_head_visit *visit, void *arg,
                           struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("SELECT " AUDIT_HEAD_COLUMNS " FROM audit_checkpoint WHERE tenant_id = ?1 AND seq <= ?2"
                         " ORDER BY seq DESC LIMIT ?3"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, last > 0 ? last : INT64_MAX);
    sql_bind_i64(st, 3, limit > 0 ? limit : INT64_MAX);
    for (bool row;;) {
        struct audit_head head;
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (!audit_head_row(st, &head)) {
            err_set(err, ERR_STORE, "checkpoint %lld of the audit trail is damaged", (long long)sql_col_i64(st, 1));
            break;
        }
        if (!visit(arg, &head, err)) break;
    }
    sql_reset(st);
    return false;
}

bool audit_tenant_next(struct sql *db, int64_t after, int64_t *out_tenant, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT coalesce(min(t), 0) FROM"
                         " (SELECT min(tenant_id) AS t FROM audit_event WHERE tenant_id > ?1"
                         " UNION ALL SELECT min(tenant_id) FROM audit_head WHERE tenant_id > ?1"
                         " UNION ALL SELECT min(tenant_id) FROM audit_checkpoint WHERE tenant_id > ?1) AS u"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, after);
    if (!sql_step(st, &row, err)) return false;
    *out_tenant = row ? sql_col_i64(st, 0) : 0;
    if (row) sql_reset(st);
    return true;
}
