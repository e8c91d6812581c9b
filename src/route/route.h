// Choosing targets: from the model's name that a client asked for to the ordered list of upstream models to try.
//
// Ownership: the route borrows the table, and prices of a tenant's own lie in the arena. Thread rule: pure, but for
// turns of round robin. Units: ns. Errors: ERR_MODEL_NOT_FOUND, with the nearest name there is; ERR_UNSUPPORTED when no
// target can serve the request, with what they lack and a model that has it; ERR_OVERLOADED when all are taken out.
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/err.h"
#include "route/strategy.h"

#define ROUTE_TARGETS_MAX 24
#define ROUTE_OWN_MAX 16 // of one model: there are places for those that are asked in its stead

struct route_target {
    const struct conf_provider *provider;
    struct str model; // what the provider calls it
    const struct price *price;
    const struct route_node *node; // NULL: asked for by its provider's name
    struct board_slot *slot;       // NULL: likewise
    struct board_slot *provider_slot;
    bool force; // too many of its like have failed: its breaker is not asked
    bool last;  // nothing speaks for it but that all others have failed
};

struct route {
    const struct conf_model *model;      // NULL: passed through by name
    const struct conf_model *stands_for; // in whose place it is asked, with whose fallbacks; NULL: in nobody's
    struct route_model *routed;          // the same in the table
    struct route_target targets[ROUTE_TARGETS_MAX];
    size_t count;      // at least 1
    size_t considered; // targets it has
    bool fallen;       // fallbacks were added
    bool explored;     // the first one stands there to find out how good its answers are
};

struct route_ask {
    const struct route_table *table;
    const struct conf_tenant *tenant; // the caller's level; NULL: the general configuration is its
    const struct route_need *need;    // as far as the model asks; NULL: nothing is known of the request
    // The same as far as a name asks that takes its place: never NULL. NULL: it is what `need` is.
    const struct route_need *(*need_for)(void *call, struct str name);
    void *call; // for need_for
    struct arena *arena;
    uint64_t now_ns, draw; // any random number
    bool look;             // nothing will be sent: nobody's turn is used up, and nobody is tried out
    bool sure;             // only where all that it needs is known to be there: somebody else can be asked
};

// What each of the targets was found to be, for explaining: room for ROUTE_NODES_MAX.
struct route_trace {
    struct candidate candidates[ROUTE_NODES_MAX]; // those kept first, in their order, then the others
    struct board_view views[ROUTE_NODES_MAX];     // of the same
    size_t count, kept;
    bool explores; // some such requests are sent elsewhere first, to try it out
};

// For a tenant, or in general. Whether the tenant may use the model is not asked here. trace may be NULL.
NODISCARD bool route_resolve(const struct route_ask *ask, struct str name, struct route *out_route,
                             struct route_trace *trace, struct err *err);
// Adds the targets that are asked in the place of those that failed so, behind the others; models that the tenant may
// not use are none. Each name finds a place, as long as there are any. False: there are none. Once a route.
bool route_fall_back(const struct route_ask *ask, enum failure failure, struct route *route);
// The same with names that the client gave; whether it may use them was asked. Leaves places for route_fall_back.
bool route_fall_back_on(const struct route_ask *ask, const struct str *names, size_t count, struct route *route);
// The configured model that a name stands for; NULL: none.
struct route_model *route_model_find(const struct route_table *table, const struct conf_tenant *tenant,
                                     struct str name);
// A target that is asked for by its provider's name.
void route_direct(const struct route_ask *ask, const struct conf_provider *provider, struct str model,
                  struct route_target *out_target);

#endif
