/* A binary heap of deadlines for the mock upstream's delayed answers.
 *
 * Ownership: the heap owns its array; a timer lives inside its connection and must be removed
 * before that is freed. Threads: one. Units: nanoseconds on the monotonic clock.
 * Errors: running out of memory aborts. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct timer {
    uint64_t due_ns;
    size_t slot; /* place in the heap plus one; 0 when not set */
};

struct timer_heap {
    struct timer **at;
    size_t count, cap;
};

/* Sets the timer, or moves it when it is set already. */
void timer_set(struct timer_heap *heap, struct timer *timer, uint64_t due_ns);
void timer_remove(struct timer_heap *heap, struct timer *timer);

/* The earliest timer, or NULL. */
struct timer *timer_first(const struct timer_heap *heap);
