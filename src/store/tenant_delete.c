// Deletes a tenant's rows, table by table, so that it can be stopped at any moment and gone on with.
#include "store/tenant_delete_impl.h"

#include "os/clock.h"
#include "store/tenant.h"

#define LOT 5000
#define LOT_TEXT "5000"
#define SQL_MAX 512

// --- beginning ---

bool tenant_delete_begin(struct sql *db, const struct tenant_delete_wish *w, struct err *err) {
    struct sql_stmt *st;
    const struct str texts[] = {w->name,     w->title,      w->reason,  w->actor_kind,
                                w->actor_id, w->actor_name, w->address, w->request_id};
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO tenant_deletion (tenant, begun_at, name, title, reason, actor_kind, actor_id,"
                         " actor_name, address, request_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
                         " ON CONFLICT (tenant) DO NOTHING"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, w->tenant);
    sql_bind_i64(st, 2, w->now);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) sql_bind_text(st, (int)i + 3, texts[i]);
    return sql_run(st, err);
}

bool tenant_delete_next(struct sql *db, int64_t after, int64_t *out_tenant, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(
            sql_platform(db),
            STR("SELECT tenant FROM tenant_deletion WHERE finished_at = 0 AND tenant > ?1 ORDER BY tenant LIMIT 1"),
            &st, err))
        return false;
    sql_bind_i64(st, 1, after);
    if (!sql_step(st, &row, err)) return false;
    *out_tenant = row ? sql_col_i64(st, 0) : 0;
    if (row) sql_reset(st);
    return true;
}

// --- rows ---

bool tenant_count_deleted(struct sql *db, int64_t tenant, struct str table, int64_t n, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO tenant_deletion_rows (tenant, name, deleted) VALUES (?1, ?2, ?3)"
                         " ON CONFLICT (tenant, name) DO UPDATE SET deleted = tenant_deletion_rows.deleted + ?3"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, tenant);
    sql_bind_text(st, 2, table);
    sql_bind_i64(st, 3, n);
    return sql_run(st, err);
}

// Within a transaction.
bool tenant_delete_table(struct sql *db, int64_t tenant, struct str table, struct err *err) {
    char text[SQL_MAX];
    struct sql_stmt *st;
    int n = snprintf(text, sizeof text, "DELETE FROM %.*s WHERE tenant_id = ?1", STR_ARG(table));
    return sql_prepare(sql_tenant(db, tenant), str_of(text, (size_t)n), &st, err) && sql_run(st, err) &&
           tenant_count_deleted(db, tenant, table, sql_changes(db), err);
}

static bool alone(struct sql *db, bool ok, struct err *err) {
    if (ok) return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

static bool table_alone(struct sql *db, int64_t tenant, struct str table, struct err *err) {
    return sql_begin(db, err) && alone(db, tenant_delete_table(db, tenant, table, err), err);
}

// The largest id of the next lot; *out_n: how many rows it has.
static bool lot_find(struct sql *db, int64_t tenant, struct str table, int64_t after, int64_t *out_last, int64_t *out_n,
                     struct err *err) {
    char text[SQL_MAX];
    struct sql_stmt *st;
    bool row;
    int n = snprintf(text, sizeof text,
                     "SELECT coalesce(max(id), 0), count(*) FROM (SELECT id FROM %.*s WHERE tenant_id = ?1 AND id > ?2"
                     " ORDER BY id LIMIT " LOT_TEXT ") AS lot",
                     STR_ARG(table));
    if (!sql_prepare(sql_tenant(db, tenant), str_of(text, (size_t)n), &st, err)) return false;
    sql_bind_i64(st, 2, after);
    if (!sql_step(st, &row, err)) return false;
    *out_last = row ? sql_col_i64(st, 0) : 0;
    *out_n = row ? sql_col_i64(st, 1) : 0;
    sql_reset(st);
    return true;
}

static bool lot_delete(struct sql *db, int64_t tenant, struct str table, int64_t after, int64_t last, struct err *err) {
    char text[SQL_MAX];
    struct sql_stmt *st;
    int n =
        snprintf(text, sizeof text, "DELETE FROM %.*s WHERE tenant_id = ?1 AND id > ?2 AND id <= ?3", STR_ARG(table));
    if (!sql_prepare(sql_tenant(db, tenant), str_of(text, (size_t)n), &st, err)) return false;
    sql_bind_i64(st, 2, after);
    sql_bind_i64(st, 3, last);
    return sql_run(st, err) && tenant_count_deleted(db, tenant, table, sql_changes(db), err);
}

static bool lots_delete(struct sql *db, int64_t tenant, struct str table, struct err *err) {
    for (int64_t after = INT64_MIN, last, n;; after = last) {
        if (!lot_find(db, tenant, table, after, &last, &n, err)) return false;
        if (!n) return true;
        if (!sql_begin(db, err) || !alone(db, lot_delete(db, tenant, table, after, last, err), err)) return false;
        if (n < LOT) return true;
    }
}

// What rows of other tenants say of its people, programs, teams and grants.
static bool elsewhere(struct sql *db, int64_t tenant, struct err *err) {
#define ITS                                                                                                            \
    "(principal_kind = 'user' AND principal_id IN (SELECT id FROM app_user WHERE tenant_id = ?1))"                     \
    " OR (principal_kind = 'service_account' AND principal_id IN (SELECT id FROM service_account WHERE"                \
    " tenant_id = ?1))"                                                                                                \
    " OR (principal_kind = 'team' AND principal_id IN (SELECT id FROM team WHERE tenant_id = ?1))"                     \
    " OR (principal_kind = 'tenant' AND principal_id = ?1)"
    static const struct str texts[] = {
        STR_INIT("UPDATE access_grant SET revoked_at = ?2, updated_at = ?2, version = version + 1"
                 " WHERE tenant_id <> ?1 AND revoked_at = 0 AND (" ITS
                 " OR parent_id IN (SELECT id FROM access_grant WHERE tenant_id = ?1))"),
        STR_INIT("UPDATE access_grant SET parent_id = NULL, updated_at = ?2 WHERE tenant_id <> ?1"
                 " AND parent_id IN (SELECT id FROM access_grant WHERE tenant_id = ?1)"),
        STR_INIT("DELETE FROM team_member WHERE tenant_id <> ?1 AND created_at <= ?2 AND (" ITS ")"),
    };
#undef ITS
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct sql_stmt *st;
        if (!sql_prepare(sql_platform(db), texts[i], &st, err)) return false;
        sql_bind_i64(st, 1, tenant);
        sql_bind_i64(st, 2, clock_unix_ns());
        if (!sql_run(st, err)) return false;
    }
    return true;
}

static bool usage_delete(const struct datadir *dir, int64_t tenant, struct err *err) {
    // Its own lane: a batch of usage that comes after this transaction sees that the tenant goes, and leaves it out.
    struct sql_options o = {.mode = SQL_READ_WRITE, .busy_ms = SQL_BUSY_MS_DEFAULT, .lane = SQL_LANE_USAGE};
    struct sql *db;
    if (!sql_open(str_c(dir->database), &o, &db, err)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < tenant_table_count(); i++) {
        const struct tenant_table *t = tenant_table_at(i);
        if (t->rows != TENANT_ROWS_USAGE) continue;
        if (str_eq(t->name, STR("usage"))) ok = lots_delete(db, tenant, t->name, err);
        ok = ok && table_alone(db, tenant, t->name, err);
    }
    sql_close(db);
    return ok;
}

static bool rows_delete(const struct tenant_deleter *d, int64_t tenant, struct err *err) {
    if (!sql_begin(d->db, err) || !alone(d->db, elsewhere(d->db, tenant, err), err)) return false;
    for (size_t i = 0; i < tenant_table_count(); i++) {
        const struct tenant_table *t = tenant_table_at(i);
        bool ok = t->rows == TENANT_ROWS_FEW    ? table_alone(d->db, tenant, t->name, err)
                  : t->rows == TENANT_ROWS_MANY ? lots_delete(d->db, tenant, t->name, err)
                                                : true;
        if (!ok) return false;
    }
    return usage_delete(d->dir, tenant, err);
}

// --- keys ---

static bool key_note(struct sql *db, int64_t tenant, struct str json, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("UPDATE tenant_deletion SET data_keys = data_keys || CASE WHEN data_keys = '' THEN '' ELSE ','"
                         " END || ?2 WHERE tenant = ?1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, tenant);
    sql_bind_text(st, 2, json);
    return sql_run(st, err);
}

// As JSON objects, commas between; *out_n: how many there are.
static bool keys_read(struct sql *db, int64_t tenant, struct buf *out, int64_t *out_n, struct err *err) {
    struct sql_stmt *st;
    struct json_writer w;
    *out_n = 0;
    if (!sql_prepare(
            sql_tenant(db, tenant),
            STR("SELECT purpose, version, key_id FROM data_key WHERE tenant_id = ?1 ORDER BY purpose, version"), &st,
            err))
        return false;
    for (bool row;;) {
        BUF_AUTO struct buf hex = BUF_INIT(64);
        if (!sql_step(st, &row, err)) return false;
        if (!row) break;
        if ((*out_n)++) buf_putc(out, ',');
        hex_put(&hex, sql_col_blob(st, 2));
        json_writer_init(&w, out);
        json_put_object(&w);
        json_put_member_str(&w, STR("id"), buf_str(&hex));
        json_put_member_str(&w, STR("purpose"), sql_col_text(st, 0));
        json_put_member_i64(&w, STR("version"), sql_col_i64(st, 1));
        json_put_object_end(&w);
    }
    return !out->failed || err_no_memory(err);
}

bool tenant_delete_keys(const struct tenant_deleter *d, int64_t tenant, struct err *err) {
    BUF_AUTO struct buf keys = BUF_INIT((size_t)1 << 20);
    int64_t n;
    return keys_read(d->db, tenant, &keys, &n, err) && (!n || key_note(d->db, tenant, buf_str(&keys), err)) &&
           tenant_count_deleted(d->db, tenant, STR("data_key"), n, err) &&
           keeper_destroy(d->dir->keeper, sql_tenant(d->db, tenant), err);
}

// --- all of it ---

bool tenant_delete_state(struct sql *db, int64_t tenant, bool *out_finished, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db), STR("SELECT finished_at FROM tenant_deletion WHERE tenant = ?1"), &st, err))
        return false;
    sql_bind_i64(st, 1, tenant);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_NOT_FOUND, "this tenant is not being deleted");
    *out_finished = sql_col_i64(st, 0) != 0;
    sql_reset(st);
    return true;
}

// What was deleted is overwritten, and the log of an embedded database holds nothing of it any more.
static bool hide(struct sql *db, struct err *err) {
    return sql_is_postgres(db) || sql_exec(db, STR("PRAGMA secure_delete = ON"), err);
}

bool tenant_delete_run(const struct tenant_deleter *d, int64_t tenant, struct err *err) {
    bool finished;
    INVARIANT(tenant > TENANT_DEFAULT);
    if (!tenant_delete_state(d->db, tenant, &finished, err)) return false;
    if (finished) return true;
    if (!hide(d->db, err) || !sql_begin(d->db, err) || !alone(d->db, tenant_delete_keys(d, tenant, err), err) ||
        !rows_delete(d, tenant, err))
        return false;
    if (!sql_begin(d->db, err) || !alone(d->db, tenant_delete_finish(d, tenant, err), err)) return false;
    // Nothing is left to destroy; the bytes that were go from the log of an embedded database.
    return keeper_destroy(d->dir->keeper, sql_tenant(d->db, tenant), err);
}

// --- counters in Redis, which others delete ---

bool tenant_counters_next(struct sql *db, int64_t after, int64_t before, int64_t *out_tenant, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(
            sql_platform(db),
            STR("SELECT tenant FROM tenant_deletion WHERE tenant > ?1 AND finished_at <> 0 AND finished_at < ?2"
                " AND counters_at = 0 ORDER BY tenant LIMIT 1"),
            &st, err))
        return false;
    sql_bind_i64(st, 1, after);
    sql_bind_i64(st, 2, before);
    if (!sql_step(st, &row, err)) return false;
    *out_tenant = row ? sql_col_i64(st, 0) : 0;
    if (row) sql_reset(st);
    return true;
}

bool tenant_counters_done(struct sql *db, int64_t tenant, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("UPDATE tenant_deletion SET counters_at = ?2 WHERE tenant = ?1"), &st, err))
        return false;
    sql_bind_i64(st, 1, tenant);
    sql_bind_i64(st, 2, now_ns);
    return sql_run(st, err);
}

// --- what came late ---

static bool late_one(struct sql *db, int64_t tenant, struct err *err) {
    char text[SQL_MAX];
    for (size_t i = 0; i < tenant_table_count(); i++) {
        const struct tenant_table *t = tenant_table_at(i);
        struct sql_stmt *st;
        // Usage is kept out by whoever writes it.
        if (t->rows != TENANT_ROWS_FEW && t->rows != TENANT_ROWS_MANY && !str_eq(t->name, STR("audit_cursor")))
            continue;
        int n = snprintf(text, sizeof text, "DELETE FROM %.*s WHERE tenant_id = ?1", STR_ARG(t->name));
        if (!sql_prepare(sql_tenant(db, tenant), str_of(text, (size_t)n), &st, err) || !sql_run(st, err)) return false;
    }
    return true;
}

bool tenant_delete_late(struct sql *db, int64_t since, struct err *err) {
    for (int64_t after = 0;;) {
        struct sql_stmt *st;
        bool row;
        if (!sql_prepare(sql_platform(db),
                         STR("SELECT tenant FROM tenant_deletion WHERE finished_at > ?1 AND tenant > ?2"
                             " ORDER BY tenant LIMIT 1"),
                         &st, err))
            return false;
        sql_bind_i64(st, 1, MAX(since, (int64_t)0));
        sql_bind_i64(st, 2, after);
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        after = sql_col_i64(st, 0);
        sql_reset(st);
        if (!sql_begin(db, err) || !alone(db, late_one(db, after, err), err)) return false;
    }
}
