// The breaker's state machine, explored to the last reachable state: every interleaving of attempts that begin and end,
// of time that passes and of openings from outside, under several rules; its promises are checked at every step.
//
// States are told apart without what cannot matter: time is relative to now, epochs are a mark on each attempt that
// says how often the breaker has changed since it began, up to twice (kept by the explorer, not taken from the
// breaker), and counts are cut where more of them does what fewer do.
#include "base/hash.h"
#include "base/mem.h"
#include "route/breaker.h"

#include "check.h"

#define ATTEMPTS_MAX 4
#define BASE UINT64_C(8000) // every state stands at this time
#define STEP 4              // half of the window
#define COUNT_CUT 2
#define EJECTIONS_CUT 4
#define STATES_MAX (1U << 20)

struct attempt {
    uint8_t probe, waits, proved, stale, forced;
};
// Without padding, and with all unused bytes zero: compared as bytes.
struct state {
    int16_t until; // relative to now
    uint8_t state, in_row, probes, successes, ejections, n;
    uint8_t good[WINDOW_BUCKETS], bad[WINDOW_BUCKETS]; // by age
    struct attempt attempts[ATTEMPTS_MAX];
};
static_assert(sizeof(struct state) == 44, "no padding");

struct explorer {
    const struct breaker_rules *rules;
    struct state *states;
    uint32_t *index; // open addressing: number + 1
    uint32_t count, next, faults, attempts;
};

struct world {
    struct breaker b;
    struct attempt attempts[ATTEMPTS_MAX];
    size_t n;
    uint64_t now;
};

static void broken(struct explorer *x, const char *what) {
    if (x->faults++ < 5) fprintf(stderr, "broken: %s\n", what);
}
#define PROMISE(x, cond)                                                                                               \
    do {                                                                                                               \
        g_check_count++;                                                                                               \
        if (!(cond)) broken(x, #cond);                                                                                 \
    } while (0)

#define EPOCH 1000
#define NEVER 30000

static struct world world_of(const struct state *s) {
    struct world w = {.now = BASE, .n = s->n};
    w.b = (struct breaker){.until_ns = (uint64_t)((int64_t)BASE + s->until),
                           .epoch = EPOCH,
                           .in_row = s->in_row,
                           .probes = s->probes,
                           .successes = s->successes,
                           .state = s->state,
                           .ejections = s->ejections};
    if (s->until == NEVER) w.b.until_ns = UINT64_MAX;
    w.b.window.newest = BASE;
    for (size_t age = 0; age < WINDOW_BUCKETS; age++) {
        w.b.window.good[(BASE - age) % WINDOW_BUCKETS] = s->good[age];
        w.b.window.bad[(BASE - age) % WINDOW_BUCKETS] = s->bad[age];
    }
    memcpy(w.attempts, s->attempts, sizeof w.attempts);
    return w;
}

static int by_bytes(const void *a, const void *b) { return memcmp(a, b, sizeof(struct attempt)); }

static struct state state_of(const struct explorer *x, const struct world *w) {
    struct state s;
    memset(&s, 0, sizeof s);
    int64_t until = w->b.until_ns == UINT64_MAX ? NEVER : (int64_t)w->b.until_ns - (int64_t)w->now;
    int64_t oldest = w->b.state == BREAKER_CLOSED ? -(int64_t)((EJECTIONS_CUT + 1) * x->rules->open_max_ns) : -STEP;
    s.until = (int16_t)MAX(until, oldest);
    s.state = w->b.state;
    s.in_row = (uint8_t)MIN(w->b.in_row, (uint16_t)COUNT_CUT);
    s.probes = (uint8_t)w->b.probes;
    s.successes = (uint8_t)w->b.successes;
    s.ejections = (uint8_t)MIN(w->b.ejections, (uint8_t)EJECTIONS_CUT);
    s.n = (uint8_t)w->n;
    for (uint64_t age = 0; age < WINDOW_BUCKETS && x->rules->error_permille; age++) {
        uint64_t bucket = w->now - age;
        if (bucket > w->b.window.newest || w->b.window.newest - bucket >= WINDOW_BUCKETS) continue;
        s.good[age] = (uint8_t)MIN(w->b.window.good[bucket % WINDOW_BUCKETS], (uint32_t)COUNT_CUT);
        s.bad[age] = (uint8_t)MIN(w->b.window.bad[bucket % WINDOW_BUCKETS], (uint32_t)COUNT_CUT);
    }
    memcpy(s.attempts, w->attempts, sizeof(struct attempt) * w->n);
    qsort(s.attempts, w->n, sizeof(struct attempt), by_bytes);
    return s;
}

static void reach(struct explorer *x, const struct world *w) {
    struct state s = state_of(x, w);
    uint64_t hash = hash_bytes(str_of((const char *)&s, sizeof s), 7);
    size_t i = (size_t)hash % (STATES_MAX * 2);
    for (; x->index[i]; i = (i + 1) % (STATES_MAX * 2))
        if (memcmp(&x->states[x->index[i] - 1], &s, sizeof s) == 0) return;
    REQUIRE(x->count < STATES_MAX);
    x->states[x->count] = s;
    x->index[i] = ++x->count;
}

static struct breaker_permit permit_of(const struct attempt *a) {
    return (struct breaker_permit){EPOCH - a->stale, a->probe, a->waits, a->proved};
}

// What the breaker has changed since is told nothing, but for a probe that has helped to close it.
static bool counts(const struct attempt *a, const struct breaker *b) {
    return !a->stale || (a->stale == 1 && a->proved && b->state == BREAKER_CLOSED);
}

// What was under way when the breaker changed. Of what counts no more, nothing else may matter.
static struct attempt aged(const struct attempt *a) {
    struct attempt old = {.probe = a->probe, .waits = a->probe, .stale = (uint8_t)MIN(a->stale + 1, 2)};
    old.proved = old.stale == 1 ? a->proved : a->probe;
    return old;
}

// Marks what was under way when the breaker changed, and checks what must hold of any state.
static void settle(struct explorer *x, struct world *w, uint8_t before, const struct attempt *begun) {
    size_t live = 0;
    bool changed = w->b.state != before;
    PROMISE(x, changed == (w->b.epoch != EPOCH));
    for (size_t i = 0; i < w->n && changed; i++) w->attempts[i] = aged(&w->attempts[i]);
    if (begun) w->attempts[w->n++] = *begun;
    for (size_t i = 0; i < w->n; i++) live += w->attempts[i].waits && !w->attempts[i].stale;
    PROMISE(x, w->b.probes == live);
    PROMISE(x, live <= x->rules->probes);
    PROMISE(x, w->b.state == BREAKER_HALF_OPEN || live == 0);
    PROMISE(x, w->b.state == BREAKER_HALF_OPEN ? w->b.successes < x->rules->successes : w->b.successes == 0);
    if (w->b.state == BREAKER_OPEN) PROMISE(x, w->b.until_ns <= w->now + x->rules->open_max_ns);
    if (w->b.state == BREAKER_OPEN && before != BREAKER_OPEN)
        PROMISE(x, w->b.until_ns >= w->now + x->rules->open_ns * (1000 - x->rules->jitter_permille) / 1000);
}

static void try_begin(struct explorer *x, const struct state *s, uint64_t draw) {
    struct world w = world_of(s);
    struct breaker_permit permit;
    uint64_t when;
    bool may = breaker_allows(&w.b, x->rules, w.now, &when);
    bool hung = s->state == BREAKER_HALF_OPEN && s->probes == x->rules->probes && x->rules->probe_ns && s->until <= 0;
    struct breaker before = w.b;
    bool granted = breaker_begin(&w.b, x->rules, w.now, draw, &permit);
    PROMISE(x, granted == may);
    PROMISE(x, granted ? when == w.now : when >= w.now);
    PROMISE(x, s->state != BREAKER_CLOSED || (granted && !permit.probe));
    PROMISE(x, s->state != BREAKER_OPEN || granted == (s->until <= 0));
    PROMISE(x, s->state != BREAKER_HALF_OPEN || granted == (s->probes < x->rules->probes));
    PROMISE(x, !granted || permit.probe == (s->state != BREAKER_CLOSED));
    PROMISE(x, granted || hung || memcmp(&w.b, &before, sizeof before) == 0);
    PROMISE(x, granted || w.b.state == (hung ? BREAKER_OPEN : s->state));
    PROMISE(x, !granted || permit.waits == permit.probe);
    struct attempt begun = {.probe = granted && permit.probe, .waits = granted && permit.waits};
    settle(x, &w, s->state, granted ? &begun : NULL);
    if (granted && permit.probe) PROMISE(x, w.b.probes <= x->rules->probes && w.b.state == BREAKER_HALF_OPEN);
    PROMISE(x, !granted || permit.epoch == w.b.epoch);
    reach(x, &w);
}

static void try_end(struct explorer *x, const struct state *s, size_t which, enum breaker_result result,
                    uint64_t draw) {
    struct world w = world_of(s);
    struct attempt a = w.attempts[which];
    struct breaker before = w.b;
    bool counted = counts(&a, &w.b);
    breaker_end(&w.b, x->rules, permit_of(&a), result, w.now, draw);
    w.attempts[which] = w.attempts[--w.n];
    bool same_state = w.b.state == before.state;
    if (!counted) PROMISE(x, memcmp(&w.b, &before, sizeof before) == 0);
    if (counted && before.state == BREAKER_CLOSED) { // as an attempt that was begun since
        struct breaker like = before;
        breaker_end(&like, x->rules, (struct breaker_permit){.epoch = EPOCH}, result, w.now, draw);
        PROMISE(x, memcmp(&w.b, &like, sizeof like) == 0);
    }
    if (a.forced && before.state != BREAKER_CLOSED) PROMISE(x, memcmp(&w.b, &before, sizeof before) == 0);
    if (result == BREAKER_NEUTRAL) PROMISE(x, same_state);
    if (before.state == BREAKER_OPEN) PROMISE(x, same_state && w.b.until_ns == before.until_ns);
    if (before.state == BREAKER_CLOSED) PROMISE(x, same_state || (result == BREAKER_FAILURE && counted));
    if (a.probe && !a.stale) {
        bool enough = !a.proved && before.successes + 1U >= x->rules->successes;
        enum breaker_state want = result == BREAKER_FAILURE             ? BREAKER_OPEN
                                  : result == BREAKER_SUCCESS && enough ? BREAKER_CLOSED
                                                                        : BREAKER_HALF_OPEN;
        PROMISE(x, w.b.state == want);
    }
    settle(x, &w, before.state, NULL);
    reach(x, &w);
}

// What answers makes room for another probe, once, and proves nothing yet.
static void try_answer(struct explorer *x, const struct state *s, size_t which) {
    struct world w = world_of(s);
    struct attempt *a = &w.attempts[which];
    struct breaker before = w.b;
    struct breaker_permit permit = permit_of(a);
    breaker_answers(&w.b, &permit);
    PROMISE(x, w.b.probes == before.probes - (a->waits && !a->stale));
    before.probes = w.b.probes;
    PROMISE(x, memcmp(&w.b, &before, sizeof before) == 0);
    PROMISE(x, permit.probe == a->probe && permit.waits == (a->waits && a->stale));
    a->waits = permit.waits;
    settle(x, &w, s->state, NULL);
    reach(x, &w);
}

// What shows that the target is well is a success at once, and only once.
static void try_prove(struct explorer *x, const struct state *s, size_t which) {
    struct world w = world_of(s);
    struct attempt *a = &w.attempts[which];
    struct breaker before = w.b;
    struct breaker_permit permit = permit_of(a);
    bool succeeds = a->probe && !a->stale && !a->proved;
    breaker_prove(&w.b, x->rules, &permit, w.now);
    PROMISE(x, permit.proved == (a->proved || succeeds));
    if (!succeeds) {
        PROMISE(x, memcmp(&w.b, &before, sizeof before) == 0);
    } else {
        bool enough = before.successes + 1U >= x->rules->successes;
        PROMISE(x, w.b.state == (enough ? BREAKER_CLOSED : BREAKER_HALF_OPEN));
        PROMISE(x, enough || w.b.probes == before.probes - a->waits);
        PROMISE(x, enough || w.b.successes == before.successes + 1);
        PROMISE(x, !permit.waits);
    }
    a->waits = permit.waits;
    a->proved = permit.proved;
    settle(x, &w, s->state, NULL);
    reach(x, &w);
}

// Whatever has happened, a target that is well again is used again: with everything under way hanging for ever. ends:
// whether its answers end, or only begin.
static void never_stuck(struct explorer *x, const struct state *s, bool ends) {
    struct world w = world_of(s);
    if (!x->rules->probe_ns) {
        for (size_t i = 0; i < w.n; i++)
            breaker_end(&w.b, x->rules, permit_of(&w.attempts[i]), BREAKER_NEUTRAL, w.now, 0);
    }
    for (int i = 0; i < 50 && w.b.state != BREAKER_CLOSED; i++) {
        struct breaker_permit permit;
        w.now += STEP;
        if (!breaker_begin(&w.b, x->rules, w.now, 0, &permit)) continue;
        if (ends)
            breaker_end(&w.b, x->rules, permit, BREAKER_SUCCESS, w.now, 0);
        else
            breaker_prove(&w.b, x->rules, &permit, w.now);
    }
    PROMISE(x, w.b.state == BREAKER_CLOSED);
}

static void from_outside(struct explorer *x, const struct state *s, uint64_t draw) {
    struct world w = world_of(s);
    breaker_open(&w.b, x->rules, w.now, draw);
    PROMISE(x, w.b.state == BREAKER_OPEN);
    PROMISE(x, s->state != BREAKER_OPEN || (int64_t)w.b.until_ns == (int64_t)BASE + s->until);
    settle(x, &w, s->state, NULL);
    reach(x, &w);
    w = world_of(s);
    breaker_open_until(&w.b, x->rules, w.now + 1000000, w.now);
    PROMISE(x, w.b.state == (s->state == BREAKER_CLOSED ? BREAKER_OPEN : s->state));
    settle(x, &w, s->state, NULL);
    reach(x, &w);
}

static void force(struct explorer *x, const struct state *s) {
    struct world w = world_of(s);
    struct breaker_permit permit = breaker_force(&w.b);
    PROMISE(x, permit.epoch == EPOCH && !permit.probe);
    w.attempts[w.n++] = (struct attempt){.forced = true};
    reach(x, &w);
}

static void expand(struct explorer *x, const struct state *s) {
    static const uint64_t draws[] = {0, UINT64_MAX};
    struct world later = world_of(s);
    later.now += STEP;
    reach(x, &later);
    never_stuck(x, s, true);
    never_stuck(x, s, false);
    for (size_t d = 0; d < ARRAY_LEN(draws); d++) {
        from_outside(x, s, draws[d]);
        if (s->n < x->attempts) try_begin(x, s, draws[d]);
        for (size_t i = 0; i < s->n; i++) try_answer(x, s, i);
        for (size_t i = 0; i < s->n; i++) try_prove(x, s, i);
        for (size_t i = 0; i < s->n; i++)
            for (int r = BREAKER_SUCCESS; r <= BREAKER_NEUTRAL; r++) try_end(x, s, i, (enum breaker_result)r, draws[d]);
    }
    if (s->n < x->attempts) force(x, s);
}

// Up to so many attempts under way at a time.
static uint32_t explore(const struct breaker_rules *rules, uint32_t attempts) {
    struct explorer x = {.rules = rules, .attempts = attempts};
    x.states = mem_must(mem_alloc(sizeof(struct state) * STATES_MAX));
    x.index = mem_must(mem_zalloc(STATES_MAX * 2, sizeof *x.index));
    struct world start = {.now = BASE};
    start.b.until_ns = BASE;
    reach(&x, &start);
    bool seen[3] = {false, false, false};
    while (x.next < x.count && !x.faults) {
        struct state s = x.states[x.next++];
        seen[s.state] = true;
        expand(&x, &s);
    }
    CHECK_INT(x.faults, 0);
    CHECK(seen[BREAKER_CLOSED] && seen[BREAKER_OPEN] && seen[BREAKER_HALF_OPEN]);
    mem_free(x.states);
    mem_free(x.index);
    return x.count;
}

static void test_every_state(void) {
    static const struct breaker_rules rules[] = {
        {.consecutive = 2, .probes = 1, .successes = 1, .probe_ns = 8},
        {.consecutive = 1, .probes = 2, .successes = 3, .probe_ns = 8, .jitter_permille = 500},
        {.consecutive = 2, .probes = 2, .successes = 2},
        {.error_permille = 500, .min_requests = 3, .probes = 2, .successes = 2, .probe_ns = 12},
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct breaker_rules r = rules[i];
        r.window_ns = WINDOW_BUCKETS;
        r.open_ns = STEP;
        r.open_max_ns = 4 * STEP;
        printf("%u states\n", explore(&r, r.error_permille ? 3 : ATTEMPTS_MAX));
    }
}

TEST_MAIN(test_every_state)
