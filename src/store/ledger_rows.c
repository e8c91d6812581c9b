// The SQL side of the usage ledger.
#include "store/ledger_rows.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "os/rand.h"
#include "store/migrate.h"

// Past this many distinct names the copy of the table is dropped and begun anew.
#define NAMES_MAX 10000
// Fewer rows are not worth a bulk insertion.
#define BULK_MIN 128
#define COLUMNS 17

#define INSERT                                                                                                         \
    "INSERT INTO usage (id, tenant_id, ts, dim_id, flags, tokens_in, tokens_cached, tokens_cache_write, tokens_out,"   \
    " tokens_reasoning, cost_nano, latency_us, ttft_us, reserved_tokens, reserved_nano, attempts, reference_nano)"     \
    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)"
// What stands in the database for a request id.
#define STANDING                                                                                                       \
    "SELECT u.id, u.tenant_id, u.ts, u.dim_id, u.flags, u.tokens_in, u.tokens_cached, u.tokens_cache_write,"           \
    " u.tokens_out, u.tokens_reasoning, u.cost_nano, u.latency_us, u.ttft_us, u.reserved_tokens, u.reserved_nano,"     \
    " u.attempts, u.reference_nano, d.status FROM usage u JOIN usage_dim d ON d.id = u.dim_id WHERE u.id = ?1"

// One row, in the order of the table's columns.
enum {
    ROW_TENANT = 1,
    ROW_TS,
    ROW_DIM,
    ROW_FLAGS,
    ROW_TOKENS_IN,
    ROW_COST = 10,
    ROW_LATENCY,
    ROW_TTFT,
    ROW_ATTEMPTS = 15,
    ROW_REFERENCE
};
struct row {
    int64_t v[COLUMNS];
    bool error;
};

static void names_clear(struct ledger_rows *rows) {
    const struct map_entry *e;
    for (size_t it = 0; (e = map_next(&rows->names, &it));) {
        char *owned = (char *)(uintptr_t)e->key.p;
        mem_free(owned);
    }
    map_free(&rows->names);
    map_init(&rows->names, rand_u64()); // names come from clients
    memset(rows->recent, 0, sizeof rows->recent);
}

bool ledger_rows_open(struct ledger_rows *rows, struct str database, int64_t place, unsigned busy_ms, struct err *err) {
    struct sql *db;
    // Durable: a segment is deleted once its records are committed, so a commit has to be on disk.
    struct sql_options opt = {.mode = SQL_READ_WRITE, .busy_ms = busy_ms, .lane = SQL_LANE_USAGE, .durable = true};
    if (!sql_open(database, &opt, &db, err)) return false;
    *rows = (struct ledger_rows){.db = db, .place = place};
    map_init(&rows->names, rand_u64());
    usage_rollup_init(&rows->rollup);
    return true;
}

void ledger_rows_close(struct ledger_rows *rows) {
    if (!rows->db) return;
    names_clear(rows);
    map_free(&rows->names);
    vec_free(&rows->scratch);
    vec_free(&rows->gone);
    usage_rollup_free(&rows->rollup);
    sql_close(rows->db);
    *rows = (struct ledger_rows){0};
}

// Opened when there is something to write: most lots of rows bring no new name.
static bool transaction_begin(struct ledger_rows *rows, struct err *err) {
    if (!rows->in_transaction) rows->in_transaction = sql_begin(rows->db, err);
    return rows->in_transaction;
}

static bool transaction_end(struct ledger_rows *rows, struct err *err) {
    if (!rows->in_transaction) return true;
    rows->in_transaction = false;
    return sql_commit(rows->db, err);
}

static bool name_find(struct ledger_rows *rows, struct str text, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!transaction_begin(rows, err) ||
        !sql_prepare(sql_platform(rows->db), STR("INSERT INTO name (text) VALUES (?1) ON CONFLICT (text) DO NOTHING"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, text);
    if (!sql_run(st, err) || !sql_prepare(sql_platform(rows->db), STR("SELECT id FROM name WHERE text = ?1"), &st, err))
        return false;
    sql_bind_text(st, 1, text);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_STORE, "a name that was just stored is not in the database");
    *out_id = sql_col_i64(st, 0);
    sql_reset(st);
    return true;
}

// By length and last bytes: names of one kind differ there.
static struct ledger_name *recent_slot(struct ledger_rows *rows, struct str text) {
    uint64_t tail = 0;
    if (text.n >= sizeof tail)
        memcpy(&tail, text.p + text.n - sizeof tail, sizeof tail);
    else
        memcpy(&tail, text.p, text.n);
    static_assert(LEDGER_RECENT_NAMES == 64, "as many as six bits count");
    return &rows->recent[((tail ^ text.n) * 0x9e3779b97f4a7c15ULL) >> 58];
}

// Names come from clients, and PostgreSQL takes no text that is not UTF-8 or has a NUL byte in it: a batch must not
// fail for ever for one of those. What is wrong is replaced; in *room, when anything is.
static struct str storable(const struct ledger_rows *rows, struct str text, struct buf *room) {
    if (!sql_is_postgres(rows->db) || sql_is_text(text)) return text;
    for (struct str rest = text; rest.n;) {
        uint32_t c;
        size_t n = utf8_decode(rest, &c);
        if (n && c)
            buf_append(room, rest.p, n);
        else
            buf_lit(room, "\xef\xbf\xbd");
        rest = str_from(rest, MAX(n, (size_t)1));
    }
    return buf_str(room);
}

static bool name_slow(struct ledger_rows *rows, struct str text, int64_t *out_id, struct err *err) {
    BUF_AUTO struct buf room = BUF_INIT(4 * USAGE_NAME_MAX + 4 * text.n);
    void *known = map_get(&rows->names, text);
    if (known) {
        *out_id = (int64_t)(intptr_t)known;
        return true;
    }
    struct str stored = storable(rows, text, &room);
    if (room.failed) return err_no_memory(err);
    if (!name_find(rows, stored, out_id, err)) return false;
    if (rows->names.n >= NAMES_MAX) names_clear(rows);
    char *key = mem_strdup(text);
    // Not remembering it costs a look-up the next time, no more.
    if (key && map_put(&rows->names, str_of(key, text.n), (void *)(intptr_t)*out_id))
        *recent_slot(rows, text) = (struct ledger_name){str_of(key, text.n), *out_id};
    else
        mem_free(key);
    return true;
}

// The text's id, stored when it is new; 0 for the empty text.
static inline bool name_set(struct ledger_rows *rows, int64_t *out_id, struct str text, struct err *err) {
    *out_id = 0;
    if (text.n == 0) return true;
    const struct ledger_name *known = recent_slot(rows, text);
    if (UNLIKELY(!str_eq(known->text, text))) return name_slow(rows, text, out_id, err);
    *out_id = known->id;
    return true;
}

// --- tenants that go ---

// *out_more: there are others than before. None is ever taken off the list.
static bool gone_look(struct ledger_rows *rows, bool *out_more, struct err *err) {
    struct sql_stmt *st;
    int64_t n;
    if (!sql_query_i64(sql_platform(rows->db), STR("SELECT count(*) FROM tenant_deletion"), &n, err)) return false;
    *out_more = n != (int64_t)rows->gone.n;
    if (!*out_more) return true;
    rows->gone.n = 0;
    if (!sql_prepare(sql_platform(rows->db), STR("SELECT tenant FROM tenant_deletion ORDER BY tenant"), &st, err))
        return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (!vec_push(&rows->gone, sql_col_i64(st, 0))) break;
    }
    sql_reset(st);
    rows->gone.n = 0;
    return err_no_memory(err);
}

static int tenant_order(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool is_gone(const struct ledger_rows *rows, const struct usage_record *rec) {
    int64_t tenant = (int64_t)rec->tenant_id;
    return rows->gone.n && bsearch(&tenant, rows->gone.p, rows->gone.n, sizeof tenant, tenant_order);
}

static bool begin_writing(void *arg, struct err *err) { return transaction_begin(arg, err); }

static bool dim_set(struct ledger_rows *rows, const struct usage_record *r, int64_t *out_id, struct err *err) {
    struct usage_dim d = {.v = {[DIM_TENANT] = r->tenant_id ? (int64_t)r->tenant_id : 1,
                                [DIM_KEY] = (int64_t)r->key_id,
                                [DIM_TEAM] = (int64_t)r->team_id,
                                [DIM_PROJECT] = (int64_t)r->project_id,
                                [DIM_OWNER_KIND] = r->owner_kind,
                                [DIM_OWNER] = (int64_t)r->owner_id,
                                [DIM_ENDPOINT] = r->endpoint,
                                [DIM_STATUS] = r->status}};
    return name_set(rows, &d.v[DIM_PROVIDER], r->provider, err) && name_set(rows, &d.v[DIM_MODEL], r->model, err) &&
           name_set(rows, &d.v[DIM_UPSTREAM_MODEL], r->upstream_model, err) &&
           name_set(rows, &d.v[DIM_ERROR], r->error, err) && name_set(rows, &d.v[DIM_TAGS], r->tags, err) &&
           name_set(rows, &d.v[DIM_TASK], r->task, err) &&
           usage_rollup_dim(&rows->rollup, rows->db, &d, begin_writing, rows, out_id, err);
}

static bool row_make(struct ledger_rows *rows, const struct usage_record *r, struct row *out_row, struct err *err) {
    *out_row = (struct row){.v = {(int64_t)r->id, r->tenant_id ? (int64_t)r->tenant_id : 1, r->ts, 0, r->flags,
                                  (int64_t)r->tokens_in, (int64_t)r->tokens_cached, (int64_t)r->tokens_cache_write,
                                  (int64_t)r->tokens_out, (int64_t)r->tokens_reasoning, r->cost_nano,
                                  (int64_t)r->latency_us, (int64_t)r->ttft_us, (int64_t)r->reserved_tokens,
                                  (int64_t)r->reserved_nano, (int64_t)r->attempts, r->reference_nano}};
    out_row->error = usage_is_error(r);
    return dim_set(rows, r, &out_row->v[ROW_DIM], err);
}

static bool row_sum(struct ledger_rows *rows, const struct row *row, int sign, struct err *err) {
    const int64_t *v = row->v;
    int64_t requests = usage_requests((uint64_t)v[ROW_FLAGS]);
    int64_t sums[SUM_COUNT] = {
        [SUM_REQUESTS] = requests,        [SUM_UNPRICED] = (v[ROW_FLAGS] & USAGE_PRICE_UNKNOWN) != 0,
        [SUM_COST] = v[ROW_COST],         [SUM_LATENCY] = requests * v[ROW_LATENCY],
        [SUM_TTFT] = v[ROW_TTFT],         [SUM_TTFT_REQUESTS] = v[ROW_TTFT] > 0,
        [SUM_ATTEMPTS] = v[ROW_ATTEMPTS], [SUM_REFERENCE] = v[ROW_REFERENCE]};
    if (v[ROW_FLAGS] & USAGE_COMPARED) sums[SUM_SAVED] = v[ROW_REFERENCE] - v[ROW_COST];
    memcpy(&sums[SUM_TOKENS_IN], &v[ROW_TOKENS_IN], 5 * sizeof *sums);
    return usage_rollup_add(&rows->rollup, v[ROW_TENANT], v[ROW_TS], v[ROW_DIM], row->error, sums, sign, err);
}

static bool keys_write(struct ledger_rows *rows, struct err *err) {
    struct sql_stmt *st;
    if (rows->n_keys == 0) return true;
    if (!transaction_begin(rows, err) ||
        !sql_prepare(sql_platform(rows->db),
                     STR("UPDATE api_key SET last_used_at = ?2 WHERE id = ?1 AND last_used_at < ?2"), &st, err))
        return false;
    for (size_t i = 0; i < rows->n_keys; i++) {
        sql_bind_i64(st, 1, (int64_t)rows->keys[i].id);
        sql_bind_i64(st, 2, rows->keys[i].ts);
        if (!sql_run(st, err)) return false;
    }
    rows->n_keys = 0;
    return true;
}

static bool key_note(struct ledger_rows *rows, const struct usage_record *r, struct err *err) {
    if (r->key_id == 0) return true;
    for (size_t i = 0; i < rows->n_keys; i++) {
        if (rows->keys[i].id != r->key_id) continue;
        rows->keys[i].ts = MAX(rows->keys[i].ts, r->ts);
        return true;
    }
    if (rows->n_keys == LEDGER_KEYS_MAX && !keys_write(rows, err)) return false;
    rows->keys[rows->n_keys++] = (struct ledger_last_use){r->key_id, r->ts};
    return true;
}

// False: it is of a newer version, and there is nothing to be made of it here.
static bool item_decode(const struct ledger_item *item, struct usage_record *out_rec) {
    if (!usage_decode(item->payload, out_rec)) return false;
    if (!item->unknown) return true;
    // Nobody knows what it used: it counts as what was set aside for it.
    out_rec->status = USAGE_STATUS_UNKNOWN;
    out_rec->tokens_out = out_rec->reserved_tokens;
    out_rec->cost_nano = (int64_t)out_rec->reserved_nano;
    if (out_rec->reserved_tokens || out_rec->reserved_nano) out_rec->flags |= USAGE_ESTIMATED;
    return true;
}

// *out_write: it is to be inserted. A row that stands there stays, unless it is an unknown one and this is not: then it
// is taken back first, and its numbers from the sums.
static bool row_give_way(struct ledger_rows *rows, const struct row *row, uint16_t status, bool *out_write,
                         struct err *err) {
    struct sql_stmt *st;
    struct row old = {0};
    if (!sql_prepare(sql_platform(rows->db), STR(STANDING), &st, err)) return false;
    sql_bind_i64(st, 1, row->v[0]);
    bool stands;
    if (!sql_step(st, &stands, err)) return false;
    *out_write = !stands;
    if (!stands) return true;
    for (int c = 0; c < COLUMNS; c++) old.v[c] = sql_col_i64(st, c);
    bool unknown = sql_col_i64(st, COLUMNS) == USAGE_STATUS_UNKNOWN;
    sql_reset(st);
    if (!unknown || status == USAGE_STATUS_UNKNOWN) return true;
    *out_write = true;
    if (!sql_prepare(sql_platform(rows->db), STR("DELETE FROM usage WHERE id = ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, row->v[0]);
    return sql_run(st, err) && row_sum(rows, &old, -1, err);
}

static bool row_write(struct ledger_rows *rows, const struct usage_record *rec, const struct row *row,
                      struct err *err) {
    struct sql_stmt *st;
    bool write;
    if (!row_give_way(rows, row, rec->status, &write, err)) return false;
    if (!write) return true;
    if (!sql_prepare(sql_platform(rows->db), STR(INSERT), &st, err)) return false;
    for (int c = 0; c < COLUMNS; c++) sql_bind_i64(st, c + 1, row->v[c]);
    return sql_run(st, err) && row_sum(rows, row, 1, err);
}

static bool items_write(struct ledger_rows *rows, const struct ledger_batch *batch, struct err *err) {
    struct usage_record rec;
    struct row row;
    usage_rollup_clear(&rows->rollup);
    for (size_t i = 0; i < batch->items.n; i++) {
        if (!item_decode(&batch->items.p[i], &rec) || is_gone(rows, &rec)) continue;
        if (!row_make(rows, &rec, &row, err) || !key_note(rows, &rec, err) || !row_write(rows, &rec, &row, err))
            return false;
    }
    return true;
}

// *out_any: there were rows, and all are in the lot.
static bool lot_gather(struct ledger_rows *rows, const struct ledger_batch *batch, bool *out_any, struct err *err) {
    struct usage_record rec;
    struct row row;
    *out_any = false;
    for (size_t i = 0; i < batch->items.n; i++) {
        if (!item_decode(&batch->items.p[i], &rec) || is_gone(rows, &rec)) continue;
        if (!row_make(rows, &rec, &row, err) || !key_note(rows, &rec, err) || !row_sum(rows, &row, 1, err))
            return false;
        *out_any = sql_bulk_add(rows->db, row.v, 0);
        if (!*out_any) return true;
    }
    return true;
}

// Names have to be committed before, because a lot is loaded outside of a transaction; one that no row uses in the end
// does no harm. *out_loaded false: these rows are to be inserted one by one.
static bool lot_load(struct ledger_rows *rows, const struct ledger_batch *batch, bool *out_loaded, struct err *err) {
    struct err ignored;
    *out_loaded = false;
    if (batch->items.n < BULK_MIN) {
        sql_bulk_end(rows->db); // quiet times: its memory is not needed
        vec_free(&rows->scratch);
        return true;
    }
    if (!sql_bulk_begin(rows->db, STR("usage"), COLUMNS, &ignored)) return true;
    bool any;
    if (!lot_gather(rows, batch, &any, err) || !transaction_end(rows, err)) return false;
    *out_loaded = any && sql_bulk_load(rows->db, &ignored);
    return true;
}

static bool marks_write(struct ledger_rows *rows, const struct ledger_batch *batch, struct err *err) {
    struct sql_stmt *put, *del;
    if (!sql_prepare(sql_platform(rows->db),
                     STR("INSERT INTO wal_applied (place, segment, applied) VALUES (?1, ?2, ?3)"
                         " ON CONFLICT (place, segment) DO UPDATE SET applied = excluded.applied"),
                     &put, err) ||
        !sql_prepare(sql_platform(rows->db), STR("DELETE FROM wal_applied WHERE place = ?1 AND segment = ?2"), &del,
                     err))
        return false;
    for (size_t i = 0; i < batch->marks.n; i++) {
        const struct ledger_mark *m = &batch->marks.p[i];
        struct sql_stmt *st = m->offset ? put : del;
        sql_bind_i64(st, 1, rows->place);
        sql_bind_i64(st, 2, (int64_t)m->segment);
        if (m->offset) sql_bind_i64(st, 3, (int64_t)m->offset);
        if (!sql_run(st, err)) return false;
    }
    return true;
}

static int item_order(const void *a, const void *b) {
    const struct ledger_item *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

// By the bytes of the ids that differ, the last one first.
static void items_radix(struct ledger_item *items, struct ledger_item *scratch, size_t n, uint64_t differing) {
    struct ledger_item *from = items, *to = scratch;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t start[257] = {0};
        if (!(differing >> shift & 255)) continue;
        for (size_t i = 0; i < n; i++) start[(from[i].id >> shift & 255) + 1]++;
        for (unsigned b = 1; b < 256; b++) start[b] += start[b - 1];
        for (size_t i = 0; i < n; i++) to[start[from[i].id >> shift & 255]++] = from[i];
        struct ledger_item *t = from;
        from = to;
        to = t;
    }
    if (from != items) memcpy(items, from, n * sizeof *items);
}

// In order of the key, so that the tree grows at its end.
static void items_sort(struct ledger_rows *rows, struct ledger_batch *batch) {
    struct ledger_item *items = batch->items.p;
    size_t n = batch->items.n;
    uint64_t differing = 0;
    bool sorted = true;
    for (size_t i = 1; i < n; i++) {
        differing |= items[i - 1].id ^ items[i].id;
        sorted &= items[i - 1].id <= items[i].id;
    }
    if (sorted) return;
    if (n > rows->scratch.cap) {
        vec_free(&rows->scratch);
        rows->scratch.p = mem_zalloc(n, sizeof *rows->scratch.p);
        rows->scratch.cap = rows->scratch.p ? n : 0;
    }
    if (n < BULK_MIN || !rows->scratch.p)
        qsort(items, n, sizeof *items, item_order);
    else
        items_radix(items, rows->scratch.p, n, differing);
}

// Another build's tables may have sums that this one does not keep: its records wait in their segments.
static bool is_ours(struct ledger_rows *rows, struct err *err) {
    int version;
    if (!migrate_version(rows->db, &version, err)) return false;
    if (version == MIGRATE_STEPS) return true;
    return err_set(err, ERR_STORE_BUSY, "the database is of another version of Penstock (step %d, this build's is %d)",
                   version, MIGRATE_STEPS);
}

static bool transact(struct ledger_rows *rows, const struct ledger_batch *batch, bool loaded, struct err *err) {
    bool more;
    // Within the transaction, which excludes the deletion of a tenant's usage.
    if (!transaction_begin(rows, err) || !is_ours(rows, err) || !gone_look(rows, &more, err)) return false;
    if (more && loaded) return err_set(err, ERR_EXISTS, "a tenant of the lot is being deleted");
    return (loaded ? sql_bulk_insert(rows->db, err) : items_write(rows, batch, err)) &&
           usage_rollup_write(&rows->rollup, rows->db, err) && keys_write(rows, err) && marks_write(rows, batch, err) &&
           transaction_end(rows, err);
}

static void undo(struct ledger_rows *rows) {
    sql_rollback(rows->db);
    rows->in_transaction = false;
    names_clear(rows); // those the transaction stored are gone with it
    usage_rollup_forget(&rows->rollup);
    usage_rollup_clear(&rows->rollup);
}

bool ledger_rows_write(struct ledger_rows *rows, struct ledger_batch *batch, struct err *err) {
    bool loaded;
    if (batch->items.n == 0 && batch->marks.n == 0) return true;
    items_sort(rows, batch);
    rows->n_keys = 0;
    usage_rollup_clear(&rows->rollup);
    bool more, known = gone_look(rows, &more, err);
    loaded = false;
    if (known && lot_load(rows, batch, &loaded, err) && transact(rows, batch, loaded, err)) return true;
    undo(rows);
    // Of a batch that was applied before, in part or whole.
    if (!loaded || err->code != ERR_EXISTS) return false;
    if (transact(rows, batch, false, err)) return true;
    undo(rows);
    return false;
}

bool ledger_rows_mark(struct ledger_rows *rows, uint64_t segment, uint64_t *out_offset, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(rows->db), STR("SELECT applied FROM wal_applied WHERE place = ?1 AND segment = ?2"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, rows->place);
    sql_bind_i64(st, 2, (int64_t)segment);
    if (!sql_step(st, &row, err)) return false;
    *out_offset = row ? (uint64_t)sql_col_i64(st, 0) : 0;
    if (row) sql_reset(st);
    return true;
}

bool ledger_rows_forget(struct ledger_rows *rows, uint64_t first, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(rows->db), STR("DELETE FROM wal_applied WHERE place = ?1 AND segment < ?2"), &st,
                     err))
        return false;
    sql_bind_i64(st, 1, rows->place);
    sql_bind_i64(st, 2, (int64_t)first);
    return sql_run(st, err);
}
