// Any range of time is taken apart so that each moment in it counts once, and no other does.
#include "check.h"

#include "store/usage_range.h"

#define TOP_NS (INT64_C(6000) * USAGE_DAY_NS) // of what is tried

static uint64_t state = 88172645463325252ULL;
static int64_t roll(int64_t n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int64_t)(state % (uint64_t)n);
}

// Moments that lie near the ends of units, and others.
static int64_t moment(void) {
    enum usage_unit unit = (enum usage_unit)roll(6);
    int64_t t = usage_unit_begin(unit, roll(TOP_NS));
    return roll(2) ? t : t + roll(3) - (t > 0);
}

static int64_t unit_ns(enum usage_unit unit) {
    static const int64_t ns[] = {1, USAGE_HOUR_NS, USAGE_SIX_HOURS_NS, USAGE_DAY_NS, USAGE_DAY_NS, USAGE_DAY_NS};
    return ns[unit];
}

static int count_of(const struct usage_part *parts, size_t n, int64_t t) {
    int count = 0;
    for (size_t i = 0; i < n; i++)
        if (t >= parts[i].from * unit_ns(parts[i].unit) && t < parts[i].to * unit_ns(parts[i].unit))
            count += parts[i].sign;
    return count;
}

static void check_range(int64_t since, int64_t until, enum usage_unit top, bool quarters) {
    struct usage_part parts[USAGE_PARTS_MAX];
    size_t n = usage_range_parts(since, until, top, quarters, parts);
    CHECK(n <= USAGE_PARTS_MAX);
    CHECK(n > 0 || since >= until);
    for (size_t i = 0; i < n; i++) {
        const struct usage_part *p = &parts[i];
        CHECK(p->from < p->to && p->unit <= top && (p->sign == 1 || p->sign == -1));
        CHECK(quarters || p->unit != USAGE_UNIT_SIX_HOURS);
        if (p->unit == USAGE_UNIT_MONTH)
            CHECK(usage_month_of_day(p->from) == p->from && usage_month_of_day(p->to) == p->to);
        if (p->unit == USAGE_UNIT_DEKAD)
            CHECK(usage_dekad_of_day(p->from) == p->from && usage_dekad_of_day(p->to) == p->to);
        // The edges of each part, and something in the middle.
        int64_t a = p->from * unit_ns(p->unit), b = p->to * unit_ns(p->unit),
                at[] = {a - 1, a, a + (b - a) / 2, b - 1, b};
        for (size_t k = 0; k < ARRAY_LEN(at); k++)
            CHECK_INT(count_of(parts, n, at[k]), at[k] >= since && at[k] < until);
    }
    for (int i = 0; i < 20; i++) {
        int64_t t = moment();
        CHECK_INT(count_of(parts, n, t), t >= since && t < until);
    }
}

static void test_any_range(void) {
    for (int i = 0; i < 20000; i++) {
        int64_t since = moment(), until = roll(3) ? moment() : since + roll(roll(2) ? 3 * USAGE_DAY_NS : USAGE_HOUR_NS);
        enum usage_unit top = (enum usage_unit)roll(6);
        check_range(since, until, top, top == USAGE_UNIT_SIX_HOURS || roll(2));
    }
    check_range(0, 1, USAGE_UNIT_MONTH, true);
    check_range(5, 5, USAGE_UNIT_MONTH, true);
    check_range(6, 5, USAGE_UNIT_MONTH, true);
}

// What is left of an edge is half of the next larger unit at most.
static void test_edges(void) {
    for (int i = 0; i < 20000; i++) {
        struct usage_part parts[USAGE_PARTS_MAX];
        int64_t since = moment(), until = since + 70 * USAGE_DAY_NS + roll(100 * USAGE_DAY_NS);
        bool quarters = roll(2);
        size_t n = usage_range_parts(since, until, USAGE_UNIT_MONTH, quarters, parts);
        for (size_t k = 0; k < n; k++) {
            int64_t size = parts[k].to - parts[k].from;
            if (parts[k].unit == USAGE_UNIT_RECORD) CHECK(size <= USAGE_HOUR_NS / 2);
            if (parts[k].unit == USAGE_UNIT_HOUR) CHECK(size <= (quarters ? 3 : 12));
            if (parts[k].unit == USAGE_UNIT_SIX_HOURS) CHECK(size <= 2);
            if (parts[k].unit == USAGE_UNIT_DAY) CHECK(size <= 5);
        }
    }
}

static void test_units(void) {
    int64_t day = 20454; // 2026-01-01
    CHECK_INT(usage_month_of_day(day + 30), day);
    CHECK_INT(usage_unit_begin(USAGE_UNIT_MONTH, (day + 40) * USAGE_DAY_NS + 5), (day + 31) * USAGE_DAY_NS);
    CHECK_INT(usage_unit_end(USAGE_UNIT_MONTH, (day + 40) * USAGE_DAY_NS + 5), (day + 59) * USAGE_DAY_NS);
    CHECK_INT(usage_dekad_of_day(day + 9), day);
    CHECK_INT(usage_dekad_of_day(day + 10), day + 10);
    CHECK_INT(usage_dekad_of_day(day + 30), day + 20);
    CHECK_INT(usage_unit_end(USAGE_UNIT_DEKAD, (day + 30) * USAGE_DAY_NS), (day + 31) * USAGE_DAY_NS);
    CHECK_INT(usage_unit_end(USAGE_UNIT_DEKAD, (day + 58) * USAGE_DAY_NS), (day + 59) * USAGE_DAY_NS);
    CHECK_INT(usage_unit_begin(USAGE_UNIT_SIX_HOURS, day * USAGE_DAY_NS + 13 * USAGE_HOUR_NS),
              day * USAGE_DAY_NS + 12 * USAGE_HOUR_NS);
    CHECK_INT(usage_unit_end(USAGE_UNIT_SIX_HOURS, day * USAGE_DAY_NS + 18 * USAGE_HOUR_NS), (day + 1) * USAGE_DAY_NS);
    CHECK_INT(usage_unit_begin(USAGE_UNIT_DAY, day * USAGE_DAY_NS), day * USAGE_DAY_NS);
    CHECK_INT(usage_unit_end(USAGE_UNIT_DAY, day * USAGE_DAY_NS), (day + 1) * USAGE_DAY_NS);
    CHECK_INT(usage_unit_begin(USAGE_UNIT_HOUR, USAGE_HOUR_NS - 1), 0);
    CHECK_INT(usage_unit_end(USAGE_UNIT_RECORD, 7), 8);
}

TEST_MAIN(test_any_range, test_edges, test_units)
