// An answer that was held back for its faults, kept until another target has given one: when none does, it is the
// client's after all.
//
// Ownership: the call's; held_free gives back its bytes. Thread rule: the call's loop. Errors: without memory nothing
// is kept.
#ifndef GATEWAY_HELD_H
#define GATEWAY_HELD_H

#include "base/buf.h"

struct call;

// The whole answer of call->at, before another target is asked. One that was kept before goes.
void held_keep(struct call *call, struct str body);
// Nothing else has come of the call: it is answered with what was kept, and is gone. False: there is nothing.
NODISCARD bool held_give(struct call *call);
void held_free(struct call *call);

#endif
