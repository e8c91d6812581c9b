// Placeholder.
#include "cli/commands.h"

int cmd_config_set(const struct cli_args *args) { return cli_fail(args->io, CLI_FAILED, "not built yet", NULL, NULL); }

int cmd_config_unset(const struct cli_args *args) {
    return cli_fail(args->io, CLI_FAILED, "not built yet", NULL, NULL);
}

int cmd_config_rollback(const struct cli_args *args) {
    return cli_fail(args->io, CLI_FAILED, "not built yet", NULL, NULL);
}
