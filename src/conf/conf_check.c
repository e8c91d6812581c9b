// The rules between values for listeners and providers, and the fields derived from them.
#include "conf/conf_tables.h"

void conf_complain(struct opt_bind *b, enum conf_severity severity, const void *field, const void *fallback,
                   const char *fmt, ...) {
    const struct conf_node *node = opt_mark_find(b, field);
    if (!node) node = opt_mark_find(b, fallback);
    char message[768];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    conf_problem_add(b->problems, severity, node ? node->source : NULL, node ? node->pos : (struct conf_pos){0}, "%s",
                     message);
}

unsigned conf_line_of(struct opt_bind *b, const void *field) {
    const struct conf_node *node = opt_mark_find(b, field);
    return node ? node->pos.line : 0;
}

bool conf_index_put(struct opt_bind *b, struct map *map, struct str key, void *value) {
    if (b->failed || map_put(map, key, value)) return !b->failed;
    b->failed = true;
    conf_problem_add(b->problems, CONF_ERROR, NULL, (struct conf_pos){0}, "out of memory");
    return false;
}

static void check_tls(struct opt_bind *b, const struct conf_listener *l, size_t i) {
    const struct conf_tls *t = &l->tls;
    if (t->cert.n && !t->key.n)
        conf_complain(b, CONF_ERROR, &t->cert, l, "listeners[%zu].tls: there is a cert but no key", i);
    if (t->key.n && !t->cert.n)
        conf_complain(b, CONF_ERROR, &t->key, l, "listeners[%zu].tls: there is a key but no cert", i);
    bool on = t->cert.n && t->key.n;
    if (!on && !t->cert.n && !t->key.n && (t->client_ca.n || t->sni.n || t->client_auth != CLIENT_AUTH_NONE))
        conf_complain(b, CONF_ERROR, t, l, "listeners[%zu].tls: cert and key are missing", i);
    if (t->client_auth != CLIENT_AUTH_NONE && !t->client_ca.n)
        conf_complain(b, CONF_ERROR, &t->client_auth, l,
                      "listeners[%zu].tls: client_auth needs client_ca, which says whose certificates to accept", i);
    for (size_t k = 0; k < t->sni.n; k++) {
        for (size_t m = 0; m < k; m++) {
            if (!str_eq(t->sni.p[k].name, t->sni.p[m].name) || !t->sni.p[k].name.n) continue;
            conf_complain(b, CONF_ERROR, &t->sni.p[k].name, l,
                          "listeners[%zu].tls.sni[%zu]: the name \"%.*s\" is there already", i, k,
                          STR_ARG(t->sni.p[k].name));
            break;
        }
    }
}

// Without `listeners` there is the one of server.host and server.port.
static void listener_default(struct opt_bind *b, struct conf *c) {
    if (c->listeners.n || opt_mark_find(b, &c->listeners)) return;
    bool v6 = str_find_char(c->server.host, ':') < c->server.host.n, partial = b->partial;
    struct conf_listener *l = ARENA_NEW(b->arena, struct conf_listener);
    struct str text =
        arena_printf(b->arena, v6 ? "[%.*s]:%lld" : "%.*s:%lld", STR_ARG(c->server.host), (long long)c->server.port);
    char *z = text.p ? arena_cstr(b->arena, text) : NULL;
    if (!l || !z) {
        b->failed = true;
        return;
    }
    b->partial = true;
    opt_bind_root(b, &listener_table, NULL, l);
    b->partial = partial;
    l->address = str_of(z, text.n);
    c->listeners.p = l;
    c->listeners.n = 1;
}

static bool is_wildcard(struct str host) {
    return !host.n || str_eq(host, STR("*")) || str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("::"));
}

// Two of one port, of which one takes every address.
static bool overlap(const struct conf_addr *a, const struct conf_addr *b) {
    if (a->port != b->port) return false;
    return str_eq_nocase(a->host, b->host) || is_wildcard(a->host) || is_wildcard(b->host);
}

static void check_listeners(struct opt_bind *b, struct conf *c) {
    listener_default(b, c);
    for (size_t i = 0; i < c->listeners.n; i++) {
        struct conf_listener *l = &c->listeners.p[i];
        check_tls(b, l, i);
        if (!l->address.n || conf_addr_parse(l->address, &l->addr) || !l->addr.port) continue;
        for (size_t k = 0; k < i; k++) {
            const struct conf_listener *o = &c->listeners.p[k];
            if (!overlap(&o->addr, &l->addr)) continue;
            conf_complain(b, CONF_ERROR, &l->address, l,
                          "listeners[%zu]: the address %.*s is taken by listeners[%zu] at line %u", i,
                          STR_ARG(l->address), k, conf_line_of(b, &o->address));
            break;
        }
    }
}

static void proxies_derive(struct opt_bind *b, struct conf *c) {
    size_t n = c->server.trusted_proxies.n, kept = 0;
    struct ip_range *list = n ? ARENA_ARRAY(b->arena, struct ip_range, n) : NULL;
    if (n && !list) b->failed = true;
    // What is no range was said by the table's own check.
    for (size_t i = 0; list && i < n; i++)
        if (ip_range_parse(c->server.trusted_proxies.p[i], &list[kept])) kept++;
    c->server.proxies = (struct ip_set){list, kept};
}

static void provider_key_default(struct opt_bind *b, struct conf_provider *p, size_t i) {
    struct str variable = p->preset->variable;
    if (opt_mark_find(b, &p->api_key) || opt_mark_find(b, &p->base_url) || !variable.n || p->api_key.n) return;
    if (p->identity.from || p->credentials.n) return;
    if (opt_mark_find(b, &p->keys)) return;
    // A kind that was not understood has had its message; what would follow from the default is no news.
    const struct conf_node *kind = opt_mark_find(b, &p->kind);
    if (kind && !str_eq(kind->text, p->preset->name) && !provider_preset_find(kind->text)) return;
    const char *value = b->env && b->env->get ? b->env->get(b->env->ctx, variable.p) : NULL;
    if (!value || !*value) {
        conf_complain(b, CONF_ERROR, p, p,
                      "providers[%zu]: the key \"api_key\" is missing, and the environment variable %.*s is not set", i,
                      STR_ARG(variable));
        return;
    }
    char *z = arena_cstr(b->arena, str_c(value));
    if (!z || !vec_push(&b->secrets, (struct secret){z, strlen(z)})) {
        b->failed = true;
        return;
    }
    p->api_key = (struct secret){z, strlen(z)};
    for (const char *s = z; *s; s++) {
        if ((unsigned char)*s > 0x20 && *s != 0x7f) continue;
        conf_complain(b, CONF_ERROR, p, p, "providers[%zu]: %.*s holds a space, line end or control character", i,
                      STR_ARG(variable));
        return;
    }
}

static void check_key_text(struct opt_bind *b, const struct conf_provider *p, size_t i) {
    struct str key = secret_str(&p->api_key);
    if (str_find_char(key, ' ') < key.n && opt_mark_find(b, &p->api_key))
        conf_complain(b, CONF_ERROR_PRIVATE, &p->api_key, p, "providers[%zu].api_key: has a space in it", i);
}

static void check_keys(struct opt_bind *b, struct conf_provider *p, size_t i) {
    int64_t weight = 0;
    bool fetched = p->access_key_id.n || p->credentials.n;
    for (size_t k = 0; k < p->keys.n; k++) {
        const struct conf_provider_key *key = &p->keys.p[k];
        struct str text = secret_str(&key->api_key);
        weight += key->weight;
        if (str_find_char(text, ' ') < text.n)
            conf_complain(b, CONF_ERROR_PRIVATE, &key->api_key, p,
                          "providers[%zu].keys[%zu].api_key: has a space in it", i, k);
        for (size_t m = 0; m < k; m++)
            if (key->name.n && str_eq(key->name, p->keys.p[m].name))
                conf_complain(b, CONF_ERROR, &key->name, p,
                              "providers[%zu].keys[%zu]: the name \"%.*s\" is taken by keys[%zu]", i, k,
                              STR_ARG(key->name), m);
    }
    if (!p->keys.n) return;
    if (opt_mark_find(b, &p->api_key) || fetched)
        conf_complain(b, CONF_ERROR, &p->keys, p, "providers[%zu].keys: stands in the place of %s; give one of them", i,
                      p->access_key_id.n ? "access_key_id"
                      : p->credentials.n ? "credentials"
                                         : "api_key");
    else if (p->kind == PROVIDER_DEMO)
        conf_complain(b, CONF_ERROR, &p->keys, p, "providers[%zu]: kind demo answers in process and has no keys", i);
    else if (!weight)
        conf_complain(b, CONF_ERROR, &p->keys, p, "providers[%zu].keys: all have weight 0", i);
}

static void provider_address(struct opt_bind *b, struct conf_provider *p, size_t i) {
    if (!p->base_url.n) p->base_url = p->preset->base_url;
    if (p->base_url.n && conf_url_parse(p->base_url, &p->url)) return; // said by the table's own check
    if (p->proxy.n && conf_url_parse(p->proxy, &p->proxy_url)) return;
    if (p->kind == PROVIDER_DEMO && opt_mark_find(b, &p->base_url))
        conf_complain(b, CONF_ERROR, &p->base_url, p,
                      "providers[%zu]: kind demo answers in process and has no base_url", i);
    if (p->kind != PROVIDER_DEMO && !p->base_url.n)
        conf_complain(
            b, CONF_ERROR, p, p,
            "providers[%zu]: the key \"base_url\" is missing; kind %.*s is at another address for each customer", i,
            STR_ARG(p->preset->name));
    if (p->health_check.interval <= 0 && p->health_check.path.n)
        conf_complain(b, CONF_WARNING, &p->health_check.path, p,
                      "providers[%zu].health_check: nothing is asked, for `interval` is not given", i);
    if (!p->tls_verify && p->url.tls)
        conf_complain(
            b, CONF_WARNING, &p->tls_verify, p,
            "providers[%zu].tls_verify: certificates are not verified, so anybody on the way can read the key", i);
}

static void inherit(int64_t *value, int64_t general) {
    if (*value == OPT_UNSET) *value = general;
}

static void provider_finish(struct opt_bind *b, struct conf *c, struct conf_provider *p, size_t i) {
    const struct provider_preset *by_name = provider_preset_find(p->name);
    if (by_name && !opt_mark_find(b, &p->kind)) p->kind = (int)by_name->kind;
    p->preset = provider_preset_get((enum provider_kind)p->kind);
    p->index = i;
    conf_check_credentials(b, p, i);
    provider_key_default(b, p, i);
    check_key_text(b, p, i);
    check_keys(b, p, i);
    provider_address(b, p, i);
    conf_check_privacy(p);
    inherit(&p->timeouts.connect, c->timeouts.connect);
    inherit(&p->timeouts.first_byte, c->timeouts.first_byte);
    inherit(&p->timeouts.idle, c->timeouts.idle);
    inherit(&p->timeouts.total, c->timeouts.total);
}

static void check_providers(struct opt_bind *b, struct conf *c) {
    for (size_t i = 0; i < c->providers.n; i++) {
        struct conf_provider *p = &c->providers.p[i];
        provider_finish(b, c, p, i);
        if (!p->name.n) continue;
        const struct conf_provider *old = map_get(&c->provider_map, p->name);
        if (old)
            conf_complain(b, CONF_ERROR, &p->name, p,
                          "providers[%zu]: the name \"%.*s\" is taken by providers[%zu] at line %u", i,
                          STR_ARG(p->name), old->index, conf_line_of(b, &old->name));
        else
            conf_index_put(b, &c->provider_map, p->name, p);
    }
}

void conf_check(struct opt_bind *b, struct conf *c) {
    const struct conf_level general = {.where = "",
                                       .models = c->models.p,
                                       .n_models = c->models.n,
                                       .aliases = c->aliases.p,
                                       .n_aliases = c->aliases.n,
                                       .model_map = &c->model_map,
                                       .alias_map = &c->alias_map};
    check_listeners(b, c);
    proxies_derive(b, c);
    check_providers(b, c);
    conf_check_waits(b, c);
    conf_check_services(b, c);
    conf_index_level(b, &general);
    for (size_t i = 0; i < c->prices.n; i++)
        conf_index_put(b, &c->price_map, c->prices.p[i].name, &c->prices.p[i].price);
    conf_check_prices(b, c->prices.p, c->prices.n, "");
    if (!b->failed) conf_check_general_routing(b, c);
    if (!b->failed) conf_check_level(b, c, &general);
    if (!b->failed) conf_check_tenants(b, c);
}
