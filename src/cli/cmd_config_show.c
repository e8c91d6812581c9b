// penstock config show.
#include "cli/commands.h"
#include "conf/show.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

static int mode_of(const struct cli_args *args, enum conf_show_what *out_what) {
    int n = 0;
    *out_what = SHOW_SET;
    if (cli_given(args, CLI_EFFECTIVE)) n++, *out_what = SHOW_EFFECTIVE;
    if (cli_given(args, CLI_DEFAULTS)) n++, *out_what = SHOW_DEFAULTS;
    if (cli_given(args, CLI_CHANGED)) n++, *out_what = SHOW_CHANGED;
    if (n < 2) return CLI_OK;
    return cli_fail(args->io, CLI_USAGE, "--effective, --defaults and --changed exclude each other", NULL, NULL);
}

static bool put(const struct cli_args *args, const struct conf *conf, const struct conf_show *how, struct buf *out,
                struct err *err) {
    return cli_given(args, CLI_JSON) ? conf_show_json(conf, how, out, err) : conf_show_yaml(conf, how, out, err);
}

static int show(const struct cli_args *args, const struct conf *conf, struct conf_show *how) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    struct err err;
    bool ok = put(args, conf, how, &out, &err);
    // Who asks for a part by its name wants its value, set or not.
    if (ok && !out.n && how->key.n && how->what == SHOW_SET) {
        how->what = SHOW_EFFECTIVE;
        ok = put(args, conf, how, &out, &err);
    }
    if (!ok && how->tenant.n && !how->key.n) return cli_fail_err(args->io, &err, "cannot show the tenant", NULL);
    if (!ok) return cli_fail_err(args->io, &err, "cannot show this", "penstock config docs, for the keys there are");
    if (!out.n && how->key.n && how->what != SHOW_CHANGED)
        return cli_fail(args->io, CLI_NOT_FOUND, "there is nothing of this name", NULL,
                        "penstock config show, for what is set");
    return cli_print(args->io, &out);
}

int cli_conf_whose(const struct cli_args *args, struct conf_show *out_how) {
    out_how->tenant = cli_value(args, CLI_TENANT);
    out_how->team = cli_value(args, CLI_TEAM);
    out_how->project = cli_value(args, CLI_PROJECT);
    out_how->api_key = cli_value(args, CLI_KEY);
    int n = cli_given(args, CLI_TEAM) + cli_given(args, CLI_PROJECT) + cli_given(args, CLI_KEY);
    if (n > 1) return cli_fail(args->io, CLI_USAGE, "--team, --project and --key exclude each other", NULL, NULL);
    if (n && !out_how->tenant.n)
        return cli_fail(args->io, CLI_USAGE, "--team, --project and --key need --tenant",
                        "teams, projects and keys are a tenant's", NULL);
    return CLI_OK;
}

int cmd_config_show(const struct cli_args *args) {
    struct cli_conf_wanted wanted = {0};
    struct conf *conf = NULL;
    struct conf_show how = {.sources = cli_given(args, CLI_SOURCES),
                            .key = args->n_operands ? str_c(args->operands[0]) : STR_NONE};
    int code = mode_of(args, &how.what);
    if (code == CLI_OK) code = cli_conf_whose(args, &how);
    if (code == CLI_OK && how.tenant.n && how.what == SHOW_DEFAULTS)
        code = cli_fail(args->io, CLI_USAGE, "--defaults and --tenant exclude each other",
                        "a tenant's defaults are what its parents and the general configuration say", NULL);
    if (code == CLI_OK) code = cli_conf_load(args, &wanted, CLI_CONFIG_INVALID, &conf);
    if (code != CLI_OK) return code;
    code = show(args, conf, &how);
    conf_unref(conf);
    return code;
}
