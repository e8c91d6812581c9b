// The HTTP/1.1 server against scripted clients that are slow, that leave, that ask for too much; and its own end.
#include "server_rig.h"

// --- slow clients ---

static void stall_head(struct wire *w) { check_refused(w, STR("GET / HT"), 0, 408); }
static void stall_body(struct wire *w) {
    check_refused(w, STR("POST /echo HTTP/1.1\r\n" HOST "content-length: 50\r\n\r\nhello"), 0, 408);
    check_refused(w, STR("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n5\r\nhe"), 0, 408);
}
// Bytes that keep coming do not stretch the time for a head.
static void trickle_head(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20);
    int fd = wire_connect(w);
    wire_send(fd, STR("GET / HTTP/1.1\r\n"));
    for (int i = 0; i < 2000; i++) {
        char block[256];
        ssize_t n;
        if (!wire_send(fd, STR("a"))) break;
        usleep(2000);
        if ((n = recv(fd, block, sizeof block, MSG_DONTWAIT)) > 0) {
            buf_append(&in, block, (size_t)n);
            break;
        }
    }
    CHECK(str_starts(buf_str(&in), STR("HTTP/1.1 408 ")));
    close(fd);
    buf_free(&in);
}
static void stall_idle(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    int fd = wire_connect(w);
    CHECK_INT(wire_read_end(fd, &in), WIRE_CLOSED); // said nothing: is told nothing
    CHECK_INT(in.n, 0);
    close(fd);
    fd = wire_connect(w);
    check_get(fd, &in, &body, STR(GET("/hello")), 200, STR("hello"));
    CHECK_INT(wire_read_end(fd, &in), WIRE_CLOSED);
    CHECK_INT(in.n, 0);
    close(fd);
    buf_free(&in);
    buf_free(&body);
}
// Asks for much and reads nothing.
static void stall_reading(struct wire *w) {
    int fd = wire_connect_small(w->port, 4096);
    CHECK(wire_send(fd, STR(GET("/big"))));
    struct rig *rig = rig_of(w);
    for (int i = 0; i < 10000 && !__atomic_load_n(&rig->aborts, __ATOMIC_RELAXED); i++) usleep(1000);
    close(fd);
}

static void test_slow_clients(void) {
    struct rig rig;
    struct http_server_options o = k_patient;
    o.header_ms = o.body_ms = o.keepalive_ms = o.write_ms = 60;
    rig_run_with(&rig, &o, stall_head);
    CHECK(rig.reject_code == ERR_REQUEST_TIMEOUT && rig.requests == 0);
    rig_run_with(&rig, &o, stall_body);
    CHECK(rig.reject_code == ERR_REQUEST_TIMEOUT && rig.requests == 0 && rig.rejects == 2);
    rig_run_with(&rig, &o, trickle_head);
    CHECK(rig.reject_code == ERR_REQUEST_TIMEOUT && rig.requests == 0);
    rig_run_with(&rig, &o, stall_idle);
    CHECK_INT(rig.rejects, 0);
    rig_run_with(&rig, &o, stall_reading);
    CHECK_INT(rig.aborts, 1);
}

// A client that reads slowly but steadily gets all of it, though that takes longer than any of the deadlines.
static void read_slowly(struct wire *w) {
    struct buf in = BUF_INIT(2 * BIG);
    int fd = wire_connect_small(w->port, 8192);
    if (rig_of(w)->phase)
        CHECK(wire_send(fd, STR("GET /huge HTTP/1.1\r\n" HOST "connection: close\r\n\r\n")));
    else
        CHECK(wire_send(fd, STR(GET("/huge"))));
    for (size_t n = 0; n < BIG; n += 300000) {
        if (!wire_read_n(fd, &in, n + 300000)) break;
        usleep(20000);
    }
    CHECK(in.n > BIG);
    close(fd);
    buf_free(&in);
}

static void test_slow_reader_gets_all(void) {
    for (int phase = 0; phase < 2; phase++) {
        struct rig rig;
        struct http_server_options o = k_patient;
        o.keepalive_ms = o.write_ms = 400;
        rig_open_with(&rig, &o);
        rig.phase = phase;
        wire_start(&rig.wire, read_slowly);
        loop_run(rig.wire.loop);
        rig_close(&rig);
        CHECK_INT(rig.aborts, 0);
    }
}

static void read_big(struct wire *w) {
    struct buf in = BUF_INIT(3 * BIG);
    int fd = wire_connect_small(w->port, 8192);
    CHECK(wire_send(fd, STR(GET("/big"))));
    CHECK(wire_read_until(fd, &in, STR("\r\n0\r\n\r\n")));
    CHECK(in.n > BIG);
    close(fd);
    buf_free(&in);
}

static void test_back_pressure(void) {
    struct rig rig;
    rig_run(&rig, read_big);
    CHECK(rig.drained > 0);
    CHECK_INT(rig.aborts, 0);
}

// --- clients that leave ---

static const struct {
    const char *what;
    struct str sent;
    struct str read_first; // waits for this before it leaves
    size_t requests, aborts;
} k_leavers[] = {
    {"at once", STR_INIT(""), STR_INIT(""), 0, 0},
    {"in the head", STR_INIT("GET /hello HT"), STR_INIT(""), 0, 0},
    {"in the body", STR_INIT("POST /echo HTTP/1.1\r\n" HOST "content-length: 50\r\n\r\nhello"), STR_INIT(""), 0, 0},
    {"in a chunk", STR_INIT("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n5\r\nhe"), STR_INIT(""),
     0, 0},
    {"while it waits", STR_INIT(GET("/wait")), STR_INIT(""), 1, 1},
    {"in the stream", STR_INIT(GET("/stream")), STR_INIT("\r\n\r\n"), 1, 1},
    {"in a large answer", STR_INIT(GET("/big")), STR_INIT("x"), 1, 1},
    {"with more to come", STR_INIT(GET("/wait") GET("/hello")), STR_INIT(""), 1, 1},
    {"when idle", STR_INIT(GET("/hello")), STR_INIT("hello"), 1, 0},
};

static void leave(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct buf in = BUF_INIT(1 << 20);
    int i = rig->phase / 2;
    int fd = wire_connect_small(w->port, 4096);
    CHECK(wire_send(fd, k_leavers[i].sent));
    if (k_leavers[i].read_first.n) wire_read_until(fd, &in, k_leavers[i].read_first);
    for (int k = 0; k < 5000 && __atomic_load_n(&rig->requests, __ATOMIC_RELAXED) < k_leavers[i].requests; k++)
        usleep(1000);
    if (rig->phase & 1)
        wire_reset(fd);
    else
        close(fd);
    buf_free(&in);
    // The server must get over it without a further word.
    for (int k = 0; k < 5000; k++) {
        struct http_server_stats stats;
        http_server_stats_get(rig->server, &stats);
        if (stats.accepted && !stats.open) break;
        usleep(1000);
    }
}

static void test_leavers(void) {
    for (int phase = 0; phase < (int)ARRAY_LEN(k_leavers) * 2; phase++) {
        struct rig rig;
        rig_open_with(&rig, &k_patient);
        rig.phase = phase;
        wire_start(&rig.wire, leave);
        loop_run(rig.wire.loop);
        size_t open = http_server_open(rig.server);
        if (open || rig.aborts != k_leavers[phase / 2].aborts)
            fprintf(stderr, "leaves %s (%d): %zu open, %zu aborts\n", k_leavers[phase / 2].what, phase & 1, open,
                    rig.aborts);
        CHECK_INT(open, 0);
        CHECK_INT(rig.requests, k_leavers[phase / 2].requests);
        CHECK_INT(rig.aborts, k_leavers[phase / 2].aborts);
        rig_close(&rig);
        CHECK_INT(rig.aborts, k_leavers[phase / 2].aborts);
    }
}

// --- a flood of requests, none of whose answers is read ---

#define FLOOD 20000

static void *send_flood(void *arg) {
    int fd = *(int *)arg;
    for (int i = 0; i < FLOOD; i++)
        if (!wire_send(fd, STR(GET("/block")))) break;
    return NULL;
}

static void flood(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    pthread_t sender;
    int fd = wire_connect_small(w->port, 8192);
    REQUIRE(pthread_create(&sender, NULL, send_flood, &fd) == 0);
    usleep(300000); // the server has every chance to take in too much
    for (int i = 0; i < FLOOD; i++) {
        int status = read_answer(fd, &in, &body);
        CHECK_INT(status, 200);
        CHECK_INT(body.n, 1000);
        if (status != 200) break;
    }
    pthread_join(sender, NULL);
    close(fd);
    buf_free(&in);
    buf_free(&body);
}

static void test_flood_is_bounded(void) {
    struct rig rig;
    rig_run(&rig, flood);
    CHECK_INT(rig.requests, FLOOD);
    if (rig.worst_bytes > (size_t)4 << 20) fprintf(stderr, "held %zu bytes\n", rig.worst_bytes);
    CHECK(rig.worst_bytes < (size_t)4 << 20);
}

// An answer that nobody reads, behind it a request whose body stops: refused in the end, with nothing of the body's
// memory in use by then.
static void stall_behind_answer(struct wire *w) {
    struct buf in = BUF_INIT(2 * BIG);
    int fd = wire_connect_small(w->port, 4096);
    wire_send(fd, STR(GET("/fill")));
    wire_send(fd, STR("POST /echo HTTP/1.1\r\n" HOST "content-length: 600000\r\n\r\nhello"));
    usleep(150000);
    for (int i = 0; i < 50; i++) wire_send(fd, STR("more of the body, too late"));
    CHECK(wire_read_end(fd, &in) != WIRE_TIMEOUT);
    close(fd);
    buf_free(&in);
}

static void test_stall_behind_answer(void) {
    struct rig rig;
    struct http_server_options o = k_patient;
    o.body_ms = 50;
    o.max_body = (size_t)1 << 20;
    rig_run_with(&rig, &o, stall_behind_answer);
    CHECK_INT(rig.requests, 1);
}

// The same, but nothing is ever read: the connection is given up all the same.
static void never_read(struct wire *w) {
    struct rig *rig = rig_of(w);
    bool open = true;
    int fd = wire_connect_small(w->port, 4096);
    wire_send(fd, STR(GET("/fill")));
    wire_send(fd, STR("POST /echo HTTP/1.1\r\n" HOST "content-length: 600000\r\n\r\nhello"));
    for (int k = 0; k < 5000 && open; k++) {
        struct http_server_stats stats;
        http_server_stats_get(rig->server, &stats);
        open = !stats.accepted || stats.open;
        usleep(1000);
    }
    CHECK(!open);
    close(fd);
}

static void test_never_read(void) {
    struct rig rig;
    struct http_server_options o = k_patient;
    o.body_ms = o.write_ms = 50;
    o.max_body = (size_t)1 << 20;
    rig_open_with(&rig, &o);
    wire_start(&rig.wire, never_read);
    loop_run(rig.wire.loop);
    CHECK_INT(http_server_open(rig.server), 0);
    rig_close(&rig);
}

// --- ends ---

static void see_cut(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20);
    int fd = wire_connect(w);
    wire_send(fd, STR(GET("/cut")));
    CHECK_INT(wire_read_end(fd, &in), WIRE_RESET);
    close(fd);
    buf_free(&in);
}

static void test_reply_abort(void) {
    struct rig rig;
    rig_run(&rig, see_cut);
    CHECK_INT(rig.aborts, 0);
}

static void drain_now(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, timer);
    if (rig->requests < 2) {
        timer_set(timer, 2);
        return;
    }
    http_server_drain(rig->server);
    while (rig->held_n) reply(rig->held[--rig->held_n], 200, STR("last"));
}

static void see_drain(struct wire *w) {
    struct buf in = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    int idle = wire_connect(w), busy = wire_connect(w);
    check_get(idle, &in, &body, STR(GET("/hello")), 200, STR("hello"));
    wire_send(busy, STR(GET("/wait")));
    CHECK_INT(wire_read_end(idle, &in), WIRE_CLOSED);
    CHECK_INT(in.n, 0);
    CHECK_INT(wire_read_end(busy, &in), WIRE_CLOSED);
    CHECK(str_find(buf_str(&in), STR("connection: close\r\n")) < in.n && str_ends(buf_str(&in), STR("last")));
    CHECK(wire_connect(w) < 0);
    close(idle);
    close(busy);
    buf_free(&in);
    buf_free(&body);
}

static void test_drain(void) {
    struct rig rig;
    rig_open_with(&rig, &k_patient);
    timer_init(&rig.timer, rig.wire.loop, drain_now);
    timer_set(&rig.timer, 2);
    wire_start(&rig.wire, see_drain);
    loop_run(rig.wire.loop);
    rig_close(&rig);
    CHECK_INT(rig.aborts, 0);
}

static void stop_now(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, timer);
    if (rig->requests < 3)
        timer_set(timer, 2);
    else
        http_server_stop(rig->server);
}

static void see_stop(struct wire *w) {
    int a = wire_connect(w), b = wire_connect(w), c = wire_connect_small(w->port, 4096);
    wire_send(a, STR(GET("/wait")));
    wire_send(b, STR(GET("/stream")));
    wire_send(c, STR(GET("/big")));
    CHECK(wire_read_end(a, NULL) != WIRE_TIMEOUT);
    CHECK(wire_read_end(b, NULL) != WIRE_TIMEOUT);
    CHECK(wire_read_end(c, NULL) != WIRE_TIMEOUT);
    close(a);
    close(b);
    close(c);
}

static void test_stop(void) {
    struct rig rig;
    rig_open_with(&rig, &k_patient);
    timer_init(&rig.timer, rig.wire.loop, stop_now);
    timer_set(&rig.timer, 2);
    wire_start(&rig.wire, see_stop);
    loop_run(rig.wire.loop);
    rig_close(&rig);
    CHECK_INT(rig.aborts, 3);
}

// --- memory that fails ---

static void talk_plainly(struct wire *w) {
    static const struct str requests[] = {
        STR_INIT(GET("/hello")),
        STR_INIT("POST /echo HTTP/1.1\r\n" HOST "content-length: 5\r\n\r\nhello"),
        STR_INIT("POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        STR_INIT(GET("/chunks") GET("/wait")),
        STR_INIT(GET("/huge")),
        STR_INIT(GET("/big"))};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        int fd = wire_connect_small(w->port, 4096);
        char block[4096];
        if (fd < 0) continue;
        wire_send_cut(fd, requests[i], 9);
        usleep(1000);
        CHECK(recv(fd, block, sizeof block, 0) >= 0 || errno != EAGAIN); // an answer, or the end, but something
        close(fd);
    }
}

static void test_memory_fails_in_turn(void) {
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct rig rig;
        rig_open_with(&rig, &k_patient);
        mem_fail_nth(nth);
        wire_start(&rig.wire, talk_plainly);
        loop_run(rig.wire.loop);
        mem_fail_nth(0);
        rig_close(&rig);
    }
}

TEST_MAIN(test_slow_clients, test_slow_reader_gets_all, test_back_pressure, test_leavers, test_flood_is_bounded,
          test_stall_behind_answer, test_never_read, test_reply_abort, test_drain, test_stop, test_memory_fails_in_turn)
