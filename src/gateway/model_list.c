// The models and aliases that a caller may use.
#include "gateway/model_list.h"

#include "gateway/catalog.h"

static const struct str k_demo_models[] = {STR_INIT("demo"),     STR_INIT("echo"), STR_INIT("slow"),
                                           STR_INIT("fail-503"), STR_INIT("cut"),  STR_INIT("stall")};

// A configuration that names models means those; without any, the providers say what they have.
static bool asks_providers(const struct conf *conf) { return conf->models.n == 0 && conf->passthrough_models; }

// What the caller's people know the service as.
static struct str own_name(const struct call *call) {
    return call->tenant && call->tenant->branding.name.n ? call->tenant->branding.name : STR("penstock");
}

struct listing {
    const struct call *call;
    model_visit *visit;
    void *arg;
    struct str wanted;            // empty = all
    const struct conf_tenant *at; // whose names are being shown; NULL = general
    size_t n;
};

// A tenant nearer to the caller has the name too, and goes before.
static bool is_hidden(const struct listing *l, struct str name) {
    for (const struct conf_tenant *t = l->call->tenant; t && t != l->at; t = t->up)
        if (map_get(&t->model_map, name) || map_get(&t->alias_map, name)) return true;
    return false;
}

static void show(struct listing *l, struct str name, struct str owner) {
    const struct call *call = l->call;
    if (l->wanted.n && !str_eq(l->wanted, name)) return;
    if (call->key && !keyring_allows_model(call->ring, call->key, name, call->ts)) return;
    if (!conf_tenant_allows(call->tenant, name) || is_hidden(l, name)) return;
    l->visit(l->arg, name, owner);
    l->n++;
}

bool model_list_waits(struct call *call) {
    size_t count;
    bool ask = asks_providers(call->runtime->conf) && !call->asked && !catalog_models(call->gl->catalog, &count);
    call->asked = true;
    return ask && catalog_refresh(call->gl->catalog, call);
}

size_t model_list(const struct call *call, struct str wanted, model_visit *visit, void *arg) {
    const struct conf *conf = call->runtime->conf;
    size_t listed_n = 0;
    const struct catalog_model *listed = asks_providers(conf) ? catalog_models(call->gl->catalog, &listed_n) : NULL;
    struct listing l = {.call = call, .visit = visit, .arg = arg, .wanted = wanted};
    for (l.at = call->tenant; l.at; l.at = l.at->up) {
        for (size_t i = 0; i < l.at->models.n; i++) show(&l, l.at->models.p[i].name, own_name(call));
        for (size_t i = 0; i < l.at->aliases.n; i++) show(&l, l.at->aliases.p[i].name, own_name(call));
    }
    for (size_t i = 0; i < conf->models.n; i++) show(&l, conf->models.p[i].name, own_name(call));
    for (size_t i = 0; i < conf->aliases.n; i++) show(&l, conf->aliases.p[i].name, own_name(call));
    for (size_t i = 0; i < conf->providers.n; i++) {
        const struct conf_provider *p = &conf->providers.p[i];
        if (p->kind != PROVIDER_DEMO || !conf->passthrough_models) continue;
        for (size_t k = 0; k < ARRAY_LEN(k_demo_models); k++) {
            struct str name = arena_printf(&call->req->arena, "%.*s/%.*s", STR_ARG(p->name), STR_ARG(k_demo_models[k]));
            if (name.p) show(&l, name, p->name);
        }
    }
    for (size_t i = 0; i < listed_n; i++) show(&l, listed[i].name, listed[i].owner);
    return l.n;
}
