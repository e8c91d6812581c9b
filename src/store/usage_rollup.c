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

// Which sums go where, by which period: from short ones to long ones.
struct table {
    const char *name, *period;
    enum usage_unit unit;
    bool facets; // or combinations
};
static const struct table k_tables[] = {{"usage_hour", "hour", USAGE_UNIT_HOUR, false},
                                        {"usage_facet_hour", "hour", USAGE_UNIT_HOUR, true},
                                        {"usage_six_hours", "six_hours", USAGE_UNIT_SIX_HOURS, false},
                                        {"usage_day", "day", USAGE_UNIT_DAY, false},
                                        {"usage_facet_day", "day", USAGE_UNIT_DAY, true},
                                        {"usage_dekad", "dekad", USAGE_UNIT_DEKAD, false},
                                        {"usage_month", "first_day", USAGE_UNIT_MONTH, false}};

// Sums of money stay within half of the range, at whose end a provider's lies may bring them: there they stay, where a
// database would refuse the sum, and with it all that comes after.
#define SUM_MAX (INT64_MAX / 2)
#define SUM_MAX_TEXT "4611686018427387903"
#define ADDED(column) column " = s." column " + excluded." column
#define ADDED_MONEY(column)                                                                                            \
    column " = CASE WHEN s." column " > " SUM_MAX_TEXT " - excluded." column " THEN " SUM_MAX_TEXT " WHEN s." column   \
           " < -" SUM_MAX_TEXT " - excluded." column " THEN -" SUM_MAX_TEXT " ELSE s." column " + excluded." column    \
           " END"

// Table, period, key, holes for the key, period, key.
#define ADD_TEXT                                                                                                                                                                                                         \
    "INSERT INTO %s AS s (requests, unpriced, tokens_in, tokens_cached, tokens_cache_write, tokens_out,"                                                                                                                 \
    " tokens_reasoning, cost_nano, latency_us, ttft_us, ttft_requests, attempts, reference_nano, saved_nano,"                                                                                                            \
    " tenant_id, %s, %s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, %s)"                                                                                                             \
    " ON CONFLICT (tenant_id, %s, %s) DO UPDATE SET " ADDED("requests") ", " ADDED("unpriced") ", " ADDED("tokens_in") ", " ADDED("tokens_cached") ", " ADDED("tokens_cache_write") ", " ADDED("tokens_out") ", " ADDED( \
        "tokens_reasoning") ", " ADDED_MONEY("cost_nano") ", " ADDED("latency_us") ", " ADDED("ttft_us") ", " ADDED("ttft_requests") ", " ADDED("attempts") ", " ADDED_MONEY("reference_nano") ", " ADDED_MONEY("saved_nano")
#define ADD_TEXT_MAX 3072

// Which columns of a combination make each facet; DIM_COUNT: none. optional: not stored where they are 0.
static const struct {
    int value, value2;
    bool optional;
} k_facets[USAGE_FACET_COUNT] = {[USAGE_FACET_MODEL] = {DIM_MODEL, DIM_UPSTREAM_MODEL, true},
                                 [USAGE_FACET_PROVIDER] = {DIM_PROVIDER, DIM_COUNT, true},
                                 [USAGE_FACET_TASK] = {DIM_TASK, DIM_COUNT, true},
                                 [USAGE_FACET_TAGS] = {DIM_TAGS, DIM_COUNT, true},
                                 [USAGE_FACET_PLACE] = {DIM_TEAM, DIM_PROJECT, false},
                                 [USAGE_FACET_OUTCOME] = {DIM_STATUS, DIM_ERROR, false},
                                 [USAGE_FACET_ENDPOINT] = {DIM_ENDPOINT, DIM_COUNT, false},
                                 [USAGE_FACET_KEY] = {DIM_KEY, DIM_COUNT, true},
                                 [USAGE_FACET_OWNER] = {DIM_OWNER, DIM_OWNER_KIND, true}};

void usage_rollup_init(struct usage_rollup *r) {
    *r = (struct usage_rollup){0};
    map_init(&r->known, rand_u64()); // names, and so their ids, come from clients
    map_init(&r->by_id, rand_u64());
    map_init(&r->found, rand_u64());
}

void usage_rollup_forget(struct usage_rollup *r) {
    const struct map_entry *e;
    map_free(&r->by_id);
    map_init(&r->by_id, rand_u64());
    for (size_t it = 0; (e = map_next(&r->known, &it));) mem_free(e->value);
    map_free(&r->known);
    map_init(&r->known, rand_u64());
    r->last = NULL;
}

void usage_rollup_free(struct usage_rollup *r) {
    usage_rollup_forget(r);
    map_free(&r->known);
    map_free(&r->by_id);
    map_free(&r->found);
    vec_free(&r->sums);
}

static struct str bytes_of(const struct usage_dim *dim) { return str_of((const char *)dim, sizeof *dim); }
static struct str id_bytes(const int64_t *id) { return str_of((const char *)id, sizeof *id); }

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
    if (!map_put(&r->known, bytes_of(&k->dim), k)) {
        mem_free(k);
        return;
    }
    r->last = k;
    (void)!map_put(&r->by_id, id_bytes(&k->id), k);
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

// What a combination is of: mostly it was met in this batch.
static bool dim_read(struct usage_rollup *r, struct sql *db, int64_t id, struct usage_dim *out_dim, struct err *err) {
    struct sql_stmt *st;
    bool found;
    const struct usage_known *known = map_get(&r->by_id, id_bytes(&id));
    if (known) {
        *out_dim = known->dim;
        return true;
    }
    if (!sql_prepare(sql_platform(db), STR("SELECT " DIM_NAMES " FROM usage_dim WHERE id = ?1"), &st, err))
        return false;
    sql_bind_i64(st, 1, id);
    if (!sql_step(st, &found, err)) return false;
    if (!found) return err_set(err, ERR_STORE, "a combination that usage is of is not in the database");
    for (int i = 0; i < DIM_COUNT; i++) out_dim->v[i] = sql_col_i64(st, i);
    sql_reset(st);
    remember(r, out_dim, id);
    return true;
}

// --- sums ---

static struct str key_bytes(const struct usage_sums_key *key) { return str_of((const char *)key, sizeof *key); }

static struct usage_sums *sums_of(struct usage_rollup *r, const struct usage_sums_key *key) {
    // Records of a batch that follow each other are mostly of the same hour and of few combinations.
    uintptr_t at = (uintptr_t)map_get(&r->found, key_bytes(key));
    if (at) return &r->sums.p[at - 1];
    // Keys of the map point into the array, so it must not move while it has any.
    if (r->sums.n == r->sums.cap && r->sums.n) {
        map_free(&r->found);
        map_init(&r->found, rand_u64());
        if (!vec_push(&r->sums, (struct usage_sums){.key = *key})) return NULL;
        for (size_t i = 0; i < r->sums.n; i++)
            if (!map_put(&r->found, key_bytes(&r->sums.p[i].key), (void *)(i + 1))) return NULL;
        return &r->sums.p[r->sums.n - 1];
    }
    if (!vec_push(&r->sums, (struct usage_sums){.key = *key})) return NULL;
    struct usage_sums *s = &r->sums.p[r->sums.n - 1];
    return map_put(&r->found, key_bytes(&s->key), (void *)r->sums.n) ? s : NULL;
}

static int64_t sum_of(int64_t a, int64_t b) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return b > 0 ? SUM_MAX : -SUM_MAX;
    return MAX(MIN(sum, SUM_MAX), -SUM_MAX);
}

static bool add_to(struct usage_rollup *r, const struct usage_sums_key *key, const int64_t v[SUM_COUNT], int sign,
                   struct err *err) {
    struct usage_sums *s = sums_of(r, key);
    if (!s) return err_no_memory(err);
    for (int i = 0; i < SUM_COUNT; i++) s->v[i] = sum_of(s->v[i], sign * v[i]);
    return true;
}

// The sums of a combination's facets, from those of the combination.
static bool facets_add(struct usage_rollup *r, struct sql *db, struct usage_sums of, struct err *err) {
    struct usage_dim dim;
    if (!dim_read(r, db, of.key.value, &dim, err)) return false;
    for (int facet = USAGE_FACET_NONE + 1; facet < USAGE_FACET_COUNT; facet++) {
        int second = k_facets[facet].value2;
        struct usage_sums_key key = {.tenant = of.key.tenant,
                                     .hour = of.key.hour,
                                     .facet = facet,
                                     .value = dim.v[k_facets[facet].value],
                                     .value2 = second == DIM_COUNT ? 0 : dim.v[second],
                                     .failed = dim.v[DIM_STATUS] >= 400 || dim.v[DIM_ERROR]};
        if (k_facets[facet].optional && !key.value && !key.value2) continue;
        if (!add_to(r, &key, of.v, 1, err)) return false;
    }
    return true;
}

static bool all_facets_add(struct usage_rollup *r, struct sql *db, struct err *err) {
    size_t n = r->sums.n;
    for (size_t i = 0; i < n; i++)
        if (r->sums.p[i].key.value > 0 && !facets_add(r, db, r->sums.p[i], err)) return false;
    return true;
}

bool usage_rollup_add(struct usage_rollup *r, int64_t tenant, int64_t ts, int64_t dim, bool error,
                      const int64_t v[SUM_COUNT], int sign, struct err *err) {
    struct usage_sums_key one = {.tenant = tenant, .hour = ts / USAGE_HOUR_NS, .value = dim}, all = one;
    all.value = error ? USAGE_DIM_ERRORS : USAGE_DIM_ALL;
    return add_to(r, &one, v, sign, err) && add_to(r, &all, v, sign, err);
}

void usage_rollup_clear(struct usage_rollup *r) {
    if (!r->sums.n) return;
    map_free(&r->found);
    map_init(&r->found, rand_u64());
    r->sums.n = 0;
}

// Of one of the next shorter unit.
static int64_t period_of(enum usage_unit unit, int64_t period) {
    if (unit == USAGE_UNIT_SIX_HOURS) return period / 6;
    if (unit == USAGE_UNIT_DAY) return period / 4;
    return unit == USAGE_UNIT_DEKAD ? usage_dekad_of_day(period) : usage_month_of_day(period);
}

static bool table_add(struct usage_rollup *r, struct sql *db, const struct table *t, struct err *err) {
    const char *key = t->facets ? "facet, value, value2, failed" : "dim_id";
    char text[ADD_TEXT_MAX];
    struct sql_stmt *st;
    int n = snprintf(text, sizeof text, ADD_TEXT, t->name, t->period, key, t->facets ? "?17, ?18, ?19, ?20" : "?17",
                     t->period, key);
    if (!sql_prepare(sql_platform(db), str_of(text, (size_t)n), &st, err)) return false;
    for (size_t i = 0; i < r->sums.n; i++) {
        const struct usage_sums *s = &r->sums.p[i];
        if (t->facets != (s->key.facet != USAGE_FACET_NONE)) continue;
        const int64_t keys[] = {s->key.tenant, s->key.hour, s->key.facet, s->key.value, s->key.value2, s->key.failed};
        for (int c = 0; c < SUM_COUNT; c++) sql_bind_i64(st, 1 + c, s->v[c]);
        sql_bind_i64(st, SUM_COUNT + 1, keys[0]);
        sql_bind_i64(st, SUM_COUNT + 2, keys[1]);
        if (!t->facets) sql_bind_i64(st, SUM_COUNT + 3, s->key.value);
        for (int k = 2; t->facets && k < 6; k++) sql_bind_i64(st, SUM_COUNT + 1 + k, keys[k]);
        if (!sql_run(st, err)) return false;
    }
    return true;
}

static int sums_order(const void *a, const void *b) {
    const struct usage_sums *x = a, *y = b;
    const int64_t pairs[][2] = {{x->key.tenant, y->key.tenant}, {x->key.hour, y->key.hour},
                                {x->key.facet, y->key.facet},   {x->key.value, y->key.value},
                                {x->key.value2, y->key.value2}, {x->key.failed, y->key.failed}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (pairs[i][0] != pairs[i][1]) return pairs[i][0] < pairs[i][1] ? -1 : 1;
    return 0;
}

// In the order of the tables' keys, which several writers then lock in the same order.
static void sums_sort(struct usage_rollup *r) { qsort(r->sums.p, r->sums.n, sizeof *r->sums.p, sums_order); }

// From those of the next shorter unit: a row is written once, however many of its hours the batch has.
static void sums_lengthen(struct usage_rollup *r, enum usage_unit unit) {
    struct usage_sums *out = r->sums.p;
    for (size_t i = 0; i < r->sums.n; i++) r->sums.p[i].key.hour = period_of(unit, r->sums.p[i].key.hour);
    sums_sort(r);
    for (size_t i = 1; i < r->sums.n; i++) {
        const struct usage_sums *s = &r->sums.p[i];
        if (sums_order(out, s) != 0)
            *++out = *s;
        else
            for (int c = 0; c < SUM_COUNT; c++) out->v[c] = sum_of(out->v[c], s->v[c]);
    }
    r->sums.n = (size_t)(out - r->sums.p) + 1;
}

bool usage_rollup_write(struct usage_rollup *r, struct sql *db, struct err *err) {
    if (!r->sums.n) return true;
    if (!all_facets_add(r, db, err)) return false;
    sums_sort(r);
    for (size_t i = 0; i < ARRAY_LEN(k_tables); i++) {
        if (i && k_tables[i].unit != k_tables[i - 1].unit) sums_lengthen(r, k_tables[i].unit);
        if (!table_add(r, db, &k_tables[i], err)) return false;
    }
    usage_rollup_clear(r);
    return true;
}
