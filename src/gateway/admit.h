// What a call holds of budgets, from stage_admit to its end.
//
// Thread rule: the call's loop.
#ifndef GATEWAY_ADMIT_H
#define GATEWAY_ADMIT_H

#include "gateway/call.h"

// The call is over: what it held becomes what it used. served: a provider has worked on it.
void admit_settle(struct call *call, bool served);

#define ADMIT_FIELDS_MAX (QUOTA_HEADERS_MAX + 1)
// The fields that the answer has because of budgets; how many.
size_t admit_fields(struct call *call, struct http_field out[ADMIT_FIELDS_MAX]);

#endif
