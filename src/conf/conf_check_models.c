// The rules for models and aliases: what they name must exist, and names must not go in circles.
#include "conf/conf_impl.h"

#define ALIAS_CHAIN_MAX 16
#define SUGGESTIONS_MAX 50

bool conf_may_suggest(const struct opt_bind *b) { return b->problems->errors <= SUGGESTIONS_MAX; }

static struct str nearest_provider(const struct opt_bind *b, const struct conf *c, struct str name) {
    struct str names[CONF_SUGGEST_MAX];
    if (!conf_may_suggest(b)) return STR_NONE;
    size_t n = MIN(c->providers.n, (size_t)CONF_SUGGEST_MAX);
    for (size_t i = 0; i < n; i++) names[i] = c->providers.p[i].name;
    return opt_nearest(name, names, n);
}

static size_t names_add(struct str names[CONF_SUGGEST_MAX], size_t n, struct str name, struct str not_this) {
    if (n < CONF_SUGGEST_MAX && !str_eq(name, not_this)) names[n++] = name;
    return n;
}

// Of those that can be seen from the level.
struct str conf_near_model(const struct conf *c, const struct conf_tenant *tenant, struct str name) {
    struct str names[CONF_SUGGEST_MAX];
    size_t n = 0;
    for (const struct conf_tenant *t = tenant; t; t = t->up) {
        for (size_t i = 0; i < t->models.n; i++) n = names_add(names, n, t->models.p[i].name, STR_NONE);
        for (size_t i = 0; i < t->aliases.n; i++) n = names_add(names, n, t->aliases.p[i].name, name);
    }
    for (size_t i = 0; i < c->models.n; i++) n = names_add(names, n, c->models.p[i].name, STR_NONE);
    for (size_t i = 0; i < c->aliases.n; i++) n = names_add(names, n, c->aliases.p[i].name, name);
    return opt_nearest(name, names, n);
}

struct str conf_nearest_model(const struct opt_bind *b, const struct conf *c, const struct conf_tenant *tenant,
                              struct str name) {
    return conf_may_suggest(b) ? conf_near_model(c, tenant, name) : STR_NONE;
}

void conf_index_level(struct opt_bind *b, const struct conf_level *l) {
    for (size_t i = 0; i < l->n_models; i++) {
        struct conf_model *m = &l->models[i];
        const struct conf_model *old = m->name.n ? map_get(l->model_map, m->name) : NULL;
        if (old)
            conf_complain(b, CONF_ERROR, &m->name, m,
                          "%smodels[%zu]: the name \"%.*s\" is taken by %smodels[%zu] at line %u", l->where, i,
                          STR_ARG(m->name), l->where, (size_t)(old - l->models), conf_line_of(b, &old->name));
        else if (m->name.n)
            conf_index_put(b, l->model_map, m->name, m);
    }
    for (size_t i = 0; i < l->n_aliases; i++) conf_index_put(b, l->alias_map, l->aliases[i].name, &l->aliases[i]);
}

static void check_target(struct opt_bind *b, const struct conf *c, const struct conf_level *l, size_t i, size_t k) {
    struct conf_model *m = &l->models[i];
    struct conf_target *t = &m->targets.p[k];
    if (!t->model.n) t->model = m->name;
    if (!t->provider.n) return;
    t->peer = conf_provider_find(c, t->provider);
    if (t->peer) return;
    struct str near = nearest_provider(b, c, t->provider);
    conf_complain(b, CONF_ERROR, &t->provider, t, "%smodels[%zu].targets[%zu]: there is no provider \"%.*s\"%s%.*s%s",
                  l->where, i, k, STR_ARG(t->provider), near.n ? "; did you mean \"" : "", STR_ARG(near),
                  near.n ? "\"?" : "");
}

static void check_served(struct opt_bind *b, const struct conf_level *l, size_t i) {
    const struct conf_model *m = &l->models[i];
    const struct conf_node *chain = opt_mark_find(b, &m->chain);
    bool empty = chain && chain->kind == NODE_LIST && !chain->n;
    if (!m->targets.n && !m->chain.n && !b->partial && !conf_line_of(b, &m->targets) && (!chain || empty))
        conf_complain(b, CONF_ERROR, &m->targets, m, "%smodels[%zu]: the key \"targets\" is missing", l->where, i);
    if (m->targets.n && m->chain.n)
        conf_complain(b, CONF_ERROR, &m->chain, m, "%smodels[%zu]: it has a chain, and so no targets", l->where, i);
}

static void check_weights(struct opt_bind *b, const struct conf_level *l, size_t i) {
    const struct conf_model *m = &l->models[i];
    for (size_t k = 0; k < m->targets.n; k++) {
        if (m->targets.p[k].weight) return;
    }
    if (m->targets.n)
        conf_complain(b, CONF_ERROR, &m->targets, m, "%smodels[%zu].targets: all weights are 0, so nothing serves it",
                      l->where, i);
}

static void check_price(struct opt_bind *b, const struct conf_price *p, const char *where, const char *what,
                        struct str name) {
    const struct conf_long_price *l = &p->long_prompt;
    const int64_t *rates = (const int64_t *)(const void *)&l->rates;
    bool any = false;
    for (size_t i = 0; i < sizeof l->rates / sizeof *rates; i++) any = any || rates[i] != OPT_UNSET;
    if (any && l->above == OPT_UNSET)
        conf_complain(b, CONF_ERROR, l, p, "%s%s \"%.*s\": long_prompt.above is missing: above how many tokens?", where,
                      what, STR_ARG(name));
    if (!any && l->above != OPT_UNSET)
        conf_complain(b, CONF_ERROR, &l->above, p, "%s%s \"%.*s\": long_prompt has no price", where, what,
                      STR_ARG(name));
}

void conf_check_prices(struct opt_bind *b, const struct conf_named_price *list, size_t n, const char *where) {
    for (size_t i = 0; i < n; i++) check_price(b, &list[i].price, where, "prices", list[i].name);
}

static void check_facts(struct opt_bind *b, const struct conf_level *l, size_t i) {
    const struct conf_model *m = &l->models[i];
    check_price(b, &m->price, l->where, "models", m->name);
    if (m->context_window == OPT_UNSET || m->max_output <= m->context_window) return;
    conf_complain(b, CONF_ERROR, &m->max_output, m,
                  "%smodels[%zu]: max_output_tokens is more than context_window, %lld", l->where, i,
                  (long long)m->context_window);
}

static bool names_provider(const struct conf *c, struct str name) {
    size_t slash = str_find_char(name, '/');
    return c->passthrough_models && slash < name.n && conf_provider_find(c, str_head(name, slash));
}

static const struct opt_pair *next_alias(const struct conf *c, const struct conf_level *l, struct str name) {
    struct conf_named named;
    conf_name_find(c, l->tenant, name, &named);
    return named.alias;
}

static void check_end(struct opt_bind *b, const struct conf *c, const struct conf_level *l,
                      const struct opt_pair *alias) {
    struct conf_named named;
    conf_name_find(c, l->tenant, alias->value, &named);
    if (named.model || names_provider(c, alias->value)) return;
    struct str near = conf_nearest_model(b, c, l->tenant, alias->value);
    conf_complain(b, CONF_ERROR, &alias->value, alias, "%saliases.%.*s: there is no model \"%.*s\"%s%.*s%s", l->where,
                  STR_ARG(alias->name), STR_ARG(alias->value), near.n ? "; did you mean \"" : "", STR_ARG(near),
                  near.n ? "\"?" : "");
}

// Follows an alias to its end, as the level's own callers do: a model or provider/model. Says what is wrong only for
// the alias at fault, so that a chain on top of it brings no second message.
static void check_alias(struct opt_bind *b, const struct conf *c, const struct conf_level *l,
                        const struct opt_pair *alias) {
    struct str name = alias->name, to = alias->value;
    if (!to.n) return;
    if (map_get(l->model_map, name)) {
        conf_complain(b, CONF_ERROR, alias, alias, "%saliases.%.*s: there is a model of the same name", l->where,
                      STR_ARG(name));
        return;
    }
    const struct opt_pair *next = next_alias(c, l, to);
    if (!next) {
        check_end(b, c, l, alias);
        return;
    }
    size_t steps = 0;
    bool first = true; // of its level's in the circle, in the file's order
    for (; next && next != alias && steps < ALIAS_CHAIN_MAX; steps++) {
        bool ours = map_get(l->alias_map, next->name) == next;
        first = first && (!ours || alias < next);
        next = next_alias(c, l, next->value);
    }
    if (next == alias && first)
        conf_complain(b, CONF_ERROR, alias, alias, "%saliases.%.*s: goes in a circle (%.*s → %.*s%s)", l->where,
                      STR_ARG(name), STR_ARG(name), STR_ARG(to), next == alias && steps ? " → …" : "");
    else if (next && next != alias)
        conf_complain(b, CONF_ERROR, alias, alias, "%saliases.%.*s: leads through more than %d aliases", l->where,
                      STR_ARG(name), ALIAS_CHAIN_MAX);
}

void conf_check_level(struct opt_bind *b, struct conf *c, const struct conf_level *l) {
    for (size_t i = 0; i < l->n_models; i++) {
        for (size_t k = 0; k < l->models[i].targets.n; k++) check_target(b, c, l, i, k);
        check_served(b, l, i);
        check_weights(b, l, i);
        check_facts(b, l, i);
    }
    for (size_t i = 0; i < l->n_aliases; i++) check_alias(b, c, l, &l->aliases[i]);
    conf_check_routing(b, c, l);
}
