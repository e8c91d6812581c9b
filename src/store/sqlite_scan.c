// Hands the rows of a statement over without reading each column through the library.
#include "store/sqlite_scan.h"

#define FUNCTION "penstock_rows"

// An aggregate's, so that it sees just those rows that all conditions let pass.
static void row_take(sqlite3_context *context, int n, sqlite3_value **values) {
    struct sqlite_scan *scan = sqlite3_user_data(context);
    int64_t row[SQL_SCAN_MAX];
    for (int i = 0; i < n; i++) row[i] = sqlite3_value_int64(values[i]);
    if (scan->of.each(scan->of.arg, row, scan->err)) return;
    scan->stopped = true;
    sqlite3_result_error_code(context, SQLITE_ABORT);
}

static void rows_end(sqlite3_context *context UNUSED) {}

static void row_wants(sqlite3_context *context, int n UNUSED, sqlite3_value **values) {
    const struct sqlite_scan *scan = sqlite3_user_data(context);
    sqlite3_result_int(context, !scan->of.wants || scan->of.wants(scan->of.arg, sqlite3_value_int64(values[0])));
}

static void put_names(struct buf *out, unsigned columns) {
    char digits[24];
    for (unsigned i = 0; i < columns; i++) {
        buf_put(out, i ? STR(", n") : STR("n"));
        buf_put(out, str_of(digits, fmt_u64(digits, i)));
    }
}

int sqlite_scan_text(struct sqlite_scan *scan, sqlite3 *db, struct str text, unsigned columns, struct buf *out) {
    if (!scan->made) {
        int rc = sqlite3_create_function_v2(db, FUNCTION, -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, scan, NULL, row_take,
                                            rows_end, NULL);
        if (!rc)
            rc = sqlite3_create_function_v2(db, SQL_SCAN_WANTS, 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, scan, row_wants,
                                            NULL, NULL, NULL);
        if (rc) return rc;
        scan->made = true;
    }
    buf_put(out, STR("WITH numbers ("));
    put_names(out, columns);
    buf_put(out, STR(") AS ("));
    buf_put(out, text);
    buf_put(out, STR(") SELECT " FUNCTION "("));
    put_names(out, columns);
    buf_put(out, STR(") FROM numbers"));
    return out->failed ? SQLITE_NOMEM : SQLITE_OK;
}

int sqlite_scan_run(struct sqlite_scan *scan, sqlite3_stmt *st, const struct sql_scan *of, struct err *err) {
    int rc;
    *scan = (struct sqlite_scan){.made = scan->made, .of = *of, .err = err};
    do {
        rc = sqlite3_step(st);
    } while (rc == SQLITE_ROW);
    return rc;
}
