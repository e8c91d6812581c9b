// Opens the data directory for commands that work beside a running server, or without one.
#include "cli/commands.h"
#include "conf/conf.h"

#define PATH_SHOWN 200

static bool has_database(struct str path) {
    struct file_info info;
    struct err err;
    BUF_AUTO struct buf database = BUF_INIT(64 * 1024);
    path_join(&database, path, STR("penstock.db"));
    return file_stat(buf_str(&database), &info, &err) && info.kind == FILE_KIND_REGULAR;
}

// What the configuration says of where the database is; the other two may be NULL.
struct place {
    struct str data;
    const struct conf_storage *storage;
    const struct conf_vault *vault; // for the master key
};

// A database that several servers share is there without the directory.
static bool is_there(const struct place *p) { return (p->storage && p->storage->url.n) || has_database(p->data); }

static int place_open(const struct cli_args *args, const struct place *p, bool create, struct cli_data *out_data) {
    struct cli_data data = {0};
    struct err err;
    char what[PATH_SHOWN + 64];
    if (!create && !is_there(p)) {
        // Told here, so that looking makes none.
        snprintf(what, sizeof what, "there is no data directory at %.*s", STR_ARG(str_head(p->data, PATH_SHOWN)));
        return cli_fail(args->io, CLI_NOT_FOUND, what,
                        "the server makes it when it first runs, and so does \"penstock key create\"",
                        "--data DIR, with the directory that the server uses");
    }
    snprintf(what, sizeof what, "cannot open the data directory %.*s", STR_ARG(str_head(p->data, PATH_SHOWN)));
    if (!datadir_open_as(p->data, p->storage, p->vault, &data.dir, &err))
        return cli_fail_err(args->io, &err, what, NULL);
    if (!datadir_open_db(&data.dir, SQL_BUSY_MS_DEFAULT, &data.db, &err)) {
        datadir_close(&data.dir);
        return cli_fail_err(args->io, &err, what, NULL);
    }
    *out_data = data;
    return CLI_OK;
}

int cli_data_open_at(const struct cli_args *args, struct str path, const struct conf *conf, bool create,
                     struct cli_data *out_data) {
    struct place p = {path, conf ? &conf->storage : NULL, conf ? &conf->vault : NULL};
    return place_open(args, &p, create, out_data);
}

// --- where the configuration at hand says ---

struct opening {
    const struct cli_args *args;
    bool create;
    bool *out_there; // NULL: it has to be there, or be made
    struct cli_data *out_data;
    bool asked;
    int code;
};

// Called as soon as the storage section is known, so that what else the configuration refers to need not be at hand.
static bool open_stores(void *ctx, const struct conf_stores *stores, struct arena *arena UNUSED,
                        struct conf_override **out_list, size_t *out_n, struct err *err UNUSED) {
    struct opening *o = ctx;
    struct place p = {stores->data, stores->storage, stores->master_vault};
    *out_list = NULL;
    *out_n = 0;
    if (o->asked) return true;
    o->asked = true;
    o->code = CLI_OK;
    if (o->out_there) *o->out_there = is_there(&p);
    if (!o->out_there || *o->out_there) o->code = place_open(o->args, &p, o->create, o->out_data);
    return true;
}

static bool load(const struct cli_args *args, struct conf_env *env) {
    struct conf_problems problems;
    struct conf *conf;
    env->profile = cli_value(args, CLI_PROFILE);
    conf_problems_init(&problems);
    bool ok = conf_load(cli_config_file(args), env, &problems, &conf);
    conf_problems_free(&problems);
    if (ok) conf_unref(conf);
    return ok;
}

// One that is not valid is no reason to work elsewhere; with --data it need not be.
static int find_and_open(struct opening *o) {
    bool given = cli_given(o->args, CLI_DATA) || o->args->io->env("PENSTOCK_DATA");
    struct conf_override data = {.key = STR("storage.data"), .literal = true};
    struct conf_env offline = conf_env_system(), env = conf_env_system();
    offline.offline = true;
    if (given) {
        data.value = cli_data_dir(o->args);
        env.overrides = &data;
        env.n_overrides = 1;
    } else if (!load(o->args, &offline)) {
        return cli_fail(o->args->io, CLI_CONFIG_INVALID,
                        "the configuration, which names the data directory, is not valid", NULL,
                        "penstock config validate; or --data DIR");
    }
    env.ctx = o;
    env.read_live = open_stores;
    (void)load(o->args, &env);
    if (o->asked) return o->code;
    const struct conf_storage none = {.data = given ? data.value : STR("./data")};
    const struct conf_stores stores = {.data = none.data, .storage = &none};
    struct conf_override *list;
    struct err err;
    size_t n;
    (void)open_stores(o, &stores, NULL, &list, &n, &err);
    return o->code;
}

int cli_data_open(const struct cli_args *args, bool create, struct cli_data *out_data) {
    struct opening o = {.args = args, .create = create, .out_data = out_data};
    return find_and_open(&o);
}

int cli_data_open_existing(const struct cli_args *args, struct cli_data *out_data, bool *out_there) {
    struct opening o = {.args = args, .out_there = out_there, .out_data = out_data};
    *out_there = false;
    int code = find_and_open(&o);
    if (code != CLI_OK) *out_there = false;
    return code;
}

void cli_data_close(struct cli_data *data) {
    sql_close(data->db);
    datadir_close(&data->dir);
}
