// Reads tzdata files, looks offsets up, and finds where calendar periods begin and end.
#include "base/zone.h"

#include "base/mem.h"
#include "base/zone_rule.h"

#define DAY 86400
#define CHANGES_MAX 8192
#define TYPES_MAX 256
#define OFFSET_MAX (26 * 3600) // RFC 8536: -25 h … 26 h

struct change {
    int64_t at;
    int32_t offset; // from then on
};
struct zone {
    struct change *changes;
    size_t n;
    int32_t first; // before the first change
    bool has_rule; // for what comes after the last one
    struct zone_rule rule;
};

// --- The file -----------------------------------------------------------------------------------------------------

#define HEAD_SIZE 44

struct head {
    unsigned version;
    uint32_t isut, isstd, leap, times, types, chars;
};

static uint32_t be32(const char *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}
static int64_t be64(const char *p) { return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4)); }

static bool head_read(struct str bytes, struct head *out_head) {
    if (bytes.n < HEAD_SIZE || memcmp(bytes.p, "TZif", 4) != 0) return false;
    const char *p = bytes.p + 20;
    *out_head = (struct head){.version = bytes.p[4] ? (unsigned)(bytes.p[4] - '0') : 1,
                              .isut = be32(p),
                              .isstd = be32(p + 4),
                              .leap = be32(p + 8),
                              .times = be32(p + 12),
                              .types = be32(p + 16),
                              .chars = be32(p + 20)};
    const struct head *h = out_head;
    return h->times <= CHANGES_MAX && h->types >= 1 && h->types <= TYPES_MAX && h->chars <= 4096 && h->leap <= 4096 &&
           h->isut <= TYPES_MAX && h->isstd <= TYPES_MAX;
}

static size_t body_size(const struct head *h, size_t time_size) {
    return h->times * (time_size + 1) + h->types * (size_t)6 + h->chars + h->leap * (time_size + 4) + h->isstd +
           h->isut;
}

static bool body_read(const struct head *h, const char *p, size_t time_size, struct zone *z) {
    const char *index = p + h->times * time_size, *types = index + h->times;
    for (size_t i = 0; i < h->types; i++) {
        int32_t offset = (int32_t)be32(types + 6 * i);
        if (offset < -OFFSET_MAX || offset > OFFSET_MAX) return false;
    }
    z->first = (int32_t)be32(types);
    for (size_t i = 0; i < h->times; i++) {
        int64_t at = time_size == 8 ? be64(p + 8 * i) : (int32_t)be32(p + 4 * i);
        unsigned type = (unsigned char)index[i];
        if (type >= h->types || (i && at <= z->changes[i - 1].at)) return false;
        z->changes[i] = (struct change){at, (int32_t)be32(types + 6 * (size_t)type)};
    }
    z->n = h->times;
    return true;
}

// The line after the second part says what holds after the last change; empty: nothing changes any more.
static bool footer_read(struct str rest, struct zone *z) {
    if (rest.n < 2 || rest.p[0] != '\n') return false;
    rest = str_from(rest, 1);
    size_t end = str_find(rest, STR("\n"));
    if (end == rest.n) return false;
    if (end == 0) return true;
    z->has_rule = zone_rule_parse(str_head(rest, end), &z->rule);
    return z->has_rule;
}

static bool file_read(struct str bytes, struct zone *z) {
    struct head h;
    size_t time_size = 4;
    if (!head_read(bytes, &h)) return false;
    if (h.version >= 2) {
        size_t skip = HEAD_SIZE + body_size(&h, 4);
        if (skip > bytes.n || !head_read(str_from(bytes, skip), &h)) return false;
        bytes = str_from(bytes, skip);
        time_size = 8;
    }
    if (bytes.n - HEAD_SIZE < body_size(&h, time_size)) return false;
    z->changes = mem_zalloc(h.times ? h.times : 1, sizeof *z->changes);
    if (!z->changes || !body_read(&h, bytes.p + HEAD_SIZE, time_size, z)) return false;
    return time_size == 4 || footer_read(str_from(bytes, HEAD_SIZE + body_size(&h, 8)), z);
}

bool zone_parse(struct str bytes, struct zone **out_zone, struct err *err) {
    struct zone *z = mem_zalloc(1, sizeof *z);
    if (!z) return err_no_memory(err);
    if (!file_read(bytes, z)) {
        zone_free(z);
        return err_set(err, ERR_INVALID_FIELD, "it is no time zone file");
    }
    *out_zone = z;
    return true;
}

void zone_free(struct zone *zone) {
    if (!zone) return;
    mem_free(zone->changes);
    mem_free(zone);
}

// --- Offsets ------------------------------------------------------------------------------------------------------

int32_t zone_offset(const struct zone *z, int64_t t) {
    if (!z) return 0;
    if (z->has_rule && (z->n == 0 || t >= z->changes[z->n - 1].at)) return zone_rule_offset(&z->rule, t);
    size_t low = 0, high = z->n; // the first change after t
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (z->changes[mid].at <= t)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? z->changes[low - 1].offset : z->first;
}

// The moment in (low, high] at which the offset becomes another than low's; there is one change in between.
static int64_t change_between(const struct zone *z, int64_t low, int64_t high) {
    int32_t before = zone_offset(z, low);
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        if (zone_offset(z, mid) == before)
            low = mid;
        else
            high = mid;
    }
    return high;
}

int64_t zone_from_wall(const struct zone *z, int64_t wall) {
    int32_t before = zone_offset(z, wall - DAY - OFFSET_MAX), after = zone_offset(z, wall + DAY + OFFSET_MAX);
    int64_t early = wall - MAX(before, after), late = wall - MIN(before, after);
    if (early + zone_offset(z, early) == wall) return early;
    if (late + zone_offset(z, late) == wall) return late;
    // Clocks were put forward over it. Or the day has two changes: then whatever holds at that time.
    if (zone_offset(z, early) != zone_offset(z, late)) return change_between(z, early, late);
    return wall - zone_offset(z, early);
}

// --- The calendar -------------------------------------------------------------------------------------------------

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// After Howard Hinnant's chrono-compatible date algorithms (public domain).
int64_t civil_days(int64_t year, unsigned month, unsigned day) {
    int64_t y = year - (month <= 2), era = floor_div(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void civil_from_days(int64_t days, int64_t *out_year, unsigned *out_month, unsigned *out_day) {
    days += 719468;
    int64_t era = floor_div(days, 146097), of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), m = (5 * of_year + 2) / 153;
    *out_day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
    *out_month = (unsigned)(m < 10 ? m + 3 : m - 9);
    *out_year = year + era * 400 + (*out_month <= 2);
}

// The days or months are numbered; this one's first moment.
static int64_t date_start(const struct zone *z, enum zone_period period, int64_t number) {
    if (period == ZONE_DAY) return zone_from_wall(z, number * DAY);
    int64_t year = floor_div(number, 12);
    return zone_from_wall(z, civil_days(year, (unsigned)(number - year * 12) + 1, 1) * DAY);
}

static int64_t date_number(const struct zone *z, enum zone_period period, int64_t t) {
    int64_t days = floor_div(t + zone_offset(z, t), DAY), year;
    unsigned month, day;
    if (period == ZONE_DAY) return days;
    civil_from_days(days, &year, &month, &day);
    return year * 12 + month - 1;
}

void zone_period(const struct zone *z, enum zone_period period, int64_t t, int64_t *out_start, int64_t *out_end) {
    int64_t start, end;
    if (period == ZONE_DAY || period == ZONE_MONTH) {
        // When clocks are put back over midnight, a date is shown again after the next has begun: that has begun.
        int64_t number = date_number(z, period, t);
        while (date_start(z, period, number) > t) number--;
        while (date_start(z, period, number + 1) <= t) number++;
        start = date_start(z, period, number);
        end = date_start(z, period, number + 1);
    } else {
        int64_t length = period == ZONE_MINUTE ? 60 : 3600, offset = zone_offset(z, t);
        start = floor_div(t + offset, length) * length - offset;
        end = start + length;
        // Clocks that are moved by half an hour cut an hour short.
        int64_t before = zone_offset(z, start), after = zone_offset(z, end);
        if ((before - offset) % length) start = change_between(z, start, t);
        if ((after - offset) % length) end = change_between(z, t, end);
    }
    *out_start = start;
    *out_end = end;
}
