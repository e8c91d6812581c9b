// Reports over the usage ledger.
//
// The segments are read before the table: a record moves from them into it, never back, so it is met at least once.
// What is met in both is then taken out of one of them, within one view of the database.
#include "store/ledger_read.h"

#include "store/ledger_files.h"
#include "store/sql.h"
#include "store/wal.h"

#define NUMBERS                                                                                                        \
    "tokens_in, tokens_cached, tokens_cache_write, tokens_out, tokens_reasoning, cost_nano, latency_us, ttft_us"
#define PENDING                                                                                                        \
    "CREATE TEMP TABLE pending (id INTEGER PRIMARY KEY, ts, key_id, provider, model, upstream, endpoint, status,"      \
    " flags, " NUMBERS ", error, tenant_id);"

#define FILTER                                                                                                         \
    " WHERE ts >= ?1 AND (?2 = 0 OR ts < ?2) AND (?3 = 0 OR key_id = ?3)"                                              \
    " AND (?6 = 0 OR tenant_id = ?6)"
#define NAMED "(SELECT id FROM main.name WHERE text = ?4)"
// A row of unknown status gives way to the END that is in a segment.
#define FROM_TABLE                                                                                                     \
    " FROM main.usage" FILTER " AND (?4 = '' OR model_id = " NAMED " OR upstream_model_id = " NAMED ")"                \
    " AND (status <> 0 OR id NOT IN (SELECT id FROM temp.pending))"
#define FROM_PENDING " FROM temp.pending" FILTER " AND (?4 = '' OR model = ?4 OR upstream = ?4)"
#define TEXT_OF(id) "(SELECT text FROM main.name WHERE id = " id ")"

// The newest are found by their ids alone; only those are then looked up whole.
#define LIST                                                                                                           \
    "SELECT u.id, ts, key_id, " TEXT_OF("provider_id") ", " TEXT_OF("model_id") ", " TEXT_OF(                          \
        "upstream_model_id") ", endpoint, status, flags, " NUMBERS                                                     \
                             ", " TEXT_OF("error_id") ", tenant_id FROM"                                               \
                                                      " (SELECT id AS newest" FROM_TABLE                               \
                                                      " ORDER BY ts DESC, id DESC LIMIT ?5) CROSS JOIN main.usage u"   \
                                                      " ON u.id = newest UNION ALL SELECT *" FROM_PENDING              \
                                                      " ORDER BY 2 DESC, 1 DESC LIMIT ?5"

// failed: what else than the status tells an error, of a stream that broke off.
#define SUMS(failed)                                                                                                   \
    ", count(*) AS n, sum(tokens_in) AS t1, sum(tokens_cached) AS t2, sum(tokens_cache_write) AS t3,"                  \
    " sum(tokens_out) AS t4, sum(tokens_reasoning) AS t5, sum(cost_nano) AS cost, sum(latency_us) AS t6,"              \
    " sum(ttft_us) AS t7, sum(ttft_us > 0) AS n7, sum(status >= 400 OR " failed ") AS e, sum((flags & 2) <> 0) AS f"
#define SUMS_OF_SUMS                                                                                                   \
    ", sum(n), sum(t1), sum(t2), sum(t3), sum(t4), sum(t5), sum(cost) AS total, sum(t6), sum(t7), sum(n7), sum(e),"    \
    " sum(f)"
// Grouped by number in the table, and by name only then.
#define GROUPED(of_table, shown, of_pending, order)                                                                    \
    STR_INIT("SELECT one" SUMS_OF_SUMS " FROM (SELECT " shown " AS one, * FROM (SELECT " of_table                      \
             " AS g" SUMS("error_id IS NOT NULL") FROM_TABLE                                                           \
             " GROUP BY g) UNION ALL SELECT " of_pending " AS one, " of_pending " AS g" SUMS("error <> ''")            \
                 FROM_PENDING " GROUP BY one) GROUP BY one ORDER BY " order " LIMIT ?5")
#define DAY "ts / 86400000000000"

static_assert(USAGE_PRICE_UNKNOWN == 2, "as SUMS has it");

static const struct str queries[] = {
    [LEDGER_GROUP_NONE] = STR_INIT(LIST),
    [LEDGER_GROUP_KEY] = GROUPED("key_id", "g", "key_id", "total DESC, one"),
    [LEDGER_GROUP_MODEL] = GROUPED("model_id", TEXT_OF("g"), "model", "total DESC, one"),
    [LEDGER_GROUP_PROVIDER] = GROUPED("provider_id", TEXT_OF("g"), "provider", "total DESC, one"),
    [LEDGER_GROUP_DAY] = GROUPED(DAY, "g", DAY, "one DESC"),
    [LEDGER_GROUP_TENANT] = GROUPED("tenant_id", "g", "tenant_id", "total DESC, one"),
};

static bool pending_put(struct sql *db, const struct usage_record *r, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO temp.pending VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
                         "?18,?19) ON CONFLICT DO NOTHING"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, (int64_t)r->id);
    sql_bind_i64(st, 2, r->ts);
    sql_bind_i64(st, 3, (int64_t)r->key_id);
    sql_bind_text(st, 4, r->provider);
    sql_bind_text(st, 5, r->model);
    sql_bind_text(st, 6, r->upstream_model);
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
    sql_bind_text(st, 18, r->error);
    sql_bind_i64(st, 19, r->tenant_id ? (int64_t)r->tenant_id : 1);
    // What is empty is NULL in the table, so that both sides of the view group alike.
    if (!r->key_id) sql_bind_null(st, 3);
    if (!r->provider.n) sql_bind_null(st, 4);
    if (!r->model.n) sql_bind_null(st, 5);
    if (!r->upstream_model.n) sql_bind_null(st, 6);
    if (!r->error.n) sql_bind_null(st, 18);
    return sql_run(st, err);
}

// Damage is the server's to report; here it only ends what can be read of the segment.
static bool segment_load(struct sql *db, struct str bytes, struct err *err) {
    struct wal_scan scan;
    struct wal_record r;
    struct usage_record rec;
    if (!wal_scan_init(&scan, bytes)) return true;
    while (wal_scan_live(&scan, &r) == WAL_RECORD)
        if (r.type == WAL_END && usage_decode(r.payload, &rec) && !pending_put(db, &rec, err)) return false;
    return true;
}

static bool segments_load(struct sql *db, struct str data_dir, struct err *err) {
    BUF_AUTO struct buf dir = BUF_INIT(LEDGER_PATH_MAX);
    BUF_AUTO struct buf bytes = BUF_INIT(WAL_SEGMENT_MAX);
    struct ledger_numbers numbers;
    if (!ledger_wal_dir(&dir, data_dir, err) || !ledger_files_list(buf_str(&dir), &numbers, err)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < numbers.list.n; i++) {
        if (ledger_file_read(buf_str(&dir), numbers.list.p[i], &bytes, err))
            ok = segment_load(db, buf_str(&bytes), err);
        else
            ok = err->code == ERR_NOT_FOUND; // applied and removed since
    }
    vec_free(&numbers.list);
    return ok;
}

static uint64_t col_u64(struct sql_stmt *st, int column) { return (uint64_t)sql_col_i64(st, column); }

static void record_read(struct sql_stmt *st, struct ledger_row *out_row) {
    out_row->rec = (struct usage_record){.id = col_u64(st, 0),
                                         .ts = sql_col_i64(st, 1),
                                         .key_id = col_u64(st, 2),
                                         .provider = sql_col_text(st, 3),
                                         .model = sql_col_text(st, 4),
                                         .upstream_model = sql_col_text(st, 5),
                                         .endpoint = (uint16_t)sql_col_i64(st, 6),
                                         .status = (uint16_t)sql_col_i64(st, 7),
                                         .flags = (uint32_t)sql_col_i64(st, 8),
                                         .tokens_in = col_u64(st, 9),
                                         .tokens_cached = col_u64(st, 10),
                                         .tokens_cache_write = col_u64(st, 11),
                                         .tokens_out = col_u64(st, 12),
                                         .tokens_reasoning = col_u64(st, 13),
                                         .cost_nano = sql_col_i64(st, 14),
                                         .latency_us = col_u64(st, 15),
                                         .ttft_us = col_u64(st, 16),
                                         .error = sql_col_text(st, 17),
                                         .tenant_id = col_u64(st, 18)};
    out_row->requests = 1;
    out_row->errors = out_row->rec.status >= 400 || out_row->rec.error.n;
    out_row->unpriced = (out_row->rec.flags & USAGE_PRICE_UNKNOWN) != 0;
}

static void group_read(struct sql_stmt *st, enum ledger_group group, struct ledger_row *out_row) {
    struct usage_record *r = &out_row->rec;
    *out_row = (struct ledger_row){0};
    switch (group) {
    case LEDGER_GROUP_NONE:
        break;
    case LEDGER_GROUP_KEY:
        r->key_id = col_u64(st, 0);
        break;
    case LEDGER_GROUP_MODEL:
        r->model = sql_col_text(st, 0);
        break;
    case LEDGER_GROUP_PROVIDER:
        r->provider = sql_col_text(st, 0);
        break;
    case LEDGER_GROUP_DAY:
        r->ts = sql_col_i64(st, 0) * 86400000000000;
        break;
    case LEDGER_GROUP_TENANT:
        r->tenant_id = col_u64(st, 0);
        break;
    }
    out_row->requests = col_u64(st, 1);
    r->tokens_in = col_u64(st, 2);
    r->tokens_cached = col_u64(st, 3);
    r->tokens_cache_write = col_u64(st, 4);
    r->tokens_out = col_u64(st, 5);
    r->tokens_reasoning = col_u64(st, 6);
    r->cost_nano = sql_col_i64(st, 7);
    r->latency_us = out_row->requests ? col_u64(st, 8) / out_row->requests : 0;
    r->ttft_us = col_u64(st, 10) ? col_u64(st, 9) / col_u64(st, 10) : 0;
    out_row->errors = col_u64(st, 11);
    out_row->unpriced = col_u64(st, 12);
}

static bool rows_give(struct sql *db, const struct ledger_query *q,
                      bool (*each)(void *arg, const struct ledger_row *row), void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), queries[q->group], &st, err)) return false;
    sql_bind_i64(st, 1, q->since);
    sql_bind_i64(st, 2, q->until);
    sql_bind_i64(st, 3, (int64_t)MIN(q->key_id, (uint64_t)INT64_MAX));
    sql_bind_text(st, 4, q->model);
    sql_bind_i64(st, 5, q->limit && q->limit <= INT64_MAX ? (int64_t)q->limit : -1);
    sql_bind_i64(st, 6, (int64_t)MIN(q->tenant_id, (uint64_t)INT64_MAX));
    for (bool row;;) {
        struct ledger_row out;
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (q->group == LEDGER_GROUP_NONE)
            record_read(st, &out);
        else
            group_read(st, q->group, &out);
        if (each(arg, &out)) continue;
        sql_reset(st);
        return true;
    }
}

bool ledger_read(const struct ledger_query *q, bool (*each)(void *arg, const struct ledger_row *row), void *arg,
                 struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(LEDGER_PATH_MAX);
    struct sql_options opt = {.mode = SQL_READ_ONLY, .busy_ms = SQL_BUSY_MS_DEFAULT};
    struct sql *db;
    if (!ledger_database(&path, q->data_dir, q->database, err)) return false;
    if (!sql_open(buf_str(&path), &opt, &db, err)) return false;
    bool ok = sql_exec(db, STR(PENDING "BEGIN"), err) && segments_load(db, q->data_dir, err) &&
              sql_exec(db,
                       STR("DELETE FROM temp.pending WHERE EXISTS"
                           " (SELECT 1 FROM main.usage u WHERE u.id = pending.id AND u.status <> 0)"),
                       err) &&
              rows_give(db, q, each, arg, err);
    sql_close(db);
    return ok;
}
