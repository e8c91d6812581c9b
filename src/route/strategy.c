// The strategies by name, and what several of them share.
#include "route/strategy.h"

#include "base/hash.h"

#include <math.h>

const struct strategy_ops *strategy_get(enum conf_strategy strategy) {
    static const struct strategy_ops *const all[] = {
#define STRATEGY(id, name, help) [STRATEGY_##id] = &strategy_of_##id,
#include "conf/strategy.def"
#undef STRATEGY
    };
    return all[strategy];
}

struct str tier_name(enum conf_tier tier) {
    static const struct str names[] = {
#define TIER(id, name, help) [TIER_##id] = STR_INIT(name),
#include "conf/tier.def"
#undef TIER
    };
    return names[tier];
}

struct str strategy_name(enum conf_strategy strategy) {
    static const struct str names[] = {
#define STRATEGY(id, name, help) [STRATEGY_##id] = STR_INIT(name),
#include "conf/strategy.def"
#undef STRATEGY
    };
    return names[strategy];
}

double candidate_weight(const struct candidate *c) { return c->node->weight * (double)c->state.slow_start; }

double strategy_share(uint64_t draw) { return (double)(draw >> 11) * 0x1p-53; }

uint64_t strategy_redraw(uint64_t draw) { // splitmix64 (Steele, Lea, Flood 2014)
    draw += 0x9e3779b97f4a7c15ULL;
    draw = (draw ^ (draw >> 30)) * 0xbf58476d1ce4e5b9ULL;
    draw = (draw ^ (draw >> 27)) * 0x94d049bb133111ebULL;
    return draw ^ (draw >> 31);
}

size_t candidate_draw(const struct candidate *list, size_t n, uint64_t draw) {
    double total = 0;
    for (size_t i = 0; i < n; i++) total += candidate_weight(&list[i]);
    double at = strategy_share(strategy_redraw(draw)) * total;
    for (size_t i = 0; i + 1 < n; i++) {
        at -= candidate_weight(&list[i]);
        if (at < 0) return i;
    }
    return n - 1;
}

void strategy_sift_quality(const struct strategy_in *in, struct candidate *list, size_t n) {
    double floor = (double)in->model->conf->policy.min_quality / 1e6;
    for (size_t i = 0; i < n; i++)
        if (list[i].drop == ROUTE_DROP_KEPT && list[i].quality < floor) list[i].drop = ROUTE_DROP_QUALITY;
}

double rendezvous_score(uint64_t key, uint64_t place, double weight) {
    double u = strategy_share(strategy_redraw(key ^ strategy_redraw(place)));
    return -log(u + 0x1p-54) / weight;
}
