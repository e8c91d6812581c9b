// Deadlines on one event loop: a binary heap with lazy re-arming.
#include "os/timer.h"

#include "base/mem.h"
#include "os/loop.h"

static void place(struct timer_heap *h, size_t i, struct timer *t) {
    h->p[i] = t;
    t->index = i + 1;
}

static void sift_up(struct timer_heap *h, size_t i) {
    struct timer *t = h->p[i];
    for (; i > 0 && h->p[(i - 1) / 2]->queued > t->queued; i = (i - 1) / 2) place(h, i, h->p[(i - 1) / 2]);
    place(h, i, t);
}

static void sift_down(struct timer_heap *h, size_t i) {
    struct timer *t = h->p[i];
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->p[child + 1]->queued < h->p[child]->queued) child++;
        if (h->p[child]->queued >= t->queued) break;
        place(h, i, h->p[child]);
    }
    place(h, i, t);
}

static void heap_remove(struct timer_heap *h, struct timer *t) {
    size_t i = t->index - 1;
    struct timer *last = h->p[--h->n];
    t->index = 0;
    if (last == t) return;
    place(h, i, last);
    sift_up(h, i);
    sift_down(h, last->index - 1);
}

static bool heap_insert(struct timer_heap *h, struct timer *t) {
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        struct timer **p = mem_realloc(h->p, cap * sizeof *p);
        if (!p) return false;
        h->p = p;
        h->cap = cap;
    }
    place(h, h->n, t);
    sift_up(h, h->n++);
    return true;
}

void timer_init(struct timer *timer, struct loop *loop, timer_fn *fn) {
    *timer = (struct timer){.fn = fn, .loop = loop};
}

void timer_set(struct timer *t, uint64_t ms) {
    struct timer_heap *h = loop_timers(t->loop);
    t->deadline = loop_now_ms(t->loop) + MAX(ms, (uint64_t)1); // one that sets itself anew must not hold up the turn
    if (t->index && t->queued <= t->deadline) return;
    if (t->index) heap_remove(h, t);
    t->queued = t->deadline;
    if (heap_insert(h, t)) loop_timers_changed(t->loop);
}

void timer_stop(struct timer *t) {
    t->deadline = 0;
    if (t->index) heap_remove(loop_timers(t->loop), t);
}

void timer_heap_run(struct timer_heap *h, uint64_t now_ms) {
    while (h->n && h->p[0]->queued <= now_ms) {
        struct timer *t = h->p[0];
        if (t->deadline > now_ms) { // it was moved later meanwhile
            t->queued = t->deadline;
            sift_down(h, 0);
            continue;
        }
        heap_remove(h, t);
        if (t->deadline == 0) continue;
        t->deadline = 0;
        t->fn(t);
    }
}

uint64_t timer_heap_next(const struct timer_heap *h) { return h->n ? h->p[0]->queued : UINT64_MAX; }

void timer_heap_free(struct timer_heap *h) {
    for (size_t i = 0; i < h->n; i++) h->p[i]->index = 0;
    mem_free(h->p);
    *h = (struct timer_heap){0};
}
