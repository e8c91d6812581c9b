// Timers against a plain model: set, moved, cleared and stopped at random, also from inside callbacks.
#include "base/mem.h"
#include "check.h"
#include "os/loop.h"

#include <stdlib.h>

#define TIMERS 200
#define HORIZON 60 // ms

struct probe {
    struct timer timer;
    struct rig *rig;
    bool armed; // the model's view
    uint64_t due;
    unsigned fired;
};

struct rig {
    struct loop *loop;
    struct probe probes[TIMERS];
    struct timer end;
    uint64_t seed, last, ends_at;
    unsigned fired;
};

static uint64_t next_random(struct rig *rig) {
    rig->seed ^= rig->seed << 13;
    rig->seed ^= rig->seed >> 7;
    rig->seed ^= rig->seed << 17;
    return rig->seed;
}

static void arm(struct probe *p) {
    struct rig *rig = p->rig;
    uint64_t ms = next_random(rig) % HORIZON;
    timer_set(&p->timer, ms);
    p->armed = true;
    p->due = loop_now_ms(rig->loop) + ms;
}

static void disturb(struct rig *rig) {
    struct probe *p = &rig->probes[next_random(rig) % TIMERS];
    switch (next_random(rig) % 4) {
    case 0:
        timer_stop(&p->timer);
        p->armed = false;
        break;
    case 1:
        timer_clear(&p->timer);
        p->armed = false;
        break;
    default:
        if (loop_now_ms(rig->loop) < rig->ends_at) arm(p);
        break;
    }
}

static void on_probe(struct timer *timer) {
    struct probe *p = CONTAINER_OF(timer, struct probe, timer);
    struct rig *rig = p->rig;
    CHECK(p->armed);
    CHECK(p->due <= loop_now_ms(rig->loop)); // never early
    p->armed = false;
    p->fired++;
    rig->fired++;
    for (int i = 0; i < 3; i++) disturb(rig);
}

static void on_end(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, end);
    loop_stop(rig->loop);
}

static void test_against_a_model(void) {
    struct rig *rig = calloc(1, sizeof *rig);
    struct err err;
    REQUIRE(rig && loop_create(0, &rig->loop, &err));
    rig->seed = 88172645463325252u;
    rig->ends_at = loop_now_ms(rig->loop) + 300;
    for (size_t i = 0; i < TIMERS; i++) {
        rig->probes[i].rig = rig;
        timer_init(&rig->probes[i].timer, rig->loop, on_probe);
        arm(&rig->probes[i]);
    }
    timer_init(&rig->end, rig->loop, on_end);
    timer_set(&rig->end, 300 + 3 * HORIZON);
    loop_run(rig->loop);
    CHECK(rig->fired > TIMERS);
    for (size_t i = 0; i < TIMERS; i++) {
        CHECK(!rig->probes[i].armed); // whatever was due has fired
        CHECK_INT(rig->probes[i].timer.deadline, 0);
        timer_stop(&rig->probes[i].timer);
    }
    CHECK_INT(loop_timers(rig->loop)->n, 0);
    loop_free(rig->loop);
    free(rig);
}

// --- in order, and moved ---

struct sequence {
    struct loop *loop;
    struct timer timers[8];
    int order[8];
    int n;
};
static struct sequence *g_sequence; // of the case that runs

static void note(struct timer *timer) {
    struct sequence *s = g_sequence;
    s->order[s->n++] = (int)(timer - s->timers);
    if (timer - s->timers == 7) loop_stop(s->loop);
}

static void open_sequence(struct sequence *s) {
    struct err err;
    *s = (struct sequence){0};
    g_sequence = s;
    REQUIRE(loop_create(0, &s->loop, &err));
    for (size_t i = 0; i < 8; i++) timer_init(&s->timers[i], s->loop, note);
}

static void test_order(void) {
    struct sequence s;
    open_sequence(&s);
    timer_set(&s.timers[7], 60);
    timer_set(&s.timers[3], 30);
    timer_set(&s.timers[1], 10);
    timer_set(&s.timers[2], 20);
    timer_set(&s.timers[4], 5);
    timer_set(&s.timers[4], 40); // later: costs nothing, and comes when it should
    timer_set(&s.timers[5], 50);
    timer_set(&s.timers[5], 3); // earlier
    timer_set(&s.timers[6], 15);
    timer_clear(&s.timers[6]); // forgotten
    timer_set(&s.timers[0], 15);
    timer_clear(&s.timers[0]);
    timer_set(&s.timers[0], 50); // set again while it still stands in the heap
    loop_run(s.loop);
    const int want[] = {5, 1, 2, 3, 4, 0, 7};
    CHECK_INT(s.n, ARRAY_LEN(want));
    for (int i = 0; i < (int)ARRAY_LEN(want); i++) CHECK_INT(s.order[i], want[i]);
    loop_free(s.loop);
}

// A timer that sets itself for now must not keep the loop from everything else.
static void again_at_once(struct timer *timer) {
    struct sequence *s = g_sequence;
    if (s->n++ < 1000000) timer_set(timer, 0);
}

static void post_stop(struct task *task) {
    (void)task;
    loop_stop(g_sequence->loop);
}

static void test_no_starvation(void) {
    struct sequence s;
    struct task stop = {.fn = post_stop};
    open_sequence(&s);
    timer_init(&s.timers[0], s.loop, again_at_once);
    timer_set(&s.timers[0], 0);
    loop_post(s.loop, &stop);
    loop_run(s.loop);
    CHECK(s.n < 1000);
    timer_stop(&s.timers[0]);
    loop_free(s.loop);
}

// Stopped or freed from another's callback, in the same turn in which it was due.
static void stop_the_other(struct timer *timer) {
    struct sequence *s = g_sequence;
    s->n++;
    timer_stop(&s->timers[timer == &s->timers[0]]);
}

static void test_stop_in_callback(void) {
    struct sequence s;
    open_sequence(&s);
    timer_init(&s.timers[0], s.loop, stop_the_other);
    timer_init(&s.timers[1], s.loop, stop_the_other);
    timer_set(&s.timers[0], 10);
    timer_set(&s.timers[1], 10);
    timer_set(&s.timers[7], 30);
    loop_run(s.loop);
    CHECK_INT(s.n, 2); // one of the two, and the last
    loop_free(s.loop);
}

// Without memory for the heap a deadline may be lost, but nothing breaks, and setting it again works.
static void test_no_memory(void) {
    struct sequence s;
    open_sequence(&s);
    mem_fail_nth(1);
    timer_set(&s.timers[0], 1);
    mem_fail_nth(0);
    timer_stop(&s.timers[0]);
    timer_set(&s.timers[0], 1);
    timer_set(&s.timers[7], 20);
    loop_run(s.loop);
    CHECK_INT(s.n, 2);
    loop_free(s.loop);
}

TEST_MAIN(test_against_a_model, test_order, test_no_starvation, test_stop_in_callback, test_no_memory)
