// least_busy: the target with the fewest requests under way for its weight.
#include "route/strategy.h"

#include <math.h>

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    size_t drawn = candidate_draw(list, n, in->draw);
    for (size_t i = 0; i < n; i++) {
        double weight = candidate_weight(&list[i]);
        list[i].score = weight > 0 ? ((double)list[i].state.in_flight + 1) / weight : INFINITY;
    }
    list[drawn].score *= 0.999999; // of those that are equal, not always the first
}

const struct strategy_ops strategy_of_LEAST_BUSY = {.rank = rank};
