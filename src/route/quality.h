// How good a target's answers are at a task: a score that fades towards a prior.
//
// Thread rule: any thread, one 64-bit cell, no locks. Units: scores 0..1; ns, monotonic.
#ifndef ROUTE_QUALITY_H
#define ROUTE_QUALITY_H

#include "base/defs.h"

struct quality_rules {
    float prior;           // what is assumed of a target nobody has scored
    float prior_weight;    // as so many scores, more than 0
    uint64_t half_life_ns; // of what was observed
};
// 0.7, as ten scores; six hours.
struct quality_rules quality_rules_default(void);

// score, weight and time, packed; 0 = nothing observed.
typedef uint64_t quality_cell;

// score outside 0..1 is cut; weight: how much it counts, up to 16 (a judge's word may be worth several).
void quality_add(quality_cell *cell, const struct quality_rules *rules, float score, float weight, uint64_t now_ns);
// Between the prior and what was observed, by weight.
float quality_get(const quality_cell *cell, const struct quality_rules *rules, uint64_t now_ns);
// How many scores' worth was observed and has not faded; up to 255.
float quality_weight(const quality_cell *cell, const struct quality_rules *rules, uint64_t now_ns);

#endif
