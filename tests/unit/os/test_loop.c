// The event loop: messages from threads, work on the pool, and the end.
#include "base/mem.h"
#include "check.h"
#include "os/loop.h"
#include "os/thread.h"

#include <stdlib.h>

#define THREADS 4
#define POSTS 5000

struct message {
    struct task task; // first
    struct rig *rig;
    int thread, number;
};

struct rig {
    struct loop *loop;
    int last[THREADS];
    int received, deferred, worked;
    struct timer timer;
};

static struct rig *g_rig; // of the case that runs

static void open_rig(struct rig *rig) {
    struct err err;
    *rig = (struct rig){0};
    g_rig = rig;
    REQUIRE(loop_create(3, &rig->loop, &err));
    CHECK_INT(loop_index(rig->loop), 3);
}

// --- messages ---

static void on_message(struct task *task) {
    struct message *m = (struct message *)task;
    struct rig *rig = m->rig;
    CHECK_INT(m->number, rig->last[m->thread] + 1); // in the order posted
    rig->last[m->thread] = m->number;
    free(m);
    if (++rig->received == THREADS * POSTS) loop_stop(rig->loop);
}

struct sender {
    struct thread thread;
    struct rig *rig;
    int index;
};

static void send_all(void *arg) {
    struct sender *s = arg;
    for (int i = 1; i <= POSTS; i++) {
        struct message *m = malloc(sizeof *m);
        if (!m) abort();
        *m = (struct message){.task = {.fn = on_message}, .rig = s->rig, .thread = s->index, .number = i};
        loop_post(s->rig->loop, &m->task);
    }
}

static void test_posts_from_threads(void) {
    struct rig rig;
    struct sender senders[THREADS];
    struct err err;
    open_rig(&rig);
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.rig = &rig, .index = i};
        REQUIRE(thread_start(&senders[i].thread, "sender", 0, send_all, &senders[i], &err));
    }
    loop_run(rig.loop);
    for (int i = 0; i < THREADS; i++) thread_join(&senders[i].thread);
    CHECK_INT(rig.received, THREADS * POSTS);
    loop_free(rig.loop);
}

// What was posted before the end is still run.
static void test_posts_at_the_end(void) {
    struct rig rig;
    open_rig(&rig);
    loop_stop(rig.loop);
    loop_run(rig.loop);
    for (int i = 1; i <= 10; i++) {
        struct message *m = malloc(sizeof *m);
        REQUIRE(m);
        *m = (struct message){.task = {.fn = on_message}, .rig = &rig, .number = i};
        loop_post(rig.loop, &m->task);
    }
    loop_drain_handles(rig.loop);
    CHECK_INT(rig.received, 10);
    loop_free(rig.loop);
}

static void stop_from_afar(void *arg) { loop_stop(arg); }

static void test_stop_from_a_thread(void) {
    for (int i = 0; i < 50; i++) {
        struct rig rig;
        struct thread t;
        struct err err;
        open_rig(&rig);
        REQUIRE(thread_start(&t, "stopper", 0, stop_from_afar, rig.loop, &err));
        loop_run(rig.loop); // whichever comes first
        thread_join(&t);
        loop_free(rig.loop);
    }
}

// --- work ---

#define JOBS 64
struct job {
    struct work work; // first
    int done, *ran;
};

static void job_run(struct work *work) { __atomic_add_fetch(((struct job *)work)->ran, 1, __ATOMIC_RELAXED); }
static void job_done(struct work *work) {
    ((struct job *)work)->done++;
    if (++g_rig->worked == JOBS) loop_stop(g_rig->loop);
}

static void test_work(void) {
    struct rig rig;
    struct job jobs[JOBS];
    int ran = 0;
    open_rig(&rig);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.work = {.run = job_run, .done = job_done}, .ran = &ran};
        REQUIRE(loop_work(rig.loop, &jobs[i].work));
    }
    loop_run(rig.loop);
    CHECK_INT(__atomic_load_n(&ran, __ATOMIC_RELAXED), JOBS);
    for (int i = 0; i < JOBS; i++) CHECK_INT(jobs[i].done, 1);
    struct job refused = {.work = {.run = job_run, .done = job_done}, .ran = &ran};
    mem_fail_nth(1);
    CHECK(!loop_work(rig.loop, &refused.work));
    mem_fail_nth(0);
    loop_free(rig.loop);
}

static void test_create_without_memory(void) {
    struct mem_stats before, after;
    mem_stats_get(&before);
    for (uint64_t nth = 1; nth < 4; nth++) {
        struct loop *loop = NULL;
        struct err err;
        mem_fail_nth(nth);
        bool ok = loop_create(0, &loop, &err);
        mem_fail_nth(0);
        CHECK(ok == (nth > 2));
        if (ok) loop_free(loop);
    }
    mem_stats_get(&after);
    CHECK_INT(after.bytes, before.bytes);
}

static void on_timer(struct timer *timer) {
    (void)timer;
    loop_stop(g_rig->loop);
}

static void test_stats(void) {
    struct rig rig;
    struct loop_stats stats;
    open_rig(&rig);
    timer_init(&rig.timer, rig.loop, on_timer);
    timer_set(&rig.timer, 1);
    loop_run(rig.loop);
    loop_stats_get(rig.loop, &stats);
    CHECK(stats.max_turn_ns <= stats.busy_ns);
    loop_stats_get(rig.loop, &stats);
    CHECK_INT(stats.max_turn_ns, 0);
    loop_free(rig.loop);
}

TEST_MAIN(test_posts_from_threads, test_posts_at_the_end, test_stop_from_a_thread, test_work,
          test_create_without_memory, test_stats)
