// Tests of route/board.h: how the breaker of a target opens, tries and closes, and what its probes are told by.
#include "board_rig.h"

static void test_opens_and_comes_back(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_ticket late, probe, second;
    struct board_refusal refusal;
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &late, &refusal));
    for (int i = 0; i < 5; i++) CHECK(attempt(slot, FAILURE_SERVER_ERROR, T0, T0));
    CHECK(!board_begin(slot, limit_tokens(1, 0), 0, T0 + SECOND, 0, &probe, &refusal));
    CHECK_INT(refusal.why, BOARD_OPEN);
    CHECK_INT(refusal.retry_at_ns, T0 + 5 * SECOND);
    CHECK(view_at(slot, T0 + SECOND).error_rate == 1);
    // What was under way from before changes nothing.
    board_end(slot, &late, &(struct board_outcome){.failure = FAILURE_NONE}, T0 + 2 * SECOND);
    CHECK_INT(view_at(slot, T0 + 2 * SECOND).breaker, BREAKER_OPEN);
    struct board_view v = view_at(slot, T0 + 5 * SECOND);
    CHECK(v.usable && v.probe);
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0 + 5 * SECOND, 0, &probe, &refusal));
    CHECK(!board_begin(slot, limit_tokens(1, 0), 0, T0 + 5 * SECOND, 0, &second, &refusal));
    CHECK_INT(refusal.why, BOARD_PROBING);
    CHECK_INT(view_at(slot, T0 + 5 * SECOND).why, BOARD_PROBING);
    // Past the breaker, and without effect on it.
    REQUIRE(board_begin(slot, limit_tokens(1, 0), BOARD_FORCE, T0 + 5 * SECOND, 0, &second, &refusal));
    board_end(slot, &second, &(struct board_outcome){.failure = FAILURE_CONNECT}, T0 + 5 * SECOND);
    board_end(slot, &probe, &(struct board_outcome){.failure = FAILURE_NONE}, T0 + 6 * SECOND);
    CHECK(attempt(slot, FAILURE_NONE, T0 + 6 * SECOND, T0 + 7 * SECOND));
    v = view_at(slot, T0 + 7 * SECOND);
    CHECK(v.usable && !v.probe && v.breaker == BREAKER_CLOSED && v.error_rate == 0);
    CHECK(v.slow_start >= 0.09F && v.slow_start < 0.11F);
    CHECK(view_at(slot, T0 + 22 * SECOND).slow_start > 0.49F && view_at(slot, T0 + 22 * SECOND).slow_start < 0.51F);
    CHECK(view_at(slot, T0 + 37 * SECOND).slow_start == 1);
    struct board_totals totals;
    board_totals(slot, &totals);
    CHECK_INT(totals.openings, 1);
    CHECK_INT(totals.refused, 2);
    CHECK_INT(view_at(slot, T0 + 37 * SECOND).in_flight, 0);
    board_free(board);
}

enum shown { AT_THE_END, BEGUN, WELL }; // what is known of an answer from its first second on

// An hour of a request a second to a target that was down for a moment and whose good answers take so long. The
// second in which its breaker was closed; 0: never.
static unsigned back_after(uint64_t took_ns, enum shown shown) {
    struct board *board = board_create();
    struct board_ticket run[3600];
    struct board_refusal refusal;
    uint64_t ends[3600];
    size_t n = 0, over = 0;
    unsigned second = 1;
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    for (int i = 0; i < 5; i++) CHECK(attempt(slot, FAILURE_SERVER_ERROR, T0, T0));
    for (; second < 3600 && view_at(slot, T0).breaker != BREAKER_CLOSED; second++) {
        uint64_t now = T0 + second * SECOND;
        for (size_t i = over; i < n && shown >= BEGUN; i++) board_first_token(slot, &run[i], now);
        for (size_t i = over; i < n && shown >= WELL; i++) board_proved(slot, &run[i], now);
        for (; over < n && ends[over] <= now; over++)
            board_end(slot, &run[over], &(struct board_outcome){.failure = FAILURE_NONE}, now);
        if (!board_begin(slot, limit_tokens(1, 0), 0, now, 0, &run[n], &refusal)) continue;
        ends[n++] = now + took_ns;
    }
    board_free(board);
    return second < 3600 ? second : 0;
}

static void test_long_answers_come_back(void) {
    CHECK_INT(back_after(SECOND, AT_THE_END), 8);
    CHECK_INT(back_after(90 * SECOND, BEGUN), 97);
    CHECK_INT(back_after(600 * SECOND, BEGUN), 607);
    CHECK_INT(back_after(600 * SECOND, WELL), 8);
    unsigned whole = back_after(90 * SECOND, AT_THE_END);
    CHECK(whole > 90 && whole < 300);
    whole = back_after(400 * SECOND, AT_THE_END);
    CHECK(whole > 400 && whole < 2400);
}

// Nothing comes of it until its time is over: another opening. One that has begun to answer may fail still.
static void test_probes(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_ticket hung, first, second;
    struct board_refusal refusal;
    for (int i = 0; i < 5; i++) CHECK(attempt(slot, FAILURE_SERVER_ERROR, T0, T0));
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0 + 5 * SECOND, 0, &hung, &refusal));
    CHECK(!board_begin(slot, limit_tokens(1, 0), 0, T0 + 64 * SECOND, 0, &first, &refusal));
    CHECK_INT(refusal.why, BOARD_PROBING);
    CHECK(!board_begin(slot, limit_tokens(1, 0), 0, T0 + 65 * SECOND, 0, &first, &refusal));
    CHECK_INT(refusal.why, BOARD_OPEN);
    CHECK_INT(refusal.retry_at_ns, T0 + 75 * SECOND);
    board_first_token(slot, &hung, T0 + 70 * SECOND);
    CHECK_INT(view_at(slot, T0 + 70 * SECOND).why, BOARD_OPEN);
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0 + 75 * SECOND, 0, &first, &refusal));
    CHECK(!board_begin(slot, limit_tokens(1, 0), 0, T0 + 76 * SECOND, 0, &second, &refusal));
    board_first_token(slot, &first, T0 + 76 * SECOND);
    CHECK(view_at(slot, T0 + 76 * SECOND).probe);
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0 + 76 * SECOND, 0, &second, &refusal));
    board_end(slot, &second, &(struct board_outcome){.failure = FAILURE_NONE}, T0 + 77 * SECOND);
    board_end(slot, &first, &(struct board_outcome){.failure = FAILURE_SERVER_ERROR}, T0 + 78 * SECOND);
    CHECK_INT(view_at(slot, T0 + 78 * SECOND).why, BOARD_OPEN);
    board_free(board);
}

// Streams that have begun well close it, and the target's share grows from then on; one that breaks off later counts as
// one failure, in none of the breaker's other times.
static void test_probes_that_are_streams(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_ticket run[8];
    struct board_refusal refusal;
    uint64_t now = T0 + 5 * SECOND;
    for (int i = 0; i < 5; i++) CHECK(attempt(slot, FAILURE_SERVER_ERROR, T0, T0));
    for (int i = 0; i < 2; i++) {
        CHECK(view_at(slot, now).breaker != BREAKER_CLOSED);
        REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, now, 0, &run[i], &refusal));
        board_first_token(slot, &run[i], now + SECOND);
        board_proved(slot, &run[i], now + SECOND);
        board_proved(slot, &run[i], now + SECOND);
    }
    struct board_view v = view_at(slot, now + SECOND);
    CHECK(v.breaker == BREAKER_CLOSED && v.usable && v.slow_start < 0.2F);
    CHECK(view_at(slot, now + 3600 * SECOND).slow_start == 1);
    board_end(slot, &run[0], &(struct board_outcome){.failure = FAILURE_SERVER_ERROR}, now + 2 * SECOND);
    CHECK_INT(view_at(slot, now + 2 * SECOND).window_requests, 1);
    CHECK(view_at(slot, now + 2 * SECOND).breaker == BREAKER_CLOSED);
    for (int i = 0; i < 3; i++) CHECK(attempt(slot, FAILURE_SERVER_ERROR, now + 2 * SECOND, now + 2 * SECOND));
    CHECK(view_at(slot, now + 2 * SECOND).breaker == BREAKER_CLOSED);
    board_end(slot, &run[1], &(struct board_outcome){.failure = FAILURE_SERVER_ERROR}, now + 3 * SECOND);
    CHECK_INT(view_at(slot, now + 3 * SECOND).why, BOARD_OPEN); // the fifth in a row
    board_free(board);
}

TEST_MAIN(test_opens_and_comes_back, test_long_answers_come_back, test_probes, test_probes_that_are_streams)
