// Finds the known name nearest to one that is not known, for "did you mean".
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "cli/command.h"

// NULL when nothing is near. command NULL = among all options.
const char *cli_nearest_option(const struct cli_command *command, struct str name);
// The full name of a command or group; group empty = among first words.
const char *cli_nearest_command(struct str group, struct str word);

#endif
