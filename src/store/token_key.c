// Reads and writes the rows of token_key.
#include "store/token_key.h"

bool token_key_insert(struct sql *db, const struct token_key_row *row, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool has;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO token_key (kid, public_key, secret_key, created_at, signs_from, signs_until,"
                         " retires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, row->kid);
    sql_bind_blob(st, 2, str_of(row->public_key, sizeof row->public_key));
    sql_bind_blob(st, 3, STR(""));
    sql_bind_i64(st, 4, row->created_at);
    sql_bind_i64(st, 5, row->signs_from);
    sql_bind_i64(st, 6, row->signs_until);
    sql_bind_i64(st, 7, row->retires_at);
    if (!sql_step(st, &has, err)) return false;
    if (!has) return err_set(err, ERR_STORE, "the database gave the new token key no id");
    int64_t id = sql_col_i64(st, 0);
    if (!sql_run(st, err)) return false;
    *out_id = id;
    return true;
}

bool token_key_set_secret(struct sql *db, int64_t id, struct str sealed, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("UPDATE token_key SET secret_key = ?2 WHERE id = ?1"), &st, err))
        return false;
    sql_bind_i64(st, 1, id);
    sql_bind_blob(st, 2, sealed);
    return sql_run(st, err);
}

static bool row_read(struct sql_stmt *st, struct arena *arena, struct token_key_row *out_row, struct err *err) {
    struct token_key_row row = {
        .id = sql_col_i64(st, 0),
        .kid = arena_str(arena, sql_col_text(st, 1)),
        .secret_key = arena_str(arena, sql_col_blob(st, 3)),
        .created_at = sql_col_i64(st, 4),
        .signs_from = sql_col_i64(st, 5),
        .signs_until = sql_col_i64(st, 6),
        .retires_at = sql_col_i64(st, 7),
    };
    struct str public_key = sql_col_blob(st, 2);
    if (!row.kid.p || !row.secret_key.p) return err_no_memory(err);
    if (public_key.n != sizeof row.public_key)
        return err_set(err, ERR_STORE, "the row of token key %lld is damaged: its public key has %zu bytes",
                       (long long)row.id, public_key.n);
    memcpy(row.public_key, public_key.p, sizeof row.public_key);
    *out_row = row;
    return true;
}

bool token_key_all(struct sql *db, int64_t now_ns, struct arena *arena, struct token_key_row *out_rows, size_t max,
                   size_t *out_n, struct err *err) {
    struct sql_stmt *st;
    size_t n = 0;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT id, kid, public_key, secret_key, created_at, signs_from, signs_until, retires_at"
                         " FROM token_key WHERE retires_at > ?1 ORDER BY id DESC"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, now_ns);
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

static bool run_at(struct sql *db, struct str text, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), text, &st, err)) return false;
    sql_bind_i64(st, 1, now_ns);
    return sql_run(st, err);
}

bool token_key_purge(struct sql *db, int64_t now_ns, struct err *err) {
    return run_at(db, STR("DELETE FROM token_key WHERE retires_at <= ?1"), now_ns, err);
}

bool token_key_retire_all(struct sql *db, int64_t now_ns, struct err *err) {
    return run_at(db, STR("UPDATE token_key SET signs_until = ?1, retires_at = ?1 WHERE retires_at > ?1"), now_ns, err);
}
