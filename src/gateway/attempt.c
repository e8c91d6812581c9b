// One try of one target, and what the board learns of it.
#include "gateway/attempt.h"

#include "gateway/call.h"
#include "gateway/fan.h"
#include "os/clock.h"

#define WRITTEN_MAX ((size_t)256 << 20) // a body may grow by escapes, but not without end

void attempt_init(struct attempt *a, struct call *call) {
    a->call = call;
    buf_init(&a->written, WRITTEN_MAX);
}

void attempt_reset(struct attempt *a) {
    INVARIANT(!a->taken && !a->exchange && !a->fan);
    struct buf written = a->written;
    struct call *call = a->call;
    buf_clear(&written);
    *a = (struct attempt){.call = call, .written = written};
}

void attempt_release(struct attempt *a) {
    attempt_end(a, FAILURE_CANCELLED);
    buf_free(&a->written);
}

// --- the board ---

static uint64_t tokens_of(const struct call *call) {
    return call->admission.ask.tokens ? call->admission.ask.tokens : model_request_estimate(&call->request);
}

bool attempt_take(struct attempt *a, size_t target, struct board_refusal *out_refusal) {
    struct call *call = a->call;
    const struct route_target *t = &call->route.targets[target];
    uint64_t now = clock_mono_ns(), tokens = tokens_of(call), draw = gateway_draw(call->gl);
    unsigned flags = t->force || t->last ? BOARD_FORCE : 0;
    if (t->provider_slot && !board_begin(t->provider_slot, tokens, flags, now, draw, &a->provider_ticket, out_refusal))
        return false;
    if (t->slot && !board_begin(t->slot, tokens, flags, now, draw, &a->ticket, out_refusal)) {
        const struct board_outcome none = {.failure = FAILURE_CANCELLED, .tokens_known = true};
        if (t->provider_slot) board_end(t->provider_slot, &a->provider_ticket, &none, now);
        return false;
    }
    a->taken = true;
    a->target = target;
    a->provider = &call->runtime->providers[t->provider->index];
    return true;
}

void attempt_first(struct attempt *a) {
    const struct route_target *t = &a->call->route.targets[a->target];
    if (a->taken && t->slot) board_first_token(t->slot, &a->ticket, clock_mono_ns());
}

static void tell_board(struct attempt *a, enum failure why) {
    const struct call *call = a->call;
    const struct route_target *t = &call->route.targets[a->target];
    bool counted = a == call->at && call->usage_known;
    const struct board_outcome o = {.failure = why,
                                    .tokens_known = counted || !a->sent_ns,
                                    .tokens = counted ? call->usage.prompt + call->usage.output : 0,
                                    .output_tokens = counted ? call->usage.output : 0,
                                    .rate = &a->rate,
                                    .draw = gateway_draw(call->gl)};
    uint64_t now = clock_mono_ns();
    if (t->slot) board_end(t->slot, &a->ticket, &o, now);
    // What a provider says of limits is of one model mostly: others of its models are not kept waiting for it.
    struct board_outcome whole = o;
    whole.rate = NULL;
    if (t->provider_slot) board_end(t->provider_slot, &a->provider_ticket, &whole, now);
}

void attempt_end(struct attempt *a, enum failure why) {
    if (a->exchange) http_exchange_cancel(a->exchange);
    a->exchange = NULL;
    fan_cancel(a);
    if (!a->taken) return;
    a->taken = false;
    tell_board(a, why);
    queue_wake(a->call->gl);
}
