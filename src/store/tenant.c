// Reads and writes the rows of tenant.
#include "store/tenant.h"

static struct str stored(struct str name) { return str_eq(name, STR(TENANT_DEFAULT_NAME)) ? STR("") : name; }

bool tenant_find(struct sql *db, struct str name, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db), STR("SELECT id FROM tenant WHERE name = ?1"), &st, err)) return false;
    sql_bind_text(st, 1, stored(name));
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
    sql_bind_text(st, 1, stored(name));
    if (!sql_run(st, err) || !tenant_find(db, name, out_id, err)) return false;
    bool going;
    if (!sql_prepare(sql_tenant(db, *out_id),
                     STR("SELECT id AS tenant_id FROM tenant WHERE id = ?1 AND status = 'deleting'"), &st, err) ||
        !sql_step(st, &going, err))
        return false;
    sql_reset(st);
    return !going || err_set(err, ERR_WRONG_STATE, "tenant \"%.*s\" is being deleted", STR_ARG(str_head(name, 64)));
}

bool tenant_take_over(struct sql *db, struct str name, int64_t now_ns, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    *out_id = 0;
    if (!sql_prepare(sql_platform(db),
                     STR("UPDATE tenant SET created_at = ?2 WHERE name = ?1 AND created_at = 0 AND id <> 1"
                         " RETURNING id AS tenant_id"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, name);
    sql_bind_i64(st, 2, now_ns);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    *out_id = sql_col_i64(st, 0);
    return sql_run(st, err);
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
