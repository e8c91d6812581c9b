/* A binary heap of deadlines for the mock upstream. */
#include "mock_timer.h"

#include <stdlib.h>

static void place(struct timer_heap *heap, size_t i, struct timer *timer) {
    heap->at[i] = timer;
    timer->slot = i + 1;
}

static void sift(struct timer_heap *heap, size_t i, struct timer *timer) {
    while (i > 0 && heap->at[(i - 1) / 2]->due_ns > timer->due_ns) {
        place(heap, i, heap->at[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (size_t child; (child = 2 * i + 1) < heap->count; i = child) {
        if (child + 1 < heap->count && heap->at[child + 1]->due_ns < heap->at[child]->due_ns) {
            child++;
        }
        if (heap->at[child]->due_ns >= timer->due_ns) break;
        place(heap, i, heap->at[child]);
    }
    place(heap, i, timer);
}

void timer_set(struct timer_heap *heap, struct timer *timer, uint64_t due_ns) {
    timer->due_ns = due_ns;
    if (timer->slot != 0) {
        sift(heap, timer->slot - 1, timer);
        return;
    }
    if (heap->count == heap->cap) {
        size_t cap = heap->cap == 0 ? 256 : heap->cap * 2;
        struct timer **grown = realloc(heap->at, cap * sizeof(struct timer *));
        if (grown == NULL) abort();
        heap->at = grown;
        heap->cap = cap;
    }
    heap->count++;
    sift(heap, heap->count - 1, timer);
}

void timer_remove(struct timer_heap *heap, struct timer *timer) {
    if (timer->slot == 0) return;
    size_t hole = timer->slot - 1;
    struct timer *last = heap->at[--heap->count];
    timer->slot = 0;
    if (last != timer) sift(heap, hole, last);
}

struct timer *timer_first(const struct timer_heap *heap) {
    return heap->count == 0 ? NULL : heap->at[0];
}
