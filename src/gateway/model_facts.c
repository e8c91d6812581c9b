// Joins what is known of the targets of a model.
#include "gateway/model_facts.h"

static uint64_t least(uint64_t a, uint64_t b) { return !a || !b ? a + b : MIN(a, b); }

static void join(struct model_entry *all, const struct model_entry *one) {
    all->can &= one->can;
    all->context_window = least(all->context_window, one->context_window);
    all->max_output = least(all->max_output, one->max_output);
    if (!all->deprecated.n || (one->deprecated.n && str_cmp(one->deprecated, all->deprecated) < 0))
        all->deprecated = one->deprecated;
}

static bool is_known(const struct model_entry *e) {
    return e->name.n || e->price.known || e->context_window || e->max_output || e->can;
}

// The targets that are not taken out; that of the lowest priority number is the first.
static bool of_targets(const struct runtime *rt, const struct conf_tenant *tenant, const struct conf_model *model,
                       struct model_entry *out_facts) {
    const struct conf_target *first = NULL;
    struct model_entry one;
    for (size_t i = 0; i < model->targets.n; i++) {
        const struct conf_target *t = &model->targets.p[i];
        if (t->weight > 0 && (!first || t->priority < first->priority)) first = t;
    }
    if (!first) return false;
    (void)model_facts(rt->models, rt->conf, tenant, &(struct model_target){model, first->peer, first->model},
                      out_facts);
    for (size_t i = 0; i < model->targets.n; i++) {
        const struct conf_target *t = &model->targets.p[i];
        if (t->weight <= 0 || t == first) continue;
        (void)model_facts(rt->models, rt->conf, tenant, &(struct model_target){model, t->peer, t->model}, &one);
        join(out_facts, &one);
    }
    return is_known(out_facts);
}

bool model_facts_named(const struct runtime *rt, const struct conf_tenant *tenant, struct str name,
                       struct model_entry *out_facts) {
    struct conf_choice choice;
    if (!conf_resolve(rt->conf, tenant, name, &choice)) return false;
    if (choice.model) return of_targets(rt, tenant, choice.model, out_facts);
    (void)model_facts(rt->models, rt->conf, tenant, &(struct model_target){NULL, choice.peer, choice.upstream},
                      out_facts);
    return is_known(out_facts);
}
