// Runs the command that the command line names.
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/text.h"

#define TEXT_MAX ((size_t)1024 * 1024)

static int run_help(const struct cli_args *args) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    if (args->n_operands == 0) {
        cli_help_all(&text);
        return cli_print(args->io, &text);
    }
    char name[64];
    snprintf(name, sizeof name, "%.30s%s%.30s", args->operands[0], args->n_operands > 1 ? " " : "",
             args->n_operands > 1 ? args->operands[1] : "");
    const struct cli_command *command = cli_command_find(str_c(name));
    const struct cli_group *group = cli_group_find(str_c(name));
    if (!command && !group) {
        char what[128];
        snprintf(what, sizeof what, "there is no command \"%s\"", name);
        return cli_fail(args->io, CLI_USAGE, what, NULL, "penstock --help");
    }
    if (command)
        cli_help_command(&text, command);
    else
        cli_help_group(&text, group);
    return cli_print(args->io, &text);
}

// --help, --version, or no command: true when that is all there is to do.
static bool run_without_command(const struct cli_args *args, int *out_code) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    if (cli_given(args, CLI_HELP)) {
        if (args->command)
            cli_help_command(&text, args->command);
        else if (args->group)
            cli_help_group(&text, args->group);
        else
            cli_help_all(&text);
    } else if (cli_given(args, CLI_VERSION)) {
        *out_code = cmd_version(args);
        return true;
    } else if (args->command) {
        return false;
    } else {
        if (args->group)
            cli_help_group(&text, args->group);
        else
            cli_help_all(&text);
        fwrite(text.p, 1, text.n, args->io->err);
        *out_code = CLI_USAGE;
        return true;
    }
    *out_code = cli_print(args->io, &text);
    return true;
}

static int run_text(const struct cli_args *args, void (*write_text)(struct buf *out)) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    write_text(&text);
    return cli_print(args->io, &text);
}

static int run_completion(const struct cli_args *args) {
    struct str shell = str_c(args->operands[0]);
    if (str_eq(shell, STR("bash"))) return run_text(args, cli_complete_bash);
    if (str_eq(shell, STR("zsh"))) return run_text(args, cli_complete_zsh);
    return run_text(args, cli_complete_fish);
}

static int run_command(const struct cli_args *args) {
    switch (cli_command_id(args->command)) {
    case CLI_CMD_SERVE:
        return args->io->serve(args);
    case CLI_CMD_KEY_CREATE:
        return cmd_key_create(args);
    case CLI_CMD_KEY_LIST:
        return cmd_key_list(args);
    case CLI_CMD_KEY_REVOKE:
        return cmd_key_revoke(args);
    case CLI_CMD_USAGE:
        return cmd_usage(args);
    case CLI_CMD_CHAT:
        return cmd_chat(args);
    case CLI_CMD_CONFIG_INIT:
        return cmd_config_init(args);
    case CLI_CMD_CONFIG_VALIDATE:
        return cmd_config_validate(args);
    case CLI_CMD_CONFIG_SHOW:
        return cmd_config_show(args);
    case CLI_CMD_CONFIG_TRACE:
        return cmd_config_trace(args);
    case CLI_CMD_CONFIG_TEST:
        return cmd_config_test(args);
    case CLI_CMD_CONFIG_DIFF:
        return cmd_config_diff(args);
    case CLI_CMD_CONFIG_SCHEMA:
        return cmd_config_schema(args);
    case CLI_CMD_CONFIG_DOCS:
        return cmd_config_docs(args);
    case CLI_CMD_CONFIG_EXPLAIN:
        return cmd_config_explain(args);
    case CLI_CMD_CONFIG_MIGRATE:
        return cmd_config_migrate(args);
    case CLI_CMD_CONFIG_IMPORT:
        return cmd_config_import(args);
    case CLI_CMD_CONFIG_SET:
        return cmd_config_set(args);
    case CLI_CMD_CONFIG_UNSET:
        return cmd_config_unset(args);
    case CLI_CMD_CONFIG_HISTORY:
        return cmd_config_history(args);
    case CLI_CMD_CONFIG_ROLLBACK:
        return cmd_config_rollback(args);
    case CLI_CMD_SECRET_SET:
        return cmd_secret_set(args);
    case CLI_CMD_SECRET_LIST:
        return cmd_secret_list(args);
    case CLI_CMD_SECRET_DELETE:
        return cmd_secret_delete(args);
    case CLI_CMD_COMPLETION:
        return run_completion(args);
    case CLI_CMD_MAN:
        return run_text(args, cli_man);
    case CLI_CMD_VERSION:
        return cmd_version(args);
    case CLI_CMD_HELP:
        return run_help(args);
    case CLI_COMMAND_COUNT:
        break;
    }
    return CLI_FAILED;
}

static bool wants_color(const struct cli_io *io, struct str choice, bool tty) {
    if (str_eq(choice, STR("always"))) return true;
    if (str_eq(choice, STR("never"))) return false;
    const char *none = io->env("NO_COLOR"), *term = io->env("TERM");
    return tty && !(none && none[0]) && !(term && str_eq(str_c(term), STR("dumb")));
}

int cli_run(int argc, char *const *argv, struct cli_io *io) {
    struct cli_args args;
    struct cli_problem problem;
    if (!cli_parse(argc, argv, &args, &problem))
        return cli_fail(io, CLI_USAGE, problem.what, problem.why, problem.next);
    args.io = io;
    io->color_out = wants_color(io, cli_value(&args, CLI_COLOR), io->out_tty);
    io->color_err = wants_color(io, cli_value(&args, CLI_COLOR), io->err_tty);
    int code;
    if (run_without_command(&args, &code)) return code;
    return run_command(&args);
}
