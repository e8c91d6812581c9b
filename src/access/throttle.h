// How failed sign-ins lock an e-mail address or a client's address, and for how long.
//
// The first `max` failures pass; the one that reaches it locks for `base`, each further one for twice as long as the
// one before, up to `cap`. An attempt is counted before its password is looked at and taken back when it was right, so
// that many at a time find no more room than one after the other.
//
// Thread rule: pure values. Units: nanoseconds.
#ifndef ACCESS_THROTTLE_H
#define ACCESS_THROTTLE_H

#include "store/sign_in_failure.h"

struct throttle {
    int64_t max, base, cap;
    int64_t leak;   // one failure is forgotten each such time; 0: only all at once,
    int64_t forget; // when there was none for so long
};
// Counts an attempt. False: it is locked, nothing was counted; *out_wait says how long still.
NODISCARD bool throttle_take(const struct throttle *t, struct sign_in_failure *row, int64_t now, int64_t *out_wait);
// The attempt was no failure after all.
void throttle_give_back(struct sign_in_failure *row);

#endif
