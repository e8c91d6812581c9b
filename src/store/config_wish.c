// Wishes of commands, and the server's answers.
#include "store/config_wish.h"

#include "store/sealed.h"

#define TEXT_MAX ((size_t)64 << 20)
#define PURPOSE_WISH STR("config_wish")
#define PURPOSE_ANSWER STR("config_answer")

static struct str label_of(char text[20], int64_t id) { return str_of(text, fmt_u64(text, (uint64_t)id)); }

static bool open_text(struct sql *db, const struct datadir *dir, struct str purpose, int64_t id, struct str bytes,
                      struct arena *a, struct str *out_text, struct err *err) {
    char number[20];
    struct buf text = BUF_INIT(TEXT_MAX);
    bool ok = unseal(sql_tenant(db, TENANT_DEFAULT), dir, purpose, label_of(number, id), bytes, &text, err);
    if (ok) {
        *out_text = arena_str(a, buf_str(&text));
        ok = out_text->p || err_no_memory(err);
    }
    secret_wipe(text.p, text.p ? text.cap : 0);
    buf_free(&text);
    return ok;
}

// Sealed under the row's number, so that answers cannot be exchanged; the row is made first.
static bool put_text(struct sql *db, const struct datadir *dir, struct str statement, struct str purpose, int64_t id,
                     struct str text, struct err *err) {
    char number[20];
    struct sql_stmt *st;
    BUF_AUTO struct buf sealed = BUF_INIT(TEXT_MAX + 1024);
    if (!seal(sql_tenant(db, TENANT_DEFAULT), dir, purpose, label_of(number, id), text, &sealed, err) ||
        !sql_prepare(sql_platform(db), statement, &st, err))
        return false;
    sql_bind_i64(st, 1, id);
    sql_bind_blob(st, 2, buf_str(&sealed));
    return sql_run(st, err);
}

static bool row_make(struct sql *db, const struct datadir *dir, int64_t now_ns, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("INSERT INTO config_wish (at, place) VALUES (?1, ?2)"), &st, err))
        return false;
    sql_bind_i64(st, 1, now_ns);
    sql_bind_i64(st, 2, dir->id);
    return sql_run(st, err) && sql_query_i64(sql_platform(db), STR("SELECT max(id) FROM config_wish"), out_id, err);
}

bool config_wish_add(struct sql *db, const struct datadir *dir, struct str text, int64_t now_ns, int64_t *out_id,
                     struct err *err) {
    int64_t id;
    if (!sql_begin(db, err)) return false;
    if (!row_make(db, dir, now_ns, &id, err) ||
        !put_text(db, dir, STR("UPDATE config_wish SET wish = ?2 WHERE id = ?1"), PURPOSE_WISH, id, text, err)) {
        sql_rollback(db);
        return false;
    }
    if (!sql_commit(db, err)) return false;
    *out_id = id;
    return true;
}

static bool forget_old(struct sql *db, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("DELETE FROM config_wish WHERE at < ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, now_ns - CONFIG_WISH_WAIT_NS);
    return sql_run(st, err);
}

bool config_wish_take(struct sql *db, const struct datadir *dir, int64_t now_ns, struct arena *a, int64_t *out_id,
                      struct str *out_text, struct err *err) {
    struct sql_stmt *st;
    bool has;
    if (!sql_prepare(
            sql_platform(db),
            STR("SELECT id, wish, at FROM config_wish WHERE answer IS NULL AND place = ?1 ORDER BY id LIMIT 1"), &st,
            err))
        return false;
    sql_bind_i64(st, 1, dir->id);
    if (!sql_step(st, &has, err)) return false;
    *out_id = 0;
    if (!has) return true;
    int64_t id = sql_col_i64(st, 0);
    bool late = sql_col_i64(st, 2) < now_ns - CONFIG_WISH_WAIT_NS;
    bool ok = late || open_text(db, dir, PURPOSE_WISH, id, sql_col_blob(st, 1), a, out_text, err);
    sql_reset(st);
    if (late) return forget_old(db, now_ns, err) && config_wish_take(db, dir, now_ns, a, out_id, out_text, err);
    if (ok) *out_id = id;
    return ok;
}

bool config_wish_answer(struct sql *db, const struct datadir *dir, int64_t id, struct str text, struct err *err) {
    return put_text(db, dir, STR("UPDATE config_wish SET answer = ?2 WHERE id = ?1"), PURPOSE_ANSWER, id, text, err);
}

bool config_wish_collect(struct sql *db, const struct datadir *dir, int64_t id, struct arena *a, struct str *out_text,
                         struct err *err) {
    struct sql_stmt *st;
    bool has;
    *out_text = STR_NONE;
    if (!sql_prepare(sql_platform(db), STR("SELECT answer FROM config_wish WHERE id = ?1 AND answer IS NOT NULL"), &st,
                     err))
        return false;
    sql_bind_i64(st, 1, id);
    if (!sql_step(st, &has, err) || !has) return !has;
    bool ok = open_text(db, dir, PURPOSE_ANSWER, id, sql_col_blob(st, 0), a, out_text, err);
    sql_reset(st);
    return ok && config_wish_drop(db, id, err);
}

bool config_wish_drop(struct sql *db, int64_t id, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("DELETE FROM config_wish WHERE id = ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, id);
    return sql_run(st, err);
}
