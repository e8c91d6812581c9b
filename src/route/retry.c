// The budget of retries, and the wait before one.
#include "route/retry.h"

#include "os/thread.h"

#define MS UINT64_C(1000000)
#define WHOLE UINT64_C(1000)

struct retry_rules retry_rules_default(void) {
    return (struct retry_rules){.share_permille = 200,
                                .floor_second = 1,
                                .burst = 10,
                                .save = 100,
                                .base_ns = 250 * MS,
                                .max_ns = 8000 * MS,
                                .after_max_ns = 30000 * MS};
}

static uint64_t burst_of(const struct retry_rules *rules) { return MAX(rules->burst, 1u) * WHOLE; }

void retry_budget_init(struct retry_budget *b, const struct retry_rules *rules, uint64_t now_ns) {
    *b = (struct retry_budget){burst_of(rules), now_ns};
}

static bool swap(uint64_t *cell, uint64_t *seen, uint64_t to) {
    return __atomic_compare_exchange_n(cell, seen, to, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void credit(struct retry_budget *b, uint64_t thousandths, uint64_t most) {
    uint64_t seen = atom_load_relaxed(&b->saved);
    while (seen < most && !swap(&b->saved, &seen, MIN(seen + thousandths, most))) continue;
}

void retry_budget_call(struct retry_budget *b, const struct retry_rules *rules) {
    if (rules->share_permille) credit(b, rules->share_permille, MAX(burst_of(rules), rules->save * WHOLE));
}

// Whoever moves the time on gives what that time is worth.
static void credit_floor(struct retry_budget *b, const struct retry_rules *rules, uint64_t now_ns) {
    uint64_t at = atom_load_relaxed(&b->at_ns);
    if (!rules->floor_second || now_ns <= at) return;
    uint64_t unit = 1000 * MS / (WHOLE * rules->floor_second); // of time for a thousandth
    if (!unit) unit = 1;
    uint64_t n = (now_ns - at) / unit;
    if (n && swap(&b->at_ns, &at, at + n * unit)) credit(b, n, burst_of(rules));
}

bool retry_budget_take(struct retry_budget *b, const struct retry_rules *rules, uint64_t now_ns) {
    credit_floor(b, rules, now_ns);
    uint64_t seen = atom_load_relaxed(&b->saved);
    while (seen >= WHOLE)
        if (swap(&b->saved, &seen, seen - WHOLE)) return true;
    return false;
}

uint64_t retry_budget_left(const struct retry_budget *b) { return atom_load_relaxed(&b->saved) / WHOLE; }

bool retry_wait(const struct retry_rules *rules, const struct retry_ask *ask, uint64_t *out_wait_ns) {
    uint64_t most = rules->base_ns;
    for (unsigned i = 0; i < ask->retry && most < rules->max_ns; i++)
        most = most > UINT64_MAX / 2 ? UINT64_MAX : most * 2;
    most = MIN(most, rules->max_ns);
    uint64_t wait = most == UINT64_MAX ? ask->draw : ask->draw % (most + 1);
    if (ask->after_ns) {
        if (ask->after_ns > rules->after_max_ns) return false;
        // Those who were all told the same time do not come back all at once.
        wait = ask->after_ns + wait / 4;
    }
    if (wait >= ask->remaining_ns) return false;
    *out_wait_ns = wait;
    return true;
}
