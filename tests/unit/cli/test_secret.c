// Tests of penstock secret: set from standard input, a file and a terminal, list, delete, and what is refused.
#include "run.h"
#include "temp_dir.h"

#include "store/sealed.h"

#include <fcntl.h>
#include <sys/wait.h>

static struct err err;
static const char *g_data;

static void setup(void) { g_data = strdup(temp_path("data").p); }
static void teardown(void) { free((void *)(uintptr_t)g_data); }

// What the store holds under a name; "?" when nothing.
static void check_kept(const char *name, struct str want) {
    struct datadir dir;
    struct sql *db;
    BUF_AUTO struct buf value = BUF_INIT(SEALED_VALUE_MAX);
    REQUIRE(datadir_open(str_c(g_data), &dir, &err) && datadir_open_db(&dir, 1000, &db, &err));
    if (!sealed_get(sql_tenant(db, TENANT_DEFAULT), &dir, str_c(name), &value, &err)) buf_lit(&value, "?");
    CHECK_STR(buf_str(&value), want);
    sql_close(db);
    datadir_close(&dir);
}

static uint64_t generation(void) {
    struct datadir dir;
    REQUIRE(datadir_open(str_c(g_data), &dir, &err));
    uint64_t n = datadir_config_generation(&dir);
    datadir_close(&dir);
    return n;
}

#define SET(input, ...) run_with(input, (const char *const[]){"secret", "set", __VA_ARGS__, "--data", g_data, NULL})

static void test_no_data(void) {
    check_run(4, "there is no data directory", RUN("secret", "list", "--data", g_data));
    check_run(4, "there is no data directory", RUN("secret", "delete", "a", "--data", g_data));
    // Nothing is made for what is refused.
    check_run(2, "not allowed", SET("value", "a b"));
    check_run(2, "is empty", SET("\n", "a"));
    check_run(4, "there is no data directory", RUN("secret", "list", "--data", g_data));
    check_run(1, "cannot open the data directory",
              run_with("v", (const char *const[]){"secret", "set", "a", "--data", "/dev/null/x", NULL}));
}

static void test_set(void) {
    struct ran ran = SET("sk-first\n", "openai");
    CHECK_INT(ran.code, 0);
    CHECK_INT(ran.out_n, 0);
    CHECK(has(ran.err, "\"openai\" is set"));
    CHECK(!has(ran.err, "sk-first"));
    ran_free(&ran);
    check_kept("openai", STR("sk-first"));
    CHECK_INT(generation(), 1); // running servers see it

    ran = SET(" sk-second \r\n\n", "openai", "--quiet");
    CHECK_INT(ran.code, 0);
    CHECK_INT(ran.out_n + ran.err_n, 0);
    ran_free(&ran);
    check_kept("openai", STR(" sk-second "));
    CHECK_INT(generation(), 2);

    ran = SET("-----BEGIN KEY-----\nline\n-----END KEY-----\n", "tls/key", "--json");
    CHECK_INT(ran.code, 0);
    CHECK_STR(str_c(ran.out), STR("{\"name\":\"tls/key\",\"state\":\"set\"}\n"));
    ran_free(&ran);
    check_kept("tls/key", STR("-----BEGIN KEY-----\nline\n-----END KEY-----"));
}

static void test_set_refused(void) {
    static char big[SEALED_VALUE_MAX + 200];
    uint64_t before = generation();
    check_run(2, "may hold letters", SET("v", "a:b"));
    check_run(2, "this cannot be a secret's name", SET("v", ""));
    // A value given on the command line is refused, not taken: others could read it there.
    check_run(2, "", SET("v", "name", "value"));
    memset(big, 'x', SEALED_VALUE_MAX);
    check_run(0, "", SET(big, "big"));
    big[SEALED_VALUE_MAX] = 'x';
    check_run(2, "too long", SET(big, "big"));
    // Line ends do not make a long value look short.
    memset(big + SEALED_VALUE_MAX, '\n', 150);
    big[SEALED_VALUE_MAX + 150] = 'x';
    check_run(2, "too long", SET(big, "big"));
    CHECK_INT(generation(), before + 1);
}

static void test_from_file(void) {
    struct str path = temp_path("value.txt");
    REQUIRE(file_replace(path, STR("from-file\n"), 0600, &err));
    check_run(0, "", SET("not this", "filed", "--from-file", path.p));
    check_kept("filed", STR("from-file"));
    check_run(4, "absent.txt", SET("v", "filed", "--from-file", temp_path("absent.txt").p));
    REQUIRE(file_replace(path, STR("a\0b"), 0600, &err));
    check_run(2, "NUL", SET("v", "filed", "--from-file", path.p));
    REQUIRE(file_replace(path, STR(""), 0600, &err));
    check_run(2, "is empty", SET("v", "filed", "--from-file", path.p));
    BUF_AUTO struct buf big = BUF_INIT(100000);
    while (big.n < 70000) buf_putc(&big, 'x');
    REQUIRE(file_replace(path, buf_str(&big), 0600, &err));
    check_run(1, "larger than", SET("v", "filed", "--from-file", path.p));
    check_kept("filed", STR("from-file"));
}

static void test_list(void) {
    struct ran ran = RUN("secret", "list", "--data", g_data);
    CHECK_INT(ran.code, 0);
    CHECK(has(ran.out, "NAME") && has(ran.out, "UPDATED") && has(ran.out, "openai") && has(ran.out, "tls/key"));
    CHECK(!has(ran.out, "sk-second") && !has(ran.out, "BEGIN"));
    ran_free(&ran);
    ran = RUN("secret", "list", "--data", g_data, "--json");
    CHECK_INT(ran.code, 0);
    CHECK(str_starts(str_c(ran.out), STR("{\"name\":\"big\",\"created_at\":\"20")));
    CHECK(has(ran.out, "\n{\"name\":\"openai\",") && has(ran.out, "\"updated_at\":\"20"));
    CHECK(!has(ran.out, "sk-second"));
    ran_free(&ran);
}

static void test_delete(void) {
    uint64_t before = generation();
    struct ran ran = RUN("secret", "delete", "openai", "--data", g_data);
    CHECK_INT(ran.code, 0);
    CHECK(has(ran.err, "is deleted"));
    ran_free(&ran);
    check_kept("openai", STR("?"));
    CHECK_INT(generation(), before + 1);
    check_run(4, "secret list", RUN("secret", "delete", "openai", "--data", g_data));
    check_run(2, "not allowed", RUN("secret", "delete", "a b", "--data", g_data));
    CHECK_INT(generation(), before + 1);
    check_run(0, "{\"name\":\"filed\",\"state\":\"deleted\"}",
              RUN("secret", "delete", "filed", "--json", "--data", g_data));
    check_run(0, "", RUN("secret", "delete", "big", "--yes", "--data", g_data));
    check_run(0, "", RUN("secret", "delete", "tls/key", "--data", g_data));
    ran = RUN("secret", "list", "--data", g_data);
    CHECK_INT(ran.code, 0);
    CHECK_INT(ran.out_n, 0);
    CHECK(has(ran.err, "There are no secrets yet"));
    ran_free(&ran);
}

// Runs in a child on a terminal; what was typed after `prompt` was shown. The exit code; *shown as on the screen.
static int on_terminal(const char *const *args, const char *prompt, struct str typed, char shown[1024]) {
    int status, master = posix_openpt(O_RDWR | O_NOCTTY);
    REQUIRE(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int own = open(ptsname(master), O_RDWR | O_NOCTTY);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[RUN_ARGS_MAX] = {NULL};
        int argc = 0;
        argv[argc++] = strdup("penstock");
        for (; *args; args++) argv[argc++] = strdup(*args);
        int fd = open(ptsname(master), O_RDWR | O_NOCTTY);
        struct cli_io io = {.in = fdopen(fd, "r"),
                            .out = fopen("/dev/null", "w"),
                            .err = fdopen(dup(fd), "w"),
                            .in_tty = true,
                            .err_tty = true,
                            .env = run_env,
                            .serve = run_serve};
        int code = cli_run(argc, argv, &io);
        fflush(io.err);
        _exit(code);
    }
    size_t n = 0;
    memset(shown, 0, 1024);
    for (bool answered = false; n < 1023;) {
        ssize_t got = read(master, shown + n, 1);
        if (got <= 0) break;
        n += (size_t)got;
        if (answered && shown[n - 1] == '\n') break;
        if (answered || !has(shown, prompt)) continue;
        REQUIRE(write(master, typed.p, typed.n) == (ssize_t)typed.n);
        answered = true;
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    close(own);
    close(master);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_terminal(void) {
    char shown[1024];
    const char *const set[] = {"secret", "set", "typed", "--data", g_data, NULL};
    CHECK_INT(on_terminal(set, "it is not shown): ", STR("sk-typed\r"), shown), 0);
    CHECK(!has(shown, "sk-typed"));
    check_kept("typed", STR("sk-typed"));
    CHECK_INT(on_terminal(set, "it is not shown): ", STR("half\x03"), shown), CLI_INTERRUPTED);
    CHECK_INT(on_terminal(set, "it is not shown): ", STR("\r"), shown), CLI_USAGE);
    check_kept("typed", STR("sk-typed"));

    const char *const del[] = {"secret", "delete", "typed", "--data", g_data, NULL};
    CHECK_INT(on_terminal(del, "[y/N] ", STR("\n"), shown), CLI_FAILED);
    CHECK_INT(on_terminal(del, "[y/N] ", STR("no\n"), shown), CLI_FAILED);
    check_kept("typed", STR("sk-typed"));
    CHECK_INT(on_terminal(del, "[y/N] ", STR("yes\n"), shown), 0);
    check_kept("typed", STR("?"));
}

static void test_tenants(void) {
    struct datadir dir;
    struct sql *db;
    int64_t id;
    REQUIRE(datadir_open(str_c(g_data), &dir, &err) && datadir_open_db(&dir, 1000, &db, &err));
    REQUIRE(tenant_intern(db, STR("acme"), &id, &err));
    sql_close(db);
    datadir_close(&dir);
    check_run(0, "", SET("of acme", "both", "--tenant", "acme"));
    check_run(0, "", SET("of nobody", "both"));
    check_kept("both", STR("of nobody"));
    check_run(4, "nix", SET("v", "both", "--tenant", "nix"));
    check_run(4, "nix", RUN("secret", "list", "--tenant", "nix", "--data", g_data));
    check_run(0, "both", RUN("secret", "list", "--tenant", "acme", "--data", g_data));
    check_run(0, "", RUN("secret", "delete", "both", "--tenant", "acme", "--data", g_data));
    check_run(4, "no secret", RUN("secret", "delete", "both", "--tenant", "acme", "--data", g_data));
    check_kept("both", STR("of nobody"));
}

static void test_rekey(void) {
    check_run(0, "", RUN("secret", "rekey", "--data", g_data));
    check_run(0, "\"unopened\":0", RUN("secret", "rekey", "--json", "--data", g_data));
    check_run(0, "{\"tenant\":\"acme\"", RUN("secret", "rekey", "--json", "--tenant", "acme", "--data", g_data));
    check_run(4, "nix", RUN("secret", "rekey", "--tenant", "nix", "--data", g_data));
    check_kept("both", STR("of nobody"));
    check_run(4, "there is no data directory", RUN("secret", "rekey", "--data", temp_path("nowhere").p));
    // What does not open is told, and is no success.
    struct datadir dir;
    struct sql *db;
    REQUIRE(datadir_open(str_c(g_data), &dir, &err) && datadir_open_db(&dir, 1000, &db, &err));
    REQUIRE(sql_exec(db, STR("UPDATE sealed_secret SET name = 'moved' WHERE name = 'both'"), &err));
    check_run(1, "do not open", RUN("secret", "rekey", "--data", g_data));
    REQUIRE(sql_exec(db, STR("UPDATE sealed_secret SET name = 'both' WHERE name = 'moved'"), &err));
    sql_close(db);
    datadir_close(&dir);
    check_kept("both", STR("of nobody"));
}

static void test_rotate_master(void) {
    check_run(2, "--to next", RUN("secret", "rotate-master", "--data", g_data));
    check_run(2, "", RUN("secret", "rotate-master", "--to", "elsewhere", "--data", g_data));
    check_run(3, "next_master_key", RUN("secret", "rotate-master", "--to", "next", "--data", g_data));
    check_run(0, "", RUN("secret", "rotate-master", "--to", "file", "--data", g_data));
    check_run(0, "\"source\":\"file\",\"generation\":3",
              RUN("secret", "rotate-master", "--to", "file", "--json", "--data", g_data));
    check_kept("both", STR("of nobody"));
    check_run(0, "", RUN("secret", "delete", "both", "--data", g_data));
}

TEST_MAIN(setup, test_no_data, test_set, test_set_refused, test_from_file, test_list, test_delete, test_terminal,
          test_tenants, test_rekey, test_rotate_master, teardown)
