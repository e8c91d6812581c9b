// Tests of route/latency.h, decay.h and window.h: the bounds they promise, over random samples and times.
#include "route/decay.h"
#include "route/latency.h"
#include "route/window.h"

#include "check.h"

#include <math.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define T0 (7000 * SECOND)

static uint64_t next(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void test_decay(void) {
    float before = 2;
    for (int i = 0; i < 12000; i++) {
        float x = (float)i / 100, got = decay_half_lives(x), want = exp2f(-x);
        CHECK(x >= 100 ? got == 0 : fabsf(got - want) <= want * 0.001F);
        CHECK(got <= before);
        before = got;
    }
    CHECK(decay_half_lives(0) == 1 && decay_half_lives(1) > 0.4999F && decay_half_lives(3) < 0.1251F);
    CHECK(decay_since(10, 5, 1) == 1);
    CHECK(decay_half_lives(NAN) == 0 && decay_half_lives(INFINITY) == 0);
}

static void test_ewma_bounds(void) {
    uint64_t seed = 3, now = T0;
    struct latency_ewma e = {0, 0};
    for (int i = 0; i < 20000; i++) {
        uint64_t sample = next(&seed) % (5 * SECOND) + 1;
        float old = e.value_ns;
        now += next(&seed) % (4 * SECOND);
        latency_ewma_add(&e, 10 * SECOND, sample, now);
        float s = (float)sample, low = s < old ? s : old, high = s < old ? old : s;
        CHECK(e.value_ns >= low * 0.999F && e.value_ns <= high * 1.001F);
        CHECK(s < old || e.value_ns == s);
    }
}

static void test_ewma(void) {
    struct latency_ewma e = {0, 0};
    latency_ewma_add(&e, 10 * SECOND, 100 * MS, T0);
    CHECK(e.value_ns == (float)(100 * MS));
    latency_ewma_add(&e, 10 * SECOND, 900 * MS, T0 + 1);
    CHECK(e.value_ns == (float)(900 * MS));
    // Half of the way back in a half-life, however many samples there are.
    latency_ewma_add(&e, 10 * SECOND, 100 * MS, T0 + 1 + 10 * SECOND);
    CHECK(fabsf(e.value_ns - (float)(500 * MS)) < (float)MS);
    for (uint64_t i = 1; i <= 1000; i++) latency_ewma_add(&e, 10 * SECOND, 100 * MS, T0 + 1 + (1000 + i) * 10 * MS);
    CHECK(fabsf(e.value_ns - (float)(300 * MS)) < (float)(10 * MS));
    latency_ewma_at_least(&e, 10 * SECOND, 50 * MS, T0 + 30 * SECOND);
    CHECK(e.value_ns > (float)(250 * MS));
    latency_ewma_at_least(&e, 10 * SECOND, 2 * SECOND, T0 + 30 * SECOND);
    CHECK(e.value_ns == (float)(2 * SECOND));
    // Time that goes back takes nothing off.
    latency_ewma_add(&e, 10 * SECOND, 1, T0);
    CHECK(e.value_ns == (float)(2 * SECOND));
    // What has faded meanwhile does not stand in the way.
    latency_ewma_at_least(&e, 10 * SECOND, 400 * MS, T0 + 50 * SECOND);
    CHECK(e.value_ns == (float)(2 * SECOND) && e.at_ns == T0 + 30 * SECOND);
    latency_ewma_at_least(&e, 10 * SECOND, 600 * MS, T0 + 50 * SECOND);
    CHECK(e.value_ns == (float)(600 * MS) && e.at_ns == T0 + 50 * SECOND);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void test_quantiles(void) {
    static uint64_t samples[5000];
    static struct latency_sketch s;
    uint64_t seed = 5;
    CHECK_INT(latency_sketch_quantile(&s, 0.95F), 0);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        samples[i] = (MS << next(&seed) % 10) + next(&seed) % (200 * MS);
        latency_sketch_add(&s, 3600 * SECOND, samples[i], T0);
    }
    qsort(samples, ARRAY_LEN(samples), sizeof samples[0], by_value);
    for (int p = 1; p < 100; p++) {
        uint64_t truth = samples[(size_t)p * ARRAY_LEN(samples) / 100 - 1];
        uint64_t got = latency_sketch_quantile(&s, (float)p / 100);
        CHECK(got >= truth - truth / 50 && got <= truth + truth / 7);
    }
    CHECK(fabsf(latency_sketch_count(&s, 3600 * SECOND, T0) - 5000) < 1);
    CHECK(fabsf(latency_sketch_count(&s, 3600 * SECOND, T0 + 3600 * SECOND) - 2500) < 5);
}

static void test_quantiles_fade(void) {
    static struct latency_sketch s;
    for (int i = 0; i < 1000; i++) latency_sketch_add(&s, 60 * SECOND, 2 * SECOND, T0);
    for (int i = 0; i < 100; i++) latency_sketch_add(&s, 60 * SECOND, 10 * MS, T0 + 600 * SECOND);
    CHECK(latency_sketch_quantile(&s, 0.5F) < 12 * MS);
    // Far beyond where weights are scaled down, and with times that go back.
    for (uint64_t day = 1; day < 400; day++) latency_sketch_add(&s, 60 * SECOND, 10 * MS, T0 + day * 86400 * SECOND);
    latency_sketch_add(&s, 60 * SECOND, 10 * MS, T0);
    CHECK(latency_sketch_quantile(&s, 1) < 12 * MS);
    CHECK(isfinite(s.total) && s.total > 0);
    latency_sketch_add(&s, 60 * SECOND, 0, T0 + 400 * 86400 * SECOND);
    latency_sketch_add(&s, 60 * SECOND, UINT64_MAX, T0 + 400 * 86400 * SECOND);
    CHECK(latency_sketch_quantile(&s, 1) <= UINT64_C(1) << 40);
}

static void test_speed(void) {
    struct latency_speed s = {0, 0, 0};
    CHECK(latency_speed_mean(&s) == 0);
    latency_speed_add(&s, 60 * SECOND, 100, SECOND, T0);
    latency_speed_add(&s, 60 * SECOND, 300, SECOND, T0);
    CHECK(fabsf(latency_speed_mean(&s) - 200) < 0.1F);
    latency_speed_add(&s, 60 * SECOND, 50, SECOND, T0 + 3600 * SECOND);
    CHECK(fabsf(latency_speed_mean(&s) - 50) < 0.1F);
    latency_speed_add(&s, 60 * SECOND, 0, SECOND, T0);
    latency_speed_add(&s, 60 * SECOND, 10, 0, T0);
    CHECK(fabsf(latency_speed_mean(&s) - 50) < 0.1F);
}

// Against a plain list of what happened: never more than the span, never less than seven eighths of it.
static void test_window(void) {
    static struct {
        uint64_t at;
        bool good;
    } log[3000];
    struct window w = {.newest = 0};
    uint64_t seed = 11, now = T0;
    const uint64_t span = 8 * SECOND;
    for (size_t n = 0; n < ARRAY_LEN(log); n++) {
        now += next(&seed) % 50 == 0 ? next(&seed) % (20 * SECOND) : next(&seed) % (300 * MS);
        log[n].at = now;
        log[n].good = next(&seed) % 3 != 0;
        window_add(&w, span, log[n].good, now);
        uint32_t good[2] = {0, 0}, bad[2] = {0, 0}; // of the whole span, of seven eighths
        for (size_t i = 0; i <= n; i++)
            for (int k = 0; k < 2; k++) {
                if (log[i].at + (k ? span - span / WINDOW_BUCKETS : span) <= now) continue;
                good[k] += log[i].good;
                bad[k] += !log[i].good;
            }
        struct window_sum sum = window_sum(&w, span, now);
        CHECK(sum.good <= good[0] && sum.good >= good[1] && sum.bad <= bad[0] && sum.bad >= bad[1]);
    }
    struct window_sum later = window_sum(&w, span, now + span);
    CHECK(later.good == 0 && later.bad == 0);
    window_add(&w, span, false, now - 3 * SECOND);
    CHECK(window_sum(&w, span, now).bad > 0);
    window_clear(&w);
    CHECK(window_sum(&w, span, now).bad == 0);
}

TEST_MAIN(test_decay, test_ewma_bounds, test_ewma, test_quantiles, test_quantiles_fade, test_speed, test_window)
