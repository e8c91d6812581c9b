// Saves what was used of budgets, and tells when thresholds are reached.
#include "access/quota_impl.h"

#include "base/mem.h"
#include "base/vec.h"
#include "os/clock.h"

#define SAVE_EVERY_NS (INT64_C(10) * (int64_t)NS_PER_SEC)
#define PRUNE_EVERY_NS (INT64_C(3600) * (int64_t)NS_PER_SEC)

struct due {
    const struct quota_budget *budget;
    struct quota_window *window;
    struct budget_use use;
    int64_t end;
    bool tell; // use.told is a threshold to be told
    bool first;
};
struct saving {
    VEC(struct due) dues;
    bool all; // what was used is due for saving, not only what has reached a threshold
    int64_t now_ns;
    const struct quota_listener *listener;
};

__extension__ typedef unsigned __int128 wide;

// The highest threshold that so much use has reached; 0 = none.
static unsigned reached(const struct quota_budget *b, uint64_t used, bool refused) {
    unsigned percent = 0;
    for (unsigned i = 0; i < b->n_notify; i++) {
        bool over = b->limit && (wide)used * 100 >= (wide)b->limit * b->notify_at[i];
        if (over || (refused && b->notify_at[i] <= 100)) percent = b->notify_at[i];
    }
    return percent;
}

// Concurrency has no period: it is told once an hour, and what is remembered says in which.
#define HOUR_NS ((int64_t)NS_PER_SEC * 3600)
#define TOLD_BITS 10

static void look_at_once(struct saving *s, struct due *d, struct quota_window *w) {
    uint64_t hour = (uint64_t)(s->now_ns / HOUR_NS), was = atom_load_relaxed(&w->told);
    d->use.used = MAX(quota_window_used(w), atom_load_relaxed(&w->all_reserved));
    d->use.period_start = (int64_t)hour * HOUR_NS;
    d->end = d->use.period_start + HOUR_NS;
    d->use.told = reached(d->budget, d->use.used, __atomic_exchange_n(&w->refused, 0, __ATOMIC_RELAXED) != 0);
    d->tell = d->use.told > (was >> TOLD_BITS == hour ? was & ((1u << TOLD_BITS) - 1) : 0);
}

static bool look_at(struct saving *s, const struct quota_budget *b, struct quota_window *w) {
    struct due d = {.budget = b,
                    .window = w,
                    .end = (int64_t)atom_load_relaxed(&w->end),
                    .use = {.tenant_id = b->tenant_id,
                            .budget_id = b->id,
                            .period_start = (int64_t)atom_load_relaxed(&w->start),
                            .used = quota_window_settled(w)}};
    bool save = false;
    if (b->metric == BUDGET_CONCURRENCY) {
        look_at_once(s, &d, w);
    } else {
        unsigned told = (unsigned)atom_load_relaxed(&w->told);
        d.use.told = MAX(told, reached(b, d.use.used, atom_load_relaxed(&w->refused) != 0));
        d.tell = d.use.told > told;
        // Minutes and hours come and go: what they used is nowhere asked for again.
        bool lasts = b->period != BUDGET_MINUTE && b->period != BUDGET_HOUR;
        save = lasts && s->all && atom_load_relaxed(&w->saved) != d.use.used;
    }
    return (!d.tell && !save) || vec_push(&s->dues, d);
}

static bool look_at_all(struct saving *s, const struct quota_index *index) {
    for (size_t i = 0; i < index->n; i++) {
        const struct quota_budget *b = &index->budgets[i];
        uint64_t number = atom_load(&b->counter->number);
        // The period before may have reached a threshold in its last second.
        if (number > QUOTA_WINDOWS && !look_at(s, b, quota_window_at(b->counter, number - 1))) return false;
        if (!look_at(s, b, quota_window_at(b->counter, number))) return false;
    }
    return true;
}

static struct quota_notice notice_of(const struct due *d) {
    return (struct quota_notice){.budget = d->budget,
                                 .percent = d->use.told,
                                 .used = d->use.used,
                                 .period_start = d->use.period_start,
                                 .period_end = d->end};
}

static bool write_all(struct saving *s, struct sql *db, int64_t now_ns, struct err *err) {
    for (size_t i = 0; i < s->dues.n; i++) {
        struct due *d = &s->dues.p[i];
        struct sql_scope scope = sql_tenant(db, d->use.tenant_id);
        bool ok = d->tell ? budget_use_tell(scope, &d->use, now_ns, &d->first, err)
                          : budget_use_save(scope, &d->use, now_ns, err);
        struct quota_notice notice = notice_of(d);
        if (ok && d->tell && d->first && s->listener->record)
            ok = s->listener->record(s->listener->arg, db, &notice, err);
        if (!ok) return false;
    }
    return true;
}

static bool write_in_one(struct saving *s, struct sql *db, int64_t now_ns, struct err *err) {
    if (s->dues.n == 0) return true;
    if (!sql_begin(db, err)) return false;
    if (write_all(s, db, now_ns, err)) return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

static void tell_all(const struct saving *s) {
    for (size_t i = 0; i < s->dues.n; i++) {
        const struct due *d = &s->dues.p[i];
        struct quota_window *w = d->window;
        if (d->budget->metric == BUDGET_CONCURRENCY) {
            if (d->tell) atom_store_relaxed(&w->told, (uint64_t)(s->now_ns / HOUR_NS) << TOLD_BITS | d->use.told);
        } else if ((int64_t)atom_load_relaxed(&w->start) == d->use.period_start) { // else another period began in it
            if (d->tell) atom_store_relaxed(&w->told, d->use.told);
            atom_store_relaxed(&w->saved, d->use.used);
        }
        if (!d->tell || !d->first) continue;
        struct quota_notice notice = notice_of(d);
        s->listener->told(s->listener->arg, &notice);
    }
}

static bool recount(const struct quota_budget *b, struct sql *db, struct err *err) {
    uint64_t number = atom_load(&b->counter->number), used;
    struct quota_window *w = quota_window_at(b->counter, number);
    struct budget_row row = {.tenant_id = b->tenant_id,
                             .scope = b->scope,
                             .scope_id = b->scope_id,
                             .scope_text = b->scope_text,
                             .metric = b->metric};
    int64_t start = (int64_t)atom_load_relaxed(&w->start), end = (int64_t)atom_load_relaxed(&w->end);
    if (!budget_used(db, &row, start, end, &used, err)) return false;
    // What this process has settled is there first, and in the ledger a moment later.
    uint64_t settled = atom_load_relaxed(&w->settled);
    if (used <= settled || atom_load(&b->counter->number) != number) return true;
    atom_add_relaxed(&w->used, used - settled);
    atom_add_relaxed(&w->settled, used - settled);
    return true;
}

bool quota_recount(struct quota *quota, struct sql *db, struct err *err) {
    uint64_t generation;
    struct quota_index *index = quota_current(quota, &generation);
    bool ok = true;
    for (size_t i = 0; ok && i < index->n; i++) ok = recount(&index->budgets[i], db, err);
    quota_index_unref(index);
    return ok;
}

bool quota_save(struct quota *quota, struct sql *db, int64_t now_ns, const struct quota_listener *listener,
                struct err *err) {
    uint64_t generation;
    struct quota_index *index = quota_current(quota, &generation);
    struct saving s = {.all = now_ns - quota->saved_at >= SAVE_EVERY_NS || now_ns < quota->saved_at,
                       .now_ns = now_ns,
                       .listener = listener};
    bool ok = look_at_all(&s, index) || err_no_memory(err);
    ok = ok && write_in_one(&s, db, now_ns, err);
    if (ok) tell_all(&s);
    if (ok && s.all) quota->saved_at = now_ns;
    vec_free(&s.dues);
    quota_index_unref(index);
    if (!ok || (now_ns - quota->pruned_at < PRUNE_EVERY_NS && now_ns >= quota->pruned_at)) return ok;
    quota->pruned_at = now_ns;
    return budget_use_prune(db, now_ns, err);
}
