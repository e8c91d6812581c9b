// Sliding minutes of requests and tokens, calls at a time, and what the provider said of its own counters.
#include "route/limit.h"

#include <string.h>

#define LEARNED_MAX_NS (UINT64_C(600) * 1000000000)

static void forward(struct limit *l, uint64_t now_ns) {
    uint64_t step = now_ns / LIMIT_STEP_NS;
    if (step <= l->newest) return;
    if (step - l->newest >= LIMIT_STEPS) {
        memset(l->step_requests, 0, sizeof l->step_requests);
        memset(l->step_tokens, 0, sizeof l->step_tokens);
        l->requests = l->tokens = 0;
        l->newest = step;
    }
    while (l->newest < step) {
        size_t i = (size_t)(++l->newest % LIMIT_STEPS);
        l->requests -= l->step_requests[i];
        l->tokens -= l->step_tokens[i];
        l->step_requests[i] = l->step_tokens[i] = 0;
    }
}

static void book(uint32_t *step, uint64_t *sum, uint64_t n) {
    uint32_t fits = (uint32_t)MIN(n, (uint64_t)(UINT32_MAX - *step));
    *step += fits;
    *sum += fits;
}

// When the steps that hold `excess` in all will have left, oldest first; all of them if they do not hold so much.
static uint64_t freed_at(const struct limit *l, const uint32_t *steps, uint64_t excess) {
    uint64_t first = l->newest >= LIMIT_STEPS - 1 ? l->newest - (LIMIT_STEPS - 1) : 0, step = first;
    for (uint64_t freed = 0; step <= l->newest; step++) {
        freed += steps[step % LIMIT_STEPS];
        if (freed >= excess) break;
    }
    return (MIN(step, l->newest) + LIMIT_STEPS) * LIMIT_STEP_NS;
}

static bool is_known(const struct limit_learned *s, uint64_t now_ns) { return s->known && now_ns < s->reset_ns; }

static double growth(const struct limit_learned *s) {
    return s->limit > s->remaining ? (s->limit - s->remaining) / (double)(s->reset_ns - s->at_ns) : 0;
}

static double room_said(const struct limit_learned *s, uint64_t now_ns) {
    double past = now_ns > s->at_ns ? (double)(now_ns - s->at_ns) : 0;
    return s->remaining + growth(s) * past;
}

static uint64_t said_at(const struct limit_learned *s, double need, uint64_t now_ns) {
    double lacking = need - room_said(s, now_ns), grows = growth(s);
    if (grows <= 0) return s->reset_ns;
    double wait = lacking / grows;
    return wait >= (double)(s->reset_ns - now_ns) ? s->reset_ns : now_ns + (uint64_t)wait + 1;
}

static bool said_no(const struct limit_learned *s, double need, uint64_t now_ns, uint64_t *out_when) {
    if (!is_known(s, now_ns) || room_said(s, now_ns) >= need) return false;
    *out_when = said_at(s, need, now_ns);
    return true;
}

enum limit_answer limit_ask(struct limit *l, const struct limit_rules *rules, uint64_t tokens, uint64_t now_ns,
                            uint64_t *out_when) {
    forward(l, now_ns);
    *out_when = UINT64_MAX;
    if (rules->tokens && tokens > rules->tokens) return LIMIT_TOO_LARGE;
    if (rules->concurrency && l->running >= rules->concurrency) return LIMIT_CONCURRENCY;
    if (rules->requests && l->requests >= rules->requests) {
        *out_when = freed_at(l, l->step_requests, l->requests - rules->requests + 1);
        return LIMIT_REQUESTS;
    }
    if (rules->tokens && l->tokens + l->held > rules->tokens - tokens) {
        *out_when = freed_at(l, l->step_tokens, l->tokens + l->held - (rules->tokens - tokens));
        return LIMIT_TOKENS;
    }
    if (said_no(&l->said_requests, 1, now_ns, out_when)) return LIMIT_REQUESTS;
    if (said_no(&l->said_tokens, (double)MAX(tokens, UINT64_C(1)), now_ns, out_when)) return LIMIT_TOKENS;
    *out_when = now_ns;
    return LIMIT_ROOM;
}

void limit_begin(struct limit *l, uint64_t tokens, uint64_t now_ns) {
    forward(l, now_ns);
    book(&l->step_requests[l->newest % LIMIT_STEPS], &l->requests, 1);
    l->held += tokens;
    l->running++;
    l->said_requests.remaining -= 1;
    l->said_tokens.remaining -= (double)tokens;
}

void limit_end(struct limit *l, uint64_t tokens, uint64_t used, uint64_t now_ns) {
    INVARIANT(l->running > 0 && l->held >= tokens);
    forward(l, now_ns);
    l->running--;
    l->held -= tokens;
    book(&l->step_tokens[l->newest % LIMIT_STEPS], &l->tokens, used);
}

// Its request is in the step of then, or a later one where time had gone back: the first that has any is taken, for
// what is left must not leave the minute too early.
static void unbook_request(struct limit *l, uint64_t begun_ns) {
    uint64_t first = begun_ns / LIMIT_STEP_NS;
    if (l->newest >= LIMIT_STEPS && first <= l->newest - LIMIT_STEPS) return; // it counts no more
    for (uint64_t step = first; step <= l->newest; step++) {
        uint32_t *count = &l->step_requests[step % LIMIT_STEPS];
        if (!*count) continue;
        --*count;
        l->requests--;
        return;
    }
}

void limit_cancel(struct limit *l, uint64_t tokens, uint64_t begun_ns, uint64_t now_ns) {
    limit_end(l, tokens, 0, now_ns);
    unbook_request(l, begun_ns);
    l->said_requests.remaining += 1; // what was said since has had it taken off, too
    if (begun_ns >= l->said_tokens.at_ns) l->said_tokens.remaining += (double)tokens;
}

bool limit_more(struct limit *l, const struct limit_rules *rules, uint32_t requests, uint64_t now_ns,
                uint64_t *out_when) {
    forward(l, now_ns);
    *out_when = UINT64_MAX;
    if (rules->requests && l->requests + requests > rules->requests) {
        // Its first one is booked already.
        if ((uint64_t)requests + 1 <= rules->requests)
            *out_when = freed_at(l, l->step_requests, l->requests + requests - rules->requests);
        return false;
    }
    if (said_no(&l->said_requests, requests, now_ns, out_when)) return false;
    book(&l->step_requests[l->newest % LIMIT_STEPS], &l->requests, requests);
    l->said_requests.remaining -= requests;
    return true;
}

void limit_fewer(struct limit *l, uint32_t requests, uint64_t begun_ns) {
    for (uint32_t i = 0; i < requests; i++) unbook_request(l, begun_ns);
    l->said_requests.remaining += requests;
}

bool limit_widen(struct limit *l, const struct limit_rules *rules) {
    if (rules->concurrency && l->running >= rules->concurrency) return false;
    l->running++;
    return true;
}

void limit_narrow(struct limit *l, uint32_t places) {
    INVARIANT(l->running >= places);
    l->running -= places;
}

void limit_learn(struct limit *l, enum limit_kind kind, double remaining, double limit, uint64_t reset_in_ns,
                 uint64_t now_ns) {
    struct limit_learned *s = kind == LIMIT_OF_TOKENS ? &l->said_tokens : &l->said_requests;
    if (now_ns < s->at_ns && s->known) return;
    uint64_t reset = MIN(reset_in_ns, LEARNED_MAX_NS);
    *s = (struct limit_learned){remaining, limit, now_ns, now_ns + reset, reset > 0};
}

static void headroom_ruled(struct limit *l, uint64_t limit, enum limit_kind kind, uint64_t now_ns,
                           struct limit_headroom *out) {
    const uint32_t *steps = kind == LIMIT_OF_TOKENS ? l->step_tokens : l->step_requests;
    uint64_t used = kind == LIMIT_OF_TOKENS ? l->tokens + l->held : l->requests;
    uint64_t all_free = (l->newest + LIMIT_STEPS) * LIMIT_STEP_NS;
    out->limit = (float)limit;
    out->room = used >= limit ? 0 : (float)(limit - used);
    out->per_ns = used ? (out->limit - out->room) / (float)(all_free - MIN(now_ns, all_free - 1)) : 0;
    out->usable_ns = used >= limit ? freed_at(l, steps, used - limit + 1) : 0;
}

void limit_headroom(struct limit *l, const struct limit_rules *rules, enum limit_kind kind, uint64_t now_ns,
                    struct limit_headroom *out) {
    const struct limit_learned *s = kind == LIMIT_OF_TOKENS ? &l->said_tokens : &l->said_requests;
    uint64_t limit = kind == LIMIT_OF_TOKENS ? rules->tokens : rules->requests;
    *out = (struct limit_headroom){0};
    forward(l, now_ns);
    if (limit) headroom_ruled(l, limit, kind, now_ns, out);
    if (!is_known(s, now_ns)) return;
    double room = room_said(s, now_ns);
    if (limit && room >= (double)out->room) return;
    out->limit = (float)(s->limit > 0 ? s->limit : limit ? (double)limit : MAX(room, 1.0));
    out->room = room > 0 ? (float)room : 0;
    out->per_ns = out->room < out->limit ? (out->limit - out->room) / (float)(s->reset_ns - now_ns) : 0;
    if (room < 1) out->usable_ns = MAX(out->usable_ns, said_at(s, 1, now_ns));
}
