/* A fast single-threaded stand-in for an OpenAI-compatible server, scripted by the model's name. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_os.h"
#include "mock_answer.h"
#include "mock_fault.h"
#include "mock_timer.h"

/* What is kept of a request: its header and the start of its body. The model's name and the stream
 * options must lie in there; the rest of a long body is counted and dropped. */
enum { HEAD_MAX = 16 * 1024, EVENTS_PER_WAIT = 256 };

enum conn_state { CONN_HEAD, CONN_BODY, CONN_WAITING, CONN_WRITING };

struct conn {
    struct timer timer; /* first, so that a timer is its connection */
    int fd;
    enum conn_state state;
    bool close_after, counted, wants_write;
    char *head; /* owned; only while a request is incomplete */
    size_t head_len, body_at, body_left;
    const struct answer *answer;
    uint32_t events_left;
    const char *out; /* what is still to be written of the current piece */
    size_t out_left;
    uint32_t next_cut;
};

struct mock {
    int epoll, listener;
    struct answer_book book;
    struct timer_heap timers;
    uint64_t accepted, open, connections, requests, aborted;
    struct faults faults;
    uint64_t delay_ns, busy_until_ns; /* of the models node, queue and tail */
    char in[HEAD_MAX];
};

struct request {
    const char *head, *body;
    size_t head_len, body_len;
};

static void watch(struct mock *m, struct conn *c, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (c->wants_write ? EPOLLOUT : 0U), .data.ptr = c};
    if (epoll_ctl(m->epoll, operation, c->fd, &event) != 0) die_errno("epoll_ctl");
}

static void conn_close(struct mock *m, struct conn *c) {
    if (c->state == CONN_WAITING || c->state == CONN_WRITING) m->aborted++;
    timer_remove(&m->timers, &c->timer);
    close(c->fd);
    free(c->head);
    free(c);
    m->open--;
}

static void want_write(struct mock *m, struct conn *c, bool wanted) {
    if (c->wants_write == wanted) return;
    c->wants_write = wanted;
    watch(m, c, EPOLL_CTL_MOD);
}

/* Sends what is left of the piece. False: the connection is gone. */
static bool conn_flush(struct mock *m, struct conn *c) {
    while (c->out_left > 0) {
        ssize_t n = send(c->fd, c->out, c->out_left, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            want_write(m, c, true);
            return true;
        }
        if (n < 0) {
            conn_close(m, c);
            return false;
        }
        c->out += n;
        c->out_left -= (size_t)n;
    }
    return true;
}

static void conn_finish(struct mock *m, struct conn *c) {
    c->state = CONN_HEAD;
    want_write(m, c, false);
    if (c->close_after) conn_close(m, c);
}

/* Writes a canned answer cut by cut until it is out or the socket is full. */
static void answer_whole(struct mock *m, struct conn *c) {
    const struct answer *a = c->answer;
    c->state = CONN_WRITING;
    while (c->out_left == 0 && c->next_cut < a->cuts) {
        size_t from = c->next_cut == 0 ? 0 : a->cut[c->next_cut - 1];
        c->out = a->whole.p + from;
        c->out_left = a->cut[c->next_cut] - from;
        c->next_cut++;
        if (!conn_flush(m, c)) return;
    }
    if (c->out_left == 0) conn_finish(m, c);
}

static bool send_piece(struct mock *m, struct conn *c, const struct bytes *piece) {
    c->out = piece->p;
    c->out_left = piece->n;
    return conn_flush(m, c);
}

static void wait_for_next(struct mock *m, struct conn *c, uint64_t since_ns) {
    c->state = CONN_WAITING;
    timer_set(&m->timers, &c->timer, since_ns + c->answer->script.delay_ms * NS_PER_MS);
}

static void slow_step(struct mock *m, struct conn *c) {
    uint64_t was_due = c->timer.due_ns;
    if (c->out_left > 0) { /* the reader is slower than the script: try again a beat later */
        wait_for_next(m, c, was_due);
        return;
    }
    if (!send_piece(m, c, &c->answer->event)) return;
    if (--c->events_left > 0) {
        wait_for_next(m, c, was_due);
        return;
    }
    if (c->out_left > 0) { /* only a reader that stopped long ago gets here */
        conn_close(m, c);
        return;
    }
    c->state = CONN_WRITING;
    if (send_piece(m, c, &c->answer->tail) && c->out_left == 0) conn_finish(m, c);
}

static void timer_fired(struct mock *m, struct conn *c) {
    timer_remove(&m->timers, &c->timer);
    if (c->answer->script.kind == ANSWER_SLOW) {
        slow_step(m, c);
    } else {
        answer_whole(m, c);
    }
}

static void answer_begin(struct mock *m, struct conn *c, const struct answer *a) {
    c->answer = a;
    c->next_cut = 0;
    if (a->script.kind == ANSWER_PLAIN || a->script.kind == ANSWER_STREAM) {
        answer_whole(m, c);
        return;
    }
    c->events_left = a->script.size;
    c->state = CONN_WAITING;
    if (a->script.kind == ANSWER_SLOW && !send_piece(m, c, &a->head)) return;
    wait_for_next(m, c, now_ns());
}

/* Answers that aren't scripted are short: what the socket doesn't take at once is a failure. */
static void answer_short(struct mock *m, struct conn *c, const char *status, const char *body) {
    char text[1024];
    int n =
        snprintf(text, sizeof text, "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                 status, strlen(body), body);
    if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n) c->close_after = true;
    conn_finish(m, c);
}

static void answer_stats(struct mock *m, struct conn *c) {
    char body[768];
    int n = snprintf(body, sizeof body,
                     "{\"accepted\":%" PRIu64 ",\"open\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"requests\":%" PRIu64
                     ",\"aborted\":%" PRIu64 ",\"faults\":{",
                     m->accepted, m->open, m->connections, m->requests, m->aborted);
    for (int i = 0; i < FAULT_COUNT; i++) {
        n += snprintf(body + n, sizeof body - (size_t)n, "%s\"%s\":%" PRIu64, i > 0 ? "," : "",
                      fault_name((enum fault)i), m->faults.done[i]);
    }
    snprintf(body + n, sizeof body - (size_t)n, "}}\n");
    answer_short(m, c, "200 OK", body);
}

static void answer_after(struct mock *m, struct conn *c, const struct answer *a, uint64_t due_ns) {
    c->answer = a;
    c->next_cut = 0;
    c->state = CONN_WAITING;
    timer_set(&m->timers, &c->timer, due_ns);
}

static void answer_fault(struct mock *m, struct conn *c, enum fault fault, bool stream) {
    struct linger hard = {.l_onoff = 1};
    size_t n;
    bool reset;
    const char *p = fault_bytes(fault, stream, &n);
    if (n > 0 && send(c->fd, p, n, MSG_NOSIGNAL) != (ssize_t)n) c->close_after = true;
    if (fault_ends(fault, &reset)) {
        if (reset) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        conn_close(m, c);
    } else if (fault == FAULT_HANG) {
        c->state = CONN_WAITING;
    } else {
        conn_finish(m, c);
    }
}

/* "faulty-PERMILLE", "tail-PERMILLE-MS", "node", "queue". False: the name is none of these. */
static bool answer_scripted(struct mock *m, struct conn *c, const char *model, size_t n, bool stream) {
    char name[48];
    unsigned permille = 0, ms = 0;
    const char *kind = stream ? "stream-16" : "plain-1k";
    if (n >= sizeof name) return false;
    memcpy(name, model, n);
    name[n] = '\0';
    const struct answer *a = answer_find(&m->book, kind, strlen(kind), false);
    uint64_t now = now_ns();
    if (sscanf(name, "faulty-%4u", &permille) == 1) {
        enum fault fault = fault_draw(&m->faults, permille);
        if (fault == FAULT_NONE)
            answer_begin(m, c, a);
        else
            answer_fault(m, c, fault, stream);
    } else if (sscanf(name, "tail-%4u-%6u", &permille, &ms) == 2) {
        bool slow = fault_draw(&m->faults, permille) != FAULT_NONE;
        answer_after(m, c, a, now + (slow ? ms * NS_PER_MS : m->delay_ns));
    } else if (strcmp(name, "node") == 0) {
        answer_after(m, c, a, now + m->delay_ns);
    } else if (strcmp(name, "queue") == 0) { /* one at a time */
        m->busy_until_ns = (m->busy_until_ns > now ? m->busy_until_ns : now) + m->delay_ns;
        answer_after(m, c, a, m->busy_until_ns);
    } else {
        return false;
    }
    return true;
}

/* Finds "name" in a JSON body and gives what follows its colon, or NULL. The bench's own bodies
 * have no such text inside a string, so no parser is needed here. */
static const char *member_find(const char *body, size_t n, const char *name) {
    const char *end = body + n;
    const char *at = memmem(body, n, name, strlen(name));
    if (at == NULL) return NULL;
    for (at += strlen(name); at < end && (*at == ' ' || *at == ':'); at++) continue;
    return at < end ? at : NULL;
}

static bool starts_with(const char *p, size_t n, const char *word) {
    size_t len = strlen(word);
    return n >= len && memcmp(p, word, len) == 0;
}

static void request_answer(struct mock *m, struct conn *c, const struct request *r) {
    if (starts_with(r->head, r->head_len, "GET /stats")) {
        answer_stats(m, c);
        return;
    }
    if (starts_with(r->head, r->head_len, "GET /readyz")) {
        answer_short(m, c, "200 OK", "{\"status\":\"ok\"}\n");
        return;
    }
    unsigned delay_us;
    if (starts_with(r->head, r->head_len, "GET /delay/") && sscanf(r->head + 11, "%9u", &delay_us) == 1) {
        m->delay_ns = delay_us * 1000ULL;
        answer_short(m, c, "200 OK", "{}\n");
        return;
    }
    m->requests++;
    if (!c->counted) m->connections++;
    c->counted = true;
    const char *end = r->body + r->body_len;
    const char *model = member_find(r->body, r->body_len, "\"model\"");
    const char *quote = model != NULL && *model == '"' ? memchr(model + 1, '"', (size_t)(end - model - 1)) : NULL;
    const struct answer *a = NULL;
    if (quote != NULL) {
        const char *usage = NULL, *stream = member_find(r->body, r->body_len, "\"stream\"");
        if (answer_scripted(m, c, model + 1, (size_t)(quote - model - 1), stream != NULL && *stream == 't')) return;
        if (model[1] == 's') usage = member_find(r->body, r->body_len, "\"include_usage\"");
        a = answer_find(&m->book, model + 1, (size_t)(quote - model - 1), usage != NULL && *usage == 't');
    }
    if (a == NULL) {
        answer_short(m, c, "404 Not Found",
                     "{\"error\":{\"message\":\"no such script\",\"type\":"
                     "\"invalid_request_error\",\"param\":\"model\",\"code\":\"model_not_found\"}}\n");
        return;
    }
    answer_begin(m, c, a);
}

/* Reads the header lines that matter. False: framing this server doesn't speak. */
static bool head_parse(struct conn *c, const char *head, size_t n) {
    const char *end = head + n;
    c->body_left = 0;
    c->close_after = false;
    for (const char *line = memchr(head, '\n', n); line != NULL && ++line < end;
         line = memchr(line, '\n', (size_t)(end - line))) {
        size_t left = (size_t)(end - line);
        switch (*line | 0x20) {
        case 'c':
            if (left > 16 && strncasecmp(line, "content-length:", 15) == 0) {
                c->body_left = strtoull(line + 15, NULL, 10);
            } else if (left > 17 && strncasecmp(line, "connection: close", 17) == 0) {
                c->close_after = true;
            }
            break;
        case 't':
            if (left > 18 && strncasecmp(line, "transfer-encoding:", 18) == 0) return false;
            break;
        }
    }
    return true;
}

/* Looks at the n bytes received so far at p; keeps a copy while the request is incomplete. */
static void conn_received(struct mock *m, struct conn *c, char *p, size_t n) {
    if (c->state == CONN_HEAD) {
        char *blank = memmem(p, n, "\r\n\r\n", 4);
        if (blank == NULL && n == HEAD_MAX) {
            conn_close(m, c);
            return;
        }
        if (blank != NULL) {
            c->body_at = (size_t)(blank - p) + 4;
            if (!head_parse(c, p, c->body_at)) {
                c->close_after = true;
                answer_short(m, c, "411 Length Required", "{}\n");
                return;
            }
            size_t have = n - c->body_at;
            if (have > c->body_left) { /* pipelining: no proxy under test does it */
                conn_close(m, c);
                return;
            }
            c->body_left -= have;
            c->state = CONN_BODY;
        }
    }
    if (c->state == CONN_BODY && c->body_left == 0) {
        struct request r = {p, p + c->body_at, c->body_at, n - c->body_at};
        char *kept = c->head;
        c->head = NULL;
        request_answer(m, c, &r);
        free(kept);
        return;
    }
    if (c->head == NULL) {
        c->head = malloc(HEAD_MAX);
        if (c->head == NULL) abort();
        memcpy(c->head, p, n);
    }
    c->head_len = n;
}

static void conn_readable(struct mock *m, struct conn *c) {
    ssize_t n;
    if (c->state == CONN_WAITING || c->state == CONN_WRITING) {
        n = recv(c->fd, m->in, sizeof m->in, 0); /* the client leaves, or breaks the rules */
        if (n >= 0 || errno != EAGAIN) conn_close(m, c);
        return;
    }
    size_t have = c->head == NULL ? 0 : c->head_len;
    char *base = c->head == NULL ? m->in : c->head;
    bool drop = have == HEAD_MAX;
    n = drop ? recv(c->fd, NULL, c->body_left, MSG_TRUNC) : recv(c->fd, base + have, HEAD_MAX - have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        conn_close(m, c);
        return;
    }
    if (c->state == CONN_BODY) {
        if ((size_t)n > c->body_left) {
            conn_close(m, c);
            return;
        }
        c->body_left -= (size_t)n;
    }
    conn_received(m, c, base, drop ? have : have + (size_t)n);
}

static void conn_event(struct mock *m, struct conn *c, uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
        if (!conn_flush(m, c)) return;
        if (c->out_left == 0) {
            want_write(m, c, false);
            if (c->state == CONN_WRITING && c->answer->script.kind == ANSWER_SLOW) {
                conn_finish(m, c);
                return;
            }
            if (c->state == CONN_WRITING) {
                answer_whole(m, c);
                return;
            }
        }
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) conn_readable(m, c);
}

static void accept_some(struct mock *m) {
    for (int i = 0; i < 64; i++) {
        int on = 1;
        int fd = accept4(m->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct conn *c = calloc(1, sizeof *c);
        if (c == NULL) abort();
        c->fd = fd;
        m->accepted++;
        m->open++;
        watch(m, c, EPOLL_CTL_ADD);
    }
}

static void run_timers(struct mock *m) {
    struct timer *first;
    uint64_t now = now_ns();
    while ((first = timer_first(&m->timers)) != NULL && first->due_ns <= now) {
        timer_fired(m, (struct conn *)(void *)first);
    }
}

static int wait_events(struct mock *m, struct epoll_event *events) {
    struct timespec wait;
    const struct timer *first = timer_first(&m->timers);
    if (first == NULL) return epoll_wait(m->epoll, events, EVENTS_PER_WAIT, -1);
    uint64_t now = now_ns();
    uint64_t left = first->due_ns > now ? first->due_ns - now : 0;
    wait.tv_sec = (time_t)(left / NS_PER_S);
    wait.tv_nsec = (long)(left % NS_PER_S);
    return epoll_pwait2(m->epoll, events, EVENTS_PER_WAIT, &wait, NULL);
}

_Noreturn static void mock_run(struct mock *m) {
    struct epoll_event events[EVENTS_PER_WAIT];
    for (;;) {
        int n = wait_events(m, events);
        if (n < 0 && errno != EINTR) die_errno("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                accept_some(m);
            } else {
                conn_event(m, events[i].data.ptr, events[i].events);
            }
        }
        if (m->timers.count > 0) run_timers(m);
    }
}

static void mock_listen(struct mock *m, const struct sockaddr_in *addr) {
    int on = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    m->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (m->listener < 0) die_errno("socket");
    setsockopt(m->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(m->listener, (const struct sockaddr *)addr, sizeof *addr) != 0) die_errno("bind");
    if (listen(m->listener, 4096) != 0) die_errno("listen");
    m->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (m->epoll < 0 || epoll_ctl(m->epoll, EPOLL_CTL_ADD, m->listener, &event) != 0) {
        die_errno("epoll");
    }
}

static const char HELP[] =
    "usage: bench_mock --listen HOST:PORT [--cpu N] [--writes N]\n"
    "  --writes N  cut a fast stream into N writes (default 4; 0: one an event)\n"
    "The request's model says what is answered: plain-SIZE[k], stream-EVENTS, slow-EVENTS-MS,\n"
    "lat-MS; faulty-PERMILLE (fails so many in all kinds of ways), tail-PERMILLE-MS (so many\n"
    "are that late), node, queue (one answer at a time): these take what GET /delay/US has set.\n"
    "GET /stats tells connections, requests and faults so far, GET /readyz is always 200.\n";

int main(int argc, char **argv) {
    static const struct option OPTIONS[] = {{"listen", required_argument, NULL, 'l'},
                                            {"cpu", required_argument, NULL, 'c'},
                                            {"writes", required_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct sockaddr_in addr = {0};
    uint64_t value;
    struct mock *m = calloc(1, sizeof *m);
    if (m == NULL) abort();
    m->book.writes = 4;
    m->faults.seed = 0x9e3779b97f4a7c15ULL;
    for (int o; (o = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        switch (o) {
        case 'l':
            if (!addr_parse(optarg, strlen(optarg), &addr)) die_usage("not HOST:PORT", optarg);
            break;
        case 'c':
            if (!number_parse(optarg, 1023, &value)) die_usage("not a CPU", optarg);
            pin_to_cpu((int)value);
            break;
        case 'w':
            if (!number_parse(optarg, ANSWER_WRITES_MAX, &value)) die_usage("--writes", optarg);
            m->book.writes = (uint32_t)value;
            break;
        case 'h':
            fputs(HELP, stdout);
            return 0;
        default:
            fputs(HELP, stderr);
            return 2;
        }
    }
    if (addr.sin_port == 0) die_usage("missing option", "--listen HOST:PORT");
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    prctl(PR_SET_TIMERSLACK, 1); /* scripted delays are to be exact */
    mock_listen(m, &addr);
    mock_run(m);
}
