// Reads the rows of role.
#include "store/role.h"

#define COLUMNS "id, tenant_id, name, parents, permissions"

bool role_each(struct sql_scope scope, role_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    struct str text = scope.tenant == SQL_PLATFORM
                          ? STR("SELECT " COLUMNS " FROM role ORDER BY id")
                          : STR("SELECT " COLUMNS " FROM role WHERE tenant_id = ?1 ORDER BY id");
    if (!sql_prepare(scope, text, &st, err)) return false;
    for (bool has;;) {
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        struct role_row row = {.id = sql_col_i64(st, 0),
                               .tenant_id = sql_col_i64(st, 1),
                               .name = sql_col_text(st, 2),
                               .parents = sql_col_text(st, 3),
                               .permissions = sql_col_text(st, 4)};
        bool read = row.name.p && row.parents.p && row.permissions.p;
        if (!read) err_no_memory(err);
        if (!read || !visit(arg, &row, err)) break;
    }
    sql_reset(st);
    return false;
}
