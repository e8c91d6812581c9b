// complexity: targets for prompts as hard as this one; among them the cheapest.
#include "route/strategy.h"

// Steps from the request's tier to the nearest that the target is for: harder ones count less than easier ones.
static unsigned distance(const struct candidate *c, enum conf_tier tier) {
    unsigned set = c->node->conf->tier_set, best = 2 * TIER_COUNT;
    if (!set) return 0;
    for (unsigned t = 0; t < TIER_COUNT; t++) {
        if (!(set >> t & 1)) continue;
        unsigned d = t >= (unsigned)tier ? t - (unsigned)tier : TIER_COUNT + (unsigned)tier - t;
        best = MIN(best, d);
    }
    return best;
}

static void sift(const struct strategy_in *in, struct candidate *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned d = list[i].drop == ROUTE_DROP_KEPT ? distance(&list[i], in->need->tier) : 0;
        if (!d) continue;
        list[i].drop = ROUTE_DROP_TIER;
        list[i].score = d; // where none is for its tier, the nearest
    }
}

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    size_t drawn = candidate_draw(list, n, in->draw);
    for (size_t i = 0; i < n; i++) {
        double cost = list[i].priced ? (double)list[i].cost_nano + 1 : 1e15;
        list[i].score = (double)distance(&list[i], in->need->tier) * 1e16 + cost;
    }
    list[drawn].score *= 0.999999; // of those that cost the same, not always the first
}

const struct strategy_ops strategy_of_COMPLEXITY = {.wants_cost = true, .sift = sift, .rank = rank};
