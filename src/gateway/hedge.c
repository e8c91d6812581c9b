// A second target asked while the first has not begun to answer.
#include "gateway/hedge.h"

#include "gateway/credential.h"
#include "gateway/pipeline.h"
#include "gateway/record.h"
#include "os/clock.h"

static struct attempt *other(const struct attempt *a) {
    struct call *call = a->call;
    return a == &call->tries[0] ? &call->tries[1] : &call->tries[0];
}

// Asking twice must do no harm, and there must be somebody to ask.
static bool eligible(const struct call *call) {
    const struct failover *f = &call->failover;
    switch (call->at->asks) {
    case OPERATION_CHAT:
    case OPERATION_COMPLETIONS:
    case OPERATION_EMBEDDINGS:
    case OPERATION_RERANK:
    case OPERATION_MODERATIONS:
        break;
    default:
        return false;
    }
    bool next = f->next < call->route.count && !call->route.targets[f->next].last;
    return next && !f->rival && !call->at->fan && !call->at->provider->demo && call->at->exchange &&
           !call->runtime->providers[call->route.targets[f->next].provider->index].demo;
}

// 0: nobody knows.
static uint64_t delay_ms(const struct call *call, const struct conf_hedge *h) {
    if (h->after != OPT_UNSET) return (uint64_t)h->after;
    const struct route_target *t = call_target(call);
    if (!t->slot) return 0;
    struct board_view view;
    board_view(t->slot, clock_mono_ns(), &view);
    return (view.first_token_slow_ns + NS_PER_MS - 1) / NS_PER_MS;
}

static void count(struct call *call, struct str result) {
    struct metric_shard *shard = call->gl->shard;
    metric_add(shard, metric_find(shard, METRIC_HEDGES, &result, 1), 1);
}

// --- the second ---

static bool start(struct call *call, struct attempt *rival) {
    struct err ignored;
    enum credential_state credential = credential_want(call, &ignored);
    // The first is under way: to be resumed would send it anew. Who comes next has the token.
    if (credential == CREDENTIAL_WAIT) wait_leave(call);
    return credential == CREDENTIAL_READY && call_write(call, &ignored) && !rival->fan && call_send(call, &ignored);
}

// Nobody waits for what is asked a second time only in case.
static bool yields(struct call *call) {
    call->place.ahead = QUEUE_OWN_CLASS;
    bool out = queue_yields(call, &call->route.targets[call->failover.next]);
    call->place.ahead = QUEUE_HIGHER_CLASSES;
    return out;
}

static void on_time(struct timer *timer) {
    struct call *call = CONTAINER_OF(timer, struct call, failover.hedge);
    struct failover *f = &call->failover;
    struct route_model *m = call->route.routed;
    struct attempt *first = call->at, *rival = other(call->at);
    struct board_refusal refusal;
    if (call->mode != ANSWER_NONE || call->reply_started || !eligible(call) || yields(call)) return;
    attempt_reset(rival);
    if (!attempt_take(rival, f->next, &refusal)) return;
    if (!retry_budget_take(&m->hedges, &m->hedge_rules, clock_mono_ns())) { // last: nothing is taken of it in vain
        attempt_end(rival, FAILURE_CANCELLED);
        return;
    }
    f->next++;
    rival->hedge = true;
    call->at = rival; // what follows speaks of this one
    bool sent = start(call, rival);
    call->at = first;
    if (!sent) {
        attempt_end(rival, FAILURE_CANCELLED);
        return;
    }
    f->rival = rival;
    count(call, STR("sent"));
}

void hedge_arm(struct call *call) {
    struct route_model *m = call->route.routed;
    if (!m || !m->conf->policy.hedge.share || m->conf->policy.retry.attempts < 2 || call->attempts != 1) return;
    retry_budget_call(&m->hedges, &m->hedge_rules);
    if (!eligible(call)) return;
    uint64_t ms = delay_ms(call, &m->conf->policy.hedge);
    if (!ms) return;
    call->failover.hedge.fn = on_time;
    timer_set(&call->failover.hedge, ms);
}

// --- its end ---

// The records speak of call->at.
static void settle(struct attempt *a, enum failure why, const char *error, int status) {
    struct call *call = a->call;
    struct attempt *at = call->at;
    char text[20];
    call->at = a;
    record_attempt(call, error ? str_c(error) : str_of(text, fmt_u64(text, (uint64_t)status)));
    failover_note(call, a, error, status);
    call->at = at;
    attempt_end(a, why);
}

void hedge_won(struct attempt *a) {
    struct call *call = a->call;
    struct failover *f = &call->failover;
    timer_stop(&f->hedge);
    if (!f->rival) return;
    struct attempt *loser = other(a);
    if (a == f->rival) count(call, STR("won"));
    call->at = a;
    f->rival = NULL;
    settle(loser, FAILURE_CANCELLED, "hedged", 0);
}

bool hedge_lost(struct attempt *a, enum failure why, const char *error, int status) {
    struct call *call = a->call;
    struct failover *f = &call->failover;
    if (!f->rival) return false;
    f->why = why;
    if (why != FAILURE_RATE_LIMIT) f->spent |= 1u << a->target;
    f->rival = NULL;
    call->at = other(a);
    settle(a, why, error, status);
    return true;
}

void hedge_stop(struct call *call) {
    struct failover *f = &call->failover;
    timer_stop(&f->hedge);
    if (!f->rival) return;
    struct attempt *rival = f->rival;
    f->rival = NULL;
    settle(rival, FAILURE_CANCELLED, "hedged", 0);
}
