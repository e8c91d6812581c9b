// Fuzzes the reader of time zone files: any bytes, and periods that hold the time they were asked for.
#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_periods(const struct zone *zone, int64_t t) {
    for (int period = ZONE_MINUTE; period <= ZONE_MONTH; period++) {
        int64_t start, end;
        zone_period(zone, (enum zone_period)period, t, &start, &end);
        INVARIANT(start <= t && t < end);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct zone *zone;
    struct err err;
    if (!zone_parse(str_of((const char *)data, size), &zone, &err)) return 0;
    for (int64_t t = -(INT64_C(1) << 33); t < INT64_C(1) << 33; t += (INT64_C(1) << 27) + 12345) check_periods(zone, t);
    zone_free(zone);
    return 0;
}
