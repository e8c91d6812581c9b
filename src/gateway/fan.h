// One call as several to its provider: a list of inputs that is longer than one call takes is split, sent in parallel
// and joined in its order.
//
// Ownership: an attempt's; fan_cancel gives back what is not in its arena. Thread rule: the call's loop. Errors: the
// first piece that fails decides, and the others are given up; another target is asked for all of it.
#ifndef GATEWAY_FAN_H
#define GATEWAY_FAN_H

#include "gateway/call.h"

#define FAN_PARALLEL 8 // pieces under way at once, as far as the target has places for them

// How many calls the call would be to that provider; 1: it is not split.
size_t fan_pieces(const struct call *call, const struct conf_provider *provider);
// Splits call->translation->embed and writes the pieces.
NODISCARD bool fan_write(struct call *call, const struct chat_target *target, struct chat_report *report,
                         struct err *err);
// Sends them. The call then goes on by answer_…
NODISCARD bool fan_send(struct call *call, struct err *err);
// Counts what was answered as used, for the call fails or is given up by us.
void fan_charge(struct attempt *a);
void fan_cancel(struct attempt *a);

#endif
