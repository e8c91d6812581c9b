// latency: of two targets drawn by chance the one whose first token comes sooner.
//
// Source: the power of two choices (Mitzenmacher 2001) over peak-EWMA with what is under way, as Finagle and Linkerd
// balance. A target that nobody has measured goes first, once.
#include "route/strategy.h"

static double expected(const struct candidate *c) {
    return (double)c->first_token_ns * (double)(c->state.in_flight + 1);
}

static void rank(const struct strategy_in *in, struct candidate *list, size_t n) {
    for (size_t i = 0; i < n; i++) list[i].score = 1 + expected(&list[i]);
    if (n == 1) return;
    size_t a = candidate_draw(list, n, in->draw), b = a;
    uint64_t draw = in->draw;
    for (int tries = 0; b == a && tries < 8; tries++) b = candidate_draw(list, n, draw = strategy_redraw(draw));
    if (b == a) b = (a + 1) % n;
    list[expected(&list[a]) <= expected(&list[b]) ? a : b].score = 0;
}

const struct strategy_ops strategy_of_LATENCY = {.wants_first_token = true, .rank = rank};
