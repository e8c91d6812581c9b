// Reads and writes what app_user and recovery_code hold for signing in.
#include "store/user.h"

// rights: a number and a time for the grants the user has, and for the teams. A grant that is given, changed, revoked
// or deleted moves one of them.
#define COLUMNS                                                                                                        \
    "SELECT u.id, u.tenant_id, t.name, t.status, u.email, u.name, u.status, u.password_hash, u.password_at,"           \
    " u.totp_secret, u.totp_at, u.totp_step, u.last_sign_in_at, u.locked_until,"                                       \
    " (SELECT count(*) FROM access_grant g WHERE g.principal_kind = 'user' AND g.principal_id = u.id),"                \
    " (SELECT coalesce(max(g.updated_at), 0) FROM access_grant g"                                                      \
    "  WHERE g.principal_kind = 'user' AND g.principal_id = u.id),"                                                    \
    " (SELECT count(*) FROM team_member m WHERE m.principal_kind = 'user' AND m.principal_id = u.id),"                 \
    " (SELECT coalesce(max(m.created_at), 0) FROM team_member m"                                                       \
    "  WHERE m.principal_kind = 'user' AND m.principal_id = u.id)"                                                     \
    " FROM app_user u JOIN tenant t ON t.id = u.tenant_id "

static bool own(struct arena *arena, struct str text, struct str *out_copy) {
    *out_copy = arena_str(arena, text);
    return out_copy->p || !text.n;
}

bool user_may_act(const struct user_row *user) {
    return str_eq(user->status, STR("active")) && str_eq(user->tenant_status, STR("active"));
}

static bool row_read(struct sql_stmt *st, struct arena *arena, struct user_row *out_row, struct err *err) {
    struct user_row row = {
        .id = sql_col_i64(st, 0),
        .tenant_id = sql_col_i64(st, 1),
        .password_at = sql_col_i64(st, 8),
        .totp_at = sql_col_i64(st, 10),
        .totp_step = sql_col_i64(st, 11),
        .last_sign_in_at = sql_col_i64(st, 12),
        .locked_until = sql_col_i64(st, 13),
    };
    row.rights =
        arena_printf(arena, "%lld.%lld.%lld.%lld", (long long)sql_col_i64(st, 14), (long long)sql_col_i64(st, 15),
                     (long long)sql_col_i64(st, 16), (long long)sql_col_i64(st, 17));
    bool ok = row.rights.n && own(arena, sql_col_text(st, 2), &row.tenant) &&
              own(arena, sql_col_text(st, 3), &row.tenant_status) && own(arena, sql_col_text(st, 4), &row.email) &&
              own(arena, sql_col_text(st, 5), &row.name) && own(arena, sql_col_text(st, 6), &row.status) &&
              own(arena, sql_col_text(st, 7), &row.password_hash) && own(arena, sql_col_blob(st, 9), &row.totp_secret);
    if (!ok) return err_no_memory(err);
    *out_row = row;
    return true;
}

static bool rows_read(struct sql_stmt *st, struct arena *arena, struct user_row *out_rows, size_t max, size_t *out_n,
                      struct err *err) {
    size_t n = 0;
    for (bool row; n < max; n++) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) break;
        if (row_read(st, arena, &out_rows[n], err)) continue;
        sql_reset(st);
        return false;
    }
    sql_reset(st);
    *out_n = n;
    return true;
}

bool user_by_email(struct sql_scope scope, struct str email, struct arena *arena, struct user_row *out_rows, size_t max,
                   size_t *out_n, struct err *err) {
    struct sql_stmt *st;
    bool all = scope.tenant == SQL_PLATFORM;
    struct str text = all ? STR(COLUMNS "WHERE u.email = ?1 ORDER BY u.id LIMIT ?2")
                          : STR(COLUMNS "WHERE u.tenant_id = ?1 AND u.email = ?2 ORDER BY u.id LIMIT ?3");
    if (!sql_prepare(scope, text, &st, err)) return false;
    sql_bind_text(st, all ? 1 : 2, email);
    sql_bind_i64(st, all ? 2 : 3, (int64_t)max);
    return rows_read(st, arena, out_rows, max, out_n, err);
}

static bool nobody(struct err *err) { return err_set(err, ERR_NOT_FOUND, "there is no such user"); }

bool user_get(struct sql_scope tenant, int64_t id, struct arena *arena, struct user_row *out_row, struct err *err) {
    struct sql_stmt *st;
    size_t n;
    if (!sql_prepare(tenant, STR(COLUMNS "WHERE u.tenant_id = ?1 AND u.id = ?2"), &st, err)) return false;
    sql_bind_i64(st, 2, id);
    if (!rows_read(st, arena, out_row, 1, &n, err)) return false;
    return n == 1 || nobody(err);
}

static bool change_one(struct sql_stmt *st, struct err *err) {
    if (!sql_run(st, err)) return false;
    return sql_changes(st->db) == 1 || nobody(err);
}

bool user_set_password(struct sql_scope tenant, int64_t id, struct str hash, int64_t at, int64_t now_ns,
                       struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant,
                     STR("UPDATE app_user SET password_hash = ?3, password_at = ?4, updated_at = ?5,"
                         " version = version + 1 WHERE tenant_id = ?1 AND id = ?2"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_text(st, 3, hash);
    sql_bind_i64(st, 4, at);
    sql_bind_i64(st, 5, now_ns);
    return change_one(st, err);
}

bool user_rehash(struct sql_scope tenant, int64_t id, struct str hash, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant, STR("UPDATE app_user SET password_hash = ?3 WHERE tenant_id = ?1 AND id = ?2"), &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_text(st, 3, hash);
    return change_one(st, err);
}

bool user_set_totp(struct sql_scope tenant, int64_t id, struct str sealed, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant,
                     STR("UPDATE app_user SET totp_secret = ?3, totp_at = 0, totp_step = 0, updated_at = ?4,"
                         " version = version + 1 WHERE tenant_id = ?1 AND id = ?2"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    if (sealed.n)
        sql_bind_blob(st, 3, sealed);
    else
        sql_bind_null(st, 3);
    sql_bind_i64(st, 4, now_ns);
    return change_one(st, err);
}

bool user_confirm_totp(struct sql_scope tenant, int64_t id, int64_t step, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant,
                     STR("UPDATE app_user SET totp_at = ?4, totp_step = ?3, updated_at = ?4, version = version + 1"
                         " WHERE tenant_id = ?1 AND id = ?2 AND totp_secret IS NOT NULL AND totp_at = 0"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_i64(st, 3, step);
    sql_bind_i64(st, 4, now_ns);
    return change_one(st, err);
}

bool user_take_step(struct sql_scope tenant, int64_t id, int64_t step, bool *out_taken, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant,
                     STR("UPDATE app_user SET totp_step = ?3 WHERE tenant_id = ?1 AND id = ?2 AND totp_step < ?3 AND "
                         "totp_at > 0"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_i64(st, 3, step);
    if (!sql_run(st, err)) return false;
    *out_taken = sql_changes(st->db) == 1;
    return true;
}

bool user_signed_in(struct sql_scope tenant, const struct user_row *proved, struct str address, int64_t now_ns,
                    bool *out_same, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant,
                     STR("UPDATE app_user SET last_sign_in_at = ?3, last_sign_in_address = ?4, failed_count = 0,"
                         " locked_until = 0 WHERE tenant_id = ?1 AND id = ?2 AND password_hash = ?5 AND totp_at = ?6"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, proved->id);
    sql_bind_i64(st, 3, now_ns);
    sql_bind_text(st, 4, address);
    sql_bind_text(st, 5, proved->password_hash);
    sql_bind_i64(st, 6, proved->totp_at);
    if (!sql_run(st, err)) return false;
    *out_same = sql_changes(tenant.db) == 1;
    return true;
}

bool user_is_usual(struct sql *db, struct str email, struct str address, bool *out_is, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT 1 FROM app_user WHERE email = ?1 AND last_sign_in_address = ?2"
                         " AND last_sign_in_address <> '' LIMIT 1"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, email);
    sql_bind_text(st, 2, address);
    if (!sql_step(st, out_is, err)) return false;
    sql_reset(st);
    return true;
}

bool user_note_failure(struct sql *db, struct str email, int64_t failures, int64_t locked_until, int64_t now_ns,
                       struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("UPDATE app_user SET failed_count = ?2, failed_at = ?3, locked_until = ?4 WHERE email = ?1"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, email);
    sql_bind_i64(st, 2, failures);
    sql_bind_i64(st, 3, now_ns);
    sql_bind_i64(st, 4, locked_until);
    return sql_run(st, err);
}

// --- recovery codes ---

static bool recovery_add(struct sql_scope tenant, int64_t user, const char *hash, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant, STR("INSERT INTO recovery_code (tenant_id, user_id, hash) VALUES (?1, ?2, ?3)"), &st, err))
        return false;
    sql_bind_i64(st, 2, user);
    sql_bind_blob(st, 3, str_of(hash, RECOVERY_HASH_SIZE));
    return sql_run(st, err);
}

bool recovery_replace(struct sql_scope tenant, int64_t user, const struct recovery_hash *hashes, size_t n,
                      struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant, STR("DELETE FROM recovery_code WHERE tenant_id = ?1 AND user_id = ?2"), &st, err))
        return false;
    sql_bind_i64(st, 2, user);
    if (!sql_run(st, err)) return false;
    for (size_t i = 0; i < n; i++)
        if (!recovery_add(tenant, user, hashes[i].p, err)) return false;
    return true;
}

bool recovery_take(struct sql_scope tenant, int64_t user, const char hash[RECOVERY_HASH_SIZE], int64_t now_ns,
                   bool *out_taken, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant,
                     STR("UPDATE recovery_code SET used_at = ?4 WHERE tenant_id = ?1 AND user_id = ?2 AND hash = ?3"
                         " AND used_at = 0"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, user);
    sql_bind_blob(st, 3, str_of(hash, RECOVERY_HASH_SIZE));
    sql_bind_i64(st, 4, now_ns);
    if (!sql_run(st, err)) return false;
    *out_taken = sql_changes(st->db) == 1;
    return true;
}

bool recovery_left(struct sql_scope tenant, int64_t user, int64_t *out_n, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(tenant,
                     STR("SELECT count(*) FROM recovery_code WHERE tenant_id = ?1 AND user_id = ?2 AND used_at = 0"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, user);
    if (!sql_step(st, &row, err)) return false;
    *out_n = row ? sql_col_i64(st, 0) : 0;
    sql_reset(st);
    return true;
}
