// The Redis client's connection: resolve, connect, greet, watch, lose, try again.
#include "net/redis_internal.h"

#include "base/mem.h"
#include "os/rand.h"

#include <stdio.h>

#define TIMEOUT_MS 1000
#define CONNECT_MS 2000
#define WAITING_MAX ((size_t)4096)
#define COMMAND_MAX ((size_t)16 * 1024 * 1024)
#define IDLE_PING_MS 5000
#define REST_FIRST_MS UINT64_C(100)
#define REST_MAX_MS 5000

static struct redis_conn *of_stream(struct stream *s) { return CONTAINER_OF(s, struct redis_conn, stream); }

// --- losing a connection ---

static void conn_free(struct redis_conn *conn) {
    resp_reader_free(&conn->reader);
    mem_free(conn);
}

// Before the stream was set up.
static void conn_discard(struct redis *r) {
    conn_free(r->conn);
    r->conn = NULL;
}

// Takes the connection off the client; what waited on it is the caller's to fail. flush: what was sent still goes out.
static struct redis_call *detach(struct redis *r, bool flush) {
    struct redis_conn *conn = r->conn;
    if (!conn) return NULL;
    struct redis_call *first = conn->first;
    conn->first = NULL;
    conn->last = &conn->first;
    conn->redis = NULL;
    r->conn = NULL;
    if (flush)
        stream_close(&conn->stream);
    else
        stream_reset(&conn->stream);
    return first;
}

// Doubles with each failure; a quarter more or less, so that many servers do not come back in step.
static uint64_t rest_ms(const struct redis *r) {
    uint64_t ms = REST_FIRST_MS << MIN(r->attempts, 6U);
    ms = MIN(ms, (uint64_t)REST_MAX_MS);
    return ms - ms / 4 + rand_u64() % (ms / 2 + 1);
}

void redis_lost(struct redis *r, enum err_code code, const char *why) {
    struct err err;
    bool was_up = r->phase == REDIS_UP;
    if (r->phase == REDIS_STOPPED || r->phase == REDIS_IDLE) return;
    if (r->query) dns_cancel(r->query);
    r->query = NULL;
    struct redis_call *calls = detach(r, false);
    r->phase = REDIS_REST;
    r->stats.up = false;
    snprintf(r->stats.error, sizeof r->stats.error, "%s", why);
    timer_set(&r->timer, rest_ms(r));
    if (!was_up && r->attempts < UINT32_MAX) r->attempts++;
    err_set(&err, code, "Redis: %s", r->stats.error);
    if (was_up && r->o.on_state) r->o.on_state(r->o.ctx, false);
    redis_fail_calls(r, calls, &err);
}

// --- events of the stream ---

static void connect_next(struct redis *r, const char *why);

static void on_ready(struct stream *s) {
    struct redis *r = of_stream(s)->redis;
    if (!r || r->phase != REDIS_CONNECT) return;
    r->stats.connects++;
    r->phase = REDIS_GREET;
    redis_greet(r);
}

static void on_read(struct stream *s, char *p, size_t n) {
    struct redis_conn *conn = of_stream(s);
    const struct resp *reply;
    struct err err;
    enum resp_step step = RESP_MORE;
    if (!conn->redis) return;
    resp_feed(&conn->reader, str_of(p, n));
    // A callback may have the client stopped, or the connection lost: conn itself stays until it is closed.
    while (conn->redis && (step = resp_next(&conn->reader, &reply, &err)) == RESP_READY) redis_take(conn, reply);
    if (conn->redis && step == RESP_BROKEN) redis_lost(conn->redis, err.code, err.message);
    if (conn->redis && conn->redis->phase == REDIS_UP) redis_watch(conn->redis);
}

static void on_end(struct stream *s, const char *reason) {
    struct redis *r = of_stream(s)->redis;
    if (!r) return;
    if (r->phase == REDIS_CONNECT)
        connect_next(r, reason ? reason : "the server closed the connection");
    else
        redis_lost(r, ERR_UPSTREAM_RESET, reason ? reason : "the server closed the connection");
}

static void on_drained(struct stream *s) { (void)s; }

static void on_closed(struct stream *s) {
    struct redis_conn *conn = of_stream(s);
    struct redis *r = conn->redis;
    if (r) { // closed below us, without an end event: out of memory while writing
        struct redis_call *calls = conn->first;
        struct err err;
        conn->redis = NULL;
        conn->first = NULL;
        r->conn = NULL;
        err_set(&err, ERR_NO_MEMORY, "Redis: out of memory while sending");
        redis_lost(r, ERR_NO_MEMORY, "out of memory while sending");
        redis_fail_calls(r, calls, &err);
    }
    conn_free(conn);
}

static const struct stream_ops k_stream_ops = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

// --- connecting ---

static bool conn_new(struct redis *r, struct err *err) {
    struct redis_conn *conn = mem_zalloc(1, sizeof *conn);
    if (!conn) return err_no_memory(err);
    resp_reader_init(&conn->reader, &r->o.limits);
    conn->redis = r;
    conn->last = &conn->first;
    r->conn = conn;
    if (stream_init(&conn->stream, r->loop, &k_stream_ops, err)) return true;
    conn_discard(r);
    return false;
}

static bool connect_address(struct redis *r, const struct sockaddr *address, struct err *err) {
    if (!conn_new(r, err)) return false;
    if (stream_connect(&r->conn->stream, address, r->tls, str_c(r->o.at.host), err)) return true;
    detach(r, false);
    return false;
}

static void remember_why(struct redis *r, const char *why) {
    if (!r->why[0]) snprintf(r->why, sizeof r->why, "%.*s", (int)sizeof r->why - 1, why);
}

static void connect_next(struct redis *r, const char *why) {
    struct err err;
    if (why) remember_why(r, why);
    detach(r, false);
    while (r->address_next < r->addresses.count) {
        const struct sockaddr *address = (const struct sockaddr *)&r->addresses.addresses[r->address_next++];
        if (connect_address(r, address, &err)) return;
        remember_why(r, err.message);
    }
    redis_lost(r, ERR_UPSTREAM_REFUSED, r->why);
}

static void on_resolved(void *ctx, const struct dns_answer *answer, const char *error) {
    struct redis *r = ctx;
    char what[160];
    r->query = NULL;
    if (!answer) {
        snprintf(what, sizeof what, "its host name cannot be resolved: %s", error);
        redis_lost(r, ERR_UPSTREAM_REFUSED, what);
        return;
    }
    r->addresses = *answer;
    r->phase = REDIS_CONNECT;
    connect_next(r, NULL);
}

static void connect_unix(struct redis *r) {
    struct err err;
    r->phase = REDIS_CONNECT;
    if (!conn_new(r, &err) || !stream_connect_unix(&r->conn->stream, r->o.at.path, &err))
        redis_lost(r, ERR_UPSTREAM_REFUSED, err.message);
}

static void attempt(struct redis *r) {
    struct err err;
    r->phase = REDIS_RESOLVE;
    r->address_next = 0;
    r->why[0] = 0;
    timer_set(&r->timer, r->o.connect_ms);
    if (r->o.at.path[0]) {
        connect_unix(r);
    } else if (!dns_resolve(r->dns, str_c(r->o.at.host), r->o.at.port, on_resolved, r, &r->addresses, &r->query,
                            &err)) {
        redis_lost(r, err.code, err.message);
    } else if (!r->query) {
        r->phase = REDIS_CONNECT;
        connect_next(r, NULL);
    }
}

void redis_watch(struct redis *r) { timer_set(&r->timer, r->waiting ? r->o.timeout_ms : IDLE_PING_MS); }

static void ping(struct redis *r) {
    const struct str args[] = {STR("PING")};
    if (!redis_own(r, REDIS_PING, args, 1)) redis_watch(r);
}

static void on_timer(struct timer *timer) {
    struct redis *r = CONTAINER_OF(timer, struct redis, timer);
    switch (r->phase) {
    case REDIS_REST:
        attempt(r);
        return;
    case REDIS_RESOLVE:
    case REDIS_CONNECT:
        redis_lost(r, ERR_UPSTREAM_TIMEOUT, "no connection in time (redis.connect_timeout)");
        return;
    case REDIS_GREET:
        redis_lost(r, ERR_UPSTREAM_TIMEOUT, "connected, but it does not answer (redis.connect_timeout)");
        return;
    case REDIS_UP:
        if (r->waiting)
            redis_lost(r, ERR_UPSTREAM_TIMEOUT, "it does not answer any more (redis.timeout)");
        else
            ping(r);
        return;
    case REDIS_IDLE:
    case REDIS_STOPPED:
        return;
    }
}

void redis_is_up(struct redis *r) {
    r->phase = REDIS_UP;
    r->attempts = 0;
    r->stats.up = true;
    redis_watch(r);
    for (size_t i = 0; r->phase == REDIS_UP && r->stats.resp3 && i < r->n_channels; i++) {
        const struct str args[] = {STR("SUBSCRIBE"), r->channels[i]};
        if (!redis_own(r, REDIS_SUBSCRIBE, args, 2)) redis_lost(r, ERR_NO_MEMORY, "out of memory");
    }
    if (r->phase == REDIS_UP && r->o.on_state) r->o.on_state(r->o.ctx, true);
}

// --- life ---

bool redis_options_of(const struct conf_redis *conf, struct redis_options *out_options) {
    struct redis_options o = {.tls_ca = conf->tls_ca,
                              .tls_no_verify = !conf->tls_verify,
                              .timeout_ms = (uint64_t)conf->timeout,
                              .connect_ms = (uint64_t)conf->connect_timeout};
    if (redis_url_parse(secret_str(&conf->url), &o.at)) return false;
    *out_options = o;
    return true;
}

bool redis_create(struct loop *loop, const struct redis_options *options, struct redis **out_redis, struct err *err) {
    struct redis *r = mem_zalloc(1, sizeof *r);
    if (!r) return err_no_memory(err);
    r->loop = loop;
    r->o = *options;
    r->o.tls_ca = STR_NONE;
    if (!r->o.timeout_ms) r->o.timeout_ms = TIMEOUT_MS;
    if (!r->o.connect_ms) r->o.connect_ms = CONNECT_MS;
    if (!r->o.max_waiting) r->o.max_waiting = WAITING_MAX;
    buf_init(&r->out, COMMAND_MAX);
    timer_init(&r->timer, loop, on_timer);
    snprintf(r->stats.error, sizeof r->stats.error, "not connected yet");
    struct tls_client_options tls = {.ca = options->tls_ca, .no_verify = options->tls_no_verify};
    bool ok = dns_create(loop, &r->dns, err) && (!options->at.tls || tls_ctx_client(&tls, &r->tls, err));
    if (!ok) {
        redis_free(r);
        return err_wrap(err, "Redis");
    }
    *out_redis = r;
    return true;
}

void redis_start(struct redis *r) {
    if (r->phase != REDIS_IDLE) return;
    // From the loop's next turn: nobody is called before it runs.
    r->phase = REDIS_REST;
    timer_set(&r->timer, 1);
}

void redis_stop(struct redis *r) {
    struct err err;
    if (r->phase == REDIS_STOPPED) return;
    r->phase = REDIS_STOPPED;
    r->stats.up = false;
    timer_stop(&r->timer);
    if (r->query) dns_cancel(r->query);
    r->query = NULL;
    err_set(&err, ERR_SHUTTING_DOWN, "Redis: the client is closed");
    redis_fail_calls(r, detach(r, true), &err);
}

void redis_free(struct redis *r) {
    if (!r) return;
    redis_stop(r);
    if (r->tls) tls_ctx_unref(r->tls);
    dns_free(r->dns);
    redis_url_wipe(&r->o.at);
    secret_wipe(r->out.p, r->out.cap);
    buf_free(&r->out);
    for (size_t i = 0; i < r->n_channels; i++) mem_free((void *)(uintptr_t)r->channels[i].p);
    mem_free(r);
}

void redis_stats_get(const struct redis *r, struct redis_stats *out_stats) {
    *out_stats = r->stats;
    out_stats->waiting = r->waiting;
    out_stats->attempts = r->attempts;
}
