// balanced: by cost, latency and quality together; each counts from 0, the best of the candidates, towards 1.
#include "route/strategy.h"

#include <math.h>

// How much worse than the least: 0 for it, 1/2 for twice as much.
static double above(double value, double least) { return value > least ? 1 - least / value : 0; }

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    const struct conf_balance *b = &in->model->conf->policy.balance;
    double cost = INFINITY, latency = INFINITY, quality = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].priced) cost = MIN(cost, (double)list[i].cost_nano + 1);
        if (list[i].first_token_ns > 0) latency = MIN(latency, (double)list[i].first_token_ns);
        quality = MAX(quality, list[i].quality);
    }
    size_t drawn = candidate_draw(list, n, in->draw);
    for (size_t i = 0; i < n; i++) {
        const struct candidate *c = &list[i];
        // What nobody has measured is taken for the best, so that it will be.
        double slow = c->first_token_ns > 0 ? above((double)c->first_token_ns, latency) : 0;
        double dear = c->priced ? above((double)c->cost_nano + 1, cost) : 1;
        list[i].score =
            (double)b->cost * dear + (double)b->latency * slow + (double)b->quality * (quality - c->quality);
    }
    list[drawn].score -= 1; // a millionth
}

const struct strategy_ops strategy_of_BALANCED = {
    .wants_cost = true, .wants_quality = true, .wants_first_token = true, .sift = strategy_sift_quality, .rank = rank};
