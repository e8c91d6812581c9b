// The HTTP client against scripted servers: good answers however cut, bad ones, and connections that fail in every
// phase.
#include "client_rig.h"

// --- answers ---

#define OK "HTTP/1.1 200 OK\r\n"

struct answer {
    struct str text, body;
    bool closes; // the server closes behind it, or must
    int status;
};

static const struct answer k_answers[] = {
    {STR_INIT(OK "Content-Length: 11\r\n\r\nhello world"), STR_INIT("hello world"), false, 200},
    {STR_INIT(OK "Content-Length: 0\r\n\r\n"), STR_INIT(""), false, 200},
    {STR_INIT("HTTP/1.1 204 No Content\r\n\r\n"), STR_INIT(""), false, 204},
    {STR_INIT(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\nT: u\r\n\r\n"),
     STR_INIT("hello world"), false, 200},
    {STR_INIT("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\nhi"), STR_INIT("hi"), false, 200},
    {STR_INIT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" OK
              "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
     STR_INIT("hi"), false, 200},
    {STR_INIT("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"), STR_INIT("busy"), false, 503},
    {STR_INIT(OK "Content-Length: 5\r\nConnection: close\r\n\r\nhello"), STR_INIT("hello"), true, 200},
    {STR_INIT(OK "\r\nuntil the end"), STR_INIT("until the end"), true, 200},
    {STR_INIT(OK "\r\n"), STR_INIT(""), true, 200},
    {STR_INIT("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"), STR_INIT("hi"), true, 200},
};

static const struct answer *g_answer; // set before a case, read by its callbacks

static void next_cut(struct rig *rig, struct get *g) {
    CHECK_INT(g->lasts, 1);
    CHECK_INT(g->status, g_answer->status);
    CHECK_STR(buf_str(&g->body), g_answer->body);
    if (g->errors) fprintf(stderr, "%s\n", g->err.message);
    if (g->lasts && rig->sent <= g_answer->text.n)
        CHECK(rig_get(g));
    else
        loop_stop(rig->wire.loop);
}

static void test_answers_cut_at_every_byte(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_answers); i++) {
        struct rig rig;
        struct http_client_stats stats;
        rig_open(&rig, true);
        g_answer = &k_answers[i];
        rig.answer = g_answer->text;
        rig.cut_all = true;
        rig.close_after = g_answer->closes;
        rig.on_ended = next_cut;
        wire_start(&rig.wire, rig_serve);
        REQUIRE(rig_get(&rig.calls[0]));
        loop_run(rig.wire.loop);
        http_client_stats_get(rig.client, &stats);
        CHECK_INT(stats.requests, rig.sent);
        CHECK_INT(stats.connects, g_answer->closes ? rig.sent : 1);
        CHECK_INT(rig_requests(&rig), rig.sent);
        CHECK_INT(stats.resent, 0);
        rig_close(&rig);
    }
}

static void byte_by_byte(struct wire *w) {
    struct buf request = BUF_INIT(100000);
    int fd = wire_accept(w);
    while (wire_read_request(fd, &request)) wire_send_pieces(fd, rig_of(w)->answer, 1);
    close(fd);
    buf_free(&request);
}

static void test_byte_by_byte(void) {
    struct rig rig;
    rig_open(&rig, true);
    rig.answer = k_answers[5].text;
    wire_start(&rig.wire, byte_by_byte);
    REQUIRE(rig_get(&rig.calls[0]));
    loop_run(rig.wire.loop);
    CHECK_INT(rig.calls[0].lasts, 1);
    CHECK_STR(buf_str(&rig.calls[0].body), STR("hi"));
    rig_close(&rig);
}

// --- what must fail ---

struct failure {
    struct str text, body;
    enum err_code code;
    bool reset;
};

static const struct failure k_failures[] = {
    {STR_INIT(""), STR_INIT(""), ERR_UPSTREAM_RESET, false},
    {STR_INIT(""), STR_INIT(""), ERR_UPSTREAM_RESET, true},
    {STR_INIT("HTTP/1.1 200 O"), STR_INIT(""), ERR_UPSTREAM_RESET, false},
    {STR_INIT("HTTP/1.1 100 Continue\r\n\r\n"), STR_INIT(""), ERR_UPSTREAM_RESET, false},
    {STR_INIT(OK "Content-Length: 11\r\n\r\nhello"), STR_INIT("hello"), ERR_UPSTREAM_RESET, false},
    {STR_INIT(OK "Content-Length: 11\r\n\r\n"), STR_INIT(""), ERR_UPSTREAM_RESET, false},
    {STR_INIT(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), STR_INIT("hello"), ERR_UPSTREAM_RESET, false},
    {STR_INIT(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"), STR_INIT("hello"), ERR_UPSTREAM_RESET,
     false},
    {STR_INIT("garbage in, garbage out\r\n\r\n"), STR_INIT(""), ERR_UPSTREAM_INVALID, false},
    {STR_INIT("\r\n\r\n"), STR_INIT(""), ERR_UPSTREAM_INVALID, false},
    {STR_INIT("HTTP/1.1 200 OK\nContent-Length: 0\n\r\n"), STR_INIT(""), ERR_UPSTREAM_INVALID, false},
    {STR_INIT("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), STR_INIT(""), ERR_UPSTREAM_INVALID, false},
    {STR_INIT(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), STR_INIT(""), ERR_UPSTREAM_INVALID, false},
    {STR_INIT(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello"), STR_INIT(""), ERR_UPSTREAM_INVALID,
     false},
    {STR_INIT(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX"), STR_INIT("hello"), ERR_UPSTREAM_INVALID, false},
    {STR_INIT(OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), STR_INIT(""), ERR_UPSTREAM_INVALID, false},
    {STR_INIT(OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nffffffffffffffffff\r\n"), STR_INIT("a"),
     ERR_UPSTREAM_INVALID, false},
};

static void test_failures(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_failures); i++) {
        const struct failure *f = &k_failures[i];
        for (size_t cut = 0; cut <= f->text.n; cut += 1 + f->text.n / 7) {
            struct rig rig;
            rig_open(&rig, true);
            rig.answer = f->text;
            rig.cut = cut;
            rig.close_after = !f->reset;
            rig.reset_after = f->reset;
            wire_start(&rig.wire, rig_serve);
            REQUIRE(rig_get(&rig.calls[0]));
            loop_run(rig.wire.loop);
            CHECK_INT(rig.calls[0].errors, 1);
            CHECK_INT(rig.calls[0].err.code, f->code);
            CHECK_STR(buf_str(&rig.calls[0].body), f->body);
            CHECK_INT(rig_requests(&rig), 1); // never sent twice
            rig_close(&rig);
        }
    }
}

static void endless_head(struct wire *w) {
    struct buf request = BUF_INIT(100000);
    int fd = wire_accept(w);
    wire_read_request(fd, &request);
    wire_send(fd, STR(OK));
    while (wire_send(fd, STR("X-Field: and on and on and on\r\n"))) {
    }
    close(fd);
    buf_free(&request);
}

static void endless_interim(struct wire *w) {
    struct buf request = BUF_INIT(100000);
    int fd = wire_accept(w);
    wire_read_request(fd, &request);
    while (wire_send_pieces(fd, STR("HTTP/1.1 100 Continue\r\n\r\n"), 13)) {
    }
    close(fd);
    buf_free(&request);
}

static void test_head_without_end(void) {
    struct rig rig;
    rig_open(&rig, true);
    wire_start(&rig.wire, endless_head);
    REQUIRE(rig_get(&rig.calls[0]));
    loop_run(rig.wire.loop);
    CHECK_INT(rig.calls[0].errors, 1);
    CHECK_INT(rig.calls[0].err.code, ERR_UPSTREAM_INVALID);
    rig_close(&rig);
    // Interim answers without end do not push the deadline out.
    rig_open(&rig, true);
    rig.origin.first_byte_ms = 50;
    wire_start(&rig.wire, endless_interim);
    REQUIRE(rig_get(&rig.calls[0]));
    loop_run(rig.wire.loop);
    CHECK_INT(rig.calls[0].err.code, ERR_UPSTREAM_TIMEOUT);
    rig_close(&rig);
}

static void test_refused(void) {
    static const struct str hosts[] = {
        STR_INIT("127.0.0.1"),       STR_INIT("::1"),     STR_INIT("localhost"),    STR_INIT("no-such-host.invalid"),
        STR_INIT("255.255.255.255"), STR_INIT("fe80::1"), STR_INIT("no such\1host")};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct rig rig;
        rig_open(&rig, true);
        close(rig.wire.listener); // nobody listens there now
        rig.wire.listener = -1;
        rig.origin.host = hosts[i];
        if (rig_get(&rig.calls[0])) {
            loop_run(rig.wire.loop);
            CHECK_INT(rig.calls[0].errors, 1);
        }
        CHECK_INT(rig.calls[0].err.code, ERR_UPSTREAM_REFUSED);
        rig_close(&rig);
    }
}

static int listen_v6(uint16_t *out_port) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 64) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &n) == 0) {
        *out_port = ntohs(a.sin6_port);
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

// A name with several addresses of which the first does not answer (127.0.0.1 where only ::1 listens).
static void test_next_address(void) {
    struct rig rig;
    rig_open(&rig, true);
    close(rig.wire.listener);
    rig.wire.listener = listen_v6(&rig.origin.port);
    if (rig.wire.listener < 0) {
        printf("no IPv6 on this machine: the next address is not tried\n");
        rig_close(&rig);
        return;
    }
    rig.answer = k_answers[0].text;
    rig.origin.host = STR("localhost");
    wire_start(&rig.wire, rig_serve);
    REQUIRE(rig_get(&rig.calls[0]));
    loop_run(rig.wire.loop);
    CHECK_INT(rig.calls[0].lasts, 1);
    rig_close(&rig);
}

// --- timeouts ---

static void never_answer(struct wire *w) {
    struct buf got = BUF_INIT(100000);
    int fd = wire_accept(w);
    if (rig_of(w)->answer.n) {
        wire_read_request(fd, &got);
        wire_send(fd, rig_of(w)->answer);
    }
    CHECK(wire_read_end(fd, &got) != WIRE_TIMEOUT);
    close(fd);
    buf_free(&got);
}

static void trickle(struct wire *w) {
    struct buf got = BUF_INIT(100000);
    int fd = wire_accept(w);
    wire_read_request(fd, &got);
    wire_send(fd, STR(OK "Content-Length: 1000000\r\n\r\n"));
    while (wire_send(fd, STR("."))) usleep(2000);
    close(fd);
    buf_free(&got);
}

static void test_timeouts(void) {
    static const struct {
        struct str answer, word;
        void (*script)(struct wire *w);
        uint64_t first_byte, idle, total;
    } cases[] = {
        {STR_INIT(""), STR_INIT("timeouts.first_byte"), never_answer, 30, WIRE_MS, 0},
        {STR_INIT("HTTP/1.1 2"), STR_INIT("timeouts.first_byte"), never_answer, 30, WIRE_MS, 0},
        {STR_INIT(OK "Content-Length: 5\r\n\r\nhe"), STR_INIT("timeouts.idle"), never_answer, WIRE_MS, 30, 0},
        {STR_INIT(OK "Content-Length: 5\r\n\r\nhe"), STR_INIT("timeouts.total"), never_answer, WIRE_MS, WIRE_MS, 30},
        {STR_INIT(""), STR_INIT("timeouts.total"), never_answer, WIRE_MS, WIRE_MS, 30},
        {STR_INIT(""), STR_INIT("timeouts.total"), trickle, WIRE_MS, WIRE_MS, 60},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig;
        rig_open(&rig, true);
        rig.answer = cases[i].answer;
        rig.origin.first_byte_ms = cases[i].first_byte;
        rig.origin.idle_ms = cases[i].idle;
        rig.origin.total_ms = cases[i].total;
        wire_start(&rig.wire, cases[i].script);
        REQUIRE(rig_get(&rig.calls[0]));
        loop_run(rig.wire.loop);
        CHECK_INT(rig.calls[0].errors, 1);
        CHECK_INT(rig.calls[0].err.code, ERR_UPSTREAM_TIMEOUT);
        struct str message = str_c(rig.calls[0].err.message);
        if (str_find(message, cases[i].word) == message.n)
            fprintf(stderr, "case %zu: %s\n", i, rig.calls[0].err.message);
        CHECK(str_find(message, cases[i].word) < message.n);
        rig_close(&rig);
    }
}

// --- the pool ---

static void send_again(struct rig *rig, struct get *g) {
    CHECK_INT(g->lasts, 1);
    if (g->errors) fprintf(stderr, "%s\n", g->err.message);
    if (g->lasts && rig->sent < 40)
        CHECK(rig_get(g));
    else
        loop_stop(rig->wire.loop);
}

// The server closes right behind each answer, without having said so. The next request finds the connection closed, or
// just about to be; it is answered all the same, and no server program ever reads it twice.
static void test_stale_connections(void) {
    struct rig rig;
    rig_open(&rig, true);
    rig.answer = STR(OK "Content-Length: 2\r\n\r\nhi");
    rig.cut_all = true; // sometimes the answer comes together with the end
    rig.close_after = true;
    rig.on_ended = send_again;
    wire_start(&rig.wire, rig_serve);
    REQUIRE(rig_get(&rig.calls[0]));
    loop_run(rig.wire.loop);
    CHECK_INT(rig.sent, 40);
    CHECK_INT(rig_requests(&rig), 40);
    rig_close(&rig);
}

// Answers the first request, reads the second whole and ends without a word.
static void swallow_second(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct buf request = BUF_INIT((size_t)32 << 20);
    for (int fd; (fd = wire_accept(w)) >= 0;) {
        if (wire_read_request(fd, &request)) {
            rig_saw_request(rig);
            wire_send(fd, STR(OK "Content-Length: 2\r\n\r\nhi"));
            if (wire_read_request(fd, &request)) rig_saw_request(rig);
        }
        if (rig->reset_after)
            wire_reset(fd);
        else
            close(fd);
    }
    buf_free(&request);
}

static void send_second(struct rig *rig, struct get *g) {
    if (rig->sent == 1)
        CHECK(g->lasts == 1 && rig_get(g));
    else
        loop_stop(rig->wire.loop);
}

static void test_processed_request_is_not_repeated(void) {
    for (unsigned reset = 0; reset < 2; reset++) {
        for (int round = 0; round < 10; round++) {
            struct rig rig;
            rig_open(&rig, true);
            rig.reset_after = reset;
            rig.on_ended = send_second;
            wire_start(&rig.wire, swallow_second);
            REQUIRE(rig_get(&rig.calls[0]));
            loop_run(rig.wire.loop);
            CHECK_INT(rig.calls[0].errors, 1);
            CHECK_INT(rig.calls[0].err.code, ERR_UPSTREAM_RESET);
            CHECK_INT(rig_requests(&rig), 2);
            rig_close(&rig);
        }
    }
}

static void two_then_stop(struct rig *rig, struct get *g) {
    CHECK_INT(g->lasts, 1);
    if (rig->sent < 2)
        CHECK(rig_get(g));
    else
        loop_stop(rig->wire.loop);
}

// More bytes than the answer has, and an answer nobody asked for: right in themselves, but the connection is not used
// again.
static void test_bytes_too_many(void) {
    static const struct str answers[] = {
        STR_INIT(OK "Content-Length: 2\r\n\r\nhi and more"), STR_INIT(OK "Content-Length: 0\r\n\r\n" OK "\r\n"),
        STR_INIT(OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct rig rig;
        struct http_client_stats stats;
        rig_open(&rig, true);
        rig.answer = answers[i];
        rig.on_ended = two_then_stop;
        wire_start(&rig.wire, rig_serve);
        REQUIRE(rig_get(&rig.calls[0]));
        loop_run(rig.wire.loop);
        http_client_stats_get(rig.client, &stats);
        CHECK_INT(stats.connects, 2);
        CHECK_INT(stats.reused, 0);
        rig_close(&rig);
    }
}

static void on_forget(struct rig *rig, struct get *g) {
    CHECK_INT(g->lasts, 1);
    CHECK_STR(buf_str(&g->body), STR("hello world"));
    loop_stop(rig->wire.loop);
}

static void forget_soon(struct timer *timer) {
    struct get *g = CONTAINER_OF(timer, struct get, timer);
    http_client_forget(g->rig->client, &g->rig->origin);
}

// A configuration goes while requests are under way: they end well, wherever they are.
static void test_forget_under_way(void) {
    for (int phase = 0; phase < 4; phase++) {
        struct rig rig;
        struct http_client_stats stats;
        rig_open(&rig, true);
        rig.answer = k_answers[0].text;
        rig.cut = 30;
        rig.on_ended = on_forget;
        if (phase & 1) rig.origin.host = STR("127.1"); // looked up
        wire_start(&rig.wire, rig_serve);
        REQUIRE(rig_get(&rig.calls[0]));
        timer_init(&rig.calls[0].timer, rig.wire.loop, forget_soon);
        if (phase & 2)
            timer_set(&rig.calls[0].timer, 1);
        else
            http_client_forget(rig.client, &rig.origin);
        loop_run(rig.wire.loop);
        http_client_stats_get(rig.client, &stats);
        if (!(phase & 2)) CHECK_INT(stats.idle, 0);
        rig_close(&rig);
    }
}

// --- giving up ---

static void note_end(struct wire *w) {
    struct buf got = BUF_INIT((size_t)32 << 20);
    int fd = wire_accept(w);
    if (fd < 0) return; // cancelled before it came to that
    if (wire_read_request(fd, &got) && rig_of(w)->answer.n) wire_send(fd, rig_of(w)->answer);
    CHECK(wire_read_end(fd, &got) != WIRE_TIMEOUT);
    close(fd);
    buf_free(&got);
}

static void cancel_soon(struct timer *timer) { rig_cancel(CONTAINER_OF(timer, struct get, timer)); }

static void test_cancel(void) {
    for (int phase = 0; phase < 6; phase++) {
        struct rig rig;
        rig_open(&rig, true);
        struct get *g = &rig.calls[0];
        if (phase == 1) rig.origin.host = STR("127.1"); // looked up
        if (phase >= 3) rig.answer = STR(OK "Content-Length: 1000\r\n\r\nhello");
        if (phase == 4) g->cancel = IN_HEAD;
        if (phase == 5) g->cancel = IN_DATA;
        wire_start(&rig.wire, note_end);
        REQUIRE(rig_get(g));
        timer_init(&g->timer, rig.wire.loop, cancel_soon);
        if (phase == 2 || phase == 3) timer_set(&g->timer, 20);
        if (phase < 2)
            rig_cancel(g);
        else
            loop_run(rig.wire.loop);
        CHECK_INT(g->cancels, 1);
        CHECK_INT(g->lasts + g->errors, 0);
        rig_close(&rig);
    }
}

static void cancel_and_resend(struct rig *rig, struct get *g) {
    if (rig->sent == 1) {
        CHECK_INT(g->cancels, 1);
        g->cancel = NEVER;
        CHECK(rig_get(g));
    } else {
        CHECK_INT(g->lasts, 1);
        loop_stop(rig->wire.loop);
    }
}

// As a fallback does it: given up inside on_head or on_data, and another request made at once.
static void test_cancel_and_send(void) {
    for (int when = IN_HEAD; when <= IN_DATA; when++) {
        struct rig rig;
        rig_open(&rig, true);
        rig.answer = STR(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        rig.cut = rig.answer.n - 3;
        rig.calls[0].cancel = (enum rig_when)when;
        rig.on_ended = cancel_and_resend;
        wire_start(&rig.wire, rig_serve);
        REQUIRE(rig_get(&rig.calls[0]));
        loop_run(rig.wire.loop);
        CHECK_STR(buf_str(&rig.calls[0].body), STR("hello"));
        rig_close(&rig);
    }
}

// --- back-pressure ---

#define FLOOD ((size_t)24 << 20)

static void flood(struct wire *w) {
    static char block[65536];
    char head[100];
    struct buf request = BUF_INIT(100000);
    int fd = wire_accept(w);
    wire_read_request(fd, &request);
    int n = snprintf(head, sizeof head, OK "Content-Length: %zu\r\n\r\n", FLOOD);
    wire_send(fd, str_of(head, (size_t)n));
    for (size_t sent = 0; sent < FLOOD; sent += sizeof block) CHECK(wire_send(fd, str_of(block, sizeof block)));
    wire_read_end(fd, &request);
    close(fd);
    buf_free(&request);
}

static void resume_when_quiet(struct timer *timer) {
    struct get *g = CONTAINER_OF(timer, struct get, timer);
    size_t *seen = g->rig->user;
    CHECK(g->body.n < FLOOD);
    if (*seen != g->body.n) { // one read more may have been under way
        *seen = g->body.n;
        timer_set(timer, 30);
        return;
    }
    g->pause = NEVER;
    http_exchange_resume(g->x);
}

static void test_pause(void) {
    for (int when = IN_HEAD; when <= IN_DATA; when++) {
        struct rig rig;
        size_t seen = SIZE_MAX;
        rig_open(&rig, true);
        struct get *g = &rig.calls[0];
        g->pause = (enum rig_when)when;
        rig.user = &seen;
        rig.origin.idle_ms = 10; // a pause is not the server's silence
        wire_start(&rig.wire, flood);
        REQUIRE(rig_get(g));
        timer_init(&g->timer, rig.wire.loop, resume_when_quiet);
        timer_set(&g->timer, 30);
        rig.origin.idle_ms = WIRE_MS;
        loop_run(rig.wire.loop);
        CHECK_INT(g->lasts, 1);
        CHECK_INT(g->body.n, FLOOD);
        rig_close(&rig);
    }
}

// --- requests ---

static void check_request(struct wire *w) {
    struct buf request = BUF_INIT((size_t)32 << 20);
    struct rig *rig = rig_of(w);
    int fd = wire_accept(w);
    CHECK(wire_read_request(fd, &request));
    if (rig->user) CHECK_STR(buf_str(&request), *(const struct str *)rig->user);
    wire_send(fd, STR(OK "Content-Length: 0\r\n\r\n"));
    rig->requests = request.n;
    wire_read_end(fd, NULL);
    close(fd);
    buf_free(&request);
}

static void exchange_once(struct rig *rig, const struct http_request *r, struct str want) {
    rig->user = want.n ? &want : NULL;
    wire_start(&rig->wire, check_request);
    REQUIRE(rig_send_request(&rig->calls[0], r));
    loop_run(rig->wire.loop);
    CHECK_INT(rig->calls[0].lasts, 1);
    rig_close(rig);
}

static void test_request_text(void) {
    struct rig rig;
    const struct http_field fields[] = {{STR("authorization"), STR("Bearer x")}, {STR("a"), STR("")}};
    const struct str body[] = {STR("he"), STR(""), STR("llo")};
    const struct http_request post = {.method = STR("POST"),
                                      .target = STR("/v1/chat"),
                                      .authority = STR("api:1"),
                                      .fields = fields,
                                      .field_count = 2,
                                      .body = body,
                                      .body_count = 3};
    rig_open(&rig, true);
    exchange_once(&rig, &post,
                  STR("POST /v1/chat HTTP/1.1\r\nhost: api:1\r\nauthorization: Bearer x\r\na: \r\n"
                      "content-length: 5\r\n\r\nhello"));
    const struct http_request get = {.method = STR("GET"), .target = STR("/"), .authority = STR("api")};
    rig_open(&rig, true);
    exchange_once(&rig, &get, STR("GET / HTTP/1.1\r\nhost: api\r\n\r\n"));
    const struct http_request empty = {.method = STR("POST"), .target = STR("/"), .authority = STR("api")};
    rig_open(&rig, true);
    exchange_once(&rig, &empty, STR("POST / HTTP/1.1\r\nhost: api\r\ncontent-length: 0\r\n\r\n"));
    // Through a proxy: the whole URL, and its own credentials.
    rig_open(&rig, true);
    rig.origin.proxy_host = rig.origin.host;
    rig.origin.proxy_port = rig.origin.port;
    rig.origin.proxy_authorization = STR("Basic eA==");
    rig.origin.host = STR("api.invalid");
    exchange_once(&rig, &get, STR("GET http://api/ HTTP/1.1\r\nhost: api\r\nproxy-authorization: Basic eA==\r\n\r\n"));
}

// A body of megabytes in many slices, to a server that is slow to read.
static void test_large_request(void) {
    struct rig rig;
    static char block[100000];
    struct str body[40];
    memset(block, 'x', sizeof block);
    for (size_t i = 0; i < ARRAY_LEN(body); i++) body[i] = str_of(block, sizeof block);
    const struct http_request post = {
        .method = STR("POST"), .target = STR("/"), .authority = STR("a"), .body = body, .body_count = ARRAY_LEN(body)};
    rig_open(&rig, true);
    exchange_once(&rig, &post, STR_NONE);
    CHECK(rig.requests > ARRAY_LEN(body) * sizeof block);
}

static void test_head_method(void) {
    struct rig rig;
    const struct http_request head = {.method = STR("HEAD"), .target = STR("/"), .authority = STR("a")};
    rig_open(&rig, true);
    rig.answer = STR(OK "Content-Length: 1000\r\n\r\n");
    rig.on_ended = NULL;
    wire_start(&rig.wire, rig_serve);
    REQUIRE(rig_send_request(&rig.calls[0], &head));
    loop_run(rig.wire.loop);
    CHECK_INT(rig.calls[0].lasts, 1);
    CHECK_INT(rig.calls[0].body.n, 0);
    rig_close(&rig);
}

// --- memory that fails ---

// As rig_serve, but takes no memory of its own from the product's allocator.
static void serve_plainly(struct wire *w) {
    for (int fd; (fd = wire_accept(w)) >= 0;) {
        char block[8192];
        size_t have = 0;
        while (have < sizeof block) {
            ssize_t n = recv(fd, block + have, sizeof block - have, 0);
            if (n <= 0) break;
            have += (size_t)n;
            if (have < 4 || memcmp(block + have - 4, "\r\n\r\n", 4) != 0) continue;
            have = 0;
            wire_send_cut(fd, rig_of(w)->answer, 25);
        }
        close(fd);
    }
}

static void count_two(struct rig *rig, struct get *g) {
    if (rig->sent < 2 && rig_get(g)) return;
    loop_stop(rig->wire.loop);
}

static void test_memory_fails_in_turn(void) {
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct rig rig;
        rig_open(&rig, true);
        rig.answer = k_answers[3].text;
        rig.on_ended = count_two;
        buf_reserve(&rig.calls[0].body, 1000);
        wire_start(&rig.wire, serve_plainly);
        mem_fail_nth(nth);
        bool sent = rig_get(&rig.calls[0]);
        if (sent) loop_run(rig.wire.loop);
        mem_fail_nth(0);
        if (!sent) CHECK(err_info(rig.calls[0].err.code)->retryable);
        rig_close(&rig);
    }
}

TEST_MAIN(test_answers_cut_at_every_byte, test_byte_by_byte, test_failures, test_head_without_end, test_refused,
          test_next_address, test_timeouts, test_stale_connections, test_processed_request_is_not_repeated,
          test_bytes_too_many, test_forget_under_way, test_cancel, test_cancel_and_send, test_pause, test_request_text,
          test_large_request, test_head_method, test_memory_fails_in_turn)
