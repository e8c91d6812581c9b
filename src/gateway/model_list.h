// The models and aliases that a caller may use: its tenant's, its tenant's parents', the general ones, and where none
// are configured what the providers say they have.
//
// Thread rule: the call's loop. Ownership: what is shown lives during the visit.
#ifndef GATEWAY_MODEL_LIST_H
#define GATEWAY_MODEL_LIST_H

#include "gateway/call.h"

typedef void model_visit(void *arg, struct str name, struct str owner);

// Before the list: true when the providers are asked first; the call is resumed.
bool model_list_waits(struct call *call);
// Visits all that the caller may see; wanted not empty: only that one. Returns how many there were.
size_t model_list(const struct call *call, struct str wanted, model_visit *visit, void *arg);

#endif
