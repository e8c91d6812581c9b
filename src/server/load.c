// Loading a configuration for a server: all layers, with a look around this machine when no provider is named.
#include "server/server_internal.h"

static struct conf_env env_of(const struct server_options *o, struct config_env *stores) {
    struct conf_env env = config_env_system(stores);
    env.overrides = o->overrides;
    env.n_overrides = o->n_overrides;
    env.profile = o->profile;
    return env;
}

static bool load(const struct server_options *o, const struct str *text, const struct conf_env *env,
                 struct conf_problems *problems, struct conf **out_conf) {
    if (text)
        return conf_load_text(*text, o->config.n ? o->config : STR("the new configuration"), env, problems, out_conf);
    return conf_load(o->config, env, problems, out_conf);
}

static bool load_all(const struct server_options *o, struct config_env *stores, const struct str *text,
                     struct conf_problems *problems, struct conf **out_conf) {
    struct conf_env env = env_of(o, stores);
    if (!load(o, text, &env, problems, out_conf)) return false;
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
        if (load(o, text, &env, problems, &wider)) {
            conf_unref(*out_conf);
            *out_conf = wider;
        }
    }
    arena_free(&arena);
    return true;
}

bool server_load_conf(const struct server_options *o, struct config_env *stores, const struct str *text,
                      struct conf_problems *problems, struct conf **out_conf) {
    bool ok = load_all(o, stores, text, problems, out_conf);
    config_env_end(stores);
    return ok;
}
