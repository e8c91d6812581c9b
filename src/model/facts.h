// What is known of a target: the catalogue's entry, with what the configuration says over it.
//
// Ownership: text of the catalogue and the configuration. Thread rule: pure.
#ifndef MODEL_FACTS_H
#define MODEL_FACTS_H

#include "model/catalog.h"

struct model_target {
    const struct conf_model *model; // NULL: passed through by name
    const struct conf_provider *peer;
    struct str upstream; // what the provider calls it
};
// The price: that of the catalogue (of the model's `base`, when it has one), over which goes what the configuration
// says: `prices` by "provider/model", or by model name; the model's own `price`; and of that what the general part says
// first, then the tenant (NULL: none) and its parents, the nearest last. Figures that one leaves out stay those of the
// one before. What runs on one's own machine, and demo, costs 0, known, unless the configuration says otherwise.
struct price model_price(const struct model_catalog *catalog, const struct conf *conf, const struct conf_tenant *tenant,
                         const struct model_target *of);
// The same where the catalogue's entry was looked up before; NULL: it has none.
struct price model_price_of(const struct model_entry *entry, const struct conf *conf, const struct conf_tenant *tenant,
                            const struct model_target *of);
// All of it. False: the catalogue knows nothing of it, and what is set is from the configuration alone.
bool model_facts(const struct model_catalog *catalog, const struct conf *conf, const struct conf_tenant *tenant,
                 const struct model_target *of, struct model_entry *out_facts);

// By the name that it is asked for: what holds for all of its targets, with the price of the first.
struct model_named {
    struct model_entry facts;
    struct model_target target; // the first
};
// False: there is no such model, or it has no target.
bool model_facts_named(const struct model_catalog *catalog, const struct conf *conf, const struct conf_tenant *tenant,
                       struct str name, struct model_named *out_named);
// Of `usage.reference_model`: as a client would be answered under that name, else what the catalogue has.
struct price model_reference_price(const struct model_catalog *catalog, const struct conf *conf);
// Whether there is anything to tell.
bool model_entry_known(const struct model_entry *entry);

#endif
