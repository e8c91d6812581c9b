// How an attempt at a target failed: the classes, and what follows from each.
//
// Thread rule: constants and pure functions.
#ifndef ROUTE_FAILURE_H
#define ROUTE_FAILURE_H

#include "base/str.h"

enum failure {
#define FAILURE(name, text, same, next, breaker, cooldown, meaning) FAILURE_##name,
#include "route/failure.def"
#undef FAILURE
    FAILURE_COUNT
};

enum failure_cooldown {
    FAILURE_COOLDOWN_NEVER,
    FAILURE_COOLDOWN_SAID,   // only when the provider says for how long
    FAILURE_COOLDOWN_ALWAYS, // for as long as it says, or for a set time
};

struct failure_info {
    struct str name; // "timeout_idle": in configuration, logs and metrics
    bool same;       // the same target may be asked again, after a wait
    bool next;       // another target may be asked
    bool breaker;    // counts against the target
    enum failure_cooldown cooldown;
    const char *meaning;
};

const struct failure_info *failure_info(enum failure failure);
NODISCARD bool failure_parse(struct str name, enum failure *out_failure);
static inline bool failure_is_timeout(enum failure f) {
    return f >= FAILURE_TIMEOUT_CONNECT && f <= FAILURE_TIMEOUT_TOTAL;
}
// The request itself may be at fault: another target is likely to find so too.
static inline bool failure_is_of_request(enum failure f) {
    return f == FAILURE_BAD_REQUEST || f == FAILURE_CONTEXT_WINDOW || f == FAILURE_CONTENT_POLICY;
}
// What an HTTP status says when nobody has read the body; NONE below 300. A body may tell more: context_window,
// content_policy, overloaded.
enum failure failure_of_status(int status);

#endif
