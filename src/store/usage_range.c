// Takes a range of time apart into months, dekads, days, quarters of them, hours and what is left of records.
#include "store/usage_range.h"

#include "base/zone.h"

int64_t usage_month_of_day(int64_t day) {
    int64_t year;
    unsigned month, of_month;
    civil_from_days(day, &year, &month, &of_month);
    return day - (int64_t)of_month + 1;
}

int64_t usage_dekad_of_day(int64_t day) {
    int64_t month = usage_month_of_day(day);
    return month + MIN((day - month) / 10, (int64_t)2) * 10;
}

int64_t usage_unit_begin(enum usage_unit unit, int64_t t) {
    if (unit == USAGE_UNIT_HOUR) return t - t % USAGE_HOUR_NS;
    if (unit == USAGE_UNIT_SIX_HOURS) return t - t % USAGE_SIX_HOURS_NS;
    if (unit == USAGE_UNIT_DAY) return t - t % USAGE_DAY_NS;
    if (unit == USAGE_UNIT_DEKAD) return usage_dekad_of_day(t / USAGE_DAY_NS) * USAGE_DAY_NS;
    return unit == USAGE_UNIT_MONTH ? usage_month_of_day(t / USAGE_DAY_NS) * USAGE_DAY_NS : t;
}

int64_t usage_unit_end(enum usage_unit unit, int64_t t) {
    int64_t begin = usage_unit_begin(unit, t);
    if (unit == USAGE_UNIT_HOUR) return begin + USAGE_HOUR_NS;
    if (unit == USAGE_UNIT_SIX_HOURS) return begin + USAGE_SIX_HOURS_NS;
    if (unit == USAGE_UNIT_DAY) return begin + USAGE_DAY_NS;
    // A day that is in the next one for sure, and not in the one after it.
    if (unit == USAGE_UNIT_DEKAD) return usage_unit_begin(unit, begin + 11 * USAGE_DAY_NS);
    return unit == USAGE_UNIT_MONTH ? usage_unit_begin(unit, begin + 31 * USAGE_DAY_NS) : t + 1;
}

static int64_t nearest(enum usage_unit unit, int64_t t) {
    int64_t begin = usage_unit_begin(unit, t), end = usage_unit_end(unit, t);
    return t - begin <= end - t ? begin : end;
}

static int64_t counted(enum usage_unit unit, int64_t t) {
    if (unit == USAGE_UNIT_RECORD) return t;
    if (unit == USAGE_UNIT_HOUR) return t / USAGE_HOUR_NS;
    return t / (unit == USAGE_UNIT_SIX_HOURS ? USAGE_SIX_HOURS_NS : USAGE_DAY_NS);
}

static void put(struct usage_part *out, size_t *n, enum usage_unit unit, int64_t from, int64_t to, int sign) {
    if (from < to) out[(*n)++] = (struct usage_part){unit, counted(unit, from), counted(unit, to), sign};
}

size_t usage_range_parts(int64_t since, int64_t until, enum usage_unit top, bool quarters,
                         struct usage_part out[USAGE_PARTS_MAX]) {
    size_t n = 0;
    for (enum usage_unit unit = USAGE_UNIT_RECORD, next; since < until; unit = next) {
        next = unit == USAGE_UNIT_HOUR && !quarters ? USAGE_UNIT_DAY : unit + 1;
        int64_t from = unit < top ? nearest(next, since) : 0, to = unit < top ? nearest(next, until) : 0;
        int64_t off = (since < from ? from - since : since - from) + (until < to ? to - until : until - to);
        if (from >= to || off >= until - since) {
            put(out, &n, unit, since, until, 1);
            break;
        }
        put(out, &n, unit, since, from, 1);
        put(out, &n, unit, from, since, -1);
        put(out, &n, unit, to, until, 1);
        put(out, &n, unit, until, to, -1);
        since = from;
        until = to;
    }
    return n;
}
