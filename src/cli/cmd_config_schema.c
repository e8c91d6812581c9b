// penstock config schema.
#include "cli/commands.h"
#include "conf/conf.h"

#define TEXT_MAX ((size_t)16 * 1024 * 1024)

int cmd_config_schema(const struct cli_args *args) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    conf_schema(&out);
    return cli_print(args->io, &out);
}
