// A second target asked while the first has not begun to answer: what begins first is taken, the other is given up.
//
// A stream begins with its first event (opening.h), other answers with their head.
//
// Ownership: part of the call. Thread rule: the call's loop. Source: hedged requests (Dean and Barroso, "The Tail at
// Scale", 2013).
#ifndef GATEWAY_HEDGE_H
#define GATEWAY_HEDGE_H

#include "gateway/call.h"

// After call->at was sent.
void hedge_arm(struct call *call);
// An answer has begun at one of two: the other is given up, and a is call->at. Nothing when only one is under way.
void hedge_won(struct attempt *a);
// One of two has failed: it is given up, and the other goes on. False: it was the only one.
bool hedge_lost(struct attempt *a, enum failure why, const char *error, int status);
// No second target any more: what runs beside call->at is given up.
void hedge_stop(struct call *call);

#endif
