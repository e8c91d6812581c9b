// Rows of numbers from SQLite, handed over from within the statement: by an aggregate function that adds nothing up,
// and by a function that says which rows there is any use of.
//
// Reading each column of each row through the library's functions costs more than finding the row. Ownership: the
// state is the caller's, and must stay where it is until the connection is closed. Thread rule: the connection's.
// Errors: SQLite's codes; what the row's taker sets goes where sqlite_scan_run was told.
#ifndef STORE_SQLITE_SCAN_H
#define STORE_SQLITE_SCAN_H

#include "base/buf.h"
#include "store/sql.h"

#include <sqlite3.h>

struct sqlite_scan {
    bool made; // the functions
    struct sql_scan of;
    struct err *err;
    bool stopped; // by `each`
};

// Makes the functions, unless they are there, and puts the statement around a SELECT of so many columns into the
// buffer.
int sqlite_scan_text(struct sqlite_scan *scan, sqlite3 *db, struct str text, unsigned columns, struct buf *out);
// SQLITE_DONE, or what went wrong; with scan->stopped `each` has set the error.
int sqlite_scan_run(struct sqlite_scan *scan, sqlite3_stmt *st, const struct sql_scan *of, struct err *err);

#endif
