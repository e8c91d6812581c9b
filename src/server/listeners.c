// Prepares the addresses of a configuration and hands them to the loops.
#include "server/listeners.h"

#include "base/mem.h"
#include "net/tls.h"

static bool listener_tls(const struct conf_tls *c, struct tls_ctx **out_ctx, struct err *err) {
    struct tls_cert certs[300];
    *out_ctx = NULL;
    if (!c->cert.n) return true;
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

static const struct listener_entry *entry_find(const struct listener_set *set, const char *address) {
    for (size_t i = 0; set && i < set->n; i++)
        if (str_eq(str_c(set->list[i].address), str_c(address))) return &set->list[i];
    return NULL;
}

static bool port_is_ours(const struct listener_set *set, uint16_t port) {
    for (size_t i = 0; set && i < set->n; i++)
        if (set->list[i].port == port) return true;
    return false;
}

static bool entry_prepare(const struct conf_listener *l, const struct listener_set *old, struct listener_set *set,
                          struct err *err) {
    struct listener_entry *e = &set->list[set->n];
    *e = (struct listener_entry){0};
    snprintf(e->address, sizeof e->address, "%.*s", STR_ARG(l->address));
    if (!listener_tls(&l->tls, &e->tls, err)) return err_wrap(err, "listener %s", e->address);
    set->n++; // from here on listener_set_free sees to it
    const struct listener_entry *same = entry_find(old, e->address);
    if (same) {
        e->id = same->id;
        e->port = same->port;
        return true;
    }
    e->id = set->next_id++;
    e->sockets = mem_zalloc(set->n_loops, sizeof *e->sockets);
    if (!e->sockets) return err_no_memory(err);
    bool ours = l->addr.port && (port_is_ours(old, l->addr.port) || port_is_ours(set, l->addr.port));
    return listener_prepare(l->addr.host, l->addr.port, ours, set->n_loops, e->sockets, &e->port, err);
}

bool listener_set_prepare(const struct conf *conf, const struct listener_set *old, unsigned n_loops,
                          struct listener_set *out_set, struct err *err) {
    struct listener_set set = {.n_loops = n_loops, .next_id = old ? old->next_id : 0};
    if (conf->listeners.n > HTTP_LISTENERS_MAX)
        return err_set(err, ERR_CONFIG_INVALID, "no more than %d listeners", HTTP_LISTENERS_MAX);
    for (size_t i = 0; i < conf->listeners.n; i++) {
        if (entry_prepare(&conf->listeners.p[i], old, &set, err)) continue;
        listener_set_free(&set);
        return false;
    }
    *out_set = set;
    return true;
}

static bool has_id(const struct listener_set *set, unsigned id) {
    for (size_t i = 0; i < set->n; i++)
        if (set->list[i].id == id) return true;
    return false;
}

bool listener_set_take(struct listener_set *set, const struct listener_set *old, unsigned loop_index,
                       struct http_server *http, struct err *err) {
    bool ok = true;
    for (size_t i = 0; i < set->n; i++) {
        struct listener_entry *e = &set->list[i];
        struct err why;
        if (!e->sockets) {
            http_server_set_tls(http, e->id, e->tls);
            continue;
        }
        struct listener *mine = e->sockets[loop_index];
        e->sockets[loop_index] = NULL; // the server's from here on
        if (http_server_listen_prepared(http, mine, e->tls, e->id, &why)) continue;
        if (ok) *err = why;
        ok = false;
    }
    for (size_t i = 0; old && i < old->n; i++)
        if (!has_id(set, old->list[i].id)) http_server_unlisten(http, old->list[i].id);
    return ok;
}

void listener_set_free(struct listener_set *set) {
    for (size_t i = 0; i < set->n; i++) {
        struct listener_entry *e = &set->list[i];
        if (e->tls) tls_ctx_unref(e->tls);
        for (unsigned k = 0; e->sockets && k < set->n_loops; k++) listener_close(e->sockets[k]);
        mem_free(e->sockets);
    }
    set->n = 0;
}
