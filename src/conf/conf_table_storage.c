// The option tables of the master key, which wraps the keys of the sealed store.
#include "conf/conf_tables.h"

static const char *check_variable(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!word && (i == 0 || c < '0' || c > '9')) return "the name of an environment variable: letters, digits, _";
    }
    return NULL;
}

#define SOURCE_FILE                                                                                                    \
    { "file", MASTER_FILE, "32 bytes in a file, made at the first start" }
#define SOURCE_ENV                                                                                                     \
    { "env", MASTER_ENV, "an environment variable with 32 bytes in base64 or hexadecimal" }
#define SOURCE_COMMAND                                                                                                 \
    {                                                                                                                  \
        "command", MASTER_COMMAND,                                                                                     \
            "a program that wraps and unwraps for itself, as the command line of a key management service does"        \
    }
#define SOURCE_VAULT                                                                                                   \
    { "vault_transit", MASTER_VAULT_TRANSIT, "a key of the Transit engine of the Vault in `vault`" }

static const struct opt_enum sources[] = {SOURCE_FILE, SOURCE_ENV, SOURCE_COMMAND, SOURCE_VAULT, {0}};
static const struct opt_enum next_sources[] = {
    {"none", MASTER_NONE, "no change is under way"}, SOURCE_FILE, SOURCE_ENV, SOURCE_COMMAND, SOURCE_VAULT, {0}};

// clang-format off
#define MASTER_KEY_OPTS(source_def, source_values)                                                                     \
    {.name = "source", .type = OPT_ENUM, .flags = RELOAD, AT(conf_master_key, source), .def = source_def,             \
     .values = source_values, .help = "Where it is."},                                                                \
    {.name = "file", .type = OPT_STR, .flags = RELOAD, AT(conf_master_key, file),                                     \
     .help = "The file, for `source: file`; `secret.key` in the data directory when not given. Of another one 32 "    \
             "bytes, raw or in base64 or hexadecimal, must be there already.",                                        \
     .example = "/run/secrets/penstock-master-key"},                                                                  \
    {.name = "env", .type = OPT_STR, .flags = RELOAD, AT(conf_master_key, env), .max = 128, .check = check_variable,  \
     .help = "The variable, for `source: env`.", .example = "PENSTOCK_MASTER_KEY"},                                   \
    {.name = "command", .type = OPT_STRS, .flags = RELOAD, AT(conf_master_key, command), .max = 64,                   \
     .help = "The program and its arguments, for `source: command`. It is run without a shell, with `wrap` or "       \
             "`unwrap` as one more argument, gets bytes on standard input and answers with bytes on standard output.",\
     .example = "[/usr/local/bin/kms-wrap, --key, penstock]"},                                                        \
    {.name = "timeout", .type = OPT_DURATION, .flags = RELOAD, AT(conf_master_key, timeout), .def = "10s",            \
     .min = 100, .max = 60000, .help = "How long the program may take."},                                             \
    {.name = "mount", .type = OPT_STR, .flags = RELOAD, AT(conf_master_key, mount), .def = "transit", .min = 1,       \
     .max = 256, .help = "Where the Transit engine is mounted, for `source: vault_transit`."},                        \
    {.name = "key", .type = OPT_STR, .flags = RELOAD, AT(conf_master_key, key), .max = 256,                           \
     .help = "The key's name, for `source: vault_transit`.", .example = "penstock"},
// clang-format on

static const struct opt master_key_opts[] = {MASTER_KEY_OPTS("file", sources)};
static const struct opt next_master_key_opts[] = {MASTER_KEY_OPTS("none", next_sources)};
const struct opt_table master_key_table = OPT_TABLE("the master key", struct conf_master_key, master_key_opts);
const struct opt_table next_master_key_table =
    OPT_TABLE("the next master key", struct conf_master_key, next_master_key_opts);
