// Gathers the sums of a batch of usage records, and adds them to the tables.
#include "store/usage_rollup.h"

#include "base/mem.h"
#include "os/rand.h"
#include "store/usage_range.h"

// Past this many combinations those in memory are dropped and read anew.
#define KNOWN_MAX 100000

struct usage_known {
    struct usage_dim dim; // first: the key in the map points here
    int64_t id;
};

#define DIM_NAMES                                                                                                      \
    "tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id, model_id, upstream_model_id, "         \
    "endpoint, status, error_id, tags_id, task_id"

// The tables differ in their name and period alone.
#define ADD_TEXT                                                                                                       \
    "INSERT INTO usage_%s AS s (tenant_id, %s, dim_id, requests, unpriced, tokens_in, tokens_cached,"                  \
    " tokens_cache_write, tokens_out, tokens_reasoning, cost_nano, latency_us, ttft_us, ttft_requests, attempts,"      \
    " reference_nano, saved_nano)"                                                                                     \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"                             \
    " ON CONFLICT (tenant_id, %s, dim_id) DO UPDATE SET requests = s.requests + excluded.requests,"                    \
    " unpriced = s.unpriced + excluded.unpriced, tokens_in = s.tokens_in + excluded.tokens_in,"                        \
    " tokens_cached = s.tokens_cached + excluded.tokens_cached,"                                                       \
    " tokens_cache_write = s.tokens_cache_write + excluded.tokens_cache_write,"                                        \
    " tokens_out = s.tokens_out + excluded.tokens_out,"                                                                \
    " tokens_reasoning = s.tokens_reasoning + excluded.tokens_reasoning,"                                              \
    " cost_nano = s.cost_nano + excluded.cost_nano, latency_us = s.latency_us + excluded.latency_us,"                  \
    " ttft_us = s.ttft_us + excluded.ttft_us, ttft_requests = s.ttft_requests + excluded.ttft_requests,"               \
    " attempts = s.attempts + excluded.attempts, reference_nano = s.reference_nano + excluded.reference_nano,"         \
    " saved_nano = s.saved_nano + excluded.saved_nano"
#define ADD_TEXT_MAX 2048

void usage_rollup_init(struct usage_rollup *r) {
    *r = (struct usage_rollup){0};
    map_init(&r->known, rand_u64()); // names, and so their ids, come from clients
    map_init(&r->found, rand_u64());
}

void usage_rollup_forget(struct usage_rollup *r) {
    const struct map_entry *e;
    for (size_t it = 0; (e = map_next(&r->known, &it));) mem_free(e->value);
    map_free(&r->known);
    map_init(&r->known, rand_u64());
    r->last = NULL;
}

void usage_rollup_free(struct usage_rollup *r) {
    usage_rollup_forget(r);
    map_free(&r->known);
    map_free(&r->found);
    vec_free(&r->sums);
}

static struct str bytes_of(const struct usage_dim *dim) { return str_of((const char *)dim, sizeof *dim); }

static bool dim_find(struct sql *db, const struct usage_dim *dim, int64_t *out_id, bool *out_found, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT id FROM usage_dim WHERE tenant_id = ?1 AND key_id = ?2 AND team_id = ?3 AND project_id"
                         " = ?4 AND owner_kind = ?5 AND owner_id = ?6 AND provider_id = ?7 AND model_id = ?8 AND"
                         " upstream_model_id = ?9 AND endpoint = ?10 AND status = ?11 AND error_id = ?12 AND tags_id ="
                         " ?13 AND task_id = ?14"),
                     &st, err))
        return false;
    for (int i = 0; i < DIM_COUNT; i++) sql_bind_i64(st, i + 1, dim->v[i]);
    if (!sql_step(st, out_found, err)) return false;
    if (!*out_found) return true;
    *out_id = sql_col_i64(st, 0);
    sql_reset(st);
    return true;
}

static bool dim_store(struct sql *db, const struct usage_dim *dim, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO usage_dim (" DIM_NAMES
                         ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT DO"
                         " NOTHING"),
                     &st, err))
        return false;
    for (int i = 0; i < DIM_COUNT; i++) sql_bind_i64(st, i + 1, dim->v[i]);
    return sql_run(st, err);
}

// Not remembering it costs a look-up the next time, no more.
static void remember(struct usage_rollup *r, const struct usage_dim *dim, int64_t id) {
    if (r->known.n >= KNOWN_MAX) usage_rollup_forget(r);
    struct usage_known *k = mem_alloc(sizeof *k);
    if (!k) return;
    *k = (struct usage_known){*dim, id};
    if (map_put(&r->known, bytes_of(&k->dim), k))
        r->last = k;
    else
        mem_free(k);
}

bool usage_rollup_dim(struct usage_rollup *r, struct sql *db, const struct usage_dim *dim,
                      bool (*begin)(void *arg, struct err *err), void *arg, int64_t *out_id, struct err *err) {
    bool found;
    if (!r->last || memcmp(&r->last->dim, dim, sizeof *dim) != 0) {
        const struct usage_known *known = map_get(&r->known, bytes_of(dim));
        if (!known) {
            if (!dim_find(db, dim, out_id, &found, err)) return false;
            if (!found && !(begin(arg, err) && dim_store(db, dim, err) && dim_find(db, dim, out_id, &found, err)))
                return false;
            if (!found) return err_set(err, ERR_STORE, "a combination that was just stored is not in the database");
            remember(r, dim, *out_id);
            return true;
        }
        r->last = known;
    }
    *out_id = r->last->id;
    return true;
}

// --- sums ---

static struct usage_sums *sums_of(struct usage_rollup *r, int64_t tenant, int64_t hour, int64_t dim) {
    // Records of a batch that follow each other are mostly of the same hour and of few combinations.
    int64_t key[3] = {tenant, hour, dim};
    uintptr_t at = (uintptr_t)map_get(&r->found, str_of((const char *)key, sizeof key));
    if (at) return &r->sums.p[at - 1];
    // Keys of the map point into the array, so it must not move while it has any.
    if (r->sums.n == r->sums.cap && r->sums.n) {
        map_free(&r->found);
        map_init(&r->found, rand_u64());
        if (!vec_push(&r->sums, (struct usage_sums){.tenant = tenant, .period = hour, .dim = dim})) return NULL;
        for (size_t i = 0; i < r->sums.n; i++)
            if (!map_put(&r->found, str_of((const char *)&r->sums.p[i], sizeof key), (void *)(i + 1))) return NULL;
        return &r->sums.p[r->sums.n - 1];
    }
    if (!vec_push(&r->sums, (struct usage_sums){.tenant = tenant, .period = hour, .dim = dim})) return NULL;
    struct usage_sums *s = &r->sums.p[r->sums.n - 1];
    return map_put(&r->found, str_of((const char *)s, sizeof key), (void *)r->sums.n) ? s : NULL;
}

static bool add_to(struct usage_rollup *r, int64_t tenant, int64_t hour, int64_t dim, const int64_t v[SUM_COUNT],
                   int sign, struct err *err) {
    struct usage_sums *s = sums_of(r, tenant, hour, dim);
    if (!s) return err_no_memory(err);
    // A sum past the range stays at its end: one hour of one combination will not come near it but by an upstream's
    // lie.
    for (int i = 0; i < SUM_COUNT; i++)
        if (__builtin_add_overflow(s->v[i], sign * v[i], &s->v[i])) s->v[i] = sign > 0 ? INT64_MAX : INT64_MIN;
    return true;
}

bool usage_rollup_add(struct usage_rollup *r, int64_t tenant, int64_t ts, int64_t dim, bool error,
                      const int64_t v[SUM_COUNT], int sign, struct err *err) {
    int64_t hour = ts / USAGE_HOUR_NS;
    return add_to(r, tenant, hour, dim, v, sign, err) &&
           add_to(r, tenant, hour, error ? USAGE_DIM_ERRORS : USAGE_DIM_ALL, v, sign, err);
}

void usage_rollup_clear(struct usage_rollup *r) {
    if (!r->sums.n) return;
    map_free(&r->found);
    map_init(&r->found, rand_u64());
    r->sums.n = 0;
}

enum { PERIOD_HOUR, PERIOD_DAY, PERIOD_MONTH };

static int64_t period_of(int kind, int64_t hour) {
    if (kind == PERIOD_HOUR) return hour;
    return kind == PERIOD_DAY ? hour / 24 : usage_month_of_day(hour / 24);
}

static bool table_add(struct usage_rollup *r, struct sql *db, int kind, struct err *err) {
    static const char *const names[] = {[PERIOD_HOUR] = "hour", [PERIOD_DAY] = "day", [PERIOD_MONTH] = "month"};
    char text[ADD_TEXT_MAX];
    struct sql_stmt *st;
    int n = snprintf(text, sizeof text, ADD_TEXT, names[kind], names[kind], names[kind]);
    if (!sql_prepare(sql_platform(db), str_of(text, (size_t)n), &st, err)) return false;
    for (size_t i = 0; i < r->sums.n; i++) {
        const struct usage_sums *s = &r->sums.p[i];
        sql_bind_i64(st, 1, s->tenant);
        sql_bind_i64(st, 2, period_of(kind, s->period));
        sql_bind_i64(st, 3, s->dim);
        for (int c = 0; c < SUM_COUNT; c++) sql_bind_i64(st, 4 + c, s->v[c]);
        if (!sql_run(st, err)) return false;
    }
    return true;
}

static int sums_order(const void *a, const void *b) {
    const struct usage_sums *x = a, *y = b;
    if (x->tenant != y->tenant) return x->tenant < y->tenant ? -1 : 1;
    if (x->period != y->period) return x->period < y->period ? -1 : 1;
    return (x->dim > y->dim) - (x->dim < y->dim);
}

bool usage_rollup_write(struct usage_rollup *r, struct sql *db, struct err *err) {
    if (!r->sums.n) return true;
    // In the order of the tables' keys, which several writers then lock in the same order.
    qsort(r->sums.p, r->sums.n, sizeof *r->sums.p, sums_order);
    for (int kind = PERIOD_HOUR; kind <= PERIOD_MONTH; kind++)
        if (!table_add(r, db, kind, err)) return false;
    usage_rollup_clear(r);
    return true;
}
