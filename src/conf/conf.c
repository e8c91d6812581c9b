// The snapshot in use: counting references, looking up names, and what a reload cannot change.
#include "conf/conf.h"

struct conf *conf_ref(struct conf *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void conf_unref(struct conf *c) {
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < c->secrets.n; i++) secret_wipe(c->secrets.p[i].p, c->secrets.p[i].n);
    map_free(&c->provider_map);
    map_free(&c->model_map);
    map_free(&c->alias_map);
    map_free(&c->price_map);
    map_free(&c->tenant_map);
    for (size_t i = 0; i < c->tenants.n; i++) {
        map_free(&c->tenants.p[i].model_map);
        map_free(&c->tenants.p[i].alias_map);
        map_free(&c->tenants.p[i].price_map);
    }
    arena_wipe_free(&c->tree_arena);
    arena_free(&c->arena);
    mem_free(c);
}

struct conf_provider *conf_provider_find(const struct conf *c, struct str name) {
    return map_get(&c->provider_map, name);
}

const struct conf_model *conf_model_find(const struct conf *c, struct str name) { return map_get(&c->model_map, name); }

const struct conf_price *conf_price_find(const struct conf *c, struct str provider, struct str model) {
    char key[512];
    if (!c->prices.n) return NULL;
    if (provider.n + 1 + model.n <= sizeof key && provider.n && model.n) {
        memcpy(key, provider.p, provider.n);
        key[provider.n] = '/';
        memcpy(key + provider.n + 1, model.p, model.n);
        const struct conf_price *exact = map_get(&c->price_map, str_of(key, provider.n + 1 + model.n));
        if (exact) return exact;
    }
    return map_get(&c->price_map, model);
}

static const struct conf_provider *owner_find(const struct conf *c, struct str model) {
    for (size_t i = 0; i < c->providers.n; i++) {
        if (provider_preset_owns(c->providers.p[i].preset, model)) return &c->providers.p[i];
    }
    return c->providers.n == 1 ? &c->providers.p[0] : NULL;
}

bool conf_resolve(const struct conf *c, struct str name, struct conf_choice *out_choice) {
    // Chains are checked when the configuration is loaded: they end.
    for (const struct opt_pair *alias; (alias = map_get(&c->alias_map, name)) != NULL;) name = alias->value;
    struct conf_choice choice = {.model = conf_model_find(c, name)};
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

struct reasons {
    struct buf *out;
    size_t n;
};

static void reason_add(void *ctx, const struct opt *opt, struct str path, struct str old_text, struct str new_text) {
    struct reasons *r = ctx;
    if (opt->flags & OPT_RELOAD) return;
    r->n++;
    buf_printf(r->out, "%.*s: %.*s → %.*s\n", STR_ARG(path), STR_ARG(old_text), STR_ARG(new_text));
}

size_t conf_restart_reasons(const struct conf *a, const struct conf *b, struct buf *out) {
    struct reasons r = {.out = out};
    opt_diff(&conf_table, a, b, reason_add, &r);
    return r.n;
}
