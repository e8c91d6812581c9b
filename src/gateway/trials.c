// The trials of the process: found by their model and configuration, counted into by calls.
#include "gateway/trials_impl.h"

#include "base/hash.h"
#include "base/mem.h"

#define MARK_MAX 2048 // a longer one ends in what tells it from others

// --- what it is ---

static const struct str k_kinds[TRIAL_KIND_COUNT] = {STR_INIT("canary"), STR_INIT("shadow"), STR_INIT("ab")};

struct str trial_kind_name(enum trial_kind kind) {
    return k_kinds[kind];
}

static bool is_wanted(enum trial_kind kind, const struct conf_model *m) {
    if (kind == TRIAL_CANARY) return m->canary.model.n > 0;
    if (kind == TRIAL_SHADOW) return m->shadow.model.n > 0;
    return m->strategy == STRATEGY_AB;
}

static void put_level(struct buf *out, const struct conf_tenant *level) {
    if (!level) return;
    if (level->of != level) buf_printf(out, "%.*s/%s/", STR_ARG(level->of->name), conf_level_word(level->kind));
    buf_put(out, level->name);
}

// All that makes it another trial when it changes.
static void put_mark(struct buf *out, enum trial_kind kind, const struct conf_model *m) {
    const struct conf_canary *c = &m->canary;
    if (kind == TRIAL_SHADOW) {
        buf_printf(out, "model=%.*s", STR_ARG(m->shadow.model));
        return;
    }
    for (size_t i = 0; kind == TRIAL_AB && i < m->targets.n; i++) {
        const struct conf_target *t = &m->targets.p[i];
        buf_printf(out, "%s%.*s=%.*s/%.*s", i ? " " : "", STR_ARG(t->arm), STR_ARG(t->provider), STR_ARG(t->model));
    }
    if (kind == TRIAL_AB) return;
    buf_printf(out, "model=%.*s every=%lld requests=%lld errors=%lld quality=%lld significance=%lld steps=",
               STR_ARG(c->model), (long long)c->every, (long long)c->min_requests, (long long)c->max_error_increase,
               (long long)c->max_quality_drop, (long long)c->significance);
    for (size_t i = 0; i < c->share_count; i++) buf_printf(out, "%s%lld", i ? "," : "", (long long)c->shares[i]);
}

static void shorten_mark(struct buf *mark) {
    if (mark->n <= MARK_MAX || mark->failed) return;
    uint64_t of_all = hash_bytes(buf_str(mark), 0);
    mark->n = MARK_MAX - 20;
    buf_printf(mark, "...%016llx", (unsigned long long)of_all);
}

// --- finding it ---

struct trials *trials_create(void) {
    struct trials *t = mem_zalloc(1, sizeof *t);
    if (!t) return NULL;
    mutex_init(&t->lock);
    map_init(&t->known, 0);
    arena_init(&t->arena, NULL, 0, (size_t)64 << 20);
    return t;
}

void trials_free(struct trials *t) {
    if (!t) return;
    for (struct trial *next, *one = t->first; one; one = next) {
        next = one->next;
        mutex_free(&one->lock);
        mem_free(one->counts);
    }
    map_free(&t->known);
    arena_free(&t->arena);
    mutex_free(&t->lock);
    mem_free(t);
}

static struct str name_of_arm(const struct conf_target *t, struct arena *a) {
    return t->arm.n ? arena_str(a, t->arm) : arena_printf(a, "%.*s/%.*s", STR_ARG(t->provider), STR_ARG(t->model));
}

static bool add_arm(struct trial *t, struct str name) {
    for (size_t i = 0; i < t->arm_count; i++)
        if (str_eq(t->arms[i], name)) return true;
    if (t->arm_count == TRIAL_ARMS_MAX) return true;
    t->arms[t->arm_count] = t->arm_count == TRIAL_ARMS_MAX - 1 ? STR("other") : name;
    t->arm_count++;
    return name.p != NULL;
}

static bool name_arms(struct trial *t, const struct conf_model *m, struct arena *a) {
    t->arms[TRIAL_BASE] = STR("base");
    t->arms[TRIAL_RIVAL] = k_kinds[t->kind];
    t->arm_count = t->kind == TRIAL_AB ? 0 : 2;
    for (size_t i = 0; t->kind == TRIAL_AB && i < m->targets.n; i++)
        if (!add_arm(t, name_of_arm(&m->targets.p[i], a))) return false;
    return true;
}

static void rules_fill(struct canary_rules *r, const struct conf_canary *c) {
    *r = (struct canary_rules){.steps = c->share_count,
                               .every_ns = c->every * (int64_t)NS_PER_MS,
                               .min_requests = (uint64_t)c->min_requests,
                               .max_error_increase = (double)c->max_error_increase / 1e6,
                               .max_quality_drop = (double)c->max_quality_drop / 1e6,
                               .significance = (double)c->significance / 1e6};
    for (size_t i = 0; i < c->share_count; i++) r->shares[i] = (uint32_t)c->shares[i];
}

static struct trial *make(struct trials *all, enum trial_kind kind, const struct conf_model *m,
                          const struct trial_key *key) {
    struct trial *t = ARENA_NEW(&all->arena, struct trial);
    if (!t) return NULL;
    t->kind = kind;
    t->key = (struct trial_key){k_kinds[kind], arena_str(&all->arena, key->level), arena_str(&all->arena, key->model),
                                arena_str(&all->arena, key->mark)};
    struct str rival = kind == TRIAL_CANARY ? m->canary.model : kind == TRIAL_SHADOW ? m->shadow.model : STR("");
    t->rival = arena_str(&all->arena, rival);
    t->place = hash_bytes(t->key.model, hash_bytes(t->key.mark, 7));
    if (kind == TRIAL_CANARY) rules_fill(&t->rules, &m->canary);
    t->step_count = kind == TRIAL_CANARY ? t->rules.steps : 1;
    if (!t->key.level.p || !t->key.model.p || !t->key.mark.p || !t->rival.p || !name_arms(t, m, &all->arena))
        return NULL;
    t->counts = mem_zalloc(t->arm_count * t->step_count, sizeof *t->counts);
    if (!t->counts) return NULL;
    mutex_init(&t->lock);
    t->next = all->first;
    all->first = t;
    all->count++;
    return t;
}

bool trials_get(struct trials *all, enum trial_kind kind, const struct conf_model *model,
                const struct conf_tenant *level, struct trial **out_trial, struct err *err) {
    BUF_AUTO struct buf at = BUF_INIT(4096), mark = BUF_INIT(65536), whole = BUF_INIT(131072);
    *out_trial = NULL;
    if (!all || !is_wanted(kind, model)) return true;
    put_level(&at, level);
    put_mark(&mark, kind, model);
    shorten_mark(&mark);
    const struct trial_key key = {k_kinds[kind], buf_str(&at), model->name, buf_str(&mark)};
    buf_printf(&whole, "%.*s|%.*s|%.*s|%.*s", STR_ARG(key.kind), STR_ARG(key.level), STR_ARG(key.model),
               STR_ARG(key.mark));
    if (at.failed || mark.failed || whole.failed) return err_no_memory(err);
    mutex_lock(&all->lock);
    struct trial *t = map_get(&all->known, buf_str(&whole));
    bool full = !t && all->count == TRIALS_MAX;
    if (!t && !full) {
        struct str name = arena_str(&all->arena, buf_str(&whole));
        t = name.p ? make(all, kind, model, &key) : NULL;
        if (t && !map_put(&all->known, name, t)) t = NULL; // it stays, unused, until the end
    }
    mutex_unlock(&all->lock);
    if (full) return err_set(err, ERR_CONFIG_INVALID, "too many canaries, shadows and experiments since the start");
    if (!t) return err_no_memory(err);
    *out_trial = t;
    return true;
}

// --- what calls ask of it ---

uint32_t trial_share(const struct trial *t) { return atomic_load_explicit(&t->share, memory_order_relaxed); }
unsigned trial_step(const struct trial *t) { return atomic_load_explicit(&t->step, memory_order_relaxed); }
uint64_t trial_place(const struct trial *t) { return t->place; }

unsigned trial_arm_of(const struct trial *t, const struct conf_target *target) {
    char text[512];
    struct str name = target->arm;
    if (!name.n) {
        int n = snprintf(text, sizeof text, "%.*s/%.*s", STR_ARG(target->provider), STR_ARG(target->model));
        name = str_of(text, MIN((size_t)MAX(n, 0), sizeof text - 1));
    }
    for (unsigned i = 0; i < t->arm_count; i++)
        if (str_eq(t->arms[i], name)) return i;
    return (unsigned)(t->arm_count - 1);
}

bool trial_take(struct trial *t, uint32_t most) {
    uint32_t now = atomic_fetch_add(&t->in_flight, 1);
    if (now < most) return true;
    atomic_fetch_sub(&t->in_flight, 1);
    return false;
}

void trial_give(struct trial *t) { atomic_fetch_sub(&t->in_flight, 1); }

void trial_note(struct trial *t, const struct trial_note *note) {
    // Nothing is of a step that is still to come, but what is left of a course that was begun anew.
    if (note->arm >= t->arm_count || note->step > trial_step(t)) return;
    mutex_lock(&t->lock);
    struct trial_arm *a = &t->counts[note->arm * t->step_count + note->step];
    a->requests += !note->late;
    a->errors += note->failed && !note->late;
    if (note->ns && !note->failed) a->times[trial_time_slot(note->ns / NS_PER_US)]++;
    a->priced += note->priced;
    a->cost_nano += note->priced ? note->cost_nano : 0;
    a->judged += note->judged;
    if (note->judged) a->quality += (uint64_t)(MIN(MAX(note->quality, 0.0), 1.0) * 1e6 + 0.5);
    t->dirty = true;
    mutex_unlock(&t->lock);
}
