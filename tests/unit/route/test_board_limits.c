// Tests of route/board.h: the limits of a slot, as they are set and as its provider tells of them.
#include "board_rig.h"

static void test_limits(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_tuning tuning = board_tuning_default();
    struct board_ticket tickets[4];
    struct board_refusal refusal;
    tuning.limits = (struct limit_rules){.requests = 4, .tokens = 1000, .concurrency = 2};
    board_slot_tune(slot, &tuning);
    CHECK(!board_begin(slot, limit_tokens(1001, 0), 0, T0, 0, &tickets[0], &refusal));
    CHECK_INT(refusal.why, BOARD_TOO_LARGE);
    REQUIRE(board_begin(slot, limit_tokens(600, 0), 0, T0, 0, &tickets[0], &refusal));
    CHECK(!board_begin(slot, limit_tokens(600, 0), 0, T0, 0, &tickets[1], &refusal));
    CHECK_INT(refusal.why, BOARD_TOKENS);
    struct board_view v = view_at(slot, T0);
    CHECK(v.room[LIMIT_OF_TOKENS] == 400 && v.room[LIMIT_OF_REQUESTS] == 3 && v.share[LIMIT_OF_REQUESTS] == 0.75F);
    REQUIRE(board_begin(slot, limit_tokens(300, 0), 0, T0, 0, &tickets[1], &refusal));
    CHECK_INT(view_at(slot, T0).why, BOARD_CONCURRENCY);
    CHECK(!board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &tickets[2], &refusal));
    CHECK_INT(refusal.why, BOARD_CONCURRENCY);
    struct board_outcome out = {.tokens_known = true, .input_tokens = 1};
    for (int i = 0; i < 2; i++) board_end(slot, &tickets[i], &out, T0 + SECOND);
    for (int i = 2; i < 4; i++) {
        REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0 + SECOND, 0, &tickets[i], &refusal));
        board_end(slot, &tickets[i], &out, T0 + SECOND);
    }
    CHECK(!board_begin(slot, limit_tokens(1, 0), 0, T0 + SECOND, 0, &tickets[2], &refusal));
    CHECK_INT(refusal.why, BOARD_REQUESTS);
    v = view_at(slot, T0 + SECOND);
    CHECK_INT(v.why, BOARD_REQUESTS);
    CHECK_INT(v.retry_at_ns, refusal.retry_at_ns);
    CHECK(view_at(slot, v.retry_at_ns).usable);
    CHECK(board_begin(slot, limit_tokens(1, 0), 0, v.retry_at_ns, 0, &tickets[2], &refusal));
    board_free(board);
}

static void test_learns_from_headers(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_ticket a, b;
    struct board_refusal refusal;
    struct rate_headers rate = {0};
    rate.of[RATE_OF_REQUESTS] = (struct rate_counter){10, 1, 30 * SECOND, true, true, true};
    rate.of[RATE_OF_TOKENS] = (struct rate_counter){1000, 500, 30 * SECOND, true, true, true};
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &a, &refusal));
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &b, &refusal));
    // One request was left, and one has begun since.
    board_end(slot, &a, &(struct board_outcome){.rate = &rate}, T0);
    CHECK_INT(view_at(slot, T0).why, BOARD_REQUESTS);
    CHECK(view_at(slot, T0).share[LIMIT_OF_TOKENS] == 0.5F);
    CHECK(!board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &a, &refusal));
    CHECK_INT(refusal.why, BOARD_REQUESTS);
    CHECK(view_at(slot, T0 + 5 * SECOND).usable);
    CHECK(view_at(slot, T0 + 60 * SECOND).usable);
    board_free(board);
}

// A provider that counts input and output apart: what is left of one of them is not held against both together.
static void test_learns_of_input_and_output(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_ticket a;
    struct board_refusal refusal;
    struct rate_headers rate = {0};
    rate.of[RATE_OF_INPUT] = (struct rate_counter){30000, 29000, 30 * SECOND, true, true, true};
    rate.of[RATE_OF_OUTPUT] = (struct rate_counter){8000, 7000, 30 * SECOND, true, true, true};
    rate.of[RATE_OF_TOKENS] = (struct rate_counter){38000, 100, 30 * SECOND, true, true, true};
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &a, &refusal));
    board_end(slot, &a, &(struct board_outcome){.rate = &rate}, T0);
    CHECK(!board_begin(slot, limit_tokens(29001, 0), 0, T0, 0, &a, &refusal));
    CHECK_INT(refusal.why, BOARD_INPUT_TOKENS);
    CHECK(!board_begin(slot, limit_tokens(1, 7001), 0, T0, 0, &a, &refusal));
    CHECK_INT(refusal.why, BOARD_OUTPUT_TOKENS);
    REQUIRE(board_begin(slot, limit_tokens(20000, 6000), 0, T0, 0, &a, &refusal));
    board_end(slot, &a, &(struct board_outcome){.rate = &rate}, T0);
    struct board_view v = view_at(slot, T0);
    CHECK(v.room[LIMIT_OF_INPUT_TOKENS] == 29000 && v.room[LIMIT_OF_OUTPUT_TOKENS] == 7000 &&
          v.room[LIMIT_OF_TOKENS] == -1);
    rate.of[RATE_OF_TOKENS] = (struct rate_counter){30000, 20000, 30 * SECOND, true, true, true};
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &a, &refusal));
    board_end(slot, &a, &(struct board_outcome){.rate = &rate}, T0);
    CHECK(!board_begin(slot, limit_tokens(15000, 5001), 0, T0, 0, &a, &refusal));
    CHECK_INT(refusal.why, BOARD_TOKENS);
    REQUIRE(board_begin(slot, limit_tokens(15000, 5000), 0, T0, 0, &a, &refusal));
    board_end(slot, &a, &(struct board_outcome){.rate = &rate}, T0);
    // Nothing is left of the output: no look at it says otherwise, and it is known until when.
    rate.of[RATE_OF_OUTPUT].remaining = 0;
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &a, &refusal));
    board_end(slot, &a, &(struct board_outcome){.rate = &rate}, T0);
    v = view_at(slot, T0);
    CHECK_INT(v.why, BOARD_OUTPUT_TOKENS);
    CHECK(v.retry_at_ns > T0 && v.retry_at_ns < T0 + SECOND);
    board_free(board);
}

// The limits as they are set; what came from the provider's prompt cache is no input where it says so.
static void test_input_and_output(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_tuning tuning = board_tuning_default();
    struct board_ticket t;
    struct board_refusal refusal;
    const struct board_outcome out = {
        .tokens_known = true, .input_tokens = 900, .cached_tokens = 700, .output_tokens = 40};
    tuning.limits = (struct limit_rules){.input_tokens = 1000, .output_tokens = 100};
    for (int free = 0; free < 2; free++) {
        uint64_t now = T0 + (uint64_t)free * 300 * SECOND;
        tuning.limits.cached_free = free;
        board_slot_tune(slot, &tuning);
        REQUIRE(board_begin(slot, limit_tokens(900, 100), 0, now, 0, &t, &refusal));
        CHECK_INT(view_at(slot, now).why, BOARD_OUTPUT_TOKENS);
        CHECK(!board_begin(slot, limit_tokens(1, 1), 0, now, 0, &t, &refusal));
        CHECK_INT(refusal.why, BOARD_OUTPUT_TOKENS);
        board_end(slot, &t, &out, now);
        struct board_view v = view_at(slot, now);
        CHECK(v.usable && v.room[LIMIT_OF_INPUT_TOKENS] == (free ? 800 : 100) && v.room[LIMIT_OF_OUTPUT_TOKENS] == 60);
        CHECK(!board_begin(slot, limit_tokens(free ? 801 : 101, 1), 0, now, 0, &t, &refusal));
        CHECK_INT(refusal.why, BOARD_INPUT_TOKENS);
    }
    // Among several servers.
    board_slot_divide(slot, 4, false);
    CHECK(view_at(slot, T0 + 600 * SECOND).room[LIMIT_OF_INPUT_TOKENS] == 250);
    board_slot_divide(slot, 4, true);
    CHECK_INT(view_at(slot, T0 + 600 * SECOND).why, BOARD_REDIS_AWAY);
    board_free(board);
}

TEST_MAIN(test_limits, test_learns_from_headers, test_learns_of_input_and_output, test_input_and_output)
