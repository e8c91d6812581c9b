// round_robin: in turn, in the proportion of the weights.
#include "route/strategy.h"

// Turn k is at k times the golden ratio, modulo 1: any n turns that follow each other are spread over [0, 1) as evenly
// as n places can be (Weyl's sequence; the three-distance theorem), so each target gets its share at once and none
// waits long; and so are every second of them, or every third: what comes in between, for others, takes nothing from
// it. Equal weights take turns exactly, where all targets can be asked: such requests are counted by themselves.
static size_t place_of(const struct candidate *list, size_t n, uint64_t turn, bool exact) {
    bool equal = exact;
    if (n < 2) return 0;
    double total = 0, at;
    for (size_t i = 0; i < n; i++) {
        equal = equal && list[i].node->weight == list[0].node->weight;
        total += candidate_weight(&list[i]);
    }
    if (equal && total >= (double)n * list[0].node->weight) return turn % n;
    at = (double)((turn * 0x9e3779b97f4a7c15ULL) >> 11) * 0x1p-53 * total;
    for (size_t i = 0; i + 1 < n; i++) {
        at -= candidate_weight(&list[i]);
        if (at < 0) return i;
    }
    return n - 1;
}

static uint64_t take(_Atomic uint64_t *turns, bool look) {
    return look ? atomic_load_explicit(turns, memory_order_relaxed)
                : atomic_fetch_add_explicit(turns, 1, memory_order_relaxed);
}

static uint64_t turn_of(const struct strategy_in *in) {
    if (in->all) return take(&in->model->turns, in->look);
    return take(&in->model->turns_of_some, in->look) + take(&in->model->turns, true);
}

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    size_t first = place_of(list, n, turn_of(in), in->all);
    for (size_t i = 0; i < n; i++) list[i].score = (double)((i + n - first) % n);
}

const struct strategy_ops strategy_of_ROUND_ROBIN = {.rank = rank};
