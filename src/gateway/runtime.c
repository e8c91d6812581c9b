// What a configuration snapshot means to the data path.
#include "gateway/runtime.h"

#include "base/mem.h"
#include "base/text.h"
#include "gateway/credential.h"
#include "model/facts.h"
#include "model/provider.h"
#include "os/clock.h"

static bool provider_tls(struct runtime *rt, const struct conf_provider *p, struct tls_ctx **out_ctx, struct err *err) {
    bool plain_default = p->tls_ca.n == 0 && p->tls_verify;
    if (plain_default && rt->tls_default) {
        *out_ctx = tls_ctx_ref(rt->tls_default);
        return true;
    }
    struct tls_client_options o = {.ca = p->tls_ca, .no_verify = !p->tls_verify};
    if (!tls_ctx_client(&o, out_ctx, err)) return err_wrap(err, "provider \"%.*s\"", STR_ARG(p->name));
    if (plain_default) rt->tls_default = tls_ctx_ref(*out_ctx);
    return true;
}

static void add_field(struct runtime_provider *rp, struct str name, struct str value) {
    if (rp->field_count < RUNTIME_FIELDS_MAX) rp->fields[rp->field_count++] = (struct http_field){name, value};
}

// How a key is shown to it; a name without text: not at all.
static bool key_field(struct runtime *rt, const struct conf_provider *p, struct str key, struct http_field *out,
                      struct err *err) {
    static const struct str names[] = {[PROVIDER_AUTH_X_API_KEY] = STR_INIT("x-api-key"),
                                       [PROVIDER_AUTH_API_KEY] = STR_INIT("api-key"),
                                       [PROVIDER_AUTH_GOOG] = STR_INIT("x-goog-api-key"),
                                       [PROVIDER_AUTH_BEARER] = STR_INIT("authorization")};
    enum provider_auth auth = provider_auth_of(p);
    *out = (struct http_field){.name = STR("")};
    if (!key.n || (size_t)auth >= ARRAY_LEN(names) || !names[auth].n) return true;
    *out = (struct http_field){names[auth], key};
    if (auth == PROVIDER_AUTH_BEARER) out->value = arena_printf(&rt->arena, "Bearer %.*s", STR_ARG(key));
    return out->value.p || err_no_memory(err);
}

static bool provider_keys(struct runtime *rt, struct runtime_provider *rp, struct err *err) {
    const struct conf_provider *p = rp->conf;
    struct http_field first;
    if (!key_field(rt, p, conf_provider_key(p), &first, err)) return false;
    if (!first.name.n) return true;
    add_field(rp, first.name, first.value);
    if (!p->keys.n) return true;
    rp->keys = ARENA_ARRAY(&rt->arena, struct http_field, p->keys.n);
    if (!rp->keys) return err_no_memory(err);
    for (size_t k = 0; k < p->keys.n; k++)
        if (!key_field(rt, p, secret_str(&p->keys.p[k].api_key), &rp->keys[k], err)) return false;
    return true;
}

static bool provider_fields(struct runtime *rt, struct runtime_provider *rp, struct err *err) {
    const struct conf_provider *p = rp->conf;
    if (!provider_keys(rt, rp, err)) return false;
    for (size_t i = 0; i < p->headers.n; i++) {
        if (rp->field_count == RUNTIME_FIELDS_MAX)
            return err_set(err, ERR_CONFIG_INVALID, "provider \"%.*s\": more than %d headers", STR_ARG(p->name),
                           RUNTIME_FIELDS_MAX - 2);
        add_field(rp, p->headers.p[i].name, p->headers.p[i].value);
    }
    return true;
}

static bool provider_init(struct runtime *rt, struct runtime_provider *rp, const struct conf_provider *p,
                          struct err *err) {
    rp->conf = p;
    rp->demo = p->kind == PROVIDER_DEMO;
    if (rp->demo) return true;
    rp->origin = (struct http_origin){.name = p->name,
                                      .host = p->url.host,
                                      .port = p->url.port,
                                      .max_idle = (size_t)p->max_idle_connections,
                                      .connect_ms = (uint64_t)p->timeouts.connect,
                                      .first_byte_ms = (uint64_t)p->timeouts.first_byte,
                                      .idle_ms = (uint64_t)p->timeouts.idle,
                                      .total_ms = (uint64_t)p->timeouts.total};
    if (p->proxy.n) {
        rp->origin.proxy_host = p->proxy_url.host;
        rp->origin.proxy_port = p->proxy_url.port;
    }
    bool v6 = str_find_char(p->url.host, ':') < p->url.host.n;
    bool usual_port = p->url.port == (p->url.tls ? 443 : 80);
    rp->authority = arena_printf(&rt->arena, v6 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(p->url.host), p->url.port);
    if (!rp->authority.p) return err_no_memory(err);
    if (usual_port) rp->authority.n = p->url.host.n + (v6 ? 2 : 0);
    if (p->url.tls && !provider_tls(rt, p, &rp->origin.tls, err)) return false;
    return provider_fields(rt, rp, err) && credential_create(p, &rp->credential, err);
}

static bool tried_of(struct runtime_trials *t, struct trials *trials, const struct conf_model *m,
                     const struct conf_tenant *level, struct err *err) {
    return trials_get(trials, TRIAL_CANARY, m, level, &t->canary, err) &&
           trials_get(trials, TRIAL_SHADOW, m, level, &t->shadow, err) &&
           trials_get(trials, TRIAL_AB, m, level, &t->ab, err);
}

static bool find_trials(struct runtime *rt, struct trials *trials, struct err *err) {
    if (!trials || !rt->conf->model_count) return true;
    rt->tried = ARENA_ARRAY(&rt->arena, struct runtime_trials, rt->conf->model_count);
    if (!rt->tried) return err_no_memory(err);
    for (size_t i = 0; i < rt->routes->count; i++) {
        const struct route_model *m = &rt->routes->models[i];
        if (!tried_of(&rt->tried[i], trials, m->conf, m->level, err)) return false;
    }
    return true;
}

bool runtime_create(struct conf *conf, struct model_catalog *models, struct board *board, struct trials *trials,
                    struct runtime **out_runtime, struct err *err) {
    struct runtime *rt = mem_zalloc(1, sizeof *rt);
    if (!rt) return err_no_memory(err);
    atomic_init(&rt->refs, 1);
    arena_init(&rt->arena, NULL, 0, (size_t)1 << 20);
    rt->conf = conf_ref(conf);
    rt->models = model_catalog_ref(models);
    rt->reference = model_reference_price(rt->models, rt->conf);
    rt->providers = ARENA_ARRAY(&rt->arena, struct runtime_provider, conf->providers.n);
    bool ok = rt->providers || err_no_memory(err);
    for (size_t i = 0; ok && i < conf->providers.n; i++)
        ok = provider_init(rt, &rt->providers[i], &conf->providers.p[i], err);
    ok = ok && route_table_create(rt->conf, rt->models, board, clock_mono_ns(), &rt->routes, err) &&
         find_trials(rt, trials, err);
    if (!ok) {
        runtime_unref(rt);
        return false;
    }
    *out_runtime = rt;
    return true;
}

struct runtime *runtime_ref(struct runtime *rt) {
    atomic_fetch_add_explicit(&rt->refs, 1, memory_order_relaxed);
    return rt;
}

// Of a credential.
static void wipe_copy(const struct http_field *f) {
    if (str_eq(f->name, STR("authorization"))) secret_wipe((void *)(uintptr_t)f->value.p, f->value.n);
}

void runtime_unref(struct runtime *rt) {
    if (!rt || atomic_fetch_sub_explicit(&rt->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; rt->providers && i < rt->conf->providers.n; i++) {
        struct runtime_provider *rp = &rt->providers[i];
        if (rp->origin.tls) tls_ctx_unref(rp->origin.tls);
        credential_free(rp->credential);
        for (size_t f = 0; f < rp->field_count; f++) wipe_copy(&rp->fields[f]);
        for (size_t k = 0; rp->keys && k < rp->conf->keys.n; k++) wipe_copy(&rp->keys[k]);
    }
    if (rt->tls_default) tls_ctx_unref(rt->tls_default);
    route_table_free(rt->routes);
    model_catalog_unref(rt->models);
    conf_unref(rt->conf);
    arena_free(&rt->arena);
    mem_free(rt);
}
