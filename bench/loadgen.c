/* An HTTP load generator in one thread, closed-loop or at a constant rate, which prints what it saw as one JSON object.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_os.h"
#include "hist.h"
#include "reply.h"

enum { READ_MAX = 256 * 1024, EVENTS_PER_WAIT = 256, WATCH_MAX = 16, HEADERS_MAX = 8192, KEYS_MAX = 4096 };

static const uint64_t STALL_NS = 10 * NS_PER_S; /* with no answer for so long, the run is over */
static const uint64_t HOLD_TICK_NS = 20 * NS_PER_MS;

struct options {
    struct sockaddr_in addr;
    char authority[64];
    const char *path, *body_file, *keys_file;
    const char *ends; /* of each body; NULL: any */
    char headers[HEADERS_MAX];
    size_t headers_len;
    uint64_t concurrency, requests, duration_ns, warmup_ns, hold, rate;
    bool stream;
    pid_t watch[WATCH_MAX];
    size_t watch_count;
};

struct request {
    char *p;
    size_t n;
};

struct conn {
    int fd;
    bool busy, wants_write, closed, held;
    uint64_t sent_at_ns, received; /* of the request in flight */
    size_t sent;
    const struct request *request;
    struct reply reply;
};

struct totals {
    uint64_t requests, errors, non_2xx, reconnects, bytes_in, body_min, body_max;
    struct hist latency, first;
};

enum phase { PHASE_WARMUP, PHASE_MEASURE, PHASE_DRAIN, PHASE_END };

struct load {
    struct options opt;
    int epoll;
    struct request requests[KEYS_MAX]; /* one a key; connections take turns with them */
    uint64_t request_count;
    struct conn *conns;
    uint64_t conn_count, in_flight, started, finished, held;
    enum phase phase;
    uint64_t began_ns, measured_ns, last_answer_ns;
    uint64_t cpu_ns[WATCH_MAX], own_cpu_ns;
    uint64_t rate_began_ns, next_idle;
    struct totals totals;
    uint32_t complaints;
    char in[READ_MAX];
};

static void complain(struct load *l, const char *what, const char *p, size_t n) {
    if (l->complaints++ >= 3) return;
    fprintf(stderr, "loadgen: %s: %.*s\n", what, (int)(n < 400 ? n : 400), p);
}

static void watch(struct load *l, struct conn *c, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (c->wants_write ? EPOLLOUT : 0U), .data.ptr = c};
    if (epoll_ctl(l->epoll, operation, c->fd, &event) != 0) die_errno("epoll_ctl");
}

static void conn_open(struct load *l, struct conn *c) {
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die_errno("socket");
    /* A connect that blocks is at once on loopback, and the handshake isn't what is measured. */
    if (connect(c->fd, (struct sockaddr *)&l->opt.addr, sizeof l->opt.addr) != 0) {
        die_errno("connect");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->wants_write = c->closed = false;
    watch(l, c, EPOLL_CTL_ADD);
}

static void conn_reopen(struct load *l, struct conn *c) {
    close(c->fd);
    conn_open(l, c);
}

static void request_failed(struct load *l, struct conn *c, const char *why);

static void conn_send(struct load *l, struct conn *c) {
    while (c->sent < c->request->n) {
        ssize_t n = send(c->fd, c->request->p + c->sent, c->request->n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            if (c->wants_write) return;
            c->wants_write = true;
            watch(l, c, EPOLL_CTL_MOD);
            return;
        }
        if (n < 0) {
            request_failed(l, c, strerror(errno));
            return;
        }
        c->sent += (size_t)n;
    }
    if (c->wants_write) {
        c->wants_write = false;
        watch(l, c, EPOLL_CTL_MOD);
    }
}

/* When the next request is due, at a constant rate. */
static uint64_t due_ns(const struct load *l) { return l->rate_began_ns + l->started * NS_PER_S / l->opt.rate; }

static bool may_start(const struct load *l) {
    if (l->opt.hold > 0) return l->started < l->opt.hold;
    if (l->phase == PHASE_DRAIN || l->phase == PHASE_END) return false;
    if (l->opt.rate > 0 && due_ns(l) > now_ns()) return false;
    return l->opt.requests == 0 || l->started < l->opt.requests;
}

static void conn_start(struct load *l, struct conn *c) {
    if (!may_start(l)) return;
    reply_reset(&c->reply);
    c->busy = true;
    c->sent = 0;
    c->received = 0;
    /* At a constant rate the clock starts when the request was due: what waits for a free connection waits. */
    c->sent_at_ns = l->opt.rate > 0 ? due_ns(l) : now_ns();
    l->started++;
    l->in_flight++;
    conn_send(l, c);
}

static void conn_idle(struct load *l, struct conn *c) {
    if (!c->busy) return;
    c->busy = false;
    l->in_flight--;
    l->finished++;
    l->last_answer_ns = now_ns();
}

static void request_failed(struct load *l, struct conn *c, const char *why) {
    complain(l, "request failed", why, strlen(why));
    l->totals.errors++;
    conn_idle(l, c);
    c->closed = true; /* the next request opens a new connection */
}

static void request_done(struct load *l, struct conn *c, uint64_t at_ns) {
    const struct reply *r = &c->reply;
    struct totals *t = &l->totals;
    conn_idle(l, c);
    if (r->close) {
        c->closed = true;
        t->reconnects++;
    }
    if (r->status < 200 || r->status > 299) {
        t->non_2xx++;
        return;
    }
    size_t ends = l->opt.ends == NULL ? 0 : strlen(l->opt.ends);
    if (ends > 0 && (r->tail_len < ends || memcmp(r->tail + r->tail_len - ends, l->opt.ends, ends) != 0)) {
        complain(l, "another end than asked for", r->tail, r->tail_len);
        t->errors++;
        return;
    }
    if (l->opt.stream && !reply_ends_done(r)) {
        complain(l, "stream without [DONE], its end is", r->tail, r->tail_len);
        t->errors++;
        return;
    }
    t->requests++;
    t->bytes_in += c->received;
    if (r->body_bytes < t->body_min || t->body_min == 0) t->body_min = r->body_bytes;
    if (r->body_bytes > t->body_max) t->body_max = r->body_bytes;
    hist_add(&t->latency, at_ns - c->sent_at_ns);
}

static void conn_held(struct load *l, struct conn *c) {
    if (l->opt.hold == 0 || c->held) return;
    c->held = true;
    l->held++;
    l->last_answer_ns = now_ns();
}

/* The connection is of no more use; it is closed when its place is needed again. */
static void conn_retire(struct load *l, struct conn *c) {
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    c->closed = true;
}

static void conn_read(struct load *l, struct conn *c) {
    ssize_t got = recv(c->fd, l->in, sizeof l->in, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        if (c->busy) {
            request_failed(l, c, got == 0 ? "connection closed before its end" : strerror(errno));
        }
        conn_retire(l, c);
        return;
    }
    uint64_t at_ns = now_ns();
    size_t n = (size_t)got;
    if (!c->busy) {
        if (!c->closed) request_failed(l, c, "bytes after the end of an answer");
        conn_retire(l, c);
        return;
    }
    bool had_event = c->reply.event_seen;
    size_t used = reply_feed(&c->reply, l->in, n);
    c->received += n;
    if (!had_event && c->reply.event_seen && l->opt.stream) {
        hist_add(&l->totals.first, at_ns - c->sent_at_ns);
        conn_held(l, c);
    }
    if (c->reply.state == REPLY_BROKEN || (used < n && c->reply.state == REPLY_DONE)) {
        request_failed(l, c, "broken HTTP answer");
        return;
    }
    if (c->reply.state != REPLY_DONE) return;
    if (c->reply.status > 299) complain(l, "answer", l->in, n);
    request_done(l, c, at_ns);
    conn_held(l, c);
}

static void conn_event(struct load *l, struct conn *c, uint32_t events) {
    if ((events & EPOLLOUT) != 0) conn_send(l, c);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) conn_read(l, c);
    if (c->busy || l->opt.hold > 0 || !may_start(l)) return;
    if (c->closed) conn_reopen(l, c);
    conn_start(l, c);
}

static uint64_t watched_now(const struct load *l, size_t i) { return process_cpu_ns(l->opt.watch[i]); }

static void measure_begin(struct load *l) {
    l->phase = PHASE_MEASURE;
    memset(&l->totals, 0, sizeof l->totals);
    for (size_t i = 0; i < l->opt.watch_count; i++) l->cpu_ns[i] = watched_now(l, i);
    l->own_cpu_ns = process_cpu_ns(getpid());
    l->began_ns = now_ns();
}

static void measure_end(struct load *l) {
    l->measured_ns = now_ns() - l->began_ns;
    l->own_cpu_ns = process_cpu_ns(getpid()) - l->own_cpu_ns;
    for (size_t i = 0; i < l->opt.watch_count; i++) l->cpu_ns[i] = watched_now(l, i) - l->cpu_ns[i];
    l->phase = PHASE_DRAIN;
}

static void print_quantiles(const char *name, const struct hist *h) {
    printf(",\"%s\":{\"p50\":%.2f,\"p90\":%.2f,\"p95\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f,"
           "\"mean\":%.2f}",
           name, (double)hist_quantile(h, 0.5) / 1e3, (double)hist_quantile(h, 0.9) / 1e3,
           (double)hist_quantile(h, 0.95) / 1e3, (double)hist_quantile(h, 0.99) / 1e3,
           (double)hist_quantile(h, 0.999) / 1e3, (double)h->max_ns / 1e3,
           h->count == 0 ? 0.0 : (double)h->sum_ns / (double)h->count / 1e3);
}

static void print_result(const struct load *l, const struct totals *t) {
    double seconds = (double)l->measured_ns / 1e9;
    printf("{\"requests\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"non_2xx\":%" PRIu64 ",\"reconnects\":%" PRIu64
           ",\"unfinished\":%" PRIu64 ",\"seconds\":%.6f,\"requests_per_s\":%.2f,\"bytes_in\":%" PRIu64
           ",\"body_bytes_min\":%" PRIu64 ",\"body_bytes_max\":%" PRIu64,
           t->requests, t->errors, t->non_2xx, t->reconnects, l->in_flight, seconds,
           seconds > 0 ? (double)t->requests / seconds : 0.0, t->bytes_in, t->body_min, t->body_max);
    print_quantiles("latency_us", &t->latency);
    if (l->opt.stream) print_quantiles("first_event_us", &t->first);
    printf(",\"own_cpu_ns\":%" PRIu64 ",\"watched\":[", l->own_cpu_ns);
    for (size_t i = 0; i < l->opt.watch_count; i++) {
        printf("%s{\"pid\":%d,\"cpu_ns\":%" PRIu64 "}", i > 0 ? "," : "", (int)l->opt.watch[i], l->cpu_ns[i]);
    }
    printf("]}\n");
    fflush(stdout);
}

static volatile sig_atomic_t g_end; /* SIGTERM or SIGINT came: time to end */

static void on_end(int number) {
    (void)number;
    g_end = 1;
}

/* Starts what is due on connections that are idle. */
static void start_due(struct load *l) {
    for (uint64_t looked = 0; looked < l->conn_count && may_start(l); looked++) {
        struct conn *c = &l->conns[l->next_idle++ % l->conn_count];
        if (c->busy) continue;
        if (c->closed) conn_reopen(l, c);
        conn_start(l, c);
        looked = 0;
    }
}

static int wait_and_handle(struct load *l, int timeout_ms) {
    struct epoll_event events[EVENTS_PER_WAIT];
    struct timespec wait = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    if (l->opt.rate > 0) {
        uint64_t now = now_ns(), due = due_ns(l), left = due > now ? due - now : 0;
        /* With all connections busy there is nothing to do before one of them is heard from. */
        if (left == 0 && l->in_flight == l->conn_count) left = NS_PER_MS;
        if (left < 50 * NS_PER_MS) wait = (struct timespec){.tv_nsec = (long)left};
    }
    int n = epoll_pwait2(l->epoll, events, EVENTS_PER_WAIT, &wait, NULL);
    if (n < 0 && errno != EINTR) die_errno("epoll_wait");
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL) return -1; /* standard input: time to end */
        conn_event(l, events[i].data.ptr, events[i].events);
    }
    if (l->opt.rate > 0) start_due(l);
    return n;
}

static bool all_started_are_done(const struct load *l) {
    if (l->opt.rate > 0 && (l->opt.requests == 0 || l->started < l->opt.requests)) return false;
    return l->in_flight == 0 && !may_start(l);
}

/* Measures until the time or the number of requests is up, then lets what is in flight end. */
static void load_run(struct load *l) {
    uint64_t start = now_ns();
    struct totals *kept = malloc(sizeof *kept);
    if (kept == NULL) abort();
    l->last_answer_ns = l->rate_began_ns = start;
    signal(SIGTERM, on_end);
    signal(SIGINT, on_end);
    if (l->opt.warmup_ns == 0) measure_begin(l);
    for (uint64_t i = 0; i < l->conn_count; i++) {
        conn_open(l, &l->conns[i]);
        conn_start(l, &l->conns[i]);
    }
    while (l->phase != PHASE_END) {
        (void)wait_and_handle(l, 50);
        uint64_t now = now_ns();
        bool stalled = now - l->last_answer_ns > STALL_NS;
        if (l->phase == PHASE_WARMUP && now - start >= l->opt.warmup_ns) {
            measure_begin(l);
            now = l->began_ns;
        }
        if (l->phase == PHASE_MEASURE && (all_started_are_done(l) || stalled || g_end ||
                                          (l->opt.duration_ns > 0 && now - l->began_ns >= l->opt.duration_ns))) {
            measure_end(l);
            *kept = l->totals;
        }
        if (l->phase == PHASE_DRAIN && (l->in_flight == 0 || stalled)) l->phase = PHASE_END;
    }
    kept->errors = l->totals.errors; /* one that fails in the drain is still a failure */
    kept->non_2xx = l->totals.non_2xx;
    print_result(l, kept);
    free(kept);
}

/* Whether one more connection may be opened now. Idle ones are limited by the answers still awaited.
 * Streams go by the clock, `concurrency` every 20 ms: a proxy may keep even the header back until the
 * first event, so there is nothing to wait for. */
static bool hold_may_open(const struct load *l, uint64_t began_ns) {
    if (l->started >= l->opt.hold) return false;
    if (!l->opt.stream) return l->in_flight < l->opt.concurrency;
    uint64_t ticks = (now_ns() - began_ns) / HOLD_TICK_NS + 1;
    return l->started < ticks * l->opt.concurrency;
}

/* Opens connections with one request each, and reads whatever the streams bring until the end of
 * standard input. */
static void load_hold(struct load *l) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    uint64_t began_ns = now_ns();
    l->phase = PHASE_MEASURE;
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) die_errno("stdin");
    l->last_answer_ns = began_ns;
    while (l->held < l->opt.hold && l->totals.errors + l->totals.non_2xx == 0) {
        while (hold_may_open(l, began_ns)) {
            struct conn *c = &l->conns[l->started];
            conn_open(l, c);
            conn_start(l, c);
        }
        if (wait_and_handle(l, 5) < 0) return;
        if (now_ns() - l->last_answer_ns > 3 * STALL_NS) break;
    }
    printf("{\"held\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"non_2xx\":%" PRIu64 "}\n", l->held, l->totals.errors,
           l->totals.non_2xx);
    fflush(stdout);
    while (wait_and_handle(l, 1000) >= 0) continue;
}

static char *body_read(const char *path, size_t *out_n) {
    size_t cap = 1U << 26;
    FILE *f = fopen(path, "rb");
    char *body = malloc(cap);
    if (f == NULL) die_errno(path);
    if (body == NULL) abort();
    *out_n = fread(body, 1, cap, f);
    fclose(f);
    return body;
}

/* key: of this request alone; empty = none. */
static void build_request(struct load *l, const char *key, const char *body, size_t body_len) {
    size_t cap = body_len + l->opt.headers_len + strlen(l->opt.path) + strlen(key) + 512;
    char *p = malloc(cap);
    if (p == NULL) abort();
    if (l->request_count == KEYS_MAX) die_usage("too many keys", l->opt.keys_file);
    int n = snprintf(p, cap, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n%.*s", body == NULL ? "GET" : "POST",
                     l->opt.path, l->opt.authority, (int)l->opt.headers_len, l->opt.headers);
    if (*key) n += snprintf(p + n, cap - (size_t)n, "Authorization: Bearer %s\r\n", key);
    if (body != NULL) {
        n += snprintf(p + n, cap - (size_t)n, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body_len);
    }
    n += snprintf(p + n, cap - (size_t)n, "\r\n");
    if (body_len > 0) memcpy(p + n, body, body_len);
    l->requests[l->request_count++] = (struct request){p, (size_t)n + body_len};
}

static void build_requests(struct load *l) {
    size_t body_len = 0;
    char *body = l->opt.body_file == NULL ? NULL : body_read(l->opt.body_file, &body_len), line[512];
    FILE *f = l->opt.keys_file == NULL ? NULL : fopen(l->opt.keys_file, "r");
    if (l->opt.keys_file != NULL && f == NULL) die_errno(l->opt.keys_file);
    if (f == NULL) build_request(l, "", body, body_len);
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        build_request(l, line, body, body_len);
    }
    if (f != NULL) fclose(f);
    if (l->request_count == 0) die_usage("no keys in", l->opt.keys_file);
    free(body);
}

static void url_parse(struct options *o, const char *url) {
    if (strncmp(url, "http://", 7) != 0) die_usage("--url must begin with http://", url);
    const char *host = url + 7;
    const char *slash = strchr(host, '/');
    size_t n = slash == NULL ? strlen(host) : (size_t)(slash - host);
    if (n >= sizeof o->authority || !addr_parse(host, n, &o->addr)) {
        die_usage("--url needs a numeric HOST:PORT", url);
    }
    memcpy(o->authority, host, n);
    o->path = slash == NULL ? "/" : slash;
}

static uint64_t take_number(const char *name, const char *text, uint64_t max) {
    uint64_t value;
    if (!number_parse(text, max, &value)) die_usage(name, text);
    return value;
}

static uint64_t take_seconds(const char *name, const char *text) {
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds >= 0) || seconds > 1e6) die_usage(name, text);
    return (uint64_t)(seconds * 1e9);
}

static void add_header(struct options *o, const char *header) {
    size_t n = strlen(header);
    if (o->headers_len + n + 2 >= sizeof o->headers) die_usage("too many headers", header);
    memcpy(o->headers + o->headers_len, header, n);
    memcpy(o->headers + o->headers_len + n, "\r\n", 2);
    o->headers_len += n + 2;
}

static const char HELP[] =
    "usage: bench_loadgen --url http://HOST:PORT/PATH [options]\n"
    "  --concurrency N      connections in flight (default 1)\n"
    "  --duration SECONDS   how long to measure, and/or\n"
    "  --requests N         how many requests to send\n"
    "  --warmup SECONDS     run so long before measuring (default 0)\n"
    "  --header 'K: V'      add a header (repeatable)\n"
    "  --keys-file FILE     send these API keys, one a line: connections take turns with them\n"
    "  --body-file FILE     POST this body (default: GET)\n"
    "  --stream             the answer is a stream of events: time its first, demand [DONE]\n"
    "  --rate N             start N requests a second, whatever the answers take; latency counts from\n"
    "                       when a request was due\n"
    "  --ends TEXT          demand that each answer's body ends so (16 bytes at most)\n"
    "  --cpu N              pin to this CPU\n"
    "  --watch PID          report the CPU time this process used meanwhile (repeatable)\n"
    "  --hold N             open N connections with one request each and keep them (with --stream:\n"
    "                       N open streams) until standard input ends\n"
    "SIGTERM ends the measurement early.\n";

static const struct option OPTIONS[] = {
    {"url", required_argument, NULL, 'u'},
    {"concurrency", required_argument, NULL, 'c'},
    {"duration", required_argument, NULL, 'd'},
    {"requests", required_argument, NULL, 'n'},
    {"warmup", required_argument, NULL, 'w'},
    {"header", required_argument, NULL, 'H'},
    {"body-file", required_argument, NULL, 'b'},
    {"keys-file", required_argument, NULL, 'k'},
    {"stream", no_argument, NULL, 's'},
    {"ends", required_argument, NULL, 'e'},
    {"cpu", required_argument, NULL, 'p'},
    {"watch", required_argument, NULL, 'W'},
    {"hold", required_argument, NULL, 'o'},
    {"rate", required_argument, NULL, 'r'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void option_take(struct options *o, int option, const char *value) {
    switch (option) {
    case 'u':
        url_parse(o, value);
        break;
    case 'c':
        o->concurrency = take_number("--concurrency", value, 100000);
        break;
    case 'd':
        o->duration_ns = take_seconds("--duration", value);
        break;
    case 'n':
        o->requests = take_number("--requests", value, UINT32_MAX);
        break;
    case 'w':
        o->warmup_ns = take_seconds("--warmup", value);
        break;
    case 'H':
        add_header(o, value);
        break;
    case 'b':
        o->body_file = value;
        break;
    case 'k':
        o->keys_file = value;
        break;
    case 'e':
        o->ends = value;
        break;
    case 's':
        o->stream = true;
        break;
    case 'p':
        pin_to_cpu((int)take_number("--cpu", value, 1023));
        break;
    case 'W':
        if (o->watch_count == WATCH_MAX) die_usage("too many", "--watch");
        o->watch[o->watch_count++] = (pid_t)take_number("--watch", value, INT32_MAX);
        break;
    case 'o':
        o->hold = take_number("--hold", value, 1000000);
        break;
    case 'r':
        o->rate = take_number("--rate", value, 1000000);
        break;
    case 'h':
        fputs(HELP, stdout);
        exit(0);
    default:
        fputs(HELP, stderr);
        exit(2);
    }
}

int main(int argc, char **argv) {
    struct load *l = calloc(1, sizeof *l);
    if (l == NULL) abort();
    l->opt.concurrency = 1;
    for (int o; (o = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        option_take(&l->opt, o, optarg);
    }
    if (l->opt.path == NULL) die_usage("missing option", "--url");
    if (l->opt.concurrency == 0) die_usage("--concurrency", "0");
    if (l->opt.hold == 0 && l->opt.duration_ns == 0 && l->opt.requests == 0) {
        die_usage("missing option", "--duration, --requests or --hold");
    }
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    build_requests(l);
    l->conn_count = l->opt.hold > 0 ? l->opt.hold : l->opt.concurrency;
    l->conns = calloc(l->conn_count, sizeof *l->conns);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->conns == NULL || l->epoll < 0) die_errno("starting");
    for (uint64_t i = 0; i < l->conn_count; i++) l->conns[i].request = &l->requests[i % l->request_count];
    if (l->opt.hold > 0) {
        load_hold(l);
    } else {
        load_run(l);
    }
    return 0;
}
