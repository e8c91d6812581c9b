// The rule in a POSIX TZ text, "CET-1CEST,M3.5.0,M10.5.0/3": what the clocks do every year.
//
// Thread rule: pure values. Units: as zone.h.
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include "base/str.h"

// When in a year.
struct zone_date {
    char kind; // 'M': month, week, weekday; 'J': day 1 … 365, without leap days; 'n': day 0 … 365
    int month, week, day;
    int32_t time; // of that day, by the clocks before the change; -167 h … 167 h
};
struct zone_rule {
    int32_t standard, summer; // offsets
    bool has_summer;
    struct zone_date starts, ends; // of summer time
};

NODISCARD bool zone_rule_parse(struct str text, struct zone_rule *out_rule);
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t t);

#endif
