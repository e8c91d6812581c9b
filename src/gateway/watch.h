// Watches how long answers take: until they begin, between two tokens, in all, and how fast they come.
//
// One timer a call, set to what is due first. What has to be later by then is put right when it comes: a token costs no
// more than noting that it came.
//
// Ownership: part of the call. Thread rule: the call's loop. Units: ns of the monotonic clock. Source of the limits:
// `routing.timeouts` of the model that was asked for.
#ifndef GATEWAY_WATCH_H
#define GATEWAY_WATCH_H

#include "os/timer.h"
#include "route/failure.h"

struct call;

struct watch {
    struct timer timer;
    bool on;
    uint64_t events;    // of the stream, as last seen
    uint64_t last_ns;   // when one came
    uint64_t paused_ns; // since when the client has kept the stream waiting; 0: it does not
    uint64_t held_ns;   // how long it did so in all
};

void watch_init(struct call *call);
void watch_stop(struct call *call);
// After an attempt was sent.
void watch_arm(struct call *call);
// How much of the time for the whole request is left; UINT64_MAX: it is not limited.
uint64_t watch_remaining(const struct call *call);

// Whether a stream that has not begun in time ends here (routing.timeouts.first_token).
bool watch_first_token(const struct call *call);

// A piece of the stream was passed on; events: how many there were in all.
void watch_moved(struct call *call, uint64_t events);
// The client keeps the stream waiting, or does not any more: that time is not the provider's.
void watch_paused(struct call *call, bool paused);

#endif
