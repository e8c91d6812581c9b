// Where budgets are counted: in this process, or in Redis, which is asked first.
#include "gateway/admit.h"
#include "gateway/quota_share.h"

#define SHARE_LOOK_MS 1

static enum stage_result take_here(struct call *call) {
    struct admission *a = &call->admission;
    return quota_take(&a->grant, call->request.model, &a->refusal) ? STAGE_DONE : STAGE_FAIL;
}

static void forget_held(struct admission *a) {
    quota_held_refund(a->held);
    a->held = NULL;
}

// --- asking Redis ---

// Redis has not said. What it was asked may have been done all the same: that is taken back, or settled at the end.
static enum stage_result without_redis(struct call *call) {
    struct admission *a = &call->admission;
    enum stage_result here = STAGE_FAIL;
    switch ((enum quota_failure)call->runtime->conf->quota.on_failure) {
    case QUOTA_FAIL_OPEN:
        quota_close(&a->grant);
        here = STAGE_DONE;
        break;
    case QUOTA_FAIL_CLOSED:
        a->unsure = true;
        break;
    case QUOTA_FAIL_LOCAL:
        here = take_here(call);
        if (here == STAGE_DONE) return here; // Redis is told at the end
        break;
    }
    forget_held(a);
    return here;
}

static void on_answer(void *ctx, enum quota_answer answer) {
    struct call *call = ctx;
    call->admission.step = ADMIT_ANSWERED;
    call->admission.answer = answer;
    pipeline_resume(call);
}

static enum stage_result ask(struct call *call) {
    struct admission *a = &call->admission;
    uint64_t timeout_ms = (uint64_t)call->runtime->conf->quota.redis_timeout;
    if (!quota_redis_ask(call->gl->quota_redis, &a->grant, call->request.model, timeout_ms, on_answer, call, &a->held))
        return without_redis(call);
    a->step = ADMIT_ASKED;
    return STAGE_WAIT;
}

static enum stage_result answered(struct call *call) {
    struct admission *a = &call->admission;
    uint64_t used;
    a->step = ADMIT_NEW;
    switch (a->answer) {
    case QUOTA_ANSWER_YES:
        quota_force(&a->grant);
        for (unsigned i = 0; i < a->grant.n; i++)
            quota_sync(&a->grant.parts[i], quota_held_used(a->held, i) + a->grant.parts[i].amount);
        return STAGE_DONE;
    case QUOTA_ANSWER_NO: {
        unsigned part = quota_held_refuser(a->held, &used);
        quota_sync(&a->grant.parts[part], used);
        quota_refuse(&a->grant, part, used, &a->refusal);
        forget_held(a);
        return STAGE_FAIL;
    }
    case QUOTA_ANSWER_UNKNOWN:
        break;
    }
    return without_redis(call);
}

// --- shares ---

static bool redis_is_up(const struct call *call) {
    struct redis_stats stats;
    redis_stats_get(call->gl->redis, &stats);
    return stats.up;
}

static enum stage_result wait_for_share(struct call *call) {
    struct gateway_loop *gl = call->gl;
    call->admission.step = ADMIT_SHARE;
    wait_add(&gl->sharing, call);
    if (!gl->share_timer.deadline) timer_set(&gl->share_timer, SHARE_LOOK_MS);
    return STAGE_WAIT;
}

void admit_share_timer(struct timer *timer) {
    struct gateway_loop *gl = CONTAINER_OF(timer, struct gateway_loop, share_timer);
    struct wait_list woken;
    wait_move(&gl->sharing, &woken);
    for (struct call *call; (call = wait_take(&woken));) pipeline_resume(call);
}

// Nobody sets this server's shares: Redis is away, or budgets are not shared any more.
static void take_off_caps(const struct quota_grant *grant) {
    struct quota_state state;
    for (unsigned i = 0; i < grant->n; i++)
        if (quota_part_state(&grant->parts[i], &state) && state.cap != QUOTA_NO_CAP)
            quota_cap(&grant->parts[i], QUOTA_NO_CAP);
}

// Waits only where it would be refused for want of a share that may be on its way.
static enum stage_result take_of_share(struct call *call) {
    struct admission *a = &call->admission;
    struct str tags[QUOTA_TAGS_MAX];
    uint64_t now_ms = loop_now_ms(call->gl->loop);
    bool first = a->step == ADMIT_NEW, up = redis_is_up(call);
    if (up) {
        struct quota_subject subject = admit_subject(call, tags);
        quota_share_prepare(call->gl->gateway->share, &subject, &a->ask, &a->grant, call->ts);
    } else if (call->runtime->conf->quota.on_failure == QUOTA_FAIL_LOCAL) {
        take_off_caps(&a->grant);
    }
    a->step = ADMIT_NEW;
    if (take_here(call) == STAGE_DONE) return STAGE_DONE;
    if (!a->refusal.by_cap) return STAGE_FAIL;
    if (!up) return without_redis(call);
    if (first) a->share_until_ms = now_ms + (uint64_t)call->runtime->conf->quota.redis_timeout;
    if (quota_share_used_up(call->gl->gateway->share, a->refusal.budget)) return STAGE_FAIL;
    if (now_ms < a->share_until_ms) return wait_for_share(call);
    if (call->runtime->conf->quota.on_failure == QUOTA_FAIL_LOCAL) take_off_caps(&a->grant);
    return without_redis(call);
}

// --- one of the three ---

enum stage_result admit_take(struct call *call) {
    enum quota_mode mode = (enum quota_mode)call->runtime->conf->quota.mode;
    if (call->admission.step == ADMIT_ANSWERED) return answered(call);
    if (!call->gl->quota_redis || call->admission.grant.n > QUOTA_GRANT_MAX) return take_here(call);
    if (mode != QUOTA_SHARE) take_off_caps(&call->admission.grant); // of before a reload
    if (mode == QUOTA_LOCAL) return take_here(call);
    if (mode == QUOTA_SHARE) return call->gl->gateway->share ? take_of_share(call) : take_here(call);
    return ask(call);
}

void admit_release(struct call *call) {
    forget_held(&call->admission);
    quota_close(&call->admission.grant);
}
