// Choosing targets: from the model's name that a client asked for to the ordered list of upstream models to try.
//
// Ownership: slices of the configuration snapshot and of the name given. Thread rule: pure. Errors:
// ERR_MODEL_NOT_FOUND, with the nearest name there is.
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/err.h"
#include "model/facts.h"

#define ROUTE_TARGETS_MAX 16

struct route_target {
    const struct conf_provider *provider;
    struct str model; // what the provider calls it
    struct price price;
};

struct route {
    const struct conf_model *model; // NULL: passed through by name
    struct route_target targets[ROUTE_TARGETS_MAX];
    size_t count; // at least 1
};

// For a tenant, or in general (NULL). Lower priorities first; within one, the first is drawn by weight with `draw` (any
// random number), the others follow in the configuration's order. Whether the tenant may use the model is not asked
// here.
NODISCARD bool route_resolve(const struct model_catalog *catalog, const struct conf *conf,
                             const struct conf_tenant *tenant, struct str name, uint64_t draw, struct route *out_route,
                             struct err *err);

#endif
