// Tests of os/term.h on a pseudo-terminal: what is typed is read and not shown, editing keys, interruption, hangup.
#include "check.h"

#include "os/term.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PROMPT STR("Value: ")

struct asked {
    int code; // 0 answered, 1 interrupted, 2 an error
    char shown[512], answer[8192];
    size_t answer_n;
    tcflag_t flags; // of the terminal afterwards
};

// The child asks on its end of the terminal and hands what it got through a pipe.
static bool g_shown; // ask in the open

static void child(const char *name, int result, size_t max) {
    struct buf out = BUF_INIT(max);
    struct err err;
    enum term_answer answer;
    int fd = open(name, O_RDWR | O_NOCTTY);
    buf_lit(&out, "<");
    bool ok = fd >= 0 && (g_shown ? term_ask : term_ask_hidden)(fd, fd, PROMPT, &out, &answer, &err);
    if (write(result, out.p, out.n) != (ssize_t)out.n) _exit(9);
    _exit(!ok ? 2 : answer == TERM_INTERRUPTED ? 1 : 0);
}

static size_t read_until(int fd, char *p, size_t max, struct str what) {
    size_t n = 0;
    while (n < max && str_find(str_of(p, n), what) == n) {
        ssize_t got = read(fd, p + n, 1);
        if (got <= 0) break;
        n += (size_t)got;
    }
    return n;
}

static struct asked ask(struct str typed, size_t max) {
    struct asked a = {0};
    int result[2], status, master = posix_openpt(O_RDWR | O_NOCTTY);
    REQUIRE(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && pipe(result) == 0);
    int own = open(ptsname(master), O_RDWR | O_NOCTTY); // so that the terminal outlives the child
    REQUIRE(own >= 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(own);
        child(ptsname(master), result[1], max);
    }
    close(result[1]);
    // Only from the prompt on is nothing shown.
    size_t n = read_until(master, a.shown, sizeof a.shown - 1, PROMPT);
    while (typed.n) {
        ssize_t put = write(master, typed.p, MIN(typed.n, (size_t)1000));
        REQUIRE(put > 0);
        typed = str_from(typed, (size_t)put);
    }
    read_until(master, a.shown + n, sizeof a.shown - 1 - n, STR("\n"));
    for (ssize_t got; (got = read(result[0], a.answer + a.answer_n, sizeof a.answer - a.answer_n)) > 0;)
        a.answer_n += (size_t)got;
    REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    a.code = WEXITSTATUS(status);
    struct termios now;
    REQUIRE(tcgetattr(own, &now) == 0);
    a.flags = now.c_lflag;
    close(own);
    close(master);
    close(result[0]);
    return a;
}

static void check_ask(struct str typed, int code, struct str want) {
    struct asked a = ask(typed, 8000);
    CHECK_INT(a.code, code);
    REQUIRE(a.answer_n > 0);
    CHECK_STR(str_of(a.answer + 1, a.answer_n - 1), want);
    CHECK_STR(str_c(a.shown), STR("Value: \r\n"));
    CHECK((a.flags & ECHO) && (a.flags & ICANON) && (a.flags & ISIG));
}

static void test_answers(void) {
    check_ask(STR("sk-secret\r"), 0, STR("sk-secret"));
    check_ask(STR("sk-secret\n"), 0, STR("sk-secret"));
    check_ask(STR("\r"), 0, STR(""));
    check_ask(STR("ends\x04"), 0, STR("ends"));
    check_ask(STR("first\rsecond\r"), 0, STR("first"));
    check_ask(STR("with space \r"), 0, STR("with space "));
}

static void test_keys(void) {
    check_ask(STR("abx\x7f"
                  "c\r"),
              0, STR("abc"));
    check_ask(STR("abx\x08"
                  "c\r"),
              0, STR("abc"));
    check_ask(STR("a\xc3\xa4\x7f"
                  "b\r"),
              0, STR("ab")); // one character, two bytes
    check_ask(STR("\x7f\x7f"
                  "a\r"),
              0, STR("a"));
    check_ask(STR("wrong\x15right\r"), 0, STR("right"));
    check_ask(STR("a\x1a"
                  "b\r"),
              0, STR("ab")); // no stopping half-way
}

static void check_shown(struct str typed, int code, struct str want, const char *screen) {
    g_shown = true;
    struct asked a = ask(typed, 8000);
    g_shown = false;
    CHECK_INT(a.code, code);
    REQUIRE(a.answer_n > 0);
    CHECK_STR(str_of(a.answer + 1, a.answer_n - 1), want);
    CHECK_STR(str_c(a.shown), str_c(screen));
    CHECK((a.flags & ECHO) && (a.flags & ICANON) && (a.flags & ISIG));
}

static void test_shown(void) {
    check_shown(STR("abc\r"), 0, STR("abc"), "Value: abc\r\n");
    check_shown(STR("a\xc3\xa4\x7f"
                    "b\r"),
                0, STR("ab"), "Value: a\xc3\xa4\b \bb\r\n");
    check_shown(STR("wrong\x15ok\r"), 0, STR("ok"), "Value: wrong\b \b\b \b\b \b\b \b\b \bok\r\n");
    check_shown(STR("\x1b[A\x1b[1;5Cx\x1bOPy\r"), 0, STR("xy"), "Value: xy\r\n");
    check_shown(STR("half\x03"), 1, STR(""), "Value: half\r\n");
}

static void test_interrupted(void) {
    check_ask(STR("half\x03"), 1, STR(""));
    check_ask(STR("half\x1c"), 1, STR(""));
}

// More than a terminal's line may be long, and more than the caller wants.
static void test_long(void) {
    static char line[6001];
    memset(line, 'x', sizeof line);
    line[6000] = '\r';
    check_ask(str_of(line, sizeof line), 0, str_of(line, 6000));
    struct asked a = ask(STR("0123456789\r"), 8);
    CHECK_INT(a.code, 2);
    CHECK_INT(a.answer_n, 1);
    CHECK((a.flags & ECHO) != 0);
}

static void test_no_terminal(void) {
    struct buf out = BUF_INIT(100);
    struct err err;
    enum term_answer answer;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    CHECK(!term_is_tty(ends[0]));
    CHECK_INT(term_columns(ends[0]), 0);
    CHECK(!term_ask_hidden(ends[0], ends[1], PROMPT, &out, &answer, &err));
    CHECK_INT(err.code, ERR_IO);
    CHECK(!term_ask_hidden(-1, -1, PROMPT, &out, &answer, &err));
    close(ends[0]);
    close(ends[1]);
    buf_free(&out);
}

// The terminal goes away in the middle.
static void test_hangup(void) {
    int result[2], status, master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char shown[64], got[8];
    REQUIRE(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && pipe(result) == 0);
    int own = open(ptsname(master), O_RDWR | O_NOCTTY);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        const char *name = ptsname(master);
        int fd = open(name, O_RDWR | O_NOCTTY);
        close(master);
        close(own);
        struct buf out = BUF_INIT(100);
        struct err err;
        enum term_answer answer;
        bool ok = term_ask_hidden(fd, fd, PROMPT, &out, &answer, &err);
        _exit(!ok ? 2 : answer == TERM_INTERRUPTED && out.n == 0 ? 1 : 0);
    }
    close(result[1]);
    read_until(master, shown, sizeof shown, PROMPT);
    REQUIRE(write(master, "half", 4) == 4);
    close(own);
    close(master);
    CHECK(read(result[0], got, sizeof got) == 0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    close(result[0]);
}

// A signal that ends the process does so with the echo on again; one that is ignored does nothing.
static void check_signal(int number, bool ignored) {
    int result[2], status, master = posix_openpt(O_RDWR | O_NOCTTY);
    char shown[64], name[64];
    struct termios now;
    REQUIRE(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && pipe(result) == 0);
    REQUIRE(ptsname_r(master, name, sizeof name) == 0);
    int own = open(name, O_RDWR | O_NOCTTY);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(own);
        if (ignored) signal(number, SIG_IGN);
        child(name, result[1], 100);
    }
    close(result[1]);
    read_until(master, shown, sizeof shown, PROMPT);
    REQUIRE(tcgetattr(own, &now) == 0);
    CHECK(!(now.c_lflag & ECHO));
    REQUIRE(write(master, "half", 4) == 4 && kill(pid, number) == 0);
    if (ignored) REQUIRE(write(master, "\r", 1) == 1);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    if (ignored)
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    else
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == number);
    REQUIRE(tcgetattr(own, &now) == 0);
    CHECK((now.c_lflag & ECHO) && (now.c_lflag & ICANON));
    close(own);
    close(master);
    close(result[0]);
}

static void test_signals(void) {
    check_signal(SIGTERM, false);
    check_signal(SIGINT, false);
    check_signal(SIGHUP, false);
    check_signal(SIGHUP, true);
}

TEST_MAIN(test_answers, test_keys, test_shown, test_interrupted, test_long, test_no_terminal, test_hangup, test_signals)
