// A slot from inside: what its lock guards, and the cells that are published for those who only look.
#ifndef ROUTE_BOARD_IMPL_H
#define ROUTE_BOARD_IMPL_H

#include "os/thread.h"
#include "route/board.h"
#include "route/latency.h"

// Written under the slot's lock, read without: each cell is right by itself, and they may be of two moments.
struct board_published {
    // From then on nothing speaks against it, and it is not slow to start, unless there is another change; UINT64_MAX:
    // not without one. With in_flight it is all that is looked at of a target that is well, so both lie in one line.
    uint64_t well_from_ns;
    uint32_t in_flight, concurrency;
    uint32_t state; // enum breaker_state | PUBLISHED_…
    uint32_t window_requests;
    uint64_t until_ns;    // of the breaker
    uint64_t cooldown_ns; // until
    uint64_t refused_ns;  // likewise, because its key was refused
    uint64_t back_ns;     // when it came back; 0 = has not been away
    uint64_t rate_end_ns; // when the window that errors were counted in is over
    uint64_t at_ns;       // that headroom and averages are of
    uint64_t first_slow_ns, total_slow_ns;
    float first_ns, total_ns, half_lives_per_ns;
    float error_rate, tokens_second, slow_per_ns;
    struct limit_headroom headroom[LIMIT_KINDS];
};
#define PUBLISHED_STATE 3U
#define PUBLISHED_PROBES_FREE 4U
#define PUBLISHED_UNHEALTHY 8U
#define PUBLISHED_SHUT 16U

#define VOICES 32 // those whose numbers are equal modulo this have one

struct board_slot {
    _Alignas(64) struct board_published seen;
    _Alignas(64) struct mutex lock; // guards what follows, up to `quality`
    struct board_tuning tuning;
    struct limit_rules stated; // of which tuning.limits is this server's part
    uint32_t servers;
    bool closed;
    struct breaker breaker;
    struct limit limit;
    struct latency_ewma first, total;
    struct latency_speed speed;
    uint64_t cooldown_ns, refused_ns, back_ns;
    uint64_t number;                  // of attempts begun, less those that were not sent
    uint32_t in_flight, awaited;      // awaited: those whose first token has not come
    uint32_t checks_good, checks_bad; // in a row
    bool unhealthy;
    uint8_t told;                                        // enum board_why, as last told of
    uint64_t first_slow_ns, total_slow_ns, quantiles_ns; // quantiles_ns: when they were worked out
    uint32_t quantiles_new;                              // samples since
    struct latency_sketch first_sketch, total_sketch;
    struct board_totals totals;

    quality_cell quality[BOARD_TASKS_MAX]; // atomic cells
    quality_cell voices[VOICES];           // likewise: what each has said, of which only the weight is asked
    uint64_t quality_half_ns;              // likewise
    float quality_prior, quality_prior_weight;

    uint64_t waiting[BOARD_CLASSES]; // likewise

    uint64_t refs;     // guarded by the board's lock
    bool shown;        // somebody has seen it since it was last taken for left
    uint64_t put_turn; // when the last reference went, in turns of the board
    struct board *board;
    void *block; // what mem_free takes: the slot is aligned within it
    struct str provider, model, key;
    char name[BOARD_NAME_MAX + 3]; // provider NUL model NUL key: what the map finds it by
    size_t name_n;
};

// With the lock held. It has limits of which nobody can be asked how much is left, and is to keep them all the same.
static inline bool board_shut(const struct board_slot *slot) {
    bool any = slot->stated.concurrency;
    for (int kind = 0; kind < LIMIT_KINDS; kind++) any = any || slot->stated.minute[kind];
    return slot->closed && any;
}

static inline float board_load_float(const float *cell) {
    float v;
    __atomic_load(cell, &v, __ATOMIC_RELAXED);
    return v;
}
static inline void board_store_float(float *cell, float v) { __atomic_store(cell, &v, __ATOMIC_RELAXED); }

// With the lock held, after any change.
void board_publish(struct board_slot *slot, uint64_t now_ns);

#endif
