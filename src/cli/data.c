// Opens the data directory for commands that work beside a running server, or without one.
#include "cli/commands.h"

#define PATH_SHOWN 200

int cli_data_open(const struct cli_args *args, bool create, struct cli_data *out_data) {
    struct cli_data data = {0};
    struct err err;
    struct str path = cli_data_dir(args);
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

void cli_data_close(struct cli_data *data) {
    sql_close(data->db);
    datadir_close(&data->dir);
}
