// A circuit breaker: closed, open, half-open; the state machine alone.
//
// Closed: attempts go through and are counted. Too many failures in a row, or too large a share of failures in the
// window, open it. Open: nothing goes through until its time is over; each opening that follows soon upon the one
// before lasts twice as long, up to a cap. Then half-open: attempts go through as long as fewer than `probes` of them
// have not begun to answer; `successes` of them close it, one failure opens it again. A probe succeeds when it ends
// well, or before, when what has come of a long answer shows that the target is well. Each change of state starts a new
// epoch, and the result of an attempt begun in an earlier epoch changes nothing: what was under way when the breaker
// opened neither opens nor closes it. Only a probe that had succeeded when the breaker closed counts in its end like
// any attempt since.
//
// Thread rule: plain data; the owner's lock. Units: ns, monotonic; now_ns may go back by a little.
#ifndef ROUTE_BREAKER_H
#define ROUTE_BREAKER_H

#include "route/window.h"

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
};

enum breaker_result {
    BREAKER_SUCCESS,
    BREAKER_FAILURE,
    BREAKER_NEUTRAL, // says nothing of the target: given up, or the request's own fault
};

struct breaker_rules {
    uint64_t window_ns;      // the error rate is that of so long; at least WINDOW_BUCKETS
    uint32_t min_requests;   // fewer in the window make no rate
    uint32_t error_permille; // this rate opens; 0 = none does
    uint32_t consecutive;    // so many failures in a row open; 0 = none do
    uint32_t probes;         // at a time while half-open, at least 1
    uint32_t successes;      // that close it, at least 1
    uint64_t open_ns;        // how long the first opening lasts
    uint64_t open_max_ns;    // and the longest; at least open_ns
    uint64_t probe_ns;       // without an answer's beginning for so long probes count as failed, when there is room for
                             // no other; twice as long after each opening, up to eight times; 0 = never
    uint32_t jitter_permille; // an opening is shorter by up to this share, as drawn
};

struct breaker {
    uint64_t until_ns; // open: when probes may begin; half-open: when hanging probes are given up; closed: since when
    uint32_t epoch;
    uint16_t in_row;    // closed: failures
    uint16_t probes;    // half-open: under way, without an answer yet
    uint16_t successes; // half-open: so far
    uint8_t state;      // enum breaker_state
    uint8_t ejections;  // openings that still count
    struct window window;
};

// What breaker_begin gives and breaker_end takes, once.
struct breaker_permit {
    uint32_t epoch;
    bool probe;
    bool waits;  // a probe that nothing has come of yet
    bool proved; // a probe that has succeeded before its end
};

// 10 s window, half of at least 10 failed or 5 in a row; 5 s open up to 5 minutes; one probe, two successes.
struct breaker_rules breaker_rules_default(void);
// A zeroed breaker is closed.
// Whether breaker_begin would let an attempt through; if not, *out_when is when that may change.
bool breaker_allows(const struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns, uint64_t *out_when);
// draw: any random number, for the case that hanging probes open it again.
NODISCARD bool breaker_begin(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns, uint64_t draw,
                             struct breaker_permit *out_permit);
// A permit for an attempt that goes through whatever the breaker says; its result counts only where it would anyway.
struct breaker_permit breaker_force(const struct breaker *b);
// Its answer has begun: a probe does not hang, and leaves its place to the next. Whether it succeeds, its end says.
void breaker_answers(struct breaker *b, struct breaker_permit *permit);
// What has come of its answer shows that the target is well: a probe has succeeded. What comes later of it counts as a
// failure, or not at all.
void breaker_prove(struct breaker *b, const struct breaker_rules *rules, struct breaker_permit *permit,
                   uint64_t now_ns);
void breaker_end(struct breaker *b, const struct breaker_rules *rules, struct breaker_permit permit,
                 enum breaker_result result, uint64_t now_ns, uint64_t draw);
// Opens it for reasons of others: an outlier among its group, what another replica found. Longer than open_max_ns is
// cut.
void breaker_open(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns, uint64_t draw);
void breaker_open_until(struct breaker *b, const struct breaker_rules *rules, uint64_t until_ns, uint64_t now_ns);

#endif
