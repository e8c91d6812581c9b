// Counts of what went well and what failed within the last stretch of time, in buckets.
//
// Thread rule: plain data; the owner's lock. Units: ns, monotonic. Time that goes back by a little (several threads
// bring their own) counts as the newest bucket's.
#ifndef ROUTE_WINDOW_H
#define ROUTE_WINDOW_H

#include "base/defs.h"

#define WINDOW_BUCKETS 8

struct window {
    uint64_t newest; // the newest bucket's number: its start divided by its width
    uint32_t good[WINDOW_BUCKETS], bad[WINDOW_BUCKETS];
};

struct window_sum {
    uint32_t good, bad;
};

// A zeroed window is empty. span_ns (at least WINDOW_BUCKETS) must stay the same for a window, or window_clear between.
void window_clear(struct window *w);
void window_add(struct window *w, uint64_t span_ns, bool good, uint64_t now_ns);
// All of the last span_ns, or up to an eighth less.
struct window_sum window_sum(const struct window *w, uint64_t span_ns, uint64_t now_ns);

#endif
