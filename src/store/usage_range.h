// Which rows make up a range of time: months, dekads, days, quarters of them, hours and records, the fewest that add up
// to it.
//
// A dekad is a third of a month: its days 1 to 10, 11 to 20, and the others.
//
// A range is rounded to the nearest unit at either end, and what that adds or leaves out is put right with rows of the
// next smaller unit, taken away or added: sums of all after noon are the day's less those before it. So an edge takes
// half a unit's rows at most. Ownership, thread rule: pure values. Units: unix ns; of a part hours, quarters of a day
// or days since 1970 UTC, of months and dekads their first days. Errors: none.
#ifndef STORE_USAGE_RANGE_H
#define STORE_USAGE_RANGE_H

#include "base/str.h"

#define USAGE_HOUR_NS 3600000000000
#define USAGE_SIX_HOURS_NS (6 * USAGE_HOUR_NS)
#define USAGE_DAY_NS (24 * USAGE_HOUR_NS)

enum usage_unit {
    USAGE_UNIT_RECORD,
    USAGE_UNIT_HOUR,
    USAGE_UNIT_SIX_HOURS,
    USAGE_UNIT_DAY,
    USAGE_UNIT_DEKAD,
    USAGE_UNIT_MONTH
};

struct usage_part {
    enum usage_unit unit;
    int64_t from, to; // from ≤ t < to
    int sign;         // 1, or -1: to be taken away
};
#define USAGE_PARTS_MAX 11

// The first day of a day's month, and of its dekad. Days since 1970 UTC.
int64_t usage_month_of_day(int64_t day);
int64_t usage_dekad_of_day(int64_t day);
// The beginning and the end of the unit that t is in.
int64_t usage_unit_begin(enum usage_unit unit, int64_t t);
int64_t usage_unit_end(enum usage_unit unit, int64_t t);

// since ≥ 0; nothing of a unit larger than `top`, nor, unless `quarters`, of USAGE_UNIT_SIX_HOURS, which `top` then is
// not. Returns how many.
size_t usage_range_parts(int64_t since, int64_t until, enum usage_unit top, bool quarters,
                         struct usage_part out[USAGE_PARTS_MAX]);

#endif
