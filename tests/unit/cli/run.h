// Runs a command line in the test's own process and keeps what it wrote.
#ifndef TESTS_UNIT_CLI_RUN_H
#define TESTS_UNIT_CLI_RUN_H

#include "check.h"

#include "cli/cli.h"

#include <stdlib.h>

struct ran {
    int code;
    char *out, *err;
    size_t out_n, err_n;
};

#define RUN_ARGS_MAX 32
static int g_served;

static const char *run_env(const char *name) {
    if (str_eq(str_c(name), STR("PENSTOCK_API_KEY"))) return "ps-from-env";
    return NULL;
}

UNUSED static int run_serve(const struct cli_args *args) {
    g_served++;
    return args->command ? 42 : 43;
}

// args: without "penstock", ended by NULL. input may be NULL.
static struct ran run_with(const char *input, const char *const *args) {
    struct ran ran = {0};
    char *argv[RUN_ARGS_MAX] = {NULL};
    int argc = 0;
    argv[argc++] = strdup("penstock");
    for (; *args; args++) {
        REQUIRE(argc < RUN_ARGS_MAX);
        argv[argc++] = strdup(*args);
    }
    struct cli_io io = {
        .in = fmemopen((void *)(uintptr_t)(input && *input ? input : " "), input ? strlen(input) : 1, "r"),
        .out = open_memstream(&ran.out, &ran.out_n),
        .err = open_memstream(&ran.err, &ran.err_n),
        .env = run_env,
        .serve = run_serve};
    ran.code = cli_run(argc, argv, &io);
    fclose(io.in);
    fclose(io.out);
    fclose(io.err);
    for (int i = 0; i < argc; i++) free(argv[i]);
    return ran;
}
#define RUN(...) run_with(NULL, (const char *const[]){__VA_ARGS__, NULL})

static void ran_free(struct ran *ran) {
    free(ran->out);
    free(ran->err);
}

static bool has(const char *text, const char *part) { return strstr(text, part) != NULL; }

// Runs, checks the exit code, and that `part` is in the data (code 0) or in the messages.
static void check_run(int code, const char *part, struct ran ran) {
    if (ran.code != code || !has(code ? ran.err : ran.out, part))
        fprintf(stderr, "exit code %d, wanted %d and \"%s\"\nstdout: %s\nstderr: %s\n", ran.code, code, part, ran.out,
                ran.err);
    CHECK_INT(ran.code, code);
    CHECK(has(code ? ran.err : ran.out, part));
    ran_free(&ran);
}

#endif
