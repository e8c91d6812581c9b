// Reads the rows of access_grant.
#include "store/grant.h"

#define COLUMNS                                                                                                        \
    "g.id, g.tenant_id, g.principal_kind, g.principal_id, g.effect, g.role, g.permissions, g.scope_kind, g.scope_id,"  \
    " CASE g.scope_kind WHEN 'project' THEN (SELECT p.team_id FROM project p WHERE p.id = g.scope_id) END,"            \
    " g.resource, g.condition, g.not_before, g.expires_at, g.revoked_at, g.granted_by_kind, g.granted_by_id,"          \
    " g.parent_id, g.elevation_id"
#define SELECT "SELECT " COLUMNS " FROM access_grant g"
#define OWNERS "(SELECT DISTINCT owner_kind, owner_id FROM api_key WHERE owner_kind <> '' AND revoked_at = 0) o"

static const struct str k_texts[GRANTS_PICK_COUNT] = {
    [GRANTS_OF_ONE] = STR_INIT(SELECT " WHERE g.principal_kind = ?1 AND g.principal_id = ?2"),
    [GRANTS_DENIES_OF_ONE] =
        STR_INIT(SELECT " WHERE g.principal_kind = ?1 AND g.principal_id = ?2 AND g.effect = 'deny'"),
    [GRANTS_BY_ID] = STR_INIT(SELECT " WHERE g.id = ?1"),
    [GRANTS_OF_TENANT] = STR_INIT(SELECT " WHERE g.tenant_id = ?1"),
    [GRANTS_FOR_PLATFORM] = STR_INIT(SELECT " WHERE g.scope_kind = 'platform'"),
    [GRANTS_OF_OWNERS] =
        STR_INIT("SELECT " COLUMNS " FROM " OWNERS " JOIN access_grant g ON g.principal_kind = o.owner_kind AND"
                 " g.principal_id = o.owner_id WHERE g.revoked_at = 0"),
    [GRANTS_OF_OWNERS_TEAMS] =
        STR_INIT("SELECT " COLUMNS " FROM (SELECT DISTINCT m.team_id AS id FROM " OWNERS " JOIN team_member m ON"
                 " m.principal_kind = o.owner_kind AND m.principal_id = o.owner_id) t JOIN access_grant g ON"
                 " g.principal_kind = 'team' AND g.principal_id = t.id WHERE g.revoked_at = 0"),
    [GRANTS_OF_KEYS_TENANTS] =
        STR_INIT("SELECT " COLUMNS " FROM (SELECT DISTINCT tenant_id AS id FROM api_key WHERE revoked_at = 0) t JOIN"
                 " access_grant g ON g.principal_kind = 'tenant' AND g.principal_id = t.id WHERE g.revoked_at = 0"),
};

static void bind(struct sql_stmt *st, enum grant_pick pick, struct str kind, int64_t id) {
    switch (pick) {
    case GRANTS_OF_ONE:
    case GRANTS_DENIES_OF_ONE:
        sql_bind_text(st, 1, kind);
        sql_bind_i64(st, 2, id);
        break;
    case GRANTS_BY_ID:
        sql_bind_i64(st, 1, id);
        break;
    case GRANTS_OF_TENANT: // in the tenant's scope
    case GRANTS_FOR_PLATFORM:
    case GRANTS_OF_OWNERS:
    case GRANTS_OF_OWNERS_TEAMS:
    case GRANTS_OF_KEYS_TENANTS:
    case GRANTS_PICK_COUNT:
        break;
    }
}

static bool row_read(struct sql_stmt *st, struct grant_row *out_row, struct err *err) {
    struct grant_row row = {
        .id = sql_col_i64(st, 0),
        .tenant_id = sql_col_i64(st, 1),
        .principal_kind = sql_col_text(st, 2),
        .principal_id = sql_col_i64(st, 3),
        .effect = sql_col_text(st, 4),
        .role = sql_col_text(st, 5),
        .permissions = sql_col_text(st, 6),
        .scope_kind = sql_col_text(st, 7),
        .scope_id = sql_col_i64(st, 8),
        .scope_team = sql_col_i64(st, 9),
        .resource = sql_col_text(st, 10),
        .condition = sql_col_text(st, 11),
        .not_before = sql_col_i64(st, 12),
        .expires_at = sql_col_i64(st, 13),
        .revoked_at = sql_col_i64(st, 14),
        .granted_by_kind = sql_col_text(st, 15),
        .granted_by_id = sql_col_i64(st, 16),
        .parent_id = sql_col_i64(st, 17),
        .elevation_id = sql_col_i64(st, 18),
    };
    // A text that could not be fetched for want of memory must not read as an empty one: an empty selector is all.
    bool read = row.principal_kind.p && row.effect.p && row.role.p && row.permissions.p && row.scope_kind.p &&
                row.resource.p && row.condition.p && row.granted_by_kind.p;
    if (!read) return err_no_memory(err);
    *out_row = row;
    return true;
}

bool grant_each(struct sql_scope scope, enum grant_pick pick, struct str kind, int64_t id, grant_visit *visit,
                void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, k_texts[pick], &st, err)) return false;
    bind(st, pick, kind, id);
    for (bool has;;) {
        struct grant_row row;
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        if (!row_read(st, &row, err) || !visit(arg, &row, err)) break;
    }
    sql_reset(st);
    return false;
}

bool grant_edits(struct sql *db, uint64_t *out_edits, struct err *err) {
    int64_t n;
    if (!sql_query_i64(sql_platform(db), STR("SELECT value FROM change_count WHERE name = 'access'"), &n, err))
        return false;
    *out_edits = (uint64_t)n;
    return true;
}

bool access_change_each(struct sql *db, uint64_t since, uint64_t until, access_change_visit *visit, void *arg,
                        struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT number, principal_kind, principal_id FROM access_change WHERE number > ?1 AND"
                         " number <= ?2"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, (int64_t)since);
    sql_bind_i64(st, 2, (int64_t)until);
    for (bool has;;) {
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        const struct access_change change = {(uint64_t)sql_col_i64(st, 0), sql_col_text(st, 1), sql_col_i64(st, 2)};
        if (!change.kind.p) err_no_memory(err);
        if (!change.kind.p || !visit(arg, &change, err)) break;
    }
    sql_reset(st);
    return false;
}
