// Bulk insertion into a SQLite table, by copying from an image in memory.
#include "store/sqlite_bulk.h"

#include "base/buf.h"

#define SCHEMA "bulk"

static void statement_drop(struct sqlite_bulk *bulk) {
    sqlite3_finalize(bulk->copy);
    bulk->copy = NULL;
}

static void table_drop(struct sqlite_bulk *bulk) {
    statement_drop(bulk);
    mem_free(bulk->table);
    mem_free(bulk->create);
    mem_free(bulk->index);
    mem_free(bulk->create_index);
    bulk->table = bulk->create = bulk->index = bulk->create_index = NULL;
    bulk->image.index.n = 0;
}

// One row a column of each index: which, what SQLite would not find as an image has it, and the index.
#define INDEX_COLUMNS                                                                                                  \
    "SELECT x.cid, l.\"unique\" OR l.partial OR x.desc OR x.cid < 1, s.name, s.sql"                                    \
    " FROM pragma_index_list(?1, 'main') l JOIN pragma_index_xinfo(l.name, 'main') x ON x.key"                         \
    " JOIN main.sqlite_schema s ON s.type = 'index' AND s.name = l.name ORDER BY l.seq, x.seqno"

// Without the table's index in it the image serves as well; SQLite only takes longer.
static int index_take(struct sqlite_bulk *bulk, sqlite3 *db) {
    struct sqlite_index index = {0};
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db, INDEX_COLUMNS, -1, &st, NULL);
    if (rc) return rc;
    rc = sqlite3_bind_text(st, 1, bulk->table, -1, SQLITE_STATIC);
    while (!rc && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 2), *text = (const char *)sqlite3_column_text(st, 3);
        bool other = bulk->index && name && strcmp(bulk->index, name) != 0;
        rc = SQLITE_DONE;
        if (index.n == SQLITE_INDEX_COLUMNS_MAX || other || sqlite3_column_int(st, 1) || !name || !text) {
            index.n = 0;
            break;
        }
        index.columns[index.n++] = (unsigned)sqlite3_column_int(st, 0);
        if (!bulk->index) bulk->index = mem_strdup(str_c(name));
        if (!bulk->create_index) bulk->create_index = mem_strdup(str_c(text));
        rc = bulk->index && bulk->create_index ? SQLITE_OK : SQLITE_NOMEM;
    }
    sqlite3_finalize(st);
    bulk->image.index = index;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

// The image's table has the same shape as the table itself, or SQLite would not copy rows as they lie.
static int table_take(struct sqlite_bulk *bulk, sqlite3 *db, struct str table) {
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(
        db, "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 AND sql IS NOT NULL", -1, &st, NULL);
    if (rc) return rc;
    rc = sqlite3_bind_text64(st, 1, table.p, table.n, SQLITE_STATIC, SQLITE_UTF8);
    if (!rc) rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(st, 0);
        bulk->create = text ? mem_strdup(str_c(text)) : NULL;
        bulk->table = mem_strdup(table);
        rc = bulk->create && bulk->table ? SQLITE_OK : SQLITE_NOMEM;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_ERROR;
    }
    sqlite3_finalize(st);
    if (!rc) rc = index_take(bulk, db);
    if (rc) table_drop(bulk);
    return rc;
}

int sqlite_bulk_begin(struct sqlite_bulk *bulk, sqlite3 *db, struct str table, unsigned columns) {
    int rc = SQLITE_OK;
    if (bulk->table && !str_eq(str_c(bulk->table), table)) table_drop(bulk);
    if (!bulk->table) rc = table_take(bulk, db, table);
    bulk->image.columns = columns;
    image_clear(&bulk->image);
    return rc;
}

static int copy_prepare(struct sqlite_bulk *bulk, sqlite3 *db) {
    BUF_AUTO struct buf text = BUF_INIT(1024);
    if (bulk->copy) return SQLITE_OK;
    buf_put(&text, STR("INSERT INTO main.\""));
    buf_put(&text, str_c(bulk->table));
    buf_put(&text, STR("\" SELECT * FROM " SCHEMA ".\""));
    buf_put(&text, str_c(bulk->table));
    buf_put(&text, STR("\""));
    if (text.failed) return SQLITE_NOMEM;
    return sqlite3_prepare_v3(db, text.p, (int)text.n, SQLITE_PREPARE_PERSISTENT, &bulk->copy, NULL);
}

// From here on SQLite reads the new pages, and the old ones are free to be written.
static void pages_swap(struct sqlite_bulk *bulk) {
    unsigned char *p = bulk->image.p;
    size_t cap = bulk->image.cap;
    bulk->image.p = bulk->loaded;
    bulk->image.cap = bulk->loaded_cap;
    bulk->loaded = p;
    bulk->loaded_cap = cap;
    image_clear(&bulk->image);
}

static int attach(struct sqlite_bulk *bulk, sqlite3 *db) {
    if (bulk->attached) return SQLITE_OK;
    int rc = sqlite3_exec(db, "ATTACH ':memory:' AS " SCHEMA, NULL, NULL, NULL);
    bulk->attached = rc == SQLITE_OK;
    return rc;
}

int sqlite_bulk_load(struct sqlite_bulk *bulk, sqlite3 *db) {
    struct str bytes;
    struct sqlite_image_names names = {.table = str_c(bulk->table), .create = str_c(bulk->create)};
    if (bulk->image.index.n) {
        names.index = str_c(bulk->index);
        names.create_index = str_c(bulk->create_index);
    }
    if (!image_finish(&bulk->image, &names, &bytes)) return SQLITE_TOOBIG;
    int rc = attach(bulk, db);
    // Not as read-only: then no transaction that writes could begin. Nothing does write to it.
    if (!rc) rc = sqlite3_deserialize(db, SCHEMA, bulk->image.p, (sqlite3_int64)bytes.n, (sqlite3_int64)bytes.n, 0);
    if (!rc) {
        pages_swap(bulk);
        rc = copy_prepare(bulk, db);
    }
    // The table may have changed its shape since it was looked at.
    if (rc) table_drop(bulk);
    return rc;
}

int sqlite_bulk_insert(struct sqlite_bulk *bulk) {
    if (!bulk->copy) return SQLITE_MISUSE;
    int rc = sqlite3_step(bulk->copy);
    // The reset says again what the step said; the connection keeps the message.
    sqlite3_reset(bulk->copy);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void sqlite_bulk_end(struct sqlite_bulk *bulk, sqlite3 *db) {
    statement_drop(bulk);
    // As long as it is attached SQLite reads the pages.
    if (bulk->attached && sqlite3_exec(db, "DETACH " SCHEMA, NULL, NULL, NULL) != SQLITE_OK) return;
    bulk->attached = false;
    sqlite_bulk_free(bulk);
}

void sqlite_bulk_close(struct sqlite_bulk *bulk) { statement_drop(bulk); }

void sqlite_bulk_free(struct sqlite_bulk *bulk) {
    table_drop(bulk);
    mem_free(bulk->loaded);
    bulk->loaded = NULL;
    bulk->loaded_cap = 0;
    image_free(&bulk->image);
}
