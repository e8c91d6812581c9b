// A Vault for unit tests: answers each request by the first rule that fits it, and keeps a log of what it was asked.
#ifndef TESTS_FAKE_VAULT_H
#define TESTS_FAKE_VAULT_H

#include "check.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct rule {
    const char *request; // "GET secret/data/app"; a * at its end stands for anything
    int status;
    const char *answer;
    const char *token; // only for this token; NULL = any
    int times;         // how often it serves; 0 = always
    int served;
};

struct fake_vault {
    pthread_mutex_t lock;
    pthread_t thread;
    int listener;
    uint16_t port;
    bool open;
    struct rule rules[32];
    size_t n_rules;
    char log[16384]; // "GET secret/data/app [s.token] {body}\n" each
    size_t log_n;
    char name_space[64]; // of the last request
};

static inline struct str fake_header(struct str head, struct str name) {
    struct str line;
    while (str_split(&head, '\n', &line)) {
        size_t colon = str_find_char(line, ':');
        if (str_eq_nocase(str_head(line, colon), name)) return str_trim(str_from(line, colon + 1));
    }
    return STR_NONE;
}

static inline struct rule *fake_rule(struct fake_vault *f, struct str request, struct str token) {
    for (size_t i = 0; i < f->n_rules; i++) {
        struct rule *r = &f->rules[i];
        struct str wanted = str_c(r->request);
        bool fits =
            str_ends(wanted, STR("*")) ? str_starts(request, str_head(wanted, wanted.n - 1)) : str_eq(wanted, request);
        if (!fits || (r->token && !str_eq(str_c(r->token), token))) continue;
        if (!r->times || r->served < r->times) return r;
    }
    return NULL;
}

// One request: logs it, gives status and body.
static inline int fake_answer(struct fake_vault *f, struct str head, struct str body, const char **out_body) {
    struct str rest = head, method, path;
    char request[1024];
    if (!str_split(&rest, ' ', &method) || !str_split(&rest, ' ', &path)) return 400;
    int n = snprintf(request, sizeof request, "%.*s %.*s", STR_ARG(method), STR_ARG(str_from(path, 4)));
    struct str token = fake_header(head, STR("x-vault-token"));
    pthread_mutex_lock(&f->lock);
    f->log_n += (size_t)snprintf(f->log + f->log_n, sizeof f->log - f->log_n, "%s [%.*s] %.*s\n", request,
                                 STR_ARG(token), STR_ARG(body));
    if (f->log_n >= sizeof f->log) abort(); // REQUIRE counts, which is for the main thread
    snprintf(f->name_space, sizeof f->name_space, "%.*s", STR_ARG(fake_header(head, STR("x-vault-namespace"))));
    struct rule *rule = fake_rule(f, str_of(request, (size_t)n), token);
    int status = rule ? rule->status : 404;
    *out_body = rule ? rule->answer : "{\"errors\":[]}\n";
    if (rule) rule->served++;
    pthread_mutex_unlock(&f->lock);
    return status;
}

static inline void fake_serve(struct fake_vault *f, int fd) {
    const struct timeval limit = {.tv_sec = 20};
    char in[16384]; // no allocation here: tests make those of the client fail
    size_t in_n = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (;;) {
        struct str all = str_of(in, in_n);
        size_t head = str_find(all, STR("\r\n\r\n"));
        if (head < all.n) {
            struct str length = fake_header(str_head(all, head), STR("content-length"));
            size_t want = length.n ? (size_t)strtoul(length.p, NULL, 10) : 0;
            if (all.n >= head + 4 + want) {
                const char *body = "";
                char out[512];
                int status = fake_answer(f, str_head(all, head), str_from(all, head + 4), &body);
                int n = snprintf(out, sizeof out,
                                 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                                 "Connection: close\r\n\r\n",
                                 status, strlen(body));
                if (send(fd, out, (size_t)n, MSG_NOSIGNAL | MSG_MORE) < 0) return;
                if (send(fd, body, strlen(body), MSG_NOSIGNAL) < 0) return;
                return;
            }
        }
        ssize_t n = recv(fd, in + in_n, sizeof in - in_n, 0);
        if (n <= 0) return;
        in_n += (size_t)n;
    }
}

static inline void *fake_run(void *arg) {
    struct fake_vault *f = arg;
    for (int fd; (fd = accept(f->listener, NULL, NULL)) >= 0;) {
        fake_serve(f, fd);
        close(fd);
    }
    return NULL;
}

static inline void fake_up(struct fake_vault *f) {
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int on = 1;
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(f->listener >= 0 && setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    REQUIRE(bind(f->listener, (struct sockaddr *)&a, n) == 0 && listen(f->listener, 16) == 0);
    REQUIRE(getsockname(f->listener, (struct sockaddr *)&a, &n) == 0);
    f->port = ntohs(a.sin_port);
    pthread_mutex_init(&f->lock, NULL);
    REQUIRE(pthread_create(&f->thread, NULL, fake_run, f) == 0);
    f->open = true;
}

// Nobody listens there any more.
static inline void fake_down(struct fake_vault *f) {
    if (!f->open) return;
    shutdown(f->listener, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    close(f->listener);
    f->open = false;
}

static inline void fake_add(struct fake_vault *f, struct rule rule) {
    pthread_mutex_lock(&f->lock);
    REQUIRE(f->n_rules < sizeof f->rules / sizeof f->rules[0]);
    f->rules[f->n_rules++] = rule;
    pthread_mutex_unlock(&f->lock);
}

// From now on this request is answered so.
static inline void fake_set(struct fake_vault *f, const char *request, int status, const char *answer) {
    pthread_mutex_lock(&f->lock);
    size_t kept = 0;
    for (size_t i = 0; i < f->n_rules; i++) {
        if (strcmp(f->rules[i].request, request) != 0) f->rules[kept++] = f->rules[i];
    }
    f->n_rules = kept;
    pthread_mutex_unlock(&f->lock);
    fake_add(f, (struct rule){.request = request, .status = status, .answer = answer});
}

// How often the log has this text; forgets the log when `what` is NULL.
static inline int fake_count(struct fake_vault *f, const char *what) {
    int n = 0;
    pthread_mutex_lock(&f->lock);
    if (!what) {
        f->log_n = 0;
        f->log[0] = '\0';
    }
    for (const char *at = f->log; what && (at = strstr(at, what)); at += strlen(what)) n++;
    pthread_mutex_unlock(&f->lock);
    return n;
}

#endif
