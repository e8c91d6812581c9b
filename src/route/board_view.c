// Looking at slots without locks: what is published after each change, and what follows from it at a given moment.
#include "route/board_impl.h"
#include "route/decay.h"

#define SLOW_START_LEAST 0.1F

struct why {
    struct str name, words;
};

static const struct why *why_info(enum board_why why) {
    static const struct why all[BOARD_WHY_COUNT] = {
        [BOARD_USABLE] = {STR_INIT("usable"), STR_INIT("it can be asked")},
        [BOARD_UNHEALTHY] = {STR_INIT("unhealthy"), STR_INIT("its health checks fail")},
        [BOARD_COOLDOWN] = {STR_INIT("cooldown"), STR_INIT("it asked to be left alone for a while")},
        [BOARD_KEY_REFUSED] = {STR_INIT("key_refused"), STR_INIT("its provider has refused the key (401, 402 or 403); "
                                                                 "check it and what it may do there")},
        [BOARD_OPEN] = {STR_INIT("open"), STR_INIT("its circuit breaker is open after failures")},
        [BOARD_PROBING] = {STR_INIT("probing"), STR_INIT("after failures it is being tried with other requests")},
        [BOARD_CONCURRENCY] = {STR_INIT("concurrency"), STR_INIT("as many calls as it may have are under way")},
        [BOARD_REQUESTS] = {STR_INIT("requests"), STR_INIT("the requests that it may have a minute are used up")},
        [BOARD_TOKENS] = {STR_INIT("tokens"), STR_INIT("the tokens that it may have a minute are used up")},
        [BOARD_INPUT_TOKENS] = {STR_INIT("input_tokens"),
                                STR_INIT("the input tokens that it may have a minute are used up")},
        [BOARD_OUTPUT_TOKENS] = {STR_INIT("output_tokens"),
                                 STR_INIT("the output tokens that it may have a minute are used up")},
        [BOARD_TOO_LARGE] = {STR_INIT("too_large"), STR_INIT("it may not have as much in a minute")},
        [BOARD_REDIS_AWAY] =
            {STR_INIT("redis_away"),
             STR_INIT("its limits are shared over Redis, which does not answer (routing.on_redis_failure: closed)")},
    };
    INVARIANT((unsigned)why < BOARD_WHY_COUNT);
    return &all[why];
}

struct str board_why_text(enum board_why why) {
    return why_info(why)->name;
}
struct str board_why_words(enum board_why why) {
    return why_info(why)->words;
}

static int rank_of(enum board_why why) { return why == BOARD_TOO_LARGE ? 2 : why == BOARD_KEY_REFUSED; }

bool board_refusal_before(const struct board_refusal *a, const struct board_refusal *b) {
    int rank = rank_of(a->why) - rank_of(b->why);
    return rank ? rank < 0 : a->retry_at_ns < b->retry_at_ns;
}

static void store(uint64_t *cell, uint64_t v) { atom_store_relaxed(cell, v); }
static void store32(uint32_t *cell, uint32_t v) { __atomic_store_n(cell, v, __ATOMIC_RELAXED); }
static uint64_t load(const uint64_t *cell) { return atom_load_relaxed(cell); }
static uint32_t load32(const uint32_t *cell) { return __atomic_load_n(cell, __ATOMIC_RELAXED); }

static uint64_t well_from(const struct board_slot *slot, uint64_t room_ns) {
    uint32_t most = slot->tuning.limits.concurrency;
    bool busy = most && slot->in_flight >= most;
    if (slot->unhealthy || busy || board_shut(slot) || slot->breaker.state != BREAKER_CLOSED) return UINT64_MAX;
    uint64_t started = slot->back_ns ? slot->back_ns + slot->tuning.slow_start_ns : 0;
    return MAX(MAX(slot->cooldown_ns, started), room_ns);
}

// Nobody limits it, and that is what was published.
static bool is_unlimited(const struct board_slot *slot, int kind) {
    const struct limit_headroom *seen = &slot->seen.headroom[kind];
    return !slot->tuning.limits.minute[kind] && !slot->limit.of[kind].said.known && !load(&seen->usable_ns) &&
           board_load_float(&seen->limit) <= 0;
}

static void publish_headroom(struct board_slot *slot, uint64_t now_ns) {
    struct board_published *p = &slot->seen;
    uint64_t room_ns = 0;
    store(&p->at_ns, now_ns);
    for (int kind = 0; kind < LIMIT_KINDS; kind++) {
        struct limit_headroom h, *seen = &p->headroom[kind];
        if (is_unlimited(slot, kind)) continue;
        limit_headroom(&slot->limit, &slot->tuning.limits, (enum limit_kind)kind, now_ns, &h);
        room_ns = MAX(room_ns, h.usable_ns);
        store(&seen->usable_ns, h.usable_ns);
        board_store_float(&seen->room, h.room);
        board_store_float(&seen->limit, h.limit);
        board_store_float(&seen->per_ns, h.per_ns);
    }
    store(&p->well_from_ns, well_from(slot, room_ns));
    store32(&p->in_flight, slot->in_flight);
    store32(&p->concurrency, slot->tuning.limits.concurrency);
}

static void publish_breaker(struct board_slot *slot, uint64_t now_ns) {
    struct board_published *p = &slot->seen;
    const struct breaker_rules *rules = &slot->tuning.breaker;
    const struct breaker *b = &slot->breaker;
    struct window_sum sum = window_sum(&b->window, rules->window_ns, now_ns);
    uint32_t all = sum.good + sum.bad;
    uint32_t state = b->state | (slot->unhealthy ? PUBLISHED_UNHEALTHY : 0) | (board_shut(slot) ? PUBLISHED_SHUT : 0);
    if (b->state == BREAKER_HALF_OPEN && b->probes < MAX(rules->probes, 1u)) state |= PUBLISHED_PROBES_FREE;
    store32(&p->state, state);
    store(&p->until_ns, b->until_ns);
    store(&p->cooldown_ns, slot->cooldown_ns);
    store(&p->refused_ns, slot->refused_ns);
    store(&p->back_ns, slot->back_ns);
    store(&p->rate_end_ns, now_ns + rules->window_ns);
    store32(&p->window_requests, all);
    board_store_float(&p->error_rate, all ? (float)sum.bad / (float)all : 0);
    board_store_float(&p->slow_per_ns, slot->tuning.slow_start_ns ? 1.0F / (float)slot->tuning.slow_start_ns : 0);
}

void board_publish(struct board_slot *slot, uint64_t now_ns) {
    struct board_published *p = &slot->seen;
    publish_headroom(slot, now_ns);
    publish_breaker(slot, now_ns);
    // Who lets others wait is not taken for fast again meanwhile: or all would be sent there until the first is
    // answered.
    float fade = slot->awaited ? 0 : 1.0F / (float)MAX(slot->tuning.latency_half_ns, UINT64_C(1));
    board_store_float(&p->first_ns, slot->first.value_ns * decay_since(slot->first.at_ns, now_ns, fade));
    board_store_float(&p->total_ns, slot->total.value_ns * decay_since(slot->total.at_ns, now_ns, fade));
    board_store_float(&p->half_lives_per_ns, fade);
    store(&p->first_slow_ns, slot->first_slow_ns);
    store(&p->total_slow_ns, slot->total_slow_ns);
    board_store_float(&p->tokens_second, latency_speed_mean(&slot->speed));
}

static void view_room(const struct limit_headroom *seen, float past, float *out_room, float *out_share) {
    float limit = board_load_float(&seen->limit);
    *out_room = -1;
    *out_share = 1;
    if (limit <= 0) return;
    float now = board_load_float(&seen->room) + board_load_float(&seen->per_ns) * past;
    now = now < limit ? now : limit;
    *out_room = now;
    *out_share = now / limit;
}

static void view_headroom(const struct board_published *p, float past, struct board_view *out) {
    for (int kind = 0; kind < LIMIT_KINDS; kind++)
        view_room(&p->headroom[kind], past, &out->room[kind], &out->share[kind]);
    out->in_flight = load32(&p->in_flight);
    out->concurrency = load32(&p->concurrency);
}

static void no(struct board_view *out, enum board_why why, uint64_t retry_at_ns) {
    out->usable = false;
    out->why = why;
    out->retry_at_ns = retry_at_ns;
}

// What its minute has no room for at that time; else BOARD_USABLE.
static enum board_why lacking(const struct board_published *p, uint64_t now_ns, uint64_t *out_when) {
    static const enum board_why whys[] = {[LIMIT_OF_REQUESTS] = BOARD_REQUESTS,
                                          [LIMIT_OF_TOKENS] = BOARD_TOKENS,
                                          [LIMIT_OF_INPUT_TOKENS] = BOARD_INPUT_TOKENS,
                                          [LIMIT_OF_OUTPUT_TOKENS] = BOARD_OUTPUT_TOKENS};
    static const enum limit_kind order[] = {LIMIT_OF_REQUESTS, LIMIT_OF_TOKENS, LIMIT_OF_INPUT_TOKENS,
                                            LIMIT_OF_OUTPUT_TOKENS};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        *out_when = load(&p->headroom[order[i]].usable_ns);
        if (now_ns < *out_when) return whys[order[i]];
    }
    return BOARD_USABLE;
}

// The first reason in the order in which board_begin asks.
static void view_usable(const struct board_published *p, uint32_t state, uint64_t now_ns, struct board_view *out) {
    uint64_t until = load(&p->until_ns), room_at;
    enum board_why lacks = lacking(p, now_ns, &room_at);
    out->usable = true;
    out->why = BOARD_USABLE;
    out->retry_at_ns = now_ns;
    out->open_until_ns = out->breaker == BREAKER_OPEN ? until : 0;
    if (!out->healthy)
        no(out, BOARD_UNHEALTHY, UINT64_MAX);
    else if (now_ns < out->cooldown_until_ns)
        no(out, now_ns < load(&p->refused_ns) ? BOARD_KEY_REFUSED : BOARD_COOLDOWN, out->cooldown_until_ns);
    else if (state & PUBLISHED_SHUT)
        no(out, BOARD_REDIS_AWAY, UINT64_MAX);
    else if (out->concurrency && out->in_flight >= out->concurrency)
        no(out, BOARD_CONCURRENCY, UINT64_MAX);
    else if (lacks != BOARD_USABLE)
        no(out, lacks, room_at);
    else if (out->breaker == BREAKER_OPEN && now_ns < until)
        no(out, BOARD_OPEN, until);
    // One whose probes hang for too long is decided by the next attempt that asks.
    else if (out->breaker == BREAKER_HALF_OPEN && !(state & PUBLISHED_PROBES_FREE) && now_ns < until)
        no(out, BOARD_PROBING, until);
    out->probe = out->usable && out->breaker != BREAKER_CLOSED;
}

// How long ago it was published, and what is left of its averages since.
static float past_of(const struct board_published *p, uint64_t now_ns) {
    uint64_t at = load(&p->at_ns);
    return now_ns > at ? (float)(now_ns - at) : 0;
}
static float fade_of(const struct board_published *p, float past) {
    return decay_half_lives(past * board_load_float(&p->half_lives_per_ns));
}

void board_view(const struct board_slot *slot, uint64_t now_ns, struct board_view *out) {
    const struct board_published *p = &slot->seen;
    uint32_t state = load32(&p->state);
    float past = past_of(p, now_ns), fade = fade_of(p, past);
    uint64_t back = load(&p->back_ns), cooldown = load(&p->cooldown_ns);
    bool fresh = now_ns < load(&p->rate_end_ns);
    out->panic = false;
    out->healthy = !(state & PUBLISHED_UNHEALTHY);
    out->breaker = (enum breaker_state)(state & PUBLISHED_STATE);
    out->cooldown_until_ns = now_ns < cooldown ? cooldown : 0;
    view_headroom(p, past, out);
    view_usable(p, state, now_ns, out);
    out->first_token_ns = board_load_float(&p->first_ns) * fade;
    out->total_ns = board_load_float(&p->total_ns) * fade;
    out->error_rate = fresh ? board_load_float(&p->error_rate) : 0;
    out->window_requests = fresh ? load32(&p->window_requests) : 0;
    out->first_token_slow_ns = load(&p->first_slow_ns);
    out->total_slow_ns = load(&p->total_slow_ns);
    out->tokens_second = board_load_float(&p->tokens_second);
    out->slow_start = 1;
    float per_ns = board_load_float(&p->slow_per_ns);
    if (back && per_ns > 0) {
        float share = now_ns > back ? (float)(now_ns - back) * per_ns : 0;
        out->slow_start = share < SLOW_START_LEAST ? SLOW_START_LEAST : share < 1 ? share : 1;
    }
}

void board_state(const struct board_slot *slot, uint64_t now_ns, struct board_state *out) {
    const struct board_published *p = &slot->seen;
    if (now_ns >= load(&p->well_from_ns)) {
        *out = (struct board_state){true, BOARD_USABLE, load32(&p->in_flight), 1};
        return;
    }
    struct board_view v;
    board_view(slot, now_ns, &v);
    *out = (struct board_state){v.usable, (uint8_t)v.why, v.in_flight, v.slow_start};
}

float board_first_token_ns(const struct board_slot *slot, uint64_t now_ns) {
    const struct board_published *p = &slot->seen;
    return board_load_float(&p->first_ns) * fade_of(p, past_of(p, now_ns));
}

float board_tokens_share(const struct board_slot *slot, uint64_t now_ns) {
    const struct board_published *p = &slot->seen;
    float room, share, least = 1, past = past_of(p, now_ns);
    for (int kind = 0; kind < LIMIT_TOKEN_KINDS; kind++) {
        view_room(&p->headroom[kind], past, &room, &share);
        least = MIN(least, share);
    }
    return least;
}

static bool is_sick(const struct board_view *v) { return !v->usable && board_is_sick(v->why); }

bool board_panic(struct board_view *views, size_t n, const struct outlier_rules *rules) {
    size_t sick = 0;
    for (size_t i = 0; i < n; i++) sick += is_sick(&views[i]);
    if (!outlier_panic(rules, sick, n)) return false;
    for (size_t i = 0; i < n; i++)
        if (is_sick(&views[i])) views[i].usable = views[i].panic = true;
    return true;
}

static struct quality_rules quality_rules(const struct board_slot *slot) {
    return (struct quality_rules){board_load_float(&slot->quality_prior), board_load_float(&slot->quality_prior_weight),
                                  load(&slot->quality_half_ns)};
}

void board_quality_add(struct board_slot *slot, unsigned task, float score, float weight, uint64_t now_ns) {
    struct quality_rules rules = quality_rules(slot);
    quality_add(&slot->quality[0], &rules, score, weight, now_ns);
    if (task && task < BOARD_TASKS_MAX) quality_add(&slot->quality[task], &rules, score, weight, now_ns);
}

// Whoever is one of many is heard as far as its own word stays a small part of what is known, the prior with it: of the
// task, of which less is known than of the whole.
void board_quality_say(struct board_slot *slot, unsigned task, float score, float weight, uint64_t who,
                       uint64_t now_ns) {
    struct quality_rules rules = quality_rules(slot);
    quality_cell *voice = &slot->voices[who % VOICES];
    float all = rules.prior_weight + board_quality_weight(slot, task, now_ns);
    float part = MIN(weight, all * BOARD_VOICE_SHARE - quality_weight(voice, &rules, now_ns));
    if (!(part > 0)) return;
    quality_add(voice, &rules, score, part, now_ns);
    board_quality_add(slot, task, score, part, now_ns);
}

// A task of which little is known leans on the whole.
float board_quality(const struct board_slot *slot, unsigned task, uint64_t now_ns) {
    struct quality_rules rules = quality_rules(slot);
    float whole = quality_get(&slot->quality[0], &rules, now_ns);
    if (!task || task >= BOARD_TASKS_MAX) return whole;
    rules.prior = whole;
    return quality_get(&slot->quality[task], &rules, now_ns);
}

float board_quality_weight(const struct board_slot *slot, unsigned task, uint64_t now_ns) {
    struct quality_rules rules = quality_rules(slot);
    return quality_weight(&slot->quality[task < BOARD_TASKS_MAX ? task : 0], &rules, now_ns);
}

static int64_t wall_time(uint64_t until_ns, uint64_t now_ns, int64_t unix_ns) {
    return until_ns > now_ns ? unix_ns + (int64_t)(until_ns - now_ns) : 0;
}

void board_slot_share(const struct board_slot *slot, uint64_t now_ns, int64_t unix_ns, struct board_share *out) {
    const struct board_published *p = &slot->seen;
    bool open = (load32(&p->state) & PUBLISHED_STATE) == BREAKER_OPEN;
    out->open_until_unix_ns = open ? wall_time(load(&p->until_ns), now_ns, unix_ns) : 0;
    out->cooldown_until_unix_ns = wall_time(load(&p->cooldown_ns), now_ns, unix_ns);
    out->refused_until_unix_ns = wall_time(load(&p->refused_ns), now_ns, unix_ns);
}
