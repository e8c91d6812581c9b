// Tests of route/retry.h and failure.h: retries within their share whatever comes, waits within bounds, the classes.
#include "os/thread.h"
#include "route/failure.h"
#include "route/retry.h"

#include "check.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static uint64_t next(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void test_share(void) {
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct retry_rules rules = {
            .share_permille = (uint32_t)(seed * 10), .burst = 10 + (uint32_t)seed % 5, .save = (uint32_t)seed % 60};
        struct retry_budget b;
        uint64_t s = seed, calls = 0, retries = 0;
        retry_budget_init(&b, &rules, 0);
        for (int i = 0; i < 20000; i++) {
            if (next(&s) % 3) {
                calls++;
                retry_budget_call(&b, &rules);
            }
            for (uint64_t tries = next(&s) % 4; tries; tries--) retries += retry_budget_take(&b, &rules, UINT64_MAX);
            CHECK(retries * 1000 <= calls * rules.share_permille + rules.burst * 1000);
        }
        // And it is given out: everything fails here.
        CHECK((retries + 2) * 1000 >= calls * rules.share_permille);
    }
}

static void test_floor(void) {
    struct retry_rules rules = {.floor_second = 2, .burst = 3};
    struct retry_budget b;
    unsigned taken = 0;
    retry_budget_init(&b, &rules, SECOND);
    for (int i = 0; i < 10; i++) taken += retry_budget_take(&b, &rules, SECOND);
    CHECK_INT(taken, 3);
    CHECK_INT(retry_budget_left(&b), 0);
    for (uint64_t t = SECOND; t <= 11 * SECOND; t += 10 * MS) taken += retry_budget_take(&b, &rules, t);
    CHECK_INT(taken, 3 + 20);
    // A long silence saves up no more than the burst; time that goes back gives nothing.
    for (int i = 0; i < 10; i++) taken += retry_budget_take(&b, &rules, 1000 * SECOND);
    CHECK_INT(taken, 3 + 20 + 3);
    CHECK(!retry_budget_take(&b, &rules, 0));
    rules = (struct retry_rules){.burst = 0};
    retry_budget_init(&b, &rules, 0);
    CHECK(retry_budget_take(&b, &rules, 0) && !retry_budget_take(&b, &rules, 100 * SECOND));
}

// Calls that went well pay for those that fail together; what they have saved up is no more for the silence after it.
static void test_save(void) {
    struct retry_rules rules = {.share_permille = 200, .floor_second = 1, .burst = 10, .save = 100};
    struct retry_budget b;
    retry_budget_init(&b, &rules, SECOND);
    CHECK_INT(retry_budget_left(&b), 10);
    for (int i = 0; i < 200; i++) retry_budget_call(&b, &rules);
    CHECK_INT(retry_budget_left(&b), 50);
    for (int i = 0; i < 1000; i++) retry_budget_call(&b, &rules);
    CHECK_INT(retry_budget_left(&b), 100);
    unsigned taken = 0;
    for (int i = 0; i < 200; i++) taken += retry_budget_take(&b, &rules, SECOND);
    CHECK_INT(taken, 100);
    for (int i = 0; i < 200; i++) taken += retry_budget_take(&b, &rules, 1000 * SECOND);
    CHECK_INT(taken, 110);
}

static void test_wait(void) {
    struct retry_rules rules = {.base_ns = 100 * MS, .max_ns = 1000 * MS, .after_max_ns = 5 * SECOND};
    uint64_t seed = 8, most[6] = {0}, wait;
    static const uint64_t caps[6] = {100, 200, 400, 800, 1000, 1000};
    for (unsigned retry = 0; retry < 6; retry++)
        for (int i = 0; i < 2000; i++) {
            struct retry_ask ask = {.retry = retry, .remaining_ns = UINT64_MAX, .draw = next(&seed)};
            CHECK(retry_wait(&rules, &ask, &wait));
            CHECK(wait <= caps[retry] * MS);
            most[retry] = MAX(most[retry], wait);
        }
    for (unsigned retry = 0; retry < 6; retry++) CHECK(most[retry] > caps[retry] * MS * 9 / 10);
    struct retry_ask ask = {.retry = 1000000, .remaining_ns = UINT64_MAX, .draw = 7};
    CHECK(retry_wait(&rules, &ask, &wait) && wait <= SECOND);
    ask = (struct retry_ask){.after_ns = 2 * SECOND, .remaining_ns = UINT64_MAX, .draw = UINT64_MAX};
    CHECK(retry_wait(&rules, &ask, &wait) && wait >= 2 * SECOND && wait <= 2 * SECOND + 25 * MS);
    wait = 77;
    ask.after_ns = 5 * SECOND + 1;
    CHECK(!retry_wait(&rules, &ask, &wait));
    ask.after_ns = 2 * SECOND;
    ask.remaining_ns = 2 * SECOND;
    CHECK(!retry_wait(&rules, &ask, &wait));
    ask = (struct retry_ask){.remaining_ns = 0};
    CHECK(!retry_wait(&rules, &ask, &wait));
    CHECK_INT(wait, 77);
}

struct shared {
    struct retry_budget budget;
    struct retry_rules rules;
    uint64_t calls, retries;
};

static void hammer(void *arg) {
    struct shared *s = arg;
    for (int i = 0; i < 20000; i++) {
        atom_add_relaxed(&s->calls, 1);
        retry_budget_call(&s->budget, &s->rules);
        if (retry_budget_take(&s->budget, &s->rules, (uint64_t)i)) atom_add_relaxed(&s->retries, 1);
    }
}

static void test_threads(void) {
    struct shared s = {.rules = {.share_permille = 200, .burst = 5}};
    struct thread threads[4];
    struct err err;
    retry_budget_init(&s.budget, &s.rules, 0);
    for (int i = 0; i < 4; i++) REQUIRE(thread_start(&threads[i], "hammer", 0, hammer, &s, &err));
    for (int i = 0; i < 4; i++) thread_join(&threads[i]);
    CHECK(s.retries * 1000 <= s.calls * 200 + 5000);
    CHECK(s.retries * 1000 + 2000 >= s.calls * 200);
}

static void test_failures(void) {
    enum failure f;
    for (int i = 0; i < FAILURE_COUNT; i++) {
        const struct failure_info *info = failure_info((enum failure)i);
        CHECK(info->name.n && info->meaning);
        CHECK(failure_parse(info->name, &f) && f == (enum failure)i);
        // What may go to the same target may go to another.
        CHECK(!info->same || info->next);
        CHECK(!failure_is_timeout((enum failure)i) || (info->breaker && !info->same));
    }
    CHECK(!failure_parse(STR("Connect"), &f) && !failure_parse(STR(""), &f));
    CHECK(!failure_info(FAILURE_RATE_LIMIT)->breaker && !failure_info(FAILURE_BAD_REQUEST)->breaker);
    CHECK_INT(failure_info(FAILURE_RATE_LIMIT)->cooldown, FAILURE_COOLDOWN_ALWAYS);
    static const struct {
        int status;
        enum failure failure;
    } statuses[] = {{200, FAILURE_NONE},         {302, FAILURE_INVALID_ANSWER}, {400, FAILURE_BAD_REQUEST},
                    {413, FAILURE_BAD_REQUEST},  {422, FAILURE_BAD_REQUEST},    {401, FAILURE_AUTH},
                    {403, FAILURE_AUTH},         {404, FAILURE_NOT_FOUND},      {429, FAILURE_RATE_LIMIT},
                    {500, FAILURE_SERVER_ERROR}, {502, FAILURE_SERVER_ERROR},   {503, FAILURE_OVERLOADED},
                    {529, FAILURE_OVERLOADED},   {999, FAILURE_SERVER_ERROR}};
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        CHECK_INT(failure_of_status(statuses[i].status), statuses[i].failure);
}

TEST_MAIN(test_share, test_floor, test_save, test_wait, test_threads, test_failures)
