// Statements of the PostgreSQL driver: values in, a result held whole, columns out.
#include "store/postgres.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>

#define NAME_MAX_LEN 24
#define SHOWN_NUMBERS 8

struct value {
    Oid type;     // of what is bound; PG_UNKNOWN: NULL
    Oid prepared; // as the server was told
    struct str bytes;
    char number[8];
};

struct pg_stmt {
    struct sql_stmt base;
    int64_t tenant; // whose rows
    char name[NAME_MAX_LEN];
    uint64_t session; // it was prepared on; 0 = never
    const char *refused;
    PGresult *result; // NULL: not run yet
    int row;
    unsigned n_values;
    struct value *values;
    const char *sql; // converted, zero-terminated
    bool reads;      // a SELECT: may be run twice
    char numbers[SHOWN_NUMBERS][24];
    unsigned next_number;
    size_t text_n;
    char text[];
};
static struct pg_stmt *stmt_of(struct sql_stmt *st) { return CONTAINER_OF(st, struct pg_stmt, base); }

static void stmt_clear(struct pg_stmt *st) {
    PQclear(st->result);
    st->result = NULL;
    st->row = -1;
}

static void stmt_free(struct pg_stmt *st) {
    stmt_clear(st);
    mem_free((char *)(uintptr_t)st->sql);
    mem_free(st->values);
    mem_free(st);
}

void pg_statements_free(struct pg *db) {
    const struct map_entry *e;
    for (size_t it = 0; (e = map_next(&db->statements, &it));) stmt_free(e->value);
    map_free(&db->statements);
}

static bool stmt_fill(struct pg_stmt *st, struct str text, struct err *err) {
    BUF_AUTO struct buf sql = BUF_INIT(2 * text.n + 64);
    if (!pg_text_convert(text, &sql, &st->n_values))
        return sql.failed ? err_no_memory(err)
                          : err_set(err, ERR_STORE, "a placeholder of a statement is not ?1 … ?%d", PG_VALUES_MAX);
    st->sql = mem_strdup(buf_str(&sql));
    st->values = mem_zalloc(st->n_values + 1, sizeof *st->values);
    st->reads = str_starts(str_trim(text), STR("SELECT"));
    return (st->sql && st->values) || err_no_memory(err);
}

static bool stmt_make(struct pg *db, struct str text, struct pg_stmt **out_stmt, struct err *err) {
    if (str_trim(text).n == 0) return err_set(err, ERR_STORE, "a statement is empty");
    if (memchr(text.p, '\0', text.n)) return err_set(err, ERR_STORE, "a statement holds a NUL byte");
    struct pg_stmt *st = mem_alloc(sizeof *st + text.n);
    if (!st) return err_no_memory(err);
    *st = (struct pg_stmt){.base.db = &db->base, .row = -1, .text_n = text.n};
    memcpy(st->text, text.p, text.n);
    if (!stmt_fill(st, text, err)) {
        stmt_free(st);
        return false;
    }
    if (!map_put(&db->statements, str_of(st->text, st->text_n), st)) {
        stmt_free(st);
        return err_no_memory(err);
    }
    *out_stmt = st;
    return true;
}

bool pg_prepare(struct sql *base, struct str text, struct sql_stmt **out_stmt, struct err *err) {
    struct pg *db = pg_of(base);
    struct pg_stmt *st = map_get(&db->statements, text);
    if (!st && !stmt_make(db, text, &st, err)) return false;
    stmt_clear(st);
    st->refused = NULL;
    st->tenant = db->wanted;
    for (unsigned i = 0; i < st->n_values; i++) st->values[i].type = PG_UNKNOWN;
    *out_stmt = &st->base;
    return true;
}

// --- values ---

static struct value *value_at(struct sql_stmt *base, int index) {
    struct pg_stmt *st = stmt_of(base);
    if (index >= 1 && (unsigned)index <= st->n_values) return &st->values[index - 1];
    st->refused = "a value is bound that the statement does not have";
    return NULL;
}

void pg_bind_i64(struct sql_stmt *base, int index, int64_t v) {
    struct value *value = value_at(base, index);
    if (!value) return;
    pg_put_i64(value->number, v);
    value->type = PG_INT8;
    value->bytes = str_of(value->number, sizeof value->number);
}

static void bind_bytes(struct sql_stmt *base, int index, struct str v, enum pg_type type) {
    struct value *value = value_at(base, index);
    if (!value) return;
    value->type = type;
    value->bytes = v.n ? v : STR("");
    if (v.n > INT32_MAX / 2) stmt_of(base)->refused = "a value is larger than the database can take";
}
void pg_bind_text(struct sql_stmt *base, int index, struct str v) { bind_bytes(base, index, v, PG_TEXT); }
void pg_bind_blob(struct sql_stmt *base, int index, struct str v) { bind_bytes(base, index, v, PG_BYTEA); }
void pg_bind_null(struct sql_stmt *base, int index) {
    struct value *value = value_at(base, index);
    if (value) value->type = PG_UNKNOWN;
}

// --- running ---

// A NULL fits whatever type its value was prepared with.
static bool types_fit(const struct pg_stmt *st) {
    for (unsigned i = 0; i < st->n_values; i++)
        if (st->values[i].type != PG_UNKNOWN && st->values[i].type != st->values[i].prepared) return false;
    return true;
}

static bool told(struct pg *db, PGresult *result, const char *doing, struct err *err) {
    ExecStatusType status = PQresultStatus(result);
    pg_note(db);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || pg_failed(db, result, doing, err);
    PQclear(result);
    return ok;
}

// The one from before, prepared for values of other types.
static bool forget_prepared(struct pg *db, struct pg_stmt *st, struct err *err) {
    char text[NAME_MAX_LEN + 16];
    bool there = st->session == db->session;
    st->session = 0;
    if (!there) return true;
    snprintf(text, sizeof text, "DEALLOCATE %s", st->name);
    return pg_command(db, text, "forget a statement", err);
}

static bool prepare_there(struct pg *db, struct pg_stmt *st, struct err *err) {
    Oid types[PG_VALUES_MAX];
    if (st->session == db->session && types_fit(st)) return true;
    if (!forget_prepared(db, st, err)) return false;
    for (unsigned i = 0; i < st->n_values; i++) {
        struct value *v = &st->values[i];
        if (v->type != PG_UNKNOWN) v->prepared = v->type;
        types[i] = v->prepared;
    }
    snprintf(st->name, sizeof st->name, "s%u", ++db->next_name);
    if (!told(db, PQprepare(db->os, st->name, st->sql, (int)st->n_values, types), "prepare a statement", err))
        return false;
    st->session = db->session;
    return true;
}

static PGresult *send(struct pg *db, struct pg_stmt *st) {
    const char *values[PG_VALUES_MAX];
    int lengths[PG_VALUES_MAX], formats[PG_VALUES_MAX];
    for (unsigned i = 0; i < st->n_values; i++) {
        const struct value *v = &st->values[i];
        values[i] = v->type == PG_UNKNOWN ? NULL : v->bytes.p;
        lengths[i] = v->type == PG_UNKNOWN ? 0 : (int)v->bytes.n;
        formats[i] = 1;
    }
    PGresult *result = PQexecPrepared(db->os, st->name, (int)st->n_values, values, lengths, formats, 1);
    pg_note(db);
    return result;
}

static bool run_once(struct pg *db, struct pg_stmt *st, PGresult **out_result, struct err *err) {
    if (!pg_ready(db, err) || !pg_enter(db, st->tenant, err) || !prepare_there(db, st, err)) return false;
    *out_result = send(db, st);
    ExecStatusType status = PQresultStatus(*out_result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
           pg_failed(db, *out_result, "run a statement", err);
}

// Outside of a transaction: reading is tried once more when the connection broke; anything when the server had only
// lost what it had prepared (after a change of the schema, or behind a pooler).
static bool may_run_again(const struct pg *db, const struct pg_stmt *st, const PGresult *result) {
    if (db->in_transaction) return false;
    if (PQstatus(db->os) == CONNECTION_BAD) return st->reads;
    return pg_state_is(result, "26000") || pg_state_is(result, "0A000");
}

static void note_changes(struct pg *db, PGresult *result) {
    uint64_t n;
    const char *tag = PQcmdStatus(result);
    if (!tag || (*tag != 'I' && *tag != 'U' && *tag != 'D')) return; // INSERT, UPDATE, DELETE
    if (str_to_u64(str_c(PQcmdTuples(result)), &n) && n <= INT64_MAX) db->changes = (int64_t)n;
}

// The server holds UTF-8 without NUL bytes, and its own message names a byte, which helps nobody.
static bool values_check(const struct pg_stmt *st, struct err *err) {
    if (st->refused) return err_set(err, ERR_STORE, "cannot run a statement: %s", st->refused);
    for (unsigned i = 0; i < st->n_values; i++) {
        struct str v = st->values[i].bytes;
        if (st->values[i].type == PG_TEXT && v.n && memchr(v.p, '\0', v.n))
            return err_set(err, ERR_INVALID_FIELD, "a text with a NUL byte in it cannot be stored in PostgreSQL");
        if (st->values[i].type == PG_TEXT && !utf8_valid(v))
            return err_set(err, ERR_INVALID_FIELD, "a text that is not valid UTF-8 cannot be stored in PostgreSQL");
    }
    return true;
}

static bool run(struct pg *db, struct pg_stmt *st, struct err *err) {
    PGresult *result = NULL;
    if (!values_check(st, err)) return false;
    bool ok = run_once(db, st, &result, err);
    if (!ok && may_run_again(db, st, result)) {
        PQclear(result);
        result = NULL;
        if (PQstatus(db->os) != CONNECTION_BAD) st->session = 0;
        ok = run_once(db, st, &result, err);
    }
    if (!ok) {
        PQclear(result);
        return false;
    }
    note_changes(db, result);
    st->result = result;
    return true;
}

bool pg_step(struct sql_stmt *base, bool *out_row, struct err *err) {
    struct pg_stmt *st = stmt_of(base);
    if (!st->result && !run(pg_of(base->db), st, err)) {
        pg_reset(base);
        return false;
    }
    *out_row = ++st->row < PQntuples(st->result);
    if (!*out_row) pg_reset(base);
    return true;
}

void pg_reset(struct sql_stmt *base) {
    stmt_clear(stmt_of(base));
    stmt_of(base)->refused = NULL;
}

// --- columns ---

static bool cell(struct sql_stmt *base, int column, Oid *out_type, struct str *out_bytes) {
    struct pg_stmt *st = stmt_of(base);
    if (!st->result || st->row < 0 || st->row >= PQntuples(st->result)) return false;
    if (column < 0 || column >= PQnfields(st->result) || PQgetisnull(st->result, st->row, column)) return false;
    *out_type = PQftype(st->result, column);
    *out_bytes = str_of(PQgetvalue(st->result, st->row, column), (size_t)PQgetlength(st->result, st->row, column));
    return true;
}

bool pg_col_is_null(struct sql_stmt *base, int column) {
    Oid type;
    struct str bytes;
    return !cell(base, column, &type, &bytes);
}

int64_t pg_col_i64(struct sql_stmt *base, int column) {
    Oid type;
    struct str bytes;
    return cell(base, column, &type, &bytes) ? pg_value_i64(type, bytes) : 0;
}

struct str pg_col_text(struct sql_stmt *base, int column) {
    struct pg_stmt *st = stmt_of(base);
    Oid type;
    struct str bytes;
    if (!cell(base, column, &type, &bytes)) return STR_NONE;
    if (!pg_value_is_number(type)) return bytes;
    char *out = st->numbers[st->next_number++ % SHOWN_NUMBERS];
    int n = snprintf(out, sizeof st->numbers[0], "%lld", (long long)pg_value_i64(type, bytes));
    return str_of(out, (size_t)n);
}

struct str pg_col_blob(struct sql_stmt *base, int column) {
    return pg_col_text(base, column);
}
