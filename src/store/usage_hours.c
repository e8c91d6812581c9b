// Reads the sums of hours, and keeps which were written to files.
#include "store/usage_hours.h"

// The tenants come from a list so that the table's key serves: tenants are few.
static const struct str k_each = STR_INIT(
    "SELECT h.hour, h.tenant_id, d.key_id, d.team_id, d.project_id, d.owner_kind, d.owner_id, d.endpoint, d.status,"
    " h.requests, h.unpriced, h.tokens_in, h.tokens_cached, h.tokens_cache_write, h.tokens_out, h.tokens_reasoning,"
    " h.cost_nano, h.latency_us, h.ttft_us, h.ttft_requests, h.attempts, h.reference_nano, h.saved_nano,"
    " (SELECT text FROM name WHERE id = d.provider_id), (SELECT text FROM name WHERE id = d.model_id),"
    " (SELECT text FROM name WHERE id = d.upstream_model_id), (SELECT text FROM name WHERE id = d.error_id),"
    " (SELECT text FROM name WHERE id = d.tags_id), (SELECT text FROM name WHERE id = d.task_id), t.name, k.name"
    " FROM usage_hour h JOIN usage_dim d ON d.id = h.dim_id LEFT JOIN tenant t ON t.id = h.tenant_id"
    " LEFT JOIN api_key k ON k.id = d.key_id"
    " WHERE h.tenant_id IN (SELECT DISTINCT tenant_id FROM usage_dim) AND h.hour >= ?1 AND h.hour < ?2"
    " AND h.dim_id > 0 AND (h.requests > 0 OR h.attempts > 0) ORDER BY h.hour, h.tenant_id, h.dim_id");

static void row_read(struct sql_stmt *st, struct usage_hour_row *out) {
    uint64_t v[23];
    for (int i = 0; i < 23; i++) v[i] = (uint64_t)sql_col_i64(st, i);
    *out = (struct usage_hour_row){.hour = (int64_t)v[0],
                                   .rec = {.tenant_id = v[1],
                                           .key_id = v[2],
                                           .team_id = v[3],
                                           .project_id = v[4],
                                           .owner_kind = (uint8_t)v[5],
                                           .owner_id = v[6],
                                           .endpoint = (uint16_t)v[7],
                                           .status = (uint16_t)v[8],
                                           .tokens_in = v[11],
                                           .tokens_cached = v[12],
                                           .tokens_cache_write = v[13],
                                           .tokens_out = v[14],
                                           .tokens_reasoning = v[15],
                                           .cost_nano = (int64_t)v[16],
                                           .provider = sql_col_text(st, 23),
                                           .model = sql_col_text(st, 24),
                                           .upstream_model = sql_col_text(st, 25),
                                           .error = sql_col_text(st, 26),
                                           .tags = sql_col_text(st, 27),
                                           .task = sql_col_text(st, 28),
                                           .attempts = v[20],
                                           .reference_nano = (int64_t)v[21]},
                                   .tenant_name = sql_col_text(st, 29),
                                   .key_name = sql_col_text(st, 30),
                                   .requests = v[9],
                                   .unpriced = v[10],
                                   .latency_us = v[17],
                                   .ttft_us = v[18],
                                   .ttft_requests = v[19],
                                   .saved_nano = (int64_t)v[22]};
}

bool usage_hours_each(struct sql *db, int64_t from, int64_t to, usage_hour_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    struct usage_hour_row row;
    if (!sql_prepare(sql_platform(db), k_each, &st, err)) return false;
    sql_bind_i64(st, 1, from);
    sql_bind_i64(st, 2, to);
    for (bool has;;) {
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        row_read(st, &row);
        if (visit(arg, &row, err)) continue;
        sql_reset(st);
        return false;
    }
}

bool usage_hours_mark(struct sql *db, int64_t from, int64_t to, struct usage_mark *out_mark, struct err *err) {
    struct sql_stmt *st;
    bool has;
    if (!sql_prepare(
            sql_platform(db),
            STR("SELECT CAST(sum(h.requests) AS BIGINT), CAST(sum(h.tokens_in + h.tokens_out) AS BIGINT),"
                " CAST(sum(h.cost_nano) AS BIGINT), CAST(sum(h.latency_us) AS BIGINT) FROM usage_hour h"
                " WHERE h.tenant_id IN (SELECT DISTINCT tenant_id FROM usage_dim) AND h.hour >= ?1 AND h.hour < ?2"
                " AND h.dim_id IN (0, -1)"),
            &st, err))
        return false;
    sql_bind_i64(st, 1, from);
    sql_bind_i64(st, 2, to);
    if (!sql_step(st, &has, err)) return false;
    *out_mark = (struct usage_mark){0};
    if (!has) return true;
    *out_mark = (struct usage_mark){sql_col_i64(st, 0), sql_col_i64(st, 1), sql_col_i64(st, 2), sql_col_i64(st, 3)};
    sql_reset(st);
    return true;
}

// --- files ---

bool usage_export_lease(struct sql *db, struct str target, int64_t holder, int64_t until, int64_t now, bool *out_holds,
                        struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(
            sql_platform(db),
            STR("INSERT INTO usage_export (target, period, requests, tokens, cost_nano, latency_us, written_at)"
                " VALUES (?1, -1, ?2, 0, 0, 0, ?3) ON CONFLICT (target, period) DO UPDATE SET"
                " requests = excluded.requests, written_at = excluded.written_at"
                " WHERE usage_export.requests = excluded.requests OR usage_export.written_at < ?4"
                " RETURNING requests"),
            &st, err))
        return false;
    sql_bind_text(st, 1, target);
    sql_bind_i64(st, 2, holder);
    sql_bind_i64(st, 3, until);
    sql_bind_i64(st, 4, now);
    if (!sql_step(st, out_holds, err)) return false;
    return !*out_holds || sql_run(st, err);
}

bool usage_export_last(struct sql *db, struct str target, int64_t *out_period, struct err *err) {
    struct sql_stmt *st;
    bool has;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT coalesce(max(period), -1) FROM usage_export WHERE target = ?1 AND period >= 0"), &st,
                     err))
        return false;
    sql_bind_text(st, 1, target);
    if (!sql_step(st, &has, err)) return false;
    *out_period = has ? sql_col_i64(st, 0) : -1;
    if (has) sql_reset(st);
    return true;
}

bool usage_export_find(struct sql *db, struct str target, int64_t period, bool *out_found, struct usage_mark *out_mark,
                       struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT requests, tokens, cost_nano, latency_us FROM usage_export WHERE target = ?1"
                         " AND period = ?2"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, target);
    sql_bind_i64(st, 2, period);
    if (!sql_step(st, out_found, err)) return false;
    if (!*out_found) return true;
    *out_mark = (struct usage_mark){sql_col_i64(st, 0), sql_col_i64(st, 1), sql_col_i64(st, 2), sql_col_i64(st, 3)};
    sql_reset(st);
    return true;
}

static bool forget_before(struct sql *db, struct str target, int64_t before, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("DELETE FROM usage_export WHERE target = ?1 AND period >= 0 AND period < ?2"), &st, err))
        return false;
    sql_bind_text(st, 1, target);
    sql_bind_i64(st, 2, before);
    return sql_run(st, err);
}

bool usage_export_note(struct sql *db, struct str target, int64_t period, const struct usage_mark *mark, int64_t now,
                       int64_t forget, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(
            sql_platform(db),
            STR("INSERT INTO usage_export (target, period, requests, tokens, cost_nano, latency_us, written_at)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (target, period) DO UPDATE SET"
                " requests = excluded.requests, tokens = excluded.tokens, cost_nano = excluded.cost_nano,"
                " latency_us = excluded.latency_us, written_at = excluded.written_at"),
            &st, err))
        return false;
    const int64_t values[] = {period, mark->requests, mark->tokens, mark->cost_nano, mark->latency_us, now};
    sql_bind_text(st, 1, target);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) sql_bind_i64(st, (int)i + 2, values[i]);
    return sql_run(st, err) && forget_before(db, target, forget, err);
}
