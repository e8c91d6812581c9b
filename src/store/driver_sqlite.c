// The SQLite driver: one file in WAL mode beside the server, nothing else to install.
#include "store/sql_driver.h"

#include "base/map.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/sqlite_bulk.h"
#include "store/sqlite_scan.h"

#include <errno.h>
#include <sqlite3.h>

struct sqlite {
    struct sql base;
    sqlite3 *os;
    struct map statements; // text → struct sqlite_stmt
    struct sqlite_bulk bulk;
    struct sqlite_scan scan;
    char *path;
};

struct sqlite_stmt {
    struct sql_stmt base;
    sqlite3_stmt *os;
    int bind_failed; // first failed bind since the last prepare or step
    size_t text_n;
    char text[];
};

static struct sqlite *of(struct sql *db) { return CONTAINER_OF(db, struct sqlite, base); }
static struct sqlite_stmt *stmt_of(struct sql_stmt *st) { return CONTAINER_OF(st, struct sqlite_stmt, base); }

// --- SQLite's memory comes through base/mem, so that it is counted, capped and can be made to fail ---

static void *lib_malloc(int n) { return mem_alloc((size_t)n); }
static void *lib_realloc(void *p, int n) { return mem_realloc(p, (size_t)n); }
static int lib_size(void *p) { return (int)mem_size(p); }
static int lib_roundup(int n) { return (n + 7) & ~7; }
static int lib_init(void *arg UNUSED) { return SQLITE_OK; }
static void lib_shutdown(void *arg UNUSED) {}

static void library_setup(void) {
    static const sqlite3_mem_methods methods = {.xMalloc = lib_malloc,
                                                .xFree = mem_free,
                                                .xRealloc = lib_realloc,
                                                .xSize = lib_size,
                                                .xRoundup = lib_roundup,
                                                .xInit = lib_init,
                                                .xShutdown = lib_shutdown};
    // Refused when something in the process used SQLite earlier: then it keeps its own allocator, which works as well.
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

// --- errors ---

static bool disk_is_full(struct sqlite *db) {
    int code = sqlite3_system_errno(db->os);
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

static bool failed(struct sqlite *db, int rc, const char *doing, struct err *err) {
    const char *path = db->path, *reason = db->os ? sqlite3_errmsg(db->os) : sqlite3_errstr(rc);
    if (rc == SQLITE_IOERR_NOMEM) return err_no_memory(err);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_STORE_BUSY, "cannot %s: %s is locked by another process; end it or try again", doing,
                       path);
    case SQLITE_FULL:
        return err_set(err, ERR_STORE_FULL, "cannot %s: no room left for %s; free disk space or raise its quota", doing,
                       path);
    case SQLITE_NOMEM:
        return err_no_memory(err);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return err_set(err, ERR_STORE,
                       "cannot %s: %s is damaged or not a database (%s); restore it from a backup, or move it away to "
                       "start empty",
                       doing, path, reason);
    case SQLITE_CONSTRAINT:
        return err_set(err,
                       rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ? ERR_EXISTS : ERR_STORE,
                       "cannot %s in %s: %s", doing, path, reason);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return err_set(err, ERR_STORE, "cannot %s: %s: %s; the file and its directory must be writable for this user",
                       doing, path, reason);
    case SQLITE_IOERR:
        if (disk_is_full(db))
            return err_set(err, ERR_STORE_FULL, "cannot %s: no room left beside %s; free disk space", doing, path);
        break;
    }
    return err_set(err, ERR_STORE, "cannot %s in %s: %s", doing, path, reason);
}

// --- open and close ---

static bool sqlite_accepts(struct str where) { return str_find(where, STR("://")) == where.n; }

// Switching a new file to WAL needs it for itself for a moment, and SQLite does not wait for that.
static int set_wal(struct sqlite *db, unsigned busy_ms) {
    uint64_t deadline = clock_mono_ns() + busy_ms * NS_PER_MS;
    for (;;) {
        int rc = sqlite3_exec(db->os, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if ((rc & 0xff) != SQLITE_BUSY || clock_mono_ns() >= deadline) return rc;
        sqlite3_sleep(5);
    }
}

static int configure(struct sqlite *db, const struct sql_options *options) {
    static const struct {
        int what, value;
    } settings[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1}, {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
        {SQLITE_DBCONFIG_DQS_DDL, 0},   {SQLITE_DBCONFIG_DQS_DML, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        int rc = sqlite3_db_config(db->os, settings[i].what, settings[i].value, NULL);
        if (rc) return rc;
    }
    int ms = options->busy_ms > INT32_MAX ? INT32_MAX : (int)options->busy_ms;
    int rc = sqlite3_busy_timeout(db->os, ms);
    if (!rc && options->mode != SQL_READ_ONLY) rc = set_wal(db, options->busy_ms);
    if (rc) return rc;
    // A small page cache and no mapping of the file: several connections must rest in little memory, and an I/O error
    // must be an error, not a signal. The last statement reads the file's header, so that a bad file is told here.
    rc = sqlite3_exec(db->os, options->durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", NULL, NULL,
                      NULL);
    if (rc) return rc;
    char text[160];
    snprintf(text, sizeof text,
             "PRAGMA cache_size=-%u; PRAGMA mmap_size=0; PRAGMA journal_size_limit=16777216; PRAGMA schema_version",
             options->cache_kb ? options->cache_kb : 512);
    return sqlite3_exec(db->os, text, NULL, NULL, NULL);
}

static void sqlite_close(struct sql *base) {
    struct sqlite *db = of(base);
    const struct map_entry *e;
    for (size_t it = 0; (e = map_next(&db->statements, &it));) {
        struct sqlite_stmt *st = e->value;
        sqlite3_finalize(st->os);
        mem_free(st);
    }
    map_free(&db->statements);
    sqlite_bulk_close(&db->bulk);
    sqlite3_close(db->os);
    sqlite_bulk_free(&db->bulk);
    mem_free(db->path);
    mem_free(db);
}

static bool open_file(struct sqlite *db, const struct sql_options *options, struct err *err) {
    static const int flags[] = {[SQL_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                [SQL_READ_WRITE] = SQLITE_OPEN_READWRITE,
                                [SQL_READ_ONLY] = SQLITE_OPEN_READONLY};
    struct str path = str_c(db->path);
    if (options->mode == SQL_CREATE && !str_eq(path, STR(":memory:"))) {
        // Created here, for its owner only; SQLite gives its side files the same mode. A database that is there is
        // never opened but by SQLite: closing any descriptor of it would drop the locks (POSIX) of this process's
        // connections, and the next process to leave would take itself for the last one and remove the log they are
        // writing to.
        bool created;
        if (!file_create_once(path, STR(""), 0600, &created, err)) return false;
    }
    int rc =
        sqlite3_open_v2(db->path, &db->os, flags[options->mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (!rc) rc = configure(db, options);
    return rc == SQLITE_OK || failed(db, rc, "open the database", err);
}

static bool sqlite_open(struct str where, const struct sql_options *options, struct sql **out_db, struct err *err) {
    static struct once once = ONCE_INIT;
    once_run(&once, library_setup);
    struct sqlite *db = mem_zalloc(1, sizeof *db);
    if (!db) return err_no_memory(err);
    db->base.ops = &sql_driver_sqlite;
    map_init(&db->statements, 0); // texts are our own
    db->path = mem_strdup(where);
    if (!db->path || memchr(db->path, '\0', where.n)) {
        if (db->path)
            err_set(err, ERR_INVALID_FIELD, "the database's path contains a NUL byte");
        else
            err_no_memory(err);
        sqlite_close(&db->base);
        return false;
    }
    if (!open_file(db, options, err)) {
        sqlite_close(&db->base);
        return false;
    }
    *out_db = &db->base;
    return true;
}

// --- statements ---

static bool sqlite_exec(struct sql *base, struct str script, struct err *err) {
    struct sqlite *db = of(base);
    if (script.n > INT32_MAX) return err_set(err, ERR_STORE, "a script of %zu bytes is too long", script.n);
    if (script.n == 0) return true;
    const char *end = script.p + script.n;
    for (const char *p = script.p; p < end;) {
        sqlite3_stmt *st;
        int rc = sqlite3_prepare_v3(db->os, p, (int)(end - p), 0, &st, &p);
        if (rc) return failed(db, rc, "run a script", err);
        if (!st) continue; // a comment or the end
        do {
            rc = sqlite3_step(st);
        } while (rc == SQLITE_ROW);
        bool ok = rc == SQLITE_DONE || failed(db, rc, "run a script", err);
        sqlite3_finalize(st);
        if (!ok) return false;
    }
    return true;
}

static bool prepare_new(struct sqlite *db, struct str text, struct sqlite_stmt **out_stmt, struct err *err) {
    if (text.n > INT32_MAX) return err_set(err, ERR_STORE, "a statement of %zu bytes is too long", text.n);
    struct sqlite_stmt *st = mem_alloc(sizeof *st + text.n);
    if (!st) return err_no_memory(err);
    *st = (struct sqlite_stmt){.base.db = &db->base, .text_n = text.n};
    memcpy(st->text, text.p, text.n);
    int rc = sqlite3_prepare_v3(db->os, st->text, (int)text.n, SQLITE_PREPARE_PERSISTENT, &st->os, NULL);
    if (rc || !st->os) {
        mem_free(st);
        return rc ? failed(db, rc, "prepare a statement", err) : err_set(err, ERR_STORE, "a statement is empty");
    }
    if (!map_put(&db->statements, str_of(st->text, st->text_n), st)) {
        sqlite3_finalize(st->os);
        mem_free(st);
        return err_no_memory(err);
    }
    *out_stmt = st;
    return true;
}

static bool sqlite_prepare(struct sql *base, struct str text, struct sql_stmt **out_stmt, struct err *err) {
    struct sqlite *db = of(base);
    struct sqlite_stmt *st = map_get(&db->statements, text);
    if (!st && !prepare_new(db, text, &st, err)) return false;
    sqlite3_reset(st->os);
    sqlite3_clear_bindings(st->os);
    st->bind_failed = 0;
    *out_stmt = &st->base;
    return true;
}

static bool sqlite_prepare_scan(struct sql *base, struct str text, unsigned columns, struct sql_stmt **out_stmt,
                                struct err *err) {
    struct sqlite *db = of(base);
    BUF_AUTO struct buf whole = BUF_INIT(text.n + SQL_SCAN_MAX * 16);
    int rc = sqlite_scan_text(&db->scan, db->os, text, columns, &whole);
    if (rc) return failed(db, rc, "prepare a statement", err);
    return sqlite_prepare(base, buf_str(&whole), out_stmt, err);
}

static void note_bind(struct sqlite_stmt *st, int rc) {
    if (UNLIKELY(rc != SQLITE_OK) && !st->bind_failed) st->bind_failed = rc;
}

static void sqlite_bind_i64(struct sql_stmt *base, int index, int64_t v) {
    struct sqlite_stmt *st = stmt_of(base);
    note_bind(st, sqlite3_bind_int64(st->os, index, v));
}
static void sqlite_bind_text(struct sql_stmt *base, int index, struct str v) {
    struct sqlite_stmt *st = stmt_of(base);
    note_bind(st, sqlite3_bind_text64(st->os, index, v.n ? v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8));
}
static void sqlite_bind_blob(struct sql_stmt *base, int index, struct str v) {
    struct sqlite_stmt *st = stmt_of(base);
    note_bind(st, sqlite3_bind_blob64(st->os, index, v.n ? v.p : "", v.n, SQLITE_STATIC));
}
static void sqlite_bind_null(struct sql_stmt *base, int index) {
    struct sqlite_stmt *st = stmt_of(base);
    note_bind(st, sqlite3_bind_null(st->os, index));
}

static bool sqlite_step(struct sql_stmt *base, bool *out_row, struct err *err) {
    struct sqlite_stmt *st = stmt_of(base);
    int rc = st->bind_failed ? st->bind_failed : sqlite3_step(st->os);
    if (rc == SQLITE_ROW) {
        *out_row = true;
        return true;
    }
    bool ok = rc == SQLITE_DONE || failed(of(base->db), rc, "run a statement", err);
    sqlite3_reset(st->os);
    st->bind_failed = 0;
    if (ok) *out_row = false;
    return ok;
}

static bool sqlite_scan(struct sql_stmt *base, const struct sql_scan *scan, struct err *err) {
    struct sqlite_stmt *st = stmt_of(base);
    struct sqlite *db = of(base->db);
    int rc = st->bind_failed ? st->bind_failed : sqlite_scan_run(&db->scan, st->os, scan, err);
    bool ok = rc == SQLITE_DONE || (db->scan.stopped ? false : failed(db, rc, "run a statement", err));
    sqlite3_reset(st->os);
    st->bind_failed = 0;
    return ok;
}

static void sqlite_reset(struct sql_stmt *base) {
    struct sqlite_stmt *st = stmt_of(base);
    sqlite3_reset(st->os);
    st->bind_failed = 0;
}

// A statement in the middle holds on to the state of the file that it reads.
static void sqlite_reset_all(struct sql *base) {
    sqlite3 *os = of(base)->os;
    for (sqlite3_stmt *st = NULL; (st = sqlite3_next_stmt(os, st));) {
        sqlite3_reset(st);
        sqlite3_clear_bindings(st);
    }
}

static bool sqlite_col_is_null(struct sql_stmt *base, int column) {
    return sqlite3_column_type(stmt_of(base)->os, column) == SQLITE_NULL;
}
static int64_t sqlite_col_i64(struct sql_stmt *base, int column) {
    return sqlite3_column_int64(stmt_of(base)->os, column);
}
static struct str sqlite_col_text(struct sql_stmt *base, int column) {
    sqlite3_stmt *os = stmt_of(base)->os;
    const unsigned char *p = sqlite3_column_text(os, column);
    return p ? str_of((const char *)p, (size_t)sqlite3_column_bytes(os, column)) : STR_NONE;
}
static struct str sqlite_col_blob(struct sql_stmt *base, int column) {
    sqlite3_stmt *os = stmt_of(base)->os;
    const void *p = sqlite3_column_blob(os, column);
    return p ? str_of(p, (size_t)sqlite3_column_bytes(os, column)) : STR_NONE;
}

static int64_t sqlite_changes(struct sql *base) { return sqlite3_changes64(of(base)->os); }

static bool run_text(struct sql *db, struct str text, struct err *err) {
    struct sql_stmt *st;
    return sqlite_prepare(db, text, &st, err) && sql_run(st, err);
}
static bool sqlite_begin(struct sql *base, struct err *err) { return run_text(base, STR("BEGIN IMMEDIATE"), err); }
static bool sqlite_commit(struct sql *base, struct err *err) { return run_text(base, STR("COMMIT"), err); }
static bool sqlite_begin_read(struct sql *base, struct err *err) { return run_text(base, STR("BEGIN"), err); }

static void sqlite_rollback(struct sql *base) {
    struct err ignored;
    (void)!sqlite_exec(base, STR("ROLLBACK"), &ignored);
}
static bool sqlite_in_transaction(struct sql *base) { return sqlite3_get_autocommit(of(base)->os) == 0; }

static bool sqlite_has_table(struct sql *base, struct str name, bool *out_has, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(base),
                     STR("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND (name = ?1 OR ?1 = '')"
                         " AND name NOT LIKE 'sqlite^_%' ESCAPE '^'"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, name);
    bool row;
    if (!sql_step(st, &row, err)) return false;
    sql_reset(st);
    *out_has = row;
    return true;
}

// --- bulk insertion ---

static bool sqlite_bulk_begins(struct sql *base, struct str table, unsigned columns, struct err *err) {
    struct sqlite *db = of(base);
    int rc = sqlite_bulk_begin(&db->bulk, db->os, table, columns);
    return rc == SQLITE_OK || failed(db, rc, "insert into a table", err);
}
static bool sqlite_bulk_add(struct sql *base, const int64_t *values, uint64_t nulls) {
    return image_add(&of(base)->bulk.image, values, nulls);
}
static bool sqlite_bulk_loads(struct sql *base, struct err *err) {
    struct sqlite *db = of(base);
    int rc = sqlite_bulk_load(&db->bulk, db->os);
    return rc == SQLITE_OK || failed(db, rc, "insert rows", err);
}
static bool sqlite_bulk_inserts(struct sql *base, struct err *err) {
    struct sqlite *db = of(base);
    int rc = sqlite_bulk_insert(&db->bulk);
    return rc == SQLITE_OK || failed(db, rc, "insert rows", err);
}
static void sqlite_bulk_ends(struct sql *base) { sqlite_bulk_end(&of(base)->bulk, of(base)->os); }

static bool sqlite_data_version(struct sql *base, uint64_t *out_version, struct err *err) {
    int64_t v;
    if (!sql_query_i64(sql_platform(base), STR("PRAGMA data_version"), &v, err)) return false;
    *out_version = (uint64_t)v;
    return true;
}

// With synchronous=NORMAL a commit is in the log file, but the log is synced only before it is copied to the database.
// The pragma cannot be changed within a transaction, so the log is synced here; had another connection begun it anew
// meanwhile, it would have synced both files first.
static bool sqlite_sync(struct sql *base, struct err *err) {
    struct sqlite *db = of(base);
    sqlite3_file *log = NULL;
    int rc = sqlite3_file_control(db->os, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (!rc && log && log->pMethods) rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    return rc == SQLITE_OK || err_set(err, ERR_IO, "%s: what was committed could not be brought to the disk: %s",
                                      db->path, sqlite3_errstr(rc));
}

const struct sql_ops sql_driver_sqlite = {
    .name = "sqlite",
    .accepts = sqlite_accepts,
    .open = sqlite_open,
    .close = sqlite_close,
    .exec = sqlite_exec,
    .prepare = sqlite_prepare,
    .bind_i64 = sqlite_bind_i64,
    .bind_text = sqlite_bind_text,
    .bind_blob = sqlite_bind_blob,
    .bind_null = sqlite_bind_null,
    .step = sqlite_step,
    .prepare_scan = sqlite_prepare_scan,
    .scan = sqlite_scan,
    .reset = sqlite_reset,
    .reset_all = sqlite_reset_all,
    .col_is_null = sqlite_col_is_null,
    .col_i64 = sqlite_col_i64,
    .col_text = sqlite_col_text,
    .col_blob = sqlite_col_blob,
    .changes = sqlite_changes,
    .begin = sqlite_begin,
    .begin_read = sqlite_begin_read,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .in_transaction = sqlite_in_transaction,
    .has_table = sqlite_has_table,
    .bulk_begin = sqlite_bulk_begins,
    .bulk_add = sqlite_bulk_add,
    .bulk_load = sqlite_bulk_loads,
    .bulk_insert = sqlite_bulk_inserts,
    .bulk_end = sqlite_bulk_ends,
    .data_version = sqlite_data_version,
    .sync = sqlite_sync,
};
