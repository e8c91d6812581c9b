// Deadlines on one event loop: a binary heap of timers embedded in their owners.
//
// Ownership: the struct timer lives in its owner, which must call timer_stop before freeing it. Thread rule: the loop's
// thread. Units: milliseconds. Moving a deadline later costs nothing (the timer is put right when the old time comes),
// so a connection may push its idle deadline on every read.
#ifndef OS_TIMER_H
#define OS_TIMER_H

#include "base/defs.h"

struct loop;
struct timer;
typedef void timer_fn(struct timer *timer);

struct timer {
    timer_fn *fn;
    struct loop *loop;
    uint64_t deadline; // when fn is due; 0 = stopped
    uint64_t queued;   // the time it stands under in the heap
    size_t index;      // its place in the heap + 1; 0 = not in it
};

void timer_init(struct timer *timer, struct loop *loop, timer_fn *fn);
// Due `ms` (at least 1) from now, once. Replaces an earlier setting. If there is no memory for the heap to grow, the
// deadline is lost; setting it again tries again.
void timer_set(struct timer *timer, uint64_t ms);
// Forgets the deadline; may stay in the heap until its old time. Cheap.
static inline void timer_clear(struct timer *timer) { timer->deadline = 0; }
// Leaves the heap: after this the memory may be freed.
void timer_stop(struct timer *timer);

struct timer_heap {
    struct timer **p;
    size_t n, cap;
};
// For the loop: runs what is due, and says when the next is due (UINT64_MAX = none).
void timer_heap_run(struct timer_heap *heap, uint64_t now_ms);
uint64_t timer_heap_next(const struct timer_heap *heap);
void timer_heap_free(struct timer_heap *heap);

#endif
