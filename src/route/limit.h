// What a provider allows: requests and tokens a minute, calls at a time; kept so that no minute holds more.
//
// Requests count from when they begin until 61 s later, so that also the provider, whom they reach a little later, sees
// no 60 s with more than its limit. Tokens are held as estimated while the call runs and count for 61 s from its end:
// whatever moment between begin and end a provider books them at, no 60 s hold more, save for what calls used beyond
// their estimate. Time is counted in steps of half a second, always to the safe side.
//
// What the provider's own answers said last (limit_learn) counts besides, until it is over.
//
// Thread rule: plain data; the owner's lock. Units: ns, monotonic; now_ns may go back by a little.
#ifndef ROUTE_LIMIT_H
#define ROUTE_LIMIT_H

#include "base/defs.h"

#define LIMIT_STEP_NS UINT64_C(500000000)
#define LIMIT_STEPS 123 // 61 s, and the step under way

struct limit_rules {   // 0 = no limit
    uint64_t requests; // a minute
    uint64_t tokens;   // a minute
    uint32_t concurrency;
};

// What a provider said of one of its counters.
struct limit_learned {
    double remaining; // then; what has begun since is taken off
    double limit;     // 0 = not said
    uint64_t at_ns, reset_ns;
    bool known;
};

struct limit {
    uint64_t newest;           // number of the newest step
    uint64_t requests, tokens; // sums over the steps
    uint64_t held;             // tokens of the calls under way
    uint32_t running;
    uint32_t step_requests[LIMIT_STEPS];
    uint32_t step_tokens[LIMIT_STEPS];
    struct limit_learned said_requests, said_tokens;
};

enum limit_answer {
    LIMIT_ROOM,
    LIMIT_CONCURRENCY, // room when a call ends
    LIMIT_REQUESTS,
    LIMIT_TOKENS,
    LIMIT_TOO_LARGE, // more tokens than a minute ever has
};

// Whether a call of so many tokens may begin. If not, *out_when is the earliest time when there can be room
// (UINT64_MAX: never, or when a call ends). A zeroed limit is unused.
enum limit_answer limit_ask(struct limit *l, const struct limit_rules *rules, uint64_t tokens, uint64_t now_ns,
                            uint64_t *out_when);
// Books it; whether there was room is the caller's affair.
void limit_begin(struct limit *l, uint64_t tokens, uint64_t now_ns);
// tokens: as given to limit_begin; used: what it really was.
void limit_end(struct limit *l, uint64_t tokens, uint64_t used, uint64_t now_ns);

// The same of a call that was begun then and never sent: it counts for nothing.
void limit_cancel(struct limit *l, uint64_t tokens, uint64_t begun_ns, uint64_t now_ns);

// Books so many further requests of a call that was begun, all or none. False: there is no room for them; *out_when as
// above.
bool limit_more(struct limit *l, const struct limit_rules *rules, uint32_t requests, uint64_t now_ns,
                uint64_t *out_when);
// Of a call that was never sent.
void limit_fewer(struct limit *l, uint32_t requests, uint64_t begun_ns);
// One further place for a call that was begun. False: there is none. limit_narrow gives back so many.
bool limit_widen(struct limit *l, const struct limit_rules *rules);
void limit_narrow(struct limit *l, uint32_t places);

enum limit_kind {
    LIMIT_OF_REQUESTS,
    LIMIT_OF_TOKENS,
};
// remaining: as the provider said, less what was begun since the call that it was said to; limit 0 = it did not say;
// reset_in_ns: until all is free again, taken as ten minutes at most.
void limit_learn(struct limit *l, enum limit_kind kind, double remaining, double limit, uint64_t reset_in_ns,
                 uint64_t now_ns);

// How much is free, as a straight line from now to when all is free again.
struct limit_headroom {
    float room, limit;  // limit 0 = there is none, and room says nothing
    float per_ns;       // how fast room grows
    uint64_t usable_ns; // when there is room for one more; 0 = there is, also for a caller whose clock is behind
};
void limit_headroom(struct limit *l, const struct limit_rules *rules, enum limit_kind kind, uint64_t now_ns,
                    struct limit_headroom *out);

#endif
