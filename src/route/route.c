// Choosing targets: from a model's name to the ordered list of upstream models to try.
#include "route/route.h"

static void nearest(struct str name, struct str candidate, struct str *best, size_t *best_distance) {
    size_t d = str_distance(name, candidate, *best_distance);
    if (d < *best_distance) {
        *best = candidate;
        *best_distance = d;
    }
}

struct suggestion {
    const struct conf_tenant *tenant; // only what it may use is suggested
    struct str name, best;
    size_t distance;
};

static void consider(struct suggestion *s, struct str candidate) {
    size_t before = s->distance;
    struct str best = s->best;
    nearest(s->name, candidate, &best, &before);
    if (before == s->distance || !conf_tenant_allows(s->tenant, candidate)) return;
    s->best = best;
    s->distance = before;
}

static struct str suggest(const struct conf *conf, const struct conf_tenant *tenant, struct str name) {
    struct suggestion s = {.tenant = tenant, .name = name, .distance = name.n / 3 + 2};
    for (const struct conf_tenant *t = tenant; t; t = t->up) {
        for (size_t i = 0; i < t->models.n; i++) consider(&s, t->models.p[i].name);
        for (size_t i = 0; i < t->aliases.n; i++) consider(&s, t->aliases.p[i].name);
    }
    for (size_t i = 0; i < conf->models.n; i++) consider(&s, conf->models.p[i].name);
    for (size_t i = 0; i < conf->aliases.n; i++) consider(&s, conf->aliases.p[i].name);
    return s.best;
}

static bool unknown_model(const struct conf *conf, const struct conf_tenant *tenant, struct str name, struct err *err) {
    struct str best = suggest(conf, tenant, name);
    if (best.p)
        err_set(err, ERR_MODEL_NOT_FOUND,
                "there is no model \"%.*s\"; did you mean \"%.*s\"? GET /v1/models lists what there is",
                STR_ARG(str_head(name, 100)), STR_ARG(best));
    else
        err_set(err, ERR_MODEL_NOT_FOUND,
                "there is no model \"%.*s\"; GET /v1/models lists what there is, and \"provider/model\" asks a "
                "provider directly",
                STR_ARG(str_head(name, 100)));
    memcpy(err->param, "model", sizeof "model");
    return false;
}

// Moves the target drawn by weight to the front of its priority group [from, to). All weights are above 0.
static void draw_first(const struct conf_target **list, size_t from, size_t to, uint64_t draw) {
    uint64_t total = 0;
    for (size_t i = from; i < to; i++) total += (uint64_t)list[i]->weight;
    uint64_t at = draw % total;
    size_t pick = from;
    for (; at >= (uint64_t)list[pick]->weight; pick++) at -= (uint64_t)list[pick]->weight;
    const struct conf_target *chosen = list[pick];
    memmove(&list[from + 1], &list[from], (pick - from) * sizeof *list);
    list[from] = chosen;
}

// The targets that are not taken out (weight 0), by priority; of more than fit, the last are left out.
static size_t order_targets(const struct conf_model *model, uint64_t draw,
                            const struct conf_target *list[ROUTE_TARGETS_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < model->targets.n; i++) { // insertion sort: stable, and lists are short
        const struct conf_target *t = &model->targets.p[i];
        if (t->weight <= 0) continue;
        size_t at = n < ROUTE_TARGETS_MAX ? n++ : ROUTE_TARGETS_MAX;
        for (; at > 0 && list[at - 1]->priority > t->priority; at--)
            if (at < ROUTE_TARGETS_MAX) list[at] = list[at - 1];
        if (at < ROUTE_TARGETS_MAX) list[at] = t;
    }
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && list[to]->priority == list[from]->priority;) to++;
        if (to - from > 1) draw_first(list, from, to, draw);
    }
    return n;
}

bool route_resolve(const struct model_catalog *catalog, const struct conf *conf, const struct conf_tenant *tenant,
                   struct str name, uint64_t draw, struct route *out_route, struct err *err) {
    struct conf_choice choice;
    struct route *r = out_route;
    if (!conf_resolve(conf, tenant, name, &choice)) return unknown_model(conf, tenant, name, err);
    r->model = choice.model;
    if (!choice.model) {
        struct model_target of = {.peer = choice.peer, .upstream = choice.upstream};
        r->count = 1;
        r->targets[0] = (struct route_target){choice.peer, choice.upstream, model_price(catalog, conf, tenant, &of)};
        return true;
    }
    const struct conf_target *list[ROUTE_TARGETS_MAX];
    r->count = order_targets(choice.model, draw, list);
    if (r->count == 0)
        return err_set(err, ERR_OVERLOADED, "all targets of model \"%.*s\" are taken out (weight 0)",
                       STR_ARG(str_head(name, 100)));
    for (size_t i = 0; i < r->count; i++) {
        struct model_target of = {choice.model, list[i]->peer, list[i]->model};
        r->targets[i] = (struct route_target){of.peer, of.upstream, model_price(catalog, conf, tenant, &of)};
    }
    return true;
}
