// What a call holds of budgets, from stage_admit to its end.
//
// Thread rule: the call's loop.
#ifndef GATEWAY_ADMIT_H
#define GATEWAY_ADMIT_H

#include "gateway/pipeline.h"

// Reserves the call's grant, wherever budgets are counted. STAGE_DONE: it may go on; STAGE_WAIT: come again when
// resumed; STAGE_FAIL: admission.refusal says which budget refuses, or, with admission.unsure, budgets cannot be
// counted now.
enum stage_result admit_take(struct call *call);
struct quota_subject admit_subject(struct call *call, struct str tags[QUOTA_TAGS_MAX]);
// Of a gateway_loop: has those that wait for shares look again.
void admit_share_timer(struct timer *timer);
// Gives back what the call holds.
void admit_release(struct call *call);
// The call is over: what it held becomes what it used. served: a provider has worked on it.
void admit_settle(struct call *call, bool served);

#define ADMIT_FIELDS_MAX (QUOTA_HEADERS_MAX + 1)
// The fields that the answer has because of budgets; how many.
size_t admit_fields(struct call *call, struct http_field out[ADMIT_FIELDS_MAX]);

#endif
