// The Redis client's commands: sent, answered in their order, timed out, forgotten; scripts and subscriptions.
#include "net/redis_internal.h"

#include "base/mem.h"
#include "os/clock.h"

#include <openssl/evp.h>

#define OUT_KEEP ((size_t)64 * 1024)
#define UNSENT_MAX ((size_t)8 * 1024 * 1024) // that the server does not take off the wire

static void call_free(struct redis_call *call) {
    timer_stop(&call->timer);
    pool_put(loop_pool(call->redis->loop), call, call->cap);
}

static void call_end(struct redis_call *call, const struct resp *reply, const struct err *err) {
    redis_fn *fn = call->fn;
    void *ctx = call->ctx;
    call_free(call);
    if (fn) fn(ctx, reply, err);
}

// Its reply will still come and must find its place, so it stays in the queue.
static void on_call_timer(struct timer *timer) {
    struct redis_call *call = CONTAINER_OF(timer, struct redis_call, timer);
    redis_fn *fn = call->fn;
    struct err err;
    if (!fn) return;
    call->fn = NULL;
    call->redis->stats.timeouts++;
    err_set(&err, ERR_UPSTREAM_TIMEOUT, "Redis: no answer in time");
    fn(call->ctx, NULL, &err);
}

void redis_forget(struct redis_call *call) {
    call->fn = NULL;
    timer_clear(&call->timer);
}

void redis_fail_calls(struct redis *r, struct redis_call *first, const struct err *err) {
    for (struct redis_call *c = first; c; c = c->next) r->waiting--;
    while (first) {
        struct redis_call *call = first;
        first = call->next;
        if (call->kind <= REDIS_SCRIPT) r->stats.failed++;
        call_end(call, NULL, err);
    }
}

// --- sending ---

struct redis_call *redis_call_new(struct redis *r, enum redis_kind kind, const struct redis_wish *wish, size_t tail_n) {
    size_t cap;
    struct redis_call *call = pool_get(loop_pool(r->loop), sizeof *call + tail_n, &cap);
    if (!call) return NULL;
    *call = (struct redis_call){.redis = r, .cap = cap, .kind = (uint8_t)kind, .tail_n = tail_n};
    timer_init(&call->timer, r->loop, on_call_timer);
    if (wish) {
        call->fn = wish->fn;
        call->ctx = wish->ctx;
        // The connection's own watch is as good where no shorter time is asked for.
        if (wish->fn && wish->timeout_ms) timer_set(&call->timer, wish->timeout_ms);
    }
    return call;
}

void redis_put(struct redis *r, struct redis_call *call) {
    struct redis_conn *conn = r->conn;
    struct str bytes = buf_str(&r->out);
    call->next = NULL;
    call->sent_ns = clock_mono_ns();
    *conn->last = call;
    conn->last = &call->next;
    // The watch runs from the first that waits; answers push it on.
    if (r->waiting++ == 0 && r->phase == REDIS_UP) redis_watch(r);
    stream_write(&conn->stream, &bytes, 1);
    if (r->out.cap > OUT_KEEP) buf_free(&r->out);
}

bool redis_own(struct redis *r, enum redis_kind kind, const struct str *args, size_t n) {
    struct redis_call *call = redis_call_new(r, kind, NULL, 0);
    if (!call) return false;
    buf_clear(&r->out);
    resp_put_command(&r->out, args, n);
    if (r->out.failed) {
        call_free(call);
        return false;
    }
    redis_put(r, call);
    return true;
}

static bool may_send(struct redis *r, struct err *err) {
    if (r->phase != REDIS_UP) return err_set(err, ERR_UPSTREAM_REFUSED, "Redis is not connected: %s", r->stats.error);
    if (r->waiting >= r->o.max_waiting || tcp_unsent(&r->conn->stream.tcp) > UNSENT_MAX)
        return err_set(err, ERR_OVERLOADED, "Redis: too many commands wait for an answer");
    return true;
}

bool redis_send(struct redis *r, const struct str *args, size_t n, const struct redis_wish *wish,
                struct redis_call **out_call, struct err *err) {
    if (!may_send(r, err)) return false;
    buf_clear(&r->out);
    resp_put_command(&r->out, args, n);
    struct redis_call *call = r->out.failed ? NULL : redis_call_new(r, REDIS_COMMAND, wish, 0);
    if (!call) return err_no_memory(err);
    r->stats.sent++;
    redis_put(r, call);
    if (out_call) *out_call = call;
    return true;
}

// --- scripts ---

bool redis_script_init(struct redis_script *script, struct str source, struct err *err) {
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_Digest(source.p, source.n, digest, &n, EVP_sha1(), NULL) != 1 || n != 20)
        return err_set(err, ERR_INTERNAL, "SHA-1 is not to be had, which Redis knows scripts by");
    *script = (struct redis_script){.source = source};
    for (unsigned i = 0; i < n; i++) {
        script->sha[2 * i] = hex[digest[i] >> 4];
        script->sha[2 * i + 1] = hex[digest[i] & 15];
    }
    return true;
}

static void put_script(struct buf *out, bool whole, const struct redis_script *script, size_t n_args, size_t n_keys) {
    resp_put_array(out, 3 + n_args);
    resp_put_bulk(out, whole ? STR("EVAL") : STR("EVALSHA"));
    resp_put_bulk(out, whole ? script->source : str_of(script->sha, 40));
    resp_put_i64(out, (int64_t)n_keys);
}

bool redis_eval(struct redis *r, const struct redis_script *script, const struct str *args, size_t n_keys, size_t n,
                const struct redis_wish *wish, struct redis_call **out_call, struct err *err) {
    if (!may_send(r, err)) return false;
    buf_clear(&r->out);
    put_script(&r->out, false, script, n, n_keys);
    size_t head = r->out.n;
    for (size_t i = 0; i < n; i++) resp_put_bulk(&r->out, args[i]);
    struct redis_call *call = r->out.failed ? NULL : redis_call_new(r, REDIS_SCRIPT, wish, r->out.n - head);
    if (!call) return err_no_memory(err);
    call->script = script;
    call->n_args = n;
    call->n_keys = n_keys;
    memcpy(call->tail, r->out.p + head, call->tail_n);
    r->stats.sent++;
    redis_put(r, call);
    if (out_call) *out_call = call;
    return true;
}

// The server does not know the script: it was restarted, or its scripts were flushed. Nothing was carried out.
static void send_whole(struct redis *r, struct redis_call *call) {
    struct err err;
    buf_clear(&r->out);
    put_script(&r->out, true, call->script, call->n_args, call->n_keys);
    buf_append(&r->out, call->tail, call->tail_n);
    call->kind = REDIS_COMMAND; // once
    if (!r->out.failed) {
        redis_put(r, call);
        return;
    }
    err_no_memory(&err);
    call_end(call, NULL, &err);
}

// --- subscriptions ---

bool redis_subscribe(struct redis *r, struct str channel) {
    char *copy = r->n_channels < REDIS_CHANNELS_MAX ? mem_strdup(channel) : NULL;
    if (!copy) return false;
    r->channels[r->n_channels++] = str_of(copy, channel.n);
    const struct str args[] = {STR("SUBSCRIBE"), channel};
    if (r->phase == REDIS_UP && r->stats.resp3 && !redis_own(r, REDIS_SUBSCRIBE, args, 2))
        redis_lost(r, ERR_NO_MEMORY, "out of memory");
    return true;
}

// --- answers ---

static struct redis_call *take_first(struct redis_conn *conn) {
    struct redis_call *call = conn->first;
    if (!call) return NULL;
    conn->first = call->next;
    if (!conn->first) conn->last = &conn->first;
    conn->redis->waiting--;
    return call;
}

// True: it was news; false: it answers the command that waits first.
static bool take_push(struct redis_conn *conn, const struct resp *push) {
    struct redis *r = conn->redis;
    struct str kind = push->n && push->items[0].type == RESP_STRING ? push->items[0].text : STR_NONE;
    if (str_eq(kind, STR("subscribe"))) return !conn->first || conn->first->kind != REDIS_SUBSCRIBE;
    if (str_eq(kind, STR("message")) && push->n == 3 && push->items[1].type == RESP_STRING &&
        push->items[2].type == RESP_STRING && r->o.on_message)
        r->o.on_message(r->o.ctx, push->items[1].text, push->items[2].text);
    return true;
}

static void answer_error(struct redis *r, struct redis_call *call, struct str error) {
    struct err err;
    if (call->kind == REDIS_SCRIPT && str_starts(error, STR("NOSCRIPT"))) {
        send_whole(r, call);
        return;
    }
    bool elsewhere = str_starts(error, STR("READONLY")) || str_starts(error, STR("MASTERDOWN"));
    if (call->kind == REDIS_SUBSCRIBE) {
        snprintf(r->stats.error, sizeof r->stats.error, "cannot subscribe: %.*s", (int)MIN(error.n, (size_t)120),
                 error.p);
    }
    r->stats.failed++;
    err_set(&err, ERR_UPSTREAM_STATUS, "Redis: %.*s", (int)MIN(error.n, (size_t)300), error.p);
    struct redis_conn *conn = r->conn;
    call_end(call, NULL, &err);
    // It has become a replica: the name may stand for another server by now.
    if (elsewhere && conn->redis) redis_lost(r, ERR_UPSTREAM_REFUSED, "the server has become a replica");
}

void redis_take(struct redis_conn *conn, const struct resp *reply) {
    struct redis *r = conn->redis;
    if (reply->type == RESP_PUSH && take_push(conn, reply)) return;
    struct redis_call *call = conn->redis ? take_first(conn) : NULL;
    if (!conn->redis) return;
    if (!call) {
        redis_lost(r, ERR_UPSTREAM_INVALID, "the server answered what nobody asked");
        return;
    }
    if (call->kind == REDIS_GREETING) {
        call_free(call);
        redis_greeting(r, reply);
        return;
    }
    r->stats.rtt_us = (clock_mono_ns() - call->sent_ns) / NS_PER_US;
    if (reply->type == RESP_ERROR) {
        answer_error(r, call, reply->text);
        return;
    }
    if (call->kind <= REDIS_SCRIPT) r->stats.answered++;
    call_end(call, reply, NULL);
}
