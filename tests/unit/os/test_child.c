// Tests running programs: bytes through, failures, limits, time.
#include "check.h"
#include "os/child.h"
#include "os/clock.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static struct err err;

static bool run(const char *script, struct str input, size_t max, uint64_t timeout_ns, struct buf *out) {
    const char *argv[] = {"sh", "-c", script, NULL};
    struct child_task task = {.argv = argv, .input = input, .output_max = max, .timeout_ns = timeout_ns};
    return child_run(&task, out, &err);
}

static void through(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 20), big = BUF_INIT(1 << 20);
    buf_lit(&out, "before ");
    CHECK(run("cat", STR("a\0b\n"), 64, 10 * NS_PER_SEC, &out));
    CHECK_STR(buf_str(&out), STR("before a\0b\n"));
    buf_clear(&out);
    CHECK(run("cat", STR_NONE, 64, 10 * NS_PER_SEC, &out) && out.n == 0);
    // More than a pipe holds, both ways at once.
    for (int i = 0; i < 50000; i++) buf_lit(&big, "0123456789");
    CHECK(run("cat", buf_str(&big), 500000, 60 * NS_PER_SEC, &out));
    CHECK(str_eq(buf_str(&out), buf_str(&big)));
    // The input need not be read.
    buf_clear(&out);
    CHECK(run("echo done", buf_str(&big), 64, 10 * NS_PER_SEC, &out));
    CHECK_STR(buf_str(&out), STR("done\n"));
    // Signals are as they should be: a blocked one here is none there.
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    buf_clear(&out);
    CHECK(!run("kill -TERM $$; echo alive", STR_NONE, 64, 10 * NS_PER_SEC, &out));
    CHECK(strstr(err.message, "signal 15"));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void failing(void) {
    BUF_AUTO struct buf out = BUF_INIT(1024);
    buf_lit(&out, "kept");
    CHECK(!run("echo secret-out; echo 'no such key\tx' >&2; echo more >&2; exit 3", STR("secret-in"), 64,
               10 * NS_PER_SEC, &out));
    CHECK_INT(err.code, ERR_IO);
    CHECK(strstr(err.message, "status 3: no such key?x") && !strstr(err.message, "more"));
    CHECK(!strstr(err.message, "secret"));
    CHECK_STR(buf_str(&out), STR("kept"));
    CHECK(!run("exit 1", STR_NONE, 64, 10 * NS_PER_SEC, &out) && strstr(err.message, "status 1"));
    CHECK(!run("yes", STR_NONE, 64, 10 * NS_PER_SEC, &out));
    CHECK_INT(err.code, ERR_UPSTREAM_TOO_LARGE);
    CHECK(!run("printf 12345", STR_NONE, 4, 10 * NS_PER_SEC, &out));
    CHECK_INT(err.code, ERR_UPSTREAM_TOO_LARGE);
    CHECK(run("printf 1234", STR_NONE, 4, 10 * NS_PER_SEC, &out));
    CHECK(!run("yes error >&2 & wait", STR_NONE, 4, NS_PER_SEC / 5, &out));
    CHECK_INT(err.code, ERR_UPSTREAM_TIMEOUT);
    CHECK(!run("true", STR_NONE, 4096, 10 * NS_PER_SEC, &out)); // more than the buffer may hold
    CHECK_INT(err.code, ERR_NO_MEMORY);
    CHECK(!out.failed);
    const char *argv[] = {"/no/such/program", NULL};
    struct child_task task = {.argv = argv, .output_max = 4, .timeout_ns = NS_PER_SEC};
    CHECK(!child_run(&task, &out, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    const char *directory[] = {"/", NULL};
    task.argv = directory;
    CHECK(!child_run(&task, &out, &err));
    CHECK_INT(err.code, ERR_IO);
}

// Neither a program that does not end, nor one that closed its pipes, nor what it started outlives the call.
static void ending(void) {
    BUF_AUTO struct buf out = BUF_INIT(1024);
    CHECK(!run("sleep 1000", STR_NONE, 64, NS_PER_SEC / 5, &out));
    CHECK_INT(err.code, ERR_UPSTREAM_TIMEOUT);
    CHECK(!run("exec >&- 2>&- <&-; sleep 1000", STR_NONE, 64, NS_PER_SEC / 5, &out));
    CHECK_INT(err.code, ERR_UPSTREAM_TIMEOUT);
    CHECK(run("sleep 1000 >&- 2>&- & printf $!", STR_NONE, 64, 10 * NS_PER_SEC, &out));
    uint64_t pid;
    REQUIRE(str_to_u64(buf_str(&out), &pid));
    // It is gone, or about to be reaped by whoever took it over.
    for (int i = 0; i < 1000 && kill((pid_t)pid, 0) == 0; i++) {
        char path[64], state[256] = "";
        snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
        FILE *f = fopen(path, "r");
        if (f && !fgets(state, sizeof state, f)) state[0] = '\0';
        if (f) fclose(f);
        const char *after = strrchr(state, ')');
        if (!after || after[2] == 'Z' || after[2] == 'X') return;
        usleep(10000);
    }
    CHECK(kill((pid_t)pid, 0) != 0);
}

TEST_MAIN(through, failing, ending)
