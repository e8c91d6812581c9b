// Placeholder.
#include "cli/commands.h"

int cmd_config_import(const struct cli_args *args) {
    return cli_fail(args->io, CLI_FAILED, "not built yet", NULL, NULL);
}
