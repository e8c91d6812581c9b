// The models that providers say they have: asked for with GET …/models when somebody lists models and the configuration
// names none, and kept for a minute.
//
// Ownership: one a loop; names live until the next refresh. Thread rule: the loop's.
#ifndef GATEWAY_CATALOG_H
#define GATEWAY_CATALOG_H

#include "base/vec.h"
#include "gateway/runtime.h"
#include "gateway/wait.h"

struct gateway_loop;
struct catalog;

struct catalog_model {
    struct str name;  // as a client asks for it: the provider's own name where that finds it, else "provider/name"
    struct str owner; // the provider
};

NODISCARD bool catalog_create(struct gateway_loop *gl, struct catalog **out_catalog, struct err *err);
void catalog_free(struct catalog *catalog);
// The list when it is fresh enough, else NULL. Of an empty list the count is 0.
const struct catalog_model *catalog_models(const struct catalog *catalog, size_t *out_count);
// Asks the providers, at most for a few seconds; one that does not answer is left out. True: the call waits and is
// resumed. False: there was nobody to ask.
bool catalog_refresh(struct catalog *catalog, struct call *call);
// Gives up what is under way; nobody waits.
void catalog_stop(struct catalog *catalog);

#endif
