// Whether and when a call is tried again: a budget that holds retries to a share of the traffic, and the wait before
// one.
//
// Thread rule: the budget from any thread, without locks; the rest is pure. Units: ns, monotonic. Sources: gRPC's retry
// throttling (A6), Finagle's retry budget; "full jitter" (Amazon's builders' library).
#ifndef ROUTE_RETRY_H
#define ROUTE_RETRY_H

#include "base/defs.h"

struct retry_rules {
    uint32_t share_permille; // of the calls may be retries
    uint32_t floor_second;   // retries a second that are allowed besides, so that a quiet server can retry at all
    uint32_t burst;          // retries that are there at the start, and that silence saves up; at least 1
    uint32_t save;           // retries that calls save up, so that those which fail together can be tried again
    uint64_t base_ns;        // the first wait is up to this, each further up to twice the one before
    uint64_t max_ns;         // and at most this
    uint64_t after_max_ns;   // a Retry-After beyond this is not waited for
};
// A fifth of the traffic, one a second besides; 10 at the start, 100 saved up by calls; 250 ms doubling to 8 s;
// Retry-After up to 30 s.
struct retry_rules retry_rules_default(void);

struct retry_budget {
    uint64_t saved; // thousandths of a retry
    uint64_t at_ns; // up to when the floor was credited
};
// `burst` retries may come at once.
void retry_budget_init(struct retry_budget *b, const struct retry_rules *rules, uint64_t now_ns);
// With each call (not with each attempt).
void retry_budget_call(struct retry_budget *b, const struct retry_rules *rules);
// Takes one retry. However calls and retries interleave: retries <= share * calls + floor * time + burst.
NODISCARD bool retry_budget_take(struct retry_budget *b, const struct retry_rules *rules, uint64_t now_ns);
// Whole retries that are left, as of the last use.
uint64_t retry_budget_left(const struct retry_budget *b);

struct retry_ask {
    unsigned retry;        // 0 for the first retry of the same target
    uint64_t after_ns;     // the provider's Retry-After; 0 = it said none
    uint64_t remaining_ns; // of the call's deadline; UINT64_MAX = none
    uint64_t draw;         // any random number
};
// False when there is no time for it: the wait would be as long as what remains, or the provider asks for too much.
NODISCARD bool retry_wait(const struct retry_rules *rules, const struct retry_ask *ask, uint64_t *out_wait_ns);

#endif
