// Reads budgets, and keeps what was used of them.
#include "store/budget.h"

#include "base/arena.h"
#include "base/json_read.h"

// --- Names --------------------------------------------------------------------------------------------------------

static const struct str k_scopes[BUDGET_SCOPE_COUNT] = {
    [BUDGET_SCOPE_TENANT] = STR_INIT("tenant"),   [BUDGET_SCOPE_TEAM] = STR_INIT("team"),
    [BUDGET_SCOPE_PROJECT] = STR_INIT("project"), [BUDGET_SCOPE_USER] = STR_INIT("user"),
    [BUDGET_SCOPE_KEY] = STR_INIT("key"),         [BUDGET_SCOPE_SERVICE_ACCOUNT] = STR_INIT("service_account"),
    [BUDGET_SCOPE_MODEL] = STR_INIT("model"),     [BUDGET_SCOPE_TAG] = STR_INIT("tag")};
static const struct str k_metrics[BUDGET_METRIC_COUNT] = {[BUDGET_REQUESTS] = STR_INIT("requests"),
                                                          [BUDGET_TOKENS] = STR_INIT("tokens"),
                                                          [BUDGET_COST] = STR_INIT("cost"),
                                                          [BUDGET_CONCURRENCY] = STR_INIT("concurrency")};
static const struct str k_periods[BUDGET_PERIOD_COUNT] = {[BUDGET_MINUTE] = STR_INIT("minute"),
                                                          [BUDGET_HOUR] = STR_INIT("hour"),
                                                          [BUDGET_DAY] = STR_INIT("day"),
                                                          [BUDGET_MONTH] = STR_INIT("month"),
                                                          [BUDGET_TOTAL] = STR_INIT("total")};
static const struct str k_actions[BUDGET_ACTION_COUNT] = {[BUDGET_BLOCK] = STR_INIT("block"),
                                                          [BUDGET_DOWNGRADE] = STR_INIT("downgrade"),
                                                          [BUDGET_NOTIFY] = STR_INIT("notify")};

static bool find_name(const struct str *names, size_t n, struct str name, size_t *out_i) {
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(names[i], name)) continue;
        *out_i = i;
        return true;
    }
    return false;
}

struct str budget_scope_name(enum budget_scope scope) {
    return k_scopes[scope];
}
struct str budget_metric_name(enum budget_metric metric) {
    return k_metrics[metric];
}
struct str budget_period_name(enum budget_period period) {
    return k_periods[period];
}
struct str budget_action_name(enum budget_action action) {
    return k_actions[action];
}

bool budget_scope_parse(struct str name, enum budget_scope *out_scope) {
    size_t i;
    if (!find_name(k_scopes, BUDGET_SCOPE_COUNT, name, &i)) return false;
    *out_scope = (enum budget_scope)i;
    return true;
}

bool budget_metric_parse(struct str name, enum budget_metric *out_metric) {
    size_t i;
    if (!find_name(k_metrics, BUDGET_METRIC_COUNT, name, &i)) return false;
    *out_metric = (enum budget_metric)i;
    return true;
}

bool budget_period_parse(struct str name, enum budget_period *out_period) {
    size_t i;
    if (!find_name(k_periods, BUDGET_PERIOD_COUNT, name, &i)) return false;
    *out_period = (enum budget_period)i;
    return true;
}

bool budget_action_parse(struct str name, enum budget_action *out_action) {
    size_t i;
    if (!find_name(k_actions, BUDGET_ACTION_COUNT, name, &i)) return false;
    *out_action = (enum budget_action)i;
    return true;
}

// --- Budgets ------------------------------------------------------------------------------------------------------

#define PERCENT_MAX 1000

// A JSON array of percents becomes an ascending list without repetitions.
static bool read_thresholds(struct str json, struct budget_row *row) {
    struct json_reader r;
    enum json_kind kind;
    struct err ignored;
    uint64_t percent;
    json_reader_init(&r, json, 1);
    if (!json_enter_array(&r)) return false;
    while (json_element(&r, &kind)) {
        unsigned at = 0;
        if (!json_u64(&r, &percent)) break;
        if (percent == 0 || percent > PERCENT_MAX || row->n_notify == BUDGET_THRESHOLDS_MAX) return false;
        while (at < row->n_notify && row->notify_at[at] < percent) at++;
        if (at < row->n_notify && row->notify_at[at] == percent) continue;
        memmove(&row->notify_at[at + 1], &row->notify_at[at], (row->n_notify - at) * sizeof row->notify_at[0]);
        row->notify_at[at] = (unsigned)percent;
        row->n_notify++;
    }
    return json_end(&r, &ignored);
}

static bool has_whose(const struct budget_row *row) {
    if (row->scope == BUDGET_SCOPE_TENANT) return true;
    if (row->scope == BUDGET_SCOPE_MODEL) return row->scope_text.n > 0;
    if (row->scope == BUDGET_SCOPE_TAG) return str_find(row->scope_text, STR("=")) < row->scope_text.n;
    return row->scope_id > 0;
}

// False: what the row says cannot be meant.
static bool row_read(struct sql_stmt *st, struct budget_row *out_row) {
    int64_t amount = sql_col_i64(st, 8);
    struct budget_row row = {.id = sql_col_i64(st, 0),
                             .tenant_id = sql_col_i64(st, 1),
                             .name = sql_col_text(st, 2),
                             .scope_id = sql_col_i64(st, 4),
                             .scope_text = sql_col_text(st, 5),
                             .amount = (uint64_t)amount,
                             .downgrade_to = sql_col_text(st, 10),
                             .created_at = sql_col_i64(st, 12),
                             .time_zone = sql_col_text(st, 13),
                             .scope_name = sql_col_text(st, 14)};
    if (amount < 0 || !budget_scope_parse(sql_col_text(st, 3), &row.scope) ||
        !budget_metric_parse(sql_col_text(st, 6), &row.metric) ||
        !budget_period_parse(sql_col_text(st, 7), &row.period) ||
        !budget_action_parse(sql_col_text(st, 9), &row.action) || !read_thresholds(sql_col_text(st, 11), &row) ||
        !has_whose(&row))
        return false;
    if (row.action == BUDGET_DOWNGRADE && !row.downgrade_to.n) return false;
    if (row.metric == BUDGET_CONCURRENCY) row.period = BUDGET_TOTAL;
    *out_row = row;
    return true;
}

static const struct str k_each = STR_INIT(
    "SELECT b.id, b.tenant_id, b.name, b.scope_kind, b.scope_id, b.scope_text, b.metric, b.period, b.amount, b.action,"
    " b.downgrade_to, b.notify_at, b.created_at, t.time_zone, coalesce("
    "CASE b.scope_kind WHEN 'tenant' THEN t.name"
    " WHEN 'team' THEN (SELECT s.name FROM team s WHERE s.id = b.scope_id)"
    " WHEN 'project' THEN (SELECT s.name FROM project s WHERE s.id = b.scope_id)"
    " WHEN 'user' THEN (SELECT s.email FROM app_user s WHERE s.id = b.scope_id)"
    " WHEN 'service_account' THEN (SELECT s.name FROM service_account s WHERE s.id = b.scope_id)"
    " WHEN 'key' THEN (SELECT s.prefix FROM api_key s WHERE s.id = b.scope_id)"
    " ELSE b.scope_text END, '')"
    " FROM budget b JOIN tenant t ON t.id = b.tenant_id WHERE b.enabled <> 0 ORDER BY b.tenant_id, b.id");

bool budget_each(struct sql *db, budget_visit *visit, void *arg, uint64_t *out_damaged, struct err *err) {
    struct sql_stmt *st;
    uint64_t damaged = 0;
    if (!sql_prepare(sql_platform(db), k_each, &st, err)) return false;
    for (;;) {
        struct budget_row row;
        bool has;
        if (!sql_step(st, &has, err)) return false;
        if (!has) break;
        if (!row_read(st, &row)) {
            damaged++;
        } else if (!visit(arg, &row, err)) {
            sql_reset(st);
            return false;
        }
    }
    *out_damaged = damaged;
    return true;
}

bool budget_edits(struct sql *db, uint64_t *out_edits, struct err *err) {
    int64_t budgets, tenants;
    // A tenant's time zone says when its periods begin.
    if (!sql_query_i64(sql_platform(db), STR("SELECT value FROM change_count WHERE name = 'budget'"), &budgets, err) ||
        !sql_query_i64(sql_platform(db), STR("SELECT coalesce(CAST(sum(version) AS BIGINT), 0) FROM tenant"), &tenants,
                       err))
        return false;
    *out_edits = (uint64_t)budgets + ((uint64_t)tenants << 32);
    return true;
}

// --- What was used ------------------------------------------------------------------------------------------------

bool budget_use_find(struct sql_scope scope, int64_t budget_id, int64_t period_start, struct budget_use *out_use,
                     struct err *err) {
    struct sql_stmt *st;
    bool row;
    struct budget_use use = {.tenant_id = scope.tenant, .budget_id = budget_id, .period_start = period_start};
    if (!sql_prepare(
            scope,
            STR("SELECT used, told FROM budget_use WHERE tenant_id = ?1 AND budget_id = ?2 AND period_start = ?3"), &st,
            err))
        return false;
    sql_bind_i64(st, 2, budget_id);
    sql_bind_i64(st, 3, period_start);
    if (!sql_step(st, &row, err)) return false;
    if (row) {
        use.used = (uint64_t)MAX(sql_col_i64(st, 0), INT64_C(0));
        use.told = (unsigned)MAX(MIN(sql_col_i64(st, 1), (int64_t)PERCENT_MAX), INT64_C(0));
        sql_reset(st);
    }
    *out_use = use;
    return true;
}

static bool use_write(struct sql_scope scope, struct str text, const struct budget_use *use, int64_t now_ns,
                      struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, text, &st, err)) return false;
    sql_bind_i64(st, 2, use->budget_id);
    sql_bind_i64(st, 3, use->period_start);
    sql_bind_i64(st, 4, (int64_t)MIN(use->used, (uint64_t)INT64_MAX));
    sql_bind_i64(st, 5, (int64_t)use->told);
    sql_bind_i64(st, 6, now_ns);
    return sql_run(st, err);
}

// A budget that was deleted meanwhile has no use any more: the rows come from the budget's own.
#define INSERT_USE                                                                                                     \
    "INSERT INTO budget_use (tenant_id, budget_id, period_start, used, told, saved_at)"                                \
    " SELECT tenant_id, id, CAST(?3 AS BIGINT), CAST(?4 AS BIGINT), CAST(?5 AS BIGINT), CAST(?6 AS BIGINT)"            \
    " FROM budget WHERE tenant_id = ?1 AND id = ?2"                                                                    \
    " ON CONFLICT (tenant_id, budget_id, period_start) DO UPDATE SET used = excluded.used, saved_at = "                \
    "excluded.saved_at"

bool budget_use_save(struct sql_scope scope, const struct budget_use *use, int64_t now_ns, struct err *err) {
    return use_write(scope, STR(INSERT_USE), use, now_ns, err);
}

bool budget_use_tell(struct sql_scope scope, const struct budget_use *use, int64_t now_ns, bool *out_first,
                     struct err *err) {
    if (!use_write(scope, STR(INSERT_USE ", told = excluded.told WHERE budget_use.told < excluded.told"), use, now_ns,
                   err))
        return false;
    *out_first = sql_changes(scope.db) == 1;
    return true;
}

bool budget_use_prune(struct sql *db, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(
            sql_platform(db),
            STR("DELETE FROM budget_use WHERE period_start < ?1 AND (tenant_id, budget_id) IN"
                " (SELECT tenant_id, id FROM budget WHERE period IN ('minute', 'hour') OR metric = 'concurrency')"),
            &st, err))
        return false;
    sql_bind_i64(st, 1, now_ns - INT64_C(2) * 86400 * 1000000000);
    return sql_run(st, err);
}
