// Rows of responses: put in sealed, found by name and place, deleted when their time is over.
#include "store/response.h"

#include "store/sealed.h"

#include <stdio.h>

#define LABEL_MAX 24
#define LATER_NS (INT64_C(24) * 3600 * 1000000000) // so rarely is one before another touched
#define CHAIN_MAX 10000
#define EXPIRE_LOT "500"

static struct str label_of(char out[LABEL_MAX], int64_t id) {
    return str_of(out, (size_t)snprintf(out, LABEL_MAX, "%lld", (long long)id));
}

// --- putting in ---

// *out_id 0: it is there already, or its tenant is going.
static bool row_insert(struct sql_scope scope, const struct response_row *r, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(scope,
                     STR("INSERT INTO response (tenant_id, name, previous, place, key_id, model, created_at,"
                         " expires_at, input, answer, private) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                         " CASE WHEN t.retention_s > 0 AND ?7 + t.retention_s * 1000000000 < ?8"
                         " THEN ?7 + t.retention_s * 1000000000 ELSE ?8 END, ?9, ?10, ?11"
                         " FROM tenant t WHERE t.id = ?1 AND t.status <> 'deleting'"
                         " ON CONFLICT (tenant_id, name) DO NOTHING RETURNING id"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, r->name);
    sql_bind_text(st, 3, r->previous.n ? r->previous : STR(""));
    sql_bind_text(st, 4, r->place.n ? r->place : STR(""));
    sql_bind_i64(st, 5, r->key_id);
    sql_bind_text(st, 6, sql_is_text(r->model) ? r->model : STR("?"));
    sql_bind_i64(st, 7, r->created_at);
    sql_bind_i64(st, 8, r->expires_at);
    sql_bind_blob(st, 9, STR(""));
    sql_bind_blob(st, 10, STR(""));
    sql_bind_i64(st, 11, r->private);
    if (!sql_step(st, &row, err)) return false;
    *out_id = row ? sql_col_i64(st, 0) : 0;
    return !row || sql_run(st, err);
}

static bool row_seal(struct sql_scope scope, const struct datadir *dir, int64_t id, const struct response_row *r,
                     struct err *err) {
    BUF_AUTO struct buf input = BUF_INIT(RESPONSE_TEXT_MAX + 1024);
    BUF_AUTO struct buf answer = BUF_INIT(RESPONSE_TEXT_MAX + 1024);
    char label[LABEL_MAX];
    struct str name = label_of(label, id);
    struct sql_stmt *st;
    if (!seal(scope, dir, STR("response_input"), name, r->input, &input, err) ||
        !seal(scope, dir, STR("response_answer"), name, r->answer, &answer, err) ||
        !sql_prepare(scope, STR("UPDATE response SET input = ?3, answer = ?4 WHERE tenant_id = ?1 AND id = ?2"), &st,
                     err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_blob(st, 3, buf_str(&input));
    sql_bind_blob(st, 4, buf_str(&answer));
    return sql_run(st, err);
}

// Lifts the time of one, which says the one before it; *out_previous stays empty where nothing was to be done.
static bool keep_one(struct sql_scope scope, struct str name, int64_t until, struct arena *arena,
                     struct str *out_previous, struct err *err) {
    struct sql_stmt *st;
    bool row;
    *out_previous = STR("");
    if (!sql_prepare(scope,
                     STR("UPDATE response SET expires_at = (SELECT CASE WHEN t.retention_s > 0 AND"
                         " response.created_at + t.retention_s * 1000000000 < ?3"
                         " THEN response.created_at + t.retention_s * 1000000000 ELSE ?3 END"
                         " FROM tenant t WHERE t.id = ?1)"
                         " WHERE tenant_id = ?1 AND name = ?2 AND expires_at < ?4 RETURNING previous"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, name);
    sql_bind_i64(st, 3, until + LATER_NS);
    sql_bind_i64(st, 4, until);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    *out_previous = arena_str(arena, sql_col_text(st, 0));
    return sql_run(st, err);
}

// Those before it live as long as it does.
static bool keep_chain(struct sql_scope scope, const struct response_row *r, struct err *err) {
    struct arena arena;
    struct str name = r->previous;
    bool ok = true;
    arena_init(&arena, NULL, 0, (size_t)8 << 20);
    for (size_t i = 0; ok && name.n && i < CHAIN_MAX; i++)
        ok = keep_one(scope, name, r->expires_at, &arena, &name, err);
    arena_free(&arena);
    return ok;
}

bool response_put(struct sql_scope scope, const struct datadir *dir, const struct response_row *row, struct err *err) {
    int64_t id;
    if (!row_insert(scope, row, &id, err)) return false;
    return !id || (row_seal(scope, dir, id, row, err) && keep_chain(scope, row, err));
}

// --- finding ---

static bool not_there(struct str name, struct err *err) {
    return err_set(err, ERR_NOT_FOUND, "Response with id '%.*s' not found.",
                   STR_ARG(str_head(name, RESPONSE_NAME_MAX)));
}

bool response_get(struct sql_scope scope, const struct datadir *dir, struct str name, struct str place, int64_t now_ns,
                  struct arena *arena, struct response_row *out_row, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(RESPONSE_TEXT_MAX + 1024);
    struct sql_stmt *st;
    char label[LABEL_MAX];
    bool row;
    if (name.n > RESPONSE_NAME_MAX || !sql_is_text(name)) return not_there(name, err);
    if (!sql_prepare(
            scope,
            STR("SELECT id, previous, key_id, model, created_at, expires_at, input, answer, private FROM response"
                " WHERE tenant_id = ?1 AND name = ?2 AND place = ?3 AND expires_at > ?4"),
            &st, err))
        return false;
    sql_bind_text(st, 2, name);
    sql_bind_text(st, 3, place);
    sql_bind_i64(st, 4, now_ns);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return not_there(name, err);
    struct response_row r = {.tenant = scope.tenant, .name = name, .place = place};
    struct str id = label_of(label, sql_col_i64(st, 0));
    r.key_id = sql_col_i64(st, 2);
    r.created_at = sql_col_i64(st, 4);
    r.expires_at = sql_col_i64(st, 5);
    r.private = sql_col_i64(st, 8) != 0;
    // Opening may ask the database for the tenant's key: what the row says is copied first.
    r.previous = arena_str(arena, sql_col_text(st, 1));
    r.model = arena_str(arena, sql_col_text(st, 3));
    struct str input = arena_str(arena, sql_col_blob(st, 6)), answer = arena_str(arena, sql_col_blob(st, 7));
    sql_reset(st);
    if (!unseal(scope, dir, STR("response_input"), id, input, &text, err)) return false;
    r.input = arena_str(arena, buf_str(&text));
    bool ok = r.input.p || !text.n;
    buf_clear(&text);
    if (!unseal(scope, dir, STR("response_answer"), id, answer, &text, err)) return false;
    r.answer = arena_str(arena, buf_str(&text));
    if (!ok || (!r.answer.p && text.n)) return err_no_memory(err);
    *out_row = r;
    return true;
}

bool response_delete(struct sql_scope scope, struct str name, struct str place, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (name.n > RESPONSE_NAME_MAX || !sql_is_text(name)) return not_there(name, err);
    if (!sql_prepare(scope,
                     STR("DELETE FROM response WHERE tenant_id = ?1 AND name = ?2 AND place = ?3 AND expires_at > ?4"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, name);
    sql_bind_text(st, 3, place);
    sql_bind_i64(st, 4, now_ns);
    return sql_run(st, err) && (sql_changes(scope.db) > 0 || not_there(name, err));
}

bool response_expire(struct sql *db, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    do {
        if (!sql_prepare(sql_platform(db),
                         STR("DELETE FROM response WHERE id IN"
                             " (SELECT id FROM response WHERE expires_at <= ?1 LIMIT " EXPIRE_LOT ")"),
                         &st, err))
            return false;
        sql_bind_i64(st, 1, now_ns);
        if (!sql_run(st, err)) return false;
    } while (sql_changes(db) > 0);
    return true;
}
