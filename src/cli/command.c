// Looks into the table of commands; their groups, exit codes and variables.
#include "cli/command.h"

const struct cli_group CLI_GROUPS[CLI_GROUP_COUNT] = {
    {"key", "Make, list and revoke keys"},
    {"config", "Make, check, explain, compare and change the configuration"},
    {"secret", "Keep secrets for the configuration, sealed in the data directory"},
    {"audit", "Read, export and prove the trail of what was done by whom"},
    {"route", "Say where requests go, and why"},
    {"batch", "Run files of requests on a server"},
    {"bench", "Compare models: how fast, how dear, how good"},
    {"file", "Manage the files that a server keeps"},
    {"tenant", "Manage tenants: organisations and all that is their own"},
    {"domain", "Manage host names that are tenants' own"},
    {"team", "Manage teams and their members"},
    {"project", "Manage projects"},
    {"user", "Manage people who sign in"},
    {"service-account", "Manage programs with an identity of their own"},
    {"role", "Manage roles: named sets of permissions"},
    {"grant", "Manage who may do what"},
    {"elevation", "Ask for more rights for a time, and decide on it"},
    {"budget", "Manage limits on requests, tokens, money and concurrency"},
    {"access", "Say who may do what, and why"},
    {"canary", "Watch and steer models that take others' requests step by step"},
    {"shadow", "Compare models with those that are sent the same requests"},
    {"experiment", "Compare the arms of models with the strategy ab"},
    {"session", "Show who is signed in, and end it"},
};

const struct cli_status CLI_STATUSES[CLI_STATUS_COUNT] = {
    {0, "Success"},
    {1, "The command failed"},
    {2, "The command line is wrong"},
    {3, "The configuration is invalid"},
    {4, "What was named does not exist"},
    {5, "Refused: a key is missing, wrong or not allowed to do this"},
    {6, "The server could not be reached"},
    {7, "Partly done: the rest is told on standard error"},
    {130, "Interrupted"},
};

const struct cli_variable CLI_VARIABLES[CLI_VARIABLE_COUNT] = {
    {"PENSTOCK_SECTION__KEY", "An option of the configuration, such as PENSTOCK_LOG__LEVEL"},
    {"PENSTOCK_CONFIG_JSON", "A whole configuration as JSON, before the files"},
    {"PENSTOCK_ENV", "The profile when --env is not given"},
    {"PENSTOCK_API_KEY", "The key for \"penstock chat\", and for servers that commands ask"},
    {"XDG_CONFIG_HOME", "Where \"penstock login\" keeps its files; ~/.config when not set"},
    {"PENSTOCK_DATA", "The data directory when --data is not given"},
    {"PENSTOCK_URL", "Where \"penstock chat\" finds the server when --url is not given"},
    {"NO_COLOR", "When set and not empty, colours are off unless --color=always is given"},
    {"PENSTOCK_SERVER", "The server that commands ask instead of working on the data directory; as --server"},
};

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
