// Reads and writes the rows of trials and what their arms have counted.
#include "store/trial.h"

#include "base/buf.h"

#define TIMES_TEXT_MAX ((size_t)TRIAL_TIMES * 16)

// --- latencies ---

size_t trial_time_slot(uint64_t us) {
    size_t slot = 0;
    while (slot + 1 < TRIAL_TIMES && trial_time_us(slot) < us) slot++;
    return slot;
}

uint64_t trial_time_us(size_t slot) {
    static const uint64_t quarters[4] = {1000, 1189, 1414, 1682};
    return quarters[slot % 4] << (slot / 4);
}

uint64_t trial_quantile_us(const struct trial_arm *arm, double share) {
    uint64_t all = 0, so_far = 0;
    for (size_t i = 0; i < TRIAL_TIMES; i++) all += arm->times[i];
    for (size_t i = 0; i < TRIAL_TIMES && all; i++) {
        so_far += arm->times[i];
        if ((double)so_far >= share * (double)all && so_far) return trial_time_us(i);
    }
    return 0;
}

void trial_arm_add(struct trial_arm *arm, const struct trial_arm *more) {
    arm->requests += more->requests;
    arm->errors += more->errors;
    arm->priced += more->priced;
    arm->cost_nano += more->cost_nano;
    arm->judged += more->judged;
    arm->quality += more->quality;
    for (size_t i = 0; i < TRIAL_TIMES; i++)
        arm->times[i] = arm->times[i] > UINT32_MAX - more->times[i] ? UINT32_MAX : arm->times[i] + more->times[i];
}

// "slot:count slot:count"
static void times_put(struct buf *out, const uint32_t *times) {
    for (size_t i = 0; i < TRIAL_TIMES; i++)
        if (times[i]) buf_printf(out, "%s%zu:%u", out->n ? " " : "", i, times[i]);
}

// What cannot be read counts as nothing.
static void times_read(struct str text, uint32_t *times) {
    struct str one;
    memset(times, 0, TRIAL_TIMES * sizeof *times);
    while (text.n && str_split(&text, ' ', &one)) {
        uint64_t slot, n;
        size_t colon = str_find_char(one, ':');
        if (colon == one.n || !str_to_u64(str_head(one, colon), &slot) || !str_to_u64(str_from(one, colon + 1), &n))
            continue;
        if (slot < TRIAL_TIMES) times[slot] = (uint32_t)MIN(n, (uint64_t)UINT32_MAX);
    }
}

// --- rows ---

static bool row_read(struct sql_stmt *st, struct arena *a, struct trial_row *out) {
    struct trial_row r = {.id = sql_col_i64(st, 0),
                          .key = {arena_str(a, sql_col_text(st, 1)), arena_str(a, sql_col_text(st, 2)),
                                  arena_str(a, sql_col_text(st, 3)), arena_str(a, sql_col_text(st, 4))},
                          .rival = arena_str(a, sql_col_text(st, 5)),
                          .state = arena_str(a, sql_col_text(st, 6)),
                          .reason = arena_str(a, sql_col_text(st, 7)),
                          .step = sql_col_i64(st, 8),
                          .steps = sql_col_i64(st, 9),
                          .step_since = sql_col_i64(st, 10),
                          .looks = sql_col_i64(st, 11),
                          .looked_at = sql_col_i64(st, 12),
                          .share = sql_col_i64(st, 13),
                          .started_at = sql_col_i64(st, 14),
                          .seen_at = sql_col_i64(st, 15)};
    *out = r;
    return r.key.kind.p && r.key.level.p && r.key.model.p && r.key.mark.p && r.rival.p && r.state.p && r.reason.p;
}

static const struct str k_find =
    STR_INIT("SELECT id, kind, level, model, mark, rival, state, reason, step, steps, step_since, looks, looked_at,"
             " share, started_at, seen_at FROM trial WHERE kind = ?1 AND level = ?2 AND model = ?3 AND mark = ?4");
static const struct str k_list =
    STR_INIT("SELECT id, kind, level, model, mark, rival, state, reason, step, steps, step_since, looks, looked_at,"
             " share, started_at, seen_at FROM trial WHERE kind = ?1 OR ?1 = ''"
             " ORDER BY kind, level, model, seen_at DESC, id DESC");

bool trial_find(struct sql *db, const struct trial_key *key, struct arena *arena, struct trial_row *out_row,
                bool *out_found, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db), k_find, &st, err)) return false;
    sql_bind_text(st, 1, key->kind);
    sql_bind_text(st, 2, key->level);
    sql_bind_text(st, 3, key->model);
    sql_bind_text(st, 4, key->mark);
    if (!sql_step(st, &row, err)) return false;
    *out_found = row;
    bool ok = !row || row_read(st, arena, out_row);
    if (row) sql_reset(st);
    return ok || err_no_memory(err);
}

static bool same_model(const struct trial_row *a, const struct trial_row *b) {
    return str_eq(a->key.kind, b->key.kind) && str_eq(a->key.level, b->key.level) && str_eq(a->key.model, b->key.model);
}

bool trial_list(struct sql *db, struct str kind, struct arena *arena, trial_rows *out_rows, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), k_list, &st, err)) return false;
    sql_bind_text(st, 1, kind);
    for (bool has;;) {
        struct trial_row row;
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        bool ok = row_read(st, arena, &row);
        bool older = ok && out_rows->n && same_model(&out_rows->p[out_rows->n - 1], &row);
        if (older || (ok && vec_push(out_rows, row))) continue;
        sql_reset(st);
        return err_no_memory(err);
    }
}

static void bind_course(struct sql_stmt *st, int first, const struct trial_row *r) {
    const int64_t numbers[] = {r->step,      r->steps, r->step_since, r->looks,
                               r->looked_at, r->share, r->started_at, r->seen_at};
    sql_bind_text(st, first, r->state);
    sql_bind_text(st, first + 1, r->reason);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) sql_bind_i64(st, first + 2 + (int)i, numbers[i]);
}

static bool insert(struct sql *db, struct trial_row *r, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO trial (kind, level, model, mark, rival, state, reason, step, steps, step_since,"
                         " looks, looked_at, share, started_at, seen_at)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) RETURNING id"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, r->key.kind);
    sql_bind_text(st, 2, r->key.level);
    sql_bind_text(st, 3, r->key.model);
    sql_bind_text(st, 4, r->key.mark);
    sql_bind_text(st, 5, r->rival);
    bind_course(st, 6, r);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_STORE, "the row of a trial was not written");
    r->id = sql_col_i64(st, 0);
    sql_reset(st);
    return true;
}

bool trial_save(struct sql *db, struct trial_row *r, struct err *err) {
    struct sql_stmt *st;
    if (!r->id) return insert(db, r, err);
    if (!sql_prepare(sql_platform(db),
                     STR("UPDATE trial SET state = ?2, reason = ?3, step = ?4, steps = ?5, step_since = ?6, looks = ?7,"
                         " looked_at = ?8, share = ?9, started_at = ?10, seen_at = ?11 WHERE id = ?1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, r->id);
    bind_course(st, 2, r);
    return sql_run(st, err);
}

// --- arms ---

static void arm_read(struct sql_stmt *st, struct trial_arm *out) {
    *out = (struct trial_arm){.arm = sql_col_text(st, 0),
                              .step = sql_col_i64(st, 1),
                              .requests = (uint64_t)MAX(sql_col_i64(st, 2), INT64_C(0)),
                              .errors = (uint64_t)MAX(sql_col_i64(st, 3), INT64_C(0)),
                              .priced = (uint64_t)MAX(sql_col_i64(st, 4), INT64_C(0)),
                              .cost_nano = (uint64_t)MAX(sql_col_i64(st, 5), INT64_C(0)),
                              .judged = (uint64_t)MAX(sql_col_i64(st, 6), INT64_C(0)),
                              .quality = (uint64_t)MAX(sql_col_i64(st, 7), INT64_C(0))};
    times_read(sql_col_text(st, 8), out->times);
}

bool trial_each_arm(struct sql *db, int64_t trial, trial_arm_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT arm, step, requests, errors, priced, cost_nano, judged, quality, times FROM trial_arm"
                         " WHERE trial_id = ?1 ORDER BY arm, step"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, trial);
    for (bool has;;) {
        struct trial_arm arm;
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        arm_read(st, &arm);
        if (visit(arg, &arm, err)) continue;
        sql_reset(st);
        return false;
    }
}

static bool arm_find(struct sql *db, int64_t trial, const struct trial_arm *which, struct trial_arm *out,
                     struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT arm, step, requests, errors, priced, cost_nano, judged, quality, times FROM trial_arm"
                         " WHERE trial_id = ?1 AND arm = ?2 AND step = ?3"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, trial);
    sql_bind_text(st, 2, which->arm);
    sql_bind_i64(st, 3, which->step);
    if (!sql_step(st, &row, err)) return false;
    if (row) arm_read(st, out);
    if (row) sql_reset(st);
    out->arm = which->arm;
    out->step = which->step;
    return true;
}

bool trial_count(struct sql *db, int64_t trial, const struct trial_arm *more, struct err *err) {
    struct trial_arm sum = {0};
    struct sql_stmt *st;
    BUF_AUTO struct buf times = BUF_INIT(TIMES_TEXT_MAX);
    if (!arm_find(db, trial, more, &sum, err)) return false;
    trial_arm_add(&sum, more);
    times_put(&times, sum.times);
    if (times.failed) return err_no_memory(err);
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO trial_arm (trial_id, arm, step, requests, errors, priced, cost_nano, judged,"
                         " quality, times) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
                         " ON CONFLICT (trial_id, arm, step) DO UPDATE SET requests = excluded.requests,"
                         " errors = excluded.errors, priced = excluded.priced, cost_nano = excluded.cost_nano,"
                         " judged = excluded.judged, quality = excluded.quality, times = excluded.times"),
                     &st, err))
        return false;
    const uint64_t numbers[] = {sum.requests, sum.errors, sum.priced, sum.cost_nano, sum.judged, sum.quality};
    sql_bind_i64(st, 1, trial);
    sql_bind_text(st, 2, sum.arm);
    sql_bind_i64(st, 3, sum.step);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        sql_bind_i64(st, 4 + (int)i, (int64_t)MIN(numbers[i], (uint64_t)INT64_MAX));
    sql_bind_text(st, 10, buf_str(&times));
    return sql_run(st, err);
}

bool trial_forget(struct sql *db, int64_t trial, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("DELETE FROM trial_arm WHERE trial_id = ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, trial);
    return sql_run(st, err);
}

bool trial_tidy(struct sql *db, int64_t since, struct err *err) {
    static const struct str texts[] = {
        STR_INIT("DELETE FROM trial_arm WHERE trial_id IN (SELECT id FROM trial WHERE seen_at < ?1)"),
        STR_INIT("DELETE FROM trial WHERE seen_at < ?1")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct sql_stmt *st;
        if (!sql_prepare(sql_platform(db), texts[i], &st, err)) return false;
        sql_bind_i64(st, 1, since);
        if (!sql_run(st, err)) return false;
    }
    return true;
}
