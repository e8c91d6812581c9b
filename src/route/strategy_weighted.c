// weighted: by chance, in the proportion of the weights.
#include "route/strategy.h"

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    for (size_t i = 0; i < n; i++) list[i].score = 1;
    list[candidate_draw(list, n, in->draw)].score = 0;
}

const struct strategy_ops strategy_of_WEIGHTED = {.rank = rank};
