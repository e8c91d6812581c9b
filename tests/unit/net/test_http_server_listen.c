// Listeners of the HTTP server that come and go while it runs: none of the connections that got through is lost.
#include "server_rig.h"

#include "os/tcp.h"

#include <sys/wait.h>

// --- orders to the loop, from the script ---

struct order {
    struct task task;
    struct rig *rig;
    void (*fn)(struct rig *rig, struct order *order);
    struct listener *prepared;
    uint16_t port;
    unsigned id;
    int fds[8];
    uint64_t failed; // allocations
    bool ok;
    struct err err;
    pthread_mutex_t mutex;
    pthread_cond_t done_cond;
    bool done;
};

static void order_run(struct task *task) {
    struct order *o = CONTAINER_OF(task, struct order, task);
    o->fn(o->rig, o);
    pthread_mutex_lock(&o->mutex);
    o->done = true;
    pthread_cond_signal(&o->done_cond);
    pthread_mutex_unlock(&o->mutex);
}

// Returns when the loop has carried it out.
static void on_loop(struct wire *w, struct order *o, void (*fn)(struct rig *rig, struct order *order)) {
    o->task.fn = order_run;
    o->rig = rig_of(w);
    o->fn = fn;
    o->done = false;
    pthread_mutex_init(&o->mutex, NULL);
    pthread_cond_init(&o->done_cond, NULL);
    loop_post(w->loop, &o->task);
    pthread_mutex_lock(&o->mutex);
    while (!o->done) pthread_cond_wait(&o->done_cond, &o->mutex);
    pthread_mutex_unlock(&o->mutex);
    pthread_mutex_destroy(&o->mutex);
    pthread_cond_destroy(&o->done_cond);
}

static void listen_prepared(struct rig *rig, struct order *o) {
    o->ok = http_server_listen_prepared(rig->server, o->prepared, NULL, o->id, &o->err);
}
static void unlisten(struct rig *rig, struct order *o) { http_server_unlisten(rig->server, o->id); }
static void release(struct rig *rig, struct order *o) {
    (void)o;
    REQUIRE(rig->held_n == 1);
    reply(rig->held[--rig->held_n], 200, STR("held"));
}
static void is_held(struct rig *rig, struct order *o) { o->ok = rig->held_n > 0; }
static void drain(struct rig *rig, struct order *o) {
    (void)o;
    http_server_drain(rig->server);
}

static void check_hello(int fd) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    check_get(fd, &in, &body, STR(GET("/hello")), 200, STR("hello"));
    buf_free(&in);
    buf_free(&body);
}

static void check_hello_at(uint16_t port) {
    int fd = wire_connect_small(port, 0);
    CHECK(fd >= 0);
    if (fd < 0) return;
    check_hello(fd);
    close(fd);
}

// --- the cases ---

static void add_and_remove(struct wire *w) {
    struct order o = {.id = 7};
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    // Prepared on another thread than the loop's; nobody is let in before it listens.
    REQUIRE(listener_prepare(STR("127.0.0.1"), 0, false, 1, &o.prepared, &o.port, &o.err));
    CHECK_INT(wire_connect_small(o.port, 0), -1);
    on_loop(w, &o, listen_prepared);
    CHECK(o.ok);
    check_hello_at(o.port);
    check_hello_at(w->port);

    // Goes while a request is in flight, and while a connection rests.
    int busy = wire_connect_small(o.port, 0), idle = wire_connect_small(o.port, 0);
    check_hello(idle);
    CHECK(wire_send(busy, STR(GET("/hold"))));
    for (o.ok = false; !o.ok;) on_loop(w, &o, is_held);
    on_loop(w, &o, unlisten);
    CHECK_INT(wire_connect_small(o.port, 0), -1);
    check_hello_at(w->port);
    on_loop(w, &o, release);
    CHECK_INT(read_answer(busy, &in, &body), 200);
    CHECK_STR(buf_str(&body), STR("held"));
    check_hello(busy); // keep-alive
    check_hello(idle);

    // The same address and id once more, while connections of the first live.
    on_loop(w, &o, unlisten); // unknown by now
    REQUIRE(listener_prepare(STR("127.0.0.1"), o.port, false, 1, &o.prepared, &o.port, &o.err));
    on_loop(w, &o, listen_prepared);
    CHECK(o.ok);
    check_hello_at(o.port);
    check_hello(idle);
    close(busy);
    close(idle);
    buf_free(&in);
    buf_free(&body);
}

static void test_add_and_remove(void) {
    struct rig rig;
    rig_run(&rig, add_and_remove);
    CHECK_INT(rig.aborts + rig.rejects, 0);
}

// The loop is busy with this very task, so what connects meanwhile waits in the kernel's queue.
static void connect_then_unlisten(struct rig *rig, struct order *o) {
    for (size_t i = 0; i < ARRAY_LEN(o->fds); i++) {
        o->fds[i] = wire_connect_small(o->port, 0);
        REQUIRE(o->fds[i] >= 0);
        if (i % 2) CHECK(wire_send(o->fds[i], STR(GET("/hello"))));
    }
    http_server_unlisten(rig->server, o->id);
    CHECK_INT(wire_connect_small(o->port, 0), -1);
}
static void fail_next(struct rig *rig, struct order *o) {
    struct mem_stats stats;
    (void)rig;
    mem_stats_get(&stats);
    o->failed = stats.failed;
    mem_fail_nth(1);
}
static void has_failed(struct rig *rig, struct order *o) {
    struct mem_stats stats;
    (void)rig;
    mem_stats_get(&stats);
    o->ok = stats.failed > o->failed;
}

static void queued(struct wire *w) {
    struct order o = {.id = 0};
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    for (int round = 0; round < 2; round++) {
        int first = -1;
        REQUIRE(listener_prepare(STR("127.0.0.1"), 0, false, 1, &o.prepared, &o.port, &o.err));
        o.id++; // 0 is the rig's
        on_loop(w, &o, listen_prepared);
        CHECK(o.ok);
        if (round == 1) { // one that there was no memory for waits before them
            on_loop(w, &o, fail_next);
            first = wire_connect_small(o.port, 0);
            CHECK(wire_send(first, STR(GET("/hello"))));
            for (o.ok = false; !o.ok;) on_loop(w, &o, has_failed);
        }
        on_loop(w, &o, connect_then_unlisten);
        for (size_t i = 0; i < ARRAY_LEN(o.fds); i++) {
            if (i % 2 == 0) CHECK(wire_send(o.fds[i], STR(GET("/hello"))));
            CHECK_INT(read_answer(o.fds[i], &in, &body), 200);
            check_hello(o.fds[i]);
            close(o.fds[i]);
        }
        if (first < 0) continue;
        CHECK_INT(read_answer(first, &in, &body), 200);
        close(first);
    }
    buf_free(&in);
    buf_free(&body);
}

static void test_queued(void) {
    struct rig rig;
    rig_run(&rig, queued);
    CHECK_INT(rig.requests, 2 * 2 * 8 + 1);
    CHECK_INT(rig.aborts + rig.rejects, 0);
}

static void fill_places(struct rig *rig, struct order *o) {
    unsigned n = 0;
    while (n < 100) {
        REQUIRE(listener_prepare(STR("127.0.0.1"), 0, false, 1, &o->prepared, &o->port, &o->err));
        if (!http_server_listen_prepared(rig->server, o->prepared, NULL, 1000 + n, &o->err)) break;
        n++;
    }
    CHECK_INT(n, 2 * HTTP_LISTENERS_MAX - 1);
    CHECK_INT(o->err.code, ERR_CONFIG_INVALID);
    http_server_unlisten(rig->server, 1003);
    CHECK(http_server_listen(rig->server, STR("127.0.0.1"), 0, NULL, &o->port, &o->err)); // in its place
    for (unsigned i = 0; i < n; i++) http_server_unlisten(rig->server, 1000 + i);
    http_server_unlisten(rig->server, UINT32_MAX);
    http_server_set_tls(rig->server, UINT32_MAX, NULL);
}

static void many_places(struct wire *w) {
    struct order o = {0};
    on_loop(w, &o, fill_places);
    check_hello_at(o.port);
    // While the server drains, no listener comes any more, and what was prepared is closed.
    REQUIRE(listener_prepare(STR("127.0.0.1"), 0, false, 1, &o.prepared, &o.port, &o.err));
    on_loop(w, &o, drain);
    o.id = 5;
    on_loop(w, &o, listen_prepared);
    CHECK(!o.ok && o.err.code == ERR_SHUTTING_DOWN);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(o.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0); // the port is free again
    close(fd);
}

static void test_places(void) {
    struct rig rig;
    rig_run(&rig, many_places);
}

// --- addresses that are taken ---

// Another process that listens, until its pipe is closed.
static pid_t other_process(bool reuse_port, uint16_t *out_port, int *out_pipe) {
    int to_child[2], to_parent[2], on = 1;
    REQUIRE(pipe(to_child) == 0 && pipe(to_parent) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t n = sizeof a;
        char c;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        close(to_child[1]);
        if (bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, 1) != 0) _exit(1);
        if (getsockname(fd, (struct sockaddr *)&a, &n) != 0) _exit(1);
        uint16_t port = ntohs(a.sin_port);
        if (write(to_parent[1], &port, sizeof port) != sizeof port) _exit(1);
        if (read(to_child[0], &c, 1) != 0) _exit(1);
        _exit(0);
    }
    close(to_child[0]);
    close(to_parent[1]);
    REQUIRE(read(to_parent[0], out_port, sizeof *out_port) == sizeof *out_port);
    close(to_parent[0]);
    *out_pipe = to_child[1];
    return child;
}

static void check_taken(bool reuse_port, bool own_port) {
    struct listener *prepared[2] = {0};
    struct err err;
    uint16_t port, got;
    char want[40];
    int leave, status;
    pid_t child = other_process(reuse_port, &port, &leave);
    snprintf(want, sizeof want, "127.0.0.1:%u: ", port);
    CHECK(!listener_prepare(STR("127.0.0.1"), port, own_port, 2, prepared, &got, &err));
    CHECK_INT(err.code, ERR_IO);
    CHECK(strstr(err.message, want) && strstr(err.message, "in use"));
    close(leave);
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    // Now it is free.
    REQUIRE(listener_prepare(STR("127.0.0.1"), port, own_port, 2, prepared, &got, &err));
    CHECK_INT(got, port);
    listener_close(prepared[0]);
    listener_close(prepared[1]);
}

static void test_taken(void) {
    check_taken(false, false);
    check_taken(false, true);
    check_taken(true, false); // a second server of the same kind
}

TEST_MAIN(test_taken, test_add_and_remove, test_queued, test_places)
