// What the commands that write configuration files share.
//
// Thread rule: the main thread. Errors: said on standard error; the exit code is returned.
#ifndef CLI_CONFIG_FILE_H
#define CLI_CONFIG_FILE_H

#include "cli/cli.h"

// Writes the text; a file that is there already is refused without --force, and with it keeps its mode.
int cli_file_put(const struct cli_args *args, struct str path, struct str text);
// Says, after a configuration was written, what to do next; with --json, only where it is.
int cli_config_written(const struct cli_args *args, struct str path);

// "config init --interactive": asks, then writes to --output by the two above.
int cmd_config_init_interactive(const struct cli_args *args);

#endif
