// What every command does alike: saying what failed, exit codes, where the data is.
#include "cli/commands.h"

int cli_exit_of(enum err_code code) {
    switch ((int)code) {
    case ERR_USAGE:
    case ERR_INVALID_FIELD:
    case ERR_MISSING_FIELD:
        return CLI_USAGE;
    case ERR_CONFIG_INVALID:
        return CLI_CONFIG_INVALID;
    case ERR_NOT_FOUND:
    case ERR_MODEL_NOT_FOUND:
        return CLI_NOT_FOUND;
    case ERR_UNAUTHENTICATED:
    case ERR_FORBIDDEN:
    case ERR_MODEL_NOT_ALLOWED:
    case ERR_RATE_LIMITED:
    case ERR_EXISTS:
        return CLI_REFUSED;
    case ERR_UPSTREAM_REFUSED:
    case ERR_UPSTREAM_RESET:
    case ERR_UPSTREAM_TIMEOUT:
        return CLI_UNREACHABLE;
    default:
        return CLI_FAILED;
    }
}

int cli_fail(const struct cli_io *io, int code, const char *what, const char *why, const char *next) {
    const char *red = io->color_err ? "\x1b[31m" : "", *reset = io->color_err ? "\x1b[0m" : "";
    fflush(io->out);
    fprintf(io->err, "penstock: %s%s%s\n", red, what, reset);
    if (why && why[0]) fprintf(io->err, "  %s\n", why);
    if (next && next[0]) fprintf(io->err, "  Try: %s\n", next);
    return code;
}

int cli_fail_err(const struct cli_io *io, const struct err *err, const char *what, const char *next) {
    return cli_fail(io, cli_exit_of(err->code), what, err->message, next);
}

struct str cli_data_dir(const struct cli_args *args) {
    if (cli_given(args, CLI_DATA)) return cli_value(args, CLI_DATA);
    const char *env = args->io->env("PENSTOCK_DATA");
    return env && env[0] ? str_c(env) : STR("./data");
}

int cli_print(const struct cli_io *io, const struct buf *text) {
    if (text->failed) return cli_fail(io, CLI_FAILED, "out of memory", NULL, NULL);
    bool written = text->n == 0 || fwrite(text->p, 1, text->n, io->out) == text->n;
    if (written && fflush(io->out) == 0) return CLI_OK;
    return cli_fail(io, CLI_FAILED, "cannot write to standard output", NULL, NULL);
}
