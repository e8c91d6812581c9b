/* A histogram of latencies: 2,048 even steps in each power of two. */
#include "hist.h"

enum { SUB = 1 << HIST_SUB_BITS };

static uint32_t bucket_of(uint64_t ns) {
    if (ns < SUB) return (uint32_t)ns;
    uint32_t octave = 63U - (uint32_t)__builtin_clzll(ns) - HIST_SUB_BITS;
    if (octave + 1 >= HIST_OCTAVES) return HIST_BUCKETS - 1;
    return ((octave + 1) << HIST_SUB_BITS) + (uint32_t)((ns >> octave) & (SUB - 1));
}

/* The middle of a bucket. */
static uint64_t bucket_value(uint32_t i) {
    if (i < SUB) return i;
    uint32_t octave = (i >> HIST_SUB_BITS) - 1;
    uint64_t low = (uint64_t)(SUB + (i & (SUB - 1))) << octave;
    return low + ((1ULL << octave) >> 1);
}

void hist_add(struct hist *h, uint64_t ns) {
    h->bucket[bucket_of(ns)]++;
    h->count++;
    h->sum_ns += ns;
    if (ns > h->max_ns) h->max_ns = ns;
}

uint64_t hist_quantile(const struct hist *h, double share) {
    uint64_t seen = 0;
    double wanted = share * (double)h->count;
    if (h->count == 0) return 0;
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > 0 && (double)seen >= wanted) return bucket_value(i);
    }
    return h->max_ns;
}
