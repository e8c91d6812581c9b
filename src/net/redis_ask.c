// Redis asked by a thread that may wait: a loop of its own, the commands, the answers, the end.
#include "net/redis.h"

struct asker {
    struct loop *loop;
    struct redis *redis;
    const struct redis_ask *asks;
    size_t n, answered;
    redis_fn *fn;
    void *ctx;
    struct timer deadline, look;
    struct err err;
    bool sent, failed;
};

static void end(struct asker *a, const struct err *err) {
    if (err && !a->failed) a->err = *err;
    a->failed = a->failed || err;
    loop_stop(a->loop);
}

static void on_reply(void *ctx, const struct resp *reply, const struct err *err) {
    struct asker *a = ctx;
    if (a->failed) return;
    if (!reply && err->code != ERR_UPSTREAM_STATUS) {
        end(a, err);
        return;
    }
    a->fn(a->ctx, reply, err);
    if (++a->answered == a->n) end(a, NULL);
}

static void on_state(void *ctx, bool up) {
    struct asker *a = ctx;
    const struct redis_wish wish = {.fn = on_reply, .ctx = a};
    struct err err;
    if (!up || a->sent) return; // what waited has failed, and said so
    a->sent = true;
    if (!a->n) end(a, NULL);
    for (size_t i = 0; i < a->n && !a->failed; i++)
        if (!redis_send(a->redis, a->asks[i].args, a->asks[i].n, &wish, NULL, &err)) end(a, &err);
}

static void on_deadline(struct timer *timer) {
    struct asker *a = CONTAINER_OF(timer, struct asker, deadline);
    struct err err;
    err_set(&err, ERR_UPSTREAM_TIMEOUT, "Redis: no answer in time");
    end(a, &err);
}

// One failed attempt is enough: who asks wants to know now.
static void on_look(struct timer *timer) {
    struct asker *a = CONTAINER_OF(timer, struct asker, look);
    struct redis_stats stats;
    struct err err;
    redis_stats_get(a->redis, &stats);
    if (stats.attempts && !a->sent) {
        err_set(&err, ERR_UPSTREAM_REFUSED, "Redis: %s", stats.error);
        end(a, &err);
        return;
    }
    timer_set(timer, 10);
}

bool redis_ask_all(const struct redis_options *options, const struct redis_ask *asks, size_t n, uint64_t timeout_ms,
                   redis_fn *fn, void *ctx, struct err *err) {
    struct asker a = {.asks = asks, .n = n, .fn = fn, .ctx = ctx};
    struct redis_options o = *options;
    o.on_state = on_state;
    o.on_message = NULL;
    o.ctx = &a;
    if (!loop_create(0, &a.loop, err)) return false;
    bool ok = redis_create(a.loop, &o, &a.redis, err);
    redis_url_wipe(&o.at);
    if (ok) {
        timer_init(&a.deadline, a.loop, on_deadline);
        timer_init(&a.look, a.loop, on_look);
        timer_set(&a.deadline, timeout_ms);
        timer_set(&a.look, 1);
        redis_start(a.redis);
        loop_run(a.loop);
        timer_stop(&a.deadline);
        timer_stop(&a.look);
        bool failed = a.failed;
        a.failed = true; // what still waits is of no interest
        redis_stop(a.redis);
        if (failed) *err = a.err;
        ok = !failed;
    }
    loop_drain_handles(a.loop);
    redis_free(a.redis);
    loop_free(a.loop);
    return ok;
}
