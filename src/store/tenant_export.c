// Reads a tenant's tables in the order of their keys and writes them as lines of JSON.
#include "store/tenant_export.h"

#include "base/arena.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/utf8.h"
#include "os/clock.h"
#include "store/sealed.h"
#include "store/tenant_table.h"

#include <stdio.h>

#define KEYS_MAX 6 // columns of a primary key, without the tenant
#define COLUMNS_MAX 40
#define ROWS 500
#define ROWS_SEALED 20 // their texts may be long
#define SQL_MAX 8192
#define OPENED_MAX ((size_t)16 << 20)

struct tenant_export {
    const struct datadir *dir;
    struct sql *db;
    int64_t tenant;
    char *head;
    bool begun;
    size_t table; // being read
    const struct tenant_table *t;
    struct tenant_column columns[COLUMNS_MAX];
    size_t n_columns, keys[KEYS_MAX], n_keys;
    bool going;        // `last` is the row to go on after
    struct arena last; // its texts
    int64_t key_i[KEYS_MAX];
    struct str key_s[KEYS_MAX];
    int64_t *counts; // a table
};

bool tenant_export_open(const struct datadir *dir, int64_t tenant, struct str head, struct tenant_export **out_export,
                        struct err *err) {
    struct tenant_export *x = mem_zalloc(1, sizeof *x);
    if (!x) return err_no_memory(err);
    arena_init(&x->last, NULL, 0, OPENED_MAX);
    x->dir = dir;
    x->tenant = tenant;
    x->head = mem_strdup(head);
    x->counts = mem_zalloc(tenant_table_count(), sizeof *x->counts);
    bool ok = (x->head && x->counts) || err_no_memory(err);
    ok = ok && datadir_open_db(dir, SQL_BUSY_MS_DEFAULT, &x->db, err) && sql_begin_read(x->db, err);
    if (ok)
        *out_export = x;
    else
        tenant_export_free(x);
    return ok;
}

void tenant_export_free(struct tenant_export *x) {
    if (!x) return;
    if (x->db) sql_rollback(x->db);
    sql_close(x->db);
    arena_free(&x->last);
    mem_free(x->counts);
    mem_free(x->head);
    mem_free(x);
}

// --- the statement of a page ---

static bool is_number(char mark) { return mark == '#' || mark == '@' || mark == '?'; }

static void table_begin(struct tenant_export *x) {
    struct str rest = tenant_table_at(x->table)->columns;
    x->t = tenant_table_at(x->table);
    x->n_columns = x->n_keys = 0;
    x->going = false;
    while (x->n_columns < COLUMNS_MAX && tenant_column_next(&rest, &x->columns[x->n_columns])) {
        const struct tenant_column *c = &x->columns[x->n_columns];
        if (c->mark == '-' && !c->key) continue;
        INVARIANT(!c->key || x->n_keys < KEYS_MAX);
        if (c->key) x->keys[x->n_keys++] = x->n_columns;
        x->n_columns++;
    }
    INVARIANT(!rest.n && x->n_keys);
}

static void put_keys(const struct tenant_export *x, struct buf *out) {
    for (size_t i = 0; i < x->n_keys; i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(x->columns[x->keys[i]].name));
}

static void put_statement(const struct tenant_export *x, struct buf *out) {
    bool sealed = false;
    buf_lit(out, "SELECT ");
    for (size_t i = 0; i < x->n_columns; i++) {
        const struct tenant_column *c = &x->columns[i];
        sealed |= c->mark == '!' || c->mark == '&';
        buf_put(out, i ? STR(", ") : STR(""));
        buf_printf(out, c->mark == '$' ? "(SELECT n.text FROM name n WHERE n.id = %.*s)" : "%.*s", STR_ARG(c->name));
    }
    buf_printf(out, " FROM %.*s WHERE tenant_id = ?1", STR_ARG(x->t->name));
    if (x->going) {
        buf_lit(out, " AND (");
        put_keys(x, out);
        buf_lit(out, ") > (");
        for (size_t i = 0; i < x->n_keys; i++) buf_printf(out, "%s?%zu", i ? ", " : "", i + 2);
        buf_lit(out, ")");
    }
    buf_lit(out, " ORDER BY ");
    put_keys(x, out);
    buf_printf(out, " LIMIT %d", sealed ? ROWS_SEALED : ROWS);
}

static bool statement(struct tenant_export *x, struct sql_stmt **out_stmt, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(SQL_MAX);
    put_statement(x, &text);
    if (text.failed) return err_no_memory(err);
    if (!sql_prepare(sql_tenant(x->db, x->tenant), buf_str(&text), out_stmt, err)) return false;
    for (size_t i = 0; x->going && i < x->n_keys; i++) {
        char mark = x->columns[x->keys[i]].mark;
        if (is_number(mark))
            sql_bind_i64(*out_stmt, (int)i + 2, x->key_i[i]);
        else if (mark == '-')
            sql_bind_blob(*out_stmt, (int)i + 2, x->key_s[i]);
        else
            sql_bind_text(*out_stmt, (int)i + 2, x->key_s[i]);
    }
    return true;
}

// Where the next page goes on.
static bool keep_keys(struct tenant_export *x, struct sql_stmt *st, struct err *err) {
    arena_free(&x->last);
    arena_init(&x->last, NULL, 0, OPENED_MAX);
    x->going = true;
    for (size_t i = 0; i < x->n_keys; i++) {
        int column = (int)x->keys[i];
        char mark = x->columns[column].mark;
        if (is_number(mark)) {
            x->key_i[i] = sql_col_i64(st, column);
            continue;
        }
        x->key_s[i] = arena_str(&x->last, mark == '-' ? sql_col_blob(st, column) : sql_col_text(st, column));
        if (!x->key_s[i].p) return err_no_memory(err);
    }
    return true;
}

// --- values ---

static void put_time(struct json_writer *w, int64_t ns) {
    char text[TIME_TEXT_LEN];
    if (!ns) {
        json_put_null(w);
        return;
    }
    time_text(text, ns);
    json_put_str(w, str_of(text, sizeof text));
}

static void put_text(struct json_writer *w, struct str text) {
    json_put_str(w, str_head(text, utf8_valid_prefix(text)));
}

static void put_json(struct json_writer *w, struct str text) {
    struct err ignored;
    if (!text.n)
        json_put_null(w);
    else if (json_validate(text, 0, &ignored))
        json_put_raw(w, text);
    else
        put_text(w, text);
}

static void put_bytes(struct json_writer *w, struct str bytes) {
    BUF_AUTO struct buf hex = BUF_INIT(4096);
    hex_put(&hex, bytes);
    json_put_str(w, buf_str(&hex));
}

static void put_base64(struct json_writer *w, struct str bytes) {
    BUF_AUTO struct buf text = BUF_INIT(2 * OPENED_MAX);
    base64_put(&text, bytes);
    if (text.failed) w->out->failed = true;
    json_put_str(w, buf_str(&text));
}

// What does not open any more is null. The row's number is the label.
static bool put_opened(struct tenant_export *x, struct json_writer *w, struct sql_stmt *st, int column,
                       struct str purpose, void (*put)(struct json_writer *w, struct str text), struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(OPENED_MAX);
    char label[24];
    struct err why;
    int n = snprintf(label, sizeof label, "%lld", (long long)sql_col_i64(st, (int)x->keys[0]));
    struct str sealed = sql_col_blob(st, column);
    bool ok = sealed.n &&
              unseal(sql_tenant(x->db, x->tenant), x->dir, purpose, str_of(label, (size_t)n), sealed, &text, &why);
    if (!ok && sealed.n && why.code == ERR_NO_MEMORY) {
        *err = why;
        return false;
    }
    if (ok)
        put(w, buf_str(&text));
    else
        json_put_null(w);
    return true;
}

static struct str shown_name(const struct tenant_column *c) {
    if (c->mark == '$') return str_head(c->name, c->name.n - 3); // provider_id: its text
    return c->name;
}

static bool put_value(struct tenant_export *x, struct json_writer *w, struct sql_stmt *st, size_t i, struct err *err) {
    const struct tenant_column *c = &x->columns[i];
    int column = (int)i;
    if (sql_col_is_null(st, column)) {
        json_put_null(w);
        return true;
    }
    switch (c->mark) {
    case '#':
        json_put_i64(w, sql_col_i64(st, column));
        return true;
    case '?':
        json_put_bool(w, sql_col_i64(st, column) != 0);
        return true;
    case '@':
        put_time(w, sql_col_i64(st, column));
        return true;
    case '{':
        put_json(w, sql_col_text(st, column));
        return true;
    case '=':
        put_bytes(w, sql_col_blob(st, column));
        return true;
    case '!':
        return put_opened(x, w, st, column, c->purpose, put_text, err);
    case '&':
        return put_opened(x, w, st, column, c->purpose, put_base64, err);
    default:
        put_text(w, sql_col_text(st, column));
        return true;
    }
}

static bool put_row(struct tenant_export *x, struct sql_stmt *st, struct buf *out, struct err *err) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("table"), x->t->name);
    json_put_member_object(&w, STR("row"));
    for (size_t i = 0; i < x->n_columns; i++) {
        if (x->columns[i].mark == '-') continue;
        json_put_key(&w, shown_name(&x->columns[i]));
        if (!put_value(x, &w, st, i, err)) return false;
    }
    json_put_object_end(&w);
    json_put_object_end(&w);
    buf_putc(out, '\n');
    return !out->failed || err_no_memory(err);
}

// --- pages ---

// *out_more: the table may have more rows.
static bool page(struct tenant_export *x, struct buf *out, bool *out_more, struct err *err) {
    struct sql_stmt *st;
    size_t n = 0;
    if (!statement(x, &st, err)) return false;
    for (bool row;; n++) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) break;
        bool ok = put_row(x, st, out, err) && keep_keys(x, st, err);
        if (ok) x->counts[x->table]++;
        if (ok && out->n < TENANT_EXPORT_PIECE) continue;
        sql_reset(st);
        *out_more = true;
        return ok;
    }
    *out_more = n > 0; // a page that was not full is followed by an empty one, which costs little
    return true;
}

static bool put_head(struct tenant_export *x, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("type"), STR("export"));
    json_put_member_i64(&w, STR("format"), 1);
    json_put_key(&w, STR("exported_at"));
    put_time(&w, clock_unix_ns());
    json_put_object_end(&w);
    out->n--; // the brace: what the caller tells goes in before it
    if (x->head[0]) buf_printf(out, ",%s", x->head);
    buf_lit(out, "}\n");
    x->begun = true;
    return !out->failed;
}

static void put_end(const struct tenant_export *x, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("type"), STR("end"));
    json_put_member_object(&w, STR("rows"));
    for (size_t i = 0; i < tenant_table_count(); i++)
        if (tenant_table_at(i)->rows != TENANT_ROWS_WORDS)
            json_put_member_i64(&w, tenant_table_at(i)->name, x->counts[i]);
    json_put_object_end(&w);
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

bool tenant_export_next(struct tenant_export *x, struct buf *out, bool *out_end, struct err *err) {
    *out_end = false;
    if (!x->begun && !put_head(x, out)) return err_no_memory(err);
    while (out->n < TENANT_EXPORT_PIECE && x->table < tenant_table_count()) {
        bool more = false;
        if (!x->t && tenant_table_at(x->table)->rows != TENANT_ROWS_WORDS) table_begin(x);
        if (x->t && !page(x, out, &more, err)) return false;
        if (more) continue;
        x->table++;
        x->t = NULL;
    }
    if (x->table < tenant_table_count()) return true;
    put_end(x, out);
    *out_end = true;
    return !out->failed || err_no_memory(err);
}
