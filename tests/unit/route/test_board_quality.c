// Tests of route/board.h: how good a target is, at a task and in the words of several who share it.
#include "route/board.h"

#include "check.h"

#define T0 (UINT64_C(1000000) * 1000000000)

static struct board_slot *slot_of(struct board *board) {
    struct board_slot *slot = board_slot_get(board, STR("openai"), STR("gpt-5-mini"), STR(""));
    REQUIRE(slot);
    return slot;
}

static void test_quality_of_tasks(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    CHECK(board_quality(slot, 0, T0) > 0.69F && board_quality(slot, 5, T0) < 0.71F);
    for (int i = 0; i < 100; i++) board_quality_add(slot, 5, 0.1F, 1, T0);
    CHECK(board_quality(slot, 5, T0) < 0.2F);
    // Of another task nothing is known but how it does in general.
    CHECK(board_quality(slot, 6, T0) == board_quality(slot, 0, T0));
    CHECK(board_quality(slot, 99, T0) == board_quality(slot, 0, T0));
    board_quality_add(slot, 99, 0.1F, 1, T0);
    board_free(board);
}

// One of several is heard, and however much it says, it does not decide for the others.
static void test_quality_of_voices(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    for (int i = 0; i < 100; i++) board_quality_say(slot, 5, 0, 4, 7, T0);
    CHECK(board_quality(slot, 0, T0) < 0.69F && board_quality(slot, 0, T0) > 0.65F);
    CHECK(board_quality(slot, 5, T0) < 0.65F && board_quality(slot, 5, T0) > 0.6F);
    for (int i = 0; i < 200; i++) board_quality_say(slot, (unsigned)i % 4, 0, 4, 7, T0); // nor by saying it of others
    CHECK(board_quality(slot, 0, T0) > 0.65F);
    float before = board_quality(slot, 5, T0);
    board_quality_say(slot, 5, 0, 4, 8, T0); // another is heard for itself
    CHECK(board_quality(slot, 5, T0) < before);
    // Where more is known, its part is of more.
    for (int i = 0; i < 60; i++) board_quality_add(slot, 5, 1, 1, T0);
    before = board_quality(slot, 5, T0);
    board_quality_say(slot, 5, 0, 4, 7, T0);
    CHECK(board_quality(slot, 5, T0) < before);
    // What it has said fades, and then it is heard again.
    uint64_t later = T0 + 20 * quality_rules_default().half_life_ns;
    CHECK(board_quality(slot, 0, later) > 0.69F);
    board_quality_say(slot, 0, 0, 4, 7, later);
    CHECK(board_quality(slot, 0, later) < 0.69F);
    board_free(board);
}

TEST_MAIN(test_quality_of_tasks, test_quality_of_voices)
