// The circuit breaker's transitions.
#include "route/breaker.h"

#define SECOND UINT64_C(1000000000)
#define EJECTIONS_MAX 32
#define PROBE_DOUBLINGS_MAX 3

struct breaker_rules breaker_rules_default(void) {
    return (struct breaker_rules){.window_ns = 10 * SECOND,
                                  .min_requests = 10,
                                  .error_permille = 500,
                                  .consecutive = 5,
                                  .probes = 1,
                                  .successes = 2,
                                  .open_ns = 5 * SECOND,
                                  .open_max_ns = 300 * SECOND,
                                  .probe_ns = 60 * SECOND,
                                  .jitter_permille = 200};
}

static void enter(struct breaker *b, enum breaker_state state, uint64_t until_ns) {
    b->state = (uint8_t)state;
    b->epoch++;
    b->until_ns = until_ns;
    b->in_row = b->probes = b->successes = 0;
    // What opened it stays to be seen, and counts no more once it is closed.
    if (state == BREAKER_CLOSED) window_clear(&b->window);
}

static uint64_t open_time(const struct breaker *b, const struct breaker_rules *rules, uint64_t draw) {
    uint64_t t = rules->open_ns;
    for (unsigned i = 0; i < b->ejections && t < rules->open_max_ns; i++) t = t > UINT64_MAX / 2 ? UINT64_MAX : t * 2;
    t = MIN(t, rules->open_max_ns);
    uint64_t share = MIN(rules->jitter_permille, 1000u), most = t / 1000 * share + t % 1000 * share / 1000;
    return t - (most ? draw % (most + 1) : 0);
}

// Longer each time: a target whose good answers take longer than probe_ns must not be shut out for ever.
static uint64_t probe_time(const struct breaker *b, const struct breaker_rules *rules) {
    unsigned times = b->ejections ? MIN(b->ejections - 1U, PROBE_DOUBLINGS_MAX) : 0;
    return rules->probe_ns > UINT64_MAX >> (PROBE_DOUBLINGS_MAX + 1) ? rules->probe_ns : rules->probe_ns << times;
}

// Good behaviour for as long as the longest opening makes up for one opening.
static void forgive(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns) {
    if (b->state != BREAKER_CLOSED || now_ns <= b->until_ns || !rules->open_max_ns) return;
    uint64_t earned = (now_ns - b->until_ns) / rules->open_max_ns;
    b->ejections = (uint8_t)(earned >= b->ejections ? 0 : b->ejections - earned);
}

void breaker_open(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns, uint64_t draw) {
    if (b->state == BREAKER_OPEN) return;
    forgive(b, rules, now_ns);
    enter(b, BREAKER_OPEN, now_ns + open_time(b, rules, draw));
    if (b->ejections < EJECTIONS_MAX) b->ejections++;
}

void breaker_open_until(struct breaker *b, const struct breaker_rules *rules, uint64_t until_ns, uint64_t now_ns) {
    if (b->state != BREAKER_CLOSED || until_ns <= now_ns) return;
    forgive(b, rules, now_ns);
    enter(b, BREAKER_OPEN, MIN(until_ns, now_ns + rules->open_max_ns));
    if (b->ejections < EJECTIONS_MAX) b->ejections++;
}

bool breaker_allows(const struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns, uint64_t *out_when) {
    *out_when = now_ns;
    if (b->state == BREAKER_CLOSED) return true;
    if (b->state == BREAKER_HALF_OPEN && b->probes < MAX(rules->probes, 1u)) return true;
    if (b->state == BREAKER_OPEN && now_ns >= b->until_ns) return true;
    *out_when = MAX(b->until_ns, now_ns);
    return false;
}

bool breaker_begin(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns, uint64_t draw,
                   struct breaker_permit *out_permit) {
    uint64_t when;
    if (!breaker_allows(b, rules, now_ns, &when)) {
        if (b->state == BREAKER_HALF_OPEN && rules->probe_ns && now_ns >= b->until_ns)
            breaker_open(b, rules, now_ns, draw);
        return false;
    }
    if (b->state == BREAKER_OPEN) enter(b, BREAKER_HALF_OPEN, 0);
    bool probe = b->state == BREAKER_HALF_OPEN;
    if (probe) {
        b->probes++;
        b->until_ns = rules->probe_ns ? now_ns + probe_time(b, rules) : UINT64_MAX;
    }
    *out_permit = (struct breaker_permit){.epoch = b->epoch, .probe = probe, .waits = probe};
    return true;
}

struct breaker_permit breaker_force(const struct breaker *b) {
    return (struct breaker_permit){.epoch = b->epoch};
}

void breaker_answers(struct breaker *b, struct breaker_permit *permit) {
    if (permit->epoch != b->epoch || !permit->waits) return;
    INVARIANT(b->probes > 0);
    permit->waits = false;
    b->probes--;
}

static void succeed(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns) {
    if (++b->successes >= MAX(rules->successes, 1u)) enter(b, BREAKER_CLOSED, now_ns);
}

void breaker_prove(struct breaker *b, const struct breaker_rules *rules, struct breaker_permit *permit,
                   uint64_t now_ns) {
    if (permit->epoch != b->epoch || !permit->probe || permit->proved) return;
    breaker_answers(b, permit);
    permit->proved = true;
    succeed(b, rules, now_ns);
}

static bool too_many(const struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns) {
    if (rules->consecutive && b->in_row >= MIN(rules->consecutive, (uint32_t)UINT16_MAX)) return true;
    if (!rules->error_permille) return false;
    struct window_sum sum = window_sum(&b->window, rules->window_ns, now_ns);
    uint64_t all = (uint64_t)sum.good + sum.bad;
    return all && all >= rules->min_requests && (uint64_t)sum.bad * 1000 >= all * rules->error_permille;
}

static void end_closed(struct breaker *b, const struct breaker_rules *rules, bool good, uint64_t now_ns,
                       uint64_t draw) {
    window_add(&b->window, rules->window_ns, good, now_ns);
    b->in_row = (uint16_t)(good ? 0 : MIN(b->in_row + 1, UINT16_MAX));
    if (!good && too_many(b, rules, now_ns)) breaker_open(b, rules, now_ns, draw);
}

static void end_probe(struct breaker *b, const struct breaker_rules *rules, const struct breaker_permit *permit,
                      enum breaker_result result, uint64_t now_ns, uint64_t draw) {
    if (result == BREAKER_FAILURE)
        breaker_open(b, rules, now_ns, draw);
    else if (result == BREAKER_SUCCESS && !permit->proved)
        succeed(b, rules, now_ns);
}

// Whether it began while the breaker was as it is now, or has helped to close it since: what follows upon a probe's
// epoch is closed or open, and an open one goes by no result.
static bool counts(const struct breaker *b, const struct breaker_permit *permit) {
    return permit->epoch == b->epoch || (permit->proved && permit->epoch + 1 == b->epoch);
}

void breaker_end(struct breaker *b, const struct breaker_rules *rules, struct breaker_permit permit,
                 enum breaker_result result, uint64_t now_ns, uint64_t draw) {
    if (!counts(b, &permit)) return;
    breaker_answers(b, &permit);
    if (b->state == BREAKER_HALF_OPEN && permit.probe)
        end_probe(b, rules, &permit, result, now_ns, draw);
    else if (b->state == BREAKER_CLOSED && result != BREAKER_NEUTRAL)
        end_closed(b, rules, result == BREAKER_SUCCESS, now_ns, draw);
}
