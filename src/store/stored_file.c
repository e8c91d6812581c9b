// Reads and writes the rows and pieces of stored files.
#include "store/stored_file.h"

#include "store/sealed.h"
#include "store/tenant.h"

#include <stdio.h>

#define PIECE_BITS 20
#define PURPOSE STR("file_piece")
#define LABEL_MAX 24
#define LEFT_NS (INT64_C(3600) * 1000000000)
#define TIDY_LOT 8

void stored_file_id_text(char out[STORED_FILE_ID_LEN], int64_t id) {
    memcpy(out, "file-", 5);
    base32_u64(out + 5, (uint64_t)id);
}

bool stored_file_id_parse(struct str text, int64_t *out_id) {
    uint64_t id;
    if (!str_starts(text, STR("file-")) || !base32_u64_parse(str_from(text, 5), &id) || id == 0 ||
        id > INT64_MAX >> PIECE_BITS)
        return false;
    *out_id = (int64_t)id;
    return true;
}

static bool not_there(struct err *err) { return err_set(err, ERR_NOT_FOUND, "there is no such file"); }

// --- making ---

static bool check_total(struct sql_scope scope, int64_t bytes, int64_t max_total, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!max_total) return true;
    if (!sql_prepare(scope,
                     STR("SELECT CAST(coalesce(sum(CASE WHEN bytes < ?2 THEN ?2 ELSE bytes END), 0) AS BIGINT)"
                         " FROM stored_file WHERE tenant_id = ?1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, STORED_FILE_LEAST);
    if (!sql_step(st, &row, err)) return false;
    int64_t have = sql_col_i64(st, 0);
    sql_reset(st);
    bytes = MAX(bytes, (int64_t)STORED_FILE_LEAST);
    if (bytes <= max_total && have <= max_total - bytes) return true;
    err_set(err, ERR_QUOTA_EXCEEDED,
            "the files of this tenant have %lld bytes; with this one they are over the limit of %lld "
            "(files.max_total): delete some first",
            (long long)have, (long long)max_total);
    err->status = 413;
    return false;
}

static bool insert(struct sql_scope scope, struct stored_file *f, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(scope,
                     STR("INSERT INTO stored_file (tenant_id, place_kind, place_id, key_id, created_at, expires_at,"
                         " purpose, name, bytes) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM tenant t"
                         " WHERE t.id = ?1 AND t.status <> 'deleting' RETURNING id"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, f->place.kind);
    sql_bind_i64(st, 3, f->place.id);
    sql_bind_i64(st, 4, f->key_id);
    sql_bind_i64(st, 5, f->created_at);
    sql_bind_i64(st, 6, f->expires_at);
    sql_bind_text(st, 7, f->purpose);
    sql_bind_text(st, 8, f->name);
    sql_bind_i64(st, 9, f->bytes);
    if (!sql_step(st, &row, err)) return false;
    f->id = row ? sql_col_i64(st, 0) : 0;
    return row ? sql_run(st, err) : err_set(err, ERR_FORBIDDEN, "this tenant is being deleted");
}

static bool end_transaction(struct sql *db, bool ok, struct err *err) {
    if (ok) return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

bool stored_file_begin(struct sql_scope scope, struct stored_file *f, int64_t max_total, struct err *err) {
    if (!sql_begin(scope.db, err)) return false;
    return end_transaction(scope.db, check_total(scope, f->bytes, max_total, err) && insert(scope, f, err), err);
}

static struct str label_of(char out[LABEL_MAX], int64_t id) {
    return str_of(out, (size_t)snprintf(out, LABEL_MAX, "%lld", (long long)id));
}

static bool add(struct sql_scope scope, const struct datadir *dir, int64_t id, struct str bytes, struct err *err) {
    BUF_AUTO struct buf sealed = BUF_INIT(bytes.n + 1024);
    struct sql_stmt *st;
    char label[LABEL_MAX];
    if (!seal(scope, dir, PURPOSE, label_of(label, id), bytes, &sealed, err) ||
        !sql_prepare(scope, STR("INSERT INTO stored_file_piece (id, tenant_id, bytes) VALUES (?2, ?1, ?3)"), &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_blob(st, 3, buf_str(&sealed));
    return sql_run(st, err);
}

bool stored_file_add(struct sql_scope scope, const struct datadir *dir, int64_t id, int64_t n, struct str bytes,
                     struct err *err) {
    INVARIANT(bytes.n <= STORED_FILE_PIECE);
    if (n >= STORED_FILE_PIECES_MAX) return err_set(err, ERR_BODY_TOO_LARGE, "the file has too many pieces");
    if (!sql_begin(scope.db, err)) return false;
    return end_transaction(scope.db, add(scope, dir, id << PIECE_BITS | n, bytes, err), err);
}

bool stored_file_finish(struct sql_scope scope, int64_t id, int64_t bytes, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, STR("UPDATE stored_file SET complete = 1, bytes = ?3 WHERE tenant_id = ?1 AND id = ?2"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_i64(st, 3, bytes);
    return sql_run(st, err) && (sql_changes(scope.db) == 1 || not_there(err));
}

// --- reading ---

static void read_row(struct sql_stmt *st, struct stored_file *out) {
    *out = (struct stored_file){.id = sql_col_i64(st, 0),
                                .place = {sql_col_i64(st, 1), sql_col_i64(st, 2)},
                                .key_id = sql_col_i64(st, 3),
                                .created_at = sql_col_i64(st, 4),
                                .expires_at = sql_col_i64(st, 5),
                                .purpose = sql_col_text(st, 6),
                                .name = sql_col_text(st, 7),
                                .bytes = sql_col_i64(st, 8)};
}

static bool is_of(const struct stored_file *f, const struct store_place *place) {
    return !place || (f->place.kind == place->kind && f->place.id == place->id);
}

bool stored_file_get(struct sql_scope scope, const struct store_place *place, int64_t id, int64_t now_ns,
                     struct arena *arena, struct stored_file *out, struct err *err) {
    struct sql_stmt *st;
    struct stored_file f;
    bool row;
    if (!sql_prepare(scope,
                     STR("SELECT id, place_kind, place_id, key_id, created_at, expires_at, purpose, name, bytes"
                         " FROM stored_file WHERE tenant_id = ?1 AND id = ?2 AND complete = 1"
                         " AND (expires_at = 0 OR expires_at > ?3)"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_i64(st, 3, now_ns);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return not_there(err);
    read_row(st, &f);
    f.purpose = arena_str(arena, f.purpose);
    f.name = arena_str(arena, f.name);
    sql_reset(st);
    if (!f.purpose.p || !f.name.p) return err_no_memory(err);
    if (!is_of(&f, place)) return not_there(err);
    *out = f;
    return true;
}

bool stored_file_piece(struct sql_scope scope, const struct datadir *dir, int64_t id, int64_t n, struct buf *out,
                       struct err *err) {
    BUF_AUTO struct buf sealed = BUF_INIT(STORED_FILE_PIECE + 1024);
    struct sql_stmt *st;
    char label[LABEL_MAX];
    bool row;
    int64_t piece = id << PIECE_BITS | n;
    if (!sql_prepare(scope, STR("SELECT bytes FROM stored_file_piece WHERE tenant_id = ?1 AND id = ?2"), &st, err))
        return false;
    sql_bind_i64(st, 2, piece);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_NOT_FOUND, "the file has no piece %lld", (long long)n);
    buf_put(&sealed, sql_col_blob(st, 0)); // opening it may ask the database for the tenant's key
    sql_reset(st);
    if (sealed.failed) return err_no_memory(err);
    return unseal(scope, dir, PURPOSE, label_of(label, piece), buf_str(&sealed), out, err);
}

bool stored_file_each(struct sql_scope scope, const struct stored_file_list *l, stored_file_visit *visit, void *arg,
                      struct err *err) {
    static const struct str up = STR_INIT(
        "SELECT id, place_kind, place_id, key_id, created_at, expires_at, purpose, name, bytes FROM stored_file"
        " WHERE tenant_id = ?1 AND place_kind = ?2 AND place_id = ?3 AND id > ?4 AND complete = 1"
        " AND (expires_at = 0 OR expires_at > ?5) AND (?6 = '' OR purpose = ?6) ORDER BY id LIMIT ?7");
    static const struct str down = STR_INIT(
        "SELECT id, place_kind, place_id, key_id, created_at, expires_at, purpose, name, bytes FROM stored_file"
        " WHERE tenant_id = ?1 AND place_kind = ?2 AND place_id = ?3 AND id < ?4 AND complete = 1"
        " AND (expires_at = 0 OR expires_at > ?5) AND (?6 = '' OR purpose = ?6) ORDER BY id DESC LIMIT ?7");
    struct sql_stmt *st;
    if (!sql_prepare(scope, l->oldest_first ? up : down, &st, err)) return false;
    sql_bind_i64(st, 2, l->place.kind);
    sql_bind_i64(st, 3, l->place.id);
    sql_bind_i64(st, 4, l->after ? l->after : l->oldest_first ? 0 : INT64_MAX);
    sql_bind_i64(st, 5, l->now_ns);
    sql_bind_text(st, 6, l->purpose);
    sql_bind_i64(st, 7, l->limit);
    for (bool row;;) {
        struct stored_file f;
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        read_row(st, &f);
        if (!visit(arg, &f, err)) {
            sql_reset(st);
            return false;
        }
    }
}

// --- going ---

static bool delete_rows(struct sql_scope scope, int64_t id, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, STR("DELETE FROM stored_file_piece WHERE tenant_id = ?1 AND id >= ?2 AND id < ?3"), &st,
                     err))
        return false;
    sql_bind_i64(st, 2, id << PIECE_BITS);
    sql_bind_i64(st, 3, (id + 1) << PIECE_BITS);
    if (!sql_run(st, err) ||
        !sql_prepare(scope, STR("DELETE FROM stored_file WHERE tenant_id = ?1 AND id = ?2"), &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    return sql_run(st, err) && (sql_changes(scope.db) == 1 || not_there(err));
}

static bool is_needed(struct sql_scope scope, int64_t id, bool *out_needed, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("SELECT 1 FROM batch WHERE tenant_id = ?1 AND input_file_id = ?2 AND status IN ('validating',"
                         " 'in_progress', 'finalizing', 'cancelling') LIMIT 1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    if (!sql_step(st, out_needed, err)) return false;
    sql_reset(st);
    return true;
}

static bool delete_checked(struct sql_scope scope, const struct store_place *place, int64_t id, struct err *err) {
    struct arena arena;
    struct stored_file f;
    bool needed = false;
    arena_init(&arena, NULL, 0, 64 * 1024);
    bool ok = stored_file_get(scope, place, id, INT64_MIN, &arena, &f, err) && is_needed(scope, id, &needed, err);
    arena_free(&arena);
    if (ok && needed)
        return err_set(err, ERR_WRONG_STATE, "a batch that has not ended needs this file: cancel the batch first");
    return ok && delete_rows(scope, id, err);
}

bool stored_file_delete(struct sql_scope scope, const struct store_place *place, int64_t id, struct err *err) {
    if (!sql_begin(scope.db, err)) return false;
    return end_transaction(scope.db, delete_checked(scope, place, id, err), err);
}

// The next that is to go.
static bool tidy_find(struct sql *db, int64_t now_ns, int64_t *out_tenant, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    *out_id = *out_tenant = 0;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT f.tenant_id, f.id FROM stored_file f WHERE ((f.expires_at > 0 AND f.expires_at <= ?1)"
                         " OR (f.complete = 0 AND f.created_at <= ?2)) AND NOT EXISTS (SELECT 1 FROM batch b"
                         " WHERE b.tenant_id = f.tenant_id AND b.input_file_id = f.id AND b.status IN ('validating',"
                         " 'in_progress', 'finalizing', 'cancelling')) LIMIT 1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, now_ns);
    sql_bind_i64(st, 2, now_ns - LEFT_NS);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    *out_tenant = sql_col_i64(st, 0);
    *out_id = sql_col_i64(st, 1);
    sql_reset(st);
    return true;
}

bool stored_files_tidy(struct sql *db, int64_t now_ns, bool *out_more, struct err *err) {
    *out_more = false;
    for (int i = 0; i < TIDY_LOT; i++) {
        int64_t tenant, id;
        if (!tidy_find(db, now_ns, &tenant, &id, err)) return false;
        if (!id) return true;
        if (!sql_begin(db, err)) return false;
        bool ok = delete_rows(sql_tenant(db, tenant), id, err);
        bool gone = !ok && err->code == ERR_NOT_FOUND; // another server was faster
        if (!end_transaction(db, ok, err) && !gone) return false;
    }
    *out_more = true;
    return true;
}
