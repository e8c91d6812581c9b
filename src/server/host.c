// What the control plane asks of this process (admin/host.h).
#include "server/server_internal.h"

#include "gateway/quota_look.h"
#include "os/clock.h"

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

static bool host_budgets(void *ctx, int64_t tenant, struct quota_list *out_list, bool *out_shared, struct err *err) {
    struct server *s = ctx;
    struct err ignored;
    if (!quota_list(keys_quota(s->keys), tenant, clock_unix_ns(), out_list, err)) return false;
    struct conf *conf = server_conf(s);
    *out_shared = quota_is_shared(conf) && atomic_load(&s->redis_up) && quota_look(conf, out_list, false, &ignored);
    conf_unref(conf);
    return true;
}

static struct model_catalog *host_models(void *ctx) {
    struct server *s = ctx;
    mutex_lock(&s->setting_lock);
    struct model_catalog *models = model_catalog_ref(s->setting->runtime->models);
    mutex_unlock(&s->setting_lock);
    return models;
}

static bool host_targets(void *ctx, struct buf *out, struct err *err) { return targets_put(ctx, out, err); }

struct admin_host server_host(struct server *s) {
    return (struct admin_host){.ctx = s,
                               .dir = &s->dir,
                               .log = s->log,
                               .events = s->events,
                               .watch = s->watch,
                               .notes = s->audit,
                               .version = s->o->version,
                               .wish = host_wish,
                               .conf = host_conf,
                               .ring = host_ring,
                               .check = host_check,
                               .budgets = host_budgets,
                               .models = host_models,
                               .targets = host_targets};
}
