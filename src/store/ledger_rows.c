// The SQL side of the usage ledger.
#include "store/ledger_rows.h"

#include "base/mem.h"
#include "os/rand.h"

// Past this many distinct names the copy of the table is dropped and begun anew.
#define NAMES_MAX 10000
// Distinct keys of one batch whose last use is gathered before it is written.
#define KEYS_MAX 64

#define UPSERT                                                                                                         \
    "INSERT INTO usage (id, ts, key_id, provider_id, model_id, upstream_model_id, endpoint, status, flags, tokens_in," \
    " tokens_cached, tokens_cache_write, tokens_out, tokens_reasoning, cost_nano, latency_us, ttft_us, error_id,"      \
    " tenant_id) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19)"                          \
    " ON CONFLICT (id) DO UPDATE SET ts=excluded.ts, key_id=excluded.key_id, provider_id=excluded.provider_id,"        \
    " model_id=excluded.model_id, upstream_model_id=excluded.upstream_model_id, endpoint=excluded.endpoint,"           \
    " status=excluded.status, flags=excluded.flags, tokens_in=excluded.tokens_in,"                                     \
    " tokens_cached=excluded.tokens_cached, tokens_cache_write=excluded.tokens_cache_write,"                           \
    " tokens_out=excluded.tokens_out, tokens_reasoning=excluded.tokens_reasoning, cost_nano=excluded.cost_nano,"       \
    " latency_us=excluded.latency_us, ttft_us=excluded.ttft_us, error_id=excluded.error_id"                            \
    " WHERE usage.status = 0 AND excluded.status <> 0"

struct last_use {
    uint64_t id;
    int64_t ts;
};

static void names_clear(struct ledger_rows *rows) {
    const struct map_entry *e;
    for (size_t it = 0; (e = map_next(&rows->names, &it));) {
        char *owned = (char *)(uintptr_t)e->key.p;
        mem_free(owned);
    }
    map_free(&rows->names);
    map_init(&rows->names, rand_u64()); // names come from clients
}

bool ledger_rows_open(struct ledger_rows *rows, struct str database, unsigned busy_ms, struct err *err) {
    struct sql *db;
    struct sql_options opt = {.mode = SQL_READ_WRITE, .busy_ms = busy_ms};
    if (!sql_open(database, &opt, &db, err)) return false;
    // A segment is deleted once its records are committed, so a commit has to be on disk.
    if (!sql_exec(db, STR("PRAGMA synchronous=FULL"), err)) {
        sql_close(db);
        return false;
    }
    *rows = (struct ledger_rows){.db = db};
    map_init(&rows->names, rand_u64());
    return true;
}

void ledger_rows_close(struct ledger_rows *rows) {
    if (!rows->db) return;
    names_clear(rows);
    map_free(&rows->names);
    sql_close(rows->db);
    *rows = (struct ledger_rows){0};
}

static bool name_find(struct ledger_rows *rows, struct str text, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(rows->db, STR("INSERT INTO name (text) VALUES (?1) ON CONFLICT (text) DO NOTHING"), &st, err))
        return false;
    sql_bind_text(st, 1, text);
    if (!sql_run(st, err) || !sql_prepare(rows->db, STR("SELECT id FROM name WHERE text = ?1"), &st, err)) return false;
    sql_bind_text(st, 1, text);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_STORE, "a name that was just stored is not in the database");
    *out_id = sql_col_i64(st, 0);
    sql_reset(st);
    return true;
}

// The text's id, stored when it is new; 0 for the empty text.
static bool name_id(struct ledger_rows *rows, struct str text, int64_t *out_id, struct err *err) {
    if (text.n == 0) {
        *out_id = 0;
        return true;
    }
    void *known = map_get(&rows->names, text);
    if (LIKELY(known)) {
        *out_id = (int64_t)(intptr_t)known;
        return true;
    }
    if (!name_find(rows, text, out_id, err)) return false;
    if (rows->names.n >= NAMES_MAX) names_clear(rows);
    char *key = mem_strdup(text);
    // Not remembering it costs a look-up the next time, no more.
    if (key && !map_put(&rows->names, str_of(key, text.n), (void *)(intptr_t)*out_id)) mem_free(key);
    return true;
}

static void bind_id(struct sql_stmt *st, int index, int64_t id) {
    if (id)
        sql_bind_i64(st, index, id);
    else
        sql_bind_null(st, index);
}

static bool insert(struct ledger_rows *rows, struct sql_stmt *st, const struct usage_record *r, struct err *err) {
    int64_t provider, model, upstream, error;
    if (!name_id(rows, r->provider, &provider, err) || !name_id(rows, r->model, &model, err) ||
        !name_id(rows, r->upstream_model, &upstream, err) || !name_id(rows, r->error, &error, err))
        return false;
    sql_bind_i64(st, 1, (int64_t)r->id);
    sql_bind_i64(st, 2, r->ts);
    bind_id(st, 3, (int64_t)r->key_id);
    bind_id(st, 4, provider);
    bind_id(st, 5, model);
    bind_id(st, 6, upstream);
    sql_bind_i64(st, 7, r->endpoint);
    sql_bind_i64(st, 8, r->status);
    sql_bind_i64(st, 9, r->flags);
    sql_bind_i64(st, 10, (int64_t)r->tokens_in);
    sql_bind_i64(st, 11, (int64_t)r->tokens_cached);
    sql_bind_i64(st, 12, (int64_t)r->tokens_cache_write);
    sql_bind_i64(st, 13, (int64_t)r->tokens_out);
    sql_bind_i64(st, 14, (int64_t)r->tokens_reasoning);
    sql_bind_i64(st, 15, r->cost_nano);
    sql_bind_i64(st, 16, (int64_t)r->latency_us);
    sql_bind_i64(st, 17, (int64_t)r->ttft_us);
    bind_id(st, 18, error);
    sql_bind_i64(st, 19, r->tenant_id ? (int64_t)r->tenant_id : 1);
    return sql_run(st, err);
}

static bool keys_write(struct ledger_rows *rows, struct last_use *keys, size_t *n, struct err *err) {
    struct sql_stmt *st;
    if (*n == 0) return true;
    if (!sql_prepare(rows->db, STR("UPDATE api_key SET last_used_at = ?2 WHERE id = ?1 AND last_used_at < ?2"), &st,
                     err))
        return false;
    for (size_t i = 0; i < *n; i++) {
        sql_bind_i64(st, 1, (int64_t)keys[i].id);
        sql_bind_i64(st, 2, keys[i].ts);
        if (!sql_run(st, err)) return false;
    }
    *n = 0;
    return true;
}

static bool key_note(struct ledger_rows *rows, struct last_use keys[KEYS_MAX], size_t *n, const struct usage_record *r,
                     struct err *err) {
    if (r->key_id == 0) return true;
    for (size_t i = 0; i < *n; i++) {
        if (keys[i].id != r->key_id) continue;
        keys[i].ts = MAX(keys[i].ts, r->ts);
        return true;
    }
    if (*n == KEYS_MAX && !keys_write(rows, keys, n, err)) return false;
    keys[(*n)++] = (struct last_use){r->key_id, r->ts};
    return true;
}

static bool items_write(struct ledger_rows *rows, const struct ledger_batch *batch, struct err *err) {
    struct last_use keys[KEYS_MAX];
    size_t n_keys = 0;
    struct sql_stmt *st;
    if (!sql_prepare(rows->db, STR(UPSERT), &st, err)) return false;
    for (size_t i = 0; i < batch->items.n; i++) {
        struct usage_record rec;
        // Of a newer version: nothing to be made of it here.
        if (!usage_decode(batch->items.p[i].payload, &rec)) continue;
        if (batch->items.p[i].unknown) rec.status = USAGE_STATUS_UNKNOWN;
        if (!insert(rows, st, &rec, err) || !key_note(rows, keys, &n_keys, &rec, err)) return false;
    }
    return keys_write(rows, keys, &n_keys, err);
}

static bool marks_write(struct ledger_rows *rows, const struct ledger_batch *batch, struct err *err) {
    struct sql_stmt *put, *del;
    if (!sql_prepare(rows->db,
                     STR("INSERT INTO wal_applied (segment, offset) VALUES (?1, ?2)"
                         " ON CONFLICT (segment) DO UPDATE SET offset = excluded.offset"),
                     &put, err) ||
        !sql_prepare(rows->db, STR("DELETE FROM wal_applied WHERE segment = ?1"), &del, err))
        return false;
    for (size_t i = 0; i < batch->marks.n; i++) {
        const struct ledger_mark *m = &batch->marks.p[i];
        struct sql_stmt *st = m->offset ? put : del;
        sql_bind_i64(st, 1, (int64_t)m->segment);
        if (m->offset) sql_bind_i64(st, 2, (int64_t)m->offset);
        if (!sql_run(st, err)) return false;
    }
    return true;
}

static int item_order(const void *a, const void *b) {
    const struct ledger_item *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

// In order of the key, so that the tree grows at its end.
static void items_sort(struct ledger_batch *batch) {
    for (size_t i = 1; i < batch->items.n; i++) {
        if (batch->items.p[i - 1].id <= batch->items.p[i].id) continue;
        qsort(batch->items.p, batch->items.n, sizeof *batch->items.p, item_order);
        return;
    }
}

bool ledger_rows_write(struct ledger_rows *rows, struct ledger_batch *batch, struct err *err) {
    if (batch->items.n == 0 && batch->marks.n == 0) return true;
    items_sort(batch);
    if (!sql_begin(rows->db, err)) return false;
    if (items_write(rows, batch, err) && marks_write(rows, batch, err)) {
        if (sql_commit(rows->db, err)) return true;
    } else {
        sql_rollback(rows->db);
    }
    names_clear(rows); // those the transaction stored are gone with it
    return false;
}

bool ledger_rows_mark(struct ledger_rows *rows, uint64_t segment, uint64_t *out_offset, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(rows->db, STR("SELECT offset FROM wal_applied WHERE segment = ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, (int64_t)segment);
    if (!sql_step(st, &row, err)) return false;
    *out_offset = row ? (uint64_t)sql_col_i64(st, 0) : 0;
    if (row) sql_reset(st);
    return true;
}

bool ledger_rows_forget(struct ledger_rows *rows, uint64_t first, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(rows->db, STR("DELETE FROM wal_applied WHERE segment < ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, (int64_t)first);
    return sql_run(st, err);
}
