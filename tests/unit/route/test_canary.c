// Tests of route/canary.h: an equal canary is hardly ever rolled back, a worse one soon; shares grow by schedule.
#include "route/canary.h"

#include "check.h"

#include <math.h>

#define MINUTE INT64_C(60000000000)

static uint64_t g_seed_of(uint64_t n) { return n * UINT64_C(0x9e3779b97f4a7c15) | 1; }

static double draw(uint64_t *seed) {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (double)(*seed * UINT64_C(0x2545f4914f6cdd1d) >> 11) / 9007199254740992.0;
}

static struct canary_rules rules_of(double significance) {
    return (struct canary_rules){.shares = {10000, 50000, 250000, 1000000},
                                 .steps = 4,
                                 .every_ns = 10 * MINUTE,
                                 .min_requests = 100,
                                 .significance = significance};
}

struct world {
    double base_errors, canary_errors;   // shares
    double base_quality, canary_quality; // of good answers; below 0: none is judged
};

static void one_request(const struct world *w, struct canary_counts *c, uint32_t share, uint64_t *seed) {
    bool canary = draw(seed) * 1e6 < share;
    struct canary_count *count = canary ? &c->canary : &c->base;
    count->requests++;
    count->errors += draw(seed) < (canary ? w->canary_errors : w->base_errors);
    if (w->base_quality < 0) return;
    count->judged++;
    count->quality += draw(seed) < (canary ? w->canary_quality : w->base_quality) ? 1 : 0.2;
}

// Runs a course; how many requests the canary had when it was rolled back, 0: it was not.
static uint64_t run(const struct canary_rules *rules, const struct world *w, uint64_t requests, uint64_t seed) {
    struct canary_counts counts[CANARY_STEPS_MAX] = {0};
    struct canary_course course = {.step = 0};
    struct canary_verdict v;
    uint64_t had = 0;
    for (uint64_t i = 0; i < requests; i++) {
        uint64_t before = counts[course.step].canary.requests;
        one_request(w, &counts[course.step], canary_share(rules, &course), &seed);
        had += counts[course.step].canary.requests - before;
        if (i % 50 == 49) (void)canary_go(rules, counts, (int64_t)i * MINUTE / 400, &course, &v);
        if (course.state == CANARY_ROLLED_BACK) return had;
    }
    return 0;
}

static unsigned rolled_back(const struct canary_rules *rules, const struct world *w, unsigned runs, uint64_t *out_had) {
    unsigned n = 0;
    *out_had = 0;
    for (unsigned i = 0; i < runs; i++) {
        uint64_t had = run(rules, w, 16000, g_seed_of(i + 1));
        n += had > 0;
        *out_had += had;
    }
    return n;
}

static void test_equal(void) {
    const struct canary_rules rules = rules_of(0.05);
    const struct world worlds[] = {
        {0.01, 0.01, -1, 0}, {0.3, 0.3, -1, 0}, {0, 0, 0.9, 0.9}, {0.001, 0.001, 0.5, 0.5}, {0.1, 0.02, 0.7, 0.8}};
    uint64_t had;
    for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
        unsigned n = rolled_back(&rules, &worlds[i], 200, &had);
        CHECK(n <= 10); // of 200, and the test errs on the safe side
    }
}

static void test_within_margin(void) {
    struct canary_rules rules = rules_of(0.05);
    uint64_t had;
    rules.max_error_increase = 0.02;
    rules.max_quality_drop = 0.05;
    const struct world worst = {0.01, 0.03, 0.9, 0.85}, rare = {0, 0.02, -1, 0};
    CHECK(rolled_back(&rules, &worst, 200, &had) <= 10);
    CHECK(rolled_back(&rules, &rare, 200, &had) <= 10);
    const struct world beyond = {0.01, 0.2, -1, 0};
    CHECK(rolled_back(&rules, &beyond, 100, &had) == 100);
}

static void test_worse(void) {
    const struct canary_rules rules = rules_of(0.05);
    const struct world broken = {0.01, 1, -1, 0}, bad = {0.01, 0.3, -1, 0}, dull = {0.01, 0.01, 0.95, 0.5};
    uint64_t had;
    CHECK(rolled_back(&rules, &broken, 50, &had) == 50);
    CHECK(had / 50 <= 30); // as soon as there is a look
    CHECK(rolled_back(&rules, &bad, 50, &had) == 50);
    CHECK(had / 50 <= 80);
    CHECK(rolled_back(&rules, &dull, 50, &had) == 50);
    CHECK(had / 50 <= 120);
}

// Of three and one of four (Fisher's tea): 17/70 for three or more of four.
static void test_exact(void) {
    const struct canary_pair tea = {.base_n = 4, .base_bad = 1, .canary_n = 4, .canary_bad = 3};
    CHECK(fabs(canary_p_value(&tea, 1, 0) - 17.0 / 70) < 1e-9);
    // A step in which nothing failed, or only one of both was asked, says nothing.
    const struct canary_pair more[] = {tea, {100, 0, 10, 0}, {0, 0, 50, 50}, {70, 3, 0, 0}};
    CHECK(fabs(canary_p_value(more, 4, 0) - 17.0 / 70) < 1e-9);
    CHECK(canary_p_value(more, 0, 0) == 1);
    // Both ways of counting meet where one takes over from the other.
    const struct canary_pair few = {20000, 180, 2000, 30}, many = {20000, 240, 2000, 40};
    CHECK(canary_p_value(&few, 1, 0) < 0.02 && canary_p_value(&few, 1, 0) > 0.001);
    CHECK(canary_p_value(&many, 1, 0) < 0.01 && canary_p_value(&many, 1, 0) > 0.0001);
    CHECK(canary_p_value(&many, 1, 0.01) > 0.5);
}

// A bad hour in which the canary had a large share does not count against it.
static void test_steps_apart(void) {
    struct canary_rules rules = rules_of(0.05);
    struct canary_counts counts[CANARY_STEPS_MAX] = {{{9900, 10, 0, 0}, {100, 0, 0, 0}},
                                                     {{500, 250, 0, 0}, {500, 250, 0, 0}}};
    struct canary_course course = {.step = 1};
    struct canary_verdict v;
    CHECK(!canary_go(&rules, counts, MINUTE, &course, &v));
    CHECK(course.state == CANARY_RUNNING && v.why == CANARY_FINE && course.looks == 1);
}

static void test_schedule(void) {
    const struct canary_rules rules = rules_of(0.05);
    struct canary_counts counts[CANARY_STEPS_MAX] = {0};
    struct canary_course course = {.step = 0};
    struct canary_verdict v;
    CHECK(canary_share(&rules, &course) == 10000);
    for (size_t i = 0; i < 4; i++) counts[i].canary.requests = counts[i].base.requests = 100;
    counts[0].canary.requests = 99;
    CHECK(!canary_go(&rules, counts, 10 * MINUTE, &course, &v)); // too few
    counts[0].canary.requests = 100;
    CHECK(!canary_go(&rules, counts, 10 * MINUTE - 1, &course, &v)); // too soon
    CHECK(canary_go(&rules, counts, 10 * MINUTE, &course, &v));
    CHECK(course.step == 1 && canary_share(&rules, &course) == 50000);
    CHECK(!canary_go(&rules, counts, 11 * MINUTE, &course, &v));
    course.state = CANARY_PAUSED;
    CHECK(!canary_go(&rules, counts, 100 * MINUTE, &course, &v) && canary_share(&rules, &course) == 50000);
    course.state = CANARY_RUNNING;
    CHECK(canary_go(&rules, counts, 100 * MINUTE, &course, &v));
    CHECK(canary_go(&rules, counts, 110 * MINUTE, &course, &v));
    CHECK(course.step == 3 && canary_share(&rules, &course) == 1000000);
    CHECK(canary_go(&rules, counts, 120 * MINUTE, &course, &v));
    CHECK(course.state == CANARY_FINISHED && canary_share(&rules, &course) == 1000000);
    // Where it has all, it is held against what was before.
    counts[3] = (struct canary_counts){{0, 0, 0, 0}, {300, 150, 0, 0}};
    CHECK(canary_go(&rules, counts, 121 * MINUTE, &course, &v));
    CHECK(course.state == CANARY_ROLLED_BACK && v.why == CANARY_ERRORS && canary_share(&rules, &course) == 0);
    CHECK(!canary_go(&rules, counts, 500 * MINUTE, &course, &v));
    course = (struct canary_course){.state = CANARY_PROMOTED, .step = 1};
    CHECK(!canary_go(&rules, counts, 500 * MINUTE, &course, &v) && canary_share(&rules, &course) == 1000000);
    const struct canary_rules none = {.steps = 0};
    CHECK(canary_share(&none, &course) == 0);
}

// Who is in a smaller share stays in it; shares are what they say.
static void test_takes(void) {
    unsigned in[3] = {0};
    const uint32_t shares[3] = {10000, 250000, 1000000};
    for (uint64_t key = 0; key < 20000; key++) {
        bool was = false;
        for (size_t i = 0; i < 3; i++) {
            bool is = canary_takes(key, 77, shares[i]);
            CHECK(is || !was);
            was = is;
            in[i] += is;
        }
        CHECK(!canary_takes(key, 77, 0));
    }
    CHECK(in[0] > 120 && in[0] < 290);
    CHECK(in[1] > 4700 && in[1] < 5300);
    CHECK(in[2] == 20000);
}

// As many requests as there may ever be, far from the margin on both sides: an answer all the same, and at once.
static void test_many_requests(void) {
    const struct canary_pair within = {.base_n = 4e9, .base_bad = 10, .canary_n = 4e9, .canary_bad = 100};
    const struct canary_pair beyond = {.base_n = 4e9, .base_bad = 0, .canary_n = 1e5, .canary_bad = 250};
    CHECK(canary_p_value(&within, 1, 0) < 1e-9);
    CHECK(canary_p_value(&within, 1, 0.02) > 0.4);
    CHECK(canary_p_value(&beyond, 1, 1e-6) < 1e-9);
    CHECK(canary_p_value(&beyond, 1, 0) < 1e-9);
}

static void test_names(void) {
    enum canary_state state;
    for (int i = 0; i < CANARY_STATE_COUNT; i++) {
        CHECK(canary_state_parse(canary_state_name((enum canary_state)i), &state));
        CHECK(state == (enum canary_state)i);
    }
    CHECK(!canary_state_parse(STR("run"), &state));
}

TEST_MAIN(test_equal, test_within_margin, test_worse, test_exact, test_steps_apart, test_schedule, test_takes,
          test_many_requests, test_names)
