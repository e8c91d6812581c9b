// What is said when a name means nothing, or nothing that it means can serve the request.
//
// Thread rule: pure. All return false, with *err set.
#ifndef ROUTE_UNSERVED_H
#define ROUTE_UNSERVED_H

#include "route/route.h"

// ERR_MODEL_NOT_FOUND with the nearest name that the tenant may use.
bool route_unknown(const struct route_ask *ask, struct str name, struct err *err);
// ERR_UNSUPPORTED, or ERR_OVERLOADED: what its targets lack, and a model that the tenant may use which has it.
bool route_unserved(const struct route_ask *ask, struct str name, const struct route_model *model,
                    const struct candidate *list, struct err *err);
// The same of a provider's model by its name, of which the catalogue has this.
bool route_unable(const struct route_ask *ask, struct str name, const struct conf_provider *provider,
                  const struct model_entry *entry, struct err *err);
// ERR_NO_TARGET: the provider that was asked for by name may not see the request.
bool route_kept_in(const struct route_ask *ask, struct str name, const struct conf_provider *provider, struct err *err);

#endif
