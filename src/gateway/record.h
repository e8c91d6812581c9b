// The record of a call: usage ledger, metrics and access log, once a request.
#ifndef GATEWAY_RECORD_H
#define GATEWAY_RECORD_H

#include "gateway/call.h"

// Before the upstream call: a crash in the middle leaves a row of status unknown rather than none.
void record_begin(struct call *call);
// What it cost, from the usage known so far; a guess where the upstream did not say.
void record_price(struct call *call);
// The same of a call that waits for another's answer: its place in the ledger, and nothing sent.
void record_wait(struct call *call);
// What the stream that is under way has told of its usage.
void record_usage(struct call *call);
// What call->at has used, in a record of its own: others go on with its answer.
void record_part(struct call *call);
// Events of the stream that were passed on, each about a token.
uint64_t record_streamed(const struct call *call);
// Whether nobody is charged for it: it is a shadow's.
bool record_is_free(const struct call *call);
// Before the answer's last byte leaves: call->status and call->error are what the client sees. Once.
void record_end(struct call *call);
// One call to a provider is over: the upstream's metrics. status: an HTTP status, or an error's code.
void record_call(struct call *call, struct str status, uint64_t sent_ns);
// The one, or the last, that call->at was.
void record_attempt(struct call *call, struct str status);

#endif
