// Joins what the catalogue and the configuration say of a target.
#include "model/facts.h"

static const struct model_entry *entry_of(const struct model_catalog *catalog, const struct model_target *of) {
    if (of->model && of->model->base.n) return model_catalog_get(catalog, of->model->base);
    return model_catalog_find(catalog, of->peer->preset->name, of->upstream);
}

static struct price list_price(const struct model_entry *entry, const struct conf_provider *peer) {
    static const struct price unknown = PRICE_UNKNOWN;
    if (peer->kind != PROVIDER_DEMO && !peer->preset->local_port) return entry ? entry->price : unknown;
    struct price own = unknown;
    own.rates.input = own.rates.output = 0;
    own.source = PRICE_FROM_TABLE;
    price_settle(&own);
    return own;
}

// What one level says: the price by name, over it that of the model when it is of this level.
static void price_level(struct price *price, const struct conf *conf, const struct conf_tenant *tenant,
                        const struct model_target *of) {
    const struct conf_price *named = conf_price_find(conf, tenant, of->peer->name, of->upstream);
    if (!named && of->model) named = conf_price_find(conf, tenant, STR_NONE, of->model->name);
    price_overlay(price, named);
    const struct conf_model *m = of->model, *list = tenant ? tenant->models.p : conf->models.p;
    size_t n = tenant ? tenant->models.n : conf->models.n;
    if (m && list && m >= list && m < list + n) price_overlay(price, &m->price);
}

static void price_levels(struct price *price, const struct conf *conf, const struct conf_tenant *tenant,
                         const struct model_target *of) {
    const struct conf_tenant *chain[CONF_CHAIN_DEPTH];
    size_t n = 0;
    for (const struct conf_tenant *t = tenant; t && n < CONF_CHAIN_DEPTH; t = t->up) chain[n++] = t;
    price_level(price, conf, NULL, of);
    while (n) price_level(price, conf, chain[--n], of);
}

struct price model_price_of(const struct model_entry *entry, const struct conf *conf, const struct conf_tenant *tenant,
                            const struct model_target *of) {
    struct price price = list_price(entry, of->peer);
    price_levels(&price, conf, tenant, of);
    return price;
}

struct price model_price(const struct model_catalog *catalog, const struct conf *conf, const struct conf_tenant *tenant,
                         const struct model_target *of) {
    return model_price_of(entry_of(catalog, of), conf, tenant, of);
}

static void facts_overlay(struct model_entry *e, const struct conf_model *m) {
    unsigned bit;
    if (m->context_window != OPT_UNSET) e->context_window = (uint64_t)m->context_window;
    if (m->max_output != OPT_UNSET) e->max_output = (uint64_t)m->max_output;
    if (e->context_window && e->max_output > e->context_window) e->max_output = e->context_window;
    if (!m->capabilities.n) return;
    e->can = MODEL_CAN_STREAMING; // which goes without saying
    for (size_t i = 0; i < m->capabilities.n; i++)
        if (model_can_parse(m->capabilities.p[i], &bit)) e->can |= bit;
    e->cannot = ~e->can;
}

bool model_facts(const struct model_catalog *catalog, const struct conf *conf, const struct conf_tenant *tenant,
                 const struct model_target *of, struct model_entry *out_facts) {
    const struct model_entry *entry = entry_of(catalog, of);
    *out_facts = entry ? *entry : (struct model_entry){.price = PRICE_UNKNOWN};
    out_facts->price = list_price(entry, of->peer);
    price_levels(&out_facts->price, conf, tenant, of);
    if (of->model) facts_overlay(out_facts, of->model);
    return entry != NULL;
}

// --- by name ---

static uint64_t least(uint64_t a, uint64_t b) { return !a || !b ? a + b : MIN(a, b); }

static void join(struct model_entry *all, const struct model_entry *one) {
    all->can &= one->can;
    all->context_window = least(all->context_window, one->context_window);
    all->max_output = least(all->max_output, one->max_output);
    if (!all->deprecated.n || (one->deprecated.n && str_cmp(one->deprecated, all->deprecated) < 0))
        all->deprecated = one->deprecated;
}

// The targets that are not taken out; that of the lowest priority number is the first.
static bool of_targets(const struct model_catalog *catalog, const struct conf *conf, const struct conf_tenant *tenant,
                       const struct conf_model *model, struct model_named *out_named) {
    struct model_entry *facts = &out_named->facts;
    const struct conf_target *first = NULL;
    struct model_entry one;
    for (size_t i = 0; i < model->targets.n; i++) {
        const struct conf_target *t = &model->targets.p[i];
        if (t->weight > 0 && (!first || t->priority < first->priority)) first = t;
    }
    if (!first) return false;
    out_named->target = (struct model_target){model, first->peer, first->model};
    (void)model_facts(catalog, conf, tenant, &out_named->target, facts);
    for (size_t i = 0; i < model->targets.n; i++) {
        const struct conf_target *t = &model->targets.p[i];
        if (t->weight <= 0 || t == first) continue;
        (void)model_facts(catalog, conf, tenant, &(struct model_target){model, t->peer, t->model}, &one);
        join(facts, &one);
    }
    return true;
}

bool model_facts_named(const struct model_catalog *catalog, const struct conf *conf, const struct conf_tenant *tenant,
                       struct str name, struct model_named *out_named) {
    struct conf_choice choice;
    if (!conf_resolve(conf, tenant, name, &choice)) return false;
    if (choice.model) return of_targets(catalog, conf, tenant, choice.model, out_named);
    out_named->target = (struct model_target){NULL, choice.peer, choice.upstream};
    (void)model_facts(catalog, conf, tenant, &out_named->target, &out_named->facts);
    return true;
}

struct price model_reference_price(const struct model_catalog *catalog, const struct conf *conf) {
    static const struct price unknown = PRICE_UNKNOWN;
    struct str name = conf->usage.reference_model;
    struct model_named named;
    if (!name.n) return unknown;
    if (model_facts_named(catalog, conf, NULL, name, &named) && named.facts.price.known) return named.facts.price;
    const struct model_entry *entry = model_catalog_get(catalog, name);
    return entry ? entry->price : unknown;
}

bool model_entry_known(const struct model_entry *e) {
    return e->name.n || e->price.known || e->context_window || e->max_output || e->can;
}
