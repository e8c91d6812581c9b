// SQL behind one interface: connections, cached prepared statements, transactions; a driver is one row of drivers.def.
//
// Ownership: sql_open gives a connection that sql_close ends; statements belong to their connection and are kept for
// reuse, so use constant SQL texts and bind values. Thread rule: a connection belongs to one thread at a time and
// blocks (up to busy_ms), so never on an event loop. Errors: ERR_STORE_BUSY when another connection holds the database
// past busy_ms, ERR_STORE_FULL when disk, quota or page limit is reached, ERR_EXISTS when a unique constraint is
// broken, ERR_NO_MEMORY, ERR_STORE for the rest.
//
// No statement runs without saying whose rows it is for (struct sql_scope). One for a tenant has the tenant as ?1,
// bound by sql_prepare; PostgreSQL moreover shows it no other tenant's rows (row-level security).
//
//   struct sql_stmt *st;
//   if (!sql_prepare(sql_tenant(db, id), STR("SELECT a, b FROM t WHERE tenant_id = ?1 AND c = ?2"), &st, err)) return
//   false; sql_bind_i64(st, 2, c);
//   for (bool row;;) {
//       if (!sql_step(st, &row, err)) return false;  // the statement is reset
//       if (!row) break;                             // and so here
//       use(sql_col_i64(st, 0), sql_col_text(st, 1));
//   }
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "base/err.h"

enum sql_mode { SQL_CREATE, SQL_READ_WRITE, SQL_READ_ONLY };

// Transactions of one lane exclude each other. SQLite has a single lane, whatever is asked for.
enum sql_lane {
    SQL_LANE_MAIN,
    SQL_LANE_USAGE, // records of usage, which come all the time and touch nothing that people change
};

struct sql_options {
    enum sql_mode mode; // SQL_CREATE: opened for writing, created when absent; SQL_READ_ONLY: what a transaction (by
                        // sql_exec) reads is of one moment
    unsigned busy_ms;   // how long to wait for another connection's lock; 0 = not at all
    enum sql_lane lane;
    bool durable;      // every commit is on the disk when it returns, as sql_durable makes one
    unsigned cache_kb; // pages kept in memory, where the driver keeps them itself; 0 = few
};
#define SQL_BUSY_MS_DEFAULT 5000

struct sql_ops;
struct sql {
    const struct sql_ops *ops;
    bool durable; // asked for by sql_durable, for the open transaction
};
struct sql_stmt {
    struct sql *db;
};

// Whose rows. tenant SQL_PLATFORM: all tenants', for what serves the whole: key rings, ledgers, schema, operators.
#define SQL_PLATFORM 0
struct sql_scope {
    struct sql *db;
    int64_t tenant;
};

#define SQL_SCAN_MAX 32
// Takes the rows of numbers that a statement finds.
struct sql_scan {
    // One row's columns. false ends the scan, with the error that it set.
    bool (*each)(void *arg, const int64_t *row, struct err *err);
    bool (*wants)(void *arg, int64_t number); // what SQL_SCAN_WANTS(column) asks; NULL: no statement does
    void *arg;
};
#define SQL_SCAN_WANTS "penstock_wants"

struct sql_ops {
    const char *name;
    bool (*accepts)(struct str where); // whether `where` names a database of this driver
    bool (*open)(struct str where, const struct sql_options *options, struct sql **out_db, struct err *err);
    void (*close)(struct sql *db);
    bool (*exec)(struct sql *db, struct str script, struct err *err);
    bool (*prepare)(struct sql *db, struct str text, struct sql_stmt **out_stmt, struct err *err);
    // Whose rows the statements prepared from now on are for; NULL when the driver knows no such thing.
    void (*enter)(struct sql *db, int64_t tenant);
    void (*bind_i64)(struct sql_stmt *st, int index, int64_t v);
    void (*bind_text)(struct sql_stmt *st, int index, struct str v);
    void (*bind_blob)(struct sql_stmt *st, int index, struct str v);
    void (*bind_null)(struct sql_stmt *st, int index);
    bool (*step)(struct sql_stmt *st, bool *out_row, struct err *err);
    void (*reset)(struct sql_stmt *st);
    void (*reset_all)(struct sql *db); // NULL: no statement outlives its transaction
    // For sql_prepare_scan and sql_scan. NULL: rows are stepped over.
    bool (*prepare_scan)(struct sql *db, struct str text, unsigned columns, struct sql_stmt **out_stmt,
                         struct err *err);
    bool (*scan)(struct sql_stmt *st, const struct sql_scan *scan, struct err *err);
    bool (*col_is_null)(struct sql_stmt *st, int column);
    int64_t (*col_i64)(struct sql_stmt *st, int column);
    struct str (*col_text)(struct sql_stmt *st, int column);
    struct str (*col_blob)(struct sql_stmt *st, int column);
    int64_t (*changes)(struct sql *db);
    bool (*begin)(struct sql *db, struct err *err); // takes its lane's write lock
    bool (*begin_read)(struct sql *db, struct err *err);
    bool (*commit)(struct sql *db, struct err *err);
    void (*rollback)(struct sql *db); // ends the transaction, and be it by losing the connection
    bool (*in_transaction)(struct sql *db);
    bool (*has_table)(struct sql *db, struct str name, bool *out_has, struct err *err);
    bool (*bulk_begin)(struct sql *db, struct str table, unsigned columns, struct err *err);
    bool (*bulk_add)(struct sql *db, const int64_t *values, uint64_t nulls);
    bool (*bulk_load)(struct sql *db, struct err *err);
    bool (*bulk_insert)(struct sql *db, struct err *err);
    void (*bulk_end)(struct sql *db);
    bool (*data_version)(struct sql *db, uint64_t *out_version, struct err *err);
    // For sql_durable: `durable` makes the open transaction's commit wait for the disk; `sync` waits for it after the
    // commit. NULL: there is nothing to do.
    bool (*durable)(struct sql *db, struct err *err);
    bool (*sync)(struct sql *db, struct err *err);
};

// Whether the database serves several servers, each of which must look for what the others change.
bool sql_is_postgres(const struct sql *db);

// where: a file path (SQLite), or postgres://user:password@host/database.
NODISCARD bool sql_open(struct str where, const struct sql_options *options, struct sql **out_db, struct err *err);
// NULL is fine. An open transaction is rolled back.
void sql_close(struct sql *db);

// One or more statements without values; not in a transaction of its own.
NODISCARD static inline bool sql_exec(struct sql *db, struct str script, struct err *err) {
    return db->ops->exec(db, script, err);
}
NODISCARD static inline struct sql_scope sql_platform(struct sql *db) { return (struct sql_scope){db, SQL_PLATFORM}; }
// tenant > 0.
NODISCARD struct sql_scope sql_tenant(struct sql *db, int64_t tenant);

// The statement of that text, reset and without values; at most one user of a text at a time. Placeholders are ?1, ?2,
// …; in a tenant's scope ?1 is the tenant, already bound, and a text without it is a bug.
NODISCARD bool sql_prepare(struct sql_scope scope, struct str text, struct sql_stmt **out_stmt, struct err *err);

// Values, index from 1. A failed bind is reported by the next step. Text and blob are borrowed: they must stay as long
// as the statement may run with them. Values stay bound over a reset, so a batch rebinds only what changes.
static inline void sql_bind_i64(struct sql_stmt *st, int index, int64_t v) { st->db->ops->bind_i64(st, index, v); }
static inline void sql_bind_text(struct sql_stmt *st, int index, struct str v) { st->db->ops->bind_text(st, index, v); }
static inline void sql_bind_blob(struct sql_stmt *st, int index, struct str v) { st->db->ops->bind_blob(st, index, v); }
// Whether every database takes it as a text: UTF-8 without a NUL byte.
bool sql_is_text(struct str s);
static inline void sql_bind_null(struct sql_stmt *st, int index) { st->db->ops->bind_null(st, index); }

// *out_row: a row is there. At the end and on failure the statement resets itself.
NODISCARD static inline bool sql_step(struct sql_stmt *st, bool *out_row, struct err *err) {
    return st->db->ops->step(st, out_row, err);
}
// Ends the reading of a statement before its last row.
static inline void sql_reset(struct sql_stmt *st) { st->db->ops->reset(st); }
// Runs to the end and ignores rows: for what returns none.
NODISCARD bool sql_run(struct sql_stmt *st, struct err *err);
// Prepares and runs a statement without values, and takes the first column of its only row; ERR_NOT_FOUND when there is
// no row.
NODISCARD bool sql_query_i64(struct sql_scope scope, struct str text, int64_t *out_value, struct err *err);

// For many rows of numbers, which need not come in an order: as sql_prepare for a SELECT of so many columns, at most
// SQL_SCAN_MAX, without ORDER BY and GROUP BY. Values are bound as ever; sql_scan then goes over all rows, and resets.
// No other scan may run on the connection meanwhile.
NODISCARD bool sql_prepare_scan(struct sql_scope scope, struct str text, unsigned columns, struct sql_stmt **out_stmt,
                                struct err *err);
NODISCARD bool sql_scan(struct sql_stmt *st, unsigned columns, const struct sql_scan *scan, struct err *err);
// Whether a condition of such a statement may be SQL_SCAN_WANTS(column), which costs less than to look it up.
static inline bool sql_scan_asks(const struct sql *db) { return db->ops->scan != NULL; }

// Columns from 0; slices live until the next step or reset. NULL reads as 0 or the empty slice.
static inline bool sql_col_is_null(struct sql_stmt *st, int column) { return st->db->ops->col_is_null(st, column); }
static inline int64_t sql_col_i64(struct sql_stmt *st, int column) { return st->db->ops->col_i64(st, column); }
static inline struct str sql_col_text(struct sql_stmt *st, int column) { return st->db->ops->col_text(st, column); }
static inline struct str sql_col_blob(struct sql_stmt *st, int column) { return st->db->ops->col_blob(st, column); }

// Many rows of integers at a fraction of what a statement a row costs; a connection gathers one lot at a time.
//
// Begins a lot for the table, which has this many columns (2 … 64), the first its INTEGER PRIMARY KEY.
NODISCARD static inline bool sql_bulk_begin(struct sql *db, struct str table, unsigned columns, struct err *err) {
    return db->ops->bulk_begin(db, table, columns, err);
}
// In the order of their keys. Bit i of nulls: column i is NULL; the table's NOT NULL and CHECK are not looked at. False
// when out of memory, or when the lot takes no more or not this one: insert them in another way then.
NODISCARD static inline bool sql_bulk_add(struct sql *db, const int64_t *values, uint64_t nulls) {
    return db->ops->bulk_add(db, values, nulls);
}
// Hands the lot, of a row at least, to the database; no transaction may be open.
NODISCARD static inline bool sql_bulk_load(struct sql *db, struct err *err) { return db->ops->bulk_load(db, err); }
// Inserts what was loaded, all or (ERR_EXISTS: one of the keys is there) nothing.
NODISCARD static inline bool sql_bulk_insert(struct sql *db, struct err *err) { return db->ops->bulk_insert(db, err); }
// Gives the memory of lots back, until the next one begins; no transaction may be open.
static inline void sql_bulk_end(struct sql *db) { db->ops->bulk_end(db); }

// Rows changed by the last statement.
static inline int64_t sql_changes(struct sql *db) { return db->ops->changes(db); }

// Takes the write lock at once: what is read in the transaction no other transaction of its lane changes before it
// ends. Not nested. After a statement that failed, the one thing to do is sql_rollback (PostgreSQL refuses all else).
NODISCARD bool sql_begin(struct sql *db, struct err *err);
// Takes no lock and writes nothing: all that is read until sql_rollback is of one moment, that of the first reading.
NODISCARD static inline bool sql_begin_read(struct sql *db, struct err *err) { return db->ops->begin_read(db, err); }
// Commits may reach the disk a little later, and a loss of power then takes the last of them back, whole. After this,
// within a transaction, its sql_commit returns only when what it holds is on the disk.
NODISCARD bool sql_durable(struct sql *db, struct err *err);
// On failure the transaction is rolled back; a durable one that fails with ERR_IO is committed, but the disk did not
// say that it has it.
NODISCARD bool sql_commit(struct sql *db, struct err *err);
// Without a transaction, does nothing.
void sql_rollback(struct sql *db);
// Ends what was left in the middle: statements, whose values are forgotten, and the open transaction.
void sql_rest(struct sql *db);

// Whether there is a table of that name; of any name when it is empty.
NODISCARD static inline bool sql_has_table(struct sql *db, struct str name, bool *out_has, struct err *err) {
    return db->ops->has_table(db, name, out_has, err);
}
// Changes whenever another connection, of any process, committed something since this one last looked; it may change
// without that as well.
NODISCARD static inline bool sql_data_version(struct sql *db, uint64_t *out_version, struct err *err) {
    return db->ops->data_version(db, out_version, err);
}

#endif
