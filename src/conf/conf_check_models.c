// The rules for models and aliases: what they name must exist, and names must not go in circles.
#include "conf/conf_impl.h"

#define ALIAS_CHAIN_MAX 16
#define SUGGEST_MAX 512    // names compared for a suggestion
#define SUGGESTIONS_MAX 50 // problems after which none is looked for: a file this wrong needs no more of them

static struct str nearest_provider(const struct opt_bind *b, const struct conf *c, struct str name) {
    struct str names[SUGGEST_MAX];
    if (b->problems->errors > SUGGESTIONS_MAX) return STR_NONE;
    size_t n = MIN(c->providers.n, (size_t)SUGGEST_MAX);
    for (size_t i = 0; i < n; i++) names[i] = c->providers.p[i].name;
    return opt_nearest(name, names, n);
}

static struct str nearest_model(const struct opt_bind *b, const struct conf *c, struct str name) {
    struct str names[SUGGEST_MAX];
    size_t n = 0;
    if (b->problems->errors > SUGGESTIONS_MAX) return STR_NONE;
    for (size_t i = 0; i < c->models.n && n < SUGGEST_MAX; i++) names[n++] = c->models.p[i].name;
    for (size_t i = 0; i < c->aliases.n && n < SUGGEST_MAX; i++) {
        if (!str_eq(c->aliases.p[i].name, name)) names[n++] = c->aliases.p[i].name;
    }
    return opt_nearest(name, names, n);
}

static void check_target(struct opt_bind *b, struct conf *c, struct conf_model *m, size_t i, size_t k) {
    struct conf_target *t = &m->targets.p[k];
    if (!t->model.n) t->model = m->name;
    if (!t->provider.n) return;
    t->peer = conf_provider_find(c, t->provider);
    if (t->peer) return;
    struct str near = nearest_provider(b, c, t->provider);
    conf_complain(b, CONF_ERROR, &t->provider, t, "models[%zu].targets[%zu]: there is no provider \"%.*s\"%s%.*s%s", i,
                  k, STR_ARG(t->provider), near.n ? "; did you mean \"" : "", STR_ARG(near), near.n ? "\"?" : "");
}

static void check_weights(struct opt_bind *b, const struct conf_model *m, size_t i) {
    for (size_t k = 0; k < m->targets.n; k++) {
        if (m->targets.p[k].weight) return;
    }
    if (m->targets.n)
        conf_complain(b, CONF_ERROR, &m->targets, m, "models[%zu].targets: all weights are 0, so nothing serves it", i);
}

static bool names_provider(const struct conf *c, struct str name) {
    size_t slash = str_find_char(name, '/');
    return c->passthrough_models && slash < name.n && conf_provider_find(c, str_head(name, slash));
}

// Follows an alias to its end: a model or provider/model. Says what is wrong only for the alias at fault, so that a
// chain on top of it brings no second message.
static void check_alias(struct opt_bind *b, const struct conf *c, const struct opt_pair *alias) {
    struct str name = alias->name, to = alias->value;
    if (!to.n) return;
    if (map_get(&c->model_map, name)) {
        conf_complain(b, CONF_ERROR, alias, alias, "aliases.%.*s: there is a model of the same name", STR_ARG(name));
        return;
    }
    const struct opt_pair *next = map_get(&c->alias_map, to);
    if (!next) {
        if (map_get(&c->model_map, to) || names_provider(c, to)) return;
        struct str near = nearest_model(b, c, to);
        conf_complain(b, CONF_ERROR, &alias->value, alias, "aliases.%.*s: there is no model \"%.*s\"%s%.*s%s",
                      STR_ARG(name), STR_ARG(to), near.n ? "; did you mean \"" : "", STR_ARG(near),
                      near.n ? "\"?" : "");
        return;
    }
    size_t steps = 0;
    bool first = true; // of its circle, in the file's order
    for (; next && next != alias && steps < ALIAS_CHAIN_MAX; steps++) {
        first = first && alias < next;
        next = map_get(&c->alias_map, next->value);
    }
    if (next == alias && first)
        conf_complain(b, CONF_ERROR, alias, alias, "aliases.%.*s: goes in a circle (%.*s → %.*s%s)", STR_ARG(name),
                      STR_ARG(name), STR_ARG(to), next == alias && steps ? " → …" : "");
    else if (next && next != alias)
        conf_complain(b, CONF_ERROR, alias, alias, "aliases.%.*s: leads through more than %d aliases", STR_ARG(name),
                      ALIAS_CHAIN_MAX);
}

void conf_check_models(struct opt_bind *b, struct conf *c) {
    for (size_t i = 0; i < c->models.n; i++) {
        struct conf_model *m = &c->models.p[i];
        for (size_t k = 0; k < m->targets.n; k++) check_target(b, c, m, i, k);
        check_weights(b, m, i);
    }
    for (size_t i = 0; i < c->aliases.n; i++) check_alias(b, c, &c->aliases.p[i]);
}
