// Tests of os/zone_file.h and base/zone.h: what the C library says of the same zones, calendar periods around changes
// of the clocks, and files that are none.
#include "check.h"

#include "base/arena.h"
#include "os/file.h"
#include "os/zone_file.h"

#include <stdlib.h>
#include <time.h>

static struct err err;

static struct zone *zone_of(const char *name) {
    struct zone *z = NULL;
    REQUIRE(zone_find(str_c(name), &z, &err));
    return z;
}

static int64_t utc(int64_t year, unsigned month, unsigned day, int hour, int minute) {
    return civil_days(year, month, day) * 86400 + hour * 3600 + minute * 60;
}

static const char *const k_zones[] = {
    "Europe/Berlin",    "America/New_York", "America/Sao_Paulo",   "Asia/Kolkata",
    "Australia/Sydney", "Pacific/Apia",     "Asia/Tokyo",          "Africa/Casablanca",
    "Asia/Beirut",      "America/Santiago", "Australia/Lord_Howe", "Antarctica/Troll",
    "Europe/Dublin",    "Asia/Tehran",      "Pacific/Chatham",     "America/Havana"};

static void test_as_the_c_library(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_zones); i++) {
        struct zone *z = zone_of(k_zones[i]);
        size_t wrong = 0;
        setenv("TZ", k_zones[i], 1);
        tzset();
        for (int64_t t = utc(1970, 1, 2, 0, 0); t < utc(2100, 1, 1, 0, 0); t += 12347) {
            time_t at = (time_t)t;
            struct tm tm;
            localtime_r(&at, &tm);
            if (zone_offset(z, t) != tm.tm_gmtoff && wrong++ < 3)
                fprintf(stderr, "%s at %lld: %d, libc %ld\n", k_zones[i], (long long)t, zone_offset(z, t),
                        tm.tm_gmtoff);
        }
        CHECK_INT(wrong, 0);
        zone_free(z);
    }
}

// Each period begins where the one before ended, and t lies in it, through all changes of the clocks.
static void test_no_gaps(void) {
    static const enum zone_period periods[] = {ZONE_MINUTE, ZONE_HOUR, ZONE_DAY, ZONE_MONTH};
    for (size_t i = 0; i < ARRAY_LEN(k_zones); i++) {
        struct zone *z = zone_of(k_zones[i]);
        for (size_t k = 1; k < ARRAY_LEN(periods); k++) {
            int64_t t = utc(2011, 1, 1, 0, 0), start, end,
                    until = utc(periods[k] == ZONE_HOUR ? 2013 : 2045, 1, 1, 0, 0);
            size_t wrong = 0;
            zone_period(z, periods[k], t, &start, &end);
            while (end < until) {
                int64_t next, next_end, again, again_end;
                zone_period(z, periods[k], end, &next, &next_end);
                zone_period(z, periods[k], next_end - 1, &again, &again_end);
                wrong += next != end || next_end <= next || again != next || again_end != next_end;
                if (next_end <= end) break;
                end = next_end;
            }
            CHECK_INT(wrong, 0);
        }
        zone_free(z);
    }
}

struct period_case {
    const char *zone;
    enum zone_period period;
    int64_t t, start, end;
};

static void test_periods(void) {
    const struct period_case cases[] = {
        {"UTC", ZONE_MINUTE, utc(2026, 1, 1, 0, 0) + 59, utc(2026, 1, 1, 0, 0), utc(2026, 1, 1, 0, 1)},
        {"UTC", ZONE_MONTH, utc(2024, 2, 29, 23, 59), utc(2024, 2, 1, 0, 0), utc(2024, 3, 1, 0, 0)},
        {"UTC", ZONE_MONTH, utc(2023, 12, 31, 23, 59), utc(2023, 12, 1, 0, 0), utc(2024, 1, 1, 0, 0)},
        {"UTC", ZONE_MONTH, utc(2100, 2, 28, 12, 0), utc(2100, 2, 1, 0, 0), utc(2100, 3, 1, 0, 0)},
        {"UTC", ZONE_DAY, utc(1969, 12, 31, 1, 0), utc(1969, 12, 31, 0, 0), utc(1970, 1, 1, 0, 0)},
        // 23 and 25 hours.
        {"Europe/Berlin", ZONE_DAY, utc(2026, 3, 29, 12, 0), utc(2026, 3, 28, 23, 0), utc(2026, 3, 29, 22, 0)},
        {"Europe/Berlin", ZONE_DAY, utc(2026, 10, 25, 12, 0), utc(2026, 10, 24, 22, 0), utc(2026, 10, 25, 23, 0)},
        {"Europe/Berlin", ZONE_MONTH, utc(2026, 3, 15, 0, 0), utc(2026, 2, 28, 23, 0), utc(2026, 3, 31, 22, 0)},
        // Beyond the table, by the rule.
        {"Europe/Berlin", ZONE_DAY, utc(2060, 3, 28, 12, 0), utc(2060, 3, 27, 23, 0), utc(2060, 3, 28, 22, 0)},
        {"America/New_York", ZONE_MONTH, utc(2026, 11, 1, 3, 59), utc(2026, 10, 1, 4, 0), utc(2026, 11, 1, 4, 0)},
        {"Asia/Kolkata", ZONE_HOUR, utc(2026, 5, 1, 10, 45), utc(2026, 5, 1, 10, 30), utc(2026, 5, 1, 11, 30)},
        // No midnight on that day: it begins at 01:00.
        {"Asia/Beirut", ZONE_DAY, utc(2022, 3, 27, 12, 0), utc(2022, 3, 26, 22, 0), utc(2022, 3, 27, 21, 0)},
        // Midnight twice: the clocks went back to 23:00, and the day had begun.
        {"America/Havana", ZONE_DAY, utc(2026, 11, 1, 5, 30), utc(2026, 11, 1, 4, 0), utc(2026, 11, 2, 5, 0)},
        // A day that never was: 2011-12-30.
        {"Pacific/Apia", ZONE_DAY, utc(2011, 12, 30, 9, 59), utc(2011, 12, 29, 10, 0), utc(2011, 12, 30, 10, 0)},
        {"Pacific/Apia", ZONE_DAY, utc(2011, 12, 30, 10, 0), utc(2011, 12, 30, 10, 0), utc(2011, 12, 31, 10, 0)},
        // Put back by half an hour at 02:00: the hour that began at 02:00 is shown from its half.
        {"Australia/Lord_Howe", ZONE_HOUR, utc(2026, 4, 4, 15, 10), utc(2026, 4, 4, 15, 0), utc(2026, 4, 4, 15, 30)},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct zone *z = zone_of(cases[i].zone);
        int64_t start, end;
        zone_period(z, cases[i].period, cases[i].t, &start, &end);
        if (start != cases[i].start || end != cases[i].end) fprintf(stderr, "case %zu\n", i);
        CHECK_INT(start, cases[i].start);
        CHECK_INT(end, cases[i].end);
        zone_free(z);
    }
}

static void test_dates(void) {
    int64_t year;
    unsigned month, day;
    CHECK_INT(civil_days(1970, 1, 1), 0);
    CHECK_INT(civil_days(2000, 3, 1), 11017);
    for (int64_t d = -800000; d < 800000; d += 11) {
        civil_from_days(d, &year, &month, &day);
        if (civil_days(year, month, day) != d || month < 1 || month > 12 || day < 1 || day > 31) CHECK_INT(d, 0);
    }
}

static void test_names(void) {
    static const char *const bad[] = {"../../etc/passwd",
                                      "/etc/passwd",
                                      "Europe/",
                                      "a b",
                                      "Europe/Ber\nlin",
                                      "Europe/../UTC",
                                      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
    struct zone *z = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!zone_find(str_c(bad[i]), &z, &err));
        CHECK_INT(err.code, ERR_INVALID_FIELD);
    }
    CHECK(!zone_find(STR("Europe/Atlantis"), &z, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(zone_find(STR(""), &z, &err) && z == NULL);
    CHECK_INT(zone_offset(NULL, 12345), 0);
}

// Every beginning of a file, and every file with a byte of its head changed, is read or refused.
static void test_damaged(void) {
    BUF_AUTO struct buf bytes = BUF_INIT(1 << 20);
    struct zone *z = NULL;
    REQUIRE(file_read_all(STR("/usr/share/zoneinfo/Europe/Berlin"), 1 << 20, &bytes, &err));
    struct str whole = buf_str(&bytes);
    CHECK(zone_parse(whole, &z, &err));
    zone_free(z);
    for (size_t n = 0; n < whole.n; n++) CHECK(!zone_parse(str_head(whole, n), &z, &err));
    for (size_t i = 0; i < 200; i++) {
        char kept = bytes.p[i];
        bytes.p[i] = (char)(kept ^ 0x81);
        if (zone_parse(whole, &z, &err)) zone_free(z);
        bytes.p[i] = kept;
    }
    CHECK(!zone_parse(STR(""), &z, &err));
    CHECK(!zone_parse(STR("TZif"), &z, &err));
}

TEST_MAIN(test_as_the_c_library, test_no_gaps, test_periods, test_dates, test_names, test_damaged)
