// penstock config trace.
#include "cli/commands.h"
#include "conf/show.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

int cmd_config_trace(const struct cli_args *args) {
    struct cli_conf_wanted wanted = {0};
    struct conf *conf = NULL;
    struct err err;
    struct conf_show of = {.key = str_c(args->operands[0])};
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    int code = cli_conf_whose(args, &of);
    if (code == CLI_OK) code = cli_conf_load(args, &wanted, CLI_CONFIG_INVALID, &conf);
    if (code != CLI_OK) return code;
    bool ok = cli_given(args, CLI_JSON) ? conf_trace_json(conf, &of, &out, &err) : conf_trace(conf, &of, &out, &err);
    conf_unref(conf);
    if (!ok) return cli_fail_err(args->io, &err, "cannot trace this", "penstock config docs, for the keys there are");
    return cli_print(args->io, &out);
}
