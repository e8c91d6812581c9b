// ab: the arm of an experiment, always the same one for the same user; within an arm, by weight.
#include "route/strategy.h"

#include <math.h>

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    double least = INFINITY, best = INFINITY;
    uint64_t arm = 0;
    size_t first = 0;
    for (size_t i = 0; i < n; i++) {
        const struct route_node *node = list[i].node;
        // By all of the arm's targets, also those that are left out now: an assignment is for good.
        double score = rendezvous_score(in->need->affinity, node->arm, node->arm_weight);
        if (score < least) least = score, arm = node->arm;
    }
    for (size_t i = 0; i < n; i++) {
        bool ours = list[i].node->arm == arm;
        double place = rendezvous_score(in->draw, i, MAX(candidate_weight(&list[i]), 1e-9));
        list[i].score = ours ? 1 : 2; // others only when all of the arm have failed
        if (ours && place < best) best = place, first = i;
    }
    list[first].score = 0;
}

const struct strategy_ops strategy_of_AB = {.rank = rank};
