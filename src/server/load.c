// Loading a configuration for a server, with a look around this machine when it names no providers; and its TLS.
#include "server/server_internal.h"

bool server_load_conf(const struct server_options *o, struct conf_problems *problems, struct conf **out_conf) {
    struct conf_env env = conf_env_system();
    env.overrides = o->overrides;
    env.n_overrides = o->n_overrides;
    if (!conf_load(o->config, &env, problems, out_conf)) return false;
    if (!(*out_conf)->discovered) return true;
    struct conf_local found[LOCALS_MAX];
    struct arena arena;
    struct conf *wider;
    arena_init(&arena, NULL, 0, 64 * 1024);
    env.local = found;
    env.n_local = locals_find((*out_conf)->listeners.p[0].addr.port, &arena, found);
    if (env.n_local) {
        conf_problems_free(problems);
        conf_problems_init(problems);
        if (conf_load(o->config, &env, problems, &wider)) {
            conf_unref(*out_conf);
            *out_conf = wider;
        }
    }
    arena_free(&arena);
    return true;
}

static bool listener_tls(const struct conf_tls *c, bool *out_used, struct tls_ctx **out_ctx, struct err *err) {
    struct tls_cert certs[64];
    *out_used = c->cert.n != 0;
    if (!*out_used) return true;
    if (c->sni.n >= ARRAY_LEN(certs))
        return err_set(err, ERR_CONFIG_INVALID, "a listener takes at most %zu certificates", ARRAY_LEN(certs));
    size_t n = 0;
    certs[n++] = (struct tls_cert){.cert = c->cert, .key = c->key};
    for (size_t i = 0; i < c->sni.n; i++)
        certs[n++] = (struct tls_cert){.name = c->sni.p[i].name, .cert = c->sni.p[i].cert, .key = c->sni.p[i].key};
    static const enum tls_client_auth auth[] = {[CLIENT_AUTH_NONE] = TLS_CLIENT_NONE,
                                                [CLIENT_AUTH_OPTIONAL] = TLS_CLIENT_OPTIONAL,
                                                [CLIENT_AUTH_REQUIRED] = TLS_CLIENT_REQUIRED};
    struct tls_server_options o = {.certs = certs,
                                   .cert_count = n,
                                   .client_ca = c->client_ca,
                                   .client_auth = auth[c->client_auth],
                                   .allow_tls12 = c->min_version == TLS_1_2,
                                   .offer_h2 = true};
    return tls_ctx_server(&o, out_ctx, err);
}

bool server_tls(const struct conf *conf, struct tls_ctx **out_tls, struct err *err) {
    if (conf->listeners.n > HTTP_LISTENERS_MAX)
        return err_set(err, ERR_CONFIG_INVALID, "no more than %d listeners", HTTP_LISTENERS_MAX);
    for (size_t i = 0; i < conf->listeners.n; i++) {
        bool used;
        const struct conf_listener *l = &conf->listeners.p[i];
        out_tls[i] = NULL;
        if (listener_tls(&l->tls, &used, &out_tls[i], err)) continue;
        err_wrap(err, "listener %.*s", STR_ARG(l->address));
        server_tls_free(out_tls, i);
        return false;
    }
    return true;
}

void server_tls_free(struct tls_ctx **tls, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (tls[i]) tls_ctx_unref(tls[i]);
        tls[i] = NULL;
    }
}
