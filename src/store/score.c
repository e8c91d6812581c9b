// Rows of scores: put in, completed, added up.
#include "store/score.h"

#include "base/utf8.h"

static struct str sound(struct str text) { return text.n && sql_is_text(text) ? text : STR(""); }

bool score_put(struct sql_scope scope, const struct score_row *r, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("INSERT INTO answer_score (tenant_id, request_id, attempt, ts, provider, model,"
                         " upstream_model, task, score, faults, judged, feedback, comment)"
                         " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 FROM tenant t"
                         " WHERE t.id = ?1 AND t.status <> 'deleting'"
                         " ON CONFLICT (tenant_id, request_id, attempt) DO UPDATE SET"
                         " task = CASE WHEN excluded.task <> '' THEN excluded.task ELSE answer_score.task END,"
                         " score = CASE WHEN excluded.score >= 0 THEN excluded.score ELSE answer_score.score END,"
                         " faults = CASE WHEN excluded.score >= 0 THEN excluded.faults ELSE answer_score.faults END,"
                         " judged = CASE WHEN excluded.judged >= 0 THEN excluded.judged ELSE answer_score.judged END,"
                         " comment = CASE WHEN excluded.feedback >= 0 THEN excluded.comment"
                         " ELSE answer_score.comment END,"
                         " feedback = CASE WHEN excluded.feedback >= 0 THEN excluded.feedback"
                         " ELSE answer_score.feedback END"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, (int64_t)r->request);
    sql_bind_i64(st, 3, r->attempt);
    sql_bind_i64(st, 4, r->ts);
    sql_bind_text(st, 5, sound(r->provider));
    sql_bind_text(st, 6, sound(r->model));
    sql_bind_text(st, 7, sound(r->upstream_model));
    sql_bind_text(st, 8, sound(r->task));
    sql_bind_i64(st, 9, r->score);
    sql_bind_i64(st, 10, r->faults);
    sql_bind_i64(st, 11, r->judged);
    sql_bind_i64(st, 12, r->feedback);
    sql_bind_text(st, 13, sound(utf8_head(r->comment, SCORE_COMMENT_MAX)));
    return sql_run(st, err);
}

bool score_get(struct sql_scope scope, uint64_t request, int64_t attempt, struct arena *arena,
               struct score_row *out_row, bool *out_found, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("SELECT task, score, faults, judged, feedback FROM answer_score"
                         " WHERE tenant_id = ?1 AND request_id = ?2 AND attempt = ?3"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, (int64_t)request);
    sql_bind_i64(st, 3, attempt);
    if (!sql_step(st, out_found, err)) return false;
    if (!*out_found) return true;
    *out_row = (struct score_row){.tenant = scope.tenant,
                                  .request = request,
                                  .attempt = attempt,
                                  .task = arena_str(arena, sql_col_text(st, 0)),
                                  .score = (int)sql_col_i64(st, 1),
                                  .faults = (unsigned)sql_col_i64(st, 2),
                                  .judged = (int)sql_col_i64(st, 3),
                                  .feedback = (int)sql_col_i64(st, 4)};
    sql_reset(st);
    return true;
}

// --- sums ---

static const struct {
    const char *group, *order;
    int64_t unit; // of time, nanoseconds; 0: it is a name
} k_groups[] = {
    [SCORE_BY_MODEL] = {"model", "2 DESC, 1", 0},
    [SCORE_BY_PROVIDER] = {"provider", "2 DESC, 1", 0},
    [SCORE_BY_UPSTREAM_MODEL] = {"upstream_model", "2 DESC, 1", 0},
    [SCORE_BY_TARGET] = {"provider || '/' || upstream_model", "2 DESC, 1", 0},
    [SCORE_BY_TASK] = {"task", "2 DESC, 1", 0},
    [SCORE_BY_DAY] = {"ts / 86400000000000", "1 DESC", INT64_C(86400000000000)},
    [SCORE_BY_HOUR] = {"ts / 3600000000000", "1 DESC", INT64_C(3600000000000)},
};

static struct str statement(struct buf *out, enum score_group by) {
    buf_printf(out,
               "SELECT %s, count(*), sum(CASE WHEN score >= 0 THEN score ELSE 0 END),"
               " sum(CASE WHEN score >= 0 THEN 1 ELSE 0 END), sum(CASE WHEN judged >= 0 THEN judged ELSE 0 END),"
               " sum(CASE WHEN judged >= 0 THEN 1 ELSE 0 END), sum(CASE WHEN feedback >= 0 THEN feedback ELSE 0 END),"
               " sum(CASE WHEN feedback >= 0 THEN 1 ELSE 0 END)",
               k_groups[by].group);
    for (unsigned i = 0; i < SCORE_FAULTS_MAX; i++)
        buf_printf(out, ", sum(CASE WHEN (faults & %u) <> 0 THEN 1 ELSE 0 END)", 1u << i);
    buf_printf(out,
               " FROM answer_score WHERE tenant_id = ?1 AND ts >= ?2 AND ts < ?3 AND (?4 = '' OR model = ?4"
               " OR upstream_model = ?4) AND (?5 = '' OR provider = ?5) AND (?6 = '' OR task = ?6)"
               " GROUP BY 1 ORDER BY %s LIMIT ?7",
               k_groups[by].order);
    return buf_str(out);
}

static int64_t mean(int64_t sum, int64_t n) { return n ? (sum + n / 2) / n : SCORE_NONE; }

static struct score_sum sum_of(struct sql_stmt *st, int64_t unit) {
    struct score_sum s = {.name = unit ? STR("") : sql_col_text(st, 0),
                          .ts = unit ? sql_col_i64(st, 0) * unit : 0,
                          .answers = sql_col_i64(st, 1),
                          .score = mean(sql_col_i64(st, 2), sql_col_i64(st, 3)),
                          .judge_score = mean(sql_col_i64(st, 4), sql_col_i64(st, 5)),
                          .judged = sql_col_i64(st, 5),
                          .feedback_score = mean(sql_col_i64(st, 6), sql_col_i64(st, 7)),
                          .feedbacks = sql_col_i64(st, 7)};
    for (int i = 0; i < SCORE_FAULTS_MAX; i++) s.faults[i] = sql_col_i64(st, 8 + i);
    return s;
}

bool score_sums(struct sql_scope scope, const struct score_query *q,
                bool (*each)(void *arg, const struct score_sum *sum), void *arg, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(4096);
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(scope, statement(&text, q->by), &st, err)) return false;
    sql_bind_i64(st, 2, q->since);
    sql_bind_i64(st, 3, q->until ? q->until : INT64_MAX);
    sql_bind_text(st, 4, sound(q->model));
    sql_bind_text(st, 5, sound(q->provider));
    sql_bind_text(st, 6, sound(q->task));
    sql_bind_i64(st, 7, q->limit);
    while (sql_step(st, &row, err)) {
        if (!row) return true;
        const struct score_sum s = sum_of(st, k_groups[q->by].unit);
        if (!each(arg, &s)) {
            sql_reset(st);
            return true;
        }
    }
    return false;
}
