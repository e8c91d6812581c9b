// penstock config docs.
#include "cli/commands.h"
#include "conf/conf.h"

#define TEXT_MAX ((size_t)16 * 1024 * 1024)

// What the command line itself reads; the options' variables come from their tables.
static void put_other_variables(struct buf *out) {
    buf_lit(out, "\n## Of the command line\n\n| variable | meaning |\n|---|---|\n");
    for (size_t i = 0; i < CLI_VARIABLE_COUNT; i++)
        buf_printf(out, "| `%s` | %s. |\n", CLI_VARIABLES[i].name, CLI_VARIABLES[i].meaning);
}

int cmd_config_docs(const struct cli_args *args) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    if (cli_given(args, CLI_ENV_REFERENCE)) {
        conf_describe_env(&out);
        put_other_variables(&out);
    } else {
        conf_describe(&out);
    }
    return cli_print(args->io, &out);
}
