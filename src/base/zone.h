// Time zones: the bytes of a tzdata file (TZif, RFC 8536) become a table of offsets, and calendar periods in it.
//
// Ownership: zone_parse … zone_free. Thread rule: a zone never changes. Units: seconds since 1970 UTC; offsets are
// seconds east of UTC. Errors: ERR_INVALID_FIELD for bytes that are no such file.
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/err.h"

struct zone;

NODISCARD bool zone_parse(struct str bytes, struct zone **out_zone, struct err *err);
// NULL, which is UTC, is fine here as everywhere.
void zone_free(struct zone *zone);

// What the clocks there are ahead of UTC at that time.
int32_t zone_offset(const struct zone *zone, int64_t t);
// The first time at which the clocks there show `wall` (a local time counted as if it were UTC) or later.
int64_t zone_from_wall(const struct zone *zone, int64_t wall);

// Days since 1970-01-01 of a date in the proleptic Gregorian calendar; month 1 … 12, day 1 … 31.
int64_t civil_days(int64_t year, unsigned month, unsigned day);
void civil_from_days(int64_t days, int64_t *out_year, unsigned *out_month, unsigned *out_day);

enum zone_period { ZONE_MINUTE, ZONE_HOUR, ZONE_DAY, ZONE_MONTH };
// The calendar's minute, hour, day or month there that t lies in: start ≤ t < end. Those of a kind follow one another
// without gap or overlap, whatever the clocks do.
void zone_period(const struct zone *zone, enum zone_period period, int64_t t, int64_t *out_start, int64_t *out_end);

#endif
