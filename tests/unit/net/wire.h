// A loop on this thread and blocking sockets on another: what tests of connections are made of.
//
// The script on the other thread talks raw bytes, so it can be as rude as it likes. Its receives give up after WIRE_MS,
// and a watchdog ends a loop that nothing else ends: a test that hangs fails.
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include "base/buf.h"
#include "base/mem.h"
#include "check.h"
#include "os/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRE_MS 20000

struct wire {
    struct loop *loop;
    struct timer watchdog;
    struct task over; // the script has ended
    pthread_t thread;
    bool started, script_over, stop_on_script;
    void (*script)(struct wire *w);
    void (*on_script_over)(struct wire *w); // on the loop
    int listener;                           // of the script, or -1
    uint16_t port;                          // to connect to
    void *user;
    struct mem_stats before;
};

// --- the script's side ---

static inline void wire_limits(int fd) {
    const struct timeval limit = {.tv_sec = WIRE_MS / 1000};
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static inline int wire_listen(uint16_t *out_port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 64) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    wire_limits(fd);
    *out_port = ntohs(a.sin_port);
    return fd;
}

// -1 once the listener was shut down.
static inline int wire_accept(struct wire *w) {
    int fd = accept(w->listener, NULL, NULL);
    if (fd >= 0) wire_limits(fd);
    return fd;
}

static inline int wire_connect_small(uint16_t port, int receive_buffer) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    if (receive_buffer) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    wire_limits(fd);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
    close(fd);
    return -1;
}
static inline int wire_connect(struct wire *w) { return wire_connect_small(w->port, 0); }

static inline bool wire_send(int fd, struct str s) {
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n <= 0) return false;
        s = str_from(s, (size_t)n);
    }
    return true;
}

// Long enough for the other side to have read what was sent before, most of the time; nothing depends on it.
static inline void wire_breathe(void) { usleep(400); }

static inline bool wire_send_pieces(int fd, struct str s, size_t step) {
    for (; s.n; s = str_from(s, step)) {
        if (!wire_send(fd, str_head(s, step))) return false;
        wire_breathe();
    }
    return true;
}

// Sends in two pieces.
static inline bool wire_send_cut(int fd, struct str s, size_t cut) {
    if (!wire_send(fd, str_head(s, cut))) return false;
    wire_breathe();
    return wire_send(fd, str_from(s, cut));
}

// Reads until `out` ends in or holds `needle`. False at the end of the connection.
static inline bool wire_read_until(int fd, struct buf *out, struct str needle) {
    while (str_find(buf_str(out), needle) == out->n && !(needle.n == 0)) {
        char block[4096];
        ssize_t n = recv(fd, block, sizeof block, 0);
        if (n <= 0) return false;
        buf_append(out, block, (size_t)n);
        if (out->failed) return false;
    }
    return true;
}

// Reads until `out` has n bytes.
static inline bool wire_read_n(int fd, struct buf *out, size_t n) {
    while (out->n < n) {
        char block[65536];
        ssize_t got = recv(fd, block, MIN(sizeof block, n - out->n), 0);
        if (got <= 0) return false;
        buf_append(out, block, (size_t)got);
    }
    return true;
}

enum wire_end { WIRE_CLOSED, WIRE_RESET, WIRE_TIMEOUT };
// Reads to the end of the connection.
static inline enum wire_end wire_read_end(int fd, struct buf *out) {
    for (;;) {
        char block[4096];
        ssize_t n = recv(fd, block, sizeof block, 0);
        if (n == 0) return WIRE_CLOSED;
        if (n < 0) return errno == EAGAIN ? WIRE_TIMEOUT : WIRE_RESET;
        if (out) buf_append(out, block, (size_t)n);
    }
}

static inline void wire_reset(int fd) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

// Reads one request (head and counted body) into `out`, which is cleared first.
static inline bool wire_read_request(int fd, struct buf *out) {
    buf_clear(out);
    if (!wire_read_until(fd, out, STR("\r\n\r\n"))) return false;
    size_t head = str_find(buf_str(out), STR("\r\n\r\n")) + 4;
    struct str rest = str_head(buf_str(out), head);
    size_t at = str_find(rest, STR("content-length: "));
    uint64_t length = 0;
    if (at < rest.n) {
        struct str digits = str_from(rest, at + 16);
        digits = str_head(digits, str_find_char(digits, '\r'));
        if (!str_to_u64(digits, &length)) return false;
    }
    return wire_read_n(fd, out, head + length);
}

// --- the loop's side ---

static inline void *wire_thread(void *arg) {
    struct wire *w = arg;
    w->script(w);
    loop_post(w->loop, &w->over);
    return NULL;
}

static inline void wire_on_over(struct task *task) {
    struct wire *w = CONTAINER_OF(task, struct wire, over);
    w->script_over = true;
    if (w->on_script_over) w->on_script_over(w);
    if (w->stop_on_script) loop_stop(w->loop);
}

static inline void wire_on_watchdog(struct timer *timer) {
    struct wire *w = CONTAINER_OF(timer, struct wire, watchdog);
    fprintf(stderr, "nothing happens any more\n");
    CHECK(false);
    if (w->listener >= 0) shutdown(w->listener, SHUT_RDWR);
    loop_stop(w->loop);
}

// listens: the script accepts connections on w->port.
static inline void wire_open(struct wire *w, bool listens) {
    struct err err;
    signal(SIGPIPE, SIG_IGN);
    *w = (struct wire){.listener = -1, .over = {.fn = wire_on_over}};
    mem_stats_get(&w->before);
    REQUIRE(loop_create(0, &w->loop, &err));
    if (listens) w->listener = wire_listen(&w->port);
    timer_init(&w->watchdog, w->loop, wire_on_watchdog);
    timer_set(&w->watchdog, 2 * WIRE_MS);
}

static inline void wire_start(struct wire *w, void (*script)(struct wire *w)) {
    w->script = script;
    REQUIRE(pthread_create(&w->thread, NULL, wire_thread, w) == 0);
    w->started = true;
}

// Ends the script; the loop's handles are drained.
static inline void wire_end_script(struct wire *w) {
    if (w->listener >= 0) shutdown(w->listener, SHUT_RDWR);
    if (w->started) pthread_join(w->thread, NULL);
    w->started = false;
    if (w->listener >= 0) close(w->listener);
    w->listener = -1;
    timer_stop(&w->watchdog);
    loop_drain_handles(w->loop);
}

// Everything on the loop must be gone: all memory is back.
static inline void wire_close(struct wire *w) {
    struct mem_stats after;
    CHECK_INT(loop_pool(w->loop)->used_bytes, 0);
    loop_free(w->loop);
    mem_stats_get(&after);
    CHECK_INT(after.bytes, w->before.bytes);
}

#endif
