// Reads and writes the rows of session.
#include "store/session.h"

// From s.id to the user's; user_row.rights is put together alike in user.c.
#define COLUMNS                                                                                                        \
    "SELECT s.id, s.tenant_id, s.user_id, s.created_at, s.seen_at, s.expires_at, s.revoked_at, s.address, s.agent,"    \
    " s.second_factor, s.csrf, s.rights, u.email, u.password_at, u.totp_at, t.name,"                                   \
    " CASE WHEN u.status = 'active' AND t.status = 'active' THEN 1 ELSE 0 END,"                                        \
    " (SELECT count(*) FROM access_grant g WHERE g.principal_kind = 'user' AND g.principal_id = u.id),"                \
    " (SELECT coalesce(max(g.updated_at), 0) FROM access_grant g"                                                      \
    "  WHERE g.principal_kind = 'user' AND g.principal_id = u.id),"                                                    \
    " (SELECT count(*) FROM team_member m WHERE m.principal_kind = 'user' AND m.principal_id = u.id),"                 \
    " (SELECT coalesce(max(m.created_at), 0) FROM team_member m"                                                       \
    "  WHERE m.principal_kind = 'user' AND m.principal_id = u.id)"                                                     \
    " FROM session s JOIN app_user u ON u.id = s.user_id JOIN tenant t ON t.id = s.tenant_id "
#define SHOWN                                                                                                          \
    "SELECT s.id, s.tenant_id, s.user_id, s.created_at, s.seen_at, s.expires_at, s.revoked_at, s.address, s.agent,"    \
    " s.second_factor, s.csrf, s.rights, u.email FROM session s JOIN app_user u ON u.id = s.user_id "

static struct session_row row_shown(struct sql_stmt *st) {
    return (struct session_row){
        .id = sql_col_i64(st, 0),
        .tenant_id = sql_col_i64(st, 1),
        .user_id = sql_col_i64(st, 2),
        .created_at = sql_col_i64(st, 3),
        .seen_at = sql_col_i64(st, 4),
        .expires_at = sql_col_i64(st, 5),
        .revoked_at = sql_col_i64(st, 6),
        .address = sql_col_text(st, 7),
        .agent = sql_col_text(st, 8),
        .second_factor = sql_col_i64(st, 9) != 0,
        .csrf = sql_col_text(st, 10),
        .rights = sql_col_text(st, 11),
        .email = sql_col_text(st, 12),
    };
}

static bool own(struct arena *arena, struct str *text) {
    struct str copy = arena_str(arena, *text);
    bool ok = copy.p || !text->n;
    *text = copy;
    return ok;
}

static bool row_read(struct sql_stmt *st, struct arena *arena, struct session_row *out_row, struct err *err) {
    struct session_row row = row_shown(st);
    row.password_at = sql_col_i64(st, 13);
    row.totp_at = sql_col_i64(st, 14);
    row.tenant = sql_col_text(st, 15);
    row.may_act = sql_col_i64(st, 16) != 0;
    row.rights_now =
        arena_printf(arena, "%lld.%lld.%lld.%lld", (long long)sql_col_i64(st, 17), (long long)sql_col_i64(st, 18),
                     (long long)sql_col_i64(st, 19), (long long)sql_col_i64(st, 20));
    if (!row.rights_now.n || !own(arena, &row.address) || !own(arena, &row.agent) || !own(arena, &row.csrf) ||
        !own(arena, &row.rights) || !own(arena, &row.email) || !own(arena, &row.tenant))
        return err_no_memory(err);
    *out_row = row;
    return true;
}

bool session_insert(struct sql_scope tenant, const struct session_row *row, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool has;
    if (!sql_prepare(
            tenant,
            STR("INSERT INTO session (tenant_id, user_id, hash, created_at, seen_at, expires_at, address, agent,"
                " second_factor, csrf, rights) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                " RETURNING id"),
            &st, err))
        return false;
    sql_bind_i64(st, 2, row->user_id);
    sql_bind_blob(st, 3, str_of(row->hash, sizeof row->hash));
    sql_bind_i64(st, 4, row->created_at);
    sql_bind_i64(st, 5, row->seen_at);
    sql_bind_i64(st, 6, row->expires_at);
    sql_bind_text(st, 7, row->address);
    sql_bind_text(st, 8, row->agent);
    sql_bind_i64(st, 9, row->second_factor);
    sql_bind_text(st, 10, row->csrf);
    sql_bind_text(st, 11, row->rights);
    if (!sql_step(st, &has, err)) return false;
    if (!has) return err_set(err, ERR_STORE, "the database gave the new session no id");
    int64_t id = sql_col_i64(st, 0);
    if (!sql_run(st, err)) return false;
    *out_id = id;
    return true;
}

static bool find(struct sql_stmt *st, bool is_old, struct arena *arena, struct session_row *out_row, bool *out_found,
                 struct err *err) {
    bool has;
    if (!sql_step(st, &has, err)) return false;
    if (has && !row_read(st, arena, out_row, err)) {
        sql_reset(st);
        return false;
    }
    sql_reset(st);
    if (has) out_row->is_old = is_old;
    *out_found = has;
    return true;
}

bool session_by_hash(struct sql *db, const char hash[SESSION_HASH_SIZE], int64_t now_ns, struct arena *arena,
                     struct session_row *out_row, bool *out_found, struct err *err) {
    struct sql_stmt *st;
    struct str bytes = str_of(hash, SESSION_HASH_SIZE);
    bool found = false;
    if (!sql_prepare(sql_platform(db), STR(COLUMNS "WHERE s.hash = ?1"), &st, err)) return false;
    sql_bind_blob(st, 1, bytes);
    if (!find(st, false, arena, out_row, &found, err)) return false;
    if (!found) {
        if (!sql_prepare(sql_platform(db), STR(COLUMNS "WHERE s.old_hash = ?1 AND s.old_until > ?2"), &st, err))
            return false;
        sql_bind_blob(st, 1, bytes);
        sql_bind_i64(st, 2, now_ns);
        if (!find(st, true, arena, out_row, &found, err)) return false;
    }
    if (found) memcpy(out_row->hash, hash, sizeof out_row->hash);
    *out_found = found;
    return true;
}

bool session_touch(struct sql_scope tenant, int64_t id, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant, STR("UPDATE session SET seen_at = ?3 WHERE tenant_id = ?1 AND id = ?2 AND seen_at < ?3"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_i64(st, 3, now_ns);
    return sql_run(st, err);
}

bool session_rehash(struct sql_scope tenant, int64_t id, const char old[SESSION_HASH_SIZE],
                    const char fresh[SESSION_HASH_SIZE], struct str rights, int64_t old_until, bool *out_done,
                    struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant,
                     STR("UPDATE session SET hash = ?4, old_hash = ?3, old_until = ?5, rights = ?6"
                         " WHERE tenant_id = ?1 AND id = ?2 AND hash = ?3 AND revoked_at = 0"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_blob(st, 3, str_of(old, SESSION_HASH_SIZE));
    sql_bind_blob(st, 4, str_of(fresh, SESSION_HASH_SIZE));
    sql_bind_i64(st, 5, old_until);
    sql_bind_text(st, 6, rights);
    if (!sql_run(st, err)) return false;
    *out_done = sql_changes(tenant.db) == 1;
    return true;
}

// Each by an index of its own.
static bool prepare_each(struct sql_scope tenant, bool of_user, struct sql_stmt **out_st, struct err *err) {
#define LIVE                                                                                                           \
    " AND (?3 = 0 OR s.id < ?3) AND s.revoked_at = 0 AND s.expires_at > ?4 AND s.seen_at > ?5 ORDER BY s.id DESC "     \
    "LIMIT"                                                                                                            \
    " ?6"
    return of_user ? sql_prepare(tenant, STR(SHOWN "WHERE s.tenant_id = ?1 AND s.user_id = ?2" LIVE), out_st, err)
                   : sql_prepare(tenant, STR(SHOWN "WHERE s.tenant_id = ?1 AND ?2 = 0" LIVE), out_st, err);
}

bool session_each(struct sql_scope tenant, const struct session_wanted *wanted, session_visit *visit, void *arg,
                  struct err *err) {
    struct sql_stmt *st;
    if (!prepare_each(tenant, wanted->user != 0, &st, err)) return false;
    sql_bind_i64(st, 2, wanted->user);
    sql_bind_i64(st, 3, wanted->before);
    sql_bind_i64(st, 4, wanted->now);
    sql_bind_i64(st, 5, wanted->now - wanted->idle);
    sql_bind_i64(st, 6, wanted->limit);
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        struct session_row shown = row_shown(st);
        if (!visit(arg, &shown, err)) break;
    }
    sql_reset(st);
    return false;
}

static bool nothing(struct err *err) { return err_set(err, ERR_NOT_FOUND, "there is no such session"); }

bool session_owner(struct sql_scope tenant, int64_t id, int64_t *out_user, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(tenant, STR("SELECT user_id FROM session WHERE tenant_id = ?1 AND id = ?2 AND revoked_at = 0"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return nothing(err);
    *out_user = sql_col_i64(st, 0);
    sql_reset(st);
    return true;
}

bool session_revoke(struct sql_scope tenant, int64_t id, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant,
                     STR("UPDATE session SET revoked_at = ?3 WHERE tenant_id = ?1 AND id = ?2 AND revoked_at = 0"), &st,
                     err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_i64(st, 3, now_ns);
    if (!sql_run(st, err)) return false;
    return sql_changes(tenant.db) == 1 || nothing(err);
}

bool session_revoke_all(struct sql_scope tenant, int64_t user, int64_t but, int64_t now_ns, int64_t *out_n,
                        struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(tenant,
                     STR("UPDATE session SET revoked_at = ?4 WHERE tenant_id = ?1 AND user_id = ?2 AND id <> ?3"
                         " AND revoked_at = 0"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, user);
    sql_bind_i64(st, 3, but);
    sql_bind_i64(st, 4, now_ns);
    if (!sql_run(st, err)) return false;
    *out_n = sql_changes(tenant.db);
    return true;
}

bool session_purge(struct sql *db, int64_t before, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at < ?1"
                         " ORDER BY expires_at LIMIT 1000)"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, before);
    return sql_run(st, err);
}

void session_id_text(char out[SESSION_ID_TEXT_LEN], int64_t id) {
    memcpy(out, "session_", 8);
    base32_u64(out + 8, (uint64_t)id);
}

bool session_id_parse(struct str text, int64_t *out_id) {
    uint64_t id;
    if (!str_starts(text, STR("session_")) || !base32_u64_parse(str_from(text, 8), &id)) return false;
    if (id == 0 || id > INT64_MAX) return false;
    *out_id = (int64_t)id;
    return true;
}
