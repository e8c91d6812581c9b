// Looks into the table of commands.
#include "cli/command.h"

bool cli_option_is_global(enum cli_option_id id) { return id >= CLI_GLOBAL_FIRST; }

bool cli_takes_option(const struct cli_command *command, enum cli_option_id id) {
    return cli_option_is_global(id) || (command->options & CLI_BIT(id)) != 0;
}

enum cli_command_id cli_command_id(const struct cli_command *command) {
    return (enum cli_command_id)(command - CLI_COMMANDS);
}

const struct cli_command *cli_command_find(struct str name) {
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        if (str_eq(str_c(CLI_COMMANDS[i].name), name)) return &CLI_COMMANDS[i];
    return NULL;
}

const struct cli_group *cli_group_find(struct str name) {
    for (size_t i = 0; i < CLI_GROUP_COUNT; i++)
        if (str_eq(str_c(CLI_GROUPS[i].name), name)) return &CLI_GROUPS[i];
    return NULL;
}

struct str cli_command_group(const struct cli_command *command) {
    struct str name = str_c(command->name);
    size_t space = str_find_char(name, ' ');
    return str_head(name, space == name.n ? 0 : space);
}

struct str cli_command_word(const struct cli_command *command) {
    struct str name = str_c(command->name);
    size_t space = str_find_char(name, ' ');
    return space == name.n ? name : str_from(name, space + 1);
}
