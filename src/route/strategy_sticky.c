// sticky: always the same target for what belongs together, so that the provider's prompt cache is used.
#include "route/strategy.h"

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        // Its full weight also while it starts slowly: what moves away and back loses its cache twice.
        list[i].score = rendezvous_score(in->need->affinity, list[i].node->place, list[i].node->weight);
    }
}

const struct strategy_ops strategy_of_STICKY = {.rank = rank};
