// What is known of a model that a client may ask for: that which holds for all of its targets.
//
// Ownership: text of the catalogue and the configuration. Thread rule: pure.
#ifndef GATEWAY_MODEL_FACTS_H
#define GATEWAY_MODEL_FACTS_H

#include "gateway/runtime.h"
#include "model/facts.h"

// By the name it is asked for, for a tenant or in general (NULL). What all targets can do and take; the price is that
// of the first. False: nothing is known, or there is no such model.
bool model_facts_named(const struct runtime *rt, const struct conf_tenant *tenant, struct str name,
                       struct model_entry *out_facts);

#endif
