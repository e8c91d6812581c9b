// The table of failure classes, and the class that an HTTP status stands for.
#include "route/failure.h"

static const struct failure_info k_failures[FAILURE_COUNT] = {
#define FAILURE(name, text, same, next, breaker, cooldown, meaning)                                                    \
    [FAILURE_##name] = {STR_INIT(text), same, next, breaker, FAILURE_COOLDOWN_##cooldown, meaning},
#include "route/failure.def"
#undef FAILURE
};

const struct failure_info *failure_info(enum failure failure) {
    INVARIANT((unsigned)failure < FAILURE_COUNT);
    return &k_failures[failure];
}

bool failure_parse(struct str name, enum failure *out_failure) {
    for (size_t i = 0; i < FAILURE_COUNT; i++)
        if (str_eq(name, k_failures[i].name)) {
            *out_failure = (enum failure)i;
            return true;
        }
    return false;
}

enum failure failure_of_status(int status) {
    switch (status) {
    case 401:
    case 402:
    case 403:
        return FAILURE_AUTH;
    case 404:
    case 410:
        return FAILURE_NOT_FOUND;
    case 408:
        return FAILURE_TIMEOUT_TOTAL;
    case 425:
        return FAILURE_SERVER_ERROR;
    case 429:
        return FAILURE_RATE_LIMIT;
    case 503:
    case 529:
        return FAILURE_OVERLOADED;
    case 504:
        return FAILURE_TIMEOUT_FIRST_TOKEN;
    default:
        break;
    }
    if (status < 300) return FAILURE_NONE;
    if (status < 400) return FAILURE_INVALID_ANSWER; // nobody is sent elsewhere with our credentials
    return status < 500 ? FAILURE_BAD_REQUEST : FAILURE_SERVER_ERROR;
}
