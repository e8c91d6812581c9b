// Answers what the configuration asks of the stores while it loads.
#include "store/config_env.h"

#include "store/sealed.h"

#define BUSY_MS 2000

static void close_opened(struct config_env *env) {
    if (!env->db) return;
    sql_close(env->db);
    datadir_close(&env->dir);
    env->db = NULL;
}

// Nothing is made by looking: a directory without a database has nothing to tell. It stays open for what is asked next,
// since proving a master key that is elsewhere takes its time.
static bool open_existing(struct config_env *env, const struct conf_stores *stores, bool *out_there, struct err *err) {
    struct file_info info;
    struct err absent;
    *out_there = env->db && str_eq(str_c(env->dir.path), stores->data);
    if (*out_there) return true;
    close_opened(env);
    struct buf path = BUF_INIT(64 * 1024);
    path_join(&path, stores->data, STR("penstock.db"));
    *out_there = (stores->storage && stores->storage->url.n) ||
                 (file_stat(buf_str(&path), &info, &absent) && info.kind == FILE_KIND_REGULAR);
    buf_free(&path);
    if (!*out_there) return true;
    if (!datadir_open_as(stores->data, stores->storage, stores->master_vault, &env->dir, err)) return false;
    if (datadir_open_db(&env->dir, BUSY_MS, &env->db, err)) return true;
    datadir_close(&env->dir);
    env->db = NULL;
    return false;
}

static bool read_sealed(struct config_env *env, const struct conf_stores *stores, struct str name, struct buf *out,
                        struct err *err) {
    bool there;
    if (!open_existing(env, stores, &there, err)) return false;
    if (!there)
        return err_set(err, ERR_NOT_FOUND,
                       "there is no data directory at %.*s yet: keep it with \"penstock secret set\"",
                       STR_ARG(str_head(stores->data, 200)));
    return sealed_get(sql_tenant(env->db, TENANT_DEFAULT), &env->dir, name, out, err);
}

static bool read_secret(void *ctx, const struct conf_stores *stores, enum conf_store store, struct str name,
                        struct buf *out, struct err *err) {
    struct config_env *env = ctx;
    if (store == CONF_STORE_SEALED) return read_sealed(env, stores, name, out, err);
    if (!env->vault) {
        if (!vault_create(&env->vault, err)) return false;
        env->own_vault = true;
    }
    return vault_read(env->vault, stores->vault, name, out, err);
}

static bool live_list(struct config_env *env, const struct conf_stores *stores, struct arena *arena,
                      struct config_live_list *out_list, struct err *err) {
    bool there;
    *out_list = (struct config_live_list){0};
    if (env->no_live) return true;
    if (env->live) {
        *out_list = *env->live;
        return true;
    }
    if (!open_existing(env, stores, &there, err)) return false;
    if (!there) return true;
    return config_version_newest(env->db, &env->newest, NULL, err) &&
           config_live_read(env->db, &env->dir, arena, out_list, err);
}

static bool read_live(void *ctx, const struct conf_stores *stores, struct arena *arena, struct conf_override **out_list,
                      size_t *out_n, struct err *err) {
    struct config_live_list rows;
    if (!live_list(ctx, stores, arena, &rows, err)) return false;
    struct conf_override *list = ARENA_ARRAY(arena, struct conf_override, rows.n + 1);
    if (!list) return err_no_memory(err);
    for (size_t i = 0; i < rows.n; i++) {
        const struct config_live_row *row = &rows.p[i];
        list[i] = (struct conf_override){.key = row->key, .value = row->value};
        list[i].origin = row->version ? arena_printf(arena, "live change, version %lld, %.*s", (long long)row->version,
                                                     STR_ARG(row->actor))
                                      : arena_printf(arena, "live change, %.*s", STR_ARG(row->actor));
    }
    *out_list = list;
    *out_n = rows.n;
    return true;
}

struct conf_env config_env_system(struct config_env *env) {
    struct conf_env c = conf_env_system();
    c.ctx = env;
    c.read_secret = read_secret;
    c.read_live = read_live;
    return c;
}

void config_env_end(struct config_env *env) {
    if (env->own_vault) vault_free(env->vault);
    env->vault = NULL;
    close_opened(env);
}
