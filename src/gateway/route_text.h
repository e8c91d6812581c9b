// How a call was routed, in one line: for the answer's headers and the access log.
//
// Ownership: texts lie in the call's arena. Thread rule: the call's loop.
#ifndef GATEWAY_ROUTE_TEXT_H
#define GATEWAY_ROUTE_TEXT_H

#include "gateway/call.h"

// "strategy=cost; tier=simple; task=code; model=coder": how its target was chosen, where there was a choice; tier where
// the request was judged; the model where its task has one of its own; "explored=1" where the target was tried out.
// Empty: nothing to tell.
struct str route_text(struct call *call);
// "a/m-1 503 12ms, b/m-2 200 340ms": each try, when there was more than one; else empty.
struct str route_tried_text(struct call *call);

#endif
