// Which target goes first on trial, and when.
#include "route/explore.h"

#define SHARE_ALL 1000000

static int64_t share_of(const struct strategy_in *in) {
    const struct conf_quality *q = &in->model->conf->policy.quality;
    return q->leads ? q->explore : 0;
}

static uint64_t draw_of(const struct strategy_in *in) { return strategy_redraw(~in->draw); }

bool explore_is_due(const struct strategy_in *in) {
    return !in->look && (int64_t)(draw_of(in) % SHARE_ALL) < share_of(in);
}

static bool may_go_first(const struct candidate *c, const struct candidate *first) {
    bool wanted = c->drop == ROUTE_DROP_KEPT || c->drop == ROUTE_DROP_QUALITY;
    return wanted && c->state.usable && c->node->priority <= first->node->priority;
}

// As they are ranked with perfect answers; behind: how far behind the first it is with its own. Who is no nearer then
// has nothing to show, as one that costs as much and is good enough.
static bool would_go_first(const struct candidate *c, const struct candidate *first, double behind) {
    if (c->drop == ROUTE_DROP_KEPT && !(c->score - first->score < behind)) return false;
    return c->node->priority < first->node->priority || first->drop != ROUTE_DROP_KEPT || c->score < first->score;
}

size_t explore_choose(const struct strategy_in *in, const struct candidate *list, size_t n, uint64_t now_ns) {
    struct candidate some[ROUTE_NODES_MAX];
    double behind[ROUTE_NODES_MAX], weights[ROUTE_NODES_MAX], total = 0;
    const struct strategy_ops *ops = strategy_get((enum conf_strategy)in->model->conf->strategy);
    size_t places[ROUTE_NODES_MAX], count = 1;
    if (!share_of(in)) return 0;
    some[0] = list[0];
    for (size_t i = 1; i < n; i++) {
        if (!may_go_first(&list[i], &list[0])) continue;
        some[count] = list[i];
        places[count++] = i;
    }
    ops->rank(in, some, count);
    for (size_t i = 1; i < count; i++) {
        behind[i] = some[i].score - some[0].score;
        some[i].quality = 1;
    }
    ops->rank(in, some, count);
    for (size_t i = 1; i < count; i++) {
        double known = (double)board_quality_weight(some[i].node->slot, (unsigned)in->need->task, now_ns);
        weights[i] = would_go_first(&some[i], &some[0], behind[i]) ? 1 / (1 + known) : 0;
        total += weights[i];
    }
    if (total <= 0) return 0;
    double at = strategy_share(strategy_redraw(draw_of(in))) * total;
    size_t last = 0;
    for (size_t i = 1; i < count && at >= 0; i++) {
        if (weights[i] > 0) last = places[i];
        at -= weights[i];
    }
    return last;
}
