// A small HTTP server for tests of what asks others: answers by path, one connection after the other, and keeps what it
// was asked.
#ifndef TESTS_ADMIN_TEST_SERVER_H
#define TESTS_ADMIN_TEST_SERVER_H

#include "check.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_PATIENCE_S 20

struct test_route {
    const char *path; // the beginning; NULL ends the list
    int status;
    const char *body;
};
struct test_server {
    const struct test_route *routes;
    const char *date; // of all answers; NULL = none
    SSL_CTX *tls;     // NULL = plain
    bool silent;      // takes what it is sent and says nothing
    int listener;
    uint16_t port;
    pthread_t thread;
    char seen[65536]; // all that was asked
    size_t seen_n;
};

static inline const struct test_route *test_route_find(const struct test_server *s, const char *request) {
    static const struct test_route none = {"", 404, "{}"};
    const char *path = strchr(request, ' ');
    for (const struct test_route *r = s->routes; path && r && r->path; r++)
        if (strncmp(path + 1, r->path, strlen(r->path)) == 0) return r;
    return &none;
}

static inline bool test_request_whole(const char *request, size_t n) {
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    if (!end) return false;
    size_t body = length && length < end ? (size_t)strtoul(length + 16, NULL, 10) : 0;
    return n >= (size_t)(end - request) + 4 + body;
}

static inline void test_server_one(struct test_server *s, int fd) {
    const struct timeval limit = {.tv_sec = SERVER_PATIENCE_S};
    char request[16384] = "", head[512];
    size_t n = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    SSL *ssl = s->tls ? SSL_new(s->tls) : NULL;
    if (ssl && (!SSL_set_fd(ssl, fd) || SSL_accept(ssl) != 1)) goto out;
    while (n < sizeof request - 1) {
        int room = (int)(sizeof request - 1 - n);
        ssize_t got = ssl ? SSL_read(ssl, request + n, room) : recv(fd, request + n, (size_t)room, 0);
        if (got <= 0) goto out;
        n += (size_t)got;
        request[n] = '\0';
        if (!s->silent && test_request_whole(request, n)) break;
    }
    if (s->seen_n + n < sizeof s->seen) memcpy(s->seen + s->seen_n, request, n), s->seen_n += n;
    const struct test_route *r = test_route_find(s, request);
    int head_n =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s%s%s"
                 "Connection: close\r\n\r\n",
                 r->status, strlen(r->body), s->date ? "Date: " : "", s->date ? s->date : "", s->date ? "\r\n" : "");
    if (ssl) {
        SSL_write(ssl, head, head_n);
        SSL_write(ssl, r->body, (int)strlen(r->body));
        SSL_shutdown(ssl);
    } else if (send(fd, head, (size_t)head_n, MSG_NOSIGNAL) > 0) {
        (void)!send(fd, r->body, strlen(r->body), MSG_NOSIGNAL);
    }
out:
    SSL_free(ssl);
    close(fd);
}

static inline void *test_server_run(void *arg) {
    struct test_server *s = arg;
    for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0;) test_server_one(s, fd);
    return NULL;
}

static inline void test_server_start(struct test_server *s) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int on = 1;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    REQUIRE(s->listener >= 0 && bind(s->listener, (struct sockaddr *)&a, n) == 0 && listen(s->listener, 16) == 0);
    REQUIRE(getsockname(s->listener, (struct sockaddr *)&a, &n) == 0);
    s->port = ntohs(a.sin_port);
    REQUIRE(pthread_create(&s->thread, NULL, test_server_run, s) == 0);
}

static inline void test_server_stop(struct test_server *s) {
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    SSL_CTX_free(s->tls);
    s->tls = NULL;
}

static inline bool test_server_saw(const struct test_server *s, const char *what) {
    return str_find(str_of(s->seen, s->seen_n), str_c(what)) < s->seen_n;
}

#endif
