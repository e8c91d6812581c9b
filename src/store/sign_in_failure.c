// Reads and writes the rows of sign_in_failure.
#include "store/sign_in_failure.h"

bool sign_in_failure_get(struct sql *db, struct str subject, struct sign_in_failure *out_row, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT failures, failed_at, locked_until FROM sign_in_failure WHERE subject = ?1"), &st, err))
        return false;
    sql_bind_text(st, 1, subject);
    if (!sql_step(st, &row, err)) return false;
    *out_row = (struct sign_in_failure){0};
    if (row) *out_row = (struct sign_in_failure){sql_col_i64(st, 0), sql_col_i64(st, 1), sql_col_i64(st, 2)};
    sql_reset(st);
    return true;
}

static bool forget(struct sql *db, struct str subject, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("DELETE FROM sign_in_failure WHERE subject = ?1"), &st, err)) return false;
    sql_bind_text(st, 1, subject);
    return sql_run(st, err);
}

bool sign_in_failure_put(struct sql *db, struct str subject, const struct sign_in_failure *row, struct err *err) {
    struct sql_stmt *st;
    if (row->failures <= 0) return forget(db, subject, err);
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO sign_in_failure (subject, failures, failed_at, locked_until)"
                         " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures,"
                         " failed_at = excluded.failed_at, locked_until = excluded.locked_until"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, subject);
    sql_bind_i64(st, 2, row->failures);
    sql_bind_i64(st, 3, row->failed_at);
    sql_bind_i64(st, 4, row->locked_until);
    return sql_run(st, err);
}

bool sign_in_failure_purge(struct sql *db, int64_t before, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("DELETE FROM sign_in_failure WHERE subject IN (SELECT subject FROM sign_in_failure"
                         " WHERE failed_at < ?1 AND locked_until < ?2 ORDER BY failed_at LIMIT 1000)"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, before);
    sql_bind_i64(st, 2, now_ns);
    return sql_run(st, err);
}
