// What the files of trials share.
//
// Ownership, threads: as in trials.h; counts and dirty are under the trial's lock.
#ifndef GATEWAY_TRIALS_IMPL_H
#define GATEWAY_TRIALS_IMPL_H

#include "base/map.h"
#include "gateway/trials.h"
#include "os/clock.h"
#include "os/thread.h"

#include <stdatomic.h>
#include <stdio.h>

struct trial {
    struct trial *next; // of all there are
    enum trial_kind kind;
    struct trial_key key;
    struct str rival;
    struct canary_rules rules; // TRIAL_CANARY
    struct str arms[TRIAL_ARMS_MAX];
    size_t arm_count, step_count;
    uint64_t place;
    _Atomic uint32_t share, in_flight;
    _Atomic unsigned step;
    struct mutex lock;
    struct trial_arm *counts; // since the last round, by arm, then step
    bool dirty;
    int64_t begun_at; // of the course that counts belong to; 0: not read yet. The rounds' alone
};

struct trials {
    struct mutex lock; // for what follows
    struct map known;  // "kind|level|model|mark" → trial
    struct trial *first;
    size_t count;
    struct arena arena;
    const struct conf *saved; // the configuration of the last round, only to tell it from another
};

#endif
