// Many rows at once: each column travels as one array, and one statement makes rows of them.
//
// COPY would be the usual way, but it does not work on tables with row-level security.
#include "store/postgres.h"

#define ROWS_MAX 100000
// An array: dimensions, whether there are NULLs, type of the elements, their number, index of the first.
#define ARRAY_HEAD 20
#define COLUMN_MAX (ARRAY_HEAD + (size_t)ROWS_MAX * 12)

static void put_u32(char *p, uint32_t v) {
    for (int i = 3; i >= 0; i--, v >>= 8) p[i] = (char)(v & 0xff);
}

static bool name_is_plain(struct str name) {
    for (size_t i = 0; i < name.n; i++)
        if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || name.p[i] == '_')) return false;
    return name.n > 0;
}

static bool text_make(struct pg_bulk *b, struct str table, unsigned columns) {
    buf_init(&b->text, 8192);
    buf_printf(&b->text, "INSERT INTO %.*s SELECT * FROM unnest(", STR_ARG(table));
    for (unsigned c = 1; c <= columns; c++) buf_printf(&b->text, "%s$%u::bigint[]", c > 1 ? "," : "", c);
    buf_lit(&b->text, ")");
    return buf_cstr(&b->text) != NULL;
}

static void columns_free(struct pg_bulk *b) {
    for (unsigned c = 0; c < b->n_columns; c++) buf_free(&b->columns[c]);
    buf_free(&b->text);
    *b = (struct pg_bulk){0};
}

static bool table_has(struct pg *db, struct str table, unsigned columns, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(&db->base),
                     STR("SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema()"
                         " AND table_name = ?1"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, table);
    if (!sql_step(st, &row, err)) return false;
    int64_t n = row ? sql_col_i64(st, 0) : 0;
    sql_reset(st);
    return n >= (int64_t)columns ||
           err_set(err, ERR_STORE, "the table %.*s has %lld columns, not %u", STR_ARG(table), (long long)n, columns);
}

bool pg_bulk_begin(struct sql *base, struct str table, unsigned columns, struct err *err) {
    struct pg *db = pg_of(base);
    struct pg_bulk *b = &db->bulk;
    INVARIANT(columns >= 2 && columns <= PG_BULK_COLUMNS && name_is_plain(table));
    columns_free(b);
    if (!table_has(db, table, columns, err)) return false;
    b->n_columns = columns;
    for (unsigned c = 0; c < columns; c++) {
        buf_init(&b->columns[c], COLUMN_MAX);
        (void)buf_reserve(&b->columns[c], ARRAY_HEAD);
        b->columns[c].n = b->columns[c].failed ? 0 : ARRAY_HEAD;
    }
    if (text_make(b, table, columns)) return true;
    columns_free(b);
    return err_no_memory(err);
}

bool pg_bulk_add(struct sql *base, const int64_t *values, uint64_t nulls) {
    struct pg_bulk *b = &pg_of(base)->bulk;
    if (b->n_rows == ROWS_MAX || (b->n_rows && values[0] <= b->last_key)) return false;
    for (unsigned c = 0; c < b->n_columns; c++) {
        char element[12];
        bool null = nulls >> c & 1;
        put_u32(element, null ? UINT32_MAX : 8);
        pg_put_i64(element + 4, values[c]);
        buf_append(&b->columns[c], element, null ? 4 : 12);
        // The row is in some columns and not in others: the lot is of no more use.
        if (b->columns[c].failed) {
            b->n_rows = ROWS_MAX;
            return false;
        }
    }
    b->nulls |= nulls;
    b->last_key = values[0];
    b->n_rows++;
    return true;
}

bool pg_bulk_load(struct sql *base, struct err *err) {
    struct pg_bulk *b = &pg_of(base)->bulk;
    for (unsigned c = 0; c < b->n_columns; c++) {
        if (b->columns[c].failed) return err_no_memory(err);
        char *head = b->columns[c].p;
        put_u32(head, 1);
        put_u32(head + 4, b->nulls >> c & 1);
        put_u32(head + 8, PG_INT8);
        put_u32(head + 12, b->n_rows);
        put_u32(head + 16, 1);
    }
    return true;
}

bool pg_bulk_insert(struct sql *base, struct err *err) {
    struct pg *db = pg_of(base);
    struct pg_bulk *b = &db->bulk;
    struct { // of PQexecParams
        Oid types[PG_BULK_COLUMNS];
        const char *values[PG_BULK_COLUMNS];
        int lengths[PG_BULK_COLUMNS], formats[PG_BULK_COLUMNS];
    } params;
    if (!pg_ready(db, err) || !pg_enter(db, SQL_PLATFORM, err)) return false;
    for (unsigned c = 0; c < b->n_columns; c++) {
        params.types[c] = PG_INT8_ARRAY;
        params.values[c] = b->columns[c].p;
        params.lengths[c] = (int)b->columns[c].n;
        params.formats[c] = 1;
    }
    PGresult *result = PQexecParams(db->os, b->text.p, (int)b->n_columns, params.types, params.values, params.lengths,
                                    params.formats, 1);
    pg_note(db);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK || pg_failed(db, result, "insert rows", err);
    if (ok) db->changes = b->n_rows;
    PQclear(result);
    return ok;
}

void pg_bulk_end(struct sql *base) { columns_free(&pg_of(base)->bulk); }
