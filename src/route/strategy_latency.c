// latency: of two targets drawn by chance the one whose first token comes sooner.
//
// Source: the power of two choices (Mitzenmacher 2001) over peak-EWMA with what is under way, as Finagle and Linkerd
// balance. A target that nobody has measured goes first, once: until it has answered it is taken to be as fast as the
// fastest of the others.
#include "route/strategy.h"

#include <math.h>

static double expected(const struct candidate *c, double least) {
    double first = c->first_token_ns > 0 ? (double)c->first_token_ns : c->state.in_flight ? least : 0;
    return first * (double)(c->state.in_flight + 1);
}

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    double least = INFINITY;
    for (size_t i = 0; i < n; i++)
        if (list[i].first_token_ns > 0) least = MIN(least, (double)list[i].first_token_ns);
    if (isinf(least)) least = 1;
    for (size_t i = 0; i < n; i++) list[i].score = 1 + expected(&list[i], least);
    if (n == 1) return;
    size_t a = candidate_draw(list, n, in->draw), b = a;
    uint64_t draw = in->draw;
    for (int tries = 0; b == a && tries < 8; tries++) b = candidate_draw(list, n, draw = strategy_redraw(draw));
    if (b == a) b = (a + 1) % n;
    list[list[a].score <= list[b].score ? a : b].score = 0;
}

const struct strategy_ops strategy_of_LATENCY = {.wants_first_token = true, .rank = rank};
