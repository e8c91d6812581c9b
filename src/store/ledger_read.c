// Reports over the usage ledger.
//
// The segments are read before the table: a record moves from them into it, never back, so it is met at least once.
// What is met in both is then taken out of one of them, within one view of the database.
#include "store/ledger_read.h"

#include "base/map.h"
#include "os/rand.h"
#include "store/ledger_files.h"
#include "store/ledger_pending.h"
#include "store/usage_sql.h"

// What a group is called by, and its sums; averages are worked out at the end.
struct group {
    int64_t key, owner_kind;
    struct str text;
    struct ledger_row row;
    uint64_t latency, ttft, ttft_requests;
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
};

// --- records ---

static void give(struct reading *r, const struct usage_record *rec) {
    struct ledger_row row = {.rec = *rec, .requests = 1};
    row.errors = usage_is_error(rec);
    row.unpriced = (rec->flags & USAGE_PRICE_UNKNOWN) != 0;
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

struct periods {
    VEC(int64_t) list;
};

static bool periods_read(struct sql_stmt *st, struct periods *out, struct err *err) {
    out->list.n = 0;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        int64_t v = sql_col_i64(st, 0);
        if (vec_push(&out->list, v)) continue;
        sql_reset(st);
        return err_no_memory(err);
    }
}

static bool give_day(struct reading *r, int64_t day, struct err *err) {
    struct periods hours = {0};
    struct sql_stmt *st;
    bool ok = usage_sql_hours(&r->sql, day, &st, err) && periods_read(st, &hours, err);
    for (size_t i = 0; ok && !r->stopped && i < hours.list.n; i++) {
        int64_t from = hours.list.p[i] * USAGE_HOUR_NS;
        ok = give_range(r, from, from + USAGE_HOUR_NS, err);
    }
    vec_free(&hours.list);
    return ok;
}

static bool give_records(struct reading *r, struct err *err) {
    struct periods days = {0};
    struct sql_stmt *st;
    bool ok = usage_sql_days(&r->sql, &st, err) && periods_read(st, &days, err);
    for (size_t i = 0; ok && !r->stopped && i < days.list.n; i++) ok = give_day(r, days.list.p[i], err);
    vec_free(&days.list);
    if (ok) give_pending(r, NULL);
    return ok;
}

// --- sums ---

static struct group *group_of(struct reading *r, int64_t key, int64_t owner_kind, struct str text) {
    int64_t number[2] = {key, owner_kind};
    struct str name = usage_group_is_text(r->q->group) ? text : str_of((const char *)number, sizeof number);
    if (!name.p) name = STR("");
    uintptr_t at = (uintptr_t)map_get(&r->found, name);
    if (at) return &r->groups.p[at - 1];
    struct str kept = arena_str(&r->pending.arena, name);
    if (!vec_push(&r->groups, (struct group){.key = key, .owner_kind = owner_kind})) return NULL;
    struct group *g = &r->groups.p[r->groups.n - 1];
    if (usage_group_is_text(r->q->group)) g->text = kept;
    if ((name.n && !kept.p) || !map_put(&r->found, name.n ? kept : STR(""), (void *)r->groups.n)) return NULL;
    return g;
}

static bool table_sum(struct reading *r, struct err *err) {
    struct sql_stmt *st;
    bool text = usage_group_is_text(r->q->group);
    if (!usage_sql_groups(&r->sql, &st, err)) return false;
    for (bool row;;) {
        uint64_t v[14];
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        struct group *g =
            group_of(r, text ? 0 : sql_col_i64(st, 0), sql_col_i64(st, 1), text ? sql_col_text(st, 0) : STR(""));
        for (int i = 2; i < 14; i++) v[i] = (uint64_t)sql_col_i64(st, i);
        if (!g) {
            sql_reset(st);
            return err_no_memory(err);
        }
        struct usage_record *rec = &g->row.rec;
        g->row.requests = v[2], g->row.errors = v[3], g->row.unpriced = v[4];
        rec->tokens_in = v[5], rec->tokens_cached = v[6], rec->tokens_cache_write = v[7];
        rec->tokens_out = v[8], rec->tokens_reasoning = v[9], rec->cost_nano = (int64_t)v[10];
        g->latency = v[11], g->ttft = v[12], g->ttft_requests = v[13];
    }
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
    case LEDGER_GROUP_DAY:
        return group_of(r, rec->ts / USAGE_DAY_NS, 0, STR(""));
    case LEDGER_GROUP_HOUR:
        return group_of(r, rec->ts / USAGE_HOUR_NS, 0, STR(""));
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
    case LEDGER_GROUP_NONE:
    case LEDGER_GROUP_COUNT:
        break;
    }
    INVARIANT(!"a group that there is");
    return NULL;
}

static bool record_sum(struct reading *r, const struct usage_record *rec, bool minus, struct err *err) {
    struct group *g = group_of_record(r, rec);
    if (!g) return err_no_memory(err);
    struct usage_record *sum = &g->row.rec;
    uint64_t sign = minus ? UINT64_MAX : 1; // -1 in unsigned arithmetic
    g->row.requests += sign;
    g->row.errors += sign * usage_is_error(rec);
    g->row.unpriced += sign * ((rec->flags & USAGE_PRICE_UNKNOWN) != 0);
    sum->tokens_in += sign * rec->tokens_in;
    sum->tokens_cached += sign * rec->tokens_cached;
    sum->tokens_cache_write += sign * rec->tokens_cache_write;
    sum->tokens_out += sign * rec->tokens_out;
    sum->tokens_reasoning += sign * rec->tokens_reasoning;
    sum->cost_nano += minus ? -rec->cost_nano : rec->cost_nano;
    g->latency += sign * rec->latency_us;
    g->ttft += sign * rec->ttft_us;
    g->ttft_requests += sign * (rec->ttft_us > 0);
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
    if (by == LEDGER_GROUP_DAY) rec->ts = g->key * USAGE_DAY_NS;
    if (by == LEDGER_GROUP_HOUR) rec->ts = g->key * USAGE_HOUR_NS;
    if (by == LEDGER_GROUP_MODEL) rec->model = g->text;
    if (by == LEDGER_GROUP_UPSTREAM_MODEL) rec->upstream_model = g->text;
    if (by == LEDGER_GROUP_PROVIDER) rec->provider = g->text;
    if (by == LEDGER_GROUP_ERROR) rec->error = g->text;
    if (by == LEDGER_GROUP_TAGS) rec->tags = g->text;
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
    bool time = by == LEDGER_GROUP_DAY || by == LEDGER_GROUP_HOUR;
    if (r->groups.n) qsort(r->groups.p, r->groups.n, sizeof *r->groups.p, time ? by_time : by_cost);
    for (size_t i = 0; !r->stopped && i < r->groups.n; i++) {
        struct group *g = &r->groups.p[i];
        if (g->row.requests == 0) continue; // all of it was unknown, and is known by now
        group_name(by, g);
        g->row.rec.latency_us = g->latency / g->row.requests;
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
    if (!ledger_pending_read(&r->pending, r->q, err) || !sql_exec(r->db, STR("BEGIN"), err)) return false;
    return r->q->group == LEDGER_GROUP_NONE ? list_all(r, err) : sum_all(r, err);
}

bool ledger_read(const struct ledger_query *q, bool (*each)(void *arg, const struct ledger_row *row), void *arg,
                 struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(LEDGER_PATH_MAX);
    struct sql_options opt = {.mode = SQL_READ_ONLY, .busy_ms = SQL_BUSY_MS_DEFAULT};
    struct reading r = {.q = q, .each = each, .arg = arg};
    if (!ledger_database(&path, q->data_dir, q->database, err)) return false;
    if (!sql_open(buf_str(&path), &opt, &r.db, err)) return false;
    ledger_pending_init(&r.pending);
    map_init(&r.found, rand_u64());
    bool ok = read_all(&r, err);
    sql_close(r.db);
    map_free(&r.found);
    vec_free(&r.groups);
    vec_free(&r.superseded);
    ledger_pending_free(&r.pending);
    return ok;
}
