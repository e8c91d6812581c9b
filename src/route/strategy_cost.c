// cost: the target at which this request costs least, of those whose answers were good enough.
#include "route/strategy.h"

#include <math.h>

#define DEAREST 1e20 // dearer than any price, and known of nobody

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    size_t drawn = candidate_draw(list, n, in->draw);
    for (size_t i = 0; i < n; i++) list[i].score = list[i].priced ? (double)list[i].cost_nano + 1 : INFINITY;
    list[drawn].score = MIN(list[drawn].score * 0.999999, DEAREST); // of those that cost the same, not always the first
}

const struct strategy_ops strategy_of_COST = {
    .wants_cost = true, .wants_quality = true, .sift = strategy_sift_quality, .rank = rank};
