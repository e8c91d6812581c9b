// Which of a group of targets does markedly worse than the rest, and how many may be left out at a time.
//
// Thread rule: pure. Source: Envoy's outlier detection by success rate and its panic threshold.
#ifndef ROUTE_OUTLIER_H
#define ROUTE_OUTLIER_H

#include "base/defs.h"

struct outlier_rules {
    uint32_t min_targets;        // with enough requests, else no comparison
    uint32_t min_requests;       // of a target in its window
    uint32_t deviation_permille; // so many deviations (1900 = 1.9) below the others' mean success rate
    uint32_t least_permille;     // and at least so far below the mean
    uint32_t max_out_permille;   // of the group that may be out at a time, at least one target
};
// Three targets of 20 requests; 1.9 deviations and 10 points; half of the group.
struct outlier_rules outlier_rules_default(void);

struct outlier_target {
    uint32_t good, bad; // in its window
    bool out;           // already
};

// The worst target that is to be put out now, or n when there is none. Asked again after each.
size_t outlier_find(const struct outlier_rules *rules, const struct outlier_target *targets, size_t n);
// So many are out that being out means nothing any more: all are candidates again.
bool outlier_panic(const struct outlier_rules *rules, size_t out, size_t n);

#endif
