// How fast a target answers: peak-sensitive averages, quantiles and tokens a second, all of which fade with time.
//
// Thread rule: plain data; the owner's lock. Units: ns. Sources: the peak-EWMA of Finagle's load balancer (a slower
// answer counts at once and in full, a faster one by the time that has passed); forward decay for the histogram
// (Cormode, Shkapenyuk, Srivastava, Xu 2009).
#ifndef ROUTE_LATENCY_H
#define ROUTE_LATENCY_H

#include "base/defs.h"

struct latency_ewma {
    float value_ns; // 0 = nothing was seen
    uint64_t at_ns; // when
};
// After it the value lies between the old value and `sample_ns`; a sample above it becomes the value.
void latency_ewma_add(struct latency_ewma *e, uint64_t half_life_ns, uint64_t sample_ns, uint64_t now_ns);
// It took at least so long (given up, timed out): raises only, from what has faded since.
void latency_ewma_at_least(struct latency_ewma *e, uint64_t half_life_ns, uint64_t sample_ns, uint64_t now_ns);

// Buckets: eight to an octave from 2^16 ns (66 us) on; what is longer than 2^40 ns
// (18 minutes) counts as that.
#define LATENCY_OCTAVES 24
#define LATENCY_STEPS 8
#define LATENCY_BUCKETS (LATENCY_OCTAVES * LATENCY_STEPS)
struct latency_sketch {
    uint64_t base_ns; // a sample of this time weighs 1; later ones more
    float total;
    float weight[LATENCY_BUCKETS];
};
void latency_sketch_add(struct latency_sketch *s, uint64_t half_life_ns, uint64_t sample_ns, uint64_t now_ns);
// How many samples of now its weight stands for.
float latency_sketch_count(const struct latency_sketch *s, uint64_t half_life_ns, uint64_t now_ns);
// q in 0..1; the upper end of the bucket: at most an eighth above the true value. 0 when it is empty.
uint64_t latency_sketch_quantile(const struct latency_sketch *s, float q);

// Mean of tokens a second: sums of tokens and of seconds that fade alike.
struct latency_speed {
    float tokens, seconds;
    uint64_t at_ns;
};
void latency_speed_add(struct latency_speed *s, uint64_t half_life_ns, uint64_t tokens, uint64_t took_ns,
                       uint64_t now_ns);
// 0 when nothing was seen.
float latency_speed_mean(const struct latency_speed *s);

#endif
