// The commands, their options, examples, exit codes and variables.
#include "cli/command.h"

const struct cli_option CLI_OPTIONS[CLI_OPTION_COUNT] = {
    [CLI_CONFIG] = {.name = "config",
                    .letter = 'c',
                    .kind = CLI_VALUE_FILE,
                    .value = "FILE",
                    .help = "The configuration file; without it ./penstock.yaml if there is one, else defaults"},
    [CLI_LISTEN] = {.name = "listen",
                    .letter = 'l',
                    .kind = CLI_VALUE_TEXT,
                    .value = "HOST:PORT",
                    .help = "Listen here instead of where the configuration says"},
    [CLI_WORKERS] = {.name = "workers",
                     .letter = 'w',
                     .kind = CLI_VALUE_NUMBER,
                     .value = "N",
                     .help = "Event loops; 0 is one for each processor"},
    [CLI_LOG_LEVEL] = {.name = "log-level",
                       .kind = CLI_VALUE_CHOICE,
                       .value = "LEVEL",
                       .help = "What to log",
                       .choices = {"error", "warn", "info", "debug", "trace"}},
    [CLI_ADMIN] = {.name = "admin",
                   .kind = CLI_VALUE_NONE,
                   .help = "The key may administer Penstock and read its metrics"},
    [CLI_NAME] =
        {.name = "name", .letter = 'n', .kind = CLI_VALUE_TEXT, .value = "NAME", .help = "What people call the key"},
    [CLI_MODELS] = {.name = "models",
                    .letter = 'm',
                    .kind = CLI_VALUE_TEXT,
                    .value = "LIST",
                    .help = "Models the key may use, separated by commas; a name may end in *"},
    [CLI_EXPIRES] = {.name = "expires",
                     .kind = CLI_VALUE_TEXT,
                     .value = "WHEN",
                     .help = "When the key stops working: a time from now (12h, 30d) or a date"},
    [CLI_BY] = {.name = "by",
                .kind = CLI_VALUE_CHOICE,
                .value = "WHAT",
                .help = "Add up by this",
                .choices = {"key", "model", "provider", "day"}},
    [CLI_SINCE] = {.name = "since",
                   .kind = CLI_VALUE_TEXT,
                   .value = "WHEN",
                   .help = "Requests from then on: a date, a time, or how long ago (24h, 7d)"},
    [CLI_UNTIL] = {.name = "until",
                   .kind = CLI_VALUE_TEXT,
                   .value = "WHEN",
                   .help = "Requests before then, written as for --since"},
    [CLI_KEY] = {.name = "key",
                 .letter = 'k',
                 .kind = CLI_VALUE_TEXT,
                 .value = "KEY",
                 .help = "Only requests with this key: its id, prefix or name"},
    [CLI_MODEL] = {.name = "model",
                   .kind = CLI_VALUE_TEXT,
                   .value = "MODEL",
                   .help = "Only requests for this model, as asked for or as the provider calls it"},
    [CLI_LIMIT] = {.name = "limit", .kind = CLI_VALUE_NUMBER, .value = "N", .help = "At most so many lines; 0 is all"},
    [CLI_RECORDS] = {.name = "records", .kind = CLI_VALUE_NONE, .help = "Each request on its own, newest first"},
    [CLI_URL] = {.name = "url",
                 .letter = 'u',
                 .kind = CLI_VALUE_TEXT,
                 .value = "URL",
                 .help = "Where Penstock runs (http://127.0.0.1:8080)"},
    [CLI_SYSTEM] = {.name = "system",
                    .letter = 's',
                    .kind = CLI_VALUE_TEXT,
                    .value = "TEXT",
                    .help = "Instructions for the model, before the prompt"},
    [CLI_DATA] =
        {.name = "data", .letter = 'd', .kind = CLI_VALUE_DIR, .value = "DIR", .help = "The data directory (./data)"},
    [CLI_JSON] = {.name = "json", .kind = CLI_VALUE_NONE, .help = "Print JSON, one object a line"},
    [CLI_COLOR] = {.name = "color",
                   .kind = CLI_VALUE_CHOICE,
                   .value = "WHEN",
                   .help = "Use colours",
                   .choices = {"auto", "always", "never"}},
    [CLI_QUIET] = {.name = "quiet", .letter = 'q', .kind = CLI_VALUE_NONE, .help = "Print nothing but data and errors"},
    [CLI_VERBOSE] = {.name = "verbose", .letter = 'v', .kind = CLI_VALUE_NONE, .help = "Say more; twice says most"},
    [CLI_HELP] = {.name = "help", .letter = 'h', .kind = CLI_VALUE_NONE, .help = "Show help"},
    [CLI_VERSION] = {.name = "version", .letter = 'V', .kind = CLI_VALUE_NONE, .help = "Show the version"},
};

const struct cli_group CLI_GROUPS[CLI_GROUP_COUNT] = {
    {"key", "Make, list and revoke keys"},
    {"config", "Check the configuration, and read about it"},
};

const struct cli_command CLI_COMMANDS[CLI_COMMAND_COUNT] = {
    [CLI_CMD_SERVE] = {.name = "serve",
                       .operands = "",
                       .options =
                           CLI_BIT(CLI_CONFIG) | CLI_BIT(CLI_LISTEN) | CLI_BIT(CLI_WORKERS) | CLI_BIT(CLI_LOG_LEVEL),
                       .summary = "Run the gateway",
                       .details = "Applications that speak the OpenAI API use it by their base URL. Without a "
                                  "configuration, providers are found from the environment (OPENAI_API_KEY, "
                                  "ANTHROPIC_API_KEY and so on) and on this machine. Ready when GET /readyz answers "
                                  "200. SIGTERM finishes the requests in progress and ends; SIGHUP reads the "
                                  "configuration and the certificates again.",
                       .examples = {{"serve", "with what is found in the environment"},
                                    {"serve --config penstock.yaml", "with a configuration file"},
                                    {"serve --listen 0.0.0.0:8080 --data /var/lib/penstock", "for other machines"}}},
    [CLI_CMD_KEY_CREATE] = {.name = "key create",
                            .operands = "",
                            .options =
                                CLI_BIT(CLI_ADMIN) | CLI_BIT(CLI_NAME) | CLI_BIT(CLI_MODELS) | CLI_BIT(CLI_EXPIRES),
                            .summary = "Make a key",
                            .details = "The key is shown once and stored only as a hash. It works at once, whether or "
                                       "not a server runs on the data directory.",
                            .examples = {{"key create --name \"billing app\"", "for one application"},
                                         {"key create --models 'gpt-5*' --expires 30d", "for some models, for a month"},
                                         {"key create --admin --json", "for a script"}}},
    [CLI_CMD_KEY_LIST] = {.name = "key list",
                          .operands = "",
                          .summary = "List the keys",
                          .examples = {{"key list", "as a table"}, {"key list --json", "one JSON object a key"}}},
    [CLI_CMD_KEY_REVOKE] = {.name = "key revoke",
                            .operands = "KEY",
                            .operands_min = 1,
                            .operands_max = 1,
                            .operand_kind = CLI_VALUE_TEXT,
                            .summary = "Revoke a key, effective at once",
                            .details = "KEY is its id, the prefix shown by \"penstock key list\", or its name.",
                            .examples = {{"key revoke ps-abc123", "by its prefix"},
                                         {"key revoke \"billing app\"", "by its name"}}},
    [CLI_CMD_USAGE] = {.name = "usage",
                       .operands = "",
                       .options = CLI_BIT(CLI_BY) | CLI_BIT(CLI_SINCE) | CLI_BIT(CLI_UNTIL) | CLI_BIT(CLI_KEY) |
                                  CLI_BIT(CLI_MODEL) | CLI_BIT(CLI_LIMIT) | CLI_BIT(CLI_RECORDS),
                       .summary = "Show who used which model, how many tokens, at what cost",
                       .details = "Without --by, sums by key and by model; with --json, each request. What is not yet "
                                  "in the database is included, whether or not a server runs.",
                       .examples = {{"usage", "sums by key and by model"},
                                    {"usage --by day --since 30d", "a line a day for the last month"},
                                    {"usage --records --limit 20", "the last 20 requests"},
                                    {"usage --since 2026-11-01 --json", "each request since then, for a script"}}},
    [CLI_CMD_CHAT] = {.name = "chat",
                      .operands = "MODEL PROMPT",
                      .operands_min = 2,
                      .operands_max = 2,
                      .operand_kind = CLI_VALUE_TEXT,
                      .options = CLI_BIT(CLI_URL) | CLI_BIT(CLI_SYSTEM),
                      .summary = "Ask a model through a running Penstock and stream its answer",
                      .details =
                          "The key is taken from PENSTOCK_API_KEY. The prompt \"-\" is read from standard input.",
                      .examples = {{"chat demo/echo \"Hello\"", "without any provider"},
                                   {"chat gpt-5-mini - <question.txt", "with a prompt from a file"},
                                   {"chat gpt-5-mini \"Hello\" --json", "the whole answer as one JSON object"}}},
    [CLI_CMD_CONFIG_CHECK] = {.name = "config check",
                              .operands = "FILE",
                              .operands_min = 1,
                              .operands_max = 1,
                              .operand_kind = CLI_VALUE_FILE,
                              .summary = "Check a configuration file and say what is wrong with it",
                              .examples = {{"config check penstock.yaml", "says \"valid\", or what to change"}}},
    [CLI_CMD_CONFIG_DOCS] = {.name = "config docs",
                             .operands = "",
                             .summary = "Print the reference of all configuration options",
                             .details = "The text is Markdown.",
                             .examples = {{"config docs | less", "to read it"}}},
    [CLI_CMD_COMPLETION] = {.name = "completion",
                            .operands = "SHELL",
                            .operands_min = 1,
                            .operands_max = 1,
                            .operand_kind = CLI_VALUE_CHOICE,
                            .choices = {"bash", "zsh", "fish"},
                            .summary = "Print the completion script for a shell: bash, zsh or fish",
                            .examples = {{"completion bash >/etc/bash_completion.d/penstock", "for bash"},
                                         {"completion zsh >\"${fpath[1]}/_penstock\"", "for zsh"},
                                         {"completion fish >~/.config/fish/completions/penstock.fish", "for fish"}}},
    [CLI_CMD_MAN] = {.name = "man",
                     .operands = "",
                     .summary = "Print the manual page",
                     .examples = {{"man | man -l -", "to read it"}}},
    [CLI_CMD_VERSION] = {.name = "version", .operands = "", .summary = "Print the version"},
    [CLI_CMD_HELP] = {.name = "help",
                      .operands = "[COMMAND]",
                      .operands_max = 2,
                      .operand_kind = CLI_VALUE_TEXT,
                      .summary = "Show help for a command",
                      .examples = {{"help key create", "the same as \"penstock key create --help\""}}},
};

const struct cli_status CLI_STATUSES[CLI_STATUS_COUNT] = {
    {0, "Success"},
    {1, "The command failed"},
    {2, "The command line is wrong"},
    {3, "The configuration is invalid"},
    {4, "What was named does not exist"},
    {5, "Refused: a key is missing, wrong or not allowed to do this"},
    {6, "The server could not be reached"},
    {130, "Interrupted"},
};

const struct cli_variable CLI_VARIABLES[CLI_VARIABLE_COUNT] = {
    {"PENSTOCK_API_KEY", "The key that \"penstock chat\" uses"},
    {"PENSTOCK_DATA", "The data directory when --data is not given"},
    {"PENSTOCK_URL", "Where \"penstock chat\" finds the server when --url is not given"},
    {"NO_COLOR", "When set and not empty, colours are off unless --color=always is given"},
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
