// The rules between the values of services that Penstock uses: what a login to Vault needs, webhooks' names.
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

void conf_check_services(struct opt_bind *b, const struct conf *c) {
    check_vault(b, c);
    check_webhooks(b, c);
}
