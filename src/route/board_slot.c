// What changes a slot: attempts and their ends, cooldowns, active checks, ejections, what other replicas found.
#include "route/board_impl.h"

// Beyond all sense, and far from overflow.
#define TOKENS_MAX (UINT64_C(1) << 40)
// Quantiles are worked out anew after so many samples, or so long.
#define QUANTILES_EVERY 16
#define QUANTILES_AGE_NS UINT64_C(1000000000)

static uint64_t part_of(uint64_t limit, uint32_t servers) {
    return limit ? MAX(limit / MAX(servers, 1U), UINT64_C(1)) : 0;
}

// This server's part; never nothing, so many servers may together go a little beyond a small limit.
static struct limit_rules divided(const struct board_slot *slot) {
    const struct limit_rules *l = &slot->stated;
    struct limit_rules part = {.concurrency = (uint32_t)part_of(l->concurrency, slot->servers),
                               .cached_free = l->cached_free};
    for (int kind = 0; kind < LIMIT_KINDS; kind++) part.minute[kind] = part_of(l->minute[kind], slot->servers);
    return part;
}

void board_slot_divide(struct board_slot *slot, uint32_t servers, bool closed) {
    mutex_lock(&slot->lock);
    bool changed = slot->closed != closed;
    if (MAX(slot->servers, 1U) != MAX(servers, 1U)) {
        slot->servers = servers;
        slot->tuning.limits = divided(slot);
        changed = true;
    }
    slot->closed = closed;
    if (changed) board_publish(slot, atom_load_relaxed(&slot->seen.at_ns));
    mutex_unlock(&slot->lock);
}

void board_slot_tune(struct board_slot *slot, const struct board_tuning *tuning) {
    mutex_lock(&slot->lock);
    if (slot->tuning.breaker.window_ns != tuning->breaker.window_ns) window_clear(&slot->breaker.window);
    slot->tuning = *tuning;
    slot->stated = tuning->limits;
    slot->tuning.limits = divided(slot);
    slot->tuning.breaker.window_ns = MAX(tuning->breaker.window_ns, (uint64_t)WINDOW_BUCKETS);
    atom_store_relaxed(&slot->quality_half_ns, tuning->quality.half_life_ns);
    board_store_float(&slot->quality_prior, tuning->quality.prior);
    board_store_float(&slot->quality_prior_weight, tuning->quality.prior_weight);
    board_publish(slot, atom_load_relaxed(&slot->seen.at_ns));
    mutex_unlock(&slot->lock);
}

static bool refuse(struct board_refusal *out, enum board_why why, uint64_t retry_at_ns) {
    *out = (struct board_refusal){why, retry_at_ns};
    return false;
}

static bool may_begin(struct board_slot *slot, const struct limit_tokens *tokens, unsigned flags, uint64_t now_ns,
                      struct board_refusal *out) {
    static const enum board_why whys[] = {[LIMIT_CONCURRENCY] = BOARD_CONCURRENCY,
                                          [LIMIT_REQUESTS] = BOARD_REQUESTS,
                                          [LIMIT_TOKENS] = BOARD_TOKENS,
                                          [LIMIT_INPUT_TOKENS] = BOARD_INPUT_TOKENS,
                                          [LIMIT_OUTPUT_TOKENS] = BOARD_OUTPUT_TOKENS,
                                          [LIMIT_TOO_LARGE] = BOARD_TOO_LARGE};
    uint64_t when;
    bool force = flags & BOARD_FORCE;
    if (slot->unhealthy && !force) return refuse(out, BOARD_UNHEALTHY, UINT64_MAX);
    if (now_ns < slot->cooldown_ns)
        return refuse(out, now_ns < slot->refused_ns ? BOARD_KEY_REFUSED : BOARD_COOLDOWN, slot->cooldown_ns);
    if (board_shut(slot)) return refuse(out, BOARD_REDIS_AWAY, now_ns + UINT64_C(1000000000));
    enum limit_answer answer = limit_ask(&slot->limit, &slot->tuning.limits, tokens, now_ns, &when);
    return answer == LIMIT_ROOM || refuse(out, whys[answer], when);
}

// The breaker comes last, so that no probe's place is taken by an attempt that does not begin.
static bool pass_breaker(struct board_slot *slot, unsigned flags, uint64_t now_ns, uint64_t draw,
                         struct breaker_permit *out_permit, struct board_refusal *out) {
    struct breaker *b = &slot->breaker;
    const struct breaker_rules *rules = &slot->tuning.breaker;
    uint8_t before = b->state;
    if (breaker_begin(b, rules, now_ns, draw, out_permit)) return true;
    if (b->state == BREAKER_OPEN && before != BREAKER_OPEN) slot->totals.openings++;
    if (flags & BOARD_FORCE) {
        *out_permit = breaker_force(b);
        return true;
    }
    return refuse(out, b->state == BREAKER_OPEN ? BOARD_OPEN : BOARD_PROBING, b->until_ns);
}

bool board_begin(struct board_slot *slot, struct limit_tokens tokens, unsigned flags, uint64_t now_ns, uint64_t draw,
                 struct board_ticket *out_ticket, struct board_refusal *out_refusal) {
    struct breaker_permit permit;
    for (int kind = 0; kind < LIMIT_TOKEN_KINDS; kind++) tokens.of[kind] = MIN(tokens.of[kind], TOKENS_MAX);
    mutex_lock(&slot->lock);
    bool ok = may_begin(slot, &tokens, flags, now_ns, out_refusal) &&
              pass_breaker(slot, flags, now_ns, draw, &permit, out_refusal);
    if (ok) {
        limit_begin(&slot->limit, &tokens, now_ns);
        slot->in_flight++;
        slot->awaited++;
        slot->totals.begun++;
        *out_ticket = (struct board_ticket){
            .permit = permit, .under_way = true, .begun_ns = now_ns, .tokens = tokens, .number = ++slot->number};
    } else {
        slot->totals.refused++;
    }
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
    return ok;
}

bool board_more(struct board_slot *slot, struct board_ticket *ticket, uint32_t requests, uint64_t now_ns,
                struct board_refusal *out_refusal) {
    uint64_t when;
    mutex_lock(&slot->lock);
    bool ok = limit_more(&slot->limit, &slot->tuning.limits, requests, now_ns, &when);
    if (ok)
        ticket->more += requests;
    else
        slot->totals.refused++;
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
    return ok || refuse(out_refusal, when == UINT64_MAX ? BOARD_TOO_LARGE : BOARD_REQUESTS, when);
}

bool board_widen(struct board_slot *slot, struct board_ticket *ticket, uint64_t now_ns) {
    mutex_lock(&slot->lock);
    bool ok = limit_widen(&slot->limit, &slot->tuning.limits);
    ticket->places += ok;
    slot->in_flight += ok;
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
    return ok;
}

void board_narrow(struct board_slot *slot, struct board_ticket *ticket, uint64_t now_ns) {
    INVARIANT(ticket->places > 0);
    mutex_lock(&slot->lock);
    limit_narrow(&slot->limit, 1);
    ticket->places--;
    slot->in_flight--;
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
}

static uint64_t past(uint64_t then_ns, uint64_t now_ns) { return now_ns > then_ns ? now_ns - then_ns : 0; }

void board_first_token(struct board_slot *slot, struct board_ticket *ticket, uint64_t now_ns) {
    if (!ticket->under_way || ticket->first_ns) return;
    uint64_t took = past(ticket->begun_ns, now_ns);
    ticket->first_ns = MAX(now_ns, UINT64_C(1));
    mutex_lock(&slot->lock);
    slot->awaited--;
    latency_ewma_add(&slot->first, slot->tuning.latency_half_ns, took, now_ns);
    latency_sketch_add(&slot->first_sketch, slot->tuning.quantile_half_ns, took, now_ns);
    slot->quantiles_new++;
    breaker_answers(&slot->breaker, &ticket->permit);
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
}

// From now on its share grows.
static void note_closed(struct board_slot *slot, uint8_t before, uint64_t now_ns) {
    if (before != BREAKER_CLOSED && slot->breaker.state == BREAKER_CLOSED) slot->back_ns = MAX(now_ns, UINT64_C(1));
}

void board_proved(struct board_slot *slot, struct board_ticket *ticket, uint64_t now_ns) {
    if (!ticket->under_way) return;
    mutex_lock(&slot->lock);
    uint8_t before = slot->breaker.state;
    breaker_prove(&slot->breaker, &slot->tuning.breaker, &ticket->permit, now_ns);
    note_closed(slot, before, now_ns);
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
}

// What ended before its time says that the whole would have taken longer: a target must not look fast because slow
// answers are given up.
static void observe_cut_short(struct board_slot *slot, const struct board_ticket *ticket, uint64_t took,
                              uint64_t now_ns) {
    const struct board_tuning *t = &slot->tuning;
    latency_ewma_at_least(&slot->total, t->latency_half_ns, took, now_ns);
    if (ticket->first_ns) return;
    latency_ewma_at_least(&slot->first, t->latency_half_ns, took, now_ns);
    if (took < slot->first_slow_ns) return;
    latency_sketch_add(&slot->first_sketch, t->quantile_half_ns, took, now_ns);
    slot->quantiles_new++;
}

static void observe(struct board_slot *slot, const struct board_ticket *ticket, const struct board_outcome *outcome,
                    uint64_t now_ns) {
    const struct board_tuning *t = &slot->tuning;
    uint64_t took = past(ticket->begun_ns, now_ns);
    if (outcome->failure == FAILURE_CANCELLED || failure_is_timeout(outcome->failure)) {
        observe_cut_short(slot, ticket, took, now_ns);
    } else if (outcome->failure == FAILURE_NONE || outcome->failure == FAILURE_QUALITY) {
        latency_ewma_add(&slot->total, t->latency_half_ns, took, now_ns);
        latency_sketch_add(&slot->total_sketch, t->quantile_half_ns, took, now_ns);
        slot->quantiles_new++;
        uint64_t from = ticket->first_ns && ticket->first_ns < now_ns ? ticket->first_ns : ticket->begun_ns;
        latency_speed_add(&slot->speed, t->quantile_half_ns, outcome->output_tokens, past(from, now_ns), now_ns);
    }
}

static uint64_t quantile(const struct board_slot *slot, const struct latency_sketch *sketch, uint64_t now_ns) {
    float count = latency_sketch_count(sketch, slot->tuning.quantile_half_ns, now_ns);
    return count >= (float)slot->tuning.quantile_min ? latency_sketch_quantile(sketch, slot->tuning.quantile) : 0;
}

static void renew_quantiles(struct board_slot *slot, uint64_t now_ns) {
    if (!slot->quantiles_new) return;
    if (slot->quantiles_new < QUANTILES_EVERY && now_ns < slot->quantiles_ns + QUANTILES_AGE_NS) return;
    slot->first_slow_ns = quantile(slot, &slot->first_sketch, now_ns);
    slot->total_slow_ns = quantile(slot, &slot->total_sketch, now_ns);
    slot->quantiles_new = 0;
    slot->quantiles_ns = now_ns;
}

static void cool(struct board_slot *slot, uint64_t until_ns, uint64_t now_ns) {
    uint64_t most = now_ns + slot->tuning.cooldown_max_ns;
    if (slot->cooldown_ns <= now_ns && MIN(until_ns, most) > now_ns) slot->totals.cooldowns++;
    slot->cooldown_ns = MAX(slot->cooldown_ns, MIN(until_ns, most));
}

static void cool_after(struct board_slot *slot, const struct board_outcome *outcome, uint64_t now_ns) {
    enum failure_cooldown rule = failure_info(outcome->failure)->cooldown;
    uint64_t wait = 0;
    if (rule == FAILURE_COOLDOWN_NEVER) return;
    if (outcome->rate)
        wait =
            outcome->failure == FAILURE_RATE_LIMIT ? rate_headers_wait(outcome->rate) : outcome->rate->retry_after_ns;
    if (!wait && rule == FAILURE_COOLDOWN_ALWAYS)
        wait = outcome->failure == FAILURE_AUTH ? slot->tuning.cooldown_auth_ns : slot->tuning.cooldown_ns;
    if (!wait) return;
    cool(slot, now_ns + MIN(wait, RATE_MAX_NS), now_ns);
    if (outcome->failure == FAILURE_AUTH) slot->refused_ns = slot->cooldown_ns;
}

static void learn(struct board_slot *slot, const struct board_ticket *ticket, const struct rate_headers *rate,
                  uint64_t now_ns) {
    static const enum limit_kind kinds[RATE_OF_COUNT] = {[RATE_OF_REQUESTS] = LIMIT_OF_REQUESTS,
                                                         [RATE_OF_TOKENS] = LIMIT_OF_TOKENS,
                                                         [RATE_OF_INPUT] = LIMIT_OF_INPUT_TOKENS,
                                                         [RATE_OF_OUTPUT] = LIMIT_OF_OUTPUT_TOKENS};
    double since = slot->number > ticket->number ? (double)(slot->number - ticket->number) : 0;
    for (int of = 0; of < RATE_OF_COUNT; of++) {
        const struct rate_counter *c = &rate->of[of];
        if (!rate_headers_told(rate, (enum rate_of)of)) continue;
        limit_learn(&slot->limit, kinds[of], (double)c->remaining - (of == RATE_OF_REQUESTS ? since : 0),
                    c->has_limit ? (double)c->limit : 0, c->reset_ns, now_ns);
    }
}

static enum breaker_result result_of(enum failure failure) {
    if (failure == FAILURE_NONE) return BREAKER_SUCCESS;
    return failure_info(failure)->breaker ? BREAKER_FAILURE : BREAKER_NEUTRAL;
}

static bool end_breaker(struct board_slot *slot, const struct board_ticket *ticket, const struct board_outcome *outcome,
                        uint64_t now_ns) {
    struct breaker *b = &slot->breaker;
    uint8_t before = b->state;
    breaker_end(b, &slot->tuning.breaker, ticket->permit, result_of(outcome->failure), now_ns, outcome->draw);
    bool opened = b->state == BREAKER_OPEN && before != BREAKER_OPEN;
    slot->totals.openings += opened;
    note_closed(slot, before, now_ns);
    return opened;
}

// What it counts for in the limits.
static struct limit_tokens used_of(const struct board_slot *slot, const struct board_ticket *ticket,
                                   const struct board_outcome *outcome) {
    if (!outcome->tokens_known) return ticket->tokens;
    uint64_t input = MIN(outcome->input_tokens, TOKENS_MAX), output = MIN(outcome->output_tokens, TOKENS_MAX);
    struct limit_tokens used = limit_tokens(input, output);
    if (slot->tuning.limits.cached_free) used.input -= MIN(outcome->cached_tokens, input);
    return used;
}

bool board_end(struct board_slot *slot, struct board_ticket *ticket, const struct board_outcome *outcome,
               uint64_t now_ns) {
    INVARIANT((unsigned)outcome->failure < FAILURE_COUNT);
    if (!ticket->under_way) return false;
    ticket->under_way = false;
    mutex_lock(&slot->lock);
    INVARIANT(slot->in_flight > ticket->places);
    slot->in_flight -= 1 + ticket->places;
    limit_narrow(&slot->limit, ticket->places);
    if (!ticket->first_ns) slot->awaited--;
    if (outcome->unsent) {
        slot->number--;
        limit_cancel(&slot->limit, &ticket->tokens, ticket->begun_ns, now_ns);
        limit_fewer(&slot->limit, ticket->more, ticket->begun_ns);
    } else {
        const struct limit_tokens used = used_of(slot, ticket, outcome);
        limit_end(&slot->limit, &ticket->tokens, &used, now_ns);
    }
    if (outcome->unsent && outcome->failure == FAILURE_CANCELLED)
        slot->totals.begun--;
    else
        slot->totals.ended[outcome->failure]++;
    if (outcome->rate) learn(slot, ticket, outcome->rate, now_ns);
    cool_after(slot, outcome, now_ns);
    if (!outcome->unsent) observe(slot, ticket, outcome, now_ns);
    bool opened = end_breaker(slot, ticket, outcome, now_ns);
    renew_quantiles(slot, now_ns);
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
    return opened;
}

void board_wait(struct board_slot *slot, unsigned class) { atom_add(&slot->waiting[class], 1); }

void board_wait_over(struct board_slot *slot, unsigned class) { atom_sub(&slot->waiting[class], 1); }

uint64_t board_waiting(const struct board_slot *slot, unsigned classes) {
    uint64_t n = 0;
    for (unsigned i = 0; i < classes; i++) n += atom_load_relaxed(&slot->waiting[i]);
    return n;
}

void board_cooldown(struct board_slot *slot, uint64_t until_ns, uint64_t now_ns) {
    mutex_lock(&slot->lock);
    if (until_ns)
        cool(slot, until_ns, now_ns);
    else
        slot->cooldown_ns = slot->refused_ns = 0;
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
}

bool board_health(struct board_slot *slot, bool good, uint64_t now_ns) {
    mutex_lock(&slot->lock);
    bool was = slot->unhealthy;
    slot->checks_good = good ? MIN(slot->checks_good + 1, UINT32_MAX - 1) : 0;
    slot->checks_bad = good ? 0 : MIN(slot->checks_bad + 1, UINT32_MAX - 1);
    if (slot->checks_good >= MAX(slot->tuning.rise, 1u))
        slot->unhealthy = false;
    else if (slot->checks_bad >= MAX(slot->tuning.fall, 1u))
        slot->unhealthy = true;
    if (was && !slot->unhealthy) slot->back_ns = MAX(now_ns, UINT64_C(1));
    bool turned = was != slot->unhealthy;
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
    return turned;
}

static void eject(struct board_slot *slot, uint64_t now_ns, uint64_t draw) {
    mutex_lock(&slot->lock);
    if (slot->breaker.state == BREAKER_CLOSED) {
        breaker_open(&slot->breaker, &slot->tuning.breaker, now_ns, draw);
        slot->totals.openings++;
        slot->totals.ejections++;
    }
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
}

static struct outlier_target standing(struct board_slot *slot, uint64_t now_ns) {
    mutex_lock(&slot->lock);
    struct window_sum sum = window_sum(&slot->breaker.window, slot->tuning.breaker.window_ns, now_ns);
    bool out = slot->unhealthy || slot->breaker.state != BREAKER_CLOSED;
    mutex_unlock(&slot->lock);
    return (struct outlier_target){sum.good, sum.bad, out};
}

size_t board_outliers(struct board_slot *const *slots, size_t n, const struct outlier_rules *rules, uint64_t now_ns,
                      uint64_t draw) {
    struct outlier_target targets[64];
    size_t ejected = 0;
    n = MIN(n, ARRAY_LEN(targets));
    for (size_t i = 0; i < n; i++) targets[i] = standing(slots[i], now_ns);
    for (;;) {
        size_t worst = outlier_find(rules, targets, n);
        if (worst == n) return ejected;
        eject(slots[worst], now_ns, draw);
        targets[worst].out = true;
        ejected++;
    }
}

void board_totals(const struct board_slot *slot, struct board_totals *out) {
    struct board_slot *s = (struct board_slot *)(uintptr_t)slot; // its lock is all that is touched
    mutex_lock(&s->lock);
    *out = s->totals;
    mutex_unlock(&s->lock);
}

bool board_turned(struct board_slot *slot, const struct board_view *view, enum board_why *out_before,
                  enum board_why *out_now) {
    enum board_why now = !view->healthy ? BOARD_UNHEALTHY : view->breaker != BREAKER_CLOSED ? BOARD_OPEN : BOARD_USABLE;
    mutex_lock(&slot->lock);
    *out_before = (enum board_why)slot->told;
    slot->told = (uint8_t)now;
    mutex_unlock(&slot->lock);
    *out_now = now;
    return *out_before != now;
}

static uint64_t left_of(int64_t until_unix_ns, int64_t unix_ns) {
    if (until_unix_ns <= unix_ns) return 0;
    uint64_t left = (uint64_t)until_unix_ns - (uint64_t)unix_ns;
    return MIN(left, RATE_MAX_NS);
}

void board_slot_learn(struct board_slot *slot, const struct board_share *share, uint64_t now_ns, int64_t unix_ns) {
    uint64_t cooldown = left_of(share->cooldown_until_unix_ns, unix_ns);
    uint64_t open = left_of(share->open_until_unix_ns, unix_ns);
    uint64_t refused = left_of(share->refused_until_unix_ns, unix_ns);
    mutex_lock(&slot->lock);
    if (cooldown) cool(slot, now_ns + cooldown, now_ns);
    if (refused) slot->refused_ns = MAX(slot->refused_ns, now_ns + refused);
    if (open && slot->breaker.state == BREAKER_CLOSED) {
        breaker_open_until(&slot->breaker, &slot->tuning.breaker, now_ns + open, now_ns);
        slot->totals.openings++;
    }
    board_publish(slot, now_ns);
    mutex_unlock(&slot->lock);
}
