// usage: the target with most tokens left in its minute, by the limits set for it and those it tells of.
#include "route/strategy.h"

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    size_t drawn = candidate_draw(list, n, in->draw);
    for (size_t i = 0; i < n; i++) list[i].score = 1 - (double)list[i].tokens_share;
    list[drawn].score -= 1e-6; // of those that are equal, not always the first
}

const struct strategy_ops strategy_of_USAGE = {.wants_tokens_share = true, .rank = rank};
