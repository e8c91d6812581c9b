// Tests of route/limit.h: no minute holds more than its limit, when there will be room, what providers said, headroom.
#include "base/mem.h"
#include "route/limit.h"

#include "check.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define T0 (5000 * SECOND)

static uint64_t next(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

struct event {
    uint64_t at_ns, n;
};

static int by_time(const void *a, const void *b) {
    uint64_t x = ((const struct event *)a)->at_ns, y = ((const struct event *)b)->at_ns;
    return x < y ? -1 : x > y;
}

// The most that any 60 s hold, wherever they begin.
static uint64_t most_in_a_minute(struct event *events, size_t n) {
    uint64_t sum = 0, most = 0;
    qsort(events, n, sizeof *events, by_time);
    for (size_t from = 0, to = 0; to < n; to++) {
        sum += events[to].n;
        while (events[to].at_ns - events[from].at_ns >= MINUTE) sum -= events[from++].n;
        most = MAX(most, sum);
    }
    return most;
}

struct call {
    uint64_t end_ns;
    struct limit_tokens tokens, used;
};
#define CALLS 64
struct run {
    struct limit limit;
    struct limit_rules rules;
    struct call calls[CALLS];
    size_t n, count;
    struct event *events[LIMIT_KINDS];
    uint64_t seed, most_running;
};
#define EVENTS 20000

static void end_due(struct run *r, uint64_t now_ns) {
    for (size_t i = 0; i < r->n;) {
        if (r->calls[i].end_ns > now_ns) {
            i++;
            continue;
        }
        limit_end(&r->limit, &r->calls[i].tokens, &r->calls[i].used, r->calls[i].end_ns);
        r->calls[i] = r->calls[--r->n];
    }
}

static bool arrive(struct run *r, uint64_t now_ns) {
    struct call c = {.tokens = limit_tokens(1 + next(&r->seed) % 300, next(&r->seed) % 100)};
    uint64_t when;
    if (r->n == CALLS || limit_ask(&r->limit, &r->rules, &c.tokens, now_ns, &when) != LIMIT_ROOM) return false;
    limit_begin(&r->limit, &c.tokens, now_ns);
    c.end_ns = now_ns + next(&r->seed) % (20 * SECOND);
    c.used = limit_tokens(next(&r->seed) % (c.tokens.input + 1), next(&r->seed) % (c.tokens.output + 1));
    r->calls[r->n++] = c;
    r->most_running = MAX(r->most_running, (uint64_t)r->n);
    // The provider sees a request up to a second later, and books its tokens at whatever moment of the call it likes.
    r->events[LIMIT_OF_REQUESTS][r->count] = (struct event){now_ns + next(&r->seed) % SECOND, 1};
    for (int kind = 0; kind < LIMIT_TOKEN_KINDS; kind++)
        r->events[kind][r->count] = (struct event){now_ns + next(&r->seed) % (c.end_ns - now_ns + 1), c.used.of[kind]};
    r->count++;
    return true;
}

static void run_random(struct limit_rules rules, uint64_t mean_gap_ns, uint64_t seed) {
    struct run r = {.rules = rules, .seed = seed};
    for (int kind = 0; kind < LIMIT_KINDS; kind++) r.events[kind] = mem_must(mem_alloc(sizeof(struct event) * EVENTS));
    uint64_t now = T0, granted = 0;
    while (now < T0 + 20 * MINUTE && r.count < EVENTS) {
        // Bursts and lulls.
        now += next(&r.seed) % 20 == 0 ? next(&r.seed) % (40 * SECOND) : next(&r.seed) % (2 * mean_gap_ns);
        end_due(&r, now);
        granted += arrive(&r, now);
    }
    CHECK(granted > 50);
    for (int kind = 0; kind < LIMIT_KINDS; kind++) {
        uint64_t most = most_in_a_minute(r.events[kind], r.count);
        if (rules.minute[kind]) CHECK(most <= rules.minute[kind]);
        mem_free(r.events[kind]);
    }
    if (rules.concurrency) CHECK(r.most_running <= rules.concurrency);
}

static void test_no_minute_holds_more(void) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run_random((struct limit_rules){.requests = 10}, 300 * MS, seed);
        run_random((struct limit_rules){.requests = 600}, 20 * MS, seed);
        run_random((struct limit_rules){.tokens = 5000}, 100 * MS, seed);
        run_random((struct limit_rules){.input_tokens = 3000}, 100 * MS, seed);
        run_random((struct limit_rules){.input_tokens = 5000, .output_tokens = 900}, 100 * MS, seed);
        run_random((struct limit_rules){.requests = 60, .tokens = 9000, .concurrency = 7}, 50 * MS, seed);
    }
}

// Of calls of which only the sum matters.
static enum limit_answer ask(struct limit *l, const struct limit_rules *rules, uint64_t input, uint64_t now_ns,
                             uint64_t *out_when) {
    const struct limit_tokens tokens = limit_tokens(input, 0);
    return limit_ask(l, rules, &tokens, now_ns, out_when);
}
static void begin(struct limit *l, uint64_t input, uint64_t now_ns) {
    const struct limit_tokens tokens = limit_tokens(input, 0);
    limit_begin(l, &tokens, now_ns);
}
static void end(struct limit *l, uint64_t input, uint64_t used_input, uint64_t now_ns) {
    const struct limit_tokens tokens = limit_tokens(input, 0), used = limit_tokens(used_input, 0);
    limit_end(l, &tokens, &used, now_ns);
}
static void cancel(struct limit *l, uint64_t input, uint64_t begun_ns, uint64_t now_ns) {
    const struct limit_tokens tokens = limit_tokens(input, 0);
    limit_cancel(l, &tokens, begun_ns, now_ns);
}

// The safe side costs little: a steady stream gets nearly all of its limit.
static void test_use_of_the_limit(void) {
    struct limit l = {.newest = 0};
    struct limit_rules rules = {.requests = 60};
    uint64_t when, granted = 0;
    for (uint64_t now = T0; now < T0 + 60 * MINUTE; now += 100 * MS) {
        if (ask(&l, &rules, 0, now, &when) != LIMIT_ROOM) continue;
        begin(&l, 0, now);
        end(&l, 0, 0, now);
        granted++;
    }
    CHECK(granted <= 60 * 60);
    CHECK(granted >= 60 * 60 * 95 / 100);
}

static void test_when(void) {
    uint64_t seed = 99, when = 0, later;
    for (int round = 0; round < 300; round++) {
        struct limit l = {.newest = 0};
        struct limit_rules rules = {.requests = 1 + next(&seed) % 30, .tokens = 1000 + next(&seed) % 5000};
        uint64_t now = T0 + next(&seed) % SECOND, tokens = next(&seed) % 1000;
        enum limit_answer answer;
        while ((answer = ask(&l, &rules, tokens, now, &when)) == LIMIT_ROOM) {
            CHECK(when == now);
            begin(&l, tokens, now);
            end(&l, tokens, tokens, now);
            now += next(&seed) % (3 * SECOND);
        }
        CHECK(answer == LIMIT_REQUESTS || answer == LIMIT_TOKENS);
        CHECK(when > now && when <= now + 62 * SECOND);
        CHECK(ask(&l, &rules, tokens, when - 1, &later) != LIMIT_ROOM);
        CHECK_INT(later, when);
        // Nothing has been used since: what the other counter holds may last longer.
        enum limit_answer then = ask(&l, &rules, tokens, when, &later);
        CHECK(then == LIMIT_ROOM || then != answer);
    }
}

static void test_refusals(void) {
    struct limit l = {.newest = 0};
    uint64_t when;
    struct limit_rules rules = {.tokens = 100, .concurrency = 2};
    CHECK_INT(ask(&l, &rules, 101, T0, &when), LIMIT_TOO_LARGE);
    CHECK(when == UINT64_MAX);
    CHECK_INT(ask(&l, &rules, 100, T0, &when), LIMIT_ROOM);
    begin(&l, 40, T0);
    CHECK_INT(ask(&l, &rules, 61, T0, &when), LIMIT_TOKENS);
    CHECK_INT(ask(&l, &rules, 60, T0, &when), LIMIT_ROOM);
    begin(&l, 10, T0);
    CHECK_INT(ask(&l, &rules, 1, T0, &when), LIMIT_CONCURRENCY);
    CHECK(when == UINT64_MAX);
    // What was estimated is put right by what was used.
    end(&l, 40, 5, T0 + SECOND);
    CHECK_INT(ask(&l, &rules, 85, T0 + SECOND, &when), LIMIT_ROOM);
    CHECK_INT(ask(&l, &rules, 86, T0 + SECOND, &when), LIMIT_TOKENS);
    // A call that runs for minutes holds its tokens all the while.
    CHECK_INT(ask(&l, &rules, 91, T0 + 10 * MINUTE, &when), LIMIT_TOKENS);
    CHECK_INT(ask(&l, &rules, 90, T0 + 10 * MINUTE, &when), LIMIT_ROOM);
    end(&l, 10, 1000, T0 + 10 * MINUTE);
    CHECK_INT(ask(&l, &rules, 1, T0 + 10 * MINUTE, &when), LIMIT_TOKENS);
    // Time that goes back is the newest time.
    CHECK_INT(ask(&l, &rules, 1, T0, &when), LIMIT_TOKENS);
    CHECK_INT(ask(&l, &rules, 100, T0 + 20 * MINUTE, &when), LIMIT_ROOM);
}

static void test_learned(void) {
    struct limit l = {.newest = 0};
    const struct limit_rules none = {.requests = 0};
    uint64_t when;
    limit_learn(&l, LIMIT_OF_REQUESTS, 2, 0, 30 * SECOND, T0);
    CHECK_INT(ask(&l, &none, 0, T0, &when), LIMIT_ROOM);
    begin(&l, 0, T0);
    begin(&l, 0, T0);
    CHECK_INT(ask(&l, &none, 0, T0 + SECOND, &when), LIMIT_REQUESTS);
    CHECK_INT(when, T0 + 30 * SECOND);
    CHECK_INT(ask(&l, &none, 0, T0 + 30 * SECOND, &when), LIMIT_ROOM);
    // With the limit known it fills up little by little: 60 in 60 s is one a second.
    limit_learn(&l, LIMIT_OF_REQUESTS, 0, 60, MINUTE, T0 + MINUTE);
    CHECK_INT(ask(&l, &none, 0, T0 + MINUTE, &when), LIMIT_REQUESTS);
    CHECK(when >= T0 + MINUTE + 999 * MS && when <= T0 + MINUTE + 1001 * MS);
    CHECK_INT(ask(&l, &none, 0, when, &when), LIMIT_ROOM);
    limit_learn(&l, LIMIT_OF_TOKENS, 500, 1000, 10 * SECOND, T0 + 3 * MINUTE);
    CHECK_INT(ask(&l, &none, 501, T0 + 3 * MINUTE, &when), LIMIT_TOKENS);
    CHECK_INT(ask(&l, &none, 500, T0 + 3 * MINUTE, &when), LIMIT_ROOM);
    CHECK_INT(ask(&l, &none, 740, T0 + 3 * MINUTE + 5 * SECOND, &when), LIMIT_ROOM);
    // More than there ever is does not wait for ever: the word is over with its reset.
    CHECK_INT(ask(&l, &none, 5000, T0 + 3 * MINUTE, &when), LIMIT_TOKENS);
    CHECK_INT(when, T0 + 3 * MINUTE + 10 * SECOND);
    // An older word does not undo a newer one; one without a time says nothing.
    limit_learn(&l, LIMIT_OF_TOKENS, 0, 1000, 10 * SECOND, T0 + 2 * MINUTE);
    CHECK_INT(ask(&l, &none, 500, T0 + 3 * MINUTE, &when), LIMIT_ROOM);
    limit_learn(&l, LIMIT_OF_TOKENS, 0, 1000, 0, T0 + 4 * MINUTE);
    CHECK_INT(ask(&l, &none, 500, T0 + 4 * MINUTE, &when), LIMIT_ROOM);
}

// What was begun and not sent has taken nothing, whenever that turns out.
static void test_cancelled(void) {
    struct limit l = {.newest = 0};
    struct limit_rules rules = {.requests = 3, .tokens = 1000, .concurrency = 1};
    uint64_t when;
    for (int i = 0; i < 100; i++) {
        uint64_t begun = T0 + (uint64_t)i * 300 * MS;
        REQUIRE(ask(&l, &rules, 900, begun, &when) == LIMIT_ROOM);
        begin(&l, 900, begun);
        cancel(&l, 900, begun, begun + (uint64_t)(i % 5) * 400 * MS);
    }
    // Of two of different steps, the one that stays leaves at its own time.
    uint64_t first = T0 + 100 * SECOND, second = first + 10 * SECOND;
    rules = (struct limit_rules){.requests = 2};
    begin(&l, 0, first);
    begin(&l, 0, second);
    cancel(&l, 0, first, second + SECOND);
    begin(&l, 0, second + SECOND);
    CHECK_INT(ask(&l, &rules, 0, first + 62 * SECOND, &when), LIMIT_REQUESTS);
    CHECK(when >= second + 61 * SECOND);
    // One that has left the minute meanwhile takes nobody else with it.
    l = (struct limit){.newest = 0};
    begin(&l, 0, first);
    begin(&l, 0, first + 70 * SECOND);
    cancel(&l, 0, first, first + 71 * SECOND);
    CHECK_INT(l.of[LIMIT_OF_REQUESTS].sum, 1);
    // Nor is it missing in what a provider has said.
    rules = (struct limit_rules){.requests = 0};
    l = (struct limit){.newest = 0};
    limit_learn(&l, LIMIT_OF_REQUESTS, 1, 0, MINUTE, T0);
    limit_learn(&l, LIMIT_OF_TOKENS, 500, 0, MINUTE, T0);
    begin(&l, 500, T0 + SECOND);
    CHECK_INT(ask(&l, &rules, 1, T0 + SECOND, &when), LIMIT_REQUESTS);
    cancel(&l, 500, T0 + SECOND, T0 + SECOND);
    CHECK_INT(ask(&l, &rules, 500, T0 + SECOND, &when), LIMIT_ROOM);
}

static void test_headroom(void) {
    struct limit l = {.newest = 0};
    struct limit_rules rules = {.requests = 4};
    struct limit_headroom h;
    limit_headroom(&l, &rules, LIMIT_OF_TOKENS, T0, &h);
    CHECK(h.limit == 0);
    limit_headroom(&l, &rules, LIMIT_OF_REQUESTS, T0, &h);
    CHECK(h.limit == 4 && h.room == 4 && h.usable_ns == 0);
    for (int i = 0; i < 4; i++) begin(&l, 0, T0 + (uint64_t)i * SECOND);
    limit_headroom(&l, &rules, LIMIT_OF_REQUESTS, T0 + 4 * SECOND, &h);
    uint64_t when;
    CHECK_INT(ask(&l, &rules, 0, T0 + 4 * SECOND, &when), LIMIT_REQUESTS);
    CHECK(h.room == 0 && h.per_ns > 0);
    CHECK_INT(h.usable_ns, when);
    limit_learn(&l, LIMIT_OF_TOKENS, 250, 1000, MINUTE, T0 + 4 * SECOND);
    limit_headroom(&l, &rules, LIMIT_OF_TOKENS, T0 + 4 * SECOND, &h);
    CHECK(h.limit == 1000 && h.room == 250);
}

// A call that is several requests is counted as so many, or not at all.
static void test_more(void) {
    const struct limit_rules rules = {.requests = 5, .concurrency = 3};
    struct limit l = {0};
    uint64_t when;
    CHECK(ask(&l, &rules, 1, T0, &when) == LIMIT_ROOM);
    begin(&l, 1, T0);
    CHECK(!limit_more(&l, &rules, 5, T0, &when) && when == UINT64_MAX); // six are more than any minute has
    CHECK(limit_more(&l, &rules, 3, T0, &when));
    CHECK(!limit_more(&l, &rules, 2, T0, &when) && when > T0 + MINUTE && when < T0 + 2 * MINUTE);
    CHECK(ask(&l, &rules, 1, T0, &when) == LIMIT_ROOM); // what did not fit was not booked
    begin(&l, 1, T0);
    CHECK(ask(&l, &rules, 1, T0, &when) == LIMIT_REQUESTS);
    CHECK(limit_widen(&l, &rules));
    CHECK(!limit_widen(&l, &rules)); // two calls have three places
    CHECK(ask(&l, &rules, 1, T0 + 2 * MINUTE, &when) == LIMIT_CONCURRENCY);
    limit_narrow(&l, 1);
    cancel(&l, 1, T0, T0);
    limit_fewer(&l, 3, T0);
    CHECK(limit_more(&l, &rules, 4, T0, &when));
    end(&l, 1, 1, T0);
    CHECK_INT(l.running, 0);
    // What its provider said counts, too.
    limit_learn(&l, LIMIT_OF_REQUESTS, 2, 10, 30 * SECOND, T0 + 9 * MINUTE);
    begin(&l, 1, T0 + 9 * MINUTE);
    CHECK(!limit_more(&l, &rules, 2, T0 + 9 * MINUTE, &when) && when < UINT64_MAX);
    CHECK(limit_more(&l, &rules, 1, T0 + 9 * MINUTE, &when));
}

// Input and output are held apart, and one of them used up leaves the other to be used.
static void test_apart(void) {
    const struct limit_rules rules = {.input_tokens = 1000, .output_tokens = 100};
    struct limit l = {.newest = 0};
    const struct limit_tokens begun = limit_tokens(600, 100), used = limit_tokens(600, 10);
    struct limit_tokens more = limit_tokens(400, 91);
    uint64_t when;
    CHECK_INT(limit_ask(&l, &rules, &begun, T0, &when), LIMIT_ROOM);
    limit_begin(&l, &begun, T0);
    CHECK_INT(ask(&l, &rules, 400, T0, &when), LIMIT_ROOM); // an embedding has no output
    CHECK_INT(ask(&l, &rules, 401, T0, &when), LIMIT_INPUT_TOKENS);
    CHECK_INT(limit_ask(&l, &rules, &more, T0, &when), LIMIT_OUTPUT_TOKENS);
    limit_end(&l, &begun, &used, T0);
    CHECK_INT(limit_ask(&l, &rules, &more, T0, &when), LIMIT_OUTPUT_TOKENS);
    CHECK(when > T0 + MINUTE && when <= T0 + 62 * SECOND);
    more.output = 90;
    CHECK_INT(limit_ask(&l, &rules, &more, T0, &when), LIMIT_ROOM);
    struct limit_headroom h;
    limit_headroom(&l, &rules, LIMIT_OF_INPUT_TOKENS, T0, &h);
    CHECK(h.limit == 1000 && h.room == 400);
    limit_headroom(&l, &rules, LIMIT_OF_OUTPUT_TOKENS, T0, &h);
    CHECK(h.limit == 100 && h.room == 90);
    CHECK_INT(ask(&l, &rules, 1001, T0, &when), LIMIT_TOO_LARGE);
}

// How long an answer gets nobody knows before, nor how much of a prompt is cached: what may be more than a minute has
// is let in when all of that is free.
static void test_vague(void) {
    struct limit_rules rules = {.input_tokens = 1000, .output_tokens = 100, .cached_free = true};
    struct limit l = {.newest = 0};
    const struct limit_tokens large = limit_tokens(5000, 32000), used = limit_tokens(1, 1);
    uint64_t when;
    CHECK_INT(limit_ask(&l, &rules, &large, T0, &when), LIMIT_ROOM);
    limit_begin(&l, &large, T0);
    CHECK_INT(ask(&l, &rules, 1, T0, &when), LIMIT_INPUT_TOKENS);
    limit_end(&l, &large, &used, T0);
    CHECK_INT(ask(&l, &rules, 999, T0, &when), LIMIT_ROOM);
    CHECK_INT(limit_ask(&l, &rules, &large, T0, &when), LIMIT_INPUT_TOKENS);
    CHECK_INT(limit_ask(&l, &rules, &large, T0 + 62 * SECOND, &when), LIMIT_ROOM);
    rules.cached_free = false;
    CHECK_INT(limit_ask(&l, &rules, &large, T0 + 62 * SECOND, &when), LIMIT_TOO_LARGE);
}

// What a provider says is left of its output is held against what an answer likely has, not against the most it may.
static void test_learned_apart(void) {
    const struct limit_rules none = {.requests = 0};
    struct limit l = {.newest = 0};
    struct limit_tokens tokens = limit_tokens(2000, 32000);
    uint64_t when;
    tokens.expected_output = 400;
    limit_learn(&l, LIMIT_OF_INPUT_TOKENS, 2500, 30000, MINUTE, T0);
    limit_learn(&l, LIMIT_OF_OUTPUT_TOKENS, 700, 8000, MINUTE, T0);
    CHECK_INT(limit_ask(&l, &none, &tokens, T0, &when), LIMIT_ROOM);
    limit_begin(&l, &tokens, T0);
    CHECK_INT(limit_ask(&l, &none, &tokens, T0, &when), LIMIT_INPUT_TOKENS);
    tokens.input = 500;
    CHECK_INT(limit_ask(&l, &none, &tokens, T0, &when), LIMIT_OUTPUT_TOKENS);
    tokens.expected_output = 300;
    CHECK_INT(limit_ask(&l, &none, &tokens, T0, &when), LIMIT_ROOM);
}

TEST_MAIN(test_more, test_no_minute_holds_more, test_use_of_the_limit, test_when, test_refusals, test_learned,
          test_cancelled, test_headroom, test_apart, test_vague, test_learned_apart)
