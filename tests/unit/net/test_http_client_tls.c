// The HTTP client over TLS, straight and through a proxy's tunnel, against our own server on the same loop.
#include "client_rig.h"
#include "net/http_server.h"
#include "temp_dir.h"
#include "tls_certs.h"

#include <poll.h>

static struct test_cert g_ca, g_other_ca, g_leaf; // made once

struct tunnel_rig {
    struct rig rig; // first
    struct http_server *server;
    struct tls_ctx *server_tls, *client_tls;
    uint16_t server_port;
    struct str connect_answer; // what the proxy says to CONNECT
    size_t step;               // in pieces of this size
    bool tunnel;
    int tunnels; // that were asked for
};

static struct tunnel_rig *of_wire(struct wire *w) { return (struct tunnel_rig *)rig_of(w); }

// --- the provider ---

static void on_request(struct http_req *req) {
    const struct http_field type = {STR("content-type"), STR("text/plain")};
    CHECK(req->tls);
    if (str_eq(req->path, STR("/x"))) {
        http_reply(req, 200, &type, 1, STR("hello over tls"));
        return;
    }
    static char large[3000000];
    const struct str part = str_of(large, sizeof large);
    http_reply_head(req, 200, &type, 1, HTTP_LENGTH_UNKNOWN);
    http_reply_data(req, &part, 1, true);
}
static void on_abort(struct http_req *req) { (void)req; }
static void on_drained(struct http_req *req) { (void)req; }
static void on_reject(void *ctx, const struct err *err, struct str peer, struct arena *arena, struct buf *out_body,
                      struct http_field *out_fields, size_t *io_count) {
    (void)ctx, (void)err, (void)peer, (void)arena, (void)out_body, (void)out_fields, (void)io_count;
}

// --- the proxy ---

// Carries bytes both ways until one side ends.
static void pump(int a, int b) {
    for (;;) {
        struct pollfd p[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
        if (poll(p, 2, WIRE_MS) <= 0) return;
        for (int i = 0; i < 2; i++) {
            char block[16384];
            if (!p[i].revents) continue;
            ssize_t n = recv(p[i].fd, block, sizeof block, 0);
            if (n <= 0 || !wire_send(p[1 - i].fd, str_of(block, (size_t)n))) return;
        }
    }
}

static void proxy(struct wire *w) {
    struct tunnel_rig *t = of_wire(w);
    for (int fd; (fd = wire_accept(w)) >= 0;) {
        struct buf request = BUF_INIT(8192);
        if (wire_read_until(fd, &request, STR("\r\n\r\n"))) {
            t->tunnels++;
            CHECK(str_starts(buf_str(&request), STR("CONNECT localhost:")));
            CHECK(str_find(buf_str(&request), STR("proxy-authorization: Basic eA==\r\n")) < request.n);
            CHECK(str_find(buf_str(&request), STR("/x")) == request.n); // nothing of the request itself
            if (t->step)
                wire_send_pieces(fd, t->connect_answer, t->step);
            else
                wire_send(fd, t->connect_answer);
        }
        if (t->tunnel) {
            int up = wire_connect_small(t->server_port, 0);
            pump(fd, up);
            close(up);
        }
        close(fd);
        buf_free(&request);
    }
}

// --- putting it up ---

static void open_tunnel(struct tunnel_rig *t, bool through_proxy) {
    const struct http_server_options o = {.max_head = 8192,
                                          .max_fields = 50,
                                          .max_target = 1000,
                                          .max_body = 1000,
                                          .max_connections = 10,
                                          .header_ms = WIRE_MS,
                                          .body_ms = WIRE_MS,
                                          .keepalive_ms = WIRE_MS,
                                          .write_ms = WIRE_MS};
    const struct http_handler h = {
        .on_request = on_request, .on_abort = on_abort, .on_drained = on_drained, .on_reject = on_reject};
    const struct tls_cert cert = {.cert = str_c(g_leaf.cert_path), .key = str_c(g_leaf.key_path)};
    const struct tls_server_options so = {.certs = &cert, .cert_count = 1, .offer_h2 = true};
    const struct tls_client_options co = {.ca = str_c(g_ca.cert_path)};
    struct err err;
    memset(t, 0, sizeof *t);
    rig_open(&t->rig, true);
    REQUIRE(tls_ctx_server(&so, &t->server_tls, &err) && tls_ctx_client(&co, &t->client_tls, &err));
    REQUIRE(http_server_create(t->rig.wire.loop, &o, &h, &t->server, &err));
    REQUIRE(http_server_listen(t->server, STR("127.0.0.1"), 0, t->server_tls, &t->server_port, &err));
    t->connect_answer = STR("HTTP/1.1 200 Connection established\r\n\r\n");
    t->tunnel = true;
    t->rig.origin.host = STR("localhost");
    t->rig.origin.port = t->server_port;
    t->rig.origin.tls = t->client_tls;
    if (!through_proxy) return;
    t->rig.origin.proxy_host = STR("127.0.0.1");
    t->rig.origin.proxy_port = t->rig.wire.port;
    t->rig.origin.proxy_authorization = STR("Basic eA==");
    wire_start(&t->rig.wire, proxy);
}

static void close_tunnel(struct tunnel_rig *t) {
    http_client_forget(t->rig.client, &t->rig.origin);
    http_server_stop(t->server);
    wire_end_script(&t->rig.wire);
    http_server_free(t->server);
    tls_ctx_unref(t->server_tls);
    tls_ctx_unref(t->client_tls);
    rig_close(&t->rig);
}

static void make_certs(void) {
    const struct test_cert *ca = &g_ca;
    g_ca = test_cert_make(temp_dir(), (struct test_cert_spec){.file = "ca", .cn = "Test CA", .authority = true});
    g_other_ca = test_cert_make(temp_dir(), (struct test_cert_spec){.file = "other", .cn = "Other", .authority = true});
    g_leaf = test_cert_make(temp_dir(),
                            (struct test_cert_spec){.file = "leaf", .cn = "x", .alt = "DNS:localhost", .issuer = ca});
}

static void three_times(struct rig *rig, struct get *g) {
    if (g->errors) fprintf(stderr, "%s\n", g->err.message);
    CHECK_INT(g->lasts, 1);
    CHECK_STR(buf_str(&g->body), STR("hello over tls"));
    if (g->lasts && rig->sent < 3)
        CHECK(rig_get(g));
    else
        loop_stop(rig->wire.loop);
}

// Straight, and through a proxy whose answer comes whole or in pieces: what the proxy said is never taken for the
// provider's answer, and one tunnel serves several requests.
static void test_tls(void) {
    static const size_t steps[] = {0, 0, 1, 7, 30};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct tunnel_rig t;
        struct http_client_stats stats;
        open_tunnel(&t, i > 0);
        t.step = steps[i];
        t.rig.on_ended = three_times;
        REQUIRE(rig_get(&t.rig.calls[0]));
        loop_run(t.rig.wire.loop);
        http_client_stats_get(t.rig.client, &stats);
        CHECK_INT(stats.connects, 1);
        CHECK_INT(stats.reused, 2);
        close_tunnel(&t);
        CHECK_INT(t.tunnels, i > 0);
    }
}

static void ask_when_warm(struct timer *timer) {
    struct get *g = CONTAINER_OF(timer, struct get, timer);
    size_t idle, active;
    http_client_origin_stats(g->rig->client, &g->rig->origin, &idle, &active);
    if (idle == 1 && active == 0)
        CHECK(rig_get(g));
    else
        timer_set(timer, 1);
}

// The handshake, and the way through the proxy, lie before the first request.
static void test_warm_over_tls(void) {
    for (int through_proxy = 0; through_proxy < 2; through_proxy++) {
        struct tunnel_rig t;
        struct http_client_stats stats;
        open_tunnel(&t, through_proxy);
        struct get *g = &t.rig.calls[0];
        timer_init(&g->timer, t.rig.wire.loop, ask_when_warm);
        timer_set(&g->timer, 0);
        CHECK_INT(http_client_warm(t.rig.client, &t.rig.origin, 1), 1);
        loop_run(t.rig.wire.loop);
        CHECK_STR(buf_str(&g->body), STR("hello over tls"));
        http_client_stats_get(t.rig.client, &stats);
        CHECK(stats.connects == 1 && stats.reused == 1);
        close_tunnel(&t);
        CHECK_INT(t.tunnels, through_proxy);
    }
}

static void resume_soon(struct timer *timer) {
    struct get *g = CONTAINER_OF(timer, struct get, timer);
    if (!g->x) return;
    http_exchange_resume(g->x); // may end the exchange
    if (g->x) timer_set(timer, 1);
}

// Paused at every piece: what was decrypted before the pause is not lost, nor does it come while paused.
static void test_pause_over_tls(void) {
    struct tunnel_rig t;
    open_tunnel(&t, false);
    struct get *g = &t.rig.calls[0];
    g->pause = IN_DATA;
    const struct http_request r = {.method = STR("GET"), .target = STR("/large"), .authority = STR("a")};
    REQUIRE(rig_send_request(g, &r));
    timer_init(&g->timer, t.rig.wire.loop, resume_soon);
    timer_set(&g->timer, 1);
    loop_run(t.rig.wire.loop);
    CHECK_INT(g->lasts, 1);
    CHECK_INT(g->body.n, 3000000);
    close_tunnel(&t);
}

static void test_proxy_refuses(void) {
    static const struct {
        struct str answer;
        enum err_code code;
    } cases[] = {
        {STR_INIT("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"), ERR_UPSTREAM_REFUSED},
        {STR_INIT("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>"), ERR_UPSTREAM_REFUSED},
        {STR_INIT(""), ERR_UPSTREAM_REFUSED},
        {STR_INIT("HTTP/1.1 200 O"), ERR_UPSTREAM_REFUSED},
        {STR_INIT("garbage\r\n\r\n"), ERR_UPSTREAM_INVALID},
        {STR_INIT("HTTP/1.1 200 OK\r\n\r\n"), ERR_UPSTREAM_REFUSED}, // and then closes
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tunnel_rig t;
        open_tunnel(&t, true);
        t.connect_answer = cases[i].answer;
        t.tunnel = false;
        REQUIRE(rig_get(&t.rig.calls[0]));
        loop_run(t.rig.wire.loop);
        CHECK_INT(t.rig.calls[0].errors, 1);
        if (t.rig.calls[0].err.code != cases[i].code) fprintf(stderr, "%zu: %s\n", i, t.rig.calls[0].err.message);
        CHECK_INT(t.rig.calls[0].err.code, cases[i].code);
        close_tunnel(&t);
    }
}

static void silent_proxy(struct wire *w) {
    int fd = wire_accept(w);
    CHECK(wire_read_end(fd, NULL) != WIRE_TIMEOUT);
    close(fd);
}

static void test_proxy_is_silent(void) {
    struct tunnel_rig t;
    open_tunnel(&t, false);
    t.rig.origin.proxy_host = STR("127.0.0.1");
    t.rig.origin.proxy_port = t.rig.wire.port;
    t.rig.origin.connect_ms = 50;
    wire_start(&t.rig.wire, silent_proxy);
    REQUIRE(rig_get(&t.rig.calls[0]));
    loop_run(t.rig.wire.loop);
    CHECK_INT(t.rig.calls[0].err.code, ERR_UPSTREAM_TIMEOUT);
    close_tunnel(&t);
}

// A certificate for another name, an authority nobody knows, a port that speaks no TLS.
static void test_not_to_be_trusted(void) {
    for (int way = 0; way < 3; way++) {
        struct tunnel_rig t;
        struct err err;
        open_tunnel(&t, false);
        if (way == 0) t.rig.origin.host = STR("127.0.0.1");
        if (way == 1) {
            const struct tls_client_options co = {.ca = str_c(g_other_ca.cert_path)};
            tls_ctx_unref(t.client_tls);
            REQUIRE(tls_ctx_client(&co, &t.client_tls, &err));
            t.rig.origin.tls = t.client_tls;
        }
        if (way == 2) {
            t.rig.origin.port = t.rig.wire.port;
            t.rig.answer = STR("HTTP/1.1 400 This is plain HTTP\r\n\r\n");
            t.connect_answer = t.rig.answer;
            wire_start(&t.rig.wire, silent_proxy);
            t.rig.origin.connect_ms = 50;
        }
        REQUIRE(rig_get(&t.rig.calls[0]));
        loop_run(t.rig.wire.loop);
        CHECK_INT(t.rig.calls[0].errors, 1);
        CHECK(t.rig.calls[0].heads == 0);
        close_tunnel(&t);
    }
}

static void test_end(void) {
    test_cert_free(&g_ca);
    test_cert_free(&g_other_ca);
    test_cert_free(&g_leaf);
}

TEST_MAIN(make_certs, test_tls, test_warm_over_tls, test_pause_over_tls, test_proxy_refuses, test_proxy_is_silent,
          test_not_to_be_trusted, test_end)
