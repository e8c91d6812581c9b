// The entry point of the command line, with the process's own streams, environment and server.
#include "cli/cli.h"

#include "os/term.h"

static const char *env_get(const char *name) { return getenv(name); }

int cli_main(int argc, char **argv) {
    struct cli_io io = {.in = stdin,
                        .out = stdout,
                        .err = stderr,
                        .in_tty = term_is_tty(TERM_STDIN),
                        .out_tty = term_is_tty(TERM_STDOUT),
                        .err_tty = term_is_tty(TERM_STDERR),
                        .columns = term_columns(TERM_STDOUT),
                        .env = env_get,
                        .serve = cli_serve};
    return cli_run(argc, argv, &io);
}
