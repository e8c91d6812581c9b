// The results of a batch's lines, kept until the batch has ended.
#include "store/batch.h"

#include "store/sealed.h"

#include <stdio.h>

#define PURPOSE STR("batch_line")
#define LABEL_MAX 24
#define RESULT_MAX ((size_t)1 << 30)

static struct str label_of(char out[LABEL_MAX], int64_t id) {
    return str_of(out, (size_t)snprintf(out, LABEL_MAX, "%lld", (long long)id));
}

static int64_t row_of(int64_t batch, int64_t line) { return batch * BATCH_LINES_MAX + line; }

bool batch_line_put(struct sql_scope scope, const struct datadir *dir, int64_t batch, int64_t line, bool ok,
                    struct str result, bool *out_new, struct err *err) {
    BUF_AUTO struct buf sealed = BUF_INIT(RESULT_MAX);
    struct sql_stmt *st;
    char label[LABEL_MAX];
    int64_t id = row_of(batch, line);
    if (!seal(scope, dir, PURPOSE, label_of(label, id), result, &sealed, err) ||
        !sql_prepare(scope,
                     STR("INSERT INTO batch_line (id, tenant_id, ok, result) VALUES (?2, ?1, ?3, ?4)"
                         " ON CONFLICT (id) DO NOTHING"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_i64(st, 3, ok);
    sql_bind_blob(st, 4, buf_str(&sealed));
    if (!sql_run(st, err)) return false;
    *out_new = sql_changes(scope.db) == 1;
    return true;
}

bool batch_count(struct sql_scope scope, int64_t batch, int64_t holder, int64_t completed, int64_t failed,
                 bool *out_ours, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("UPDATE batch SET completed = completed + ?4, failed = failed + ?5"
                         " WHERE tenant_id = ?1 AND id = ?2 AND held_by = ?3"
                         " AND status IN ('in_progress', 'cancelling')"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, batch);
    sql_bind_i64(st, 3, holder);
    sql_bind_i64(st, 4, completed);
    sql_bind_i64(st, 5, failed);
    if (!sql_run(st, err)) return false;
    *out_ours = sql_changes(scope.db) == 1;
    return true;
}

bool batch_lines_done(struct sql_scope scope, int64_t batch, batch_line_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, STR("SELECT id FROM batch_line WHERE tenant_id = ?1 AND id >= ?2 AND id < ?3 ORDER BY id"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, row_of(batch, 0));
    sql_bind_i64(st, 3, row_of(batch + 1, 0));
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (!visit(arg, sql_col_i64(st, 0) - row_of(batch, 0), STR_NONE, err)) {
            sql_reset(st);
            return false;
        }
    }
}

// The next result; *out_line -1: there is none.
static bool read_next(struct sql_scope scope, const struct datadir *dir, int64_t batch, bool ok, int64_t after,
                      int64_t *out_line, struct buf *out, struct err *err) {
    BUF_AUTO struct buf sealed = BUF_INIT(RESULT_MAX);
    struct sql_stmt *st;
    char label[LABEL_MAX];
    bool row;
    *out_line = -1;
    if (!sql_prepare(scope,
                     STR("SELECT id, result FROM batch_line WHERE tenant_id = ?1 AND id > ?2 AND id < ?3 AND ok = ?4"
                         " ORDER BY id LIMIT 1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, row_of(batch, 0) + after);
    sql_bind_i64(st, 3, row_of(batch + 1, 0));
    sql_bind_i64(st, 4, ok);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    int64_t id = sql_col_i64(st, 0);
    buf_put(&sealed, sql_col_blob(st, 1)); // opening it may ask the database for the tenant's key
    sql_reset(st);
    if (sealed.failed) return err_no_memory(err);
    if (!unseal(scope, dir, PURPOSE, label_of(label, id), buf_str(&sealed), out, err)) return false;
    *out_line = id - row_of(batch, 0);
    return true;
}

bool batch_lines_read(struct sql_scope scope, const struct datadir *dir, int64_t batch, bool ok, int64_t after,
                      int limit, batch_line_visit *visit, void *arg, int *out_n, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(RESULT_MAX);
    int n = 0;
    for (int64_t line; n < limit; n++, after = line) {
        buf_clear(&text);
        if (!read_next(scope, dir, batch, ok, after, &line, &text, err)) return false;
        if (line < 0) break;
        if (!visit(arg, line, buf_str(&text), err)) return false;
    }
    *out_n = n;
    return true;
}

bool batch_lines_delete(struct sql_scope scope, int64_t batch, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, STR("DELETE FROM batch_line WHERE tenant_id = ?1 AND id >= ?2 AND id < ?3"), &st, err))
        return false;
    sql_bind_i64(st, 2, row_of(batch, 0));
    sql_bind_i64(st, 3, row_of(batch + 1, 0));
    return sql_run(st, err);
}
