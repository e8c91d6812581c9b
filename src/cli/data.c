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

int cli_data_open_at(const struct cli_args *args, struct str path, bool create, struct cli_data *out_data) {
    struct cli_data data = {0};
    struct err err;
    char what[PATH_SHOWN + 64];
    if (!create) {
        // Told here, so that looking makes none.
        if (!has_database(path)) {
            snprintf(what, sizeof what, "there is no data directory at %.*s", STR_ARG(str_head(path, PATH_SHOWN)));
            return cli_fail(args->io, CLI_NOT_FOUND, what,
                            "the server makes it when it first runs, and so does \"penstock key create\"",
                            "--data DIR, with the directory that the server uses");
        }
    }
    snprintf(what, sizeof what, "cannot open the data directory %.*s", STR_ARG(str_head(path, PATH_SHOWN)));
    if (!datadir_open(path, &data.dir, &err)) return cli_fail_err(args->io, &err, what, NULL);
    if (!datadir_open_db(&data.dir, SQL_BUSY_MS_DEFAULT, &data.db, &err)) {
        datadir_close(&data.dir);
        return cli_fail_err(args->io, &err, what, NULL);
    }
    *out_data = data;
    return CLI_OK;
}

// Without --data it is where the configuration at hand says; one that is not valid is no reason to work elsewhere.
static int find_data(const struct cli_args *args, struct buf *out_path) {
    struct conf_env env = conf_env_system();
    struct conf_problems problems;
    struct conf *conf;
    if (cli_given(args, CLI_DATA) || args->io->env("PENSTOCK_DATA")) {
        buf_put(out_path, cli_data_dir(args));
        return CLI_OK;
    }
    env.offline = true;
    env.profile = cli_value(args, CLI_PROFILE);
    conf_problems_init(&problems);
    bool ok = conf_load(cli_config_file(args), &env, &problems, &conf);
    conf_problems_free(&problems);
    if (!ok)
        return cli_fail(args->io, CLI_CONFIG_INVALID, "the configuration, which names the data directory, is not valid",
                        NULL, "penstock config validate; or --data DIR");
    buf_put(out_path, conf->storage.data);
    conf_unref(conf);
    return CLI_OK;
}

int cli_data_open(const struct cli_args *args, bool create, struct cli_data *out_data) {
    BUF_AUTO struct buf path = BUF_INIT(64 * 1024);
    int code = find_data(args, &path);
    return code == CLI_OK ? cli_data_open_at(args, buf_str(&path), create, out_data) : code;
}

int cli_data_open_existing(const struct cli_args *args, struct cli_data *out_data, bool *out_there) {
    BUF_AUTO struct buf path = BUF_INIT(64 * 1024);
    int code = find_data(args, &path);
    *out_there = code == CLI_OK && has_database(buf_str(&path));
    return *out_there ? cli_data_open_at(args, buf_str(&path), false, out_data) : code;
}

void cli_data_close(struct cli_data *data) {
    sql_close(data->db);
    datadir_close(&data->dir);
}
