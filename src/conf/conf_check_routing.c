// The rules of routing: what a model leaves unset is the general value, what it names must exist.
#include "conf/conf_impl.h"
#include "conf/opt_value.h"
#include "conf/value.h"

// --- what is inherited ---

static void inherit(int64_t *own, int64_t general) {
    if (*own == OPT_UNSET) *own = general;
}

// All members of these structs are numbers, unset alike.
#define INHERIT_ALL(own, general)                                                                                      \
    for (size_t i = 0; i < sizeof(own) / sizeof(int64_t); i++)                                                         \
    inherit((int64_t *)(void *)&(own) + i, ((const int64_t *)(const void *)&(general))[i])

static void inherit_fallbacks(struct conf_fallbacks *own, const struct conf_fallbacks *general) {
    if (!own->general.n) memcpy(&own->general, &general->general, sizeof own->general);
    if (!own->context_window.n) memcpy(&own->context_window, &general->context_window, sizeof own->context_window);
    if (!own->content_policy.n) memcpy(&own->content_policy, &general->content_policy, sizeof own->content_policy);
    if (!own->timeout.n) memcpy(&own->timeout, &general->timeout, sizeof own->timeout);
    if (!own->rate_limit.n) memcpy(&own->rate_limit, &general->rate_limit, sizeof own->rate_limit);
}

static void inherit_quality(struct conf_quality *own, const struct conf_quality *general) {
    inherit(&own->share, general->share);
    inherit(&own->judge.share, general->judge.share);
    inherit(&own->explore, general->explore);
    if (!own->judge.model.n) own->judge.model = general->judge.model;
    if (!own->retry_on.n) memcpy(&own->retry_on, &general->retry_on, sizeof own->retry_on);
}

static void inherit_routing(struct conf_routing *own, const struct conf_routing *general) {
    INHERIT_ALL(own->retry, general->retry);
    INHERIT_ALL(own->hedge, general->hedge);
    INHERIT_ALL(own->breaker, general->breaker);
    INHERIT_ALL(own->timeouts, general->timeouts);
    INHERIT_ALL(own->balance, general->balance);
    INHERIT_ALL(own->queue, general->queue);
    inherit_quality(&own->quality, &general->quality);
    inherit(&own->min_quality, general->min_quality);
    inherit(&own->max_cost, general->max_cost);
    inherit(&own->continuations, general->continuations);
    inherit_fallbacks(&own->fallbacks, &general->fallbacks);
    if (own->affinity == AFFINITY_INHERIT) own->affinity = general->affinity;
    if (own->coalesce == COALESCE_INHERIT) own->coalesce = general->coalesce;
    if (own->coalesce_billing == COALESCE_BILLING_INHERIT) own->coalesce_billing = general->coalesce_billing;
    if (own->warm == WARM_INHERIT) own->warm = general->warm;
}

// --- names ---

// Whose names they are.
struct naming {
    const struct conf_tenant *tenant;
    const char *where;    // "models[3].", or empty
    const void *fallback; // where it stands
};

static void check_named(struct opt_bind *b, const struct conf *c, const struct naming *by, const char *what,
                        struct str name, const void *at) {
    struct conf_choice choice;
    if (!name.n || conf_resolve(c, by->tenant, name, &choice)) return;
    struct str near = conf_nearest_model(b, c, by->tenant, name);
    conf_complain(b, CONF_ERROR, at, by->fallback, "%s%s: there is no model \"%.*s\"%s%.*s%s", by->where, what,
                  STR_ARG(name), near.n ? "; did you mean \"" : "", STR_ARG(near), near.n ? "\"?" : "");
}

// The same, and it answers by itself.
static void check_asked(struct opt_bind *b, const struct conf *c, const struct naming *by, const char *what,
                        struct str name, const void *at) {
    struct conf_choice choice;
    check_named(b, c, by, what, name, at);
    if (name.n && conf_resolve(c, by->tenant, name, &choice) && choice.model && choice.model->chain.n)
        conf_complain(b, CONF_ERROR, at, by->fallback, "%s%s: \"%.*s\" is a chain, which cannot be asked so", by->where,
                      what, STR_ARG(name));
}

// self: the model whose they are; NULL: all models'.
static void check_fallbacks(struct opt_bind *b, const struct conf *c, const struct naming *by,
                            const struct conf_fallbacks *f, const struct conf_model *self) {
    const struct {
        const char *what;
        const void *list;
    } lists[] = {
        {"routing.fallbacks.general", &f->general},
        {"routing.fallbacks.context_window", &f->context_window},
        {"routing.fallbacks.content_policy", &f->content_policy},
        {"routing.fallbacks.timeout", &f->timeout},
        {"routing.fallbacks.rate_limit", &f->rate_limit},
    };
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        const struct opt_list list = opt_list_at(lists[k].list);
        const struct str *names = list.p;
        for (size_t n = 0; n < list.n; n++) {
            struct conf_choice choice;
            if (str_eq(names[n], STR(CONF_FALLBACK_NONE))) {
                if (list.n > 1)
                    conf_complain(b, CONF_ERROR, &names[n], by->fallback, "%s%s: " CONF_FALLBACK_NONE " stands alone",
                                  by->where, lists[k].what);
                continue;
            }
            check_asked(b, c, by, lists[k].what, names[n], lists[k].list);
            if (self && conf_resolve(c, by->tenant, names[n], &choice) && choice.model == self)
                conf_complain(b, CONF_ERROR, lists[k].list, by->fallback, "%s%s: this is the model itself", by->where,
                              lists[k].what);
        }
    }
}

// --- targets ---

static unsigned tier_bit(struct str name) {
#define TIER(id, word, help)                                                                                           \
    if (str_eq(name, STR(word))) return 1u << TIER_##id;
#include "conf/tier.def"
#undef TIER
    return 0; // its form was refused
}

static void check_condition(struct opt_bind *b, struct conf *c, struct conf_target *t, const char *where, size_t k) {
    struct err err;
    if (!t->when.n || condition_compile(t->when, &c->arena, &t->condition, &err)) return;
    conf_complain(b, CONF_ERROR, &t->when, t, "%stargets[%zu].when: %s", where, k, err.message);
}

static void check_target(struct conf_target *t) {
    for (size_t i = 0; i < t->tiers.n; i++) t->tier_set |= tier_bit(t->tiers.p[i]);
    if (!t->region.n && t->peer) t->region = t->peer->region;
}

// Where somebody reads the scores, or pays for a judge.
static bool goes_by_quality(const struct conf_model *m) {
    const struct conf_routing *p = &m->policy;
    return m->strategy == STRATEGY_QUALITY || (m->strategy == STRATEGY_BALANCED && p->balance.quality > 0) ||
           ((m->strategy == STRATEGY_BALANCED || m->strategy == STRATEGY_COST) && p->min_quality > 0);
}

static void settle_quality(struct conf_model *m) {
    struct conf_quality *q = &m->policy.quality;
    q->leads = goes_by_quality(m);
    if (q->share == OPT_UNSET) q->share = q->leads || q->judge.model.n ? 1000000 : 0;
    for (size_t i = 0; i < q->retry_on.n; i++) {
#define FAULT(id, word, hard, score, help)                                                                             \
    if (str_eq(q->retry_on.p[i], STR(word))) q->retry_set |= 1u << FAULT_##id;
#include "conf/fault.def"
#undef FAULT
    }
}

// k is what holds; own is what was written here.
static void check_breaker(struct opt_bind *b, const struct conf_breaker *k, const struct conf_breaker *own,
                          const char *where, const void *fallback) {
    if (k->max_open >= k->open) return;
    BUF_AUTO struct buf open = BUF_INIT(64), most = BUF_INIT(64);
    value_put_duration(&open, k->open);
    value_put_duration(&most, k->max_open);
    conf_complain(b, CONF_ERROR, opt_mark_find(b, &own->open) ? &own->open : &own->max_open, fallback,
                  "%srouting.breaker: max_open (%.*s) is shorter than open (%.*s)", where, STR_ARG(buf_str(&most)),
                  STR_ARG(buf_str(&open)));
}

// --- what is tried beside it ---

static void check_steps(struct opt_bind *b, struct conf_canary *k, const char *where, const void *fallback) {
    static const int64_t usual[] = {10000, 50000, 250000, 1000000};
    if (!k->steps.n) {
        memcpy(k->shares, usual, sizeof usual);
        k->share_count = ARRAY_LEN(usual);
    }
    for (size_t i = 0; i < k->steps.n && i < CONF_CANARY_STEPS_MAX; i++) {
        int64_t share;
        if (!value_decimal(k->steps.p[i], &share)) return; // its form was refused
        if (i && share <= k->shares[i - 1])
            conf_complain(b, CONF_ERROR, &k->steps, fallback, "%scanary.steps: %.*s does not follow a smaller share",
                          where, STR_ARG(k->steps.p[i]));
        k->shares[i] = share;
        k->share_count = i + 1;
    }
}

// Whether it is given, and its model is not.
static bool lacks_model(struct opt_bind *b, const void *section) {
    const struct conf_node *node = opt_mark_find(b, section);
    return !b->partial && node && node->kind == NODE_MAP && node->n && !conf_node_get(node, STR("model"));
}

// What is said of a canary or a shadow without a model would do nothing.
static void check_tried_model(struct opt_bind *b, const struct naming *by, const struct conf_model *m) {
    if (lacks_model(b, &m->canary))
        conf_complain(b, CONF_ERROR, &m->canary, by->fallback,
                      "%scanary: the key \"model\" is missing: which one is tried?", by->where);
    if (lacks_model(b, &m->shadow))
        conf_complain(b, CONF_ERROR, &m->shadow, by->fallback,
                      "%sshadow: the key \"model\" is missing: which one is asked?", by->where);
}

static void check_tasks(struct opt_bind *b, const struct conf *c, const struct naming *by, const struct conf_model *m) {
    for (size_t k = 0; k < m->tasks.n; k++) {
        const struct opt_pair *task = &m->tasks.p[k];
        struct naming at = *by;
        char what[80];
        at.fallback = task;
        snprintf(what, sizeof what, "tasks.%.*s", STR_ARG(task->name));
        check_named(b, c, &at, what, task->value, &task->value);
    }
}

static void check_tried(struct opt_bind *b, const struct conf *c, const struct naming *by, struct conf_model *m) {
    const struct {
        const char *what;
        const struct str *name;
    } tried[] = {{"canary.model", &m->canary.model}, {"shadow.model", &m->shadow.model}};
    for (size_t i = 0; i < ARRAY_LEN(tried); i++) {
        struct conf_choice choice;
        struct str name = *tried[i].name;
        check_asked(b, c, by, tried[i].what, name, tried[i].name);
        if (name.n && conf_resolve(c, by->tenant, name, &choice) && choice.model == m)
            conf_complain(b, CONF_ERROR, tried[i].name, by->fallback, "%s%s: this is the model itself", by->where,
                          tried[i].what);
    }
    check_tried_model(b, by, m);
    check_steps(b, &m->canary, by->where, by->fallback);
}

void conf_check_routing(struct opt_bind *b, struct conf *c, const struct conf_level *l) {
    for (size_t i = 0; i < l->n_models; i++) {
        struct conf_model *m = &l->models[i];
        char where[160];
        snprintf(where, sizeof where, "%smodels[%zu].", l->where, i);
        const struct naming by = {.tenant = l->tenant, .where = where, .fallback = m};
        m->index = c->model_count++;
        for (size_t k = 0; k < m->targets.n; k++) {
            check_target(&m->targets.p[k]);
            check_condition(b, c, &m->targets.p[k], where, k);
        }
        check_fallbacks(b, c, &by, &m->routing.fallbacks, m);
        conf_check_chain(b, c, l, i);
        check_tasks(b, c, &by, m);
        check_tried(b, c, &by, m);
        m->policy = m->routing;
        inherit_routing(&m->policy, &c->routing);
        settle_quality(m);
        check_asked(b, c, &by, "routing.quality.judge.model", m->routing.quality.judge.model,
                    &m->routing.quality.judge.model);
        check_breaker(b, &m->policy.breaker, &m->routing.breaker, where, m);
    }
}

void conf_check_general_routing(struct opt_bind *b, const struct conf *c) {
    const struct naming by = {.where = "", .fallback = &c->routing};
    check_fallbacks(b, c, &by, &c->routing.fallbacks, NULL);
    check_asked(b, c, &by, "routing.quality.judge.model", c->routing.quality.judge.model,
                &c->routing.quality.judge.model);
    check_breaker(b, &c->routing.breaker, &c->routing.breaker, "", &c->routing);
    conf_check_private_when(b, "routing", c->routing.private_when.p, c->routing.private_when.n,
                            &c->routing.private_when);
}
