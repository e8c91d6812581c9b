// Choosing targets: from a model's name to the ordered list of upstream models to try.
#include "route/route.h"

#include "model/provider.h"
#include "route/explore.h"
#include "route/filter.h"
#include "route/unserved.h"

// Places that are left to configured fallbacks.
#define FALLBACKS_LEFT 4

// --- prices ---

// Whether somebody between the tenant and the level where the model is configured has prices of their own.
static bool own_prices(const struct conf_tenant *tenant, const struct conf_tenant *level) {
    for (const struct conf_tenant *t = tenant; t && t != level; t = t->up)
        if (t->prices.n) return true;
    return false;
}

static const struct price *price_of(const struct route_ask *ask, const struct route_model *m,
                                    const struct route_node *node) {
    static const struct price unknown = PRICE_UNKNOWN;
    if (!own_prices(ask->tenant, m->level)) return &node->facts->price;
    const struct model_target of = {m->conf, node->conf->peer, node->conf->model};
    struct price *own = arena_alloc(ask->arena, sizeof *own);
    if (!own) return &unknown;
    *own = model_price(ask->table->catalog, ask->table->conf, ask->tenant, &of);
    return own;
}

static const struct model_entry *entry_of(const struct route_ask *ask, const struct conf_provider *provider,
                                          struct str model) {
    return model_catalog_find(ask->table->catalog, provider->preset->name, model);
}

static void direct(const struct route_ask *ask, const struct model_entry *entry, const struct conf_provider *provider,
                   struct str model, struct route_target *out_target) {
    static const struct price unknown = PRICE_UNKNOWN;
    const struct model_target of = {.peer = provider, .upstream = model};
    struct price *price = arena_alloc(ask->arena, sizeof *price);
    if (price) *price = model_price_of(entry, ask->table->conf, ask->tenant, &of);
    *out_target = (struct route_target){.provider = provider,
                                        .model = model,
                                        .price = price ? price : &unknown,
                                        .provider_slot = ask->table->providers[provider->index]};
}

void route_direct(const struct route_ask *ask, const struct conf_provider *provider, struct str model,
                  struct route_target *out_target) {
    direct(ask, entry_of(ask, provider, model), provider, model, out_target);
}

static struct route_target target_of(const struct route_ask *ask, const struct route_model *m,
                                     const struct candidate *c) {
    const struct route_node *node = c->node;
    return (struct route_target){.provider = node->conf->peer,
                                 .model = node->conf->model,
                                 .price = price_of(ask, m, node),
                                 .node = node,
                                 .slot = node->slot,
                                 .provider_slot = node->provider,
                                 .force = c->drop == ROUTE_DROP_KEPT && !c->state.usable,
                                 .last = c->drop != ROUTE_DROP_KEPT};
}

// --- the order ---

static void swap(struct candidate *a, struct candidate *b) {
    struct candidate c = *a;
    *a = *b;
    *b = c;
}

// Those kept to the front, in their order, then those dropped softly; returns how many. *out_soft: how many of those.
static size_t part(struct candidate *list, size_t n, size_t *out_soft) {
    size_t kept = 0, soft = 0;
    for (size_t i = 0; i < n; i++)
        if (list[i].drop == ROUTE_DROP_KEPT) {
            if (i != kept) swap(&list[i], &list[kept]);
            kept++;
        }
    for (size_t i = kept; i < n; i++)
        if (drop_is_soft(list[i].drop)) {
            if (i != kept + soft) swap(&list[i], &list[kept + soft]);
            soft++;
        }
    *out_soft = soft;
    return kept;
}

static bool before(const struct candidate *a, const struct candidate *b) {
    if (a->node->priority != b->node->priority) return a->node->priority < b->node->priority;
    if (a->score != b->score) return a->score < b->score;
    return a->node < b->node; // in the configuration's order
}

// The first `most` to the front in their order; what is behind them is not sorted.
static void select_first(struct candidate *list, size_t n, size_t most) {
    for (size_t i = 1; i < n && most; i++) {
        size_t k = MIN(i, most); // where the sorted ones end
        if (!before(&list[i], &list[k - 1])) continue;
        const struct candidate c = list[i];
        list[i] = list[--k];
        for (; k && before(&c, &list[k - 1]); k--) list[k] = list[k - 1];
        list[k] = c;
    }
}

// Ranks those of each priority among themselves.
static void rank_groups(const struct strategy_ops *ops, const struct strategy_in *in, struct candidate *list,
                        size_t n) {
    if (in->model->one_priority) {
        ops->rank(in, list, n);
        return;
    }
    struct strategy_in each = *in;
    select_first(list, n, n); // by priority, and within one as configured: nobody has a score yet
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && list[to].node->priority == list[from].node->priority;) to++;
        ops->rank(&each, list + from, to - from);
        each.look = true; // a request is one turn, however many priorities there are
    }
}

// Those that would rather not be taken before those that are out: these may well refuse.
static void order_rest(struct candidate *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (list[i].drop >= ROUTE_DROP_UNHEALTHY) list[i].score = 1e9;
    select_first(list, n, n);
}

static void weigh_one(const struct route_ask *ask, const struct strategy_ops *wants, const struct route_model *m,
                      struct candidate *c) {
    if (wants->wants_cost && ask->need) {
        c->priced = price_cost(price_of(ask, m, c->node), &ask->need->expected, &c->cost_nano);
    }
    if (wants->wants_quality && ask->need)
        c->quality = (double)board_quality(c->node->slot, (unsigned)ask->need->task, ask->now_ns);
    if (wants->wants_first_token) c->first_token_ns = board_first_token_ns(c->node->slot, ask->now_ns);
    if (wants->wants_tokens_share) c->tokens_share = board_tokens_share(c->node->slot, ask->now_ns);
}

// Looks up of those kept what the strategy goes by; who traces wants to see all of it.
static void weigh(const struct route_ask *ask, const struct strategy_ops *ops, const struct route_model *m, bool trace,
                  struct candidate *list) {
    static const struct strategy_ops all = {
        .wants_cost = true, .wants_quality = true, .wants_first_token = true, .wants_tokens_share = true};
    const struct strategy_ops *wants = trace ? &all : ops;
    if (!wants->wants_cost && !wants->wants_quality && !wants->wants_first_token && !wants->wants_tokens_share) return;
    for (size_t i = 0; i < m->count; i++)
        if (list[i].drop == ROUTE_DROP_KEPT) weigh_one(ask, wants, m, &list[i]);
}

static void trace_fill(const struct route_ask *ask, struct route_trace *trace, const struct candidate *list, size_t n,
                       size_t kept) {
    memcpy(trace->candidates, list, n * sizeof *list);
    for (size_t i = 0; i < n; i++) route_node_view(list[i].node, ask->now_ns, &trace->views[i]);
    trace->count = n;
    trace->kept = kept;
}

// One of a sorted list to its front, where it counts as kept.
static void bring_first(struct candidate *list, size_t at) {
    const struct candidate c = list[at];
    memmove(list + 1, list, at * sizeof *list);
    list[0] = c;
    list[0].drop = ROUTE_DROP_KEPT;
}

// Appends up to `room` of a model's targets to a route. How many were added.
static size_t add_targets(const struct route_ask *ask, struct route_model *m, bool lenient, size_t room,
                          struct candidate *list, struct route_trace *trace, struct route *r) {
    static const struct route_need nothing = {.tier = TIER_SIMPLE};
    const struct strategy_ops *ops = strategy_get((enum conf_strategy)m->conf->strategy);
    struct strategy_in in = {
        .model = m, .need = ask->need ? ask->need : &nothing, .draw = ask->draw, .look = ask->look};
    const struct filter_in filter = {.model = m, .need = ask->need, .now_ns = ask->now_ns, .lenient = lenient};
    size_t soft;
    filter_targets(&filter, list);
    weigh(ask, ops, m, trace != NULL, list);
    if (ops->sift && ask->need) ops->sift(&in, list, m->count);
    size_t kept = part(list, m->count, &soft);
    in.all = kept == m->count;
    if (kept) rank_groups(ops, &in, list, kept);
    select_first(list, kept, trace ? kept : room);
    order_rest(list + kept, soft);
    if (trace) trace_fill(ask, trace, list, m->count, kept);
    size_t n = MIN(kept + soft, room), tried = 0;
    bool due = explore_is_due(&in);
    // What stands in for what failed is not the place to try anything.
    if ((due || trace) && n && !r->count && ask->need) tried = explore_choose(&in, list, kept + soft, ask->now_ns);
    if (trace) trace->explores = tried > 0;
    if (due && tried) {
        bring_first(list, tried);
        r->explored = true;
    }
    for (size_t i = 0; i < n; i++) r->targets[r->count++] = target_of(ask, m, &list[i]);
    return n;
}

// --- a name ---

struct route_model *route_model_find(const struct route_table *table, const struct conf_tenant *tenant,
                                     struct str name) {
    struct conf_choice choice;
    bool found = conf_resolve(table->conf, tenant, name, &choice) && choice.model;
    return found ? &table->models[choice.model->index] : NULL;
}

static enum route_drop why_not(const struct model_entry *entry, const struct conf_provider *provider,
                               const struct route_need *need, bool lenient) {
    struct model_need model = need->model;
    if (model.can) model.can &= ~provider_lends(provider);
    return filter_facts(entry, &model, lenient);
}

// A provider's model by its name: nothing is known against it but what the catalogue has. Whoever asks for just this
// one is not kept from it by what the catalogue does not know.
static bool resolve_direct(const struct route_ask *ask, struct str name, const struct conf_choice *choice,
                           struct route *r, struct err *err) {
    if (!filter_provider(choice->peer, ask->need)) return route_kept_in(ask, name, choice->peer, err);
    const struct model_entry *entry = entry_of(ask, choice->peer, choice->upstream);
    if (entry && ask->need && why_not(entry, choice->peer, ask->need, !ask->sure) != ROUTE_DROP_KEPT)
        return route_unable(ask, name, choice->peer, entry, err);
    direct(ask, entry, choice->peer, choice->upstream, &r->targets[0]);
    r->count = 1;
    return true;
}

bool route_resolve(const struct route_ask *ask, struct str name, struct route *out_route, struct route_trace *trace,
                   struct err *err) {
    struct candidate list[ROUTE_NODES_MAX];
    struct conf_choice choice;
    struct route *r = out_route;
    if (!conf_resolve(ask->table->conf, ask->tenant, name, &choice)) return route_unknown(ask, name, err);
    r->model = choice.model;
    r->stands_for = NULL;
    r->routed = NULL;
    r->count = 0;
    r->considered = 1;
    r->fallen = r->explored = false;
    if (trace) trace->count = trace->kept = trace->explores = 0;
    if (!choice.model) return resolve_direct(ask, name, &choice, r, err);
    if (choice.model->chain.n)
        return err_set(err, ERR_NO_TARGET, "model \"%.*s\" is a chain of steps, and has no targets",
                       STR_ARG(str_head(name, 100)));
    r->routed = &ask->table->models[choice.model->index];
    r->considered = r->routed->count;
    if (add_targets(ask, r->routed, false, ROUTE_OWN_MAX, list, trace, r)) return true;
    bool too_long = true;
    for (size_t i = 0; i < r->routed->count; i++)
        too_long = too_long && (list[i].drop == ROUTE_DROP_CONTEXT || list[i].drop == ROUTE_DROP_WEIGHT);
    if (route_fall_back(ask, too_long ? FAILURE_CONTEXT_WINDOW : FAILURE_NONE, r)) return true;
    r->fallen = false;
    // Before it is refused, those are asked of which nobody knows whether they can.
    if (!ask->sure && add_targets(ask, r->routed, true, ROUTE_OWN_MAX, list, trace, r)) return true;
    return route_unserved(ask, name, r->routed, list, err);
}

// --- in the place of what failed ---

// A provider's model by its name in the place of others: nothing that the request needs may be known to be missing.
static bool can_stand_in(const struct route_ask *ask, const struct conf_choice *choice) {
    if (!ask->need) return true;
    if (!filter_provider(choice->peer, ask->need)) return false;
    const struct model_entry *entry = entry_of(ask, choice->peer, choice->upstream);
    return !entry || why_not(entry, choice->peer, ask->need, false) == ROUTE_DROP_KEPT;
}

static bool is_same(const struct route_target *a, const struct route_target *b) {
    return a->provider == b->provider && str_eq(a->model, b->model);
}

// What has failed, or is to be asked, is not asked a second time under another name.
static void drop_doubles(struct route *route, size_t from) {
    size_t kept = from;
    for (size_t i = from; i < route->count; i++) {
        bool known = false;
        for (size_t k = 0; k < kept && !known; k++) known = is_same(&route->targets[k], &route->targets[i]);
        if (!known) route->targets[kept++] = route->targets[i];
    }
    route->count = kept;
}

// Of the places that are left, as many as leave one to each that may come after.
static size_t room_before(const struct route *route, size_t later) {
    size_t left = ROUTE_TARGETS_MAX - route->count;
    return MIN(left > later ? left - later : 1, (size_t)ROUTE_OWN_MAX);
}

// later: places that are left to others.
static bool add_models(const struct route_ask *ask, const struct str *names, size_t count, size_t later,
                       struct route *route) {
    struct candidate list[ROUTE_NODES_MAX];
    size_t before_them = route->count;
    for (size_t i = 0; i < count && route->count < ROUTE_TARGETS_MAX; i++) {
        struct conf_choice choice;
        struct route_ask each = *ask;
        size_t from = route->count, room = room_before(route, later + count - i - 1);
        if (!conf_tenant_allows(ask->tenant, names[i])) continue;
        if (!conf_resolve(ask->table->conf, ask->tenant, names[i], &choice)) continue;
        if (ask->need_for) each.need = ask->need_for(ask->call, names[i]);
        if (choice.model)
            (void)add_targets(&each, &ask->table->models[choice.model->index], false, room, list, NULL, route);
        else if (can_stand_in(&each, &choice))
            route_direct(&each, choice.peer, choice.upstream, &route->targets[route->count++]);
        drop_doubles(route, from);
    }
    return route->count > before_them;
}

bool route_fall_back_on(const struct route_ask *ask, const struct str *names, size_t count, struct route *route) {
    return add_models(ask, names, count, FALLBACKS_LEFT, route);
}

bool route_fall_back(const struct route_ask *ask, enum failure failure, struct route *route) {
    if (route->fallen || !route->model) return false;
    const struct conf_model *whose = route->stands_for ? route->stands_for : route->model;
    const struct conf_fallbacks *f = &whose->policy.fallbacks;
    const struct str *names = f->general.p;
    size_t n = f->general.n;
    if (failure == FAILURE_CONTEXT_WINDOW && f->context_window.n)
        names = f->context_window.p, n = f->context_window.n;
    else if (failure == FAILURE_CONTENT_POLICY)
        names = f->content_policy.p, n = f->content_policy.n; // others may refuse it too: only where it is wanted
    else if (failure_is_timeout(failure) && f->timeout.n)
        names = f->timeout.p, n = f->timeout.n;
    else if (failure == FAILURE_RATE_LIMIT && f->rate_limit.n)
        names = f->rate_limit.p, n = f->rate_limit.n;
    route->fallen = true;
    if (n && str_eq(names[0], STR(CONF_FALLBACK_NONE))) n = 0;
    return add_models(ask, names, n, 0, route);
}
