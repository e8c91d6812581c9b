// Runs a program with pipes to it, until it has ended or its time is over.
#include "os/child.h"

#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAID_MAX 512
#define WAIT_STEP_MS 5

extern char **environ;

struct child {
    const struct child_task *task;
    pid_t pid;
    int in, out, said; // our ends of the pipes; -1 = closed
    size_t written;
    struct buf *output;
    size_t before;       // of output
    char text[SAID_MAX]; // what it wrote on standard error, cut
    size_t text_n;
    uint64_t deadline;
};

static void close_end(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static bool fail(struct err *err, const struct child_task *task, enum err_code code, const char *what) {
    return err_set(err, code, "the program %.200s %s", task->argv[0], what);
}

// --- starting ---

static bool spawn(struct child *c, int in, int out, int said, struct err *err) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    // In a group of its own, so that what it starts can be ended with it; with no signal blocked or ignored.
    int rc = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    if (!rc) rc = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (!rc) rc = posix_spawn_file_actions_adddup2(&files, said, STDERR_FILENO);
    if (!rc) rc = posix_spawnattr_setsigmask(&how, &none);
    if (!rc) rc = posix_spawnattr_setsigdefault(&how, &all);
    if (!rc) rc = posix_spawnattr_setpgroup(&how, 0);
    if (!rc)
        rc = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (!rc)
        rc = posix_spawnp(&c->pid, c->task->argv[0], &files, &how, (char *const *)(uintptr_t)c->task->argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    if (rc == 0) return true;
    c->pid = 0;
    return err_set(err, rc == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot run the program %.200s: %s", c->task->argv[0],
                   strerror(rc));
}

static bool start(struct child *c, struct err *err) {
    int p[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    bool ok = true;
    for (int i = 0; i < 3 && ok; i++) ok = pipe2(p[i], O_CLOEXEC) == 0;
    if (!ok) err_set(err, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    if (ok) ok = spawn(c, p[0][0], p[1][1], p[2][1], err);
    close_end(&p[0][0]);
    close_end(&p[1][1]);
    close_end(&p[2][1]);
    c->in = p[0][1], c->out = p[1][0], c->said = p[2][0];
    for (int i = 0; i < 3 && ok; i++) {
        int fd = i == 0 ? c->in : i == 1 ? c->out : c->said;
        ok = fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
        if (!ok) err_set(err, ERR_IO, "cannot set up a pipe: %s", strerror(errno));
    }
    return ok;
}

// --- bytes ---

static bool again(void) { return errno == EAGAIN || errno == EINTR; }

// A program that does not read its input to the end is free to do so.
static void feed(struct child *c) {
    struct str rest = str_from(c->task->input, c->written);
    ssize_t n = rest.n ? write(c->in, rest.p, rest.n) : 0;
    if (n > 0) c->written += (size_t)n;
    if ((n < 0 && !again()) || c->written == c->task->input.n) close_end(&c->in);
}

static bool take_output(struct child *c, struct err *err) {
    struct buf *out = c->output;
    size_t room = c->before + c->task->output_max + 1 - out->n;
    ssize_t n = read(c->out, out->p + out->n, room);
    if (n == 0 || (n < 0 && !again())) close_end(&c->out);
    if (n > 0) out->n += (size_t)n;
    return out->n - c->before <= c->task->output_max ||
           fail(err, c->task, ERR_UPSTREAM_TOO_LARGE, "wrote more than it may");
}

static void take_said(struct child *c) {
    char rest[SAID_MAX];
    ssize_t n = read(c->said, rest, sizeof rest);
    if (n == 0 || (n < 0 && !again())) close_end(&c->said);
    if (n <= 0) return;
    size_t take = MIN((size_t)n, sizeof c->text - c->text_n);
    memcpy(c->text + c->text_n, rest, take);
    c->text_n += take;
}

static bool late(const struct child *c, struct err *err) {
    if (clock_mono_ns() < c->deadline) return false;
    return !fail(err, c->task, ERR_UPSTREAM_TIMEOUT, "did not end in time");
}

static bool talk(struct child *c, struct err *err) {
    while (c->out >= 0 || c->said >= 0 || c->in >= 0) {
        struct pollfd fds[3] = {
            {.fd = c->in, .events = POLLOUT}, {.fd = c->out, .events = POLLIN}, {.fd = c->said, .events = POLLIN}};
        uint64_t now = clock_mono_ns();
        if (late(c, err)) return false;
        uint64_t ms = (c->deadline - MIN(now, c->deadline)) / NS_PER_MS + 1;
        int n = poll(fds, 3, (int)MIN(ms, (uint64_t)60000));
        if (n < 0 && errno != EINTR) return err_set(err, ERR_IO, "cannot wait for a program: %s", strerror(errno));
        if (n <= 0) continue;
        if (fds[0].revents) feed(c);
        if (fds[1].revents && !take_output(c, err)) return false;
        if (fds[2].revents) take_said(c);
    }
    return true;
}

// --- ending ---

static struct str first_line(struct child *c) {
    struct str said = str_trim(str_of(c->text, c->text_n));
    said = str_head(said, str_find_char(said, '\n'));
    for (size_t i = 0; i < said.n; i++) {
        size_t at = (size_t)(said.p - c->text) + i;
        if ((unsigned char)c->text[at] < 0x20 || (unsigned char)c->text[at] > 0x7e) c->text[at] = '?';
    }
    return str_head(str_trim(said), 200);
}

static bool judge(struct child *c, int status, struct err *err) {
    struct str said = first_line(c);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    bool killed = WIFSIGNALED(status);
    return err_set(err, ERR_IO, "the program %.200s %s %d%s%.*s", c->task->argv[0],
                   killed ? "was ended by signal" : "failed with status",
                   killed ? WTERMSIG(status) : WEXITSTATUS(status), said.n ? ": " : "", STR_ARG(said));
}

static bool await(struct child *c, struct err *err) {
    int status = 0;
    for (;;) {
        siginfo_t info = {0};
        int rc = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if (rc == 0 && info.si_pid == c->pid) break;
        if (rc != 0 && errno != EINTR) return err_set(err, ERR_IO, "cannot wait for a program: %s", strerror(errno));
        if (late(c, err)) return false;
        poll(NULL, 0, WAIT_STEP_MS);
    }
    // What it left running goes too: now, while nobody else can have its number.
    kill(-c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {
    }
    c->pid = 0;
    return judge(c, status, err);
}

static void end(struct child *c) {
    close_end(&c->in);
    close_end(&c->out);
    close_end(&c->said);
    if (c->pid <= 0) return;
    kill(-c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

// A program that ends without reading its input must not end this one.
static bool run_without_sigpipe(struct child *c, struct err *err) {
    const struct timespec now = {0};
    sigset_t pipe_only, old, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_only, &old);
    bool ok = start(c, err) && talk(c, err) && await(c, err);
    if (!was_pending) sigtimedwait(&pipe_only, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

bool child_run(const struct child_task *task, struct buf *out, struct err *err) {
    struct child c = {.task = task, .in = -1, .out = -1, .said = -1, .output = out, .before = out->n};
    bool failed = out->failed;
    if (task->output_max > SIZE_MAX / 2 || !buf_reserve(out, task->output_max + 1)) {
        out->failed = failed;
        return err_no_memory(err);
    }
    c.deadline = clock_mono_ns() + task->timeout_ns;
    bool ok = run_without_sigpipe(&c, err);
    end(&c);
    if (!ok) {
        if (out->n > c.before) explicit_bzero(out->p + c.before, out->n - c.before);
        out->n = c.before;
    }
    return ok;
}
