// Sliding minutes of requests and tokens, calls at a time, and what the provider said of its own counters.
#include "route/limit.h"

#include <string.h>

#define LEARNED_MAX_NS (UINT64_C(600) * 1000000000)

_Static_assert(offsetof(struct limit_rules, requests) == sizeof(uint64_t) * LIMIT_OF_REQUESTS, "one name, one number");

static void forward(struct limit *l, uint64_t now_ns) {
    uint64_t step = now_ns / LIMIT_STEP_NS;
    if (step <= l->newest) return;
    if (step - l->newest >= LIMIT_STEPS) {
        memset(l->step, 0, sizeof l->step);
        for (unsigned kind = 0; kind < LIMIT_KINDS; kind++) l->of[kind].sum = 0;
        l->newest = step;
    }
    while (l->newest < step) {
        uint32_t *oldest = l->step[++l->newest % LIMIT_STEPS];
        for (unsigned kind = 0; kind < LIMIT_KINDS; kind++) {
            l->of[kind].sum -= oldest[kind];
            oldest[kind] = 0;
        }
    }
}

static void book(struct limit *l, unsigned kind, uint64_t n) {
    uint32_t *step = &l->step[l->newest % LIMIT_STEPS][kind];
    uint32_t fits = (uint32_t)MIN(n, (uint64_t)(UINT32_MAX - *step));
    *step += fits;
    l->of[kind].sum += fits;
}

// When the steps that hold `excess` in all will have left, oldest first; all of them if they do not hold so much.
static uint64_t freed_at(const struct limit *l, unsigned kind, uint64_t excess) {
    uint64_t first = l->newest >= LIMIT_STEPS - 1 ? l->newest - (LIMIT_STEPS - 1) : 0, step = first;
    for (uint64_t freed = 0; step <= l->newest; step++) {
        freed += l->step[step % LIMIT_STEPS][kind];
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

// What of a call cannot be known before it is answered asks for no more than there ever is: how long the answer gets,
// of a prompt what is cached.
static bool is_vague(const struct limit_rules *rules, unsigned kind) {
    return kind == LIMIT_OF_OUTPUT_TOKENS || (kind == LIMIT_OF_INPUT_TOKENS && rules->cached_free);
}

static uint64_t need_of(const struct limit_rules *rules, const struct limit_tokens *tokens, unsigned kind) {
    if (kind == LIMIT_OF_REQUESTS) return 1;
    return is_vague(rules, kind) ? MIN(tokens->of[kind], rules->minute[kind]) : tokens->of[kind];
}

static double said_part(const struct limit_tokens *tokens, unsigned kind) {
    return kind == LIMIT_OF_REQUESTS
               ? 1
               : (double)(kind == LIMIT_OF_OUTPUT_TOKENS ? tokens->expected_output : tokens->of[kind]);
}

static double need_said(const struct limit *l, const struct limit_rules *rules, const struct limit_tokens *tokens,
                        unsigned kind) {
    double need = said_part(tokens, kind), limit = l->of[kind].said.limit;
    return is_vague(rules, kind) && limit > 0 ? MIN(need, limit) : need;
}

enum limit_answer limit_ask(struct limit *l, const struct limit_rules *rules, const struct limit_tokens *tokens,
                            uint64_t now_ns, uint64_t *out_when) {
    static const struct {
        enum limit_kind kind;
        enum limit_answer answer;
    } order[] = {{LIMIT_OF_REQUESTS, LIMIT_REQUESTS},
                 {LIMIT_OF_TOKENS, LIMIT_TOKENS},
                 {LIMIT_OF_INPUT_TOKENS, LIMIT_INPUT_TOKENS},
                 {LIMIT_OF_OUTPUT_TOKENS, LIMIT_OUTPUT_TOKENS}};
    forward(l, now_ns);
    *out_when = UINT64_MAX;
    for (unsigned kind = 0; kind < LIMIT_TOKEN_KINDS; kind++)
        if (rules->minute[kind] && need_of(rules, tokens, kind) > rules->minute[kind]) return LIMIT_TOO_LARGE;
    if (rules->concurrency && l->running >= rules->concurrency) return LIMIT_CONCURRENCY;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        const struct limit_minute *m = &l->of[order[i].kind];
        uint64_t most = rules->minute[order[i].kind], need = need_of(rules, tokens, order[i].kind);
        if (!most || m->sum + m->held <= most - need) continue;
        *out_when = freed_at(l, order[i].kind, m->sum + m->held - (most - need));
        return order[i].answer;
    }
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        double need = need_said(l, rules, tokens, order[i].kind);
        need = MAX(need, order[i].kind == LIMIT_OF_TOKENS ? 1.0 : 0);
        if (said_no(&l->of[order[i].kind].said, need, now_ns, out_when)) return order[i].answer;
    }
    *out_when = now_ns;
    return LIMIT_ROOM;
}

void limit_begin(struct limit *l, const struct limit_tokens *tokens, uint64_t now_ns) {
    forward(l, now_ns);
    book(l, LIMIT_OF_REQUESTS, 1);
    l->running++;
    for (unsigned kind = 0; kind < LIMIT_TOKEN_KINDS; kind++) l->of[kind].held += tokens->of[kind];
    for (unsigned kind = 0; kind < LIMIT_KINDS; kind++) l->of[kind].said.remaining -= said_part(tokens, kind);
}

void limit_end(struct limit *l, const struct limit_tokens *tokens, const struct limit_tokens *used, uint64_t now_ns) {
    INVARIANT(l->running > 0);
    forward(l, now_ns);
    l->running--;
    for (unsigned kind = 0; kind < LIMIT_TOKEN_KINDS; kind++) {
        INVARIANT(l->of[kind].held >= tokens->of[kind]);
        l->of[kind].held -= tokens->of[kind];
        book(l, kind, used->of[kind]);
    }
}

// Its request is in the step of then, or a later one where time had gone back: the first that has any is taken, for
// what is left must not leave the minute too early.
static void unbook_request(struct limit *l, uint64_t begun_ns) {
    uint64_t first = begun_ns / LIMIT_STEP_NS;
    if (l->newest >= LIMIT_STEPS && first <= l->newest - LIMIT_STEPS) return; // it counts no more
    for (uint64_t step = first; step <= l->newest; step++) {
        uint32_t *count = &l->step[step % LIMIT_STEPS][LIMIT_OF_REQUESTS];
        if (!*count) continue;
        --*count;
        l->of[LIMIT_OF_REQUESTS].sum--;
        return;
    }
}

void limit_cancel(struct limit *l, const struct limit_tokens *tokens, uint64_t begun_ns, uint64_t now_ns) {
    static const struct limit_tokens none = {.total = 0};
    limit_end(l, tokens, &none, now_ns);
    unbook_request(l, begun_ns);
    for (unsigned kind = 0; kind < LIMIT_KINDS; kind++)
        // Of requests, what was said since has had it taken off, too.
        if (kind == LIMIT_OF_REQUESTS || begun_ns >= l->of[kind].said.at_ns)
            l->of[kind].said.remaining += said_part(tokens, kind);
}

bool limit_more(struct limit *l, const struct limit_rules *rules, uint32_t requests, uint64_t now_ns,
                uint64_t *out_when) {
    struct limit_minute *m = &l->of[LIMIT_OF_REQUESTS];
    forward(l, now_ns);
    *out_when = UINT64_MAX;
    if (rules->requests && m->sum + requests > rules->requests) {
        // Its first one is booked already.
        if ((uint64_t)requests + 1 <= rules->requests)
            *out_when = freed_at(l, LIMIT_OF_REQUESTS, m->sum + requests - rules->requests);
        return false;
    }
    if (said_no(&m->said, requests, now_ns, out_when)) return false;
    book(l, LIMIT_OF_REQUESTS, requests);
    m->said.remaining -= requests;
    return true;
}

void limit_fewer(struct limit *l, uint32_t requests, uint64_t begun_ns) {
    for (uint32_t i = 0; i < requests; i++) unbook_request(l, begun_ns);
    l->of[LIMIT_OF_REQUESTS].said.remaining += requests;
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
    struct limit_learned *s = &l->of[kind].said;
    if (now_ns < s->at_ns && s->known) return;
    uint64_t reset = MIN(reset_in_ns, LEARNED_MAX_NS);
    *s = (struct limit_learned){remaining, limit, now_ns, now_ns + reset, reset > 0};
}

static void headroom_ruled(struct limit *l, uint64_t limit, enum limit_kind kind, uint64_t now_ns,
                           struct limit_headroom *out) {
    uint64_t used = l->of[kind].sum + l->of[kind].held;
    uint64_t all_free = (l->newest + LIMIT_STEPS) * LIMIT_STEP_NS;
    out->limit = (float)limit;
    out->room = used >= limit ? 0 : (float)(limit - used);
    out->per_ns = used ? (out->limit - out->room) / (float)(all_free - MIN(now_ns, all_free - 1)) : 0;
    out->usable_ns = used >= limit ? freed_at(l, kind, used - limit + 1) : 0;
}

void limit_headroom(struct limit *l, const struct limit_rules *rules, enum limit_kind kind, uint64_t now_ns,
                    struct limit_headroom *out) {
    const struct limit_learned *s = &l->of[kind].said;
    uint64_t limit = rules->minute[kind];
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
