// The rules between the values of services that Penstock uses: what a login to Vault needs, master keys, webhooks'
// names.
#include "conf/conf_impl.h"

static void need(struct opt_bind *b, const struct conf *c, const void *field, const char *name, const char *auth) {
    if (opt_mark_find(b, field)) return;
    conf_complain(b, CONF_ERROR, opt_mark_find(b, &c->vault.auth) ? (const void *)&c->vault.auth : &c->vault.address,
                  &c->vault.address, "vault.%s is missing: \"auth: %s\" needs it", name, auth);
}

static void check_vault(struct opt_bind *b, const struct conf *c) {
    const struct conf_vault *v = &c->vault;
    if (!v->address.n) return;
    switch ((enum conf_vault_auth)v->auth) {
    case VAULT_AUTH_TOKEN:
        need(b, c, &v->token, "token", "token");
        break;
    case VAULT_AUTH_APPROLE:
        need(b, c, &v->role_id, "role_id", "approle");
        need(b, c, &v->secret_id, "secret_id", "approle");
        break;
    case VAULT_AUTH_KUBERNETES:
        need(b, c, &v->role, "role", "kubernetes");
        break;
    }
}

static void check_master_key(struct opt_bind *b, const struct conf *c, const struct conf_master_key *m,
                             const char *name) {
    const char *missing = NULL, *source = "";
    switch ((enum conf_master_source)m->source) {
    case MASTER_NONE:
    case MASTER_FILE:
        break;
    case MASTER_ENV:
        if (!m->env.n) missing = "env", source = "env";
        break;
    case MASTER_COMMAND:
        if (!m->command.n || !m->command.p[0].n) missing = "command", source = "command";
        break;
    case MASTER_VAULT_TRANSIT:
        if (!m->key.n) missing = "key", source = "vault_transit";
        if (!c->vault.address.n)
            conf_complain(b, CONF_ERROR, &m->source, m,
                          "storage.%s: \"source: vault_transit\" needs vault.address, which is not set", name);
        break;
    }
    if (missing)
        conf_complain(b, CONF_ERROR, &m->source, m, "storage.%s.%s is missing: \"source: %s\" needs it", name, missing,
                      source);
}

#define HOUR_MS INT64_C(3600000)

static void check_usage(struct opt_bind *b, const struct conf *c) {
    const struct conf_usage_export *e = &c->usage.export;
    // Else the periods of a day would not be those of the next.
    if (e->every % HOUR_MS == 0 && 24 * HOUR_MS % e->every == 0) return;
    conf_complain(b, CONF_ERROR, &e->every, e, "usage.export.every: expected 1h, 2h, 3h, 4h, 6h, 8h, 12h or 24h");
}

static void check_webhooks(struct opt_bind *b, const struct conf *c) {
    for (size_t i = 0; i < c->webhooks.n; i++)
        for (size_t k = 0; k < i; k++) {
            if (!c->webhooks.p[i].name.n || !str_eq(c->webhooks.p[i].name, c->webhooks.p[k].name)) continue;
            conf_complain(b, CONF_ERROR, &c->webhooks.p[i].name, &c->webhooks.p[i],
                          "webhooks[%zu]: the name \"%.*s\" is taken by webhooks[%zu] at line %u", i,
                          STR_ARG(c->webhooks.p[i].name), k, conf_line_of(b, &c->webhooks.p[k].name));
            break;
        }
}

static void check_quota(struct opt_bind *b, const struct conf *c) {
    if (c->routing.state == ROUTING_STATE_REDIS && !c->redis.url.n)
        conf_complain(b, CONF_ERROR, &c->routing.state, &c->routing, "routing.state: `redis` needs redis.url");
    if (c->quota.mode == QUOTA_LOCAL || c->redis.url.n) return;
    conf_complain(b, CONF_ERROR, &c->quota.mode, &c->quota, "quota.mode: counting together needs redis.url");
}

static void check_catalog(struct opt_bind *b, const struct conf *c) {
    if (c->catalog.file.n && c->catalog.url.n)
        conf_complain(b, CONF_WARNING, &c->catalog.url, &c->catalog, "catalog.url is not used: catalog.file is given");
}

static void check_audit_sinks(struct opt_bind *b, const struct conf *c) {
    for (size_t i = 0; i < c->audit.sinks.n; i++) {
        const struct conf_audit_sink *s = &c->audit.sinks.p[i];
        bool web = str_starts(s->address, STR("http"));
        for (size_t k = 0; k < i; k++)
            if (s->name.n && str_eq(s->name, c->audit.sinks.p[k].name))
                conf_complain(b, CONF_ERROR, &s->name, s,
                              "audit.sinks[%zu]: the name \"%.*s\" is taken by audit.sinks[%zu]", i, STR_ARG(s->name),
                              k);
        if (s->type == AUDIT_SINK_FILE && !s->path.n)
            conf_complain(b, CONF_ERROR, &s->type, s, "audit.sinks[%zu].path is missing: \"type: file\" needs it", i);
        if (s->type != AUDIT_SINK_FILE && !s->address.n)
            conf_complain(b, CONF_ERROR, &s->type, s, "audit.sinks[%zu].address is missing: where the %s is", i,
                          s->type == AUDIT_SINK_SYSLOG ? "syslog server" : "HTTP server");
        if (s->address.n && s->type != AUDIT_SINK_FILE && web != (s->type == AUDIT_SINK_WEBHOOK))
            conf_complain(b, CONF_ERROR, &s->address, s, "audit.sinks[%zu].address is not one of a %s", i,
                          s->type == AUDIT_SINK_SYSLOG ? "syslog server: udp, tcp, tls or unix"
                                                       : "webhook: http or https");
    }
}

void conf_check_services(struct opt_bind *b, const struct conf *c) {
    check_vault(b, c);
    check_master_key(b, c, &c->storage.master_key, "master_key");
    check_master_key(b, c, &c->storage.next_master_key, "next_master_key");
    check_webhooks(b, c);
    check_usage(b, c);
    check_audit_sinks(b, c);
    check_quota(b, c);
    check_catalog(b, c);
}
