// What a provider allows: requests, tokens, input and output tokens a minute, calls at a time; kept so that no minute
// holds more.
//
// Requests count from when they begin until 61 s later, so that also the provider, whom they reach a little later, sees
// no 60 s with more than its limit. Tokens are held as estimated while the call runs and count for 61 s from its end:
// whatever moment between begin and end a provider books them at, no 60 s hold more, save for what calls used beyond
// their estimate. An answer that may be longer than what output a minute has is let in when all of that is free, and so
// is a prompt, where the part of it that is read from a cache is no input. Time is counted in steps of half a second,
// always to the safe side.
//
// What the provider's own answers said last (limit_learn) counts besides, until it is over.
//
// Thread rule: plain data; the owner's lock. Units: ns, monotonic; now_ns may go back by a little.
#ifndef ROUTE_LIMIT_H
#define ROUTE_LIMIT_H

#include "base/defs.h"

#define LIMIT_STEP_NS UINT64_C(500000000)
#define LIMIT_STEPS 123 // 61 s, and the step under way

enum limit_kind {
    LIMIT_OF_TOKENS, // input and output together
    LIMIT_OF_INPUT_TOKENS,
    LIMIT_OF_OUTPUT_TOKENS,
    LIMIT_OF_REQUESTS,
    LIMIT_KINDS
};
#define LIMIT_TOKEN_KINDS LIMIT_OF_REQUESTS

struct limit_rules { // 0 = no limit
    union {
        struct {
            uint64_t tokens, input_tokens, output_tokens, requests; // a minute
        };
        uint64_t minute[LIMIT_KINDS];
    };
    uint32_t concurrency;
    bool cached_free; // what comes from the provider's prompt cache is no input to its limits
};

// Of one call.
struct limit_tokens {
    union {
        struct {
            uint64_t total, input, output; // before it was answered: output as much as the answer may have
        };
        uint64_t of[LIMIT_TOKEN_KINDS];
    };
    uint64_t expected_output; // likewise: as much as it likely has, for what the provider says is left
};
static inline struct limit_tokens limit_tokens(uint64_t input, uint64_t output) {
    return (struct limit_tokens){.total = input + output, .input = input, .output = output, .expected_output = output};
}

// What a provider said of one of its counters.
struct limit_learned {
    double remaining; // then; what has begun since is taken off
    double limit;     // 0 = not said
    uint64_t at_ns, reset_ns;
    bool known;
};

struct limit_minute {
    uint64_t sum;  // over the steps
    uint64_t held; // by the calls under way; of tokens alone
    struct limit_learned said;
};

struct limit {
    uint64_t newest; // number of the newest step
    uint32_t running;
    struct limit_minute of[LIMIT_KINDS];
    uint32_t step[LIMIT_STEPS][LIMIT_KINDS];
};

enum limit_answer {
    LIMIT_ROOM,
    LIMIT_CONCURRENCY, // room when a call ends
    LIMIT_REQUESTS,
    LIMIT_TOKENS,
    LIMIT_INPUT_TOKENS,
    LIMIT_OUTPUT_TOKENS,
    LIMIT_TOO_LARGE, // more tokens than a minute ever has
};

// Whether a call of so many tokens may begin. If not, *out_when is the earliest time when there can be room
// (UINT64_MAX: never, or when a call ends). A zeroed limit is unused.
enum limit_answer limit_ask(struct limit *l, const struct limit_rules *rules, const struct limit_tokens *tokens,
                            uint64_t now_ns, uint64_t *out_when);
// Books it; whether there was room is the caller's affair.
void limit_begin(struct limit *l, const struct limit_tokens *tokens, uint64_t now_ns);
// tokens: as given to limit_begin; used: what it really was.
void limit_end(struct limit *l, const struct limit_tokens *tokens, const struct limit_tokens *used, uint64_t now_ns);

// The same of a call that was begun then and never sent: it counts for nothing.
void limit_cancel(struct limit *l, const struct limit_tokens *tokens, uint64_t begun_ns, uint64_t now_ns);

// Books so many further requests of a call that was begun, all or none. False: there is no room for them; *out_when as
// above.
bool limit_more(struct limit *l, const struct limit_rules *rules, uint32_t requests, uint64_t now_ns,
                uint64_t *out_when);
// Of a call that was never sent.
void limit_fewer(struct limit *l, uint32_t requests, uint64_t begun_ns);
// One further place for a call that was begun. False: there is none. limit_narrow gives back so many.
bool limit_widen(struct limit *l, const struct limit_rules *rules);
void limit_narrow(struct limit *l, uint32_t places);

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
