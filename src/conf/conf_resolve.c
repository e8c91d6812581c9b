// What a requested model name means, for a tenant or in general: aliases, models, prices, and who may use them.
#include "conf/conf_impl.h"

#define ALIAS_STEPS_MAX 64

struct conf_provider *conf_provider_find(const struct conf *c, struct str name) {
    return map_get(&c->provider_map, name);
}

const struct conf_model *conf_model_find(const struct conf *c, struct str name) { return map_get(&c->model_map, name); }

const struct conf_tenant *conf_tenant_find(const struct conf *c, struct str name) {
    return map_get(&c->tenant_map, name);
}

bool conf_pattern_matches(struct str pattern, struct str name) {
    bool prefix = pattern.n && pattern.p[pattern.n - 1] == '*';
    return prefix ? str_starts(name, str_head(pattern, pattern.n - 1)) : str_eq(pattern, name);
}

static bool lists(const struct conf_tenant *t, struct str model) {
    for (size_t i = 0; i < t->allow_models.n; i++)
        if (conf_pattern_matches(t->allow_models.p[i], model)) return true;
    return t->allow_models.n == 0;
}

const struct conf_tenant *conf_tenant_refuser(const struct conf_tenant *tenant, struct str model) {
    for (; tenant; tenant = tenant->up)
        if (!lists(tenant, model)) return tenant;
    return NULL;
}

const struct conf_price *conf_price_find(const struct conf *c, const struct conf_tenant *tenant, struct str provider,
                                         struct str model) {
    const struct map *map = tenant ? &tenant->price_map : &c->price_map;
    char key[512];
    if (!map->n) return NULL;
    if (provider.n + 1 + model.n <= sizeof key && provider.n && model.n) {
        memcpy(key, provider.p, provider.n);
        key[provider.n] = '/';
        memcpy(key + provider.n + 1, model.p, model.n);
        const struct conf_price *exact = map_get(map, str_of(key, provider.n + 1 + model.n));
        if (exact) return exact;
    }
    return map_get(map, model);
}

void conf_name_find(const struct conf *c, const struct conf_tenant *tenant, struct str name, struct conf_named *out) {
    *out = (struct conf_named){0};
    for (const struct conf_tenant *t = tenant;; t = t->up) {
        out->alias = map_get(t ? &t->alias_map : &c->alias_map, name);
        if (!out->alias) out->model = map_get(t ? &t->model_map : &c->model_map, name);
        if (out->alias || out->model || !t) return;
    }
}

static const struct conf_provider *owner_find(const struct conf *c, struct str model) {
    for (size_t i = 0; i < c->providers.n; i++) {
        if (provider_preset_owns(c->providers.p[i].preset, model)) return &c->providers.p[i];
    }
    return c->providers.n == 1 ? &c->providers.p[0] : NULL;
}

bool conf_resolve(const struct conf *c, const struct conf_tenant *tenant, struct str name,
                  struct conf_choice *out_choice) {
    struct conf_named named;
    // Chains are checked when the configuration is loaded: they end. Only a level that was made for a caller may join
    // what goes in a circle together.
    conf_name_find(c, tenant, name, &named);
    for (int steps = 0; named.alias; conf_name_find(c, tenant, name, &named)) {
        if (steps++ == ALIAS_STEPS_MAX) return false;
        name = named.alias->value;
    }
    struct conf_choice choice = {.model = named.model};
    if (!choice.model && c->passthrough_models && name.n) {
        size_t slash = str_find_char(name, '/');
        if (slash + 1 < name.n) choice.peer = conf_provider_find(c, str_head(name, slash));
        choice.upstream = choice.peer ? str_from(name, slash + 1) : name;
        if (!choice.peer) choice.peer = owner_find(c, name);
    }
    if (!choice.model && !choice.peer) return false;
    *out_choice = choice;
    return true;
}
