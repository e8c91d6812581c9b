// A canary's course: how large its share is, when it grows, and when what was counted says that it is worse.
//
// Both are asked the same way: a share of answers that are bad, of the canary and of what it may take the place of, by
// step, for the mixture of both differs from step to step (a plain sum over steps would compare other hours, not other
// models). Errors are bad answers; of quality, which is between 0 and 1, what is missing to 1 is, as if it were whole
// answers: a sum of such values varies no more than a count with the same mean does (Hoeffding 1963), so the test errs
// on the safe side.
//
// Sources. The test: few cases: exact and conditional, the sum over steps of hypergeometric counts (Fisher 1935; over
// strata: Zelen 1971, Gart 1970). Many: Mantel and Haenszel 1959; with a margin, a difference of two proportions with
// the variance under the bound (Dunnett and Gent 1977). Looking often: the k-th look may spend 1 / ((k + 1) (k + 2)) of
// the significance, which add up to it (alpha spending, Lan and DeMets 1983, here as a union bound, so it holds however
// the looks depend on each other); looks come when the canary has had a quarter more requests than at the last one.
//
// Ownership: plain data. Thread rule: pure. Units: shares in millionths, times in ns.
#ifndef ROUTE_CANARY_H
#define ROUTE_CANARY_H

#include "base/str.h"

#define CANARY_STEPS_MAX 16
#define CANARY_FIRST_LOOK 20 // requests of the canary

struct canary_rules {
    uint32_t shares[CANARY_STEPS_MAX]; // rising
    size_t steps;                      // at least 1
    int64_t every_ns;                  // a step takes so long at least
    uint64_t min_requests;             // and the canary has so many in it
    double max_error_increase, max_quality_drop;
    double significance; // of a rollback that nothing speaks for, in the whole course
};

enum canary_state {
    CANARY_RUNNING,
    CANARY_PAUSED,      // its share stays
    CANARY_FINISHED,    // the last step is over: its share stays
    CANARY_PROMOTED,    // by hand: it has all
    CANARY_ROLLED_BACK, // it has none
    CANARY_STATE_COUNT
};
struct str canary_state_name(enum canary_state state);
NODISCARD bool canary_state_parse(struct str name, enum canary_state *out_state);

struct canary_count {
    uint64_t requests, errors, judged;
    double quality; // sum over those judged
};
struct canary_counts { // of the same step, side by side
    struct canary_count base, canary;
};

struct canary_course {
    enum canary_state state;
    size_t step;
    int64_t step_since;
    uint64_t looks, looked_at; // at so many requests of the canary, the last time
};

enum canary_why { CANARY_FINE, CANARY_ERRORS, CANARY_QUALITY };
struct canary_verdict {
    enum canary_why why;
    double p;            // of what decided, or the lesser of both; 1: nothing was tested
    double base, canary; // shares of bad answers, of what decided
};

// Millionths of the requests that go to the canary.
uint32_t canary_share(const struct canary_rules *rules, const struct canary_course *course);
// Looks, when it is time to, and moves on. counts: one a step, CANARY_STEPS_MAX. Whether the state or the step changed.
bool canary_go(const struct canary_rules *rules, const struct canary_counts *counts, int64_t now,
               struct canary_course *course, struct canary_verdict *out_verdict);

// How likely it is that so many more bad answers are chance, if the canary's true share of them is larger by no more
// than `margin`. n pairs.
struct canary_pair {
    double base_n, base_bad, canary_n, canary_bad;
};
double canary_p_value(const struct canary_pair *pairs, size_t n, double margin);

// Whether what belongs to `key` is in the share: who is in a smaller one is in a larger one too.
bool canary_takes(uint64_t key, uint64_t place, uint32_t share);

#endif
