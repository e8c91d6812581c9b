// Placeholder.
#include "cli/commands.h"

int cmd_config_trace(const struct cli_args *args) {
    return cli_fail(args->io, CLI_FAILED, "not built yet", NULL, NULL);
}
