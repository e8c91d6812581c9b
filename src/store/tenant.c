// Reads and writes the rows of tenant.
#include "store/tenant.h"

bool tenant_find(struct sql *db, struct str name, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db), STR("SELECT id FROM tenant WHERE name = ?1"), &st, err)) return false;
    sql_bind_text(st, 1, name);
    if (!sql_step(st, &row, err)) return false;
    if (!row)
        return err_set(err, ERR_NOT_FOUND, "no key was ever made for tenant \"%.*s\"", STR_ARG(str_head(name, 64)));
    *out_id = sql_col_i64(st, 0);
    sql_reset(st);
    return true;
}

bool tenant_intern(struct sql *db, struct str name, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("INSERT INTO tenant (name) VALUES (?1) ON CONFLICT (name) DO NOTHING"), &st,
                     err))
        return false;
    sql_bind_text(st, 1, name);
    return sql_run(st, err) && tenant_find(db, name, out_id, err);
}

bool tenant_each(struct sql *db, tenant_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT id, name FROM tenant ORDER BY id"), &st, err)) return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (!visit(arg, sql_col_i64(st, 0), sql_col_text(st, 1), err)) break;
    }
    sql_reset(st);
    return false;
}
