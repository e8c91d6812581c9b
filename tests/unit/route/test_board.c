// Tests of route/board.h: names and references, what each outcome does, what views say, groups, replicas, threads.
#include "route/board.h"

#include "base/mem.h"
#include "check.h"
#include "os/thread.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define T0 (1000000 * SECOND)

static struct board_slot *slot_of(struct board *board) {
    struct board_slot *slot = board_slot_get(board, STR("openai"), STR("gpt-5-mini"), STR(""));
    REQUIRE(slot);
    return slot;
}

static struct board_view view_at(const struct board_slot *slot, uint64_t now_ns) {
    struct board_view v;
    memset(&v, 0xa5, sizeof v);
    board_view(slot, now_ns, &v);
    return v;
}

// One attempt from begin to end; whether it could begin.
static bool attempt(struct board_slot *slot, enum failure failure, uint64_t from_ns, uint64_t to_ns) {
    struct board_ticket ticket;
    struct board_refusal refusal;
    if (!board_begin(slot, 100, 0, from_ns, 0, &ticket, &refusal)) return false;
    board_end(slot, &ticket, &(struct board_outcome){.failure = failure}, to_ns);
    return true;
}

static void test_names(void) {
    struct board *board = board_create();
    REQUIRE(board);
    char text[] = "openai";
    struct board_slot *a = board_slot_get(board, str_c(text), STR("gpt-5"), STR("k1"));
    text[0] = 'x';
    struct board_slot *b = board_slot_get(board, STR("openai"), STR("gpt-5"), STR("k1"));
    struct board_slot *c = board_slot_get(board, STR("openai"), STR("gpt-5"), STR("k2"));
    struct board_slot *d = board_slot_get(board, STR("openaig"), STR("pt-5"), STR("k1"));
    CHECK(a && a == b);
    CHECK(c && c != a && d && d != a && d != c);
    CHECK_STR(board_slot_provider(a), STR("openai"));
    CHECK_STR(board_slot_model(a), STR("gpt-5"));
    CHECK_STR(board_slot_key(a), STR("k1"));
    CHECK(!board_slot_get(board, STR("open\0ai"), STR("x"), STR("")));
    char long_name[BOARD_NAME_MAX + 1];
    memset(long_name, 'n', sizeof long_name);
    CHECK(!board_slot_get(board, str_of(long_name, sizeof long_name), STR(""), STR("")));
    struct board_slot *e = board_slot_get(board, str_of(long_name, BOARD_NAME_MAX), STR(""), STR(""));
    CHECK(e != NULL);
    struct board_slot *list[8];
    CHECK_INT(board_slots(board, list, 8), 4);
    board_free(board);
}

static void test_begin_and_end(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_view v = view_at(slot, T0);
    CHECK(v.usable && v.healthy && !v.probe && !v.panic && v.why == BOARD_USABLE);
    CHECK(v.first_token_ns == 0 && v.slow_start == 1 && v.requests_share == 1 && v.requests_room == -1);
    struct board_ticket ticket;
    struct board_refusal refusal;
    REQUIRE(board_begin(slot, 100, 0, T0, 0, &ticket, &refusal));
    CHECK_INT(view_at(slot, T0).in_flight, 1);
    board_first_token(slot, &ticket, T0 + 200 * MS);
    board_first_token(slot, &ticket, T0 + 900 * MS);
    v = view_at(slot, T0 + 200 * MS);
    CHECK(v.first_token_ns > 199.0F * (float)MS && v.first_token_ns < 201.0F * (float)MS);
    struct board_outcome good = {.failure = FAILURE_NONE, .tokens_known = true, .tokens = 50, .output_tokens = 40};
    board_end(slot, &ticket, &good, T0 + 1200 * MS);
    board_end(slot, &ticket, &good, T0 + 1200 * MS);
    v = view_at(slot, T0 + 1200 * MS);
    CHECK_INT(v.in_flight, 0);
    CHECK_INT(v.window_requests, 1);
    CHECK(v.tokens_second > 39 && v.tokens_second < 41);
    CHECK(attempt(slot, FAILURE_BAD_REQUEST, T0 + 2 * SECOND, T0 + 2 * SECOND));
    struct board_totals totals;
    board_totals(slot, &totals);
    CHECK_INT(totals.begun, 2);
    CHECK_INT(totals.ended[FAILURE_NONE], 1);
    CHECK_INT(totals.ended[FAILURE_BAD_REQUEST], 1);
    board_slot_put(slot);
    board_free(board);
}

TEST_MAIN(test_names, test_begin_and_end)
