// Tests of route/quality.h and outlier.h: scores stay within what was observed and assumed; who is put out of a group.
#include "os/thread.h"
#include "route/outlier.h"
#include "route/quality.h"

#include "check.h"

#include <math.h>

#define SECOND UINT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define T0 (1000 * HOUR)

static void test_scores(void) {
    struct quality_rules rules = {.prior = 0.5F, .prior_weight = 4, .half_life_ns = HOUR};
    quality_cell cell = 0;
    CHECK(quality_get(&cell, &rules, T0) == 0.5F);
    float before = 0.5F;
    for (int i = 0; i < 2000; i++) {
        quality_add(&cell, &rules, 1, 1, T0);
        float now = quality_get(&cell, &rules, T0);
        CHECK(now >= before - 1e-4F && now <= 1);
        before = now;
    }
    CHECK(before > 0.98F);
    CHECK(quality_weight(&cell, &rules, T0) > 254);
    // What was seen fades, and the prior remains.
    float weight = quality_weight(&cell, &rules, T0 + HOUR);
    CHECK(fabsf(weight - 127.5F) < 1);
    CHECK(quality_get(&cell, &rules, T0 + 20 * HOUR) < 0.51F);
    // Bad answers bring a good target down.
    for (int i = 0; i < 60; i++) quality_add(&cell, &rules, 0, 4, T0 + HOUR);
    CHECK(quality_get(&cell, &rules, T0 + HOUR) < 0.45F);
}

static void test_odd_scores(void) {
    struct quality_rules rules = quality_rules_default();
    quality_cell cell = 0;
    quality_add(&cell, &rules, 0.5F, 0, T0);
    quality_add(&cell, &rules, 0.5F, -3, T0);
    quality_add(&cell, &rules, 0.5F, NAN, T0);
    CHECK(cell == 0);
    quality_add(&cell, &rules, 7, 1000, T0);
    quality_add(&cell, &rules, NAN, 1, T0);
    quality_add(&cell, &rules, -INFINITY, 1, T0);
    float got = quality_get(&cell, &rules, T0);
    CHECK(got >= 0 && got <= 1);
    CHECK(quality_weight(&cell, &rules, T0) <= 18.1F);
}

struct shared {
    quality_cell cell;
    struct quality_rules rules;
};

static void add_many(void *arg) {
    struct shared *s = arg;
    for (uint64_t i = 0; i < 5000; i++) {
        quality_add(&s->cell, &s->rules, 0.25F, 1, T0 + i * SECOND / 100);
        float got = quality_get(&s->cell, &s->rules, T0 + i * SECOND / 100);
        if (!(got > 0.24F && got < 0.71F)) abort();
    }
}

static void test_threads(void) {
    struct shared s = {0, quality_rules_default()};
    struct thread threads[4];
    struct err err;
    for (int i = 0; i < 4; i++) REQUIRE(thread_start(&threads[i], "score", 0, add_many, &s, &err));
    for (int i = 0; i < 4; i++) thread_join(&threads[i]);
    CHECK(quality_get(&s.cell, &s.rules, T0) < 0.3F);
}

static void test_outliers(void) {
    struct outlier_rules rules = outlier_rules_default();
    struct outlier_target t[5] = {{100, 0, false}, {99, 1, false}, {98, 2, false}, {60, 40, false}, {100, 0, false}};
    CHECK_INT(outlier_find(&rules, t, 5), 3);
    CHECK_INT(outlier_find(&rules, t, 3), 3);
    t[3].out = true;
    CHECK_INT(outlier_find(&rules, t, 5), 5);
    // All are equally bad: nobody is an outlier.
    struct outlier_target bad[4] = {{50, 50, false}, {52, 48, false}, {49, 51, false}, {50, 50, false}};
    CHECK_INT(outlier_find(&rules, bad, 4), 4);
    // Too few requests, too few targets.
    struct outlier_target few[3] = {{100, 0, false}, {100, 0, false}, {0, 19, false}};
    CHECK_INT(outlier_find(&rules, few, 3), 3);
    few[2].bad = 20;
    CHECK_INT(outlier_find(&rules, few, 3), 2);
    CHECK_INT(outlier_find(&rules, few + 1, 2), 2);
    CHECK_INT(outlier_find(&rules, few, 0), 0);
}

static void test_never_more_than_half(void) {
    struct outlier_rules rules = outlier_rules_default();
    rules.min_targets = 2;
    for (size_t n = 1; n <= 12; n++) {
        struct outlier_target t[12];
        size_t out = 0;
        for (size_t i = 0; i < n; i++) t[i] = (struct outlier_target){1U << i, 4096 - (1U << i), false};
        for (size_t worst; (worst = outlier_find(&rules, t, n)) < n; out++) t[worst].out = true;
        CHECK(out < n || n == 0);
        CHECK(out <= MAX((size_t)1, n / 2));
        CHECK(!outlier_panic(&rules, n / 2, n));
        CHECK(outlier_panic(&rules, n / 2 + 1, n));
    }
}

TEST_MAIN(test_scores, test_odd_scores, test_threads, test_outliers, test_never_more_than_half)
