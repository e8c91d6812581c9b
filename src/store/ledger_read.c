// Reports over the usage ledger.
//
// The segments are read before the table: a record moves from them into it, never back, so it is met at least once.
// What is met in both is then taken out of one of them, within one view of the database.
#include "store/ledger_read.h"

#include "base/map.h"
#include "base/secret.h"
#include "os/rand.h"
#include "store/ledger_files.h"
#include "store/ledger_pending.h"
#include "store/usage_sql.h"

#define CACHE_KB 32768 // a report goes over the tables of sums again and again

// What a group is called by, and its sums; averages are worked out at the end.
struct group {
    int64_t key, owner_kind;
    struct str text;
    struct ledger_row row;
    uint64_t latency, ttft, ttft_requests;
};

// A combination that the query means.
struct dim {
    int64_t id;
    size_t group; // index
    bool error;
};

struct reading {
    const struct ledger_query *q;
    bool (*each)(void *arg, const struct ledger_row *row);
    void *arg;
    struct sql *db;
    struct usage_sql sql;
    struct ledger_pending pending;
    VEC(uint64_t) superseded; // ids of unknown rows whose END is pending
    size_t next_pending;
    uint64_t given;
    bool stopped;
    // Sums
    struct map found; // a group's key → its index, and one
    VEC(struct group) groups;
    bool named;        // groups by a text: are called by it, no longer by its number
    size_t last_group; // of a sum by time, or of a facet: the last row's
    VEC(struct dim) dims;
};

// --- records ---

static void give(struct reading *r, const struct usage_record *rec) {
    struct ledger_row row = {.rec = *rec, .requests = usage_requests(rec->flags)};
    row.errors = usage_is_error(rec);
    row.unpriced = (rec->flags & USAGE_PRICE_UNKNOWN) != 0;
    row.saved_nano = usage_saved(rec);
    r->given++;
    r->stopped = !r->each(r->arg, &row) || (r->q->limit && r->given == r->q->limit);
}

// Those of the segments that are newer than a record of the table; NULL: all that are left.
static void give_pending(struct reading *r, const struct usage_record *before) {
    while (!r->stopped && r->next_pending < r->pending.list.n) {
        const struct usage_record *p = &r->pending.list.p[r->next_pending];
        if (before && (p->ts < before->ts || (p->ts == before->ts && p->id < before->id))) return;
        r->next_pending++;
        give(r, p);
    }
}

static bool is_superseded(const struct reading *r, const struct usage_record *rec) {
    if (rec->status != USAGE_STATUS_UNKNOWN) return false;
    for (size_t i = 0; i < r->superseded.n; i++)
        if (r->superseded.p[i] == rec->id) return true;
    return false;
}

static bool give_range(struct reading *r, int64_t from, int64_t to, struct err *err) {
    struct sql_stmt *st;
    struct usage_record rec;
    uint64_t limit = r->q->limit ? r->q->limit - r->given + r->superseded.n : 0;
    if (!usage_sql_records(&r->sql, from, to, limit, &st, err)) return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        usage_sql_record(st, &rec);
        if (is_superseded(r, &rec)) continue;
        give_pending(r, &rec);
        if (!r->stopped) give(r, &rec);
        if (!r->stopped) continue;
        sql_reset(st);
        return true;
    }
}

static bool give_day(struct reading *r, int64_t day, struct err *err) {
    for (int64_t hour = day * 24 + 23; !r->stopped && hour >= day * 24; hour--) {
        bool any;
        if (!usage_sql_any(&r->sql, hour, false, &any, err)) return false;
        if (any && !give_range(r, hour * USAGE_HOUR_NS, (hour + 1) * USAGE_HOUR_NS, err)) return false;
    }
    return true;
}

// From the newest day that there is to the oldest.
static bool give_days(struct reading *r, struct err *err) {
    bool any;
    int64_t first, last;
    if (!usage_sql_span(&r->sql, &any, &first, &last, err)) return false;
    if (!any) return true;
    first = MAX(first, r->q->since);
    if (r->q->until > 0) last = MIN(last, r->q->until);
    if (r->q->before_id) last = MIN(last, r->q->before_ts);
    for (int64_t day = last / USAGE_DAY_NS; !r->stopped && day >= first / USAGE_DAY_NS; day--) {
        if (!usage_sql_any(&r->sql, day * 24, true, &any, err)) return false;
        if (any && !give_day(r, day, err)) return false;
    }
    return true;
}

static bool give_records(struct reading *r, struct err *err) {
    bool open = usage_sql_open(r->q);
    if (open ? !give_range(r, 0, INT64_MAX, err) : !give_days(r, err)) return false;
    give_pending(r, NULL);
    return true;
}

// --- sums ---

// The key in the map of a group of records, or of sums, whose texts are still numbers.
static struct group *group_at(struct reading *r, struct str name, int64_t key, int64_t owner_kind) {
    uintptr_t at = (uintptr_t)map_get(&r->found, name);
    if (at) return &r->groups.p[at - 1];
    struct str kept = name.n ? arena_str(&r->pending.arena, name) : STR("");
    if (!vec_push(&r->groups, (struct group){.key = key, .owner_kind = owner_kind})) return NULL;
    if (!kept.p || !map_put(&r->found, kept, (void *)r->groups.n)) return NULL;
    struct group *g = &r->groups.p[r->groups.n - 1];
    if (r->named && usage_group_is_text(r->q->group)) g->text = kept;
    return g;
}

static struct group *group_of_number(struct reading *r, int64_t key, int64_t owner_kind) {
    int64_t number[2] = {key, owner_kind};
    return group_at(r, str_of((const char *)number, sizeof number), key, owner_kind);
}

// Records have their texts at hand.
static struct group *group_of(struct reading *r, int64_t key, int64_t owner_kind, struct str text) {
    if (!usage_group_is_text(r->q->group)) return group_of_number(r, key, owner_kind);
    return group_at(r, text.p ? text : STR(""), 0, 0);
}

static bool dims_read(struct reading *r, struct err *err) {
    struct sql_stmt *st;
    bool time = usage_group_is_time(r->q->group), owner = r->q->group == LEDGER_GROUP_OWNER;
    if (!usage_sql_dims(&r->sql, &st, err)) return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        struct group *g = time ? NULL : group_of_number(r, sql_col_i64(st, 1), owner ? sql_col_i64(st, 2) : 0);
        struct dim d = {sql_col_i64(st, 0), g ? (size_t)(g - r->groups.p) : 0, sql_col_i64(st, 3) != 0};
        if ((time || g) && vec_push(&r->dims, d)) continue;
        sql_reset(st);
        return err_no_memory(err);
    }
}

// NULL: the query does not mean it.
static const struct dim *dim_find(const struct reading *r, int64_t id) {
    size_t low = 0, high = r->dims.n;
    // Their ids are mostly without gaps, so that the place can be told from the first one's.
    if (r->dims.n && id >= r->dims.p[0].id && (uint64_t)(id - r->dims.p[0].id) < r->dims.n) {
        const struct dim *d = &r->dims.p[id - r->dims.p[0].id];
        if (d->id == id) return d;
    }
    while (low < high) {
        size_t at = low + (high - low) / 2;
        if (r->dims.p[at].id == id) return &r->dims.p[at];
        if (r->dims.p[at].id < id)
            low = at + 1;
        else
            high = at;
    }
    return NULL;
}

// Of an hour: what a group by time is called by.
static int64_t period_of(enum ledger_group by, int64_t hour) {
    if (by == LEDGER_GROUP_HOUR) return hour;
    return by == LEDGER_GROUP_DAY ? hour / 24 : usage_month_of_day(hour / 24);
}

// Rows come period by period, and often of one group after another.
static struct group *group_next(struct reading *r, int64_t key, int64_t owner_kind) {
    struct group *g = r->last_group < r->groups.n ? &r->groups.p[r->last_group] : NULL;
    if (g && g->key == key && g->owner_kind == owner_kind) return g;
    g = group_of_number(r, key, owner_kind);
    if (g) r->last_group = (size_t)(g - r->groups.p);
    return g;
}

// sign: -1 in unsigned arithmetic takes away.
static void group_add(struct group *g, const struct usage_sums_row *row, bool failed, uint64_t sign) {
    struct usage_record *sum = &g->row.rec;
    uint64_t v[SUM_COUNT];
    for (int i = 0; i < SUM_COUNT; i++) v[i] = sign * (uint64_t)row->v[i];
    g->row.requests += v[SUM_REQUESTS];
    g->row.errors += failed ? v[SUM_REQUESTS] : 0;
    g->row.unpriced += v[SUM_UNPRICED];
    sum->tokens_in += v[SUM_TOKENS_IN];
    sum->tokens_cached += v[SUM_TOKENS_CACHED];
    sum->tokens_cache_write += v[SUM_TOKENS_CACHE_WRITE];
    sum->tokens_out += v[SUM_TOKENS_OUT];
    sum->tokens_reasoning += v[SUM_TOKENS_REASONING];
    sum->cost_nano = (int64_t)((uint64_t)sum->cost_nano + v[SUM_COST]);
    g->latency += v[SUM_LATENCY];
    g->ttft += v[SUM_TTFT];
    g->ttft_requests += v[SUM_TTFT_REQUESTS];
    sum->attempts += v[SUM_ATTEMPTS];
    sum->reference_nano = (int64_t)((uint64_t)sum->reference_nano + v[SUM_REFERENCE]);
    g->row.saved_nano = (int64_t)((uint64_t)g->row.saved_nano + v[SUM_SAVED]);
}

// The rows of one part of the range.
struct scanning {
    struct reading *r;
    enum usage_rows rows;
    uint64_t sign;
};

// What all combinations add up to, or a facet of them: the group stands in the row.
static bool row_of_all(void *arg, const int64_t *columns, struct err *err) {
    const struct scanning *s = arg;
    struct reading *r = s->r;
    bool time = usage_group_is_time(r->q->group);
    struct usage_sums_row row;
    usage_sql_row(&r->sql, s->rows, columns, &row);
    struct group *g = group_next(r, time ? period_of(r->q->group, row.hour) : columns[0], row.owner_kind);
    if (!g) return err_no_memory(err);
    group_add(g, &row, row.failed, s->sign);
    if (!r->sql.rest || s->rows != USAGE_ROWS_FACET) return true;
    struct group *rest = group_of_number(r, 0, 0);
    if (!rest) return err_no_memory(err);
    group_add(rest, &row, row.failed, 0 - s->sign);
    return true;
}

static bool row_of_dim(void *arg, const int64_t *columns, struct err *err) {
    const struct scanning *s = arg;
    struct reading *r = s->r;
    const struct dim *d = dim_find(r, columns[0]);
    struct usage_sums_row row;
    if (!d) return true; // not one that is meant, or what all add up to
    usage_sql_row(&r->sql, s->rows, columns, &row);
    bool time = usage_group_is_time(r->q->group);
    struct group *g = time ? group_next(r, period_of(r->q->group, row.hour), 0) : &r->groups.p[d->group];
    if (!g) return err_no_memory(err);
    group_add(g, &row, d->error, s->sign);
    return true;
}

static bool wants_dim(void *arg, int64_t id) { return dim_find(((const struct scanning *)arg)->r, id) != NULL; }

static bool part_sum(struct reading *r, const struct usage_part *part, enum usage_rows rows, struct err *err) {
    struct scanning s = {r, rows, part->sign > 0 ? 1 : UINT64_MAX};
    bool of_all = rows == USAGE_ROWS_ALL || rows == USAGE_ROWS_FACET;
    const struct sql_scan scan = {of_all ? row_of_all : row_of_dim, wants_dim, &s};
    return usage_sql_sums(&r->sql, part, rows, &scan, err);
}

// From here on groups are called by their texts.
static bool groups_name(struct reading *r, struct err *err) {
    r->named = true;
    if (!usage_group_is_text(r->q->group)) return true;
    map_free(&r->found);
    map_init(&r->found, rand_u64());
    for (size_t i = 0; i < r->groups.n; i++) {
        struct group *g = &r->groups.p[i];
        if (!usage_sql_text(&r->sql, g->key, &r->pending.arena, &g->text, err)) return false;
        g->key = 0;
        if (!map_put(&r->found, g->text, (void *)(i + 1))) return err_no_memory(err);
    }
    return true;
}

static bool table_sum(struct reading *r, struct err *err) {
    struct usage_part parts[USAGE_PARTS_MAX];
    size_t n = usage_sql_parts(&r->sql, parts);
    bool dims = false;
    for (size_t i = 0; i < n; i++) {
        enum usage_rows rows = usage_sql_rows(&r->sql, &parts[i]);
        if ((rows == USAGE_ROWS_RECORDS || rows == USAGE_ROWS_COMBINATIONS) && !dims) {
            dims = true;
            if (!dims_read(r, err)) return false;
        }
        if (!part_sum(r, &parts[i], rows, err)) return false;
        if (rows == USAGE_ROWS_FACET && r->sql.rest && !part_sum(r, &parts[i], USAGE_ROWS_ALL, err)) return false;
    }
    return groups_name(r, err);
}

static struct group *group_of_record(struct reading *r, const struct usage_record *rec) {
    switch (r->q->group) {
    case LEDGER_GROUP_KEY:
        return group_of(r, (int64_t)rec->key_id, 0, STR(""));
    case LEDGER_GROUP_TEAM:
        return group_of(r, (int64_t)rec->team_id, 0, STR(""));
    case LEDGER_GROUP_PROJECT:
        return group_of(r, (int64_t)rec->project_id, 0, STR(""));
    case LEDGER_GROUP_OWNER:
        return group_of(r, (int64_t)rec->owner_id, rec->owner_kind, STR(""));
    case LEDGER_GROUP_TENANT:
        return group_of(r, (int64_t)rec->tenant_id, 0, STR(""));
    case LEDGER_GROUP_ENDPOINT:
        return group_of(r, rec->endpoint, 0, STR(""));
    case LEDGER_GROUP_STATUS:
        return group_of(r, rec->status, 0, STR(""));
    case LEDGER_GROUP_HOUR:
    case LEDGER_GROUP_DAY:
    case LEDGER_GROUP_MONTH:
        return group_of(r, period_of(r->q->group, rec->ts / USAGE_HOUR_NS), 0, STR(""));
    case LEDGER_GROUP_MODEL:
        return group_of(r, 0, 0, rec->model);
    case LEDGER_GROUP_UPSTREAM_MODEL:
        return group_of(r, 0, 0, rec->upstream_model);
    case LEDGER_GROUP_PROVIDER:
        return group_of(r, 0, 0, rec->provider);
    case LEDGER_GROUP_ERROR:
        return group_of(r, 0, 0, rec->error);
    case LEDGER_GROUP_TAGS:
        return group_of(r, 0, 0, rec->tags);
    case LEDGER_GROUP_TASK:
        return group_of(r, 0, 0, rec->task);
    case LEDGER_GROUP_NONE:
    case LEDGER_GROUP_COUNT:
        break;
    }
    INVARIANT(false); // the group of a query is one of those above
    return NULL;
}

static bool record_sum(struct reading *r, const struct usage_record *rec, bool minus, struct err *err) {
    struct group *g = group_of_record(r, rec);
    if (!g) return err_no_memory(err);
    struct usage_record *sum = &g->row.rec;
    uint64_t sign = minus ? UINT64_MAX : 1; // -1 in unsigned arithmetic
    uint64_t requests = sign * usage_requests(rec->flags);
    g->row.requests += requests;
    g->row.errors += requests * usage_is_error(rec);
    g->row.unpriced += sign * ((rec->flags & USAGE_PRICE_UNKNOWN) != 0);
    sum->tokens_in += sign * rec->tokens_in;
    sum->tokens_cached += sign * rec->tokens_cached;
    sum->tokens_cache_write += sign * rec->tokens_cache_write;
    sum->tokens_out += sign * rec->tokens_out;
    sum->tokens_reasoning += sign * rec->tokens_reasoning;
    sum->cost_nano = (int64_t)((uint64_t)sum->cost_nano + sign * (uint64_t)rec->cost_nano);
    g->latency += requests * rec->latency_us;
    g->ttft += sign * rec->ttft_us;
    g->ttft_requests += sign * (rec->ttft_us > 0);
    sum->attempts += sign * rec->attempts;
    sum->reference_nano = (int64_t)((uint64_t)sum->reference_nano + sign * (uint64_t)rec->reference_nano);
    g->row.saved_nano = (int64_t)((uint64_t)g->row.saved_nano + sign * (uint64_t)usage_saved(rec));
    return true;
}

static void group_name(enum ledger_group by, struct group *g) {
    struct usage_record *rec = &g->row.rec;
    uint64_t key = (uint64_t)g->key;
    if (by == LEDGER_GROUP_KEY) rec->key_id = key;
    if (by == LEDGER_GROUP_TEAM) rec->team_id = key;
    if (by == LEDGER_GROUP_PROJECT) rec->project_id = key;
    if (by == LEDGER_GROUP_OWNER) rec->owner_id = key, rec->owner_kind = (uint8_t)g->owner_kind;
    if (by == LEDGER_GROUP_TENANT) rec->tenant_id = key;
    if (by == LEDGER_GROUP_ENDPOINT) rec->endpoint = (uint16_t)key;
    if (by == LEDGER_GROUP_STATUS) rec->status = (uint16_t)key;
    if (by == LEDGER_GROUP_DAY || by == LEDGER_GROUP_MONTH) rec->ts = g->key * USAGE_DAY_NS;
    if (by == LEDGER_GROUP_HOUR) rec->ts = g->key * USAGE_HOUR_NS;
    if (by == LEDGER_GROUP_MODEL) rec->model = g->text;
    if (by == LEDGER_GROUP_UPSTREAM_MODEL) rec->upstream_model = g->text;
    if (by == LEDGER_GROUP_PROVIDER) rec->provider = g->text;
    if (by == LEDGER_GROUP_ERROR) rec->error = g->text;
    if (by == LEDGER_GROUP_TAGS) rec->tags = g->text;
    if (by == LEDGER_GROUP_TASK) rec->task = g->text;
}

static int by_cost(const void *a, const void *b) {
    const struct group *x = a, *y = b;
    int64_t cx = x->row.rec.cost_nano, cy = y->row.rec.cost_nano;
    if (cx != cy) return cx < cy ? 1 : -1;
    int text = str_cmp(x->text, y->text);
    return text ? text : (x->key > y->key) - (x->key < y->key);
}
static int by_time(const void *a, const void *b) {
    const struct group *x = a, *y = b;
    return (x->key < y->key) - (x->key > y->key);
}

static void give_groups(struct reading *r) {
    enum ledger_group by = r->q->group;
    bool time = usage_group_is_time(by);
    if (r->groups.n) qsort(r->groups.p, r->groups.n, sizeof *r->groups.p, time ? by_time : by_cost);
    for (size_t i = 0; !r->stopped && i < r->groups.n; i++) {
        struct group *g = &r->groups.p[i];
        // All of it was unknown, and is known by now; parts of other groups' requests have attempts.
        if (g->row.requests == 0 && g->row.rec.attempts == 0) continue;
        group_name(by, g);
        g->row.rec.latency_us = g->row.requests ? g->latency / g->row.requests : 0;
        g->row.rec.ttft_us = g->ttft_requests ? g->ttft / g->ttft_requests : 0;
        r->given++;
        r->stopped = !r->each(r->arg, &g->row) || r->given == r->q->limit;
    }
}

// --- both ---

static bool on_unknown(void *arg, const struct usage_record *rec, struct err *err) {
    struct reading *r = arg;
    if (!vec_push(&r->superseded, rec->id)) return err_no_memory(err);
    return r->q->group == LEDGER_GROUP_NONE || !ledger_query_means(r->q, rec) || record_sum(r, rec, true, err);
}

static bool sum_all(struct reading *r, struct err *err) {
    if (!table_sum(r, err) || !ledger_pending_settle(&r->pending, r->db, on_unknown, r, err)) return false;
    for (size_t i = 0; i < r->pending.list.n; i++)
        if (!record_sum(r, &r->pending.list.p[i], false, err)) return false;
    give_groups(r);
    return true;
}

static bool list_all(struct reading *r, struct err *err) {
    if (!ledger_pending_settle(&r->pending, r->db, on_unknown, r, err)) return false;
    ledger_pending_sort(&r->pending);
    return give_records(r, err);
}

static bool read_all(struct reading *r, struct err *err) {
    usage_sql_init(&r->sql, r->db, r->q);
    if (!ledger_pending_read(&r->pending, r->q, err) || !sql_exec(r->db, STR("BEGIN"), err) ||
        !usage_sql_gather(&r->sql, err))
        return false;
    return r->q->group == LEDGER_GROUP_NONE ? list_all(r, err) : sum_all(r, err);
}

bool ledger_read(const struct ledger_query *q, bool (*each)(void *arg, const struct ledger_row *row), void *arg,
                 struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(LEDGER_PATH_MAX);
    struct sql_options opt = {.mode = SQL_READ_ONLY, .busy_ms = SQL_BUSY_MS_DEFAULT, .cache_kb = CACHE_KB};
    struct reading r = {.q = q, .each = each, .arg = arg};
    if (!ledger_database(&path, q->data_dir, q->database, err)) return false;
    bool opened = sql_open(buf_str(&path), &opt, &r.db, err);
    secret_wipe(path.p, path.n); // a URL holds a password
    if (!opened) return false;
    ledger_pending_init(&r.pending);
    map_init(&r.found, rand_u64());
    bool ok = read_all(&r, err);
    sql_close(r.db);
    map_free(&r.found);
    vec_free(&r.groups);
    vec_free(&r.dims);
    vec_free(&r.superseded);
    ledger_pending_free(&r.pending);
    return ok;
}
