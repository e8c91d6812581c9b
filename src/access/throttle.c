// Counts failures and doubles locks.
#include "access/throttle.h"

static void fade(const struct throttle *t, struct sign_in_failure *row, int64_t now) {
    int64_t quiet = now - row->failed_at;
    if (quiet <= 0) return; // also when the clock was set back
    if (quiet >= t->forget) *row = (struct sign_in_failure){0};
    if (!t->leak) return;
    int64_t gone = quiet / t->leak;
    row->failures = gone >= row->failures ? 0 : row->failures - gone;
    // The part of a leak that has passed is kept.
    row->failed_at += gone * t->leak;
}

static int64_t lock_time(const struct throttle *t, int64_t failures) {
    int64_t time = t->base;
    for (int64_t i = t->max; i < failures && time < t->cap; i++) time = time > t->cap / 2 ? t->cap : time * 2;
    return time < t->cap ? time : t->cap;
}

bool throttle_take(const struct throttle *t, struct sign_in_failure *row, int64_t now, int64_t *out_wait) {
    // A lock that lies further ahead than any can be was set by a clock that was wrong.
    if (row->locked_until > now && row->locked_until - now <= t->cap) {
        *out_wait = row->locked_until - now;
        return false;
    }
    fade(t, row, now);
    row->failures++;
    if (!t->leak || row->failures == 1) row->failed_at = now;
    row->locked_until = row->failures >= t->max ? now + lock_time(t, row->failures) : 0;
    return true;
}

void throttle_give_back(struct sign_in_failure *row) {
    if (row->failures > 0) row->failures--;
    row->locked_until = 0; // it was this attempt's: it could not have begun under another's
}
