// What every SQL driver shares: choosing the driver, transactions, one-value queries.
#include "store/sql_driver.h"

#include "base/utf8.h"

static const struct sql_ops *const drivers[] = {
#define SQL_DRIVER(name) &sql_driver_##name,
#include "store/drivers.def"
#undef SQL_DRIVER
};

bool sql_open(struct str where, const struct sql_options *options, struct sql **out_db, struct err *err) {
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (drivers[i]->accepts(where)) return drivers[i]->open(where, options, out_db, err);
    // Only the scheme: the rest may hold a password.
    struct str scheme = str_head(where, str_find(where, STR("://")));
    return err_set(err, ERR_STORE,
                   "there is no database driver for \"%.*s://\": give a file path for SQLite, or postgres://…",
                   STR_ARG(str_head(scheme, 32)));
}

bool sql_is_postgres(const struct sql *db) { return db->ops == &sql_driver_postgres; }

bool sql_is_text(struct str s) { return utf8_valid(s) && !(s.n && memchr(s.p, 0, s.n)); }

void sql_close(struct sql *db) {
    if (db) db->ops->close(db);
}

bool sql_run(struct sql_stmt *st, struct err *err) {
    bool row;
    do {
        if (!sql_step(st, &row, err)) return false;
    } while (row);
    return true;
}

struct sql_scope sql_tenant(struct sql *db, int64_t tenant) {
    INVARIANT(tenant > 0);
    return (struct sql_scope){db, tenant};
}

static void enter(struct sql_scope scope, struct str text) {
    bool tenants = scope.tenant != SQL_PLATFORM;
    INVARIANT(!tenants || (str_find(text, STR("tenant_id")) < text.n && str_find(text, STR("?1")) < text.n));
    if (scope.db->ops->enter) scope.db->ops->enter(scope.db, scope.tenant);
}

bool sql_prepare(struct sql_scope scope, struct str text, struct sql_stmt **out_stmt, struct err *err) {
    enter(scope, text);
    if (!scope.db->ops->prepare(scope.db, text, out_stmt, err)) return false;
    if (scope.tenant != SQL_PLATFORM) sql_bind_i64(*out_stmt, 1, scope.tenant);
    return true;
}

bool sql_prepare_scan(struct sql_scope scope, struct str text, unsigned columns, struct sql_stmt **out_stmt,
                      struct err *err) {
    const struct sql_ops *ops = scope.db->ops;
    INVARIANT(columns > 0 && columns <= SQL_SCAN_MAX);
    if (!ops->prepare_scan) return sql_prepare(scope, text, out_stmt, err);
    enter(scope, text);
    if (!ops->prepare_scan(scope.db, text, columns, out_stmt, err)) return false;
    if (scope.tenant != SQL_PLATFORM) sql_bind_i64(*out_stmt, 1, scope.tenant);
    return true;
}

bool sql_scan(struct sql_stmt *st, unsigned columns, const struct sql_scan *scan, struct err *err) {
    if (st->db->ops->scan) return st->db->ops->scan(st, scan, err);
    for (bool more;;) {
        int64_t row[SQL_SCAN_MAX];
        if (!sql_step(st, &more, err)) return false;
        if (!more) return true;
        for (unsigned i = 0; i < columns; i++) row[i] = sql_col_i64(st, (int)i);
        if (scan->each(scan->arg, row, err)) continue;
        sql_reset(st);
        return false;
    }
}

bool sql_query_i64(struct sql_scope scope, struct str text, int64_t *out_value, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(scope, text, &st, err) || !sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_NOT_FOUND, "the database holds no row for this query");
    *out_value = sql_col_i64(st, 0);
    sql_reset(st);
    return true;
}

bool sql_begin(struct sql *db, struct err *err) {
    db->durable = false;
    return db->ops->begin(db, err);
}

bool sql_durable(struct sql *db, struct err *err) {
    INVARIANT(db->ops->in_transaction(db));
    if (!db->durable && db->ops->durable && !db->ops->durable(db, err)) return false;
    db->durable = true;
    return true;
}

bool sql_commit(struct sql *db, struct err *err) {
    bool durable = db->durable;
    db->durable = false;
    if (db->ops->commit(db, err)) return !durable || !db->ops->sync || db->ops->sync(db, err);
    sql_rollback(db);
    return false;
}

void sql_rollback(struct sql *db) {
    if (db->ops->in_transaction(db)) db->ops->rollback(db);
}

void sql_rest(struct sql *db) {
    if (db->ops->reset_all) db->ops->reset_all(db);
    sql_rollback(db);
}
