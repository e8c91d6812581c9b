// Connections that the HTTP client opens before they are needed: used by the next request, bounded, given up quietly.
#include "client_rig.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

struct warm_rig;
typedef void step(struct warm_rig *t);

struct warm_rig {
    struct rig rig; // first
    struct timer look;
    size_t idle, active; // connections to wait for
    step *const *steps;  // one after the other, each when what the one before waits for is there; NULL ends
};

static void next(struct warm_rig *t) {
    if (*t->steps)
        (*t->steps++)(t);
    else
        loop_stop(t->rig.wire.loop);
}

// The watchdog ends a loop that waits in vain, and fails.
static void look(struct timer *timer) {
    struct warm_rig *t = CONTAINER_OF(timer, struct warm_rig, look);
    size_t idle, active;
    http_client_origin_stats(t->rig.client, &t->rig.origin, &idle, &active);
    if (idle == t->idle && active == t->active)
        next(t);
    else
        timer_set(timer, 1);
}

static void wait_for(struct warm_rig *t, size_t idle, size_t active) {
    t->idle = idle;
    t->active = active;
    timer_set(&t->look, 0);
}

static struct http_client_stats stats_of(struct warm_rig *t) {
    struct http_client_stats stats;
    http_client_stats_get(t->rig.client, &stats);
    return stats;
}

static size_t warm(struct warm_rig *t, size_t n) { return http_client_warm(t->rig.client, &t->rig.origin, n); }

static void on_ended(struct rig *rig, struct get *g) {
    struct warm_rig *t = (struct warm_rig *)rig;
    if (g->lasts) CHECK_STR(buf_str(&g->body), STR("hi"));
    next(t);
}

static void get(struct warm_rig *t) {
    CHECK_INT(t->rig.calls[0].errors, 0);
    REQUIRE(rig_get(&t->rig.calls[0]));
}

static void open_warm(struct warm_rig *t) {
    rig_open(&t->rig, true);
    t->rig.answer = STR(ANSWER);
    t->rig.on_ended = on_ended;
    timer_init(&t->look, t->rig.wire.loop, look);
}

static void run(struct warm_rig *t, step *const *steps) {
    t->steps = steps;
    next(t);
    loop_run(t->rig.wire.loop);
    CHECK(*t->steps == NULL);
    CHECK_INT(t->rig.calls[0].errors, 0);
}

static void close_warm(struct warm_rig *t) {
    timer_stop(&t->look);
    rig_close(&t->rig);
}

// --- it is there when it is needed ---

static void accept_two(struct wire *w) {
    struct buf request = BUF_INIT(8192);
    int fd[2] = {wire_accept(w), wire_accept(w)};
    // The latest is used first.
    while (wire_read_request(fd[1], &request)) {
        rig_saw_request(rig_of(w));
        wire_send(fd[1], STR(ANSWER));
    }
    CHECK(wire_read_end(fd[0], NULL) == WIRE_CLOSED);
    close(fd[0]);
    close(fd[1]);
    buf_free(&request);
}

static void warm_one(struct warm_rig *t) {
    CHECK_INT(warm(t, 1), 1);
    CHECK_INT(warm(t, 1), 0); // it is being made
    wait_for(t, 1, 0);
}

static void warm_another(struct warm_rig *t) {
    CHECK_INT(warm(t, 1), 0);
    CHECK_INT(warm(t, 2), 1);
    wait_for(t, 2, 0);
}

static void nothing_was_sent(struct warm_rig *t) {
    CHECK_INT(warm(t, 2), 0);
    CHECK_INT(rig_requests(&t->rig), 0);
    CHECK_INT(stats_of(t).requests, 0);
    next(t);
}

static void test_the_next_request_uses_it(void) {
    static step *const steps[] = {warm_one, warm_another, nothing_was_sent, get, get, NULL};
    struct warm_rig t;
    open_warm(&t);
    wire_start(&t.rig.wire, accept_two);
    run(&t, steps);
    CHECK(stats_of(&t).connects == 2 && stats_of(&t).reused == 2 && stats_of(&t).requests == 2);
    CHECK(stats_of(&t).idle == 2 && stats_of(&t).active == 0);
    close_warm(&t);
}

static void warm_many(struct warm_rig *t) {
    CHECK_INT(warm(t, 100), t->rig.origin.max_idle);
    wait_for(t, t->rig.origin.max_idle, 0);
}

static void test_no_more_than_rest(void) {
    static step *const steps[] = {warm_many, NULL};
    for (size_t most = 0; most < 4; most++) {
        struct warm_rig t;
        open_warm(&t);
        t.rig.origin.max_idle = most;
        run(&t, steps);
        CHECK_INT(stats_of(&t).connects, most);
        close_warm(&t);
    }
}

static void warm_and_get(struct warm_rig *t) {
    CHECK_INT(warm(t, 1), 1);
    get(t);
    CHECK_INT(stats_of(t).active, 1);
}

// A request does not open another connection beside the one that is being made.
static void test_taken_over(void) {
    static step *const steps[] = {warm_and_get, get, NULL};
    struct warm_rig t;
    open_warm(&t);
    wire_start(&t.rig.wire, rig_serve);
    run(&t, steps);
    CHECK(stats_of(&t).connects == 1 && stats_of(&t).reused == 1 && stats_of(&t).active == 0);
    close_warm(&t);
}

// --- it cannot be made, or not kept ---

static void warm_in_vain(struct warm_rig *t) {
    (void)warm(t, 2);
    wait_for(t, 0, 0);
}

// A request that takes one over fails as any other.
static void warm_and_fail(struct warm_rig *t) {
    (void)warm(t, 1);
    if (!rig_get(&t->rig.calls[0])) next(t);
}

static void has_failed(struct warm_rig *t) {
    CHECK_INT(t->rig.calls[0].err.code, ERR_UPSTREAM_REFUSED);
    CHECK_INT(stats_of(t).active, 0);
    t->rig.calls[0].errors = 0;
    next(t);
}

static void test_nobody_there(void) {
    static step *const steps[] = {warm_in_vain, warm_and_fail, has_failed, NULL};
    static const struct str hosts[] = {STR_INIT("127.0.0.1"), STR_INIT("localhost"), STR_INIT("no-such-host.invalid"),
                                       STR_INIT("255.255.255.255"), STR_INIT("no such\1host")};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct warm_rig t;
        open_warm(&t);
        close(t.rig.wire.listener);
        t.rig.wire.listener = -1;
        t.rig.origin.host = hosts[i];
        run(&t, steps);
        close_warm(&t);
    }
}

static void warm_and_forget(struct warm_rig *t) {
    CHECK_INT(warm(t, 4), 4);
    http_client_forget(t->rig.client, &t->rig.origin);
    CHECK_INT(stats_of(t).active, 0);
    wait_for(t, 0, 0);
}

static void warm_two(struct warm_rig *t) {
    CHECK_INT(warm(t, 2), 2);
    wait_for(t, 2, 0);
}

static void leave_two_under_way(struct warm_rig *t) {
    CHECK_INT(warm(t, 4), 2);
    next(t);
}

static void test_forgotten_meanwhile(void) {
    static step *const steps[] = {warm_and_forget, warm_two, leave_two_under_way, NULL};
    struct warm_rig t;
    open_warm(&t);
    run(&t, steps);
    close_warm(&t);
}

static void accept_and_close(struct wire *w) {
    for (int fd; (fd = wire_accept(w)) >= 0;) close(fd);
}

static void accept_and_talk(struct wire *w) {
    for (int fd; (fd = wire_accept(w)) >= 0;) {
        wire_send(fd, STR("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"));
        CHECK(wire_read_end(fd, NULL) != WIRE_TIMEOUT);
        close(fd);
    }
}

// What the peer does not want to keep is not kept, and not opened again by itself.
static void test_closed_by_the_peer(void) {
    static step *const steps[] = {warm_in_vain, NULL};
    void (*const scripts[])(struct wire *) = {accept_and_close, accept_and_talk};
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct warm_rig t;
        open_warm(&t);
        wire_start(&t.rig.wire, scripts[i]);
        run(&t, steps);
        CHECK_INT(stats_of(&t).connects, 2);
        close_warm(&t);
    }
}

static void warm_to_two(struct warm_rig *t) {
    (void)warm(t, 2);
    wait_for(t, 2, 0);
}

static void test_memory_fails_in_turn(void) {
    static step *const steps[] = {warm_to_two, get, NULL};
    for (uint64_t nth = 1; nth < 20; nth++) {
        struct warm_rig t;
        open_warm(&t);
        mem_fail_nth(nth);
        CHECK(warm(&t, 2) <= 2);
        mem_fail_nth(0);
        wire_start(&t.rig.wire, accept_two);
        run(&t, steps);
        close_warm(&t);
    }
}

TEST_MAIN(test_the_next_request_uses_it, test_no_more_than_rest, test_taken_over, test_nobody_there,
          test_forgotten_meanwhile, test_closed_by_the_peer, test_memory_fails_in_turn)
