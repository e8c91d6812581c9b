// Builds the statements of reports over usage.
#include "store/usage_sql.h"

#include "store/usage_text.h"

#define SUM_NAMES                                                                                                      \
    "requests, unpriced, tokens_in, tokens_cached, tokens_cache_write, tokens_out, tokens_reasoning, cost_nano,"       \
    " latency_us, ttft_us, ttft_requests, attempts, reference_nano, saved_nano"
#define IS_FAILED "d.status >= 400 OR d.error_id <> 0"

// "a=b" to "a":"b"; JSON's own escapes are those of the writer. What is too long is no tag of any request.
static void put_tag(struct buf *out, struct str tag) {
    size_t at = str_find(tag, STR("="));
    buf_putc(out, '"');
    buf_put(out, str_head(tag, at));
    buf_put(out, STR("\":\""));
    buf_put(out, str_from(tag, MIN(at + 1, tag.n)));
    buf_putc(out, '"');
}

void usage_sql_init(struct usage_sql *s, struct sql *db, const struct ledger_query *q) {
    BUF_AUTO struct buf tag = BUF_INIT(sizeof s->tag);
    *s = (struct usage_sql){.db = db, .q = q};
    put_tag(&tag, q->tag);
    if (tag.failed) buf_clear(&tag), buf_putc(&tag, '\n'); // which is in no request's JSON
    s->tag_n = tag.n;
    memcpy(s->tag, tag.p, s->tag_n);
}

static bool by_record(const struct ledger_query *q) { return q->min_cost_nano || q->min_latency_us || q->request_id; }

// Conditions on the record u that its combination does not tell.
static void put_record_filter(struct usage_text *b) {
    usage_put_tenant(b, "u.tenant_id");
    if (b->q->min_cost_nano) usage_put_i64(b, " AND u.cost_nano >= ", b->q->min_cost_nano);
    if (b->q->min_latency_us) usage_put_i64(b, " AND u.latency_us >= ", b->q->min_latency_us);
    usage_put_id(b, " AND u.id = ", b->q->request_id);
}

// --- groups ---

// What groups are called by, in a combination and in what a facet adds up to.
static const struct {
    const char *of_dim, *of_facet;
    enum usage_facet facet; // which one; NONE: none, or whichever
    bool text;
    bool optional; // not all combinations are in the facet
} k_groups[LEDGER_GROUP_COUNT] = {
    [LEDGER_GROUP_KEY] = {"d.key_id", "r.value", USAGE_FACET_KEY, false, true},
    [LEDGER_GROUP_MODEL] = {"d.model_id", "r.value", USAGE_FACET_MODEL, true, true},
    [LEDGER_GROUP_PROVIDER] = {"d.provider_id", "r.value", USAGE_FACET_PROVIDER, true, true},
    [LEDGER_GROUP_DAY] = {"0", "0", USAGE_FACET_NONE, false, false},
    [LEDGER_GROUP_TENANT] = {"d.tenant_id", "r.tenant_id", USAGE_FACET_NONE, false, false},
    [LEDGER_GROUP_HOUR] = {"0", "0", USAGE_FACET_NONE, false, false},
    [LEDGER_GROUP_TEAM] = {"d.team_id", "r.value", USAGE_FACET_PLACE, false, false},
    [LEDGER_GROUP_PROJECT] = {"d.project_id", "r.value2", USAGE_FACET_PLACE, false, false},
    [LEDGER_GROUP_OWNER] = {"d.owner_id", "r.value", USAGE_FACET_OWNER, false, true},
    [LEDGER_GROUP_UPSTREAM_MODEL] = {"d.upstream_model_id", "r.value2", USAGE_FACET_MODEL, true, true},
    [LEDGER_GROUP_ENDPOINT] = {"d.endpoint", "r.value", USAGE_FACET_ENDPOINT, false, false},
    [LEDGER_GROUP_STATUS] = {"d.status", "r.value", USAGE_FACET_OUTCOME, false, false},
    [LEDGER_GROUP_ERROR] = {"d.error_id", "r.value2", USAGE_FACET_OUTCOME, true, false},
    [LEDGER_GROUP_TAGS] = {"d.tags_id", "r.value", USAGE_FACET_TAGS, true, true},
    [LEDGER_GROUP_TASK] = {"d.task_id", "r.value", USAGE_FACET_TASK, true, true},
    [LEDGER_GROUP_MONTH] = {"0", "0", USAGE_FACET_NONE, false, false},
};

bool usage_group_is_time(enum ledger_group group) {
    return group == LEDGER_GROUP_DAY || group == LEDGER_GROUP_HOUR || group == LEDGER_GROUP_MONTH;
}
bool usage_group_is_text(enum ledger_group group) { return k_groups[group].text; }

// --- what sums come from ---

static bool asks(const struct ledger_query *q, enum usage_facet facet) {
    const bool asked[USAGE_FACET_COUNT] = {[USAGE_FACET_MODEL] = q->model.n,
                                           [USAGE_FACET_PROVIDER] = q->provider.n,
                                           [USAGE_FACET_TASK] = q->task.n,
                                           [USAGE_FACET_TAGS] = q->tag.n,
                                           [USAGE_FACET_PLACE] = q->team_id || q->project_id || q->in_places,
                                           [USAGE_FACET_OUTCOME] = q->status || q->error.n,
                                           [USAGE_FACET_ENDPOINT] = q->endpoint,
                                           [USAGE_FACET_KEY] = q->key_id,
                                           [USAGE_FACET_OWNER] = q->owner_id};
    return asked[facet];
}

// How many combinations, and how many of them failed.
struct tally {
    int64_t all, failed;
};

static bool tally_end(struct usage_text *b, struct tally *out_tally, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!usage_end(b, &st, err) || !sql_step(st, &row, err)) return false;
    *out_tally = row ? (struct tally){sql_col_i64(st, 0), sql_col_i64(st, 1)} : (struct tally){0};
    if (row) sql_reset(st);
    return true;
}

// Of those that the query means.
static bool tally_meant(const struct usage_sql *s, struct tally *out_tally, struct err *err) {
    struct usage_text b;
    usage_begin(&b, s);
    usage_put(&b, "SELECT count(*), count(CASE WHEN d.failed = 1 THEN 1 END) FROM usage_meant d WHERE 1 = 1");
    usage_put_tenant(&b, "d.tenant_id");
    return tally_end(&b, out_tally, err);
}

// Of the tenants' that the query means; those that it would mean if it asked for nothing but that facet of them.
static bool tally_facet(const struct usage_sql *s, enum usage_facet facet, struct tally *out_tally, struct err *err) {
    struct usage_text b;
    usage_begin(&b, s);
    usage_put(&b, "SELECT count(*), count(CASE WHEN " IS_FAILED " THEN 1 END) FROM usage_dim d WHERE d.tenant_id IN"
                  " (SELECT tenant_id FROM usage_meant_tenant)");
    if (facet) usage_put_facet(&b, facet, true);
    usage_put_tenant(&b, "d.tenant_id");
    return tally_end(&b, out_tally, err);
}

// Most filters leave out nothing but what another one does: a model has one provider, a status of 200 is no error.
// Where the combinations that the query means are all that a facet alone, or no condition at all, would mean, or those
// of them that failed or did not, sums come from what these add up to.
static bool is_made_of(struct usage_sql *s, enum usage_facet facet, const struct tally *meant,
                       const struct tally *facets) {
    if (meant->all == facets->all)
        s->failed = USAGE_FAILED_OR_NOT;
    else if (!meant->failed && meant->all == facets->all - facets->failed)
        s->failed = USAGE_FAILED_NOT;
    else if (meant->failed == meant->all && meant->all == facets->failed)
        s->failed = USAGE_FAILED;
    else
        return false;
    s->made_of = facet ? USAGE_ROWS_FACET : USAGE_ROWS_ALL;
    s->facet = facet;
    // Those that have no model, say, are not in that facet.
    s->rest = facet && !asks(s->q, facet) && k_groups[s->q->group].optional;
    return true;
}

// Series and sums of tenants can be made of any facet, others of their own alone.
static bool choose(struct usage_sql *s, const struct tally *meant, const struct tally *all, struct err *err) {
    enum ledger_group by = s->q->group;
    enum usage_facet own = k_groups[by].facet;
    struct tally found = *all;
    if (by == LEDGER_GROUP_NONE || by_record(s->q)) return true;
    if (!own && is_made_of(s, USAGE_FACET_NONE, meant, all)) return true;
    for (enum usage_facet f = USAGE_FACET_NONE + 1; f < USAGE_FACET_COUNT; f++) {
        if (own ? f != own : !asks(s->q, f)) continue;
        if (asks(s->q, f) && !tally_facet(s, f, &found, err)) return false;
        if (is_made_of(s, f, meant, &found)) return true;
    }
    return true;
}

// To look one up costs about as much as to read past six.
static bool weigh(struct usage_sql *s, struct err *err) {
    struct tally meant, all;
    if (!tally_meant(s, &meant, err) || !tally_facet(s, USAGE_FACET_NONE, &all, err)) return false;
    if (meant.all < all.all - all.all / 4) s->meant = meant.all < all.all / 6 ? USAGE_MEANT_FEW : USAGE_MEANT_SOME;
    return choose(s, &meant, &all, err);
}

// --- gathering ---

// The largest unit that the query's sums can be made of.
static enum usage_unit unit_of(const struct ledger_query *q) {
    if (by_record(q)) return USAGE_UNIT_RECORD;
    if (q->group == LEDGER_GROUP_HOUR) return USAGE_UNIT_HOUR;
    return q->group == LEDGER_GROUP_DAY ? USAGE_UNIT_DAY : USAGE_UNIT_MONTH;
}

// The range is cut to what there is, so that going through its periods ends. An end that there is nothing behind lies
// at the end of the largest unit, so that no edge has to be put right.
static bool cut(struct usage_sql *s, struct err *err) {
    enum usage_unit unit = unit_of(s->q);
    bool any;
    int64_t first, last;
    if (!usage_sql_span(s, &any, &first, &last, err)) return false;
    s->since = s->until = 0;
    if (!any) return true;
    s->since = s->q->since <= first ? usage_unit_begin(unit, first) : s->q->since;
    s->until = s->q->until <= 0 || s->q->until > last ? usage_unit_end(unit, last) : s->q->until;
    return true;
}

// Nothing but time narrows the sums.
static bool all_meant(const struct ledger_query *q) { return q->group != LEDGER_GROUP_NONE && usage_sql_open(q); }

// Those that have usage, found one by one; the last row is NULL.
static void put_tenants(struct usage_text *b) {
    if (b->q->tenant_id)
        usage_put(b, "WITH tenants (tenant_id) AS (SELECT CAST(?1 AS BIGINT)) ");
    else
        usage_put(b, "WITH RECURSIVE tenants (tenant_id) AS (SELECT min(tenant_id) FROM usage_dim UNION ALL"
                     " SELECT (SELECT min(d.tenant_id) FROM usage_dim d WHERE d.tenant_id > t.tenant_id) FROM tenants t"
                     " WHERE t.tenant_id IS NOT NULL) ");
}

static bool gather_dims(struct usage_sql *s, struct err *err) {
    struct usage_text b;
    struct sql_stmt *st;
    usage_begin(&b, s);
    usage_put(&b, "INSERT INTO usage_meant (id, tenant_id, failed) SELECT d.id, d.tenant_id, CASE WHEN " IS_FAILED
                  " THEN 1 ELSE 0 END FROM usage_dim d WHERE 1 = 1");
    usage_put_tenant(&b, "d.tenant_id");
    if (s->q->errors) usage_put(&b, " AND (" IS_FAILED ")");
    usage_put_facet(&b, USAGE_FACET_NONE, true);
    usage_put(&b, " ORDER BY d.tenant_id, d.id");
    return usage_end(&b, &st, err) && sql_run(st, err);
}

static bool gather_tenants(struct usage_sql *s, struct err *err) {
    struct usage_text b;
    struct sql_stmt *st;
    usage_begin(&b, s);
    usage_put(&b, "INSERT INTO usage_meant_tenant (tenant_id) ");
    if (all_meant(s->q)) {
        put_tenants(&b);
        usage_put(&b, "SELECT t.tenant_id FROM tenants t WHERE t.tenant_id IS NOT NULL");
    } else {
        usage_put(&b, "SELECT DISTINCT d.tenant_id FROM usage_meant d WHERE 1 = 1");
        usage_put_tenant(&b, "d.tenant_id");
    }
    return usage_end(&b, &st, err) && sql_run(st, err);
}

// PostgreSQL takes a table of which it knows nothing for one of thousands of rows, and recursion for one of dozens, and
// would rather read all sums than look them up. Machine code and helpers for a statement of a few milliseconds cost
// more than they save.
static bool tell_planner(struct usage_sql *s, struct err *err) {
    return !sql_is_postgres(s->db) ||
           sql_exec(s->db,
                    STR("SET LOCAL enable_seqscan = off; SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather"
                        " = 0; ANALYZE usage_meant; ANALYZE usage_meant_tenant"),
                    err);
}

// In SQLite an INTEGER that is the key is where the row lies; other keys are looked up in an index beside it.
#define TEMP_TABLES(number)                                                                                            \
    "CREATE TEMP TABLE IF NOT EXISTS usage_meant (id " number " PRIMARY KEY, tenant_id BIGINT NOT NULL, failed BIGINT" \
    " NOT NULL); CREATE TEMP TABLE IF NOT EXISTS usage_meant_tenant (tenant_id " number " PRIMARY KEY); DELETE FROM"   \
    " usage_meant; DELETE FROM usage_meant_tenant"

bool usage_sql_gather(struct usage_sql *s, struct err *err) {
    if (!cut(s, err)) return false;
    // One connection may report more than once.
    if (!sql_exec(s->db, sql_is_postgres(s->db) ? STR(TEMP_TABLES("BIGINT")) : STR(TEMP_TABLES("INTEGER")), err))
        return false;
    if (all_meant(s->q)) { // none has to be looked for
        static const struct tally none;
        return gather_tenants(s, err) && tell_planner(s, err) && choose(s, &none, &none, err);
    }
    return gather_dims(s, err) && gather_tenants(s, err) && tell_planner(s, err) && weigh(s, err);
}

bool usage_sql_dims(const struct usage_sql *s, struct sql_stmt **out_stmt, struct err *err) {
    struct usage_text b;
    usage_begin(&b, s);
    usage_put(&b, "SELECT d.id, ");
    usage_put(&b, k_groups[s->q->group].of_dim);
    usage_put(&b, ", d.owner_kind, CASE WHEN " IS_FAILED " THEN 1 ELSE 0 END FROM ");
    usage_put(&b, all_meant(s->q) ? "usage_dim d WHERE 1 = 1"
                                  : "usage_meant m JOIN usage_dim d ON d.id = m.id WHERE 1 = 1");
    usage_put_tenant(&b, "d.tenant_id");
    usage_put(&b, " ORDER BY d.id");
    return usage_end(&b, out_stmt, err);
}

// --- sums ---

size_t usage_sql_parts(const struct usage_sql *s, struct usage_part out[USAGE_PARTS_MAX]) {
    return usage_range_parts(s->since, s->until, unit_of(s->q), s->made_of != USAGE_ROWS_FACET, out);
}

// Facets are not added up by quarters of a day, nor by units larger than one.
enum usage_rows usage_sql_rows(const struct usage_sql *s, const struct usage_part *part) {
    if (part->unit == USAGE_UNIT_RECORD) return USAGE_ROWS_RECORDS;
    if (s->made_of == USAGE_ROWS_FACET && part->unit > USAGE_UNIT_DAY) return USAGE_ROWS_COMBINATIONS;
    return s->made_of;
}

// A table of what adds up by a unit of time: where its rows are, and the hour at which each period begins.
static const struct {
    const char *table, *facets, *period, *hour;
} k_sums[] = {[USAGE_UNIT_HOUR] = {"usage_hour r", "usage_facet_hour r", "r.hour", ", r.hour"},
              [USAGE_UNIT_SIX_HOURS] = {"usage_six_hours r", NULL, "r.six_hours", ", r.six_hours * 6"},
              [USAGE_UNIT_DAY] = {"usage_day r", "usage_facet_day r", "r.day", ", r.day * 24"},
              [USAGE_UNIT_DEKAD] = {"usage_dekad r", NULL, "r.dekad", ", r.dekad * 24"},
              [USAGE_UNIT_MONTH] = {"usage_month r", NULL, "r.first_day", ", r.first_day * 24"}};

// What few rows would pass is better not read at all.
static void put_meant(struct usage_text *b, const char *column) {
    if (b->s->meant == USAGE_MEANT_MOST) return;
    usage_put(b, " AND ");
    if (sql_scan_asks(b->s->db)) {
        usage_put(b, SQL_SCAN_WANTS "(");
        usage_put(b, column);
        usage_put(b, ")");
    } else {
        usage_put(b, column);
        usage_put(b, " IN (SELECT id FROM usage_meant)");
    }
}

static void put_periods(struct usage_text *b, const struct usage_part *part) {
    usage_put(b, "(WITH RECURSIVE p (x) AS (SELECT CAST(");
    usage_put_i64(b, "", part->from);
    usage_put_i64(b, " AS BIGINT) UNION ALL SELECT x + 1 FROM p WHERE x + 1 < ", part->to);
    usage_put(b, ") SELECT x FROM p) p CROSS JOIN ");
}

static void put_range(struct usage_text *b, const struct usage_part *part, const char *before) {
    usage_put(b, before);
    usage_put(b, k_sums[part->unit].period);
    usage_put_i64(b, " >= ", part->from);
    usage_put(b, " AND ");
    usage_put(b, k_sums[part->unit].period);
    usage_put_i64(b, " < ", part->to);
}

// PostgreSQL does not see how few periods there are, and may choose to look for them among all.
static void put_period(struct usage_text *b, const struct usage_part *part) {
    usage_put(b, k_sums[part->unit].period);
    usage_put(b, " = p.x");
    if (sql_is_postgres(b->s->db)) put_range(b, part, " AND ");
}

// Each is looked up in the table's key, in its order. Months and thirds of them begin not every day, but mostly there
// are few.
static void put_added_up(struct usage_text *b, const struct usage_part *part, enum usage_rows rows) {
    const struct usage_sql *s = b->s;
    bool of_facet = rows == USAGE_ROWS_FACET;
    static const char *const
        failed[] = {[USAGE_FAILED_OR_NOT] = "(0, -1)", [USAGE_FAILED_NOT] = "(0)", [USAGE_FAILED] = "(-1)"},
        *const of[] = {
            [USAGE_FAILED_OR_NOT] = "", [USAGE_FAILED_NOT] = " AND r.failed = 0", [USAGE_FAILED] = " AND r.failed = 1"};
    usage_put(b, "SELECT ");
    usage_put(b, of_facet || s->q->group == LEDGER_GROUP_TENANT ? k_groups[s->q->group].of_facet : "0");
    usage_put(b, of_facet ? ", r.failed, " SUM_NAMES : ", 0 - r.dim_id, " SUM_NAMES);
    if (usage_group_is_time(s->q->group)) usage_put(b, k_sums[part->unit].hour);
    if (s->q->group == LEDGER_GROUP_OWNER) usage_put(b, of_facet ? ", r.value2" : ", 0");
    usage_put(b, " FROM ");
    put_periods(b, part);
    usage_put(b, "usage_meant_tenant t CROSS JOIN ");
    usage_put(b, of_facet ? k_sums[part->unit].facets : k_sums[part->unit].table);
    usage_put(b, " WHERE r.tenant_id = t.tenant_id AND ");
    put_period(b, part);
    if (of_facet) {
        usage_put_i64(b, " AND r.facet = ", s->facet);
        usage_put_facet(b, s->facet, false);
        usage_put(b, of[s->failed]);
    } else {
        usage_put(b, " AND r.dim_id IN ");
        usage_put(b, failed[s->failed]);
    }
    usage_put_tenant(b, "r.tenant_id");
}

static void put_combinations(struct usage_text *b, const struct usage_part *part) {
    bool one_by_one = b->s->meant == USAGE_MEANT_FEW && part->unit <= USAGE_UNIT_DAY;
    usage_put(b, "SELECT r.dim_id, " SUM_NAMES);
    if (usage_group_is_time(b->q->group)) usage_put(b, k_sums[part->unit].hour);
    usage_put(b, " FROM ");
    if (one_by_one) {
        put_periods(b, part);
        usage_put(b, "usage_meant m CROSS JOIN ");
    }
    usage_put(b, k_sums[part->unit].table);
    usage_put(b, " WHERE ");
    if (one_by_one) {
        put_period(b, part);
        usage_put(b, " AND r.tenant_id = m.tenant_id AND r.dim_id = m.id");
    } else {
        put_range(b, part, "");
        // So that the table's key serves also where no tenant is asked for.
        usage_put(b, " AND r.tenant_id IN (SELECT tenant_id FROM usage_meant_tenant)");
        put_meant(b, "r.dim_id");
    }
    usage_put_tenant(b, "r.tenant_id");
}

static void put_records(struct usage_text *b, const struct usage_part *part) {
    usage_put(b, "SELECT u.dim_id, u.flags, u.tokens_in, u.tokens_cached, u.tokens_cache_write, u.tokens_out,"
                 " u.tokens_reasoning, u.cost_nano, u.latency_us, u.ttft_us, u.attempts, u.reference_nano");
    if (usage_group_is_time(b->q->group)) usage_put(b, ", u.ts / 3600000000000");
    usage_put_i64(b, " FROM usage u WHERE u.ts >= ", part->from);
    usage_put_i64(b, " AND u.ts < ", part->to);
    put_record_filter(b);
    put_meant(b, "u.dim_id");
}

// How many columns there are before those that not all groups have.
static unsigned sums_end(enum usage_rows rows) {
    if (rows == USAGE_ROWS_RECORDS) return 12;
    return (rows == USAGE_ROWS_COMBINATIONS ? 1 : 2) + SUM_COUNT;
}
static unsigned columns_of(const struct usage_sql *s, enum usage_rows rows) {
    bool owner = s->q->group == LEDGER_GROUP_OWNER && (rows == USAGE_ROWS_ALL || rows == USAGE_ROWS_FACET);
    return sums_end(rows) + (owner || usage_group_is_time(s->q->group));
}

bool usage_sql_sums(const struct usage_sql *s, const struct usage_part *part, enum usage_rows rows,
                    const struct sql_scan *scan, struct err *err) {
    struct usage_text b;
    struct sql_stmt *st;
    unsigned columns = columns_of(s, rows);
    usage_begin(&b, s);
    if (rows == USAGE_ROWS_RECORDS)
        put_records(&b, part);
    else if (rows == USAGE_ROWS_COMBINATIONS)
        put_combinations(&b, part);
    else
        put_added_up(&b, part, rows);
    return usage_end_scan(&b, columns, &st, err) && sql_scan(st, columns, scan, err);
}

static void record_read(const int64_t *columns, struct usage_sums_row *out_row) {
    int64_t *v = out_row->v, flags = columns[1];
    v[SUM_REQUESTS] = usage_requests((uint64_t)flags);
    v[SUM_UNPRICED] = (flags & USAGE_PRICE_UNKNOWN) != 0;
    for (int i = 0; i < 8; i++) v[SUM_TOKENS_IN + i] = columns[2 + i];
    static_assert(SUM_TTFT == SUM_TOKENS_IN + 7, "tokens, cost and times are in one order");
    v[SUM_LATENCY] *= v[SUM_REQUESTS];
    v[SUM_TTFT_REQUESTS] = v[SUM_TTFT] > 0;
    v[SUM_ATTEMPTS] = columns[10];
    v[SUM_REFERENCE] = columns[11];
    v[SUM_SAVED] = flags & USAGE_COMPARED ? v[SUM_REFERENCE] - v[SUM_COST] : 0;
}

void usage_sql_row(const struct usage_sql *s, enum usage_rows rows, const int64_t *columns,
                   struct usage_sums_row *out_row) {
    bool of_all = rows == USAGE_ROWS_ALL || rows == USAGE_ROWS_FACET;
    unsigned last = sums_end(rows);
    if (rows == USAGE_ROWS_RECORDS)
        record_read(columns, out_row);
    else
        memcpy(out_row->v, columns + last - SUM_COUNT, sizeof out_row->v);
    out_row->failed = of_all && columns[1] != 0;
    out_row->hour = usage_group_is_time(s->q->group) ? columns[last] : 0;
    out_row->owner_kind = of_all && s->q->group == LEDGER_GROUP_OWNER ? columns[last] : 0;
}

bool usage_sql_text(const struct usage_sql *s, int64_t id, struct arena *arena, struct str *out_text, struct err *err) {
    struct sql_stmt *st;
    bool row;
    *out_text = STR("");
    if (!id) return true;
    // Names are no tenant's; those looked for are of groups that the query found.
    if (!sql_prepare(sql_platform(s->db), STR("SELECT text FROM name WHERE id = ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, id);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    if (sql_col_text(st, 0).n) *out_text = arena_str(arena, sql_col_text(st, 0));
    sql_reset(st);
    return out_text->p || err_no_memory(err);
}

// --- records ---

// The range of the query, with the page's end.
static void bounds(const struct ledger_query *q, int64_t *out_since, int64_t *out_until) {
    *out_since = MAX(q->since, (int64_t)0);
    *out_until = q->until > 0 ? q->until : INT64_MAX;
    if (q->before_id && q->before_ts < *out_until - 1) *out_until = q->before_ts + 1;
}

bool usage_sql_open(const struct ledger_query *q) {
    return !q->key_id && !q->team_id && !q->project_id && !q->owner_id && !q->model.n && !q->provider.n &&
           !q->error.n && !q->tag.n && !q->task.n && !q->endpoint && !q->status && !q->errors && !q->in_places;
}

bool usage_sql_any(const struct usage_sql *s, int64_t hour, bool day, bool *out_any, struct err *err) {
    struct usage_text b;
    struct sql_stmt *st;
    usage_begin(&b, s);
    // CROSS: each combination is looked up in the key of the sums, not the other way round.
    usage_put(&b, "SELECT 1 FROM usage_meant m CROSS JOIN ");
    usage_put(&b, day ? "usage_day r WHERE r.tenant_id = m.tenant_id AND r.dim_id = m.id AND r.day"
                      : "usage_hour r WHERE r.tenant_id = m.tenant_id AND r.dim_id = m.id AND r.hour");
    usage_put_i64(&b, " = ", day ? hour / 24 : hour);
    usage_put_tenant(&b, "r.tenant_id");
    usage_put(&b, " LIMIT 1");
    if (!usage_end(&b, &st, err) || !sql_step(st, out_any, err)) return false;
    if (*out_any) sql_reset(st);
    return true;
}

bool usage_sql_span(const struct usage_sql *s, bool *out_any, int64_t *out_first, int64_t *out_last, struct err *err) {
    struct usage_text b;
    struct sql_stmt *st;
    usage_begin(&b, s);
    put_tenants(&b);
    usage_put(&b, "SELECT min((SELECT min(r.hour) FROM usage_hour r WHERE r.tenant_id = t.tenant_id)),"
                  " max((SELECT max(r.hour) FROM usage_hour r WHERE r.tenant_id = t.tenant_id)) FROM tenants t");
    bool row;
    if (!usage_end(&b, &st, err) || !sql_step(st, &row, err)) return false;
    *out_any = row && !sql_col_is_null(st, 0);
    if (*out_any) {
        *out_first = sql_col_i64(st, 0) * USAGE_HOUR_NS;
        *out_last = sql_col_i64(st, 1) * USAGE_HOUR_NS + (USAGE_HOUR_NS - 1);
    }
    if (row) sql_reset(st);
    return true;
}

// The newest are found by their ids alone, in an index; only those are then looked up whole.
bool usage_sql_records(const struct usage_sql *s, int64_t from, int64_t to, uint64_t limit, struct sql_stmt **out_stmt,
                       struct err *err) {
    const struct ledger_query *q = s->q;
    struct usage_text b;
    int64_t since, until;
    bounds(q, &since, &until);
    usage_begin(&b, s);
    usage_put(
        &b, "SELECT w.id, w.ts, w.tenant_id, w.flags, w.tokens_in, w.tokens_cached, w.tokens_cache_write, w.tokens_out,"
            " w.tokens_reasoning, w.cost_nano, w.latency_us, w.ttft_us, w.reserved_tokens, w.reserved_nano, w.attempts,"
            " w.reference_nano, e.key_id, e.team_id, e.project_id, e.owner_kind, e.owner_id, e.endpoint, e.status,"
            " (SELECT text FROM name WHERE id = e.provider_id), (SELECT text FROM name WHERE id = e.model_id),"
            " (SELECT text FROM name WHERE id = e.upstream_model_id), (SELECT text FROM name WHERE id = e.error_id),"
            " (SELECT text FROM name WHERE id = e.tags_id), (SELECT text FROM name WHERE id = e.task_id)"
            " FROM (SELECT u.id FROM usage u WHERE u.ts >= ");
    usage_put_i64(&b, "", MAX(from, since));
    usage_put_i64(&b, " AND u.ts < ", MIN(to, until));
    if (q->before_id) {
        usage_put_i64(&b, " AND (u.ts < ", q->before_ts);
        usage_put_id(&b, " OR u.id < ", q->before_id);
        usage_put(&b, ")");
    }
    put_record_filter(&b);
    if (!usage_sql_open(q)) usage_put(&b, " AND u.dim_id IN (SELECT id FROM usage_meant)");
    usage_put(&b, " ORDER BY u.ts DESC, u.id DESC");
    usage_put_id(&b, " LIMIT ", limit);
    usage_put(&b, ") n JOIN usage w ON w.id = n.id JOIN usage_dim e ON e.id = w.dim_id WHERE 1 = 1");
    usage_put_tenant(&b, "w.tenant_id");
    usage_put(&b, " ORDER BY w.ts DESC, w.id DESC");
    return usage_end(&b, out_stmt, err);
}

void usage_sql_record(struct sql_stmt *st, struct usage_record *out_rec) {
    uint64_t v[23];
    for (int i = 0; i < 23; i++) v[i] = (uint64_t)sql_col_i64(st, i);
    *out_rec = (struct usage_record){.id = v[0],
                                     .ts = (int64_t)v[1],
                                     .tenant_id = v[2],
                                     .flags = (uint32_t)v[3],
                                     .tokens_in = v[4],
                                     .tokens_cached = v[5],
                                     .tokens_cache_write = v[6],
                                     .tokens_out = v[7],
                                     .tokens_reasoning = v[8],
                                     .cost_nano = (int64_t)v[9],
                                     .latency_us = v[10],
                                     .ttft_us = v[11],
                                     .reserved_tokens = v[12],
                                     .reserved_nano = v[13],
                                     .attempts = v[14],
                                     .reference_nano = (int64_t)v[15],
                                     .key_id = v[16],
                                     .team_id = v[17],
                                     .project_id = v[18],
                                     .owner_kind = (uint8_t)v[19],
                                     .owner_id = v[20],
                                     .endpoint = (uint16_t)v[21],
                                     .status = (uint16_t)v[22],
                                     .provider = sql_col_text(st, 23),
                                     .model = sql_col_text(st, 24),
                                     .upstream_model = sql_col_text(st, 25),
                                     .error = sql_col_text(st, 26),
                                     .tags = sql_col_text(st, 27),
                                     .task = sql_col_text(st, 28)};
}
