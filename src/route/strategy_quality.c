// quality: the target whose answers were best, of those within the budget of a request.
#include "route/strategy.h"

static void sift(const struct strategy_in *in, struct candidate *list, size_t n) {
    uint64_t most = (uint64_t)in->model->conf->policy.max_cost * 1000; // nanodollars
    if (!most) return;
    for (size_t i = 0; i < n; i++)
        if (list[i].drop == ROUTE_DROP_KEPT && (!list[i].priced || list[i].cost_nano > most))
            list[i].drop = ROUTE_DROP_COST;
}

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    size_t drawn = candidate_draw(list, n, in->draw);
    for (size_t i = 0; i < n; i++) list[i].score = 1 - list[i].quality;
    list[drawn].score -= 1e-6; // of those that are equal, not always the first
}

const struct strategy_ops strategy_of_QUALITY = {.wants_cost = true, .wants_quality = true, .sift = sift, .rank = rank};
