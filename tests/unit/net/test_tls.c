// TLS sessions: client and server pumped against each other in memory, with every way a handshake can go wrong.
#include "net/tls.h"

#include "base/mem.h"
#include "check.h"
#include "tls_certs.h"

#include <openssl/ssl.h>

static char g_dir[64];
static struct test_cert g_ca, g_other_ca, g_leaf, g_alt, g_wild, g_expired, g_future, g_client, g_foreign_client;

#define HOST STR("api.example.com")

static void make_certs(void) {
    snprintf(g_dir, sizeof g_dir, "/tmp/penstock-tls-XXXXXX");
    REQUIRE(mkdtemp(g_dir));
    g_ca = test_cert_make(g_dir, (struct test_cert_spec){.file = "ca", .cn = "Test CA", .authority = true});
    g_other_ca = test_cert_make(g_dir, (struct test_cert_spec){.file = "other", .cn = "Other CA", .authority = true});
    const struct test_cert *ca = &g_ca;
    g_leaf = test_cert_make(
        g_dir, (struct test_cert_spec){
                   .file = "leaf", .cn = "leaf", .alt = "DNS:api.example.com,IP:127.0.0.1,IP:::1", .issuer = ca});
    g_alt = test_cert_make(
        g_dir, (struct test_cert_spec){.file = "alt", .cn = "alt", .alt = "DNS:second.example.com", .issuer = ca});
    g_wild = test_cert_make(
        g_dir, (struct test_cert_spec){.file = "wild", .cn = "wild", .alt = "DNS:*.apps.example.com", .issuer = ca});
    g_expired = test_cert_make(g_dir, (struct test_cert_spec){.file = "expired",
                                                              .cn = "expired",
                                                              .alt = "DNS:api.example.com",
                                                              .issuer = ca,
                                                              .from_s = -7200,
                                                              .to_s = -3600});
    g_future = test_cert_make(
        g_dir, (struct test_cert_spec){
                   .file = "future", .cn = "future", .alt = "DNS:api.example.com", .issuer = ca, .from_s = 3600});
    g_client = test_cert_make(g_dir, (struct test_cert_spec){.file = "client", .cn = "client", .issuer = ca});
    g_foreign_client =
        test_cert_make(g_dir, (struct test_cert_spec){.file = "foreign", .cn = "foreign", .issuer = &g_other_ca});
}

static void remove_certs(void) {
    struct test_cert *all[] = {&g_ca,      &g_other_ca, &g_leaf,   &g_alt,           &g_wild,
                               &g_expired, &g_future,   &g_client, &g_foreign_client};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) test_cert_free(all[i]);
    rmdir(g_dir);
}

static struct tls_cert pair_of(const struct test_cert *c, struct str name) {
    return (struct tls_cert){.name = name, .cert = str_c(c->cert_path), .key = str_c(c->key_path)};
}

static struct tls_ctx *server_ctx(struct tls_server_options o) {
    struct tls_cert leaf = pair_of(&g_leaf, STR(""));
    if (!o.certs) {
        o.certs = &leaf;
        o.cert_count = 1;
    }
    struct tls_ctx *ctx = NULL;
    struct err err = {0};
    if (!tls_ctx_server(&o, &ctx, &err)) fprintf(stderr, "server context: %s\n", err.message);
    REQUIRE(ctx);
    return ctx;
}

static struct tls_ctx *client_ctx(struct tls_client_options o) {
    if (o.ca.n == 0 && !o.no_verify) o.ca = str_c(g_ca.cert_path);
    struct tls_ctx *ctx = NULL;
    struct err err = {0};
    if (!tls_ctx_client(&o, &ctx, &err)) fprintf(stderr, "client context: %s\n", err.message);
    REQUIRE(ctx);
    return ctx;
}

// Moves what one side has to send to the other, `cut` bytes at a time.
static bool move(struct tls *from, struct tls *to, size_t cut) {
    struct str out = tls_pending(from);
    if (out.n == 0) return false;
    out = str_head(out, cut);
    tls_feed(to, out);
    tls_sent(from, out.n);
    return true;
}

static void pump(struct tls *a, struct tls *b, size_t cut) {
    for (bool moved = true; moved;) {
        moved = move(a, b, cut);
        moved |= move(b, a, cut);
    }
}

struct pair {
    struct tls_ctx *sctx, *cctx;
    struct tls *server, *client;
};

static struct pair pair_with(struct tls_ctx *sctx, struct tls_ctx *cctx, struct str host, size_t cut) {
    struct pair p = {.sctx = sctx, .cctx = cctx, .server = tls_new(sctx, STR_NONE), .client = tls_new(cctx, host)};
    REQUIRE(p.server && p.client);
    tls_start(p.client);
    pump(p.client, p.server, cut);
    return p;
}

static struct pair pair_open(size_t cut) {
    struct pair p =
        pair_with(server_ctx((struct tls_server_options){0}), client_ctx((struct tls_client_options){0}), HOST, cut);
    REQUIRE(tls_state(p.client) == TLS_OPEN && tls_state(p.server) == TLS_OPEN);
    return p;
}

static void pair_free(struct pair *p) {
    tls_free(p->server);
    tls_free(p->client);
    tls_ctx_unref(p->sctx);
    tls_ctx_unref(p->cctx);
}

// Reads until nothing comes; checks the pattern that send_pattern wrote.
static size_t read_pattern(struct tls *t, size_t at, size_t cap) {
    char *got = malloc(cap);
    REQUIRE(got);
    size_t n, bad = 0;
    while ((n = tls_read(t, got, cap)) > 0)
        for (size_t i = 0; i < n; i++, at++) bad += got[i] != (char)(at * 7 + at / 251);
    free(got);
    CHECK_INT(bad, 0);
    return at;
}

static void send_pattern(struct tls *t, size_t from, size_t n) {
    char *p = malloc(n);
    REQUIRE(p);
    for (size_t i = 0; i < n; i++) p[i] = (char)((from + i) * 7 + (from + i) / 251);
    CHECK(tls_write(t, str_of(p, n)));
    free(p);
}

static bool has(const char *text, const char *part) {
    bool found = strstr(text, part) != NULL;
    if (!found) fprintf(stderr, "\"%s\" lacks \"%s\"\n", text, part);
    return found;
}

static void test_handshake_in_cuts(void) {
    static const size_t k_cuts[] = {1, 2, 5, 7, 100, 1 << 20};
    for (size_t c = 0; c < ARRAY_LEN(k_cuts); c++) {
        struct pair p = pair_open(k_cuts[c]);
        CHECK_STR(str_c(tls_version(p.client)), STR("TLSv1.3"));
        CHECK_STR(tls_alpn(p.client), STR("http/1.1"));
        CHECK_STR(tls_alpn(p.server), STR("http/1.1"));
        CHECK_STR(str_c(tls_error(p.server)), STR(""));
        size_t sent = 0, got = 0;
        for (size_t n = 1; n < 3000; n = n * 3 + 1) {
            send_pattern(p.client, sent, n);
            sent += n;
            while (move(p.client, p.server, k_cuts[c])) got = read_pattern(p.server, got, 97);
        }
        CHECK_INT(got, sent);
        pair_free(&p);
    }
}

static void test_big_write(void) {
    struct pair p = pair_open(SIZE_MAX);
    size_t n = 3 * 1000 * 1000 + 17, got = 0;
    send_pattern(p.server, 0, n);
    CHECK(tls_pending(p.server).n > n);
    while (move(p.server, p.client, 60000)) got = read_pattern(p.client, got, 16384);
    CHECK_INT(got, n);
    CHECK_INT(tls_pending(p.server).n, 0);
    pair_free(&p);
}

// What is fed and never read must not grow without end.
static void test_unread_input_is_bounded(void) {
    struct pair p = pair_open(SIZE_MAX);
    send_pattern(p.client, 0, 4 * 1000 * 1000);
    while (tls_state(p.server) == TLS_OPEN && move(p.client, p.server, 65536)) {
    }
    CHECK_INT(tls_state(p.server), TLS_FAILED);
    CHECK(has(tls_error(p.server), "no room"));
    pair_free(&p);
}

static void test_close_notify_and_truncation(void) {
    struct pair p = pair_open(SIZE_MAX);
    send_pattern(p.client, 0, 10);
    tls_shutdown(p.client);
    move(p.client, p.server, SIZE_MAX);
    char got[64];
    CHECK_INT(tls_read(p.server, got, sizeof got), 10);
    CHECK_INT(tls_state(p.server), TLS_OPEN);
    CHECK_INT(tls_read(p.server, got, sizeof got), 0);
    CHECK_INT(tls_state(p.server), TLS_CLOSED);
    pair_free(&p);

    p = pair_open(SIZE_MAX); // cut in the middle of a record: never seen as a clean end
    send_pattern(p.client, 0, 10);
    tls_shutdown(p.client);
    struct str out = tls_pending(p.client);
    tls_feed(p.server, str_head(out, 20));
    CHECK_INT(tls_read(p.server, got, sizeof got), 0);
    CHECK_INT(tls_state(p.server), TLS_OPEN);
    pair_free(&p);
}

static void test_corrupt_record(void) {
    struct pair p = pair_open(SIZE_MAX);
    send_pattern(p.client, 0, 100);
    char copy[512], got[128];
    struct str out = tls_pending(p.client);
    REQUIRE(out.n < sizeof copy);
    memcpy(copy, out.p, out.n);
    copy[30] ^= 1;
    tls_feed(p.server, str_of(copy, out.n));
    CHECK_INT(tls_read(p.server, got, sizeof got), 0);
    CHECK_INT(tls_state(p.server), TLS_FAILED);
    CHECK(tls_error(p.server)[0] != '\0');
    CHECK(!tls_write(p.server, STR("x")));
    CHECK_INT(tls_read(p.server, got, sizeof got), 0);
    CHECK_INT(tls_feed(p.server, STR("more")), TLS_FAILED);
    pair_free(&p);
}

static void test_garbage(void) {
    static const struct {
        struct str bytes;
        const char *says;
    } k_cases[] = {
        {STR_INIT("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), "plain HTTP"},
        {STR_INIT("POST /v1/chat/completions HTTP/1.1\r\n"), "plain HTTP"},
        {STR_INIT("\x16\x03\x01\xff\xff\x01\x00\x00\x00 long"), ""},
        {STR_INIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), ""},
        {STR_INIT("SSH-2.0-OpenSSH_9.2\r\n"), ""},
        {STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ""},
    };
    struct tls_ctx *ctx = server_ctx((struct tls_server_options){0});
    for (size_t i = 0; i < ARRAY_LEN(k_cases); i++) {
        struct tls *t = tls_new(ctx, STR_NONE);
        REQUIRE(t);
        CHECK_INT(tls_feed(t, k_cases[i].bytes), TLS_FAILED);
        CHECK(has(tls_error(t), k_cases[i].says));
        tls_free(t);
    }
    struct tls *t = tls_new(ctx, STR_NONE); // nothing but a beginning: still waiting
    CHECK_INT(tls_feed(t, STR("\x16\x03\x01")), TLS_HANDSHAKE);
    CHECK(!tls_write(t, STR("early")));
    tls_free(t);
    tls_ctx_unref(ctx);

    struct tls_ctx *cctx = client_ctx((struct tls_client_options){0});
    t = tls_new(cctx, HOST);
    tls_start(t);
    CHECK_INT(tls_feed(t, STR("HTTP/1.1 400 Bad Request\r\n\r\n")), TLS_FAILED);
    CHECK(has(tls_error(t), "does not speak TLS"));
    tls_free(t);
    tls_ctx_unref(cctx);
}

static void expect_refused(struct tls_ctx *sctx, struct tls_ctx *cctx, struct str host, const char *says) {
    struct pair p = pair_with(sctx, cctx, host, SIZE_MAX);
    CHECK_INT(tls_state(p.client), TLS_FAILED);
    CHECK(has(tls_error(p.client), says));
    CHECK(tls_state(p.server) == TLS_FAILED || tls_state(p.server) == TLS_HANDSHAKE);
    pair_free(&p);
}

static void test_verification(void) {
    struct tls_server_options plain = {0};
    struct tls_client_options trust = {0}, other = {.ca = str_c(g_other_ca.cert_path)};
    expect_refused(server_ctx(plain), client_ctx(trust), STR("wrong.example.com"), "hostname mismatch");
    expect_refused(server_ctx(plain), client_ctx(trust), STR("127.0.0.2"), "hostname mismatch");
    expect_refused(server_ctx(plain), client_ctx(other), HOST, "not among those trusted");
    expect_refused(server_ctx(plain), client_ctx(trust), STR(""), "not a host name");

    static const char *const k_hosts[] = {"api.example.com", "API.example.com.", "127.0.0.1", "::1", "[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(k_hosts); i++) {
        struct pair p = pair_with(server_ctx(plain), client_ctx(trust), str_c(k_hosts[i]), SIZE_MAX);
        CHECK_INT(tls_state(p.client), TLS_OPEN);
        pair_free(&p);
    }
    // The server's own certificate as the only trust anchor, and no check at all.
    struct tls_client_options pinned = {.ca = str_c(g_leaf.cert_path)}, blind = {.no_verify = true};
    struct pair p = pair_with(server_ctx(plain), client_ctx(pinned), HOST, SIZE_MAX);
    CHECK_INT(tls_state(p.client), TLS_OPEN);
    pair_free(&p);
    p = pair_with(server_ctx(plain), client_ctx(blind), STR("whatever"), SIZE_MAX);
    CHECK_INT(tls_state(p.client), TLS_OPEN);
    pair_free(&p);
}

static void test_system_authorities(void) {
    struct tls_client_options o = {0};
    struct tls_ctx *ctx = NULL;
    struct err err = {0};
    REQUIRE(tls_ctx_client(&o, &ctx, &err));
    expect_refused(server_ctx((struct tls_server_options){0}), ctx, HOST, "not among those trusted");
}

// A server of another make, for what ours does not do: an expired certificate.
static void feed_foreign(SSL *ssl, struct tls *client) {
    BIO *in = SSL_get_rbio(ssl), *out = SSL_get_wbio(ssl);
    for (int turn = 0; turn < 10; turn++) {
        struct str pending = tls_pending(client);
        if (pending.n) BIO_write(in, pending.p, (int)pending.n);
        tls_sent(client, pending.n);
        SSL_do_handshake(ssl);
        char bytes[16384];
        int n = BIO_read(out, bytes, sizeof bytes);
        if (n > 0) tls_feed(client, str_of(bytes, (size_t)n));
    }
}

static SSL_CTX *foreign_ctx(const struct test_cert *cert, int version) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    REQUIRE(ctx && SSL_CTX_use_certificate(ctx, cert->x509) == 1 && SSL_CTX_use_PrivateKey(ctx, cert->key) == 1);
    SSL_CTX_set_max_proto_version(ctx, version);
    return ctx;
}

static SSL *foreign_new(SSL_CTX *ctx, bool server) {
    SSL *ssl = SSL_new(ctx);
    REQUIRE(ssl);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

static void test_dates_at_the_client(void) {
    static const struct {
        const struct test_cert *cert;
        const char *says;
    } k_cases[] = {{&g_expired, "certificate has expired"}, {&g_future, "not yet valid"}};
    for (size_t i = 0; i < ARRAY_LEN(k_cases); i++) {
        SSL_CTX *sctx = foreign_ctx(k_cases[i].cert, 0);
        SSL *ssl = foreign_new(sctx, true);
        struct tls_ctx *cctx = client_ctx((struct tls_client_options){0});
        struct tls *client = tls_new(cctx, HOST);
        tls_start(client);
        feed_foreign(ssl, client);
        CHECK_INT(tls_state(client), TLS_FAILED);
        CHECK(has(tls_error(client), k_cases[i].says));
        tls_free(client);
        tls_ctx_unref(cctx);
        SSL_free(ssl);
        SSL_CTX_free(sctx);
    }
}

static enum tls_state serve_old_client(bool allow, int version, const char **out_version) {
    struct tls_ctx *sctx = server_ctx((struct tls_server_options){.allow_tls12 = allow});
    struct tls *server = tls_new(sctx, STR_NONE);
    SSL_CTX *cctx = foreign_ctx(&g_client, version);
    SSL_CTX_set_cipher_list(cctx, "ALL:@SECLEVEL=0");
    SSL *ssl = foreign_new(cctx, false);
    SSL_do_handshake(ssl);
    feed_foreign(ssl, server);
    enum tls_state state = tls_state(server);
    *out_version = state == TLS_OPEN ? "TLSv1.2" : "";
    if (state == TLS_OPEN) CHECK_STR(str_c(tls_version(server)), STR("TLSv1.2"));
    if (state == TLS_FAILED) CHECK(has(tls_error(server), "too old"));
    tls_free(server);
    tls_ctx_unref(sctx);
    SSL_free(ssl);
    SSL_CTX_free(cctx);
    return state;
}

static void test_old_versions(void) {
    const char *version;
    CHECK_INT(serve_old_client(false, TLS1_2_VERSION, &version), TLS_FAILED);
    CHECK_INT(serve_old_client(true, TLS1_2_VERSION, &version), TLS_OPEN);
    CHECK_INT(serve_old_client(true, TLS1_1_VERSION, &version), TLS_FAILED);
}

static void test_alpn(void) {
    static const struct {
        bool offer_h2;
        struct str list, chosen;
    } k_cases[] = {
        {true, STR_INIT("\x08http/1.1\x02h2"), STR_INIT("h2")},
        {true, STR_INIT("\x08http/1.1"), STR_INIT("http/1.1")},
        {false, STR_INIT("\x02h2\x08http/1.1"), STR_INIT("http/1.1")},
        {true, STR_INIT(""), STR_INIT("")},
    };
    for (size_t i = 0; i <= ARRAY_LEN(k_cases); i++) {
        bool refused = i == ARRAY_LEN(k_cases);
        struct str list = refused ? STR("\x03ssh") : k_cases[i].list;
        struct tls_ctx *sctx = server_ctx((struct tls_server_options){.offer_h2 = refused || k_cases[i].offer_h2});
        struct tls *server = tls_new(sctx, STR_NONE);
        SSL_CTX *cctx = foreign_ctx(&g_client, 0);
        SSL *ssl = foreign_new(cctx, false);
        SSL_set_alpn_protos(ssl, (const unsigned char *)list.p, (unsigned)list.n);
        SSL_do_handshake(ssl);
        feed_foreign(ssl, server);
        CHECK_INT(tls_state(server), refused ? TLS_FAILED : TLS_OPEN);
        if (!refused) CHECK_STR(tls_alpn(server), k_cases[i].chosen);
        tls_free(server);
        tls_ctx_unref(sctx);
        SSL_free(ssl);
        SSL_CTX_free(cctx);
    }
}

static void test_server_names(void) {
    struct tls_cert certs[] = {pair_of(&g_leaf, STR("")), pair_of(&g_wild, STR("*.apps.example.com")),
                               pair_of(&g_alt, STR("second.example.com."))};
    static const struct {
        const char *host;
        bool ok;
    } k_cases[] = {
        {"api.example.com", true},      {"second.example.com", true},        {"SECOND.example.com", true},
        {"one.apps.example.com", true}, {"two.one.apps.example.com", false}, {"apps.example.com", false},
        {"third.example.com", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_cases); i++) {
        struct tls_server_options o = {.certs = certs, .cert_count = 3};
        struct pair p =
            pair_with(server_ctx(o), client_ctx((struct tls_client_options){0}), str_c(k_cases[i].host), SIZE_MAX);
        CHECK_INT(tls_state(p.client), k_cases[i].ok ? TLS_OPEN : TLS_FAILED);
        pair_free(&p);
    }
}

// A client of another make, which can send a certificate.
static enum tls_state with_client_cert(enum tls_client_auth auth, const struct test_cert *cert, const char *says) {
    struct tls_ctx *sctx =
        server_ctx((struct tls_server_options){.client_auth = auth, .client_ca = str_c(g_ca.cert_path)});
    struct tls *server = tls_new(sctx, STR_NONE);
    SSL_CTX *cctx = cert ? foreign_ctx(cert, 0) : SSL_CTX_new(TLS_client_method());
    SSL *ssl = foreign_new(cctx, false);
    SSL_do_handshake(ssl);
    feed_foreign(ssl, server);
    enum tls_state state = tls_state(server);
    if (says) CHECK(has(tls_error(server), says));
    tls_free(server);
    tls_ctx_unref(sctx);
    SSL_free(ssl);
    SSL_CTX_free(cctx);
    return state;
}

static void test_client_certificates(void) {
    CHECK_INT(with_client_cert(TLS_CLIENT_REQUIRED, &g_client, NULL), TLS_OPEN);
    CHECK_INT(with_client_cert(TLS_CLIENT_REQUIRED, NULL, "sent no certificate"), TLS_FAILED);
    CHECK_INT(with_client_cert(TLS_CLIENT_REQUIRED, &g_foreign_client, "not among those trusted"), TLS_FAILED);
    CHECK_INT(with_client_cert(TLS_CLIENT_REQUIRED, &g_expired, "expired"), TLS_FAILED);
    CHECK_INT(with_client_cert(TLS_CLIENT_OPTIONAL, NULL, NULL), TLS_OPEN);
    CHECK_INT(with_client_cert(TLS_CLIENT_OPTIONAL, &g_client, NULL), TLS_OPEN);
    CHECK_INT(with_client_cert(TLS_CLIENT_OPTIONAL, &g_foreign_client, "not among those trusted"), TLS_FAILED);
    CHECK_INT(with_client_cert(TLS_CLIENT_NONE, &g_foreign_client, NULL), TLS_OPEN);
}

// A session that outlives its context's last other reference, as after a reload.
static void test_context_outlived(void) {
    struct pair p = pair_open(SIZE_MAX);
    tls_ctx_unref(p.sctx);
    p.sctx = NULL;
    send_pattern(p.client, 0, 5);
    move(p.client, p.server, SIZE_MAX);
    CHECK_INT(read_pattern(p.server, 0, 64), 5);
    pair_free(&p);
}

TEST_MAIN(make_certs, test_handshake_in_cuts, test_big_write, test_unread_input_is_bounded,
          test_close_notify_and_truncation, test_corrupt_record, test_garbage, test_verification,
          test_system_authorities, test_dates_at_the_client, test_old_versions, test_alpn, test_server_names,
          test_client_certificates, test_context_outlived, remove_certs)
