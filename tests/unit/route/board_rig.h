// What tests of route/board.h share: a slot, views that are checked against what is asked for alone, whole attempts.
#ifndef TESTS_ROUTE_BOARD_RIG_H
#define TESTS_ROUTE_BOARD_RIG_H

#include "check.h"
#include "route/board.h"

#include <math.h>

#define SECOND UINT64_C(1000000000)
#define T0 (1000000 * SECOND)

static inline struct board_slot *slot_of(struct board *board) {
    struct board_slot *slot = board_slot_get(board, STR("openai"), STR("gpt-5-mini"), STR(""));
    REQUIRE(slot);
    return slot;
}

// Whether what is asked for alone is what the whole view says.
static inline bool agree(const struct board_slot *slot, uint64_t now_ns, const struct board_view *v) {
    struct board_state s;
    memset(&s, 0xa5, sizeof s);
    board_state(slot, now_ns, &s);
    float first_token_ns = board_first_token_ns(slot, now_ns), tokens_share = board_tokens_share(slot, now_ns);
    return s.usable == v->usable && s.why == v->why && s.in_flight == v->in_flight &&
           fabsf(s.slow_start - v->slow_start) < 1e-5F && fabsf(first_token_ns - v->first_token_ns) <= 0 &&
           fabsf(tokens_share - MIN(MIN(v->share[LIMIT_OF_TOKENS], v->share[LIMIT_OF_INPUT_TOKENS]),
                                    v->share[LIMIT_OF_OUTPUT_TOKENS])) <= 0;
}

static inline struct board_view view_at(const struct board_slot *slot, uint64_t now_ns) {
    struct board_view v;
    memset(&v, 0xa5, sizeof v);
    board_view(slot, now_ns, &v);
    CHECK(agree(slot, now_ns, &v));
    return v;
}

// One attempt from begin to end; whether it could begin.
static inline bool attempt(struct board_slot *slot, enum failure failure, uint64_t from_ns, uint64_t to_ns) {
    struct board_ticket ticket;
    struct board_refusal refusal;
    if (!board_begin(slot, limit_tokens(100, 0), 0, from_ns, 0, &ticket, &refusal)) return false;
    board_end(slot, &ticket, &(struct board_outcome){.failure = failure}, to_ns);
    return true;
}

#endif
