// penstock config init --interactive: points to the templates where questions cannot be asked.
#include "cli/config_file.h"

int cmd_config_init_interactive(const struct cli_args *args) {
    return cli_fail(args->io, CLI_REFUSED, "this build asks no questions", "a template can be edited instead",
                    "penstock config init --list");
}
