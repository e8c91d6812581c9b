// What the files of the PostgreSQL driver share: a connection, its statements, and how its errors are told.
//
// Thread rule: as sql.h. Every statement is prepared on the server at its first run, when the types of its values are
// known; results are held whole, so statements of one connection may be read in turns.
#ifndef STORE_POSTGRES_H
#define STORE_POSTGRES_H

#include "base/buf.h"
#include "base/map.h"
#include "base/secret.h"
#include "store/sql_driver.h"

#include <libpq-fe.h>

// Types of values, as PostgreSQL numbers them.
enum pg_type {
    PG_UNKNOWN = 0,
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_FLOAT8 = 701,
    PG_INT8_ARRAY = 1016,
    PG_NUMERIC = 1700,
};

// Rows gathered for a bulk insertion, a column after the other.
#define PG_BULK_COLUMNS 64
struct pg_bulk {
    struct buf columns[PG_BULK_COLUMNS]; // each an array in the server's form
    unsigned n_columns;
    uint32_t n_rows;
    int64_t last_key;
    uint64_t nulls; // bit i: column i has a NULL
    struct buf text;
};

struct pg {
    struct sql base;
    PGconn *os;
    struct secret url;
    char *shown; // "shop on db.example.com:5432": for messages
    struct sql_options options;
    uint64_t session;        // counts connections: what was prepared on an earlier one is gone
    unsigned next_name;      // of prepared statements
    struct map statements;   // text → struct pg_stmt
    int64_t wanted, entered; // whose rows: of statements prepared from now on; as the server knows it, -1 = it does not
    bool entered_here;       // within the open transaction, which takes it along when it is rolled back
    bool in_transaction;     // stays when the connection breaks, so that its end is noticed
    int64_t changes;
    struct pg_bulk bulk;
};
static inline struct pg *pg_of(struct sql *db) { return CONTAINER_OF(db, struct pg, base); }

// --- driver_postgres.c ---

// Outside of a transaction, makes a connection that was lost anew.
NODISCARD bool pg_ready(struct pg *db, struct err *err);
// Notes what an answer tells of the connection.
void pg_note(struct pg *db);
// Has the server know whose rows the next statement is for.
NODISCARD bool pg_enter(struct pg *db, int64_t tenant, struct err *err);
// Commands without values; zero-terminated. Nothing is tried again.
NODISCARD bool pg_command(struct pg *db, const char *text, const char *doing, struct err *err);

// --- postgres_error.c ---

// Sets *err from an answer (NULL: from the connection); returns false.
bool pg_failed(struct pg *db, const PGresult *result, const char *doing, struct err *err);
// The five characters of its SQLSTATE are these.
bool pg_state_is(const PGresult *result, const char *state);

// --- postgres_text.c ---

// ?1 becomes $1, outside of quotes and comments. *out_values: the highest number. False: no memory, or a number out of
// 1 … PG_VALUES_MAX.
#define PG_VALUES_MAX 999
NODISCARD bool pg_text_convert(struct str text, struct buf *out, unsigned *out_values);

// --- postgres_value.c ---

// Integers in network order.
static inline void pg_put_i64(char out[8], int64_t v) {
    for (int i = 7; i >= 0; i--, v = (int64_t)((uint64_t)v >> 8)) out[i] = (char)((uint64_t)v & 0xff);
}
// A value of the server's form as an integer: numbers of all kinds (fractions cut off, what is too large as the largest
// there is), truth values, digits in a text; else 0.
int64_t pg_value_i64(Oid type, struct str bytes);
bool pg_value_is_number(Oid type);

// --- postgres_stmt.c ---

NODISCARD bool pg_prepare(struct sql *base, struct str text, struct sql_stmt **out_stmt, struct err *err);
void pg_bind_i64(struct sql_stmt *base, int index, int64_t v);
void pg_bind_text(struct sql_stmt *base, int index, struct str v);
void pg_bind_blob(struct sql_stmt *base, int index, struct str v);
void pg_bind_null(struct sql_stmt *base, int index);
NODISCARD bool pg_step(struct sql_stmt *base, bool *out_row, struct err *err);
void pg_reset(struct sql_stmt *base);
bool pg_col_is_null(struct sql_stmt *base, int column);
int64_t pg_col_i64(struct sql_stmt *base, int column);
struct str pg_col_text(struct sql_stmt *base, int column);
struct str pg_col_blob(struct sql_stmt *base, int column);
void pg_statements_free(struct pg *db);

// --- postgres_bulk.c ---

NODISCARD bool pg_bulk_begin(struct sql *base, struct str table, unsigned columns, struct err *err);
NODISCARD bool pg_bulk_add(struct sql *base, const int64_t *values, uint64_t nulls);
NODISCARD bool pg_bulk_load(struct sql *base, struct err *err);
NODISCARD bool pg_bulk_insert(struct sql *base, struct err *err);
void pg_bulk_end(struct sql *base);

#endif
