// Which of a model's targets can and may serve a request, before any strategy has a say.
//
// Thread rule: pure. Units: ns.
#ifndef ROUTE_FILTER_H
#define ROUTE_FILTER_H

#include "route/strategy.h"

struct filter_in {
    struct route_model *model;
    const struct route_need *need; // NULL: nothing is known of the request, and nothing dropped for it
    uint64_t now_ns;
    bool lenient; // what nobody knows speaks against none
};
// Fills one candidate for each target, in the configuration's order; drop says why not. list has room for all.
void filter_targets(const struct filter_in *in, struct candidate *list);
// Why a target cannot serve a request, whatever its state; ROUTE_DROP_KEPT: it can. Conditions are not looked at.
enum route_drop filter_node(const struct route_node *node, const struct route_need *need, bool lenient);
// The same of what is known of a model alone: abilities and room.
enum route_drop filter_facts(const struct model_entry *facts, const struct model_need *need, bool lenient);
// Whether a provider may see a request, whatever its model.
bool filter_provider(const struct conf_provider *provider, const struct route_need *need);
bool drop_is_soft(enum route_drop drop);
struct str drop_name(enum route_drop drop);
struct str drop_text(enum route_drop drop);

#endif
