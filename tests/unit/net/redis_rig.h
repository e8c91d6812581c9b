// A real redis-server of one's own, and a client on a loop that goes through a test step by step.
//
// A test is a list of steps; the loop asks the present one every millisecond until it says true. What a step waits for
// for RIG_MS fails the test.
#ifndef TESTS_REDIS_RIG_H
#define TESTS_REDIS_RIG_H

#include "base/mem.h"
#include "check.h"
#include "net/redis.h"
#include "temp_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RIG_MS 20000
#define RIG_ARGS_MAX 24

struct server {
    pid_t pid;
    uint16_t port;
    char port_text[8], dir[128];
    const char *args[RIG_ARGS_MAX];
};

static inline uint16_t rig_free_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    close(fd);
    return ntohs(a.sin_port);
}

static inline bool rig_reachable(uint16_t port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

// Starts (again) with the arguments of the first time; waits until it can be reached.
static inline void server_run(struct server *s) {
    s->pid = fork();
    REQUIRE(s->pid >= 0);
    if (s->pid == 0) {
        int log = open("/dev/null", O_WRONLY);
        dup2(log, 1);
        dup2(log, 2);
        execvp("redis-server", (char *const *)(uintptr_t)s->args);
        _exit(127);
    }
    for (int i = 0; i < RIG_MS / 10 && !rig_reachable(s->port); i++) {
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
            fprintf(stderr, "redis-server (Debian package redis-server) did not start\n");
            exit(1);
        }
        usleep(10000);
    }
    REQUIRE(rig_reachable(s->port));
}

// more: further arguments, NULL at the end. tls: the port is for TLS.
static inline void server_start(struct server *s, bool tls, const char *const *more) {
    size_t n = 0;
    *s = (struct server){.port = rig_free_port()};
    snprintf(s->port_text, sizeof s->port_text, "%u", s->port);
    snprintf(s->dir, sizeof s->dir, "%s", temp_dir());
    const char *first[] = {"redis-server",
                           tls ? "--tls-port" : "--port",
                           s->port_text,
                           "--bind",
                           "127.0.0.1",
                           "--save",
                           "",
                           "--dir",
                           s->dir,
                           "--appendonly",
                           "no"};
    for (; n < ARRAY_LEN(first); n++) s->args[n] = first[n];
    for (size_t i = 0; more && more[i]; i++) {
        REQUIRE(n + 1 < RIG_ARGS_MAX);
        s->args[n++] = more[i];
    }
    server_run(s);
}

static inline void server_kill(struct server *s, int sig) {
    if (s->pid <= 0) return;
    kill(s->pid, sig);
    if (sig == SIGSTOP || sig == SIGCONT) return;
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

struct rig;
typedef bool rig_step(struct rig *rig);

#define RIG_ASKS 32
struct asked {
    struct rig *rig;
    int calls;
    bool ok;
    enum err_code code;
    char text[128]; // of a string or an error
    int64_t integer;
};

struct rig {
    struct loop *loop;
    struct redis *redis;
    struct redis_options o;
    struct timer timer;
    rig_step *const *steps;
    uint64_t began_ms, turns;
    struct server *server;
    struct asked asks[RIG_ASKS];
    int ups, downs, messages;
    char channel[64], payload[160];
    struct redis_script script;
    void *user;
};

static inline void rig_next(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, timer);
    rig->turns++;
    timer_set(timer, 1);
    if ((*rig->steps)(rig)) {
        rig->began_ms = loop_now_ms(rig->loop);
        if (*++rig->steps) return;
    } else if (loop_now_ms(rig->loop) - rig->began_ms < RIG_MS) {
        return;
    } else {
        CHECK(false && "a step took too long");
    }
    redis_stop(rig->redis);
    loop_stop(rig->loop);
}

static inline void rig_on_reply(void *ctx, const struct resp *reply, const struct err *err) {
    struct asked *a = ctx;
    CHECK(!reply != !err);
    a->calls++;
    a->ok = reply != NULL;
    if (err) a->code = err->code;
    struct str text = !reply ? str_c(err->message) : reply->text;
    snprintf(a->text, sizeof a->text, "%.*s", STR_ARG(text));
    if (reply) a->integer = reply->integer;
    if (reply && reply->type != RESP_INT && reply->type != RESP_STRING) a->integer = (int64_t)reply->n;
}

static inline void rig_on_state(void *ctx, bool up) {
    struct rig *rig = ctx;
    if (up)
        rig->ups++;
    else
        rig->downs++;
}

static inline void rig_on_message(void *ctx, struct str channel, struct str payload) {
    struct rig *rig = ctx;
    rig->messages++;
    snprintf(rig->channel, sizeof rig->channel, "%.*s", STR_ARG(channel));
    snprintf(rig->payload, sizeof rig->payload, "%.*s", STR_ARG(payload));
}

// "SET a 1", words apart by single spaces. False: it could not be sent.
static inline bool rig_ask_in(struct rig *rig, size_t i, const char *command, uint64_t timeout_ms,
                              struct redis_call **out_call, struct err *err) {
    struct str args[16], rest = str_c(command);
    size_t n = 0;
    while (n < ARRAY_LEN(args) && str_split(&rest, ' ', &args[n])) n++;
    rig->asks[i] = (struct asked){.rig = rig};
    const struct redis_wish wish = {.fn = rig_on_reply, .ctx = &rig->asks[i], .timeout_ms = timeout_ms};
    bool sent = redis_send(rig->redis, args, n, &wish, out_call, err);
    CHECK_INT(rig->asks[i].calls, 0);
    return sent;
}
static inline void rig_ask(struct rig *rig, size_t i, const char *command) {
    struct err err;
    CHECK(rig_ask_in(rig, i, command, 0, NULL, &err));
}
static inline bool rig_is_up(struct rig *rig) {
    struct redis_stats stats;
    redis_stats_get(rig->redis, &stats);
    return stats.up;
}

// Runs all steps on a client of the server; o may hold options.
static inline void rig_run(struct rig *rig, struct server *server, rig_step *const *steps) {
    struct err err;
    struct mem_stats before, after;
    mem_stats_get(&before);
    if (!rig->o.at.host[0] && !rig->o.at.path[0]) snprintf(rig->o.at.host, sizeof rig->o.at.host, "127.0.0.1");
    if (!rig->o.at.port && server) rig->o.at.port = server->port;
    rig->o.on_state = rig_on_state;
    rig->o.on_message = rig_on_message;
    rig->o.ctx = rig;
    rig->server = server;
    rig->steps = steps;
    REQUIRE(loop_create(0, &rig->loop, &err));
    REQUIRE(redis_create(rig->loop, &rig->o, &rig->redis, &err));
    timer_init(&rig->timer, rig->loop, rig_next);
    timer_set(&rig->timer, 1);
    rig->began_ms = loop_now_ms(rig->loop);
    redis_start(rig->redis);
    loop_run(rig->loop);
    timer_stop(&rig->timer);
    loop_drain_handles(rig->loop);
    redis_free(rig->redis);
    loop_free(rig->loop);
    mem_stats_get(&after);
    CHECK_INT(after.bytes, before.bytes);
}

#endif
