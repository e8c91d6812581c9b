// Requests against budgets: which apply, and the adding, settling and giving back on their counters.
#include "access/quota.h"

#include "access/quota_impl.h"
#include "base/mem.h"
#include "os/clock.h"

#include <stdio.h>

// --- Seats --------------------------------------------------------------------------------------------------------

// An index as one seat uses it: it stays while it is the seat's current one or a grant counts in it.
struct quota_hold {
    struct quota_index *index;
    uint64_t grants;
    bool current;
};

static void hold_release(struct quota_hold *hold) {
    if (hold->current || hold->grants) return;
    quota_index_unref(hold->index);
    mem_free(hold);
}

void quota_seat_init(struct quota_seat *seat, struct quota *quota) { *seat = (struct quota_seat){.quota = quota}; }

void quota_seat_free(struct quota_seat *seat) {
    if (!seat->hold) return;
    seat->hold->current = false;
    hold_release(seat->hold);
    seat->hold = NULL;
}

// Without memory the seat stays with what it has.
COLD static void seat_renew(struct quota_seat *seat) {
    struct quota_hold *hold = mem_zalloc(1, sizeof *hold);
    if (!hold) return;
    hold->index = quota_current(seat->quota, &seat->generation);
    hold->current = true;
    if (seat->hold) {
        seat->hold->current = false;
        hold_release(seat->hold);
    }
    seat->hold = hold;
}

// --- Which apply --------------------------------------------------------------------------------------------------

struct match {
    const struct quota_index *index;
    struct quota_grant *grant;
    const struct quota_ask *ask;
    int64_t now_ns;
};

static uint64_t amount_of(enum budget_metric metric, const struct quota_ask *ask) {
    switch (metric) {
    case BUDGET_REQUESTS:
        return ask->requests;
    case BUDGET_TOKENS:
        return ask->tokens;
    case BUDGET_COST:
        return ask->cost_nano;
    case BUDGET_CONCURRENCY:
    case BUDGET_METRIC_COUNT:
        break;
    }
    return 1;
}

static void add_part(struct match *m, const struct quota_budget *b) {
    struct quota_grant *g = m->grant;
    if (UNLIKELY(g->n >= QUOTA_GRANT_MAX)) {
        g->n = QUOTA_GRANT_MAX + 1;
        return;
    }
    g->parts[g->n++] = (struct quota_part){
        .budget = b, .window = quota_counter_window(b->counter, m->now_ns), .amount = amount_of(b->metric, m->ask)};
}

static void add_group(struct match *m, int64_t tenant, unsigned scope, int64_t id, struct str text) {
    const struct quota_group *g = quota_index_find(m->index, tenant, scope, id, text);
    for (size_t i = 0; g && i < g->n; i++) add_part(m, &m->index->budgets[g->first + i]);
}

static void add_patterns(struct match *m, int64_t tenant, struct str model) {
    const struct quota_group *g = quota_index_find(m->index, tenant, QUOTA_PATTERNS, 0, STR(""));
    for (size_t i = 0; g && i < g->n; i++) {
        const struct quota_budget *b = &m->index->budgets[g->first + i];
        if (str_starts(model, str_head(b->scope_text, b->scope_text.n - 1))) add_part(m, b);
    }
}

static void match_all(struct match *m, const struct quota_subject *s, unsigned scopes) {
    static const struct str none = STR_INIT("");
    if (scopes & 1u << BUDGET_SCOPE_TENANT) add_group(m, s->tenant, BUDGET_SCOPE_TENANT, 0, none);
    if (scopes & 1u << BUDGET_SCOPE_TEAM && s->team) add_group(m, s->tenant, BUDGET_SCOPE_TEAM, s->team, none);
    if (scopes & 1u << BUDGET_SCOPE_PROJECT && s->project)
        add_group(m, s->tenant, BUDGET_SCOPE_PROJECT, s->project, none);
    if (scopes & 1u << BUDGET_SCOPE_USER && s->owner_kind == PRINCIPAL_USER)
        add_group(m, s->tenant, BUDGET_SCOPE_USER, s->owner_id, none);
    if (scopes & 1u << BUDGET_SCOPE_SERVICE_ACCOUNT && s->owner_kind == PRINCIPAL_SERVICE_ACCOUNT)
        add_group(m, s->tenant, BUDGET_SCOPE_SERVICE_ACCOUNT, s->owner_id, none);
    if (scopes & 1u << BUDGET_SCOPE_KEY && s->key) add_group(m, s->tenant, BUDGET_SCOPE_KEY, s->key, none);
    if (scopes & 1u << BUDGET_SCOPE_MODEL && s->model.n) add_group(m, s->tenant, BUDGET_SCOPE_MODEL, 0, s->model);
    if (scopes & 1u << QUOTA_PATTERNS) add_patterns(m, s->tenant, s->model);
    if (scopes & 1u << BUDGET_SCOPE_TAG)
        for (size_t i = 0; i < s->n_tags && i < QUOTA_TAGS_MAX; i++)
            if (s->tags[i].n) add_group(m, s->tenant, BUDGET_SCOPE_TAG, 0, s->tags[i]);
}

static bool seat_ready(struct quota_seat *seat) {
    if (!seat->quota) return false;
    if (UNLIKELY(atom_load(&seat->quota->generation) != seat->generation)) seat_renew(seat);
    return LIKELY(seat->hold != NULL);
}

bool quota_wants_tags(struct quota_seat *seat, int64_t tenant) {
    return seat_ready(seat) && quota_index_scopes(seat->hold->index, tenant) & 1u << BUDGET_SCOPE_TAG;
}

bool quota_match(struct quota_seat *seat, const struct quota_subject *subject, const struct quota_ask *ask,
                 int64_t now_ns, struct quota_grant *out_grant) {
    out_grant->hold = NULL;
    out_grant->n = 0;
    out_grant->held = false;
    if (!seat_ready(seat)) return false;
    unsigned scopes = quota_index_scopes(seat->hold->index, subject->tenant);
    if (!scopes) return false;
    struct match m = {.index = seat->hold->index, .grant = out_grant, .ask = ask, .now_ns = now_ns};
    match_all(&m, subject, scopes);
    if (out_grant->n == 0) return false;
    out_grant->hold = seat->hold;
    seat->hold->grants++;
    return true;
}

// --- Taking and giving back ---------------------------------------------------------------------------------------

static void part_add(const struct quota_part *p, uint64_t delta) {
    struct quota_window *w = quota_window_find(p->budget->counter, p->window);
    if (w && delta) atom_add_relaxed(&w->used, delta);
}

static void give_back(struct quota_grant *grant, unsigned n) {
    for (unsigned i = 0; i < n; i++) part_add(&grant->parts[i], 0 - grant->parts[i].amount);
}

static unsigned parts_n(const struct quota_grant *grant) { return MIN(grant->n, (unsigned)QUOTA_GRANT_MAX); }

void quota_refuse(const struct quota_grant *grant, unsigned i, uint64_t used, struct quota_refusal *out_refusal) {
    const struct quota_part *p = &grant->parts[i];
    struct quota_window *w = quota_window_at(p->budget->counter, p->window);
    int64_t end = (int64_t)atom_load_relaxed(&w->end);
    uint64_t cap = atom_load_relaxed(&w->cap);
    *out_refusal = (struct quota_refusal){.budget = p->budget,
                                          .used = MAX(used, quota_window_used(w) + atom_load_relaxed(&w->beyond)),
                                          .asked = p->amount,
                                          .resets_at = end == INT64_MAX ? 0 : end,
                                          .by_cap = cap < p->budget->limit && used <= p->budget->limit &&
                                                    p->amount <= p->budget->limit - used};
    if (!out_refusal->by_cap) atom_store_relaxed(&w->refused, 1);
}

// What only notifies never refuses, and a budget does not stop the model that it sends requests to.
static bool is_limit(const struct quota_budget *b, struct str model) {
    if (b->action == BUDGET_NOTIFY) return false;
    return b->action != BUDGET_DOWNGRADE || !str_eq(b->downgrade_to, model);
}

bool quota_take(struct quota_grant *grant, struct str model, struct quota_refusal *out_refusal) {
    if (UNLIKELY(grant->n > QUOTA_GRANT_MAX)) {
        *out_refusal = (struct quota_refusal){0};
        return false;
    }
    for (unsigned i = 0; i < grant->n; i++) {
        const struct quota_part *p = &grant->parts[i];
        struct quota_window *w = quota_window_at(p->budget->counter, p->window);
        if (!is_limit(p->budget, model)) {
            part_add(p, p->amount);
            continue;
        }
        uint64_t limit = MIN(p->budget->limit, atom_load_relaxed(&w->cap)), used = quota_window_used(w);
        // Looked at first, so that requests at the limit write nothing; others may add at the same time, so after, too.
        bool fits = p->amount <= limit && used <= limit - p->amount;
        if (fits) {
            used = quota_window_counts(w, atom_add_relaxed(&w->used, p->amount) - p->amount);
            fits = used <= limit - p->amount;
            if (UNLIKELY(!fits)) atom_add_relaxed(&w->used, 0 - p->amount);
        }
        if (fits) continue;
        quota_refuse(grant, i, used, out_refusal);
        give_back(grant, i);
        return false;
    }
    grant->held = true;
    return true;
}

void quota_force(struct quota_grant *grant) {
    for (unsigned i = 0; i < parts_n(grant); i++) part_add(&grant->parts[i], grant->parts[i].amount);
    grant->n = parts_n(grant);
    grant->held = true;
}

bool quota_reserve(struct quota_seat *seat, const struct quota_subject *subject, const struct quota_ask *ask,
                   int64_t now_ns, struct quota_grant *out_grant, struct quota_refusal *out_refusal) {
    if (!quota_match(seat, subject, ask, now_ns, out_grant)) return true;
    return quota_take(out_grant, subject->model, out_refusal);
}

void quota_settle(struct quota_grant *grant, const struct quota_ask *used) {
    if (!grant->held) return;
    grant->held = false;
    for (unsigned i = 0; i < grant->n; i++) {
        const struct quota_part *p = &grant->parts[i];
        bool at_once = p->budget->metric == BUDGET_CONCURRENCY;
        uint64_t real = at_once ? 0 : amount_of(p->budget->metric, used);
        struct quota_window *w = quota_window_find(p->budget->counter, p->window);
        if (UNLIKELY(!w)) continue;
        if (real != p->amount) atom_add_relaxed(&w->used, real - p->amount);
        if (real) atom_add_relaxed(&w->settled, real);
    }
}

void quota_refund(struct quota_grant *grant) {
    if (!grant->held) return;
    grant->held = false;
    give_back(grant, grant->n);
}

void quota_close(struct quota_grant *grant) {
    if (!grant->hold) return;
    quota_refund(grant);
    grant->hold->grants--;
    hold_release(grant->hold);
    grant->hold = NULL;
    grant->n = 0;
}
