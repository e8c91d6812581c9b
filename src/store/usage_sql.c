// Builds the statements of reports over usage.
#include "store/usage_sql.h"

#include "base/buf.h"

#define TEXT_MAX ((size_t)4 << 20) // places are many where a tenant has many projects
#define VALUES_MAX 48

#define SUM_NAMES                                                                                                      \
    "requests, unpriced, tokens_in, tokens_cached, tokens_cache_write, tokens_out, tokens_reasoning, cost_nano,"       \
    " latency_us, ttft_us, ttft_requests, attempts, reference_nano, saved_nano"
#define NAME_OF(column) "(SELECT text FROM name WHERE id = " column ")"

// A statement in the making.
struct builder {
    const struct usage_sql *s;
    const struct ledger_query *q;
    struct buf text;
    struct {
        bool is_text;
        int64_t i;
        struct str s;
    } values[VALUES_MAX];
    int n;
};

static void put(struct builder *b, const char *text) { buf_put(&b->text, str_c(text)); }

static void put_number(struct builder *b, int at) {
    char digits[24];
    buf_putc(&b->text, '?');
    buf_put(&b->text, str_of(digits, fmt_u64(digits, (uint64_t)at)));
}

static void put_i64(struct builder *b, const char *before, int64_t v) {
    INVARIANT(b->n < VALUES_MAX);
    b->values[b->n].is_text = false;
    b->values[b->n++].i = v;
    put(b, before);
    put_number(b, b->n);
}

// Where what a query asks for stands: in a combination; in a facet, of which there is one at a time.
struct columns {
    const char *team, *project, *endpoint, *status, *errors, *provider, *task, *error, *model, *upstream_model, *tags;
};
static const struct columns k_of_dim = {.team = "d.team_id",
                                        .project = "d.project_id",
                                        .endpoint = "d.endpoint",
                                        .status = "d.status",
                                        .errors = "(d.status >= 400 OR d.error_id <> 0)",
                                        .provider = "d.provider_id",
                                        .task = "d.task_id",
                                        .error = "d.error_id",
                                        .model = "d.model_id",
                                        .upstream_model = "d.upstream_model_id",
                                        .tags = "d.tags_id"},
                            k_of_facet = {.team = "r.value",
                                          .project = "r.value2",
                                          .endpoint = "r.value",
                                          .status = "r.value",
                                          .errors = "r.failed = 1",
                                          .provider = "r.value",
                                          .task = "r.value",
                                          .error = "r.value2",
                                          .model = "r.value",
                                          .upstream_model = "r.value2",
                                          .tags = "r.value"};

static void put_id(struct builder *b, const char *before, uint64_t v) {
    if (v) put_i64(b, before, (int64_t)MIN(v, (uint64_t)INT64_MAX));
}

static void put_text(struct builder *b, const char *before, struct str s, const char *after) {
    INVARIANT(b->n < VALUES_MAX);
    b->values[b->n].is_text = true;
    b->values[b->n++].s = s;
    put(b, before);
    put_number(b, b->n);
    put(b, after);
}

// "a=b" to %"a":"b"%, with what LIKE would read as a pattern escaped; JSON's own escapes are those of the writer. What
// is too long is no tag of any request.
static void put_tag_pattern(struct buf *out, struct str tag) {
    size_t at = str_find(tag, STR("="));
    struct str parts[2] = {str_head(tag, at), str_from(tag, MIN(at + 1, tag.n))};
    buf_putc(out, '%');
    for (int i = 0; i < 2; i++) {
        buf_put(out, i ? STR(":\"") : STR("\""));
        for (size_t k = 0; k < parts[i].n; k++) {
            char c = parts[i].p[k];
            if (c == '%' || c == '_' || c == '^') buf_putc(out, '^');
            buf_putc(out, c);
        }
        buf_putc(out, '"');
    }
    buf_putc(out, '%');
}

void usage_sql_init(struct usage_sql *s, struct sql *db, const struct ledger_query *q) {
    BUF_AUTO struct buf pattern = BUF_INIT(sizeof s->tag);
    *s = (struct usage_sql){.db = db, .q = q};
    put_tag_pattern(&pattern, q->tag);
    s->tag_n = pattern.failed ? 0 : pattern.n;
    if (s->tag_n) memcpy(s->tag, pattern.p, s->tag_n);
}

static void begin(struct builder *b, const struct usage_sql *s) {
    *b = (struct builder){.s = s, .q = s->q, .text = BUF_INIT(TEXT_MAX)};
    // ?1, as sql_tenant has it.
    if (s->q->tenant_id) b->values[b->n++].i = (int64_t)s->q->tenant_id;
}

static void put_tenant(struct builder *b, const char *column) {
    if (!b->q->tenant_id) return;
    put(b, " AND ");
    put(b, column);
    put(b, " = ?1");
}

// Numbers of ours, and too many of them to be bound.
static void put_places(struct builder *b, const struct columns *c) {
    const struct ledger_query *q = b->q;
    if (!q->in_places) return;
    if (!q->n_places) {
        put(b, " AND 1 = 0");
        return;
    }
    put(b, " AND (");
    put(b, c->team);
    put(b, ", ");
    put(b, c->project);
    put(b, ") IN (VALUES ");
    for (size_t i = 0; i < q->n_places; i++) {
        char team[24], project[24];
        buf_put(&b->text, i ? STR(", (") : STR("("));
        buf_put(&b->text, str_of(team, fmt_u64(team, MIN(q->places[i].team_id, (uint64_t)INT64_MAX))));
        buf_put(&b->text, STR(", "));
        buf_put(&b->text, str_of(project, fmt_u64(project, MIN(q->places[i].project_id, (uint64_t)INT64_MAX))));
        buf_putc(&b->text, ')');
    }
    put(b, ")");
}

static void put_number_of(struct builder *b, const char *column, uint64_t v) {
    if (!v) return;
    put(b, " AND ");
    put(b, column);
    put_id(b, " = ", v);
}

static void put_name_of(struct builder *b, const char *before, const char *column, struct str name) {
    if (!name.n) return;
    put(b, before);
    put(b, column);
    put_text(b, " = (SELECT id FROM name WHERE text = ", name, ")");
}

// Conditions that a facet can have as well.
static void put_meaning(struct builder *b, const struct columns *c) {
    const struct ledger_query *q = b->q;
    put_number_of(b, c->team, q->team_id);
    put_number_of(b, c->project, q->project_id);
    put_places(b, c);
    put_number_of(b, c->status, q->status);
    put_name_of(b, " AND ", c->provider, q->provider);
    put_name_of(b, " AND ", c->task, q->task);
    put_name_of(b, " AND ", c->error, q->error);
    put_name_of(b, " AND (", c->model, q->model);
    put_name_of(b, " OR ", c->upstream_model, q->model);
    if (q->model.n) put(b, ")");
    if (q->endpoint) {
        put(b, " AND ");
        put(b, c->endpoint);
        put_i64(b, " = ", (int64_t)q->endpoint - 1);
    }
    if (q->errors) {
        put(b, " AND ");
        put(b, c->errors);
    }
    if (q->tag.n) {
        put(b, " AND ");
        put(b, c->tags);
        put_text(b, " IN (SELECT id FROM name WHERE text LIKE ", str_of(b->s->tag, b->s->tag_n), " ESCAPE '^')");
    }
}

// Conditions on the combination d.
static void put_dims(struct builder *b) {
    const struct ledger_query *q = b->q;
    put_tenant(b, "d.tenant_id");
    put_id(b, " AND d.key_id = ", q->key_id);
    put_id(b, " AND d.owner_id = ", q->owner_id);
    if (q->owner_id) put_i64(b, " AND d.owner_kind = ", q->owner_kind);
    put_meaning(b, &k_of_dim);
}

static bool by_record(const struct ledger_query *q) { return q->min_cost_nano || q->min_latency_us || q->request_id; }

// Conditions on the record u that its combination does not tell.
static void put_record_filter(struct builder *b) {
    put_tenant(b, "u.tenant_id");
    if (b->q->min_cost_nano) put_i64(b, " AND u.cost_nano >= ", b->q->min_cost_nano);
    if (b->q->min_latency_us) put_i64(b, " AND u.latency_us >= ", b->q->min_latency_us);
    put_id(b, " AND u.id = ", b->q->request_id);
}

static bool end(struct builder *b, struct sql_stmt **out_stmt, struct err *err) {
    struct sql *db = b->s->db;
    struct sql_scope scope = b->q->tenant_id ? sql_tenant(db, (int64_t)b->q->tenant_id) : sql_platform(db);
    bool ok = b->text.failed ? err_no_memory(err) : sql_prepare(scope, buf_str(&b->text), out_stmt, err);
    buf_free(&b->text);
    for (int i = 0; ok && i < b->n; i++) {
        if (b->values[i].is_text)
            sql_bind_text(*out_stmt, i + 1, b->values[i].s);
        else
            sql_bind_i64(*out_stmt, i + 1, b->values[i].i);
    }
    return ok;
}

// --- sums ---

static const struct {
    const char *by;
    const char *text; // its text, when it is one
} k_groups[LEDGER_GROUP_COUNT] = {
    [LEDGER_GROUP_KEY] = {"d.key_id", NULL},
    [LEDGER_GROUP_MODEL] = {"d.model_id", NAME_OF("d.model_id")},
    [LEDGER_GROUP_PROVIDER] = {"d.provider_id", NAME_OF("d.provider_id")},
    [LEDGER_GROUP_DAY] = {"0", NULL},
    [LEDGER_GROUP_TENANT] = {"d.tenant_id", NULL},
    [LEDGER_GROUP_HOUR] = {"0", NULL},
    [LEDGER_GROUP_TEAM] = {"d.team_id", NULL},
    [LEDGER_GROUP_PROJECT] = {"d.project_id", NULL},
    [LEDGER_GROUP_OWNER] = {"d.owner_id", NULL},
    [LEDGER_GROUP_UPSTREAM_MODEL] = {"d.upstream_model_id", NAME_OF("d.upstream_model_id")},
    [LEDGER_GROUP_ENDPOINT] = {"d.endpoint", NULL},
    [LEDGER_GROUP_STATUS] = {"d.status", NULL},
    [LEDGER_GROUP_ERROR] = {"d.error_id", NAME_OF("d.error_id")},
    [LEDGER_GROUP_TAGS] = {"d.tags_id", NAME_OF("d.tags_id")},
    [LEDGER_GROUP_TASK] = {"d.task_id", NAME_OF("d.task_id")},
    [LEDGER_GROUP_MONTH] = {"0", NULL},
};

bool usage_group_is_time(enum ledger_group group) {
    return group == LEDGER_GROUP_DAY || group == LEDGER_GROUP_HOUR || group == LEDGER_GROUP_MONTH;
}
bool usage_group_is_text(enum ledger_group group) { return k_groups[group].text != NULL; }

// Failures alone are narrowed by nothing else.
static bool usage_sql_of_errors(const struct ledger_query *q) {
    struct ledger_query rest = *q;
    rest.errors = false;
    return q->errors && usage_sql_open(&rest);
}

// The one facet that narrows a series by hour or day, beside errors and the tenant; USAGE_FACET_NONE: there are more.
static enum usage_facet facet_of(const struct ledger_query *q) {
    if ((q->group != LEDGER_GROUP_HOUR && q->group != LEDGER_GROUP_DAY) || q->key_id || q->owner_id || by_record(q))
        return USAGE_FACET_NONE;
    const bool asked[USAGE_FACET_COUNT] = {[USAGE_FACET_MODEL] = q->model.n,
                                           [USAGE_FACET_PROVIDER] = q->provider.n,
                                           [USAGE_FACET_TASK] = q->task.n,
                                           [USAGE_FACET_TAGS] = q->tag.n,
                                           [USAGE_FACET_PLACE] = q->team_id || q->project_id || q->in_places,
                                           [USAGE_FACET_OUTCOME] = q->status || q->error.n,
                                           [USAGE_FACET_ENDPOINT] = q->endpoint};
    enum usage_facet found = USAGE_FACET_NONE;
    for (enum usage_facet f = USAGE_FACET_NONE + 1; f < USAGE_FACET_COUNT; f++) {
        if (!asked[f]) continue;
        if (found) return USAGE_FACET_NONE;
        found = f;
    }
    return found;
}

// Sums over time of all combinations, of all that failed, or of a facet need only what they add up to, which is looked
// up period by period.
bool usage_sql_in_all(const struct ledger_query *q) {
    return usage_group_is_time(q->group) && (usage_sql_open(q) || usage_sql_of_errors(q) || facet_of(q));
}

// What few rows would pass is better not read at all.
static void put_meant(struct builder *b, const char *column) {
    if (b->s->meant == USAGE_MEANT_MOST) return;
    put(b, " AND ");
    put(b, column);
    put(b, " IN (SELECT id FROM usage_meant)");
}

// Those that have usage, found one by one; the last row is NULL.
static void put_tenants(struct builder *b) {
    if (b->q->tenant_id)
        put(b, "WITH tenants (tenant_id) AS (SELECT CAST(?1 AS BIGINT)) ");
    else
        put(b, "WITH RECURSIVE tenants (tenant_id) AS (SELECT min(tenant_id) FROM usage_dim UNION ALL"
               " SELECT (SELECT min(d.tenant_id) FROM usage_dim d WHERE d.tenant_id > t.tenant_id) FROM tenants t"
               " WHERE t.tenant_id IS NOT NULL) ");
}

// A table of what adds up by a unit of time: where its rows are, and the hour at which each period begins.
static const struct {
    const char *table, *facets, *period, *hour;
} k_sums[] = {[USAGE_UNIT_HOUR] = {"usage_hour r WHERE ", "usage_facet_hour r WHERE ", "r.hour", "r.hour"},
              [USAGE_UNIT_DAY] = {"usage_day r WHERE ", "usage_facet_day r WHERE ", "r.day", "r.day * 24"},
              [USAGE_UNIT_DEKAD] = {"usage_dekad r WHERE ", NULL, "r.dekad", "r.dekad * 24"},
              [USAGE_UNIT_MONTH] = {"usage_month r WHERE ", NULL, "r.first_day", "r.first_day * 24"}};

static void put_periods(struct builder *b, const struct usage_part *part) {
    put(b, "(WITH RECURSIVE p (x) AS (SELECT CAST(");
    put_i64(b, "", part->from);
    put_i64(b, " AS BIGINT) UNION ALL SELECT x + 1 FROM p WHERE x + 1 < ", part->to);
    put(b, ") SELECT x FROM p) p CROSS JOIN ");
}

// What the rows of a period in all are, as USAGE_DIM_….
static void put_in_all(struct builder *b) {
    enum usage_facet facet = facet_of(b->q);
    put(b, " = p.x AND r.tenant_id = t.tenant_id");
    if (facet) {
        put_i64(b, " AND r.facet = ", facet);
        put_meaning(b, &k_of_facet);
    } else {
        put(b, usage_sql_of_errors(b->q) ? " AND r.dim_id = -1" : " AND r.dim_id IN (0, -1)");
    }
}

static void put_sums(struct builder *b, const struct usage_part *part) {
    const char *period = k_sums[part->unit].period;
    bool in_all = usage_sql_in_all(b->q), facets = facet_of(b->q);
    bool one_by_one = !in_all && b->s->meant == USAGE_MEANT_FEW && part->unit <= USAGE_UNIT_DAY;
    put(b, facets ? "SELECT CASE WHEN r.failed = 1 THEN -1 ELSE 0 END AS dim_id, " : "SELECT r.dim_id, ");
    put(b, part->sign > 0 ? "1 AS sign, " : "-1 AS sign, ");
    put(b, k_sums[part->unit].hour);
    put(b, " AS hour, " SUM_NAMES " FROM ");
    if (in_all || one_by_one) {
        put_periods(b, part);
        // Each is looked up in the table's key, in its order.
        put(b, in_all ? "tenants t CROSS JOIN " : "usage_meant m CROSS JOIN ");
    }
    put(b, facets ? k_sums[part->unit].facets : k_sums[part->unit].table);
    put(b, period);
    if (one_by_one) {
        put(b, " = p.x AND r.tenant_id = m.tenant_id AND r.dim_id = m.id");
    } else if (in_all) {
        put_in_all(b);
    } else {
        put_i64(b, " >= ", part->from);
        put(b, " AND ");
        put(b, period);
        put_i64(b, " < ", part->to);
        // So that the table's key serves also where no tenant is asked for.
        if (!b->q->tenant_id) put(b, " AND r.tenant_id IN (SELECT tenant_id FROM tenants)");
        put_meant(b, "r.dim_id");
    }
    put_tenant(b, "r.tenant_id");
}

static void put_records(struct builder *b, const struct usage_part *part) {
    static_assert(USAGE_PRICE_UNKNOWN == 2 && USAGE_COMPARED == 64, "as below");
    put(b, part->sign > 0 ? "SELECT u.dim_id, 1 AS sign, " : "SELECT u.dim_id, -1 AS sign, ");
    put(b, "u.ts / 3600000000000 AS hour, 1 AS requests, CASE WHEN u.flags / 2 % 2 = 1 THEN 1 ELSE 0"
           " END AS unpriced, u.tokens_in, u.tokens_cached, u.tokens_cache_write, u.tokens_out, u.tokens_reasoning,"
           " u.cost_nano, u.latency_us, u.ttft_us, CASE WHEN u.ttft_us > 0 THEN 1 ELSE 0 END AS ttft_requests,"
           " u.attempts, u.reference_nano, CASE WHEN u.flags / 64 % 2 = 1 THEN u.reference_nano - u.cost_nano ELSE 0"
           " END AS saved_nano FROM usage u WHERE u.ts >= ");
    put_i64(b, "", part->from);
    put_i64(b, " AND u.ts < ", part->to);
    put_record_filter(b);
    put_meant(b, "u.dim_id");
}

// The largest unit that the query's sums can be made of.
static enum usage_unit unit_of(const struct ledger_query *q) {
    if (by_record(q)) return USAGE_UNIT_RECORD;
    if (q->group == LEDGER_GROUP_HOUR) return USAGE_UNIT_HOUR;
    return q->group == LEDGER_GROUP_DAY ? USAGE_UNIT_DAY : USAGE_UNIT_MONTH;
}

static void put_parts(struct builder *b) {
    struct usage_part parts[USAGE_PARTS_MAX];
    size_t n = usage_range_parts(b->s->since, b->s->until, unit_of(b->q), parts);
    if (n == 0) parts[n++] = (struct usage_part){.unit = USAGE_UNIT_RECORD, .sign = 1}; // of nothing, nothing
    put_tenants(b);
    for (size_t i = 0; i < n; i++) {
        if (i) put(b, " UNION ALL ");
        (parts[i].unit == USAGE_UNIT_RECORD ? put_records : put_sums)(b, &parts[i]);
    }
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

static bool count(struct usage_sql *s, const char *text, int64_t *out_n, struct err *err) {
    struct builder b;
    struct sql_stmt *st;
    bool row;
    begin(&b, s);
    put(&b, text);
    put_tenant(&b, "d.tenant_id");
    if (!end(&b, &st, err) || !sql_step(st, &row, err)) return false;
    *out_n = row ? sql_col_i64(st, 0) : 0;
    if (row) sql_reset(st);
    return true;
}

// To look one up costs about as much as to read past six.
static bool weigh(struct usage_sql *s, struct err *err) {
    int64_t all, meant;
    s->meant = USAGE_MEANT_MOST;
    if (usage_sql_in_all(s->q)) return true;
    if (!count(s, "SELECT count(*) FROM usage_dim d WHERE 1 = 1", &all, err) ||
        !count(s, "SELECT count(*) FROM usage_meant d WHERE 1 = 1", &meant, err))
        return false;
    if (meant < all - all / 4) s->meant = meant < all / 6 ? USAGE_MEANT_FEW : USAGE_MEANT_SOME;
    return true;
}

// Nothing but time narrows the sums.
static bool all_meant(const struct ledger_query *q) { return q->group != LEDGER_GROUP_NONE && usage_sql_open(q); }

bool usage_sql_gather(struct usage_sql *s, struct err *err) {
    struct builder b;
    struct sql_stmt *st;
    if (!cut(s, err)) return false;
    s->meant = USAGE_MEANT_MOST;
    if (all_meant(s->q)) return true; // all are meant: none has to be looked for
    // One connection may report more than once.
    if (!sql_exec(s->db,
                  STR("CREATE TEMP TABLE IF NOT EXISTS usage_meant (id BIGINT PRIMARY KEY, tenant_id BIGINT NOT NULL);"
                      " DELETE FROM usage_meant"),
                  err))
        return false;
    begin(&b, s);
    put(&b, "INSERT INTO usage_meant (id, tenant_id) SELECT d.id, d.tenant_id FROM usage_dim d WHERE 1 = 1");
    put_dims(&b);
    put(&b, " ORDER BY d.tenant_id, d.id");
    return end(&b, &st, err) && sql_run(st, err) && weigh(s, err);
}

bool usage_sql_dims(const struct usage_sql *s, struct sql_stmt **out_stmt, struct err *err) {
    struct builder b;
    enum ledger_group group = s->q->group;
    begin(&b, s);
    put(&b, "SELECT d.id, ");
    put(&b, k_groups[group].text ? k_groups[group].text : k_groups[group].by);
    put(&b, ", d.owner_kind, CASE WHEN d.status >= 400 OR d.error_id <> 0 THEN 1 ELSE 0 END FROM ");
    put(&b, all_meant(s->q) ? "usage_dim d WHERE 1 = 1" : "usage_meant m JOIN usage_dim d ON d.id = m.id WHERE 1 = 1");
    put_tenant(&b, "d.tenant_id");
    put(&b, " ORDER BY d.id");
    return end(&b, out_stmt, err);
}

bool usage_sql_sums(const struct usage_sql *s, struct sql_stmt **out_stmt, struct err *err) {
    struct builder b;
    begin(&b, s);
    put_parts(&b);
    return end(&b, out_stmt, err);
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
    struct builder b;
    struct sql_stmt *st;
    begin(&b, s);
    // CROSS: each combination is looked up in the key of the sums, not the other way round.
    put(&b, "SELECT 1 FROM usage_meant m CROSS JOIN ");
    put(&b, day ? "usage_day r WHERE r.tenant_id = m.tenant_id AND r.dim_id = m.id AND r.day"
                : "usage_hour r WHERE r.tenant_id = m.tenant_id AND r.dim_id = m.id AND r.hour");
    put_i64(&b, " = ", day ? hour / 24 : hour);
    put_tenant(&b, "r.tenant_id");
    put(&b, " LIMIT 1");
    if (!end(&b, &st, err) || !sql_step(st, out_any, err)) return false;
    if (*out_any) sql_reset(st);
    return true;
}

bool usage_sql_span(const struct usage_sql *s, bool *out_any, int64_t *out_first, int64_t *out_last, struct err *err) {
    struct builder b;
    struct sql_stmt *st;
    begin(&b, s);
    put_tenants(&b);
    put(&b, "SELECT min((SELECT min(r.hour) FROM usage_hour r WHERE r.tenant_id = t.tenant_id)),"
            " max((SELECT max(r.hour) FROM usage_hour r WHERE r.tenant_id = t.tenant_id)) FROM tenants t");
    bool row;
    if (!end(&b, &st, err) || !sql_step(st, &row, err)) return false;
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
    struct builder b;
    int64_t since, until;
    bounds(q, &since, &until);
    begin(&b, s);
    put(&b, "SELECT w.id, w.ts, w.tenant_id, w.flags, w.tokens_in, w.tokens_cached, w.tokens_cache_write, w.tokens_out,"
            " w.tokens_reasoning, w.cost_nano, w.latency_us, w.ttft_us, w.reserved_tokens, w.reserved_nano, w.attempts,"
            " w.reference_nano, e.key_id, e.team_id, e.project_id, e.owner_kind, e.owner_id, e.endpoint, e.status,"
            " (SELECT text FROM name WHERE id = e.provider_id), (SELECT text FROM name WHERE id = e.model_id),"
            " (SELECT text FROM name WHERE id = e.upstream_model_id), (SELECT text FROM name WHERE id = e.error_id),"
            " (SELECT text FROM name WHERE id = e.tags_id), (SELECT text FROM name WHERE id = e.task_id)"
            " FROM (SELECT u.id FROM usage u WHERE u.ts >= ");
    put_i64(&b, "", MAX(from, since));
    put_i64(&b, " AND u.ts < ", MIN(to, until));
    if (q->before_id) {
        put_i64(&b, " AND (u.ts < ", q->before_ts);
        put_id(&b, " OR u.id < ", q->before_id);
        put(&b, ")");
    }
    put_record_filter(&b);
    if (!usage_sql_open(q)) put(&b, " AND u.dim_id IN (SELECT id FROM usage_meant)");
    put(&b, " ORDER BY u.ts DESC, u.id DESC");
    put_id(&b, " LIMIT ", limit);
    put(&b, ") n JOIN usage w ON w.id = n.id JOIN usage_dim e ON e.id = w.dim_id WHERE 1 = 1");
    put_tenant(&b, "w.tenant_id");
    put(&b, " ORDER BY w.ts DESC, w.id DESC");
    return end(&b, out_stmt, err);
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
