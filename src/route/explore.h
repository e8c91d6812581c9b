// Now and then another target first, so that it is found out how good its answers are: what was once graded badly, or
// never, is asked by no strategy that goes by quality, and nobody would learn that it is good (epsilon-greedy choice
// among those that would be best if their answers were perfect).
//
// Thread rule: pure. Time: for a request that does not explore, one random number. Units: ns.
#ifndef ROUTE_EXPLORE_H
#define ROUTE_EXPLORE_H

#include "route/strategy.h"

// Whether this request is one of those.
bool explore_is_due(const struct strategy_in *in);
// The place of the one that goes first in a list that is in its order, those that would rather not be taken behind the
// others; 0: none would, or none is to be tried. Drawn by how little is known of it.
size_t explore_choose(const struct strategy_in *in, const struct candidate *list, size_t n, uint64_t now_ns);

#endif
