// Reads those whom grants are given to: users, service accounts, teams, tenants, and who is in which team.
#include "store/grant.h"

#define OWNERS "(SELECT DISTINCT owner_kind, owner_id FROM api_key WHERE owner_kind <> '' AND revoked_at = 0) o"

static struct str text_of_kind(struct str kind) {
    if (str_eq(kind, STR("user"))) return STR("SELECT tenant_id, status FROM app_user WHERE id = ?1");
    if (str_eq(kind, STR("service_account"))) return STR("SELECT tenant_id, status FROM service_account WHERE id = ?1");
    if (str_eq(kind, STR("team"))) return STR("SELECT tenant_id, 'active' FROM team WHERE id = ?1");
    if (str_eq(kind, STR("tenant"))) return STR("SELECT id, status FROM tenant WHERE id = ?1");
    return STR_NONE;
}

bool holder_find(struct sql *db, struct str kind, int64_t id, struct holder_row *out_row, struct err *err) {
    struct sql_stmt *st;
    struct str text = text_of_kind(kind);
    struct holder_row row = {.kind = kind, .id = id};
    bool has;
    if (!text.n) {
        *out_row = row;
        return true;
    }
    if (!sql_prepare(sql_platform(db), text, &st, err)) return false;
    sql_bind_i64(st, 1, id);
    if (!sql_step(st, &has, err)) return false;
    if (has) {
        row.tenant_id = sql_col_i64(st, 0);
        row.active = str_eq(sql_col_text(st, 1), STR("active"));
        sql_reset(st);
    }
    *out_row = row;
    return true;
}

// Runs a statement whose columns are kind, id, tenant, status.
static bool each_holder(struct sql_stmt *st, holder_visit *visit, void *arg, struct err *err) {
    for (bool has;;) {
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        const struct holder_row row = {.kind = sql_col_text(st, 0),
                                       .id = sql_col_i64(st, 1),
                                       .tenant_id = sql_col_i64(st, 2),
                                       .active = str_eq(sql_col_text(st, 3), STR("active"))};
        if (!row.kind.p) err_no_memory(err);
        if (!row.kind.p || !visit(arg, &row, err)) break;
    }
    sql_reset(st);
    return false;
}

bool holder_each_owner(struct sql *db, holder_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    static const struct str text = STR_INIT(
        "SELECT o.owner_kind, o.owner_id, coalesce(u.tenant_id, s.tenant_id), coalesce(u.status, s.status) FROM " OWNERS
        " LEFT JOIN app_user u ON o.owner_kind = 'user' AND u.id = o.owner_id"
        " LEFT JOIN service_account s ON o.owner_kind = 'service_account' AND s.id = o.owner_id");
    return sql_prepare(sql_platform(db), text, &st, err) && each_holder(st, visit, arg, err);
}

bool holder_each_idle_tenant(struct sql *db, holder_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    static const struct str text = STR_INIT("SELECT 'tenant', id, id, status FROM tenant WHERE status <> 'active'");
    return sql_prepare(sql_platform(db), text, &st, err) && each_holder(st, visit, arg, err);
}

bool holder_each_of_tenant(struct sql_scope scope, holder_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    static const struct str users = STR_INIT("SELECT 'user', id, tenant_id, status FROM app_user WHERE tenant_id = ?1");
    static const struct str accounts =
        STR_INIT("SELECT 'service_account', id, tenant_id, status FROM service_account WHERE tenant_id = ?1");
    if (!sql_prepare(scope, users, &st, err) || !each_holder(st, visit, arg, err)) return false;
    return sql_prepare(scope, accounts, &st, err) && each_holder(st, visit, arg, err);
}

// Runs a statement whose columns are team, kind, id.
static bool each_member(struct sql_stmt *st, member_visit *visit, void *arg, struct err *err) {
    for (bool has;;) {
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        const struct member_row row = {sql_col_i64(st, 0), sql_col_text(st, 1), sql_col_i64(st, 2)};
        if (!row.kind.p) err_no_memory(err);
        if (!row.kind.p || !visit(arg, &row, err)) break;
    }
    sql_reset(st);
    return false;
}

bool member_each_of_one(struct sql *db, struct str kind, int64_t id, member_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    static const struct str text = STR_INIT("SELECT team_id, principal_kind, principal_id FROM team_member"
                                            " WHERE principal_kind = ?1 AND principal_id = ?2");
    if (!sql_prepare(sql_platform(db), text, &st, err)) return false;
    sql_bind_text(st, 1, kind);
    sql_bind_i64(st, 2, id);
    return each_member(st, visit, arg, err);
}

bool member_each_of_owners(struct sql *db, member_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    static const struct str text = STR_INIT("SELECT m.team_id, m.principal_kind, m.principal_id FROM " OWNERS
                                            " JOIN team_member m ON m.principal_kind = o.owner_kind AND"
                                            " m.principal_id = o.owner_id");
    return sql_prepare(sql_platform(db), text, &st, err) && each_member(st, visit, arg, err);
}

bool member_each_of_tenant(struct sql_scope scope, member_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    static const struct str text =
        STR_INIT("SELECT team_id, principal_kind, principal_id FROM team_member WHERE tenant_id = ?1");
    return sql_prepare(scope, text, &st, err) && each_member(st, visit, arg, err);
}
