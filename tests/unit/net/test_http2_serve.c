// HTTP/2 through the whole server: real sockets, cleartext with prior knowledge and TLS with ALPN, then draining.
#include "check.h"
#include "net/http_server.h"
#include "tls_certs.h"

#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

// --- the server, on a thread of its own ---

struct site {
    struct loop *loop;
    struct http_server *server;
    uint16_t plain_port, tls_port;
    struct task drain, stop;
    struct timer poll;
    pthread_t thread;
    unsigned aborts; // atomic
};

static void on_request(struct http_req *req) {
    if (str_eq(req->path, STR("/never"))) {
        http_reply_head(req, 200, NULL, 0, HTTP_LENGTH_UNKNOWN);
        http_reply_flush(req);
    } else {
        http_reply(req, 200, NULL, 0, req->body.n ? req->body : str_c(req->protocol));
    }
}

static void on_abort(struct http_req *req) {
    struct site *site = http_server_ctx(req->server);
    __atomic_add_fetch(&site->aborts, 1, __ATOMIC_SEQ_CST);
}

static void on_drained(struct http_req *req) { (void)req; }

static void on_reject(void *ctx, const struct err *err, struct str peer, struct arena *arena, struct buf *out_body,
                      struct http_field *out_fields, size_t *io_count) {
    (void)ctx, (void)peer, (void)arena, (void)out_fields, (void)io_count;
    buf_put(out_body, str_c(err->message));
}

static void do_drain(struct task *task) { http_server_drain(CONTAINER_OF(task, struct site, drain)->server); }

static void until_closed(struct timer *timer) {
    struct site *site = CONTAINER_OF(timer, struct site, poll);
    if (http_server_open(site->server))
        timer_set(timer, 5);
    else
        loop_stop(site->loop);
}

static void do_stop(struct task *task) {
    struct site *site = CONTAINER_OF(task, struct site, stop);
    http_server_stop(site->server);
    timer_init(&site->poll, site->loop, until_closed);
    timer_set(&site->poll, 1);
}

static void *serve(void *arg) {
    loop_run(((struct site *)arg)->loop);
    return NULL;
}

static struct tls_ctx *make_tls(const struct test_cert *cert) {
    const struct tls_cert pair = {.cert = str_c(cert->cert_path), .key = str_c(cert->key_path)};
    const struct tls_server_options o = {.certs = &pair, .cert_count = 1, .offer_h2 = true};
    struct tls_ctx *ctx;
    struct err err;
    REQUIRE(tls_ctx_server(&o, &ctx, &err));
    return ctx;
}

static void site_open(struct site *site, const struct test_cert *cert) {
    const struct http_server_options o = {.max_head = 8192,
                                          .max_fields = 50,
                                          .max_target = 1000,
                                          .max_body = 1 << 20,
                                          .max_connections = 100,
                                          .header_ms = 20000,
                                          .body_ms = 20000,
                                          .keepalive_ms = 20000,
                                          .write_ms = 20000};
    const struct http_handler h = {
        .ctx = site, .on_request = on_request, .on_abort = on_abort, .on_drained = on_drained, .on_reject = on_reject};
    struct err err;
    *site = (struct site){.drain = {.fn = do_drain}, .stop = {.fn = do_stop}};
    REQUIRE(loop_create(0, &site->loop, &err) && http_server_create(site->loop, &o, &h, &site->server, &err));
    struct tls_ctx *tls = make_tls(cert);
    REQUIRE(http_server_listen(site->server, STR("127.0.0.1"), 0, NULL, &site->plain_port, &err));
    REQUIRE(http_server_listen(site->server, STR("127.0.0.1"), 0, tls, &site->tls_port, &err));
    tls_ctx_unref(tls);
    REQUIRE(pthread_create(&site->thread, NULL, serve, site) == 0);
}

static void site_close(struct site *site) {
    loop_post(site->loop, &site->stop);
    pthread_join(site->thread, NULL);
    http_server_free(site->server);
    loop_free(site->loop);
}

// --- the client ---

struct client {
    SSL_CTX *ctx;
    BIO *bio;
    nghttp2_session *session;
    int status;
    size_t n, goaways;
    char body[64];
    bool closed;
    size_t to_send;
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user) {
    (void)session, (void)frame, (void)flags;
    uint64_t status;
    if (str_eq(str_of((const char *)name, name_n), STR(":status")) &&
        str_to_u64(str_of((const char *)value, value_n), &status))
        ((struct client *)user)->status = (int)status;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user) {
    (void)session, (void)flags, (void)id;
    struct client *c = user;
    for (size_t i = 0; i < n && c->n + i < sizeof c->body; i++) c->body[c->n + i] = (char)p[i];
    c->n += n;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    (void)session, (void)id, (void)code;
    ((struct client *)user)->closed = true;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) ((struct client *)user)->goaways++;
    return 0;
}

static ssize_t take_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *user) {
    (void)session, (void)id, (void)source;
    struct client *c = user;
    size_t n = MIN(room, c->to_send);
    memset(p, 'b', n);
    c->to_send -= n;
    if (c->to_send == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static struct client *client_open(uint16_t port, const struct test_cert *trust) {
    struct client *c = calloc(1, sizeof *c);
    nghttp2_session_callbacks *cb;
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    REQUIRE(c && nghttp2_session_callbacks_new(&cb) == 0);
    if (trust) {
        c->ctx = SSL_CTX_new(TLS_client_method());
        REQUIRE(c->ctx && SSL_CTX_load_verify_file(c->ctx, trust->cert_path) == 1);
        SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_alpn_protos(c->ctx, (const unsigned char *)"\x02h2", 3);
        c->bio = BIO_new_ssl_connect(c->ctx);
        REQUIRE(c->bio && BIO_set_conn_hostname(c->bio, address));
    } else {
        c->bio = BIO_new_connect(address);
    }
    REQUIRE(c->bio && BIO_do_connect(c->bio) == 1);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    REQUIRE(nghttp2_session_client_new(&c->session, cb, c) == 0);
    nghttp2_session_callbacks_del(cb);
    REQUIRE(nghttp2_submit_settings(c->session, 0, NULL, 0) == 0);
    return c;
}

static void client_close(struct client *c) {
    BIO_free_all(c->bio);
    SSL_CTX_free(c->ctx);
    nghttp2_session_del(c->session);
    free(c);
}

// One round: sends what there is, then reads once. False at the end of the connection.
static bool client_turn(struct client *c) {
    const uint8_t *out;
    char in[16384];
    for (ssize_t n; (n = nghttp2_session_mem_send(c->session, &out)) > 0;)
        if (BIO_write(c->bio, out, (int)n) != (int)n) return false;
    int n = BIO_read(c->bio, in, sizeof in);
    return n > 0 && nghttp2_session_mem_recv(c->session, (const uint8_t *)in, (size_t)n) == n;
}

static void client_ask(struct client *c, const char *path, size_t body) {
#define NV(n, v) ((nghttp2_nv){(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), 0})
    const nghttp2_nv nv[] = {NV(":method", body ? "POST" : "GET"), NV(":scheme", "http"), NV(":authority", "localhost"),
                             NV(":path", path)};
    const nghttp2_data_provider provider = {.read_callback = take_body};
    c->closed = false;
    c->status = 0;
    c->n = 0;
    c->to_send = body;
    REQUIRE(nghttp2_submit_request(c->session, NULL, nv, 4, body ? &provider : NULL, NULL) > 0);
}

static void client_call(struct client *c, const char *path, size_t body) {
    client_ask(c, path, body);
    while (!c->closed && client_turn(c)) {
    }
    CHECK(c->closed);
}

static struct test_cert g_cert;

static void exchange(const struct site *site, bool tls) {
    struct client *c = client_open(tls ? site->tls_port : site->plain_port, tls ? &g_cert : NULL);
    client_call(c, "/", 0);
    CHECK_INT(c->status, 200);
    CHECK_STR(str_of(c->body, MIN(c->n, sizeof c->body)), STR("HTTP/2"));
    client_call(c, "/", 900000);
    CHECK_INT(c->status, 200);
    CHECK_INT(c->n, 900000);
    client_call(c, "/", (1 << 20) + 1);
    CHECK_INT(c->status, 413);
    client_call(c, "/", 10);
    CHECK_INT(c->n, 10);
    client_close(c);
}

static void test_serve(void) {
    char dir[] = "/tmp/penstock-h2-XXXXXX";
    REQUIRE(mkdtemp(dir));
    g_cert = test_cert_make(
        dir, (struct test_cert_spec){.file = "site", .cn = "localhost", .alt = "DNS:localhost", .authority = true});
    struct site site;
    site_open(&site, &g_cert);
    exchange(&site, false);
    exchange(&site, true);

    struct client *gone = client_open(site.plain_port, NULL), *stays = client_open(site.tls_port, &g_cert);
    client_ask(gone, "/never", 0);
    client_ask(stays, "/never", 0);
    while (gone->status == 0 && client_turn(gone)) {
    }
    while (stays->status == 0 && client_turn(stays)) {
    }
    client_close(gone); // in the middle of its reply
    while (__atomic_load_n(&site.aborts, __ATOMIC_SEQ_CST) == 0) usleep(1000);
    struct client *idle = client_open(site.plain_port, NULL);
    client_call(idle, "/", 0);
    loop_post(site.loop, &site.drain);
    while (client_turn(idle)) { // ends when the server has said goodbye
    }
    CHECK(idle->goaways > 0);
    client_close(idle);
    while (stays->goaways == 0 && client_turn(stays)) {
    }
    CHECK(!stays->closed); // its request is still being answered
    site_close(&site);
    CHECK_INT(site.aborts, 2);
    client_close(stays);
    test_cert_free(&g_cert);
    rmdir(dir);
}

TEST_MAIN(test_serve)
