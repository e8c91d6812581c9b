// Rolling counts by time buckets.
#include "route/window.h"

#include <string.h>

static uint64_t bucket_of(uint64_t span_ns, uint64_t now_ns) {
    INVARIANT(span_ns >= WINDOW_BUCKETS);
    return now_ns / (span_ns / WINDOW_BUCKETS);
}

void window_clear(struct window *w) { *w = (struct window){.newest = 0}; }

static void forward(struct window *w, uint64_t bucket) {
    if (bucket - w->newest >= WINDOW_BUCKETS) {
        memset(w->good, 0, sizeof w->good);
        memset(w->bad, 0, sizeof w->bad);
        w->newest = bucket;
    }
    while (w->newest < bucket) {
        w->newest++;
        w->good[w->newest % WINDOW_BUCKETS] = w->bad[w->newest % WINDOW_BUCKETS] = 0;
    }
}

void window_add(struct window *w, uint64_t span_ns, bool good, uint64_t now_ns) {
    uint64_t bucket = bucket_of(span_ns, now_ns);
    if (bucket > w->newest) forward(w, bucket);
    uint32_t *count = &(good ? w->good : w->bad)[w->newest % WINDOW_BUCKETS];
    if (*count < UINT32_MAX / WINDOW_BUCKETS) ++*count;
}

struct window_sum window_sum(const struct window *w, uint64_t span_ns, uint64_t now_ns) {
    uint64_t bucket = bucket_of(span_ns, now_ns);
    struct window_sum sum = {0, 0};
    uint64_t gone = bucket > w->newest ? bucket - w->newest : 0;
    for (uint64_t age = gone; age < WINDOW_BUCKETS && age - gone <= w->newest; age++) {
        size_t i = (size_t)((w->newest - (age - gone)) % WINDOW_BUCKETS);
        sum.good += w->good[i];
        sum.bad += w->bad[i];
    }
    return sum;
}
