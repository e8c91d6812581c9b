// What routing knows of a request when it chooses where to send it.
//
// Ownership: slices of the call. Thread rule: plain data.
#ifndef ROUTE_NEED_H
#define ROUTE_NEED_H

#include "conf/condition.h"
#include "model/need.h"

#define ROUTE_TAGS_MAX 8
#define ROUTE_REGIONS_MAX 8

struct route_need {
    struct model_need model;
    struct usage expected;                 // for what it may cost
    bool private;                          // only what runs in the house may see it
    struct str private_why;                // what says so
    struct str found;                      // personal data that does: "iban in input"; empty: another reason
    struct str regions[ROUTE_REGIONS_MAX]; // one of these; none: any
    size_t region_count;
    struct str tags[ROUTE_TAGS_MAX]; // all of these
    size_t tag_count;
    uint64_t affinity; // equal for requests that belong together
    enum conf_tier tier;
    size_t task;                     // of quality scores: a number below QUALITY_TASKS
    const struct condition_env *env; // NULL: conditions do not hold
};

#endif
