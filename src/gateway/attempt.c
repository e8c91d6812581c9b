// One try of one target, and what the board learns of it.
#include "gateway/attempt.h"

#include "gateway/call.h"
#include "gateway/fan.h"
#include "gateway/opening.h"
#include "os/clock.h"

#define WRITTEN_MAX ((size_t)256 << 20) // a body may grow by escapes, but not without end

void attempt_init(struct attempt *a, struct call *call) {
    a->call = call;
    buf_init(&a->written, WRITTEN_MAX);
}

void attempt_reset(struct attempt *a) {
    INVARIANT(!a->taken && !a->exchange && !a->fan && !a->opening);
    struct buf written = a->written;
    struct call *call = a->call;
    struct str *body = a->body;
    buf_clear(&written);
    *a = (struct attempt){.call = call, .written = written, .body = body};
}

void attempt_release(struct attempt *a) {
    attempt_end(a, FAILURE_CANCELLED);
    buf_free(&a->written);
}

// --- the board ---

// What counting tokens is admitted with is nothing, and nothing comes back from it.
static struct limit_tokens tokens_of(const struct call *call) {
    uint64_t input = model_request_estimate(&call->request), all = call->admission.ask.tokens;
    struct limit_tokens tokens = limit_tokens(input, all > input ? all - input : 0);
    tokens.expected_output = MIN(tokens.output, estimate_length(&call->gl->estimates, &call->request, tokens.output));
    return tokens;
}

static const struct board_outcome k_not_begun = {.failure = FAILURE_CANCELLED, .unsent = true};

// What is asked of the board for one attempt.
struct wish {
    struct limit_tokens tokens;
    uint64_t now, draw;
    unsigned flags;
};

static bool begin(struct board_slot *slot, const struct wish *w, unsigned flags, struct board_ticket *out_ticket,
                  struct board_refusal *out_refusal) {
    return !slot || board_begin(slot, w->tokens, flags, w->now, w->draw, out_ticket, out_refusal);
}

// Of the keys that may be tried, one by weight; PROVIDER_KEYS_MAX: none.
static size_t draw_key(const struct conf_provider *p, uint32_t left_out, uint64_t draw) {
    uint64_t sum = 0;
    for (size_t k = 0; k < p->keys.n; k++)
        if (!(left_out >> k & 1)) sum += (uint64_t)p->keys.p[k].weight;
    if (!sum) return PROVIDER_KEYS_MAX;
    uint64_t at = draw % sum;
    for (size_t k = 0;; k++) {
        if (left_out >> k & 1) continue;
        uint64_t weight = (uint64_t)p->keys.p[k].weight;
        if (at < weight) return k;
        at -= weight;
    }
}

static bool begin_key(struct attempt *a, const struct route_target *t, const struct wish *w, size_t k,
                      struct board_refusal *out_refusal) {
    struct board_slot *whole = a->call->runtime->routes->keys[t->provider->index][k];
    if (!begin(whole, w, 0, &a->key_ticket, out_refusal)) return false;
    if (begin(t->node ? t->node->keys[k] : NULL, w, 0, &a->model_key, out_refusal)) return true;
    board_end(whole, &a->key_ticket, &k_not_begun, w->now);
    return false;
}

// False: *out_refusal is of the key that tells most.
static bool take_key(struct attempt *a, const struct route_target *t, const struct wish *w,
                     struct board_refusal *out_refusal) {
    struct board_refusal refusal;
    uint32_t left_out = a->keys_left_out;
    *out_refusal = (struct board_refusal){BOARD_TOO_LARGE, UINT64_MAX};
    for (;;) {
        size_t k = draw_key(t->provider, left_out, gateway_draw(a->call->gl) >> 16);
        if (k == PROVIDER_KEYS_MAX) return false;
        if (begin_key(a, t, w, k, &refusal)) {
            a->key = k;
            return true;
        }
        left_out |= 1u << k;
        if (board_refusal_before(&refusal, out_refusal)) *out_refusal = refusal;
    }
}

// What it holds: places for tickets, of which those without a slot are left out.
#define HELD_MAX 4
struct held {
    struct board_slot *slot;
    struct board_ticket *ticket;
};

static size_t held_of(struct attempt *a, const struct route_target *t, struct held out[HELD_MAX]) {
    size_t n = 0;
    if (t->provider_slot) out[n++] = (struct held){t->provider_slot, &a->provider_ticket};
    if (t->slot) out[n++] = (struct held){t->slot, &a->ticket};
    if (a->keyed) out[n++] = (struct held){a->call->runtime->routes->keys[t->provider->index][a->key], &a->key_ticket};
    if (a->keyed && t->node) out[n++] = (struct held){t->node->keys[a->key], &a->model_key};
    return n;
}

// Each piece of a long list is a request to its provider. False: nothing is held any more.
static bool take_pieces(struct attempt *a, const struct route_target *t, uint64_t now,
                        struct board_refusal *out_refusal) {
    struct held held[HELD_MAX];
    size_t pieces = fan_pieces(a->call, t->provider), n = pieces > 1 ? held_of(a, t, held) : 0;
    for (size_t i = 0; i < n; i++) {
        if (board_more(held[i].slot, held[i].ticket, (uint32_t)(pieces - 1), now, out_refusal)) continue;
        for (size_t k = n; k-- > 0;) board_end(held[k].slot, held[k].ticket, &k_not_begun, now);
        return false;
    }
    return true;
}

bool attempt_widen(struct attempt *a) {
    struct held held[HELD_MAX];
    size_t n = held_of(a, &a->call->route.targets[a->target], held);
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; i < n; i++) {
        if (board_widen(held[i].slot, held[i].ticket, now)) continue;
        while (i-- > 0) board_narrow(held[i].slot, held[i].ticket, now);
        return false;
    }
    return true;
}

bool attempt_take(struct attempt *a, size_t target, struct board_refusal *out_refusal) {
    struct call *call = a->call;
    const struct route_target *t = &call->route.targets[target];
    const struct wish w = {.tokens = tokens_of(call),
                           .now = clock_mono_ns(),
                           .draw = gateway_draw(call->gl),
                           .flags = t->force || t->last ? BOARD_FORCE : 0};
    if (!begin(t->provider_slot, &w, w.flags, &a->provider_ticket, out_refusal)) return false;
    bool begun = begin(t->slot, &w, w.flags, &a->ticket, out_refusal);
    a->keyed = t->provider->keys.n > 0;
    if (!begun || (a->keyed && !take_key(a, t, &w, out_refusal))) {
        if (begun && t->slot) board_end(t->slot, &a->ticket, &k_not_begun, w.now);
        if (t->provider_slot) board_end(t->provider_slot, &a->provider_ticket, &k_not_begun, w.now);
        return false;
    }
    if (!take_pieces(a, t, w.now, out_refusal)) return false;
    a->taken = true;
    a->target = target;
    a->provider = &call->runtime->providers[t->provider->index];
    return true;
}

bool attempt_take_key(struct attempt *a, const struct attempt *failed) {
    struct board_refusal ignored;
    if (!failed->taken || !failed->keyed) return false;
    a->keys_left_out = failed->keys_left_out | 1u << failed->key;
    if (attempt_take(a, failed->target, &ignored)) return true;
    a->keys_left_out = 0;
    return false;
}

void attempt_first(struct attempt *a) {
    const struct route_target *t = &a->call->route.targets[a->target];
    if (a->taken && t->slot) board_first_token(t->slot, &a->ticket, clock_mono_ns());
}

bool attempt_is_probe(const struct attempt *a) {
    return a->taken && !a->looked && a->ticket.permit.probe && a->call->route.targets[a->target].slot;
}

void attempt_looked(struct attempt *a, bool well) {
    a->looked = true;
    if (well) board_proved(a->call->route.targets[a->target].slot, &a->ticket, clock_mono_ns());
}

static void tell_board(struct attempt *a, enum failure why) {
    const struct call *call = a->call;
    const struct route_target *t = &call->route.targets[a->target];
    bool counted = a == call->at && call->usage_known;
    const struct board_outcome o = {.failure = why,
                                    .unsent = !a->sent_ns,
                                    .tokens_known = counted,
                                    .input_tokens = counted ? call->usage.prompt : 0,
                                    .cached_tokens = counted ? call->usage.cached : 0,
                                    .output_tokens = counted ? call->usage.output : 0,
                                    .rate = &a->rate,
                                    .draw = gateway_draw(call->gl)};
    uint64_t now = clock_mono_ns();
    // What a provider says of limits is of one model mostly: others of its models are not kept waiting for it. Nor are
    // other keys, where there are several.
    struct board_outcome whole = o, target = o;
    whole.rate = NULL;
    if (a->keyed && why != FAILURE_OVERLOADED) target.rate = NULL;
    if (t->slot && board_end(t->slot, &a->ticket, &target, now)) a->opened = true;
    if (a->note) a->note->opened = a->opened;
    if (a->keyed) board_end(call->runtime->routes->keys[t->provider->index][a->key], &a->key_ticket, &whole, now);
    if (a->keyed && t->node) board_end(t->node->keys[a->key], &a->model_key, &o, now);
    if (t->provider_slot) board_end(t->provider_slot, &a->provider_ticket, &whole, now);
}

void attempt_failed(struct attempt *a, enum failure why) {
    if (a->taken) tell_board(a, why); // which hears of it once
}

void attempt_end(struct attempt *a, enum failure why) {
    if (a->exchange) http_exchange_cancel(a->exchange);
    a->exchange = NULL;
    fan_cancel(a);
    opening_free(a);
    if (!a->taken) return;
    a->taken = false;
    tell_board(a, why);
    queue_wake(a->call->gl);
}
