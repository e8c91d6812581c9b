// Tests of access/throttle.h: the time line of locks, forgetting, parallel attempts, clocks that jump.
#include "check.h"

#include "access/throttle.h"

#define S INT64_C(1000000000)
static const struct throttle k_email = {.max = 5, .base = 30 * S, .cap = 900 * S, .forget = 86400 * S};
static const struct throttle k_address = {
    .max = 50, .base = 30 * S, .cap = 900 * S, .leak = 30 * S, .forget = 86400 * S};

static void test_time_line(void) {
    struct sign_in_failure row = {0};
    int64_t now = 1000000 * S, wait;
    for (int i = 0; i < 4; i++) {
        CHECK(throttle_take(&k_email, &row, now += S, &wait));
        CHECK_INT(row.locked_until, 0);
    }
    // The fifth locks; each one after a lock is over locks for twice as long, up to the cap.
    static const int64_t locks[] = {30, 60, 120, 240, 480, 900, 900, 900};
    now += S;
    for (size_t i = 0; i < ARRAY_LEN(locks); i++) {
        CHECK(throttle_take(&k_email, &row, now, &wait));
        CHECK_INT(row.locked_until, now + locks[i] * S);
        CHECK(!throttle_take(&k_email, &row, now, &wait));
        CHECK_INT(wait, locks[i] * S);
        now += locks[i] * S;
        CHECK(!throttle_take(&k_email, &row, now - 1, &wait));
        CHECK_INT(wait, 1);
    }
    CHECK_INT(row.failures, 4 + (int64_t)ARRAY_LEN(locks));
    // A day of quiet forgets all.
    CHECK(throttle_take(&k_email, &row, now + 86400 * S, &wait));
    CHECK_INT(row.failures, 1);
}

static void test_success(void) {
    struct sign_in_failure row = {0};
    int64_t now = 1000000 * S, wait;
    for (int i = 0; i < 100; i++) {
        CHECK(throttle_take(&k_email, &row, now, &wait));
        throttle_give_back(&row);
    }
    CHECK_INT(row.failures, 0);
    for (int i = 0; i < 5; i++) CHECK(throttle_take(&k_email, &row, now, &wait));
    throttle_give_back(&row); // the fifth was right
    CHECK(throttle_take(&k_email, &row, now, &wait));
    throttle_give_back(&(struct sign_in_failure){0});
}

// However many come before the first is found wrong.
static void test_parallel(void) {
    struct sign_in_failure row = {0};
    int64_t now = 1000000 * S, wait;
    int passed = 0;
    for (int i = 0; i < 1000; i++) passed += throttle_take(&k_email, &row, now, &wait);
    CHECK_INT(passed, 5);
}

static void test_leak(void) {
    struct sign_in_failure row = {0};
    int64_t now = 1000000 * S, wait;
    for (int i = 0; i < 49; i++) CHECK(throttle_take(&k_address, &row, now, &wait));
    CHECK_INT(row.locked_until, 0);
    CHECK(throttle_take(&k_address, &row, now, &wait));
    CHECK_INT(row.locked_until, now + 30 * S);
    // After the lock one was forgotten, so that the next one reaches the limit again but does not pass it.
    now += 30 * S;
    CHECK(throttle_take(&k_address, &row, now, &wait));
    CHECK_INT(row.locked_until, now + 30 * S);
    // An hour forgets all: an office that mistypes now and then is never locked out.
    now += 3600 * S;
    CHECK(throttle_take(&k_address, &row, now, &wait));
    CHECK_INT(row.failures, 1);
    for (int i = 0; i < 500; i++) {
        CHECK(throttle_take(&k_address, &row, now += 31 * S, &wait));
        CHECK(row.failures <= 2);
    }
}

static void test_clock(void) {
    struct sign_in_failure row = {0};
    int64_t now = 1000000 * S, wait;
    for (int i = 0; i < 5; i++) CHECK(throttle_take(&k_email, &row, now, &wait));
    // Set back by a year: the lock is not a year long.
    CHECK(throttle_take(&k_email, &row, now - 365 * 86400 * S, &wait));
    row = (struct sign_in_failure){.failures = INT64_MAX / 2, .failed_at = now};
    CHECK(throttle_take(&k_email, &row, now, &wait));
    CHECK_INT(row.locked_until, now + 900 * S);
    const struct throttle odd = {.max = 1, .base = 900 * S, .cap = 30 * S, .forget = S};
    row = (struct sign_in_failure){0};
    CHECK(throttle_take(&odd, &row, now, &wait));
    CHECK_INT(row.locked_until, now + 30 * S);
}

TEST_MAIN(test_time_line, test_success, test_parallel, test_leak, test_clock)
