// What the control plane asks of this process (admin/host.h).
#include "server/server_internal.h"

static void host_wish(void *ctx, struct admin_wish *wish) { reload_wish(ctx, wish); }

struct conf *server_conf(struct server *s) {
    mutex_lock(&s->setting_lock);
    struct conf *conf = conf_ref(s->setting->conf);
    mutex_unlock(&s->setting_lock);
    return conf;
}

static struct conf *host_conf(void *ctx) { return server_conf(ctx); }

static bool host_ring(void *ctx, struct keyring **out_ring, struct err *err) {
    struct server *s = ctx;
    return keys_current(s->keys, out_ring, err);
}

static bool host_check(void *ctx, struct str text, struct conf_problems *problems, struct conf **out_conf) {
    struct server *s = ctx;
    struct config_env stores = {.vault = s->vault};
    return server_load_conf(s->o, &stores, &text, problems, out_conf);
}

struct admin_host server_host(struct server *s) {
    return (struct admin_host){.ctx = s,
                               .dir = &s->dir,
                               .log = s->log,
                               .events = s->events,
                               .version = s->o->version,
                               .wish = host_wish,
                               .conf = host_conf,
                               .ring = host_ring,
                               .check = host_check};
}
