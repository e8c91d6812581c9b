// The event loop, on libuv.
#include "os/loop.h"

#include "base/mem.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define POOL_IDLE_MAX ((size_t)32 << 20)

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t tick;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uint64_t tick_at; // when the uv timer is set for; UINT64_MAX = not set
    struct timer_heap timers;
    struct pool pool;
    struct task *posted; // lock-free stack, newest first
    bool stopping;
    bool turned;
    unsigned index;
    uint64_t turn_start;
    struct loop_stats stats;
    char *read_buffer;
    struct tcp_corked corked;
};

static void run_tasks(struct task *task) {
    while (task) {
        struct task *next = task->next;
        task->fn(task);
        task = next;
    }
}

static void on_wake(uv_async_t *wake) {
    struct loop *loop = wake->data;
    struct task *stack = __atomic_exchange_n(&loop->posted, NULL, __ATOMIC_ACQUIRE), *queue = NULL;
    while (stack) { // oldest first
        struct task *next = stack->next;
        stack->next = queue;
        queue = stack;
        stack = next;
    }
    run_tasks(queue);
    if (__atomic_load_n(&loop->stopping, __ATOMIC_ACQUIRE)) uv_stop(&loop->uv);
}

static void on_tick(uv_timer_t *tick) {
    struct loop *loop = tick->data;
    loop->tick_at = UINT64_MAX;
    timer_heap_run(&loop->timers, uv_now(&loop->uv));
    loop_timers_changed(loop);
}

static void on_before_poll(uv_prepare_t *prepare) {
    struct loop *loop = prepare->data;
    tcp_flush_corked(loop);
    if (!loop->turned) return;
    loop->turned = false;
    uint64_t spent = clock_mono_ns() - loop->turn_start;
    __atomic_fetch_add(&loop->stats.turns, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&loop->stats.busy_ns, spent, __ATOMIC_RELAXED);
    if (spent > __atomic_load_n(&loop->stats.max_turn_ns, __ATOMIC_RELAXED))
        __atomic_store_n(&loop->stats.max_turn_ns, spent, __ATOMIC_RELAXED);
}

// A turn is timed from the start of the poll's callbacks, which uv_now stamps, to the next prepare.
static void on_after_poll(uv_check_t *check) {
    struct loop *loop = check->data;
    loop->turned = true;
    loop->turn_start = uv_now(&loop->uv) * NS_PER_MS;
    uint64_t now = clock_mono_ns();
    if (loop->turn_start > now) loop->turn_start = now;
}

bool loop_create(unsigned index, struct loop **out_loop, struct err *err) {
    struct loop *loop = mem_zalloc(1, sizeof *loop);
    char *buffer = mem_alloc(LOOP_READ_SIZE);
    if (!loop || !buffer || uv_loop_init(&loop->uv) != 0) {
        mem_free(loop);
        mem_free(buffer);
        return err_no_memory(err);
    }
    loop->read_buffer = buffer;
    loop->index = index;
    loop->tick_at = UINT64_MAX;
    pool_init(&loop->pool, POOL_IDLE_MAX);
    if (uv_async_init(&loop->uv, &loop->wake, on_wake) != 0) {
        uv_loop_close(&loop->uv);
        mem_free(buffer);
        mem_free(loop);
        return err_set(err, ERR_IO,
                       "cannot create an event loop: out of file descriptors (raise the limit: ulimit -n)");
    }
    uv_timer_init(&loop->uv, &loop->tick);
    uv_prepare_init(&loop->uv, &loop->before_poll);
    uv_check_init(&loop->uv, &loop->after_poll);
    loop->wake.data = loop->tick.data = loop->before_poll.data = loop->after_poll.data = loop;
    uv_prepare_start(&loop->before_poll, on_before_poll);
    uv_check_start(&loop->after_poll, on_after_poll);
    *out_loop = loop;
    return true;
}

void loop_run(struct loop *loop) {
    while (!__atomic_load_n(&loop->stopping, __ATOMIC_ACQUIRE)) uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop) {
    __atomic_store_n(&loop->stopping, true, __ATOMIC_RELEASE);
    uv_async_send(&loop->wake);
}

static void close_handle(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void loop_drain_handles(struct loop *loop) {
    on_wake(&loop->wake);
    tcp_flush_corked(loop);
    uv_walk(&loop->uv, close_handle, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT)) {
    }
}

void loop_free(struct loop *loop) {
    if (!loop) return;
    loop_drain_handles(loop);
    uv_loop_close(&loop->uv);
    timer_heap_free(&loop->timers);
    pool_free(&loop->pool);
    mem_free(loop->read_buffer);
    mem_free(loop);
}

unsigned loop_index(const struct loop *loop) { return loop->index; }
uint64_t loop_now_ms(const struct loop *loop) { return uv_now(&loop->uv); }
struct pool *loop_pool(struct loop *loop) {
    return &loop->pool;
}
struct uv_loop_s *loop_uv(struct loop *loop) {
    return &loop->uv;
}
struct timer_heap *loop_timers(struct loop *loop) {
    return &loop->timers;
}
struct tcp_corked *loop_corked(struct loop *loop) {
    return &loop->corked;
}
char *loop_read_buffer(struct loop *loop) { return loop->read_buffer; }

void loop_timers_changed(struct loop *loop) {
    uint64_t next = timer_heap_next(&loop->timers);
    if (next >= loop->tick_at) return;
    uint64_t now = uv_now(&loop->uv);
    loop->tick_at = next;
    uv_timer_start(&loop->tick, on_tick, next > now ? next - now : 0, 0);
}

void loop_post(struct loop *loop, struct task *task) {
    struct task *head = __atomic_load_n(&loop->posted, __ATOMIC_RELAXED);
    do {
        task->next = head;
    } while (!__atomic_compare_exchange_n(&loop->posted, &head, task, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    uv_async_send(&loop->wake);
}

// The library reads it at the first work, and takes what is no number as 1.
#define WORKERS_NAME "UV_THREADPOOL_SIZE"
#define WORKERS_DEFAULT 4
#define WORKERS_MAX 1024

void loop_workers_set(unsigned wanted) {
    char text[12];
    snprintf(text, sizeof text, "%u", wanted);
    (void)setenv(WORKERS_NAME, text, 0);
}

unsigned loop_workers(void) {
    const char *text = getenv(WORKERS_NAME);
    if (!text) return WORKERS_DEFAULT;
    long n = strtol(text, NULL, 10);
    return n < 1 ? 1 : (unsigned)MIN(n, WORKERS_MAX);
}

static void work_run(uv_work_t *req) {
    struct work *work = req->data;
    work->run(work);
}

static void work_done(uv_work_t *req, int status) {
    struct work *work = req->data;
    (void)status; // nothing here cancels work
    work->handle = NULL;
    mem_free(req);
    work->done(work);
}

bool loop_work(struct loop *loop, struct work *work) {
    uv_work_t *req = mem_alloc(sizeof *req);
    if (!req) return false;
    req->data = work;
    work->handle = req;
    if (uv_queue_work(&loop->uv, req, work_run, work_done) == 0) return true;
    mem_free(req);
    return false;
}

void loop_stats_get(struct loop *loop, struct loop_stats *out_stats) {
    out_stats->turns = __atomic_load_n(&loop->stats.turns, __ATOMIC_RELAXED);
    out_stats->busy_ns = __atomic_load_n(&loop->stats.busy_ns, __ATOMIC_RELAXED);
    out_stats->max_turn_ns = __atomic_exchange_n(&loop->stats.max_turn_ns, 0, __ATOMIC_RELAXED);
}
