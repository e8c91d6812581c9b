// An upstream connection's life: resolve, connect, (proxy), send, rest in the pool, close; and its deadlines.
#include "net/http_client_internal.h"

#include "base/mem.h"

#include <stdio.h>

#define WARM_YOUNG_MS 250
#define IDLE_KEEP_MS 55000 // below the 60 s after which common servers close

static struct upstream *of_stream(struct stream *s) { return CONTAINER_OF(s, struct upstream, stream); }

static void idle_unlink(struct upstream *up) {
    struct upstream_pool *pool = up->pool;
    if (up->prev)
        up->prev->next = up->next;
    else
        pool->idle = up->next;
    if (up->next) up->next->prev = up->prev;
    up->next = up->prev = NULL;
    pool->idle_count--;
}

static void up_free(struct upstream *up) {
    struct upstream_pool *pool = up->pool;
    buf_free(&up->in);
    mem_free(up->addresses);
    mem_free(up);
    pool->connections--;
    pool->users--;
    upstream_pool_release(pool);
}

static void on_closed(struct stream *s) {
    struct upstream *up = of_stream(s);
    struct http_exchange *x = up->x;
    if (x) { // closed below us, without an end event: out of memory while writing
        struct err err;
        x->up = NULL;
        err_set(&err, ERR_NO_MEMORY, "out of memory while sending to the provider");
        exchange_fail(x, &err);
    }
    timer_stop(&up->timer);
    up_free(up);
}

void upstream_drop(struct upstream *up) {
    if (up->state == UPSTREAM_CLOSED) return;
    if (up->state == UPSTREAM_IDLE) idle_unlink(up);
    bool sent_half = up->state == UPSTREAM_HEAD || up->state == UPSTREAM_BODY;
    up->state = UPSTREAM_CLOSED;
    timer_stop(&up->timer);
    if (up->query) dns_cancel(up->query);
    up->query = NULL;
    if (!up->initialised)
        up_free(up);
    else if (sent_half)
        stream_reset(&up->stream); // the provider should stop working for nobody
    else
        stream_close(&up->stream);
}

static uint64_t phase_ms(const struct upstream *up) {
    const struct http_origin *o = up->pool->origin;
    const struct http_waits *own = &up->x->waits;
    if (up->state == UPSTREAM_BODY) return own->idle_ms ? own->idle_ms : o->idle_ms;
    if (up->state == UPSTREAM_HEAD) return own->first_byte_ms ? own->first_byte_ms : o->first_byte_ms;
    return own->connect_ms ? own->connect_ms : o->connect_ms;
}

void upstream_arm(struct upstream *up) {
    struct http_exchange *x = up->x;
    uint64_t phase = IDLE_KEEP_MS, now = loop_now_ms(up->pool->client->loop);
    if (x) {
        phase = phase_ms(up);
        if (x->paused || phase == 0) phase = UINT64_MAX / 2;
        uint64_t left = x->deadline_ms > now ? x->deadline_ms - now : 0;
        phase = MIN(phase, left);
    }
    if (phase < UINT64_MAX / 2)
        timer_set(&up->timer, phase);
    else
        timer_clear(&up->timer);
}

static void fail_exchange(struct http_exchange *x, enum err_code code, const char *what) {
    struct err err;
    const struct http_origin *o = x->pool->origin;
    err_set(&err, code, "provider \"%.*s\" (%.*s:%u): %s", STR_ARG(o->name), STR_ARG(o->host), o->port, what);
    exchange_fail(x, &err);
}

static void fail(struct upstream *up, enum err_code code, const char *what) { fail_exchange(up->x, code, what); }

// A connection that rested in the pool may have been closed by the provider at the very moment we used it. When none of
// this request's bytes were acknowledged the provider cannot have seen it, so it may go out again. An orderly close
// acknowledges what had arrived by then; a reset does not count, for it may follow the reading of bytes that were never
// acknowledged. The first byte the kernel counts is the SYN's.
static bool never_arrived(struct upstream *up, bool orderly) {
    uint64_t acked = tcp_bytes_acked(&up->stream.tcp);
    return orderly && up->x->reused && !up->x->resent && up->state == UPSTREAM_HEAD && up->in.n == 0 && acked > 0 &&
           acked <= up->written_before + 1;
}

static void resend(struct upstream *up) {
    struct http_exchange *x = up->x;
    struct err err;
    x->up = NULL;
    x->resent = true;
    up->x = NULL;
    upstream_drop(up);
    x->pool->client->stats.resent++;
    if (!upstream_attach(x->pool, x, true, &err)) {
        err_set(&err, ERR_UPSTREAM_RESET, "the provider closed the connection");
        exchange_fail(x, &err);
    }
}

static void connect_next(struct upstream *up, const char *why);

static void on_end(struct stream *s, const char *reason) {
    struct upstream *up = of_stream(s);
    if (!up->x) {
        upstream_drop(up);
        return;
    }
    switch ((enum upstream_state)up->state) {
    case UPSTREAM_CONNECT:
        connect_next(up, reason ? reason : "closed the connection");
        return;
    case UPSTREAM_PROXY:
        fail(up, ERR_UPSTREAM_REFUSED, "the proxy closed the connection");
        return;
    case UPSTREAM_HEAD:
        if (never_arrived(up, reason == NULL))
            resend(up);
        else
            fail(up, ERR_UPSTREAM_RESET, reason ? reason : "closed the connection before answering");
        return;
    case UPSTREAM_BODY:
        if (!reason && up->framing == HTTP1_UNTIL_CLOSE)
            upstream_body_closed(up);
        else
            fail(up, ERR_UPSTREAM_RESET, reason ? reason : "closed the connection in the middle of the answer");
        return;
    case UPSTREAM_RESOLVE:
    case UPSTREAM_IDLE:
    case UPSTREAM_CLOSED:
        return;
    }
}

static void on_timer(struct timer *timer) {
    struct upstream *up = CONTAINER_OF(timer, struct upstream, timer);
    struct http_exchange *x = up->x;
    if (!x) {
        upstream_drop(up);
        return;
    }
    bool total = loop_now_ms(up->pool->client->loop) >= x->deadline_ms;
    if (!total && up->state == UPSTREAM_CONNECT && up->addresses && up->address_next < up->addresses->count) {
        connect_next(up, "no connection in time (timeouts.connect)");
        return;
    }
    const char *what = total                         ? "the answer was not complete in time (timeouts.total)"
                       : up->state == UPSTREAM_BODY  ? "the answer stopped arriving (timeouts.idle)"
                       : up->state == UPSTREAM_HEAD  ? "no answer in time (timeouts.first_byte)"
                       : up->state == UPSTREAM_PROXY ? "the proxy did not answer in time (timeouts.connect)"
                                                     : "no connection in time (timeouts.connect)";
    fail(up, ERR_UPSTREAM_TIMEOUT, what);
}

static void on_read(struct stream *s, char *p, size_t n) {
    struct upstream *up = of_stream(s);
    if (up->x)
        upstream_receive(up, p, n);
    else
        upstream_drop(up); // nobody asked: not a connection to trust
}

static void on_drained(struct stream *s) { (void)s; }

void upstream_send(struct upstream *up) {
    struct http_exchange *x = up->x;
    struct str parts[16];
    size_t n = 0, i = 0;
    if (x->warm) {
        exchange_warmed(x);
        return;
    }
    up->state = UPSTREAM_HEAD;
    up->written_before = up->stream.tcp.written;
    up->scanned = 0;
    parts[n++] = str_of(x->head, x->head_n);
    for (;;) {
        while (i < x->body_count && n < ARRAY_LEN(parts)) parts[n++] = x->body[i++];
        stream_write(&up->stream, parts, n);
        n = 0;
        if (i == x->body_count) break;
    }
    upstream_arm(up);
}

static void proxy_connect(struct upstream *up) {
    const struct http_origin *o = up->pool->origin;
    struct buf head = BUF_INIT(8192);
    bool v6 = str_find_char(o->host, ':') < o->host.n;
    const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
    buf_printf(&head, "CONNECT %s%.*s%s:%u HTTP/1.1\r\nhost: %s%.*s%s:%u\r\n", open, STR_ARG(o->host), close, o->port,
               open, STR_ARG(o->host), close, o->port);
    if (o->proxy_authorization.n) buf_printf(&head, "proxy-authorization: %.*s\r\n", STR_ARG(o->proxy_authorization));
    buf_lit(&head, "\r\n");
    struct str text = buf_str(&head);
    up->state = UPSTREAM_PROXY;
    up->scanned = 0;
    if (head.failed)
        fail(up, ERR_NO_MEMORY, "out of memory");
    else
        stream_write(&up->stream, &text, 1);
    buf_free(&head);
}

static void on_ready(struct stream *s) {
    struct upstream *up = of_stream(s);
    const struct http_origin *o = up->pool->origin;
    mem_free(up->addresses);
    up->addresses = NULL;
    if (!up->x)
        upstream_drop(up);
    else if (o->proxy_host.n && o->tls && !up->proxied)
        proxy_connect(up);
    else
        upstream_send(up);
}

static const struct stream_ops k_stream_ops = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

// --- connecting ---

static struct upstream *up_new(struct upstream_pool *pool) {
    struct upstream *up = mem_zalloc(1, sizeof *up);
    if (!up) return NULL;
    up->pool = pool;
    buf_init(&up->in, pool->client->max_head + LOOP_READ_SIZE);
    timer_init(&up->timer, pool->client->loop, on_timer);
    pool->connections++;
    pool->users++;
    return up;
}

// The exchange and the addresses left go over to a new connection; NULL when there is no memory for it.
static struct upstream *successor(struct upstream *up) {
    struct upstream *next = up_new(up->pool);
    if (!next) return NULL;
    next->addresses = up->addresses;
    next->address_next = up->address_next;
    next->x = up->x;
    next->x->up = next;
    up->addresses = NULL;
    up->x = NULL;
    upstream_drop(up);
    return next;
}

// Connects to the next address, or to one behind it when the system refuses outright. A connection whose attempt failed
// is of no more use, so each try has its own. False: *err (left as it is when no address was left), and the exchange
// has no connection any more.
static bool connect_try(struct upstream *up, struct err *err) {
    const struct http_origin *o = up->pool->origin;
    struct http_exchange *x = up->x;
    while (up->addresses && up->address_next < up->addresses->count) {
        struct upstream *try = up->initialised ? successor(up) : up;
        if (!try) {
            err_no_memory(err);
            break;
        }
        up = try;
        up->state = UPSTREAM_CONNECT;
        const struct sockaddr *address = (const struct sockaddr *)&up->addresses->addresses[up->address_next++];
        up->initialised = stream_init(&up->stream, up->pool->client->loop, &k_stream_ops, err);
        if (!up->initialised) break;
        if (stream_connect(&up->stream, address, o->proxy_host.n ? NULL : o->tls, o->host, err)) {
            up->pool->client->stats.connects++;
            upstream_arm(up);
            return true;
        }
    }
    up->x = NULL;
    x->up = NULL;
    upstream_drop(up);
    return false;
}

static void connect_next(struct upstream *up, const char *why) {
    struct http_exchange *x = up->x;
    struct err err;
    err_set(&err, ERR_UPSTREAM_REFUSED, "%s", why);
    if (!connect_try(up, &err)) fail_exchange(x, err.code, err.message);
}

static void on_resolved(void *ctx, const struct dns_answer *answer, const char *error) {
    struct upstream *up = ctx;
    char what[160];
    up->query = NULL;
    if (!answer) {
        snprintf(what, sizeof what, "its host name cannot be resolved: %s", error);
        fail(up, ERR_UPSTREAM_REFUSED, what);
        return;
    }
    *up->addresses = *answer;
    connect_next(up, "no address");
}

static bool connect_start(struct upstream_pool *pool, struct http_exchange *x, struct err *err) {
    const struct http_origin *o = pool->origin;
    struct upstream *up = up_new(pool);
    if (!up) return err_no_memory(err);
    up->addresses = mem_alloc(sizeof *up->addresses);
    bool proxy = o->proxy_host.n != 0;
    bool ok = up->addresses
                  ? dns_resolve(pool->client->dns, proxy ? o->proxy_host : o->host, proxy ? o->proxy_port : o->port,
                                on_resolved, up, up->addresses, &up->query, err)
                  : err_no_memory(err);
    if (!ok) {
        up_free(up);
        return false;
    }
    up->x = x;
    x->up = up;
    x->reused = false;
    up->state = UPSTREAM_RESOLVE;
    if (up->query) {
        upstream_arm(up);
        return true;
    }
    // A failure here is reported by return value, since callbacks may not come before http_client_send returns.
    err_set(err, ERR_UPSTREAM_REFUSED, "no address");
    return connect_try(up, err) ||
           err_wrap(err, "provider \"%.*s\" (%.*s:%u)", STR_ARG(o->name), STR_ARG(o->host), o->port);
}

// The connection that is being made for nobody, unless it takes long already: then a new one may be sooner.
static struct upstream *take_over(struct upstream_pool *pool, struct http_exchange *x) {
    struct http_exchange *warm = pool->warming;
    if (!warm || loop_now_ms(pool->client->loop) - warm->begun_ms > WARM_YOUNG_MS) return NULL;
    struct upstream *up = warm->up;
    up->x = x;
    x->up = up;
    x->reused = false;
    pool->client->stats.active--;
    exchange_free(warm);
    upstream_arm(up);
    return up;
}

bool upstream_attach(struct upstream_pool *pool, struct http_exchange *x, bool fresh, struct err *err) {
    struct upstream *up = fresh ? NULL : pool->idle;
    if (!up) return (!fresh && take_over(pool, x)) || connect_start(pool, x, err);
    idle_unlink(up);
    up->x = x;
    x->up = up;
    x->reused = true;
    pool->client->stats.reused++;
    upstream_send(up);
    return true;
}

void upstream_to_idle(struct upstream *up) {
    struct upstream_pool *pool = up->pool;
    // What is left to send would be of a request that was answered too soon, or (of none) the end of the TLS handshake.
    bool sent = stream_queued(&up->stream) == 0 || up->state != UPSTREAM_BODY;
    bool keep = up->keep_alive && !pool->retired && pool->idle_count < pool->origin->max_idle && sent;
    buf_free(&up->in);
    if (!keep) {
        up->state = UPSTREAM_CONNECT; // nothing of ours is under way: close without a reset
        upstream_drop(up);
        return;
    }
    up->state = UPSTREAM_IDLE;
    up->prev = NULL;
    up->next = pool->idle;
    if (pool->idle) pool->idle->prev = up;
    pool->idle = up;
    pool->idle_count++;
    stream_read_start(&up->stream);
    upstream_arm(up);
}
