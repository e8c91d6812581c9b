// The table of commands and options: the one source of parsing, help, completion and the man page.
//
// Ownership and thread rule: constant.
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/str.h"

enum cli_option_id {
    // serve
    CLI_CONFIG,
    CLI_OVERRIDE,
    CLI_PROFILE,
    CLI_LISTEN,
    CLI_WORKERS,
    CLI_LOG_LEVEL,
    // keys
    CLI_ADMIN,
    CLI_NAME,
    CLI_MODELS,
    CLI_EXPIRES,
    // usage
    CLI_BY,
    CLI_SINCE,
    CLI_UNTIL,
    CLI_KEY,
    CLI_MODEL,
    CLI_LIMIT,
    CLI_RECORDS,
    CLI_TEAM,
    CLI_PROJECT,
    CLI_OWNER,
    CLI_PROVIDER,
    CLI_ENDPOINT,
    CLI_STATUS,
    CLI_ERROR,
    CLI_ERRORS,
    CLI_TAG,
    CLI_TASK,
    CLI_SAVINGS,
    // chat
    CLI_URL,
    CLI_SYSTEM,
    // tokens
    CLI_TOKENIZER,
    CLI_IDS,
    // batches
    CLI_CONCURRENCY,
    // bench
    CLI_PROMPTS,
    CLI_REPEAT,
    CLI_WARMUP,
    CLI_JUDGE,
    CLI_HTML,
    // config, secret
    CLI_SOURCES,
    CLI_EFFECTIVE,
    CLI_DEFAULTS,
    CLI_CHANGED,
    CLI_TENANT,
    CLI_OFFLINE,
    CLI_ENV_REFERENCE,
    CLI_TEMPLATE,
    CLI_LIST,
    CLI_INTERACTIVE,
    CLI_OUTPUT,
    CLI_FORCE,
    CLI_FROM_FILE,
    CLI_TO,
    CLI_YES,
    CLI_DRY_RUN,
    // audit
    CLI_FORMAT,
    CLI_FILE,
    // rows of entities
    CLI_SERVER,
    CLI_SORT,
    CLI_FIELDS,
    CLI_SEARCH,
    CLI_KEEP,
    CLI_WITH_KEY,
    CLI_CONFIRM,
    // models
    CLI_CAN,
    CLI_MODE,
    CLI_ALL,
    // route
    CLI_HEADER,
    // everywhere
    CLI_DATA,
    CLI_JSON,
    CLI_COLOR,
    CLI_QUIET,
    CLI_VERBOSE,
    CLI_HELP,
    CLI_VERSION,
    CLI_OPTION_COUNT
};
#define CLI_GLOBAL_FIRST CLI_DATA

enum cli_value_kind {
    CLI_VALUE_NONE, // a flag
    CLI_VALUE_TEXT,
    CLI_VALUE_NUMBER,
    CLI_VALUE_CHOICE,
    CLI_VALUE_FILE,
    CLI_VALUE_DIR,
};

#define CLI_CHOICES_MAX 18
struct cli_option {
    const char *name;
    char letter; // 0 = none
    enum cli_value_kind kind;
    const char *value;                    // its name in help: "FILE"; NULL for a flag
    const char *help;                     // a sentence without a full stop
    const char *choices[CLI_CHOICES_MAX]; // CLI_VALUE_CHOICE; ends with NULL
};
extern const struct cli_option CLI_OPTIONS[CLI_OPTION_COUNT];

enum cli_command_id {
    CLI_CMD_SERVE,
    CLI_CMD_KEY_CREATE,
    CLI_CMD_KEY_LIST,
    CLI_CMD_KEY_REVOKE,
    CLI_CMD_USAGE,
    CLI_CMD_CHAT,
    CLI_CMD_MODELS,
    CLI_CMD_TARGETS,
    CLI_CMD_QUALITY,
    CLI_CMD_ESTIMATE,
    CLI_CMD_ROUTE_EXPLAIN,
    CLI_CMD_TOKENS,
    CLI_CMD_BATCH_RUN,
    CLI_CMD_BATCH_LIST,
    CLI_CMD_BATCH_SHOW,
    CLI_CMD_BATCH_CANCEL,
    CLI_CMD_BENCH_MODELS,
    CLI_CMD_FILE_LIST,
    CLI_CMD_FILE_PUT,
    CLI_CMD_FILE_GET,
    CLI_CMD_FILE_DELETE,
    CLI_CMD_CONFIG_INIT,
    CLI_CMD_CONFIG_VALIDATE,
    CLI_CMD_CONFIG_SHOW,
    CLI_CMD_CONFIG_TRACE,
    CLI_CMD_CONFIG_TEST,
    CLI_CMD_CONFIG_DIFF,
    CLI_CMD_CONFIG_SCHEMA,
    CLI_CMD_CONFIG_DOCS,
    CLI_CMD_CONFIG_EXPLAIN,
    CLI_CMD_CONFIG_MIGRATE,
    CLI_CMD_CONFIG_IMPORT,
    CLI_CMD_CONFIG_SET,
    CLI_CMD_CONFIG_UNSET,
    CLI_CMD_CONFIG_HISTORY,
    CLI_CMD_CONFIG_ROLLBACK,
    CLI_CMD_SECRET_SET,
    CLI_CMD_SECRET_LIST,
    CLI_CMD_SECRET_DELETE,
    CLI_CMD_SECRET_REKEY,
    CLI_CMD_SECRET_ROTATE_MASTER,
    CLI_CMD_AUDIT_LIST,
    CLI_CMD_AUDIT_TAIL,
    CLI_CMD_AUDIT_EXPORT,
    CLI_CMD_AUDIT_VERIFY,
    CLI_CMD_AUDIT_KEY,
    CLI_CMD_AUDIT_ROTATE,
#define NOUN(id, noun, a_noun, example)                                                                                \
    CLI_CMD_##id##_LIST, CLI_CMD_##id##_SHOW, CLI_CMD_##id##_CREATE, CLI_CMD_##id##_UPDATE, CLI_CMD_##id##_DELETE,
#include "cli/nouns.def"
#undef NOUN
    CLI_CMD_TENANT_BRANDING,
    CLI_CMD_TENANT_LOGO,
    CLI_CMD_TENANT_EXPORT,
    CLI_CMD_TENANT_PROOF,
    CLI_CMD_TENANT_VERIFY_PROOF,
    CLI_CMD_TENANT_SUSPEND,
    CLI_CMD_TENANT_RESUME,
    CLI_CMD_USER_PASSWD,
    CLI_CMD_BUDGET_HISTORY,
    CLI_CMD_TEAM_MEMBERS,
    CLI_CMD_TEAM_ADD,
    CLI_CMD_TEAM_REMOVE,
    CLI_CMD_ELEVATION_APPROVE,
    CLI_CMD_ELEVATION_REFUSE,
    CLI_CMD_KEY_SHOW,
    CLI_CMD_KEY_UPDATE,
    CLI_CMD_KEY_ROTATE,
    CLI_CMD_KEY_COLLECT,
    CLI_CMD_KEY_IDENTIFY,
    CLI_CMD_KEY_SCAN,
    CLI_CMD_ACCESS_EXPLAIN,
    CLI_CMD_ACCESS_MATRIX,
    CLI_CMD_CANARY_LIST,
    CLI_CMD_CANARY_PAUSE,
    CLI_CMD_CANARY_RESUME,
    CLI_CMD_CANARY_PROMOTE,
    CLI_CMD_CANARY_ROLLBACK,
    CLI_CMD_CANARY_RESTART,
    CLI_CMD_SHADOW_REPORT,
    CLI_CMD_EXPERIMENT_REPORT,
    CLI_CMD_SESSION_LIST,
    CLI_CMD_SESSION_REVOKE,
    CLI_CMD_LOGIN,
    CLI_CMD_LOGOUT,
    CLI_CMD_WHOAMI,
    CLI_CMD_COMPLETION,
    CLI_CMD_MAN,
    CLI_CMD_VERSION,
    CLI_CMD_HELP,
    CLI_COMMAND_COUNT
};

struct cli_example {
    const char *line; // without "penstock "
    const char *what;
};
#define CLI_EXAMPLES_MAX 5
// A set of options, a bit each.
__extension__ typedef unsigned __int128 cli_option_set;
#define CLI_BIT(option) ((cli_option_set)1 << (option))
static_assert(CLI_OPTION_COUNT <= 128, "a bit for each option");

struct cli_command {
    const char *name;     // "key create"
    const char *operands; // as shown: "MODEL PROMPT"; "" for none
    size_t operands_min, operands_max;
    enum cli_value_kind operand_kind; // for completion of the first operand
    const char *choices[CLI_CHOICES_MAX];
    cli_option_set options; // CLI_BIT of each besides the global ones
    const char *summary;    // a sentence without a full stop
    const char *details;    // more sentences, or NULL
    struct cli_example examples[CLI_EXAMPLES_MAX];
};
extern const struct cli_command CLI_COMMANDS[CLI_COMMAND_COUNT];

// The first word of commands of two words.
struct cli_group {
    const char *name;
    const char *summary;
};
#define CLI_GROUP_COUNT 23
extern const struct cli_group CLI_GROUPS[CLI_GROUP_COUNT];

struct cli_status {
    int code;
    const char *meaning;
};
#define CLI_STATUS_COUNT 9
extern const struct cli_status CLI_STATUSES[CLI_STATUS_COUNT];

struct cli_variable {
    const char *name;
    const char *meaning;
};
#define CLI_VARIABLE_COUNT 9
extern const struct cli_variable CLI_VARIABLES[CLI_VARIABLE_COUNT];

bool cli_option_is_global(enum cli_option_id id);
bool cli_takes_option(const struct cli_command *command, enum cli_option_id id);
enum cli_command_id cli_command_id(const struct cli_command *command);
// NULL when there is none. Name: "key create".
const struct cli_command *cli_command_find(struct str name);
const struct cli_group *cli_group_find(struct str name);
// "key" of "key create"; empty for a command of one word.
struct str cli_command_group(const struct cli_command *command);
// "create" of "key create", "serve" of "serve".
struct str cli_command_word(const struct cli_command *command);

#endif
