// The command line: entry point, parsed arguments, exit codes.
//
// Ownership: arguments borrow argv; they live as long as cli_main runs. Thread rule: the main thread. Errors: a command
// returns its exit code after it has said on standard error what went wrong, why, and what to do.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/err.h"
#include "cli/command.h"

#include <stdio.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_CONFIG_INVALID = 3,
    CLI_NOT_FOUND = 4,
    CLI_REFUSED = 5,
    CLI_UNREACHABLE = 6,
    CLI_PARTLY = 7,
    CLI_INTERRUPTED = 130,
};

struct cli_args;

// Where a command reads and writes, and what it starts; replaceable in tests.
struct cli_io {
    FILE *in, *out, *err;
    bool in_tty, out_tty, err_tty;
    bool color_out, color_err;
    unsigned columns; // of the terminal behind out; 0 = no limit
    const char *(*env)(const char *name);
    int (*serve)(const struct cli_args *args);
};

#define CLI_OPERANDS_MAX 64
#define CLI_OVERRIDES_MAX 64
#define CLI_HEADERS_MAX 32
struct cli_args {
    const struct cli_command *command;    // NULL: none was named
    const struct cli_group *group;        // "penstock key" alone
    const char *values[CLI_OPTION_COUNT]; // the last one given; "" for a flag; NULL = not given
    unsigned counts[CLI_OPTION_COUNT];
    const char *operands[CLI_OPERANDS_MAX];
    size_t n_operands;
    const char *overrides[CLI_OVERRIDES_MAX]; // each --config-override, in order
    size_t n_overrides;
    const char *headers[CLI_HEADERS_MAX]; // each --header, in order
    size_t n_headers;
    struct cli_io *io;
};

static inline bool cli_given(const struct cli_args *args, enum cli_option_id id) { return args->counts[id] != 0; }
// Empty when it was not given.
static inline struct str cli_value(const struct cli_args *args, enum cli_option_id id) {
    return str_c(args->values[id]);
}
// Of an option of kind CLI_VALUE_NUMBER, whose form the parser has checked.
uint64_t cli_number(const struct cli_args *args, enum cli_option_id id, uint64_t fallback);
// --data, else $PENSTOCK_DATA, else ./data.
struct str cli_data_dir(const struct cli_args *args);

int cli_main(int argc, char **argv);
// As cli_main, with the streams given.
int cli_run(int argc, char *const *argv, struct cli_io *io);

// Parses argv[1…]. False: *out_problem says what is wrong, why, and what to do.
struct cli_problem {
    char what[256];
    char why[512];
    char next[256];
};
NODISCARD bool cli_parse(int argc, char *const *argv, struct cli_args *out_args, struct cli_problem *out_problem);

// Says what, why and what next on standard error; why and next may be NULL. Returns code.
int cli_fail(const struct cli_io *io, int code, const char *what, const char *why, const char *next);
// The same for an error of a lower room; the exit code follows from its code.
int cli_fail_err(const struct cli_io *io, const struct err *err, const char *what, const char *next);
int cli_exit_of(enum err_code code);

const char *cli_version(void);

// serve.c
int cli_serve(const struct cli_args *args);

#endif
