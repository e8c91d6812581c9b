// A call's part in trials: whether the canary takes it, what is mirrored of it, and what its outcome is counted as.
//
// Ownership: part of the call; mirrored calls are the loop's. Thread rule: the call's loop. Errors: a trial never fails
// a call.
#ifndef GATEWAY_TRIAL_CALL_H
#define GATEWAY_TRIAL_CALL_H

#include "gateway/trials.h"

struct gateway_loop;
struct mirror;

struct trial_seat {
    struct trial *trial; // NULL: it has no part in one
    unsigned arm, step;
};
struct trial_part {
    struct trial_seat canary, shadow;
    struct trial_seat ab; // its arm is known once a target has answered
    size_t own;           // targets of the route that are of its arm; others only help out
    bool refused;         // the canary has found fault with the request
};

// The model that takes this call, whose need is known, as the canary of its own; empty: its own does.
struct str trial_deal(struct call *call);
// It has ended: counts it.
void trial_end(struct call *call);
// The part that its answer has in them: none where others helped out, whose answers say nothing of a side.
struct trial_part trial_answered(const struct call *call);
// The share of such answers, in millionths, that is to be scored for it.
int64_t trial_scored(const struct call *call);
// How good its answer was, 0..1, found later than its end; the part it had in them. Any thread.
void trial_judged(const struct trial_part *part, double quality);

// mirror.c: the request was sent to its target; a share is sent to the shadow as well, soon.
void mirror_maybe(struct call *call);
// Those under way are given up: the loop ends.
void mirrors_stop(struct gateway_loop *gl);

#endif
