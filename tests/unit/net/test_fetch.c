// The control plane's HTTP requests against a small server of our own: answers, limits, refusals, TLS.
#include "net/fetch.h"

#include "check.h"
#include "temp_dir.h"
#include "tls_certs.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/mem.h"

#define PATIENCE_MS 20000

// Answers one connection after the other with the same bytes, and keeps the last request.
struct server {
    int listener;
    uint16_t port;
    pthread_t thread;
    SSL_CTX *tls; // NULL = plain
    struct str answer;
    size_t pad;     // bytes of "x" after the answer
    bool silent;    // says nothing and waits for the client to leave
    bool no_listen; // nobody is there
    char request[16384];
    size_t request_n;
};

static bool request_whole(struct server *s) {
    struct str seen = str_of(s->request, s->request_n);
    if (!s->tls && seen.n && seen.p[0] == 0x16) return true; // a TLS handshake where none is spoken
    size_t head = str_find(seen, STR("\r\n\r\n")), at = str_find(seen, STR("Content-Length: "));
    if (head == seen.n) return false;
    size_t length = at < head ? (size_t)strtoul(s->request + at + 16, NULL, 10) : 0;
    return seen.n >= head + 4 + length;
}

static void serve_one(struct server *s, int fd) {
    const struct timeval limit = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    SSL *ssl = s->tls ? SSL_new(s->tls) : NULL;
    s->request_n = 0;
    if (ssl && (!SSL_set_fd(ssl, fd) || SSL_accept(ssl) != 1)) goto out;
    while (s->request_n < sizeof s->request - 1) {
        char *at = s->request + s->request_n;
        int room = (int)(sizeof s->request - 1 - s->request_n);
        ssize_t n = ssl ? SSL_read(ssl, at, room) : recv(fd, at, (size_t)room, 0);
        if (n <= 0) break;
        s->request_n += (size_t)n;
        s->request[s->request_n] = '\0';
        if (!s->silent && request_whole(s)) break;
    }
    if (s->silent) goto out;
    static char pad[1 << 16];
    memset(pad, 'x', sizeof pad);
    if (ssl) {
        SSL_write(ssl, s->answer.p, (int)s->answer.n);
        SSL_shutdown(ssl);
        goto out;
    }
    if (send(fd, s->answer.p, s->answer.n, MSG_NOSIGNAL) < 0) goto out;
    for (size_t sent = 0; sent < s->pad;) {
        ssize_t n = send(fd, pad, MIN(sizeof pad, s->pad - sent), MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += (size_t)n;
    }
out:
    SSL_free(ssl);
    close(fd);
}

static void *serve(void *arg) {
    struct server *s = arg;
    for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0;) serve_one(s, fd);
    return NULL;
}

static void server_start(struct server *s) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(s->listener >= 0 && bind(s->listener, (struct sockaddr *)&a, n) == 0);
    REQUIRE(getsockname(s->listener, (struct sockaddr *)&a, &n) == 0);
    s->port = ntohs(a.sin_port);
    if (s->no_listen) return;
    REQUIRE(listen(s->listener, 16) == 0 && pthread_create(&s->thread, NULL, serve, s) == 0);
}

static void server_stop(struct server *s) {
    shutdown(s->listener, SHUT_RDWR);
    if (!s->no_listen) pthread_join(s->thread, NULL);
    close(s->listener);
    SSL_CTX_free(s->tls);
}

static bool ask(const struct server *s, const char *scheme, struct fetch_request r, struct fetch_answer *out,
                struct err *err) {
    char url[128];
    int n = snprintf(url, sizeof url, "%s://localhost:%u/v1/x?token=hush", scheme, s->port);
    r.url = str_of(url, (size_t)n);
    if (!r.timeout_ms) r.timeout_ms = PATIENCE_MS;
    return fetch(&r, out, err);
}

static bool says(const struct err *err, const char *what) {
    bool yes = strstr(err->message, what) != NULL;
    if (!yes) fprintf(stderr, "the message is \"%s\"\n", err->message);
    return yes;
}

static bool saw(const struct server *s, const char *what) { return strstr(s->request, what) != NULL; }

#define ANSWER(head, body) STR("HTTP/1.1 " head "\r\n\r\n" body)

static void a_get(void) {
    struct server s = {.answer = ANSWER("404 Not Found\r\nContent-Type: text/x; charset=utf-8\r\n"
                                        "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Length: 5",
                                        "hello")};
    struct fetch_answer a = {0};
    struct err err;
    server_start(&s);
    REQUIRE(ask(&s, "http", (struct fetch_request){0}, &a, &err));
    CHECK_INT(a.status, 404); // a status is no error
    CHECK_STR(buf_str(&a.body), STR("hello"));
    CHECK_STR(a.content_type, STR("text/x; charset=utf-8"));
    CHECK_STR(a.date, STR("Sat, 21 Nov 2026 10:00:00 GMT"));
    CHECK_INT(a.date_s, 1795255200);
    CHECK(a.connect_us > 0 && a.connect_us <= a.first_byte_us && a.first_byte_us <= a.total_us);
    CHECK_INT(a.tls_us, 0);
    CHECK_INT(a.cert_expires_s, 0);
    CHECK(saw(&s, "GET /v1/x?token=hush HTTP/1.1\r\n") && saw(&s, "\r\nUser-Agent: penstock\r\n"));
    fetch_answer_free(&a);
    server_stop(&s);
}

static void a_post(void) {
    const struct http_field fields[] = {{STR("X-Vault-Token"), STR("s.abc")},
                                        {STR("Content-Type"), STR("application/json")},
                                        {STR("X-Empty"), STR("")}};
    struct server s = {.answer = ANSWER("204 No Content", "")};
    struct fetch_answer a = {0};
    struct err err;
    struct fetch_request r = {
        .method = STR("POST"), .fields = fields, .n_fields = ARRAY_LEN(fields), .body = STR("{\"a\":1}")};
    server_start(&s);
    REQUIRE(ask(&s, "http", r, &a, &err));
    CHECK_INT(a.status, 204);
    CHECK_INT(a.body.n, 0);
    CHECK(saw(&s, "POST /v1/x") && saw(&s, "\r\nX-Vault-Token: s.abc\r\n") && saw(&s, "\r\nX-Empty:\r\n"));
    CHECK(saw(&s, "\r\nContent-Length: 7\r\n") && saw(&s, "\r\n\r\n{\"a\":1}") && !saw(&s, "Expect"));
    fetch_answer_free(&a);

    // A body without a type gets none made up; other methods are sent as they are.
    REQUIRE(ask(&s, "http", (struct fetch_request){.method = STR("PATCH"), .body = STR("x")}, &a, &err));
    CHECK(saw(&s, "PATCH /v1/x") && !saw(&s, "Content-Type"));
    fetch_answer_free(&a);
    REQUIRE(ask(&s, "http", (struct fetch_request){.method = STR("DELETE")}, &a, &err));
    CHECK(saw(&s, "DELETE /v1/x"));
    fetch_answer_free(&a);
    REQUIRE(ask(&s, "http", (struct fetch_request){.method = STR("POST")}, &a, &err));
    CHECK(saw(&s, "POST /v1/x") && saw(&s, "\r\nContent-Length: 0\r\n"));
    fetch_answer_free(&a);
    server_stop(&s);
}

static void no_redirects(void) {
    struct server s = {.answer =
                           ANSWER("307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0", "")};
    struct fetch_answer a = {0};
    struct err err;
    server_start(&s);
    REQUIRE(ask(&s, "http", (struct fetch_request){0}, &a, &err));
    CHECK_INT(a.status, 307);
    fetch_answer_free(&a);
    server_stop(&s);
}

static void bounds(void) {
    struct fetch_answer a = {0};
    struct err err;
    struct server s = {.answer = ANSWER("200 OK\r\nContent-Length: 101", ""), .pad = 101};
    server_start(&s);
    CHECK(!ask(&s, "http", (struct fetch_request){.max_body = 100}, &a, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_TOO_LARGE);
    CHECK(says(&err, "larger than 100 bytes"));
    REQUIRE(ask(&s, "http", (struct fetch_request){.max_body = 101}, &a, &err));
    CHECK_INT(a.body.n, 101);
    fetch_answer_free(&a);
    // Without a length it is noticed on the way; 1 MiB unless said otherwise.
    s.answer = ANSWER("200 OK", "");
    s.pad = 3 << 20;
    CHECK(!ask(&s, "http", (struct fetch_request){0}, &a, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_TOO_LARGE);
    s.pad = 1 << 20;
    REQUIRE(ask(&s, "http", (struct fetch_request){0}, &a, &err));
    CHECK_INT(a.body.n, 1 << 20);
    fetch_answer_free(&a);
    // A header section without end.
    static char head[200000];
    size_t n = (size_t)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n");
    while (n < sizeof head - 100) n += (size_t)snprintf(head + n, sizeof head - n, "x-%zu: %060d\r\n", n, 0);
    s.answer = str_of(head, n);
    s.pad = 0;
    CHECK(!ask(&s, "http", (struct fetch_request){0}, &a, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_TOO_LARGE);
    server_stop(&s);
}

static void broken_answers(void) {
    static const struct {
        struct str answer;
        enum err_code code;
    } cases[] = {
        {STR_INIT(""), ERR_UPSTREAM_RESET},
        {STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), ERR_UPSTREAM_RESET},
        {STR_INIT("SSH-2.0-nonsense\r\n\r\n"), ERR_UPSTREAM_INVALID},
        {STR_INIT("HTTP/7.3 200 OK\r\n\r\n"), ERR_UPSTREAM_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server s = {.answer = cases[i].answer};
        struct fetch_answer a = {.status = 7};
        struct err err;
        server_start(&s);
        CHECK(!ask(&s, "http", (struct fetch_request){0}, &a, &err));
        CHECK_INT(err.code, cases[i].code);
        CHECK_INT(a.status, 7); // untouched
        CHECK(says(&err, "http://localhost:") && !strstr(err.message, "hush"));
        server_stop(&s);
    }
}

static void refused_and_late(void) {
    struct fetch_answer a = {0};
    struct err err;
    struct server nobody = {.no_listen = true};
    server_start(&nobody);
    enum fetch_fault fault = FETCH_FAULT_OTHER;
    CHECK(!ask(&nobody, "http", (struct fetch_request){.out_fault = &fault}, &a, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_REFUSED);
    CHECK_INT(fault, FETCH_FAULT_CONNECT);
    CHECK(says(&err, "while connecting") && !strstr(err.message, "hush"));
    server_stop(&nobody);

    struct server s = {.silent = true};
    server_start(&s);
    CHECK(!ask(&s, "http", (struct fetch_request){.timeout_ms = 50, .out_fault = &fault}, &a, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_TIMEOUT);
    CHECK_INT(fault, FETCH_FAULT_TIMEOUT);
    CHECK(says(&err, "waiting for the answer"));
    server_stop(&s);
}

static void bad_requests(void) {
    static const struct http_field split = {STR_INIT("X-A"), STR_INIT("a\r\nX-B: b")};
    static const struct http_field name = {STR_INIT("X A"), STR_INIT("a")};
    const struct fetch_request cases[] = {
        {.url = STR("ftp://localhost/")},
        {.url = STR("file:///etc/passwd")},
        {.url = STR("")},
        {.url = STR("http://local host/")},
        {.url = STR("http://localhost/a\r\nb")},
        {.url = STR("http://user:secret@localhost:1/")},
        {.url = str_of("http://localhost:1/\0", 20)},
        {.url = STR("http://localhost:99999999/")},
        {.url = STR("http://localhost:1/"), .method = STR("GE T")},
        {.url = STR("http://localhost:1/"), .method = STR("ABCDEFGHIJKLMNOPQRSTUVW")},
        {.url = STR("http://localhost:1/"), .fields = &split, .n_fields = 1},
        {.url = STR("http://localhost:1/"), .fields = &name, .n_fields = 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fetch_answer a;
        struct err err;
        CHECK(!fetch(&cases[i], &a, &err));
        if (err.code != ERR_INVALID_REQUEST) fprintf(stderr, "case %zu: %s\n", i, err.message);
        CHECK_INT(err.code, ERR_INVALID_REQUEST);
        CHECK(!strstr(err.message, "secret"));
    }
}

static void over_tls(void) {
    const char *dir = temp_dir();
    struct test_cert ca = test_cert_make(dir, (struct test_cert_spec){.file = "ca", .cn = "CA", .authority = true});
    struct test_cert other = test_cert_make(dir, (struct test_cert_spec){.file = "o", .cn = "O", .authority = true});
    struct test_cert leaf = test_cert_make(
        dir, (struct test_cert_spec){.file = "leaf", .cn = "l", .alt = "DNS:localhost", .issuer = &ca, .to_s = 5000});
    struct server s = {.tls = SSL_CTX_new(TLS_server_method()), .answer = ANSWER("200 OK\r\nContent-Length: 2", "ok")};
    REQUIRE(SSL_CTX_use_certificate(s.tls, leaf.x509) == 1 && SSL_CTX_use_PrivateKey(s.tls, leaf.key) == 1);
    server_start(&s);

    struct fetch_answer a = {0};
    struct err err = {0};
    bool ok = ask(&s, "https", (struct fetch_request){.tls_ca = str_c(ca.cert_path)}, &a, &err);
    if (!ok) fprintf(stderr, "%s\n", err.message);
    REQUIRE(ok);
    CHECK_STR(buf_str(&a.body), STR("ok"));
    CHECK(a.tls_us >= a.connect_us && a.tls_us <= a.first_byte_us);
    struct tm end;
    REQUIRE(ASN1_TIME_to_tm(X509_get0_notAfter(leaf.x509), &end) == 1);
    CHECK_INT(a.cert_expires_s, timegm(&end));
    fetch_answer_free(&a);

    // Another authority, and the system's: neither knows this certificate.
    enum fetch_fault fault = FETCH_FAULT_OTHER;
    CHECK(!ask(&s, "https", (struct fetch_request){.tls_ca = str_c(other.cert_path), .out_fault = &fault}, &a, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_REFUSED);
    CHECK_INT(fault, FETCH_FAULT_CERTIFICATE);
    CHECK(says(&err, "certificate"));
    CHECK(!ask(&s, "https", (struct fetch_request){0}, &a, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_REFUSED);
    REQUIRE(ask(&s, "https", (struct fetch_request){.no_verify = true}, &a, &err));
    CHECK(a.cert_expires_s > 0);
    fetch_answer_free(&a);

    // A file of authorities that is not there, or is something else.
    CHECK(
        !ask(&s, "https", (struct fetch_request){.tls_ca = STR("/nonexistent/ca.pem"), .out_fault = &fault}, &a, &err));
    CHECK_INT(fault, FETCH_FAULT_CA_FILE);
    CHECK(says(&err, "/nonexistent/ca.pem"));
    CHECK(!ask(&s, "https", (struct fetch_request){.tls_ca = str_c(leaf.key_path)}, &a, &err));
    CHECK(says(&err, leaf.key_path));
    server_stop(&s);

    struct server plain = {.answer = ANSWER("200 OK\r\nContent-Length: 0", "")};
    server_start(&plain);
    CHECK(!ask(&plain, "https", (struct fetch_request){0}, &a, &err));
    CHECK(err.code == ERR_UPSTREAM_REFUSED || err.code == ERR_UPSTREAM_RESET);
    server_stop(&plain);
    test_cert_free(&ca);
    test_cert_free(&other);
    test_cert_free(&leaf);
}

static bool fails_cleanly(struct server *s, uint64_t nth) {
    const struct http_field field = {STR("X-A"), STR("b")};
    struct fetch_answer a = {0};
    struct err err;
    mem_fail_nth(nth);
    bool ok = ask(s, "http", (struct fetch_request){.fields = &field, .n_fields = 1, .body = STR("x")}, &a, &err);
    mem_fail_nth(0);
    if (ok) fetch_answer_free(&a);
    return !ok;
}

static void out_of_memory(void) {
    struct server s = {.answer = ANSWER("200 OK\r\nContent-Length: 2", "ok")};
    struct mem_stats before, after;
    server_start(&s);
    CHECK(!fails_cleanly(&s, 0));
    mem_stats_get(&before);
    unsigned failures = 0;
    for (uint64_t n = 1; n < 150; n++) failures += fails_cleanly(&s, n);
    CHECK(failures > 5);
    mem_stats_get(&after);
    CHECK_INT(after.allocs - before.allocs, after.frees - before.frees);
    server_stop(&s);
}

static void begin(void) {
    struct err err;
    signal(SIGPIPE, SIG_IGN);
    REQUIRE(fetch_global_begin(&err) && fetch_global_begin(&err));
}
static void end(void) {
    fetch_global_end();
    fetch_global_end();
    fetch_global_end();
}

TEST_MAIN(begin, a_get, a_post, no_redirects, bounds, broken_answers, refused_and_late, bad_requests, over_tls,
          out_of_memory, end)
