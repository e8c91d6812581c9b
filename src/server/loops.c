// The event loops: made, started, given new settings, drained and stopped together.
#include "server/board_share.h"
#include "server/server_internal.h"

#include "base/mem.h"
#include "gateway/grade.h"
#include "gateway/health.h"
#include "gateway/warm.h"
#include "os/tcp.h"

#define TICK_MS 1000
#define DRAIN_LOOK_MS 10

static void finish(struct server_loop *sl);

static void abort_all(struct server_loop *sl) {
    http_server_stop(sl->http);
    batch_lines_stop(sl->gl);
    grade_stop(sl->gl);
    mirrors_stop(sl->gl);
}

// Every second: the loop's figures, and what is opened ahead. While draining, more often: whether all is done.
static void on_tick(struct timer *timer) {
    struct server_loop *sl = CONTAINER_OF(timer, struct server_loop, tick);
    figures_of_loop(sl);
    if (!sl->drain_until_ms) {
        warm_look(sl->gl->warm);
        timer_set(timer, TICK_MS);
        return;
    }
    bool late = loop_now_ms(sl->loop) >= sl->drain_until_ms;
    if (http_server_open(sl->http) == 0 && sl->gl->active == 0 && sl->gl->mirrored == 0 && sl->gl->syncing == 0 &&
        sl->gl->jobs == 0 && !admin_loop_busy(sl->al))
        finish(sl);
    else if (late)
        abort_all(sl);
    if (!sl->done) timer_set(timer, DRAIN_LOOK_MS);
}

// One address on every loop; its place in the configuration is its id.
static bool listen_all(struct server *s, struct err *err) {
    for (unsigned i = 0; i < s->n_loops; i++)
        if (!listener_set_take(&s->setting->listeners, NULL, i, s->loops[i].http, err)) return false;
    return true;
}

static bool redis_build(struct server_loop *sl, struct err *err) {
    const struct conf_redis *conf = &sl->server->setting->conf->redis;
    struct redis_options o;
    if (!conf->url.n) return true;
    if (!redis_options_of(conf, &o)) return err_set(err, ERR_CONFIG_INVALID, "redis.url is not the address of a Redis");
    bool ok = redis_create(sl->loop, &o, &sl->redis, err);
    redis_url_wipe(&o.at);
    return ok;
}

static bool loop_build(struct server *s, unsigned i, struct err *err) {
    struct server_loop *sl = &s->loops[i];
    sl->server = s;
    if (!loop_create(i, &sl->loop, err) || !redis_build(sl, err)) return false;
    struct keyring *ring;
    if (!keys_current(s->keys, &ring, err)) return false;
    struct gateway_loop_options o = {
        .loop = sl->loop, .runtime = s->setting->runtime, .ring = ring, .epoch = sl->epoch, .redis = sl->redis};
    bool ok = gateway_loop_create(s->gateway, &o, &sl->gl, err);
    keyring_unref(ring);
    if (!ok || !doors_create(sl, err)) return false;
    struct http_server_options so = gateway_server_options(s->setting->conf, s->n_loops);
    struct http_handler handler = doors_handler(sl);
    timer_init(&sl->tick, sl->loop, on_tick);
    return http_server_create(sl->loop, &so, &handler, &sl->http, err);
}

bool loops_create(struct server *s, struct err *err) {
    for (unsigned i = 0; i < s->n_loops; i++)
        if (!loop_build(s, i, err)) return false;
    return listen_all(s, err);
}

static void loop_main(void *arg) {
    struct server_loop *sl = arg;
    loop_run(sl->loop);
}

bool loops_start(struct server *s, struct err *err) {
    s->gls = mem_zalloc(s->n_loops, sizeof *s->gls);
    if (!s->gls) return err_no_memory(err);
    for (unsigned i = 0; i < s->n_loops; i++) s->gls[i] = s->loops[i].gl;
    if (!batches_start(s->batches, s->gls, s->n_loops, err)) return false;
    atomic_store(&s->running, s->n_loops);
    if (s->loops[0].redis && !board_share_start(s, &s->board_share, err)) return false;
    health_start(s->gls[0]->health);
    for (unsigned i = 0; i < s->n_loops; i++) {
        struct server_loop *sl = &s->loops[i];
        char name[16];
        snprintf(name, sizeof name, "loop-%u", i);
        timer_set(&sl->tick, 0);
        if (sl->redis) redis_start(sl->redis);
        if (i && !thread_start(&sl->thread, name, 0, loop_main, sl, err)) return false;
    }
    return true;
}

uint16_t loops_port(const struct server *s) { return s->setting->listeners.list[0].port; }

// --- orders, carried out on each loop's own thread ---

static void drain(struct task *task) {
    struct server_loop *sl = CONTAINER_OF(task, struct server_loop, drain);
    uint64_t timeout_ms = (uint64_t)sl->gl->runtime->conf->server.drain_timeout;
    sl->drain_until_ms = loop_now_ms(sl->loop) + timeout_ms + 1;
    admin_loop_drain(sl->al);
    http_server_drain(sl->http);
    timer_set(&sl->tick, 0);
}

void loops_drain(struct server *s) {
    for (unsigned i = 0; i < s->n_loops; i++) {
        s->loops[i].drain.fn = drain;
        loop_post(s->loops[i].loop, &s->loops[i].drain);
    }
}

static void stop(struct task *task) {
    struct server_loop *sl = CONTAINER_OF(task, struct server_loop, stop);
    if (sl->done) return; // a loop that has finished is counted once
    sl->drain_until_ms = 1;
    abort_all(sl);
    timer_set(&sl->tick, 0);
}

void loops_stop(struct server *s) {
    for (unsigned i = 0; i < s->n_loops; i++) {
        s->loops[i].stop.fn = stop;
        loop_post(s->loops[i].loop, &s->loops[i].stop);
    }
}

// Nothing is under way on this loop any more; the last one to say so ends them all.
static void finish(struct server_loop *sl) {
    struct server *s = sl->server;
    sl->done = true;
    if (atomic_fetch_sub(&s->running, 1) != 1) return;
    for (unsigned i = s->n_loops; i-- > 0;) loop_stop(s->loops[i].loop);
}

// Everything on a loop lets go before the loop's handles are closed under it.
static void quiesce(struct server_loop *sl) {
    if (!sl->loop) return;
    if (sl->tick.loop) timer_stop(&sl->tick);
    if (sl->http) http_server_stop(sl->http);
    if (sl->gl) batch_lines_stop(sl->gl);
    if (sl->gl) grade_stop(sl->gl);
    if (sl->gl) mirrors_stop(sl->gl);
    if (sl->gl) gateway_loop_quiesce(sl->gl);
    if (sl->redis) redis_stop(sl->redis);
    admin_loop_quiesce(sl->al);
    loop_drain_handles(sl->loop);
}

void loops_free(struct server *s) {
    if (!s->loops) return;
    for (unsigned i = 1; i < s->n_loops; i++) {
        if (s->loops[i].thread.started && !s->loops[i].done) loop_stop(s->loops[i].loop);
        thread_join(&s->loops[i].thread);
    }
    rounds_stop(s);
    board_share_stop(s->board_share);
    s->board_share = NULL;
    trial_rounds_stop(s);
    reload_stop(s);
    signals_end(s->signals);
    for (unsigned i = 0; i < s->n_loops; i++) quiesce(&s->loops[i]);
    reload_free(s);
    trial_rounds_free(s);
    rounds_free(s);
    for (unsigned i = 0; i < s->n_loops; i++) {
        http_server_free(s->loops[i].http);
        admin_loop_free(s->loops[i].al);
        gateway_loop_free(s->loops[i].gl);
        redis_free(s->loops[i].redis);
        loop_free(s->loops[i].loop);
    }
}
