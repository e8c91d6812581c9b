// penstock config test.
#include "cli/check_view.h"
#include "cli/commands.h"
#include "net/fetch.h"

int cmd_config_test(const struct cli_args *args) {
    struct cli_conf_wanted wanted = {.file = str_c(args->n_operands ? args->operands[0] : NULL)};
    struct check_list *list = NULL;
    struct conf *conf = NULL;
    struct err err;
    if (!cli_one_config(args)) return CLI_USAGE;
    if (!fetch_global_begin(&err)) return cli_fail_err(args->io, &err, "cannot test the configuration", NULL);
    int code = cli_conf_load(args, &wanted, CLI_CONFIG_INVALID, &conf);
    if (code == CLI_OK) {
        code = check_list_make(conf, CHECK_ALL, &list, &err)
                   ? check_view_run(args, list)
                   : cli_fail_err(args->io, &err, "cannot test the configuration", NULL);
        check_list_free(list);
        conf_unref(conf);
    }
    fetch_global_end();
    return code;
}
