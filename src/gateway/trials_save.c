// Brings what trials have counted to the database, and takes their course from there.
#include "gateway/trials_impl.h"

#include "base/mem.h"

#define SEEN_EVERY_NS (INT64_C(3600) * 1000000000)
#define FORGET_NS (INT64_C(30) * 24 * 3600 * 1000000000)

struct round {
    struct sql *db;
    bool anew; // another configuration than the last time
    int64_t now;
    trial_told *told;
    void *arg;
    struct arena *arena;
};

// --- counts ---

// What was counted since; *out NULL: nothing.
static bool take_counts(struct trial *t, struct trial_arm **out, struct err *err) {
    size_t n = t->arm_count * t->step_count;
    struct trial_arm *taken = mem_zalloc(n, sizeof *taken);
    *out = NULL;
    if (!taken) return err_no_memory(err);
    mutex_lock(&t->lock);
    bool any = t->dirty;
    if (any) {
        memcpy(taken, t->counts, n * sizeof *taken);
        memset(t->counts, 0, n * sizeof *taken);
        t->dirty = false;
    }
    mutex_unlock(&t->lock);
    if (any)
        *out = taken;
    else
        mem_free(taken);
    return true;
}

static void put_back(struct trial *t, const struct trial_arm *taken) {
    mutex_lock(&t->lock);
    for (size_t i = 0; i < t->arm_count * t->step_count; i++) trial_arm_add(&t->counts[i], &taken[i]);
    t->dirty = true;
    mutex_unlock(&t->lock);
}

static bool add_counts(struct sql *db, const struct trial *t, int64_t id, struct trial_arm *taken, struct err *err) {
    for (size_t arm = 0; arm < t->arm_count; arm++)
        for (size_t step = 0; step < t->step_count; step++) {
            struct trial_arm *a = &taken[arm * t->step_count + step];
            a->arm = t->arms[arm];
            a->step = (int64_t)step;
            if ((a->requests || a->judged) && !trial_count(db, id, a, err)) return false;
        }
    return true;
}

// --- a canary's course ---

static bool read_arm(void *arg, const struct trial_arm *arm, struct err *err UNUSED) {
    struct canary_counts *counts = arg;
    if (arm->step < 0 || arm->step >= CANARY_STEPS_MAX) return true;
    struct canary_counts *c = &counts[arm->step];
    struct canary_count *of = str_eq(arm->arm, STR("base")) ? &c->base : &c->canary;
    *of = (struct canary_count){arm->requests, arm->errors, arm->judged, (double)arm->quality / 1e6};
    return true;
}

static struct canary_course course_of(const struct trial_row *row) {
    struct canary_course c = {.state = CANARY_ROLLED_BACK, // what cannot be read gets no requests
                              .step = (size_t)MAX(row->step, INT64_C(0)),
                              .step_since = row->step_since,
                              .looks = (uint64_t)MAX(row->looks, INT64_C(0)),
                              .looked_at = (uint64_t)MAX(row->looked_at, INT64_C(0))};
    (void)!canary_state_parse(row->state, &c.state);
    return c;
}

static void course_put(struct trial_row *row, const struct canary_rules *rules, const struct canary_course *c) {
    row->state = canary_state_name(c->state);
    row->step = (int64_t)c->step;
    row->steps = (int64_t)rules->steps;
    row->step_since = c->step_since;
    row->looks = (int64_t)c->looks;
    row->looked_at = (int64_t)c->looked_at;
    row->share = canary_share(rules, c);
}

static struct str reason_of(const struct canary_verdict *v, struct arena *arena) {
    if (v->why == CANARY_ERRORS)
        return arena_printf(arena, "%.2f %% of its requests failed, of the model's own %.2f %% (p = %.2g)",
                            v->canary * 100, v->base * 100, v->p);
    return arena_printf(arena, "its answers were judged %.3f on average, the model's own %.3f (p = %.2g)",
                        1 - v->canary, 1 - v->base, v->p);
}

static bool go_on(struct round *r, const struct trial *t, struct trial_row *row, bool *out_changed, struct err *err) {
    struct canary_counts counts[CANARY_STEPS_MAX] = {0};
    struct canary_course course = course_of(row);
    struct canary_verdict verdict;
    if (!trial_each_arm(r->db, row->id, read_arm, counts, err)) return false;
    *out_changed = canary_go(&t->rules, counts, r->now, &course, &verdict);
    if (verdict.why != CANARY_FINE) {
        row->reason = reason_of(&verdict, r->arena);
        if (!row->reason.p) return err_no_memory(err);
    }
    course_put(row, &t->rules, &course);
    return true;
}

// --- a trial ---

static void begin_row(struct trial_row *row, const struct trial *t, int64_t now) {
    *row = (struct trial_row){.key = t->key,
                              .rival = t->rival,
                              .state = canary_state_name(CANARY_RUNNING),
                              .reason = STR(""),
                              .steps = (int64_t)t->step_count,
                              .step_since = now,
                              .started_at = now};
}

static bool write_all(struct round *r, struct trial *t, struct trial_arm *taken, struct trial_row *row,
                      bool *out_changed, struct err *err) {
    bool found;
    // As it is now that nobody else writes it.
    if (!trial_find(r->db, &t->key, r->arena, row, &found, err)) return false;
    if (!found) begin_row(row, t, r->now);
    if (t->begun_at && t->begun_at != row->started_at) taken = NULL; // begun anew by hand: these are of before
    row->seen_at = r->now;
    if (t->kind != TRIAL_CANARY) row->share = trial_share(t);
    if (!found && (!trial_tidy(r->db, r->now - FORGET_NS, err) || !trial_save(r->db, row, err))) return false;
    if (taken && !add_counts(r->db, t, row->id, taken, err)) return false;
    if (t->kind == TRIAL_CANARY && !go_on(r, t, row, out_changed, err)) return false;
    return trial_save(r->db, row, err);
}

static bool write_round(struct round *r, struct trial *t, struct trial_row *row, bool *out_changed, struct err *err) {
    struct trial_arm *taken;
    if (!take_counts(t, &taken, err)) return false;
    bool ok = sql_begin(r->db, err);
    if (ok && !write_all(r, t, taken, row, out_changed, err)) {
        sql_rollback(r->db);
        ok = false;
    }
    ok = ok && sql_commit(r->db, err);
    if (!ok && taken) put_back(t, taken);
    mem_free(taken);
    return ok;
}

static bool is_due(const struct trial *t, const struct trial_row *row, int64_t now) {
    bool running = t->kind == TRIAL_CANARY && str_eq(row->state, canary_state_name(CANARY_RUNNING));
    if (t->kind == TRIAL_CANARY) { // as when it was begun anew by hand
        const struct canary_course course = course_of(row);
        if (canary_share(&t->rules, &course) != (uint32_t)row->share) return true;
    }
    return (running && now - row->step_since >= t->rules.every_ns) || now - row->seen_at > SEEN_EVERY_NS;
}

static bool save_one(struct round *r, struct trial *t, struct err *err) {
    struct trial_row row;
    bool found, changed = false;
    mutex_lock(&t->lock);
    bool dirty = t->dirty;
    mutex_unlock(&t->lock);
    if (!trial_find(r->db, &t->key, r->arena, &row, &found, err)) return false;
    if ((!found || dirty || r->anew || is_due(t, &row, r->now)) && !write_round(r, t, &row, &changed, err))
        return false;
    t->begun_at = row.started_at;
    if (t->kind != TRIAL_CANARY) return true;
    const struct canary_course course = course_of(&row);
    atomic_store(&t->step, (unsigned)MIN(course.step, t->step_count - 1));
    atomic_store(&t->share, canary_share(&t->rules, &course));
    const struct trial_news news = {&row, course.state == CANARY_ROLLED_BACK};
    if (changed) r->told(r->arg, &news);
    return true;
}

static bool save_model(struct round *r, struct trials *all, const struct conf_model *m, const struct conf_tenant *level,
                       struct err *err) {
    for (int kind = 0; kind < TRIAL_KIND_COUNT; kind++) {
        struct trial *t;
        if (!trials_get(all, (enum trial_kind)kind, m, level, &t, err)) return false;
        if (t && kind == TRIAL_SHADOW) atomic_store(&t->share, (uint32_t)m->shadow.share); // to be shown
        if (t && !save_one(r, t, err)) return false;
    }
    return true;
}

bool trials_save(struct trials *all, const struct conf *conf, struct sql *db, int64_t now, trial_told *told, void *arg,
                 struct err *err) {
    struct conf_level_at at = {0};
    const struct conf_tenant *level;
    struct arena arena;
    arena_init(&arena, NULL, 0, (size_t)16 << 20);
    // What comes into force is seen now: of a model's trials the one seen last is meant by hand.
    struct round r = {.db = db, .anew = all->saved != conf, .now = now, .told = told, .arg = arg, .arena = &arena};
    bool ok = true;
    for (size_t i = 0; ok && i < conf->models.n; i++) ok = save_model(&r, all, &conf->models.p[i], NULL, err);
    while (ok && (level = conf_level_next(conf, &at)))
        for (size_t i = 0; ok && i < level->models.n; i++) ok = save_model(&r, all, &level->models.p[i], level, err);
    arena_free(&arena);
    if (ok) all->saved = conf;
    return ok;
}
