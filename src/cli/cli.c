// Runs the command that the command line names.
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "conf/conf.h"
#include "os/file.h"

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

static int run_serve(const struct cli_args *args) { return args->io->serve(args); }

static int run_man(const struct cli_args *args) { return run_text(args, cli_man); }

static int (*const HANDLERS[CLI_COMMAND_COUNT])(const struct cli_args *args) = {
    [CLI_CMD_SERVE] = run_serve,
    [CLI_CMD_KEY_CREATE] = cmd_key_create,
    [CLI_CMD_KEY_LIST] = cmd_key_list,
    [CLI_CMD_KEY_REVOKE] = cmd_key_revoke,
    [CLI_CMD_USAGE] = cmd_usage,
    [CLI_CMD_CHAT] = cmd_chat,
    [CLI_CMD_MODELS] = cmd_models,
    [CLI_CMD_TARGETS] = cmd_targets,
    [CLI_CMD_QUALITY] = cmd_quality,
    [CLI_CMD_ESTIMATE] = cmd_estimate,
    [CLI_CMD_ROUTE_EXPLAIN] = cmd_route_explain,
    [CLI_CMD_TOKENS] = cmd_tokens,
    [CLI_CMD_BATCH_RUN] = cmd_batch_run,
    [CLI_CMD_BATCH_LIST] = cmd_batch_list,
    [CLI_CMD_BATCH_SHOW] = cmd_batch_show,
    [CLI_CMD_BATCH_CANCEL] = cmd_batch_cancel,
    [CLI_CMD_BENCH_MODELS] = cmd_bench_models,
    [CLI_CMD_FILE_LIST] = cmd_file_list,
    [CLI_CMD_FILE_PUT] = cmd_file_put,
    [CLI_CMD_FILE_GET] = cmd_file_get,
    [CLI_CMD_FILE_DELETE] = cmd_file_delete,
    [CLI_CMD_CONFIG_INIT] = cmd_config_init,
    [CLI_CMD_CONFIG_VALIDATE] = cmd_config_validate,
    [CLI_CMD_CONFIG_SHOW] = cmd_config_show,
    [CLI_CMD_CONFIG_TRACE] = cmd_config_trace,
    [CLI_CMD_CONFIG_TEST] = cmd_config_test,
    [CLI_CMD_CONFIG_DIFF] = cmd_config_diff,
    [CLI_CMD_CONFIG_SCHEMA] = cmd_config_schema,
    [CLI_CMD_CONFIG_DOCS] = cmd_config_docs,
    [CLI_CMD_CONFIG_EXPLAIN] = cmd_config_explain,
    [CLI_CMD_CONFIG_MIGRATE] = cmd_config_migrate,
    [CLI_CMD_CONFIG_IMPORT] = cmd_config_import,
    [CLI_CMD_CONFIG_SET] = cmd_config_set,
    [CLI_CMD_CONFIG_UNSET] = cmd_config_unset,
    [CLI_CMD_CONFIG_HISTORY] = cmd_config_history,
    [CLI_CMD_CONFIG_ROLLBACK] = cmd_config_rollback,
    [CLI_CMD_SECRET_SET] = cmd_secret_set,
    [CLI_CMD_SECRET_LIST] = cmd_secret_list,
    [CLI_CMD_SECRET_DELETE] = cmd_secret_delete,
    [CLI_CMD_SECRET_REKEY] = cmd_secret_rekey,
    [CLI_CMD_SECRET_ROTATE_MASTER] = cmd_secret_rotate_master,
    [CLI_CMD_AUDIT_LIST] = cmd_audit_list,
    [CLI_CMD_AUDIT_TAIL] = cmd_audit_tail,
    [CLI_CMD_AUDIT_EXPORT] = cmd_audit_export,
    [CLI_CMD_AUDIT_VERIFY] = cmd_audit_verify,
    [CLI_CMD_AUDIT_KEY] = cmd_audit_key,
    [CLI_CMD_AUDIT_ROTATE] = cmd_audit_rotate,
#define NOUN(id, noun, a_noun, example)                                                                                \
    [CLI_CMD_##id##_LIST] = cmd_resource, [CLI_CMD_##id##_SHOW] = cmd_resource,                                        \
    [CLI_CMD_##id##_CREATE] = cmd_resource, [CLI_CMD_##id##_UPDATE] = cmd_resource,                                    \
    [CLI_CMD_##id##_DELETE] = cmd_resource,
#include "cli/nouns.def"
#undef NOUN
    [CLI_CMD_TENANT_BRANDING] = cmd_tenant_branding,
    [CLI_CMD_TENANT_LOGO] = cmd_tenant_logo,
    [CLI_CMD_TENANT_EXPORT] = cmd_tenant_export,
    [CLI_CMD_TENANT_PROOF] = cmd_tenant_proof,
    [CLI_CMD_TENANT_VERIFY_PROOF] = cmd_tenant_verify_proof,
    [CLI_CMD_TENANT_SUSPEND] = cmd_tenant_suspend,
    [CLI_CMD_TENANT_RESUME] = cmd_tenant_resume,
    [CLI_CMD_USER_PASSWD] = cmd_user_passwd,
    [CLI_CMD_BUDGET_HISTORY] = cmd_budget_history,
    [CLI_CMD_TEAM_MEMBERS] = cmd_team_members,
    [CLI_CMD_TEAM_ADD] = cmd_team_add,
    [CLI_CMD_TEAM_REMOVE] = cmd_team_remove,
    [CLI_CMD_ELEVATION_APPROVE] = cmd_elevation_approve,
    [CLI_CMD_ELEVATION_REFUSE] = cmd_elevation_refuse,
    [CLI_CMD_KEY_SHOW] = cmd_key_show,
    [CLI_CMD_KEY_UPDATE] = cmd_resource,
    [CLI_CMD_KEY_ROTATE] = cmd_key_rotate,
    [CLI_CMD_KEY_COLLECT] = cmd_key_collect,
    [CLI_CMD_KEY_IDENTIFY] = cmd_key_identify,
    [CLI_CMD_KEY_SCAN] = cmd_key_scan,
    [CLI_CMD_ACCESS_EXPLAIN] = cmd_access_explain,
    [CLI_CMD_ACCESS_MATRIX] = cmd_access_matrix,
    [CLI_CMD_CANARY_LIST] = cmd_canary_list,
    [CLI_CMD_CANARY_PAUSE] = cmd_canary_pause,
    [CLI_CMD_CANARY_RESUME] = cmd_canary_resume,
    [CLI_CMD_CANARY_PROMOTE] = cmd_canary_promote,
    [CLI_CMD_CANARY_ROLLBACK] = cmd_canary_rollback,
    [CLI_CMD_CANARY_RESTART] = cmd_canary_restart,
    [CLI_CMD_SHADOW_REPORT] = cmd_shadow_report,
    [CLI_CMD_EXPERIMENT_REPORT] = cmd_experiment_report,
    [CLI_CMD_SESSION_LIST] = cmd_session_list,
    [CLI_CMD_SESSION_REVOKE] = cmd_session_revoke,
    [CLI_CMD_LOGIN] = cmd_login,
    [CLI_CMD_LOGOUT] = cmd_logout,
    [CLI_CMD_WHOAMI] = cmd_whoami,
    [CLI_CMD_VERSION] = cmd_version,
    [CLI_CMD_COMPLETION] = run_completion,
    [CLI_CMD_MAN] = run_man,
    [CLI_CMD_HELP] = run_help,
};

static bool wants_color(const struct cli_io *io, struct str choice, bool tty) {
    if (str_eq(choice, STR("always"))) return true;
    if (str_eq(choice, STR("never"))) return false;
    const char *none = io->env("NO_COLOR"), *term = io->env("TERM");
    return tty && !(none && none[0]) && !(term && str_eq(str_c(term), STR("dumb")));
}

// Where its operands are configurations, the first of them that is one; else SIZE_MAX.
static size_t first_configuration(enum cli_command_id id) {
    bool all = id == CLI_CMD_CONFIG_VALIDATE || id == CLI_CMD_CONFIG_TEST || id == CLI_CMD_CONFIG_DIFF;
    return all ? 0 : id == CLI_CMD_CONFIG_IMPORT ? 1 : SIZE_MAX;
}

// A command may read its configuration more than once, a server each time that it reloads.
static bool keep(const char **io_path, char room[FILE_KEPT_MAX], struct err *err) {
    struct str kept;
    if (!file_keep(str_c(*io_path), CONF_FILE_MAX, room, &kept, err)) return false;
    *io_path = kept.p;
    return true;
}

static bool keep_configurations(struct cli_args *args, char rooms[CLI_OPERANDS_MAX + 1][FILE_KEPT_MAX],
                                struct err *err) {
    if (cli_given(args, CLI_CONFIG) && !keep(&args->values[CLI_CONFIG], rooms[CLI_OPERANDS_MAX], err)) return false;
    for (size_t i = first_configuration(cli_command_id(args->command)); i < args->n_operands; i++)
        if (!keep(&args->operands[i], rooms[i], err)) return false;
    return true;
}

int cli_run(int argc, char *const *argv, struct cli_io *io) {
    char rooms[CLI_OPERANDS_MAX + 1][FILE_KEPT_MAX];
    struct cli_args args;
    struct cli_problem problem;
    if (!cli_parse(argc, argv, &args, &problem))
        return cli_fail(io, CLI_USAGE, problem.what, problem.why, problem.next);
    args.io = io;
    io->color_out = wants_color(io, cli_value(&args, CLI_COLOR), io->out_tty);
    io->color_err = wants_color(io, cli_value(&args, CLI_COLOR), io->err_tty);
    int code;
    struct err err;
    if (run_without_command(&args, &code)) return code;
    if (!keep_configurations(&args, rooms, &err))
        return cli_fail_err(io, &err, "the configuration cannot be read", NULL);
    return HANDLERS[cli_command_id(args.command)](&args);
}
