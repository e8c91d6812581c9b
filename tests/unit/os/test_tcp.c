// TCP over loopback: echoes small and large, slow readers, half-closed and reset connections, and connections refused.
#include "base/buf.h"
#include "base/mem.h"
#include "check.h"
#include "os/tcp.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define LARGE ((size_t)12 << 20)

struct peer {
    struct tcp tcp;
    struct rig *rig;
    struct buf in;
    size_t sent, echo_queued_max;
    int connects, connect_code, ends, end_code, drained, closed;
    bool open;
};

struct rig {
    struct loop *loop;
    struct listener *listener;
    uint16_t port;
    struct peer client, server;
    struct timer watchdog, timer;
    void (*on_event)(struct rig *rig);
    bool echo, slow;
    struct mem_stats before;
};

static struct peer *of_tcp(struct tcp *tcp) { return CONTAINER_OF(tcp, struct peer, tcp); }
static void event(struct peer *p) {
    if (p->rig->on_event) p->rig->on_event(p->rig);
}

static void on_read(struct tcp *tcp, char *bytes, size_t n) {
    struct peer *p = of_tcp(tcp);
    struct str s = str_of(bytes, n);
    buf_put(&p->in, s);
    if (p == &p->rig->server && p->rig->echo) {
        size_t queued = tcp_write(tcp, &s, 1);
        p->echo_queued_max = MAX(p->echo_queued_max, queued);
        if (queued > 100000) tcp_read_stop(tcp); // back-pressure, as a proxy does it
    }
    event(p);
}
static void on_end(struct tcp *tcp, int code) {
    struct peer *p = of_tcp(tcp);
    p->ends++;
    p->end_code = code;
    event(p);
}
static void on_drained(struct tcp *tcp) {
    struct peer *p = of_tcp(tcp);
    CHECK_INT(tcp_queued(tcp), 0);
    p->drained++;
    if (p == &p->rig->server && p->rig->echo) tcp_read_start(tcp);
    event(p);
}
static void on_connect(struct tcp *tcp, int code) {
    struct peer *p = of_tcp(tcp);
    p->connects++;
    p->connect_code = code;
    if (code == 0) tcp_read_start(tcp);
    event(p);
}
static void on_closed(struct tcp *tcp) {
    of_tcp(tcp)->closed++;
    of_tcp(tcp)->open = false;
}
static const struct tcp_ops k_ops = {
    .on_read = on_read, .on_end = on_end, .on_drained = on_drained, .on_connect = on_connect, .on_closed = on_closed};

static void on_accept(void *ctx, struct listener *listener) {
    struct rig *rig = ctx;
    struct err err;
    char text[64];
    REQUIRE(tcp_init(&rig->server.tcp, rig->loop, &k_ops, &err));
    rig->server.open = true;
    REQUIRE(tcp_accept(&rig->server.tcp, listener));
    CHECK_STR(tcp_peer_text(&rig->server.tcp, text), STR("127.0.0.1"));
    tcp_read_start(&rig->server.tcp);
}

static bool listen_now(struct loop *loop, struct str host, uint16_t port, listener_fn *accept, void *ctx,
                       struct listener **out_listener, uint16_t *out_port, struct err *err) {
    if (!listener_prepare(host, port, false, 1, out_listener, out_port, err)) return false;
    if (listener_start(*out_listener, loop, accept, ctx, err)) return true;
    listener_close(*out_listener);
    return false;
}

static void on_watchdog(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, watchdog);
    fprintf(stderr, "nothing happens any more\n");
    CHECK(false);
    loop_stop(rig->loop);
}

static void open_rig(struct rig *rig) {
    struct err err;
    memset(rig, 0, sizeof *rig);
    mem_stats_get(&rig->before);
    REQUIRE(loop_create(0, &rig->loop, &err));
    REQUIRE(listen_now(rig->loop, STR("127.0.0.1"), 0, on_accept, rig, &rig->listener, &rig->port, &err));
    rig->client.rig = rig->server.rig = rig;
    buf_init(&rig->client.in, 2 * LARGE);
    buf_init(&rig->server.in, 2 * LARGE);
    timer_init(&rig->watchdog, rig->loop, on_watchdog);
    timer_set(&rig->watchdog, 30000);
    REQUIRE(tcp_init(&rig->client.tcp, rig->loop, &k_ops, &err));
    rig->client.open = true;
}

static int connect_to(struct rig *rig, uint16_t port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return tcp_connect(&rig->client.tcp, (const struct sockaddr *)&a);
}

static void close_rig(struct rig *rig) {
    struct mem_stats after;
    bool server = rig->server.open || rig->server.closed;
    timer_stop(&rig->watchdog);
    timer_stop(&rig->timer);
    listener_close(rig->listener);
    tcp_close(&rig->client.tcp);
    if (server) tcp_close(&rig->server.tcp);
    loop_drain_handles(rig->loop);
    CHECK_INT(rig->client.closed, 1);
    CHECK_INT(rig->server.closed, server);
    CHECK_INT(loop_pool(rig->loop)->used_bytes, 0);
    buf_free(&rig->client.in);
    buf_free(&rig->server.in);
    loop_free(rig->loop);
    mem_stats_get(&after);
    CHECK_INT(after.bytes, rig->before.bytes);
}

// --- echoes ---

static char byte_at(size_t i) { return (char)(i * 31 + i / 1000); }

static void check_pattern(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != byte_at(i)) {
            fprintf(stderr, "byte %zu is wrong\n", i);
            CHECK(false);
            return;
        }
}

// Writes of many sizes and parts, all at once: order is kept whatever the kernel takes.
static void send_large(struct rig *rig) {
    static char all[LARGE];
    struct peer *c = &rig->client;
    size_t step = 1;
    if (c->sent || !c->connects) return;
    for (size_t i = 0; i < LARGE; i++) all[i] = byte_at(i);
    while (c->sent < LARGE) {
        struct str parts[40];
        size_t n = 0;
        for (; n < ARRAY_LEN(parts) && c->sent < LARGE; n++) {
            parts[n] = str_of(all + c->sent, MIN(step, LARGE - c->sent));
            c->sent += parts[n].n;
            step = step * 7 % 50021;
        }
        tcp_write(&c->tcp, parts, n);
    }
    CHECK_INT(c->tcp.written, LARGE);
    tcp_write(&c->tcp, NULL, 0);
    tcp_write(&c->tcp, &STR(""), 1);
}

static void large_event(struct rig *rig) {
    send_large(rig);
    if (rig->client.in.n == LARGE) loop_stop(rig->loop);
}

static void test_large_echo(void) {
    struct rig rig;
    open_rig(&rig);
    rig.echo = true;
    rig.on_event = large_event;
    REQUIRE(connect_to(&rig, rig.port) == 0);
    loop_run(rig.loop);
    CHECK_INT(rig.client.in.n, LARGE);
    check_pattern(buf_str(&rig.client.in));
    CHECK(rig.client.drained >= 1);
    CHECK(rig.server.echo_queued_max < 1000000);
    CHECK_INT(tcp_unsent(&rig.client.tcp), 0);
    close_rig(&rig);
}

// A reader that rests: what it does not take stays queued here, and goes when it reads again.
static void wake_reader(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, timer);
    CHECK(tcp_queued(&rig->client.tcp) > 0);
    CHECK_INT(tcp_queued(&rig->client.tcp), rig->client.tcp.queued);
    CHECK(tcp_unsent(&rig->client.tcp) <= tcp_queued(&rig->client.tcp));
    tcp_read_start(&rig->server.tcp);
}

static void slow_event(struct rig *rig) {
    send_large(rig);
    if (!rig->slow && rig->server.in.n) {
        rig->slow = true;
        tcp_read_stop(&rig->server.tcp);
        timer_set(&rig->timer, 30);
    }
    if (rig->server.in.n == LARGE && rig->client.drained) loop_stop(rig->loop);
}

static void test_slow_reader(void) {
    struct rig rig;
    open_rig(&rig);
    rig.on_event = slow_event;
    timer_init(&rig.timer, rig.loop, wake_reader);
    REQUIRE(connect_to(&rig, rig.port) == 0);
    loop_run(rig.loop);
    CHECK_INT(rig.server.in.n, LARGE);
    check_pattern(buf_str(&rig.server.in));
    close_rig(&rig);
}

// Small writes of one turn arrive in order, with larger ones between them.
static void mixed_event(struct rig *rig) {
    static char block[30000];
    struct peer *c = &rig->client;
    if (c->connects && !c->sent) {
        size_t sizes[] = {1, 10, 4000, 200, 30000, 5, 16384, 1, 16385, 100, 3};
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            for (size_t k = 0; k < sizes[i]; k++) block[k] = byte_at(c->sent + k);
            struct str part = str_of(block, sizes[i]);
            tcp_write(&c->tcp, &part, 1);
            c->sent += sizes[i];
        }
        tcp_shutdown(&c->tcp); // after all of that
    }
    if (rig->server.ends) loop_stop(rig->loop);
}

static void test_order_and_half_close(void) {
    struct rig rig;
    open_rig(&rig);
    rig.on_event = mixed_event;
    REQUIRE(connect_to(&rig, rig.port) == 0);
    loop_run(rig.loop);
    CHECK_INT(rig.server.in.n, rig.client.sent);
    check_pattern(buf_str(&rig.server.in));
    CHECK(rig.server.ends == 1 && rig.server.end_code == 0);
    CHECK_INT(rig.client.ends, 0);
    close_rig(&rig);
}

// The client has said that it sends no more; the server's answer still comes.
static void half_event(struct rig *rig) {
    if (rig->client.connects && !rig->client.sent) {
        rig->client.sent = 1;
        tcp_write(&rig->client.tcp, &STR("?"), 1);
        tcp_shutdown(&rig->client.tcp);
    }
    if (rig->server.ends && !rig->server.sent) {
        rig->server.sent = 1;
        tcp_write(&rig->server.tcp, &STR("answer"), 1);
        tcp_close(&rig->server.tcp); // small writes of this turn still leave
    }
    if (rig->client.ends) loop_stop(rig->loop);
}

static void test_answer_after_half_close(void) {
    struct rig rig;
    open_rig(&rig);
    rig.on_event = half_event;
    REQUIRE(connect_to(&rig, rig.port) == 0);
    loop_run(rig.loop);
    CHECK_STR(buf_str(&rig.client.in), STR("answer"));
    CHECK_INT(rig.client.end_code, 0);
    close_rig(&rig);
}

static void reset_event(struct rig *rig) {
    if (rig->client.connects && !rig->client.sent) {
        rig->client.sent = 1;
        tcp_write(&rig->client.tcp, &STR("x"), 1);
    }
    if (rig->server.in.n && !rig->server.tcp.closing) {
        tcp_write(&rig->server.tcp, &STR("unsaid"), 1);
        tcp_reset(&rig->server.tcp);
        tcp_reset(&rig->server.tcp);
        CHECK_INT(tcp_write(&rig->server.tcp, &STR("too late"), 1), 0);
    }
    if (rig->client.ends) loop_stop(rig->loop);
}

static void test_reset(void) {
    struct rig rig;
    open_rig(&rig);
    rig.on_event = reset_event;
    REQUIRE(connect_to(&rig, rig.port) == 0);
    loop_run(rig.loop);
    CHECK(rig.client.ends == 1 && rig.client.end_code < 0);
    CHECK(tcp_error_text(rig.client.end_code)[0]);
    CHECK_INT(rig.client.in.n, 0);
    close_rig(&rig);
}

static void refused_event(struct rig *rig) { loop_stop(rig->loop); }

static void test_refused(void) {
    struct rig rig, other;
    open_rig(&other);
    uint16_t port = other.port;
    close_rig(&other); // nobody has it now
    open_rig(&rig);
    rig.on_event = refused_event;
    if (connect_to(&rig, port) == 0) {
        loop_run(rig.loop);
        CHECK(rig.client.connects == 1 && rig.client.connect_code < 0);
    }
    close_rig(&rig);
}

static void test_close_while_connecting(void) {
    struct rig rig;
    open_rig(&rig);
    REQUIRE(connect_to(&rig, rig.port) == 0);
    close_rig(&rig);
    CHECK_INT(rig.client.connects, 0);
}

// A direct buffer: bytes land there, and only as many as fit.
static char g_into[7];
static void into_event(struct rig *rig) {
    if (rig->client.connects && !rig->client.sent) {
        rig->client.sent = 1;
        tcp_write(&rig->client.tcp, &STR("hello, world and more"), 1);
        tcp_shutdown(&rig->client.tcp);
    }
    if (rig->server.open && !rig->server.tcp.into) {
        rig->server.tcp.into = g_into;
        rig->server.tcp.into_room = sizeof g_into;
    }
    if (rig->server.ends) loop_stop(rig->loop);
}

static void test_read_into(void) {
    struct rig rig;
    open_rig(&rig);
    rig.on_event = into_event;
    REQUIRE(connect_to(&rig, rig.port) == 0);
    loop_run(rig.loop);
    CHECK_STR(buf_str(&rig.server.in), STR("hello, world and more"));
    close_rig(&rig);
}

// --- listening ---

static void no_accept(void *ctx, struct listener *listener) { (void)ctx, (void)listener; }

static void test_listen_errors(void) {
    struct loop *loop;
    struct listener *a, *b;
    struct err err;
    uint16_t port, other;
    REQUIRE(loop_create(0, &loop, &err));
    static const struct str hosts[] = {STR_INIT("example.com"), STR_INIT("300.1.1.1"), STR_INIT("1.2.3"),
                                       STR_INIT("::g"), STR_INIT("127.0.0.1\0x")};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        CHECK(!listen_now(loop, hosts[i], 0, no_accept, NULL, &a, &port, &err));
        CHECK_INT(err.code, ERR_CONFIG_INVALID);
    }
    CHECK(!listen_now(loop, STR("203.0.113.7"), 0, no_accept, NULL, &a, &port, &err)); // not ours
    CHECK_INT(err.code, ERR_IO);
    REQUIRE(listen_now(loop, STR("localhost"), 0, no_accept, NULL, &a, &port, &err));
    CHECK(port != 0);
    CHECK(!listen_now(loop, STR("127.0.0.1"), port, no_accept, NULL, &b, &other, &err)); // taken
    CHECK_INT(err.code, ERR_IO);
    CHECK(strstr(err.message, "another program"));
    for (uint64_t nth = 1; nth < 3; nth++) {
        mem_fail_nth(nth);
        if (listen_now(loop, STR("127.0.0.1"), 0, no_accept, NULL, &b, &other, &err))
            listener_close(b);
        else
            CHECK_INT(err.code, ERR_NO_MEMORY);
        mem_fail_nth(0);
    }
    listener_close(a);
    loop_free(loop);
}

static int connects(uint16_t port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;
    REQUIRE(fd >= 0);
    rc = connect(fd, (const struct sockaddr *)&a, sizeof a) == 0 ? 0 : errno;
    close(fd);
    return rc;
}

static void test_prepare(void) {
    struct loop *loop;
    struct listener *all[3] = {0}, *more[3] = {0};
    struct mem_stats before, after;
    struct err err;
    uint16_t port, other;
    mem_stats_get(&before);
    REQUIRE(loop_create(5, &loop, &err));
    int lowest_free = dup(0);
    close(lowest_free);
    REQUIRE(listener_prepare(STR("127.0.0.1"), 0, false, 3, all, &port, &err));
    CHECK_INT(connects(port), ECONNREFUSED); // bound, but nobody listens
    REQUIRE(listener_start(all[1], loop, no_accept, NULL, &err));
    CHECK_INT(connects(port), 0);

    // The whole port is ours: at another address beside this one only for who says so.
    CHECK(!listener_prepare(STR("*"), port, false, 1, more, &other, &err));
    CHECK(strstr(err.message, "*:") && strstr(err.message, "in use"));
    CHECK(more[0] == NULL);
    REQUIRE(listener_prepare(STR("*"), port, true, 1, more, &other, &err));
    CHECK_INT(other, port);
    listener_close(more[0]);
    more[0] = NULL;
    CHECK(!listener_prepare(STR("203.0.113.7"), port, true, 3, more, &other, &err));
    CHECK(strstr(err.message, "no such address"));

    for (uint64_t nth = 1; nth <= 3; nth++) { // the second and third fail behind the first
        mem_fail_nth(nth);
        CHECK(!listener_prepare(STR("127.0.0.1"), 0, false, 3, more, &other, &err));
        mem_fail_nth(0);
        CHECK_INT(err.code, ERR_NO_MEMORY);
        CHECK(!more[0] && !more[1] && !more[2]);
    }
    for (int i = 0; i < 3; i++) listener_close(all[i]);
    listener_close(NULL);
    loop_drain_handles(loop);
    CHECK_INT(connects(port), ECONNREFUSED);
    int free_now = dup(0);
    close(free_now);
    CHECK_INT(free_now, lowest_free); // nothing stayed open
    loop_free(loop);
    mem_stats_get(&after);
    CHECK_INT(after.bytes, before.bytes);
}

// Bound in time, but another has begun to listen since.
static void test_start_too_late(void) {
    struct loop *loop;
    struct listener *l;
    struct err err;
    uint16_t port;
    int on = 1;
    REQUIRE(loop_create(0, &loop, &err));
    REQUIRE(listener_prepare(STR("127.0.0.1"), 0, false, 1, &l, &port, &err));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    REQUIRE(bind(fd, (const struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0);
    CHECK(!listener_start(l, loop, no_accept, NULL, &err));
    CHECK(strstr(err.message, "127.0.0.1:") && strstr(err.message, "in use"));
    listener_close(l);
    close(fd);
    loop_free(loop);
}

TEST_MAIN(test_large_echo, test_slow_reader, test_order_and_half_close, test_answer_after_half_close, test_reset,
          test_refused, test_close_while_connecting, test_read_into, test_listen_errors, test_prepare,
          test_start_too_late)
