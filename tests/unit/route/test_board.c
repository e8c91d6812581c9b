// Tests of route/board.h: names and references, what each outcome does, what views say, groups, replicas, threads.
#include "board_rig.h"

#include "base/mem.h"
#include "os/thread.h"

#define MS UINT64_C(1000000)

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
    CHECK_INT(board_slots_left(board, list, 8), 0);
    CHECK_INT(board_slots(board, list, 8), 4);
    for (int i = 0; i < 4; i++) board_slot_put(list[i]);
    // Who has been seen and is referenced no more is told of once.
    board_slot_put(c);
    REQUIRE(board_slots_left(board, list, 8) == 1 && list[0] == c);
    board_slot_put(c);
    CHECK_INT(board_slots_left(board, list, 8), 0);
    board_free(board);
}

static void test_begin_and_end(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_view v = view_at(slot, T0);
    CHECK(v.usable && v.healthy && !v.probe && !v.panic && v.why == BOARD_USABLE);
    CHECK(v.first_token_ns == 0 && v.slow_start == 1 && v.share[LIMIT_OF_REQUESTS] == 1 &&
          v.room[LIMIT_OF_REQUESTS] == -1);
    struct board_ticket ticket;
    struct board_refusal refusal;
    REQUIRE(board_begin(slot, limit_tokens(100, 0), 0, T0, 0, &ticket, &refusal));
    CHECK_INT(view_at(slot, T0).in_flight, 1);
    board_first_token(slot, &ticket, T0 + 200 * MS);
    board_first_token(slot, &ticket, T0 + 900 * MS);
    v = view_at(slot, T0 + 200 * MS);
    CHECK(v.first_token_ns > 199.0F * (float)MS && v.first_token_ns < 201.0F * (float)MS);
    struct board_outcome good = {
        .failure = FAILURE_NONE, .tokens_known = true, .input_tokens = 10, .output_tokens = 40};
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

// Loops read the clock once a turn: one may look at what another wrote a moment later by its own.
static void test_clocks_of_loops(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    CHECK(attempt(slot, FAILURE_NONE, T0, T0 + MS));
    struct board_view v = view_at(slot, T0);
    CHECK(v.usable && v.slow_start == 1);
    CHECK(attempt(slot, FAILURE_NONE, T0 - MS, T0));
    board_slot_put(slot);
    board_free(board);
}

static void test_slots_are_used_again(void) {
    static struct board_slot *slots[BOARD_SLOTS_MAX];
    struct board *board = board_create();
    char model[16];
    REQUIRE(board);
    for (int i = 0; i < BOARD_SLOTS_MAX; i++) {
        int n = snprintf(model, sizeof model, "m%d", i);
        slots[i] = board_slot_get(board, STR("p"), str_of(model, (size_t)n), STR(""));
        REQUIRE(slots[i]);
    }
    CHECK(!board_slot_get(board, STR("p"), STR("more"), STR("")));
    CHECK(attempt(slots[7], FAILURE_RATE_LIMIT, T0, T0));
    CHECK(view_at(slots[7], T0).why == BOARD_COOLDOWN);
    board_quality_add(slots[7], 1, 0, 16, T0);
    board_slot_put(slots[7]);
    board_slot_put(slots[3]);
    // It stays what it was while nobody needs its place.
    CHECK(board_slot_get(board, STR("p"), STR("m7"), STR("")) == slots[7]);
    CHECK(view_at(slots[7], T0).why == BOARD_COOLDOWN);
    board_slot_put(slots[7]);
    // The one that has been free for longest goes first, then the other; and neither brings its past along.
    CHECK(board_slot_get(board, STR("p"), STR("more"), STR("")) == slots[3]);
    CHECK(board_slot_get(board, STR("p"), STR("yet more"), STR("")) == slots[7]);
    CHECK_STR(board_slot_model(slots[7]), STR("yet more"));
    CHECK(view_at(slots[7], T0).usable);
    CHECK(board_quality(slots[7], 1, T0) > 0.69F);
    CHECK(!board_slot_get(board, STR("p"), STR("m7"), STR("")));
    struct board_totals totals;
    board_totals(slots[7], &totals);
    CHECK_INT(totals.begun, 0);
    board_slot_hold(slots[7]);
    board_slot_put(slots[7]);
    CHECK(!board_slot_get(board, STR("p"), STR("m7"), STR("")));
    CHECK_INT(board_slots(board, slots, 5), 5);
    board_free(board);
}

static void test_no_memory(void) {
    for (uint64_t n = 1; n < 6; n++) {
        mem_fail_nth(n);
        struct board *board = board_create();
        struct board_slot *slot = board ? board_slot_get(board, STR("p"), STR("m"), STR("")) : NULL;
        mem_fail_nth(0);
        if (board && !slot) CHECK(board_slot_get(board, STR("p"), STR("m"), STR("")) != NULL);
        board_free(board);
    }
}

// Which failures open, which cool down, which do nothing.
static void test_failures(void) {
    for (int f = 0; f < FAILURE_COUNT; f++) {
        struct board *board = board_create();
        REQUIRE(board);
        struct board_slot *slot = slot_of(board);
        const struct failure_info *info = failure_info((enum failure)f);
        for (int i = 0; i < 5; i++)
            if (!attempt(slot, (enum failure)f, T0 + (uint64_t)i * MS, T0 + (uint64_t)i * MS)) break;
        struct board_view v = view_at(slot, T0 + SECOND);
        enum board_why want = f == FAILURE_AUTH                           ? BOARD_KEY_REFUSED
                              : info->cooldown == FAILURE_COOLDOWN_ALWAYS ? BOARD_COOLDOWN
                              : info->breaker                             ? BOARD_OPEN
                                                                          : BOARD_USABLE;
        if (v.why != want) fprintf(stderr, "%.*s\n", STR_ARG(info->name));
        CHECK_INT(v.why, want);
        CHECK_INT(v.breaker, want == BOARD_OPEN ? BREAKER_OPEN : BREAKER_CLOSED);
        CHECK(want == BOARD_USABLE || v.retry_at_ns > T0 + SECOND);
        board_free(board);
    }
}

static void test_error_rate(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    for (int i = 0; i < 9; i++) {
        CHECK(attempt(slot, i % 3 == 2 ? FAILURE_SERVER_ERROR : FAILURE_NONE, T0, T0));
        CHECK(attempt(slot, FAILURE_BAD_REQUEST, T0, T0));
    }
    struct board_view v = view_at(slot, T0);
    CHECK_INT(v.window_requests, 9);
    CHECK(v.error_rate > 0.33F && v.error_rate < 0.34F);
    v = view_at(slot, T0 + 11 * SECOND);
    CHECK(v.error_rate == 0 && v.window_requests == 0);
    board_free(board);
}

static void test_cooldown(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct rate_headers rate = {.has_retry_after = true, .retry_after_ns = 20 * SECOND};
    struct board_ticket ticket;
    struct board_refusal refusal;
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &ticket, &refusal));
    board_end(slot, &ticket, &(struct board_outcome){.failure = FAILURE_RATE_LIMIT, .rate = &rate}, T0);
    CHECK_INT(view_at(slot, T0).cooldown_until_ns, T0 + 20 * SECOND);
    CHECK(!board_begin(slot, limit_tokens(1, 0), BOARD_FORCE, T0 + 19 * SECOND, 0, &ticket, &refusal));
    CHECK_INT(refusal.why, BOARD_COOLDOWN);
    CHECK_INT(refusal.retry_at_ns, T0 + 20 * SECOND);
    CHECK(view_at(slot, T0 + 20 * SECOND).usable);
    CHECK_INT(view_at(slot, T0 + 20 * SECOND).cooldown_until_ns, 0);
    // Overloaded cools down only for as long as was asked; never for longer than is set.
    CHECK(attempt(slot, FAILURE_OVERLOADED, T0 + 20 * SECOND, T0 + 20 * SECOND));
    CHECK(view_at(slot, T0 + 20 * SECOND).usable);
    rate.retry_after_ns = RATE_MAX_NS;
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0 + 21 * SECOND, 0, &ticket, &refusal));
    board_end(slot, &ticket, &(struct board_outcome){.failure = FAILURE_OVERLOADED, .rate = &rate}, T0 + 21 * SECOND);
    CHECK_INT(view_at(slot, T0 + 22 * SECOND).cooldown_until_ns, T0 + 621 * SECOND);
    board_cooldown(slot, 0, T0 + 22 * SECOND);
    CHECK(view_at(slot, T0 + 22 * SECOND).usable);
    board_cooldown(slot, UINT64_MAX, T0 + 22 * SECOND);
    CHECK_INT(view_at(slot, T0 + 22 * SECOND).retry_at_ns, T0 + 622 * SECOND);
    // Whose key was refused says so for that long; later it is no more than told to wait.
    board_cooldown(slot, 0, T0 + 23 * SECOND);
    REQUIRE(attempt(slot, FAILURE_AUTH, T0 + 23 * SECOND, T0 + 23 * SECOND));
    CHECK(!board_begin(slot, limit_tokens(1, 0), BOARD_FORCE, T0 + 82 * SECOND, 0, &ticket, &refusal));
    CHECK(refusal.why == BOARD_KEY_REFUSED && refusal.retry_at_ns == T0 + 83 * SECOND);
    REQUIRE(attempt(slot, FAILURE_RATE_LIMIT, T0 + 83 * SECOND, T0 + 83 * SECOND));
    CHECK_INT(view_at(slot, T0 + 84 * SECOND).why, BOARD_COOLDOWN);
    board_free(board);
}

// An attempt that was given up before it was sent takes nothing of what a provider allows, and is none.
static void test_unsent(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_tuning tuning = board_tuning_default();
    struct board_ticket ticket;
    struct board_refusal refusal;
    struct board_totals totals;
    struct board_outcome never = {.failure = FAILURE_CANCELLED, .unsent = true};
    tuning.limits = (struct limit_rules){.requests = 1, .tokens = 1000};
    board_slot_tune(slot, &tuning);
    for (int i = 0; i < 20; i++) {
        REQUIRE(board_begin(slot, limit_tokens(1000, 0), 0, T0 + (uint64_t)i * SECOND, 0, &ticket, &refusal));
        board_end(slot, &ticket, &never, T0 + (uint64_t)i * SECOND + SECOND / 2);
    }
    struct board_view v = view_at(slot, T0 + 20 * SECOND);
    CHECK(v.usable && v.in_flight == 0 && v.first_token_ns <= 0 && v.total_ns <= 0);
    board_totals(slot, &totals);
    CHECK_INT(totals.begun, 0);
    CHECK_INT(totals.ended[FAILURE_CANCELLED], 0);
    // What failed before it was sent says something of the target all the same.
    never.failure = FAILURE_CONNECT;
    for (int i = 0; i < 5; i++) {
        REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, T0 + 21 * SECOND, 0, &ticket, &refusal));
        board_end(slot, &ticket, &never, T0 + 21 * SECOND);
    }
    CHECK_INT(view_at(slot, T0 + 21 * SECOND).why, BOARD_OPEN);
    board_totals(slot, &totals);
    CHECK_INT(totals.ended[FAILURE_CONNECT], 5);
    board_free(board);
}

// Who is refused by several is told what may be waited for, of that what comes first; a refused key only when there is
// nothing else.
static void test_which_refusal_is_told(void) {
    static const struct board_refusal order[] = {
        {BOARD_TOKENS, 5},      {BOARD_COOLDOWN, 9},    {BOARD_CONCURRENCY, UINT64_MAX},
        {BOARD_KEY_REFUSED, 1}, {BOARD_KEY_REFUSED, 7}, {BOARD_TOO_LARGE, UINT64_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        for (size_t k = 0; k < ARRAY_LEN(order); k++) CHECK(board_refusal_before(&order[i], &order[k]) == (i < k));
    CHECK(!board_is_limit(BOARD_KEY_REFUSED) && !board_is_sick(BOARD_KEY_REFUSED));
}

static void test_told_of(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_totals totals;
    enum board_why before, now;
    struct board_view v = view_at(slot, T0);
    CHECK(!board_turned(slot, &v, &before, &now));
    for (int i = 0; i < 3; i++) (void)board_health(slot, false, T0);
    v = view_at(slot, T0);
    CHECK(board_turned(slot, &v, &before, &now));
    CHECK(before == BOARD_USABLE && now == BOARD_UNHEALTHY);
    CHECK(!board_turned(slot, &v, &before, &now));
    for (int i = 0; i < 2; i++) (void)board_health(slot, true, T0);
    v = view_at(slot, T0);
    CHECK(board_turned(slot, &v, &before, &now));
    CHECK(before == BOARD_UNHEALTHY && now == BOARD_USABLE);
    // To stay away for a while is nothing to be told of; it is counted once, however often it is made longer.
    board_cooldown(slot, T0 + SECOND, T0);
    board_cooldown(slot, T0 + 3 * SECOND, T0 + SECOND / 2);
    v = view_at(slot, T0 + SECOND);
    CHECK(!v.usable && !board_turned(slot, &v, &before, &now));
    board_totals(slot, &totals);
    CHECK_INT(totals.cooldowns, 1);
    board_cooldown(slot, T0 + 9 * SECOND, T0 + 4 * SECOND);
    board_totals(slot, &totals);
    CHECK_INT(totals.cooldowns, 2);
    board_free(board);
}

static void test_health(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_ticket ticket;
    struct board_refusal refusal;
    CHECK(!board_health(slot, false, T0) && !board_health(slot, false, T0) && !board_health(slot, true, T0));
    CHECK(!board_health(slot, false, T0) && !board_health(slot, false, T0) && board_health(slot, false, T0));
    CHECK(!board_health(slot, false, T0));
    struct board_view v = view_at(slot, T0);
    CHECK(!v.healthy && v.why == BOARD_UNHEALTHY && v.retry_at_ns == UINT64_MAX);
    CHECK(!board_begin(slot, limit_tokens(1, 0), 0, T0, 0, &ticket, &refusal));
    CHECK(board_begin(slot, limit_tokens(1, 0), BOARD_FORCE, T0, 0, &ticket, &refusal));
    CHECK(!board_health(slot, true, T0) && board_health(slot, true, T0 + SECOND));
    v = view_at(slot, T0 + SECOND);
    CHECK(v.usable && v.healthy && v.slow_start < 0.11F);
    board_free(board);
}

static void test_group(void) {
    struct board *board = board_create();
    struct board_slot *slots[5];
    struct board_view views[5];
    struct outlier_rules rules = outlier_rules_default();
    struct board_tuning tuning = board_tuning_default();
    REQUIRE(board);
    tuning.breaker.error_permille = tuning.breaker.consecutive = 0;
    for (int i = 0; i < 5; i++) {
        char model[8];
        int n = snprintf(model, sizeof model, "m%d", i);
        slots[i] = board_slot_get(board, STR("p"), str_of(model, (size_t)n), STR(""));
        REQUIRE(slots[i]);
        board_slot_tune(slots[i], &tuning);
        for (int k = 0; k < 100; k++)
            CHECK(attempt(slots[i], i == 2 && k % 3 == 0 ? FAILURE_SERVER_ERROR : FAILURE_NONE, T0, T0));
    }
    CHECK_INT(board_outliers(slots, 5, &rules, T0, 0), 1);
    CHECK_INT(board_outliers(slots, 5, &rules, T0, 0), 0);
    for (int i = 0; i < 5; i++) {
        struct board_totals totals;
        board_totals(slots[i], &totals);
        CHECK_INT(totals.ejections, i == 2);
        CHECK_INT(totals.openings, i == 2);
    }
    CHECK_INT(view_at(slots[2], T0).why, BOARD_OPEN);
    for (int k = 0; k < 3; k++) {
        board_health(slots[0], false, T0);
        CHECK(k == 2 || view_at(slots[0], T0).usable);
    }
    for (int i = 0; i < 5; i++) views[i] = view_at(slots[i], T0);
    CHECK(!board_panic(views, 5, &rules));
    CHECK(!views[0].usable && !views[2].usable && views[1].usable);
    for (int k = 0; k < 3; k++) board_health(slots[1], false, T0);
    board_cooldown(slots[3], T0 + SECOND, T0);
    for (int i = 0; i < 5; i++) views[i] = view_at(slots[i], T0);
    CHECK(board_panic(views, 5, &rules));
    CHECK(views[0].usable && views[0].panic && views[1].panic && views[2].panic && !views[4].panic);
    CHECK(!views[3].usable && views[3].why == BOARD_COOLDOWN);
    board_free(board);
}

static void test_latency(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_ticket ticket;
    struct board_refusal refusal;
    uint64_t now = T0;
    for (int i = 0; i < 100; i++, now += 100 * MS) {
        REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, now, 0, &ticket, &refusal));
        board_first_token(slot, &ticket, now + (i % 10 == 9 ? 80 : 20) * MS);
        board_end(slot, &ticket, &(struct board_outcome){.output_tokens = 5}, now + 99 * MS);
    }
    struct board_view v = view_at(slot, now);
    CHECK(v.first_token_slow_ns >= 80 * MS && v.first_token_slow_ns <= 90 * MS);
    CHECK(v.total_slow_ns >= 99 * MS && v.total_slow_ns <= 112 * MS);
    // Faded by half in its half-life, so that a slow target is tried again one day.
    float before = v.first_token_ns;
    v = view_at(slot, now + 10 * SECOND);
    CHECK(v.first_token_ns > before * 0.49F && v.first_token_ns < before * 0.52F);
    // One that was given up had taken at least so long; one that failed at once is not fast.
    REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, now, 0, &ticket, &refusal));
    board_end(slot, &ticket, &(struct board_outcome){.failure = FAILURE_CANCELLED}, now + 3 * SECOND);
    v = view_at(slot, now + 3 * SECOND);
    CHECK(v.first_token_ns > 2.9e9F && v.total_ns > 2.9e9F);
    CHECK(attempt(slot, FAILURE_CONNECT, now + 3 * SECOND, now + 3 * SECOND));
    CHECK(view_at(slot, now + 3 * SECOND).first_token_ns > 2.9e9F);
    board_free(board);
}

static void test_replicas(void) {
    struct board *board = board_create(), *other = board_create();
    REQUIRE(board && other);
    struct board_slot *a = slot_of(board), *b = slot_of(other);
    struct board_share share, none = {0, 0, 0};
    const int64_t wall = INT64_C(1774771200) * 1000000000;
    board_slot_share(a, T0, wall, &share);
    CHECK(share.open_until_unix_ns == 0 && share.cooldown_until_unix_ns == 0);
    for (int i = 0; i < 5; i++) CHECK(attempt(a, FAILURE_SERVER_ERROR, T0, T0));
    board_cooldown(a, T0 + 3 * SECOND, T0);
    board_slot_share(a, T0 + SECOND, wall, &share);
    CHECK_INT(share.open_until_unix_ns, wall + INT64_C(4000000000));
    CHECK_INT(share.cooldown_until_unix_ns, wall + INT64_C(2000000000));
    // The other's monotonic clock is at quite another time.
    board_slot_learn(b, &share, 50 * SECOND, wall + INT64_C(500000000));
    struct board_view v = view_at(b, 50 * SECOND);
    CHECK_INT(v.cooldown_until_ns, 51500 * MS);
    CHECK_INT(v.open_until_ns, 53500 * MS);
    board_slot_learn(b, &none, 50 * SECOND, wall);
    CHECK_INT(view_at(b, 50 * SECOND).open_until_ns, 53500 * MS);
    CHECK_INT(v.why, BOARD_COOLDOWN);
    // That a key was refused is known there as well, for as long as it is left alone.
    struct board_slot *c = board_slot_get(board, STR("p"), STR("m"), STR("k"));
    struct board_slot *d = board_slot_get(other, STR("p"), STR("m"), STR("k"));
    REQUIRE(c && d);
    CHECK(attempt(c, FAILURE_AUTH, T0, T0));
    board_slot_share(c, T0, wall, &share);
    CHECK_INT(share.refused_until_unix_ns, wall + INT64_C(60000000000));
    CHECK_INT(share.cooldown_until_unix_ns, share.refused_until_unix_ns);
    board_slot_learn(d, &share, 50 * SECOND, wall);
    CHECK_INT(view_at(d, 50 * SECOND).why, BOARD_KEY_REFUSED);
    CHECK(view_at(d, 110 * SECOND).usable);
    // What cannot be true is cut.
    share = (struct board_share){INT64_MAX, INT64_MAX, 0};
    board_slot_learn(a, &share, T0, INT64_MIN);
    CHECK_INT(view_at(a, T0).cooldown_until_ns, T0 + 600 * SECOND);
    board_slot_learn(b, &share, 60 * SECOND, wall);
    CHECK(view_at(b, 60 * SECOND).open_until_ns <= 360 * SECOND);
    board_free(board);
    board_free(other);
}

struct crowd {
    struct board_slot *slot;
    uint64_t seed, begun, ended;
    bool stop;
};

static void crowd_call(void *arg) {
    struct crowd *c = arg;
    uint64_t now = T0;
    for (int i = 0; i < 4000; i++) {
        struct board_ticket ticket;
        struct board_refusal refusal;
        c->seed = c->seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        now += c->seed >> 40;
        if (!board_begin(c->slot, limit_tokens(c->seed >> 56, 0), c->seed >> 50 & BOARD_FORCE, now, c->seed, &ticket,
                         &refusal)) {
            now += 10 * MS;
            continue;
        }
        c->begun++;
        board_first_token(c->slot, &ticket, now + MS);
        struct board_outcome out = {.failure = (enum failure)((c->seed >> 33) % FAILURE_COUNT), .draw = c->seed};
        if (out.failure == FAILURE_RATE_LIMIT || out.failure == FAILURE_AUTH) out.failure = FAILURE_NONE;
        board_end(c->slot, &ticket, &out, now + 2 * MS);
        board_quality_add(c->slot, 1, 0.5F, 1, now);
        c->ended++;
    }
}

static void crowd_look(void *arg) {
    struct crowd *c = arg;
    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
        struct board_view v;
        struct board_share share;
        board_view(c->slot, T0 + c->seed++ % (100 * SECOND), &v);
        board_slot_share(c->slot, T0, 0, &share);
        if (v.in_flight > 4 || !(v.error_rate >= 0 && v.error_rate <= 1) || v.breaker > BREAKER_HALF_OPEN) abort();
        board_health(c->slot, true, T0);
    }
}

static void test_divided(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct board_slot *slot = slot_of(board);
    struct board_tuning tuning = board_tuning_default();
    tuning.limits = (struct limit_rules){.requests = 5, .concurrency = 1};
    board_slot_tune(slot, &tuning);
    board_slot_divide(slot, 2, false);
    CHECK(attempt(slot, FAILURE_NONE, T0, T0));
    CHECK(attempt(slot, FAILURE_NONE, T0, T0));
    CHECK(!attempt(slot, FAILURE_NONE, T0, T0));
    board_slot_tune(slot, &tuning); // as another configuration does
    CHECK(!attempt(slot, FAILURE_NONE, T0, T0));
    board_slot_divide(slot, 1, false);
    CHECK(attempt(slot, FAILURE_NONE, T0, T0));
    CHECK(view_at(slot, T0).usable);
    board_slot_divide(slot, 1, true);
    struct board_ticket ticket;
    struct board_refusal refusal;
    CHECK(!board_begin(slot, limit_tokens(1, 0), BOARD_FORCE, T0, 0, &ticket, &refusal));
    CHECK_INT(refusal.why, BOARD_REDIS_AWAY);
    struct board_view v = view_at(slot, T0);
    CHECK(!v.usable && v.why == BOARD_REDIS_AWAY && v.retry_at_ns == UINT64_MAX);
    tuning.limits = (struct limit_rules){.requests = 0};
    board_slot_tune(slot, &tuning); // nothing to keep to
    CHECK(view_at(slot, T0).usable);
    CHECK(attempt(slot, FAILURE_NONE, T0, T0));
    board_slot_put(slot);
    board_free(board);
}

static uint64_t draw_of(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return *seed >> 33;
}

static void do_something(struct board_slot *slot, struct board_tuning *tuning, uint64_t *seed, uint64_t now) {
    struct board_ticket ticket;
    struct board_refusal refusal;
    struct board_outcome out = {.failure = FAILURE_NONE, .draw = draw_of(seed)};
    switch (draw_of(seed) % 12) {
    case 0:
        board_cooldown(slot, draw_of(seed) % 3 ? now + draw_of(seed) % SECOND : 0, now);
        return;
    case 1:
        board_health(slot, draw_of(seed) % 4 > 0, now);
        return;
    case 2:
        tuning->limits.concurrency = (uint32_t)(draw_of(seed) % 3);
        tuning->limits.requests = draw_of(seed) % 4 * 10;
        tuning->limits.tokens = draw_of(seed) % 3 * 1000;
        tuning->slow_start_ns = draw_of(seed) % 3 * 10 * SECOND;
        board_slot_tune(slot, tuning);
        return;
    case 3:
    case 4:
        out.failure = FAILURE_SERVER_ERROR;
        break;
    default:
        break;
    }
    if (!board_begin(slot, limit_tokens(draw_of(seed) % 200, 0), 0, now, draw_of(seed), &ticket, &refusal)) return;
    (void)view_at(slot, now);
    board_first_token(slot, &ticket, now + MS);
    board_end(slot, &ticket, &out, now + draw_of(seed) % (20 * MS));
}

// Whatever has happened to it, at whatever time it is looked at, also by clocks that are behind: what is asked for
// alone is what the whole view says.
static void test_parts_of_views(void) {
    unsigned usable = 0, slow = 0, times = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct board *board = board_create();
        REQUIRE(board);
        struct board_slot *slot = slot_of(board);
        struct board_tuning tuning = board_tuning_default();
        uint64_t now = T0, draw = seed;
        tuning.rise = tuning.fall = 1;
        for (int i = 0; i < 300; i++) {
            do_something(slot, &tuning, &draw, now);
            now += draw_of(&draw) % 4 ? draw_of(&draw) % (100 * MS) : draw_of(&draw) % (8 * SECOND);
            for (int k = 0; k < 4; k++) {
                uint64_t at = now + draw_of(&draw) % (4 * SECOND) - 100 * MS;
                struct board_view v = view_at(slot, k ? at : now);
                usable += v.usable;
                slow += v.slow_start < 1;
                times++;
            }
        }
        board_slot_put(slot);
        board_free(board);
    }
    CHECK(usable > times / 10 && usable < times - times / 10 && slow > times / 50);
}

static void test_threads(void) {
    struct board *board = board_create();
    REQUIRE(board);
    struct crowd crowd[5];
    struct thread threads[5];
    struct err err;
    uint64_t begun = 0, ended = 0;
    for (size_t i = 0; i < 5; i++) {
        crowd[i] = (struct crowd){.slot = slot_of(board), .seed = i + 1};
        REQUIRE(thread_start(&threads[i], "crowd", 0, i == 4 ? crowd_look : crowd_call, &crowd[i], &err));
    }
    for (int i = 0; i < 4; i++) thread_join(&threads[i]);
    __atomic_store_n(&crowd[4].stop, true, __ATOMIC_RELAXED);
    thread_join(&threads[4]);
    struct board_totals totals;
    board_totals(crowd[0].slot, &totals);
    for (int i = 0; i < FAILURE_COUNT; i++) ended += totals.ended[i];
    for (int i = 0; i < 4; i++) begun += crowd[i].begun;
    CHECK_INT(totals.begun, begun);
    CHECK_INT(ended, begun);
    CHECK(begun > 100);
    CHECK_INT(view_at(crowd[0].slot, T0).in_flight, 0);
    board_free(board);
}

TEST_MAIN(test_names, test_begin_and_end, test_clocks_of_loops, test_slots_are_used_again, test_no_memory,
          test_failures, test_error_rate, test_cooldown, test_unsent, test_which_refusal_is_told, test_told_of,
          test_health, test_group, test_latency, test_replicas, test_divided, test_parts_of_views, test_threads)
