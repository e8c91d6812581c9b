// Tests the parser of the command line: places of options, forms of values, mistakes and what is suggested for them.
#include "run.h"

static struct cli_args parse(const char *const *args) {
    char *argv[RUN_ARGS_MAX] = {(char *)(uintptr_t) "penstock"};
    int argc = 1;
    for (; *args; args++) argv[argc++] = (char *)(uintptr_t)*args;
    struct cli_args out;
    struct cli_problem problem;
    bool ok = cli_parse(argc, argv, &out, &problem);
    if (!ok) fprintf(stderr, "%s; %s\n", problem.what, problem.why);
    REQUIRE(ok);
    return out;
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void test_places(void) {
    struct cli_args a = PARSE("--json", "key", "-d", "dir", "create", "--name=my app", "--admin");
    CHECK_STR(str_c(a.command->name), STR("key create"));
    CHECK_STR(cli_value(&a, CLI_DATA), STR("dir"));
    CHECK_STR(cli_value(&a, CLI_NAME), STR("my app"));
    CHECK(cli_given(&a, CLI_JSON) && cli_given(&a, CLI_ADMIN) && !cli_given(&a, CLI_QUIET));
    CHECK_INT(a.n_operands, 0);
    a = PARSE("chat", "model", "a prompt", "--url", "http://x");
    CHECK_INT(a.n_operands, 2);
    CHECK_STR(str_c(a.operands[1]), STR("a prompt"));
    CHECK_STR(cli_value(&a, CLI_URL), STR("http://x"));
    a = PARSE("chat", "--", "model", "--url");
    CHECK_STR(str_c(a.operands[1]), STR("--url"));
    a = PARSE("chat", "model", "-");
    CHECK_STR(str_c(a.operands[1]), STR("-"));
    a = PARSE("key");
    CHECK(a.command == NULL && a.group != NULL);
}

static void test_forms(void) {
    struct cli_args a = PARSE("serve", "-vvw4", "-l127.0.0.1:1", "-c", "-");
    CHECK_INT(a.counts[CLI_VERBOSE], 2);
    CHECK_INT(cli_number(&a, CLI_WORKERS, 9), 4);
    CHECK_STR(cli_value(&a, CLI_LISTEN), STR("127.0.0.1:1"));
    CHECK_STR(cli_value(&a, CLI_CONFIG), STR("-"));
    a = PARSE("usage", "--limit", "1", "--limit=2", "--since", "-7d");
    CHECK_INT(cli_number(&a, CLI_LIMIT, 0), 2);
    CHECK_STR(cli_value(&a, CLI_SINCE), STR("-7d"));
    CHECK_INT(cli_number(&a, CLI_WORKERS, 9), 9);
    a = PARSE("usage", "--model=--json");
    CHECK_STR(cli_value(&a, CLI_MODEL), STR("--json"));
    CHECK(!cli_given(&a, CLI_JSON));
}

static void test_mistakes(void) {
    check_run(2, "unknown option --nmae", RUN("key", "create", "--nmae", "x"));
    check_run(2, "did you mean --name?", RUN("key", "create", "--nmae", "x"));
    check_run(2, "did you mean --data?", RUN("--dat", "x"));
    check_run(2, "unknown option -x", RUN("key", "list", "-qx"));
    check_run(2, "unknown command \"kye\"", RUN("kye"));
    check_run(2, "did you mean \"penstock key\"?", RUN("kye"));
    check_run(2, "did you mean \"penstock usage\"?", RUN("usgae", "--json"));
    check_run(2, "did you mean \"penstock key create\"?", RUN("key", "crate"));
    check_run(2, "unknown command \"zzzzzzzz\"", RUN("zzzzzzzz"));
    check_run(2, "--name needs a value", RUN("key", "create", "--name"));
    check_run(2, "--name needs a value", RUN("key", "create", "--name", "--json"));
    check_run(2, "--data needs a value", RUN("key", "list", "--data="));
    check_run(2, "--json takes no value", RUN("key", "list", "--json=1"));
    check_run(2, "did you mean model?", RUN("usage", "--by", "modle"));
    check_run(2, "whole number", RUN("serve", "--workers", "-1"));
    check_run(2, "whole number", RUN("serve", "--workers", "99999999999999999999999"));
    check_run(2, "does not take --listen", RUN("key", "list", "--listen", "x"));
    check_run(2, "penstock key does not take --admin", RUN("key", "--admin"));
    check_run(2, "needs MODEL PROMPT", RUN("chat", "model"));
    check_run(2, "one argument too many", RUN("chat", "model", "two", "words"));
    check_run(2, "one of bash, zsh, fish", RUN("completion", "nu"));
    check_run(2, "there is no command", RUN("help", "nothing"));
}

// Long and odd input stays within its buffers.
static void test_odd_input(void) {
    static char huge[100000];
    memset(huge, 'x', sizeof huge - 1);
    check_run(2, "unknown command", RUN(huge));
    check_run(2, "unknown command", RUN("key", huge));
    check_run(2, "--by cannot be", RUN("usage", "--by", huge));
    check_run(2, "--workers cannot be", RUN("serve", "--workers", huge));
    check_run(2, "too many", RUN("chat", "a", huge, huge));
    check_run(2, "there is no command", RUN("help", huge, huge));
    huge[0] = huge[1] = '-';
    check_run(2, "unknown option --xxx", RUN("usage", huge));
    char *many[CLI_OPERANDS_MAX + 4];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) many[i] = (char *)(uintptr_t) "x";
    struct cli_args args;
    struct cli_problem problem;
    CHECK(!cli_parse((int)ARRAY_LEN(many), many, &args, &problem));
    CHECK_STR(str_c(problem.what), STR("too many arguments"));
}

static void test_serve_is_called(void) {
    struct ran ran = RUN("serve", "--workers", "1");
    CHECK_INT(ran.code, 42);
    CHECK_INT(g_served, 1);
    ran_free(&ran);
    // But not for help.
    check_run(0, "Usage: penstock serve", RUN("serve", "--help"));
    CHECK_INT(g_served, 1);
}

TEST_MAIN(test_places, test_forms, test_mistakes, test_odd_input, test_serve_is_called)
