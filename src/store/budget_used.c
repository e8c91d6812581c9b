// What the usage ledger says was used of a budget: whole hours by their sums, what is left by the single rows.
#include "store/budget.h"

#include "base/arena.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/usage.h"

#define HOUR_NS INT64_C(3600000000000)

// What was asked of a shadow (endpoint 15) counts in no budget; a chain (endpoint 16) is no request, its steps are.
static_assert(USAGE_ENDPOINT_SHADOW == 15 && USAGE_ENDPOINT_CHAIN == 16, "as the statements have it");
// A request counts when it was answered, or left by its client, or never ended; calls of models only.
#define COUNTS " AND (d.status < 400 OR d.status = 499) AND d.endpoint NOT IN (0, 4, 16)"
#define ROWS_OF(value)                                                                                                 \
    "SELECT coalesce(CAST(sum(" value ") AS BIGINT), 0) FROM usage u JOIN usage_dim d ON d.id = u.dim_id"              \
    " WHERE u.tenant_id = ?1 AND u.ts >= ?2 AND u.ts < ?3 AND d.endpoint <> 15"
// Requests that nobody ended have only what was set aside for them, which the hours' sums leave out.
#define OPEN_OF(value)                                                                                                 \
    "SELECT coalesce(CAST(sum(" value ") AS BIGINT), 0) FROM usage u JOIN usage_dim d ON d.id = u.dim_id"              \
    " WHERE u.tenant_id = ?1 AND u.ts >= ?2 AND u.ts < ?3 AND d.status = 0 AND d.endpoint <> 15"
#define HOURS_OF(value)                                                                                                \
    "SELECT coalesce(CAST(sum(" value ") AS BIGINT), 0) FROM usage_hour u JOIN usage_dim d ON d.id = u.dim_id"         \
    " WHERE u.tenant_id = ?1 AND u.hour >= ?2 AND u.hour < ?3 AND d.endpoint <> 15"

#define SCOPES(text)                                                                                                   \
    {                                                                                                                  \
        [BUDGET_SCOPE_TENANT] = STR_INIT(text " AND ?4 = 0"),                                                          \
        [BUDGET_SCOPE_TEAM] = STR_INIT(text " AND d.team_id = ?4"),                                                    \
        [BUDGET_SCOPE_PROJECT] = STR_INIT(text " AND d.project_id = ?4"),                                              \
        [BUDGET_SCOPE_USER] = STR_INIT(text " AND d.owner_kind = 2 AND d.owner_id = ?4"),                              \
        [BUDGET_SCOPE_SERVICE_ACCOUNT] = STR_INIT(text " AND d.owner_kind = 3 AND d.owner_id = ?4"),                   \
        [BUDGET_SCOPE_KEY] = STR_INIT(text " AND d.key_id = ?4"),                                                      \
        [BUDGET_SCOPE_MODEL] = STR_INIT(text " AND d.model_id = ?4"),                                                  \
        [BUDGET_SCOPE_TAG] = STR_INIT(text " AND d.tags_id = ?4"),                                                     \
    }

enum source { FROM_ROWS, FROM_OPEN, FROM_HOURS, SOURCE_COUNT };

static const struct str k_texts[SOURCE_COUNT][BUDGET_CONCURRENCY][BUDGET_SCOPE_COUNT] = {
    [FROM_ROWS] = {[BUDGET_REQUESTS] = SCOPES(ROWS_OF("1") COUNTS),
                   [BUDGET_TOKENS] = SCOPES(ROWS_OF("CASE WHEN d.status = 0 THEN u.reserved_tokens"
                                                    " ELSE u.tokens_in + u.tokens_out END")),
                   [BUDGET_COST] = SCOPES(ROWS_OF("CASE WHEN d.status = 0 THEN u.reserved_nano"
                                                  " ELSE u.cost_nano END"))},
    [FROM_OPEN] = {[BUDGET_REQUESTS] = SCOPES(OPEN_OF("0")),
                   [BUDGET_TOKENS] = SCOPES(OPEN_OF("u.reserved_tokens")),
                   [BUDGET_COST] = SCOPES(OPEN_OF("u.reserved_nano"))},
    [FROM_HOURS] = {[BUDGET_REQUESTS] = SCOPES(HOURS_OF("u.requests") COUNTS),
                    [BUDGET_TOKENS] = SCOPES(HOURS_OF("CASE WHEN d.status = 0 THEN 0"
                                                      " ELSE u.tokens_in + u.tokens_out END")),
                    [BUDGET_COST] = SCOPES(HOURS_OF("CASE WHEN d.status = 0 THEN 0 ELSE u.cost_nano END"))},
};

struct sum {
    struct sql_scope scope;
    const struct budget_row *row;
    int64_t of; // the scope's id
    uint64_t used;
};

static bool add(struct sum *s, enum source source, int64_t from, int64_t to, struct err *err) {
    struct sql_stmt *st;
    bool has;
    if (from >= to) return true;
    if (!sql_prepare(s->scope, k_texts[source][s->row->metric][s->row->scope], &st, err)) return false;
    sql_bind_i64(st, 2, from);
    sql_bind_i64(st, 3, to);
    sql_bind_i64(st, 4, s->of);
    if (!sql_step(st, &has, err)) return false;
    if (has) s->used += (uint64_t)MAX(sql_col_i64(st, 0), INT64_C(0));
    if (has) sql_reset(st);
    return true;
}

static bool add_all(struct sum *s, int64_t since, int64_t until, struct err *err) {
    int64_t first = (since + HOUR_NS - 1) / HOUR_NS, end = until / HOUR_NS;
    int64_t open;
    if (end - first < 2) return add(s, FROM_ROWS, since, until, err);
    if (!add(s, FROM_ROWS, since, first * HOUR_NS, err) || !add(s, FROM_HOURS, first, end, err) ||
        !add(s, FROM_ROWS, end * HOUR_NS, until, err))
        return false;
    if (!sql_query_i64(s->scope,
                       STR("SELECT CAST(count(*) AS BIGINT) FROM usage_dim WHERE tenant_id = ?1 AND status = 0"), &open,
                       err))
        return false;
    return open == 0 || add(s, FROM_OPEN, first * HOUR_NS, end * HOUR_NS, err);
}

// --- Names and tags, of which there may be several ----------------------------------------------------------------

typedef VEC(int64_t) ids;

static bool has_tag(struct str json, struct str wanted) {
    struct json_reader r;
    struct str raw, key;
    enum json_kind kind;
    size_t eq = str_find(wanted, STR("="));
    bool found = false;
    json_reader_init(&r, json, 1);
    if (!json_enter_object(&r)) return false;
    while (json_member(&r, &key, &kind)) {
        if (!json_string_eq(key, str_head(wanted, eq)) || kind != JSON_STRING) continue;
        if (!json_string(&r, &raw)) return false;
        found = found || json_string_eq(raw, str_from(wanted, eq + 1));
    }
    return found;
}

static bool is_meant(const struct budget_row *row, struct str text) {
    struct str wanted = row->scope_text;
    if (row->scope == BUDGET_SCOPE_TAG) return has_tag(text, wanted);
    if (wanted.p[wanted.n - 1] == '*') return str_starts(text, str_head(wanted, wanted.n - 1));
    return str_eq(text, wanted);
}

static bool find_ids(struct sql_scope scope, const struct budget_row *row, ids *out, struct err *err) {
    static const struct str models = STR_INIT("SELECT n.id, n.text FROM name n WHERE n.id IN"
                                              " (SELECT d.model_id FROM usage_dim d WHERE d.tenant_id = ?1)");
    static const struct str tags = STR_INIT("SELECT n.id, n.text FROM name n WHERE n.id IN"
                                            " (SELECT d.tags_id FROM usage_dim d WHERE d.tenant_id = ?1)");
    struct sql_stmt *st;
    if (!sql_prepare(scope, row->scope == BUDGET_SCOPE_TAG ? tags : models, &st, err)) return false;
    for (bool has;;) {
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        if (!is_meant(row, sql_col_text(st, 1)) || vec_push(out, sql_col_i64(st, 0))) continue;
        sql_reset(st);
        return err_no_memory(err);
    }
}

bool budget_means(const struct budget_row *row, const struct usage_record *rec) {
    uint64_t of = (uint64_t)row->scope_id;
    if (rec->endpoint == USAGE_ENDPOINT_SHADOW) return false;
    switch (row->scope) {
    case BUDGET_SCOPE_TEAM:
        return rec->team_id == of;
    case BUDGET_SCOPE_PROJECT:
        return rec->project_id == of;
    case BUDGET_SCOPE_USER:
        return rec->owner_kind == 2 && rec->owner_id == of;
    case BUDGET_SCOPE_SERVICE_ACCOUNT:
        return rec->owner_kind == 3 && rec->owner_id == of;
    case BUDGET_SCOPE_KEY:
        return rec->key_id == of;
    case BUDGET_SCOPE_MODEL:
        return is_meant(row, rec->model);
    case BUDGET_SCOPE_TAG:
        return is_meant(row, rec->tags);
    case BUDGET_SCOPE_TENANT:
    case BUDGET_SCOPE_COUNT:
        break;
    }
    return true;
}

static bool is_call(const struct usage_record *rec) {
    return rec->endpoint != USAGE_ENDPOINT_OTHER && rec->endpoint != USAGE_ENDPOINT_MODELS &&
           rec->endpoint != USAGE_ENDPOINT_CHAIN;
}

uint64_t budget_amount(enum budget_metric metric, const struct usage_record *rec) {
    bool open = rec->status == USAGE_STATUS_UNKNOWN;
    switch (metric) {
    case BUDGET_REQUESTS:
        return (rec->status < 400 || rec->status == 499) && is_call(rec);
    case BUDGET_TOKENS:
        return open ? rec->reserved_tokens : rec->tokens_in + rec->tokens_out;
    case BUDGET_COST:
        return open ? rec->reserved_nano : (uint64_t)MAX(rec->cost_nano, INT64_C(0));
    case BUDGET_CONCURRENCY:
    case BUDGET_METRIC_COUNT:
        break;
    }
    return 0;
}

uint64_t budget_reserved(enum budget_metric metric, const struct usage_record *rec) {
    if (metric == BUDGET_TOKENS) return rec->reserved_tokens;
    if (metric == BUDGET_COST) return rec->reserved_nano;
    return is_call(rec);
}

bool budget_used(struct sql *db, const struct budget_row *row, int64_t since, int64_t until, uint64_t *out_used,
                 struct err *err) {
    struct sum s = {.scope = sql_tenant(db, row->tenant_id), .row = row, .of = row->scope_id};
    bool ok = true;
    since = MAX(since, INT64_C(0));
    if (row->metric == BUDGET_CONCURRENCY) {
        *out_used = 0;
        return true;
    }
    if (row->scope == BUDGET_SCOPE_MODEL || row->scope == BUDGET_SCOPE_TAG) {
        ids of = {0};
        ok = find_ids(s.scope, row, &of, err);
        for (size_t i = 0; ok && i < of.n; i++) {
            s.of = of.p[i];
            ok = add_all(&s, since, until, err);
        }
        vec_free(&of);
    } else {
        if (row->scope == BUDGET_SCOPE_TENANT) s.of = 0;
        ok = add_all(&s, since, until, err);
    }
    if (ok) *out_used = s.used;
    return ok;
}
