// Bulk insertion into a SQLite table: rows gathered in an image of a database, from which SQLite copies them.
//
// Ownership: the connection's; sqlite_bulk_free after sqlite3_close, because SQLite reads the image's memory. Thread
// rule: the connection's. Errors: SQLite's result codes.
#ifndef STORE_SQLITE_BULK_H
#define STORE_SQLITE_BULK_H

#include "store/sqlite_image.h"

#include <sqlite3.h>

struct sqlite_bulk {
    struct sqlite_image image; // being gathered
    unsigned char *loaded;     // the pages that SQLite reads: never those that are being written
    size_t loaded_cap;
    // Owned: names, and the texts of the CREATE statements; those of the index are NULL when there is none.
    char *table, *create, *index, *create_index;
    sqlite3_stmt *copy; // finalized by sqlite_bulk_close
    bool attached;
};

// Begins a new gathering of rows for the table, which must exist.
int sqlite_bulk_begin(struct sqlite_bulk *bulk, sqlite3 *db, struct str table, unsigned columns);
// Gives the rows gathered to SQLite; no transaction may be open.
int sqlite_bulk_load(struct sqlite_bulk *bulk, sqlite3 *db);
// Inserts what was loaded.
int sqlite_bulk_insert(struct sqlite_bulk *bulk);
// Frees what it can, until the next begin; no transaction may be open.
void sqlite_bulk_end(struct sqlite_bulk *bulk, sqlite3 *db);
// Before sqlite3_close.
void sqlite_bulk_close(struct sqlite_bulk *bulk);
void sqlite_bulk_free(struct sqlite_bulk *bulk);

#endif
