// Tests what is generated from the command table: help, completion scripts, and the committed manual page.
#include "run.h"

#include "base/utf8.h"
#include "cli/text.h"
#include "os/file.h"

#include <unistd.h>

#define TEXT_MAX ((size_t)1024 * 1024)

static void check_width(const struct buf *text) {
    struct str rest = buf_str(text), line;
    CHECK(text->n > 0 && !text->failed);
    while (str_split(&rest, '\n', &line)) {
        if (utf8_count(line) > CLI_COLUMNS) fprintf(stderr, "too wide: %.*s\n", STR_ARG(line));
        CHECK(utf8_count(line) <= CLI_COLUMNS);
        CHECK(!str_ends(line, STR(" ")));
    }
}

static void test_help(void) {
    BUF_AUTO struct buf all = BUF_INIT(TEXT_MAX);
    cli_help_all(&all);
    check_width(&all);
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
        const struct cli_command *command = &CLI_COMMANDS[i];
        cli_help_command(&text, command);
        check_width(&text);
        struct str group = cli_command_group(command), listed = group.n ? group : str_c(command->name);
        CHECK(str_find(buf_str(&all), listed) < all.n);
        size_t examples = str_find(buf_str(&text), STR("\nExamples:\n"));
        CHECK(!command->examples[0].line || examples < str_find(buf_str(&text), STR("--data")));
        for (unsigned k = 0; k < CLI_OPTION_COUNT; k++) {
            char option[40];
            int n = snprintf(option, sizeof option, "--%s", CLI_OPTIONS[k].name);
            if (cli_takes_option(command, k)) CHECK(str_find(buf_str(&text), str_of(option, (size_t)n)) < text.n);
        }
    }
    for (size_t i = 0; i < CLI_GROUP_COUNT; i++) {
        BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
        cli_help_group(&text, &CLI_GROUPS[i]);
        check_width(&text);
    }
}

static void test_help_command(void) {
    check_run(0, "Usage: penstock COMMAND", RUN("--help"));
    check_run(0, "Usage: penstock COMMAND", RUN("help"));
    check_run(0, "Usage: penstock key COMMAND", RUN("key", "--help"));
    check_run(0, "Usage: penstock key create", RUN("help", "key", "create"));
    check_run(0, "Usage: penstock key create", RUN("key", "create", "-h"));
    check_run(0, "Usage: penstock chat", RUN("chat", "--help"));
    check_run(0, "penstock ", RUN("--version"));
    check_run(0, "\"version\":\"", RUN("version", "--json"));
    // Without a command it is a mistake, and helps too.
    struct ran ran = run_with(NULL, (const char *const[]){NULL});
    CHECK_INT(ran.code, 2);
    CHECK(has(ran.err, "Usage: penstock COMMAND"));
    ran_free(&ran);
}

static bool installed(const char *program) {
    char command[64];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    if (system(command) == 0) return true;
    printf("%s is not installed: not asked\n", program);
    return false;
}

// Writes the text to a program's input; its exit code.
static int ask(const char *command, const struct buf *text) {
    FILE *program = popen(command, "w");
    REQUIRE(program != NULL);
    CHECK_INT(fwrite(text->p, 1, text->n, program), text->n);
    return pclose(program);
}

static void test_completion_syntax(void) {
    BUF_AUTO struct buf bash = BUF_INIT(TEXT_MAX), zsh = BUF_INIT(TEXT_MAX), fish = BUF_INIT(TEXT_MAX);
    cli_complete_bash(&bash);
    cli_complete_zsh(&zsh);
    cli_complete_fish(&fish);
    CHECK(!bash.failed && !zsh.failed && !fish.failed);
    if (installed("bash")) CHECK_INT(ask("bash -n", &bash), 0);
    if (installed("zsh")) CHECK_INT(ask("zsh -n", &zsh), 0);
    if (installed("fish")) CHECK_INT(ask("fish -n", &fish), 0);
    check_run(0, "complete -o filenames", RUN("completion", "bash"));
    check_run(0, "#compdef penstock", RUN("completion", "zsh"));
    check_run(0, "complete -c penstock", RUN("completion", "fish"));
}

// What bash offers after these words; the last one is being completed.
static void check_bash(const char *words, const char *want) {
    BUF_AUTO struct buf script = BUF_INIT(TEXT_MAX);
    char file[] = "/tmp/penstock-complete-XXXXXX", answer[1024] = "";
    int fd = mkstemp(file);
    REQUIRE(fd >= 0);
    cli_complete_bash(&script);
    buf_printf(&script,
               "COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _penstock; echo \"${COMPREPLY[*]}\" >%s\n",
               words, file);
    CHECK_INT(ask("bash", &script), 0);
    ssize_t n = read(fd, answer, sizeof answer - 1);
    CHECK(n > 0);
    if (n > 0) answer[n - 1] = '\0';
    CHECK_STR(str_c(answer), str_c(want));
    close(fd);
    unlink(file);
}

static void test_bash_answers(void) {
    if (!installed("bash")) return;
    check_bash("penstock ke", "key");
    check_bash("penstock key r", "revoke rotate");
    check_bash("penstock --json key cr", "create");
    check_bash("penstock --data dir key cr", "create");
    check_bash("penstock --data = dir key cr", "create");
    check_bash("penstock key create --ad", "--admin");
    check_bash("penstock key list --ad", "");
    check_bash("penstock usage --by p", "provider project");
    check_bash("penstock usage --by = mod", "model");
    check_bash("penstock completion z", "zsh");
    check_bash("penstock completion zsh f", "");
    check_bash("penstock serve --config LICEN", "LICENSE");
    check_bash("penstock config validate LICEN", "LICENSE");
}

static void check_fish(const char *line, const char *want) {
    BUF_AUTO struct buf script = BUF_INIT(TEXT_MAX);
    char file[] = "/tmp/penstock-complete-XXXXXX", answer[4096] = "";
    int fd = mkstemp(file);
    REQUIRE(fd >= 0);
    cli_complete_fish(&script);
    buf_printf(&script, "complete -C '%s' >%s\n", line, file);
    CHECK_INT(ask("fish --no-config", &script), 0);
    ssize_t n = read(fd, answer, sizeof answer - 1);
    CHECK(n >= 0);
    if (!has(answer, want)) fprintf(stderr, "fish offers for \"%s\": %s\n", line, answer);
    CHECK(has(answer, want));
    close(fd);
    unlink(file);
}

static void test_fish_answers(void) {
    if (!installed("fish")) return;
    check_fish("penstock ke", "key\tMake, list and revoke keys");
    check_fish("penstock key cr", "create\tMake a key");
    check_fish("penstock key create --ad", "--admin\t");
    check_fish("penstock usage --by mod", "model");
    check_fish("penstock completion z", "zsh");
}

static void test_man(void) {
    BUF_AUTO struct buf made = BUF_INIT(TEXT_MAX), kept = BUF_INIT(TEXT_MAX);
    struct err err;
    cli_man(&made);
    REQUIRE(!made.failed);
    // The tests run in the repository's root. To renew the page: penstock man >docs/man/penstock.1
    REQUIRE(file_read_all(STR("docs/man/penstock.1"), TEXT_MAX / 4, &kept, &err));
    if (!str_eq(buf_str(&made), buf_str(&kept))) fprintf(stderr, "docs/man/penstock.1 is stale: penstock man >it\n");
    CHECK(str_eq(buf_str(&made), buf_str(&kept)));
    if (installed("mandoc")) CHECK_INT(ask("mandoc -Tlint -Wall", &made), 0);
    check_run(0, ".Dt PENSTOCK 1", RUN("man"));
}

TEST_MAIN(test_help, test_help_command, test_completion_syntax, test_bash_answers, test_fish_answers, test_man)
