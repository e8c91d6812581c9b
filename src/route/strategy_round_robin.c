// round_robin: in turn, in the proportion of the weights.
#include "route/strategy.h"

// Turn k is at k times the golden ratio, modulo 1: any n turns that follow each other are spread over [0, 1) as evenly
// as n places can be (Weyl's sequence; the three-distance theorem), so each target gets its share at once and none
// waits long. Equal weights take turns exactly.
static size_t place_of(const struct candidate *list, size_t n, uint64_t turn) {
    bool equal = true;
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

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    uint64_t turn = in->look ? atomic_load_explicit(&in->model->turn, memory_order_relaxed)
                             : atomic_fetch_add_explicit(&in->model->turn, 1, memory_order_relaxed);
    size_t first = place_of(list, n, turn);
    for (size_t i = 0; i < n; i++) list[i].score = (double)((i + n - first) % n);
}

const struct strategy_ops strategy_of_ROUND_ROBIN = {.rank = rank};
