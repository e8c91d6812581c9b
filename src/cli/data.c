// Opens the data directory for commands that work beside a running server, or without one.
#include "cli/commands.h"
#include "conf/conf.h"

#define PATH_SHOWN 200

int cli_data_open_at(const struct cli_args *args, struct str path, bool create, struct cli_data *out_data) {
    struct cli_data data = {0};
    struct err err;
    char what[PATH_SHOWN + 64];
    if (!create) {
        struct file_info info;
        BUF_AUTO struct buf database = BUF_INIT(64 * 1024);
        path_join(&database, path, STR("penstock.db"));
        if (!file_stat(buf_str(&database), &info, &err) || info.kind != FILE_KIND_REGULAR) {
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
int cli_data_open(const struct cli_args *args, bool create, struct cli_data *out_data) {
    struct conf_env env = conf_env_system();
    struct conf_problems problems;
    struct conf *conf;
    struct str file = cli_config_file(args);
    if (cli_given(args, CLI_DATA) || args->io->env("PENSTOCK_DATA") || !file.n)
        return cli_data_open_at(args, cli_data_dir(args), create, out_data);
    env.offline = true;
    conf_problems_init(&problems);
    bool ok = conf_load(file, &env, &problems, &conf);
    conf_problems_free(&problems);
    if (!ok)
        return cli_fail(args->io, CLI_CONFIG_INVALID, "the configuration, which names the data directory, is not valid",
                        NULL, "penstock config validate; or --data DIR");
    int code = cli_data_open_at(args, conf->storage.data, create, out_data);
    conf_unref(conf);
    return code;
}

void cli_data_close(struct cli_data *data) {
    sql_close(data->db);
    datadir_close(&data->dir);
}
