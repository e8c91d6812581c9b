/* A histogram of latencies with a relative error under 0.1 %, in fixed memory.
 *
 * Ownership: a plain value. Threads: one. Units: nanoseconds. Errors: none; a value beyond the
 * last bucket (over an hour) is counted in it. */
#pragma once

#include <stdint.h>

enum { HIST_SUB_BITS = 11, HIST_OCTAVES = 32, HIST_BUCKETS = HIST_OCTAVES << HIST_SUB_BITS };

struct hist {
    uint64_t count, sum_ns, max_ns;
    uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t ns);

/* The value below which the given share (0 to 1) of the samples lies; 0 when there are none. */
uint64_t hist_quantile(const struct hist *h, double share);
