// Loads the configuration for a command, with what the command line says.
#include "cli/commands.h"
#include "conf/conf.h"
#include "store/config_env.h"

#define TEXT_MAX ((size_t)1 << 20)

struct str cli_config_file(const struct cli_args *args) {
    struct file_info info;
    struct err err;
    if (cli_given(args, CLI_CONFIG)) return cli_value(args, CLI_CONFIG);
    bool here = file_stat(STR("penstock.yaml"), &info, &err) && info.kind == FILE_KIND_REGULAR;
    return here ? STR("penstock.yaml") : STR("");
}

bool cli_one_config(const struct cli_args *args) {
    if (!args->n_operands || !cli_given(args, CLI_CONFIG)) return true;
    cli_fail(args->io, CLI_USAGE, "both FILE and --config name a configuration", NULL, "one of them");
    return false;
}

static void add(struct conf_override *list, size_t *n, struct str key, struct str value, struct str origin,
                bool literal) {
    list[(*n)++] = (struct conf_override){.key = key, .value = value, .origin = origin, .literal = literal};
}

// Options of their own for what is asked for most.
static void add_options(const struct cli_args *args, struct conf_override *list, size_t *n) {
    if (cli_given(args, CLI_DATA) || args->io->env("PENSTOCK_DATA"))
        add(list, n, STR("storage.data"), cli_data_dir(args),
            cli_given(args, CLI_DATA) ? STR("--data") : STR("$PENSTOCK_DATA"), true);
    if (cli_given(args, CLI_LISTEN)) {
        add(list, n, STR("listeners"), STR("[{address: \"127.0.0.1:0\"}]"), STR("--listen"), false);
        add(list, n, STR("listeners[0].address"), cli_value(args, CLI_LISTEN), STR("--listen"), true);
    }
    if (cli_given(args, CLI_WORKERS))
        add(list, n, STR("server.workers"), cli_value(args, CLI_WORKERS), STR("--workers"), true);
    if (cli_given(args, CLI_LOG_LEVEL))
        add(list, n, STR("log.level"), cli_value(args, CLI_LOG_LEVEL), STR("--log-level"), true);
}

bool cli_overrides(const struct cli_args *args, struct arena *arena, struct conf_override **out_list, size_t *out_n) {
    struct conf_override *list = ARENA_ARRAY(arena, struct conf_override, args->n_overrides + 8);
    size_t n = 0;
    if (!list) {
        cli_fail(args->io, CLI_FAILED, "out of memory", NULL, NULL);
        return false;
    }
    for (size_t i = 0; i < args->n_overrides; i++) {
        struct str text = str_c(args->overrides[i]);
        size_t eq = str_find_char(text, '=');
        if (eq == text.n || eq == 0) {
            char what[200];
            snprintf(what, sizeof what, "--config-override cannot be \"%.100s\"", args->overrides[i]);
            cli_fail(args->io, CLI_USAGE, what, "it is written KEY=VALUE, such as log.level=debug",
                     "penstock config docs, for the keys there are");
            return false;
        }
        add(list, &n, str_head(text, eq), str_from(text, eq + 1), STR("--config-override"), false);
    }
    add_options(args, list, &n);
    *out_list = list;
    *out_n = n;
    return true;
}

static void print_problems(const struct cli_args *args, const struct conf_problems *problems) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    conf_problems_print(problems, &text);
    fwrite(text.p ? text.p : "", 1, text.n, args->io->err);
}

int cli_conf_load(const struct cli_args *args, const struct cli_conf_wanted *wanted, int invalid,
                  struct conf **out_conf) {
    struct config_env stores = {.no_live = wanted->files_only};
    struct conf_env env = config_env_system(&stores);
    struct conf_problems problems;
    struct arena arena;
    int code = CLI_OK;
    arena_init(&arena, NULL, 0, 64 * 1024);
    conf_problems_init(&problems);
    env.offline = cli_given(args, CLI_OFFLINE);
    env.profile = wanted->profile.n ? wanted->profile : cli_value(args, CLI_PROFILE);
    struct conf_override *list = NULL;
    if (!cli_overrides(args, &arena, &list, &env.n_overrides)) {
        code = CLI_USAGE;
    } else {
        env.overrides = list;
        bool ok = conf_load(wanted->file.n ? wanted->file : cli_config_file(args), &env, &problems, out_conf);
        if (!ok || !cli_given(args, CLI_QUIET)) print_problems(args, &problems);
        if (!ok) code = cli_fail(args->io, invalid, "the configuration is not valid", NULL, NULL);
    }
    conf_problems_free(&problems);
    arena_free(&arena);
    config_env_end(&stores);
    return code;
}
