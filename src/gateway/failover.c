// What follows when a target fails.
#include "gateway/failover.h"

#include "gateway/answer.h"
#include "gateway/call.h"
#include "gateway/flight.h"
#include "gateway/pipeline.h"
#include "gateway/translation.h"
#include "net/http_client.h"
#include "os/clock.h"

static void on_wait_over(struct timer *timer);
static void idle(struct timer *timer) { (void)timer; }

void failover_init(struct call *call) {
    struct failover *f = &call->failover;
    attempt_init(&call->tries[0], call);
    attempt_init(&call->tries[1], call);
    call->at = &call->tries[0];
    timer_init(&f->timer, call->gl->loop, on_wait_over);
    timer_init(&f->hedge, call->gl->loop, idle);
}

void failover_stop(struct call *call) {
    timer_stop(&call->failover.timer);
    timer_stop(&call->failover.hedge);
}

static const struct conf_retry *rules_of(const struct call *call) {
    const struct conf_model *m = call->route.model;
    return m ? &m->policy.retry : &call->runtime->conf->routing.retry;
}

static struct attempt *other(struct call *call) {
    return call->at == &call->tries[0] ? &call->tries[1] : &call->tries[0];
}

// --- taking ---

static void note_refusal(struct failover *f, const struct board_refusal *refusal) {
    const struct board_refusal told = {f->refused, f->retry_at_ns};
    if (f->refused == BOARD_USABLE || !board_refusal_before(&told, refusal)) f->refused = refusal->why;
    f->retry_at_ns = MIN(f->retry_at_ns, refusal->retry_at_ns);
    if (board_is_limit(refusal->why))
        f->room_at_ns = MIN(f->room_at_ns, refusal->retry_at_ns == UINT64_MAX ? 0 : refusal->retry_at_ns);
}

bool failover_is_spent(const struct call *call, size_t target) {
    const struct failover *f = &call->failover;
    return (f->queue && (f->spent >> target & 1)) || call->place.left_out >> target & 1;
}

// The next target that lets itself be asked, and for which nobody waits who goes first.
static bool take_willing(struct call *call, struct attempt *a, bool *out_sick) {
    struct failover *f = &call->failover;
    *out_sick = false;
    for (; f->next < call->route.count; f->next++) {
        if (failover_is_spent(call, f->next)) continue;
        struct board_refusal refusal = {BOARD_CONCURRENCY, UINT64_MAX}; // of one that others wait for
        bool yields = queue_yields(call, &call->route.targets[f->next]);
        if (!yields && attempt_take(a, f->next, &refusal)) {
            f->next++;
            return true;
        }
        note_refusal(f, &refusal);
        *out_sick = *out_sick || board_is_sick(refusal.why);
    }
    return false;
}

// When nothing else is left, those are asked as well whose breaker has opened since the request was routed, be it by
// its own attempts.
static bool take(struct call *call, struct attempt *a) {
    struct failover *f = &call->failover;
    size_t from = f->next;
    bool sick;
    if (take_willing(call, a, &sick)) return true;
    if (!sick) return false;
    for (size_t i = from; i < call->route.count; i++) call->route.targets[i].force = true;
    f->next = from;
    return take_willing(call, a, &sick);
}

// The first of those that are asked in their place.
static bool take_fallback(struct call *call, struct attempt *a, enum failure why) {
    const struct route_ask ask = call_route_ask(call);
    struct route *r = &call->route;
    // What the client wishes goes before what is configured.
    bool found = !r->fallen && route_fall_back_on(&ask, call->fallbacks, call->fallback_count, r);
    r->fallen = r->fallen || found;
    return (found || route_fall_back(&ask, why, r)) && take(call, a);
}

static bool take_any(struct call *call, struct attempt *a, enum failure why) {
    return take(call, a) || take_fallback(call, a, why);
}

// Seconds from now, at least one; 0: nobody knows. A call may end at any moment.
static unsigned retry_seconds(const struct failover *f, uint64_t now) {
    if (f->retry_at_ns == UINT64_MAX) return board_is_limit(f->refused);
    uint64_t s = f->retry_at_ns > now ? (f->retry_at_ns - now + NS_PER_SEC - 1) / NS_PER_SEC : 1;
    return (unsigned)MIN(MAX(s, (uint64_t)1), (uint64_t)86400);
}

// As who was told when they were refused.
static bool keys_refused(const struct failover *f, struct str name, struct err *err) {
    unsigned s = retry_seconds(f, clock_mono_ns());
    return err_set(
        err, ERR_UPSTREAM_STATUS,
        "no target of \"%.*s\" can be asked: providers have refused the keys configured for them (401, 402 or "
        "403), which are tried again in %u s; check api_key or keys, and what they may do at the provider",
        STR_ARG(name), s);
}

// False, with *err set.
static bool refused(struct call *call, struct err *err) {
    const struct failover *f = &call->failover;
    struct str name = str_head(call->request.model, 100);
    bool limit = board_is_limit(f->refused);
    if (f->refused == BOARD_KEY_REFUSED) return keys_refused(f, name, err);
    if (limit && f->refused != BOARD_REDIS_AWAY)
        return err_set(
            err, ERR_RATE_LIMITED,
            "all targets of \"%.*s\" are at their limits; of the first to have room again: %.*s; try again soon",
            STR_ARG(name), STR_ARG(board_why_words(f->refused)));
    return err_set(err, limit ? ERR_RATE_LIMITED : ERR_OVERLOADED,
                   "no target of \"%.*s\" can be asked at the moment: %.*s; try again soon", STR_ARG(name),
                   STR_ARG(board_why_words(f->refused)));
}

static bool nobody(struct call *call, struct err *err) {
    const struct failover *f = &call->failover;
    struct str name = str_head(call->request.model, 100);
    if (f->refused == BOARD_TOO_LARGE)
        return err_set(err, ERR_BODY_TOO_LARGE,
                       "the request has more tokens of input or output, or is more requests, than any target of "
                       "\"%.*s\" may be sent in a minute",
                       STR_ARG(name));
    (void)refused(call, err);
    err->retry_s = retry_seconds(f, clock_mono_ns());
    return false;
}

bool failover_first(struct call *call, struct err *err) {
    struct failover *f = &call->failover;
    f->retry_at_ns = f->room_at_ns = UINT64_MAX;
    if (call->route.routed) retry_budget_call(&call->route.routed->retries, &call->route.routed->retry_rules);
    call->place.ahead = QUEUE_OWN_CLASS;
    bool taken = take(call, call->at);
    enum failure why = board_is_limit(f->refused)        ? FAILURE_RATE_LIMIT
                       : f->refused == BOARD_KEY_REFUSED ? FAILURE_AUTH
                                                         : FAILURE_OVERLOADED;
    taken = taken || take_fallback(call, call->at, why);
    call->place.ahead = QUEUE_HIGHER_CLASSES;
    return taken || nobody(call, err);
}

bool failover_take_queued(struct call *call) {
    struct failover *f = &call->failover;
    struct attempt *next = f->queue ? other(call) : call->at; // what has failed is the call's until then
    f->next = 0;
    f->retry_at_ns = f->room_at_ns = UINT64_MAX;
    attempt_reset(next);
    bool taken = take(call, next);
    if (taken) {
        call->at = next;
        f->queue = false;
    }
    return taken;
}

// --- again ---

// The first other target is always asked; what goes beyond takes of a budget, so that a fleet in trouble is not buried.
static bool may_retry(struct call *call) {
    struct route_model *m = call->route.routed;
    if (!m || call->attempts < 2) return true;
    return retry_budget_take(&m->retries, &m->retry_rules, clock_mono_ns());
}

// Another target, if there is one and the budget has something left: nothing is taken of it in vain.
static bool find_next(struct call *call, enum failure why) {
    struct failover *f = &call->failover;
    struct attempt *next = other(call);
    size_t was = f->next;
    attempt_failed(call->at, why); // its place may be what the next one needs
    attempt_reset(next);
    bool key = (why == FAILURE_RATE_LIMIT || why == FAILURE_AUTH) && attempt_take_key(next, call->at);
    if (why == FAILURE_BAD_REQUEST) f->next = MAX(f->next, call->trials.own); // a canary's: the model itself is asked
    if (!key && !(why == FAILURE_BAD_REQUEST ? take(call, next) : take_any(call, next, why))) return false;
    if (may_retry(call)) {
        f->ready = next;
        return true;
    }
    attempt_end(next, FAILURE_CANCELLED);
    f->next = was;
    return false;
}

static bool wait_for_same(struct call *call, uint64_t *out_wait_ns) {
    const struct failover *f = &call->failover;
    const struct conf_retry *r = rules_of(call);
    struct retry_rules rules = retry_rules_default();
    rules.base_ns = (uint64_t)r->base * NS_PER_MS;
    rules.max_ns = rules.after_max_ns = (uint64_t)r->max * NS_PER_MS;
    const struct retry_ask ask = {.retry = (unsigned)f->again,
                                  .after_ns = f->after_ns,
                                  .remaining_ns = watch_remaining(call),
                                  .draw = gateway_draw(call->gl)};
    return f->again < (size_t)r->same_target && retry_wait(&rules, &ask, out_wait_ns);
}

// Those that asked to be left alone can be waited for; of what is no model's, nobody knows how long.
static bool wait_in_queue(struct call *call) {
    struct failover *f = &call->failover;
    uint64_t now = clock_mono_ns(), wait = f->after_ns ? f->after_ns : board_tuning_default().cooldown_ns;
    wait = MIN(wait, f->room_at_ns > now ? f->room_at_ns - now : 0); // another one may be free sooner
    f->queue = call_target(call)->slot && queue_may_wait(call, wait);
    return f->queue;
}

// What has failed is asked no more, but others that have no room now, or that those of a higher class wait for.
static bool wait_for_others(struct call *call) {
    struct failover *f = &call->failover;
    uint64_t now = clock_mono_ns(), wait = f->room_at_ns > now ? f->room_at_ns - now : 0;
    f->queue = f->room_at_ns != UINT64_MAX && queue_may_wait(call, wait) && may_retry(call);
    return f->queue;
}

// What is passed through may make something at the provider each time it is sent; who is told 429 has made nothing.
static bool may_repeat(const struct call *call, enum failure why) {
    enum http_method m = call->req->method;
    bool safe = m == HTTP_GET || m == HTTP_HEAD || m == HTTP_OPTIONS || m == HTTP_PUT || m == HTTP_DELETE;
    return call->request.operation != OPERATION_PASSTHROUGH || safe || why == FAILURE_RATE_LIMIT;
}

bool failover_again(struct call *call, enum failure why) {
    struct failover *f = &call->failover;
    const struct failure_info *info = failure_info(why);
    f->why = why;
    f->after_ns = rate_headers_wait(&call->at->rate);
    f->ready = NULL;
    f->wait_ns = 0;
    if (!call->at->taken) return false;
    // A canary's failures are seen by nobody, however few attempts there are: the model itself has one. Whether it is
    // the request that is at fault is for the model to say.
    bool own = !call->route.stands_for || call->at->target >= call->trials.own;
    if (own && call->attempts >= (size_t)rules_of(call)->attempts) return false;
    if (call->reply_started) return info->next && continuation_may(call) && find_next(call, why);
    if (why == FAILURE_CREDENTIAL_OVER && !call->reply_started) return true; // at once, with what is fetched then
    if (why != FAILURE_RATE_LIMIT) f->spent |= 1u << call->at->target;
    if (!own && failure_is_of_request(why)) call->trials.refused = true;
    if ((info->next || (!own && why == FAILURE_BAD_REQUEST)) && find_next(call, why)) return true;
    if (why == FAILURE_QUALITY || call->held) return false; // there is an answer: nothing better is waited for
    if (why == FAILURE_RATE_LIMIT ? wait_in_queue(call) : info->next && wait_for_others(call)) return true;
    return info->same && may_repeat(call, why) && wait_for_same(call, &f->wait_ns) && may_retry(call);
}

// What the failed one has used is told to the board alone: the client pays for the answer that it gets.
static void forget_answer(struct call *call) {
    size_t max_event = call->relay.max_event;
    call->mode = ANSWER_NONE;
    call->passed_count = 0;
    call->usage = (struct usage){.prompt = 0};
    call->usage_known = call->cost_known = call->reference_known = false;
    call->cost_nano = 0;
    call->error = NULL;
    buf_clear(&call->answer);
    relay_free(&call->relay); // the start of an event may be in it
    relay_init(&call->relay, max_event);
    translation_reset(call);
}

// Never earlier: a target's cooldown would not be over.
static void wait_ns(struct failover *f, uint64_t ns) {
    timer_set(&f->timer, MAX((ns + NS_PER_MS - 1) / NS_PER_MS, (uint64_t)1));
}

static void count(struct call *call, enum metric_family family, enum failure why) {
    struct metric_shard *shard = call->gl->shard;
    metric_add(shard, metric_find(shard, family, &failure_info(why)->name, 1), 1);
}

// All that may be asked is looked at once more, now that the board knows of the last one.
static void join_queue(struct call *call) {
    struct err err;
    if (failover_take_queued(call)) {
        pipeline_resume(call);
        return;
    }
    (void)nobody(call, &err);
    if (!queue_join(call, &err)) failover_give_up(call, &err);
}

void failover_go(struct call *call) {
    struct failover *f = &call->failover;
    timer_stop(&call->timer);
    timer_stop(&f->hedge);
    if (call->reply_started) continuation_count(call);
    attempt_end(call->at, f->why);
    if (flight_is(call)) flight_asks(call, false);
    if (call->reply_started)
        continuation_go(call);
    else
        forget_answer(call);
    count(call, f->ready ? METRIC_FAILOVERS : METRIC_RETRIES, f->why);
    if (f->queue) {
        join_queue(call);
        return;
    }
    if (!f->ready) {
        f->again++;
        f->put_off = false;
        wait_ns(f, f->wait_ns);
        return;
    }
    call->at = f->ready;
    f->ready = NULL;
    pipeline_resume(call);
}

// What has failed may have been asked to be left alone for longer than the wait was drawn.
static bool put_off(struct call *call) {
    struct failover *f = &call->failover;
    uint64_t now = clock_mono_ns(), most = (uint64_t)rules_of(call)->max * NS_PER_MS;
    if (f->put_off || f->retry_at_ns == UINT64_MAX || f->retry_at_ns > now + most) return false;
    uint64_t left = f->retry_at_ns > now ? f->retry_at_ns - now : 0;
    f->put_off = true;
    wait_ns(f, left);
    return true;
}

static void on_wait_over(struct timer *timer) {
    struct call *call = CONTAINER_OF(timer, struct call, failover.timer);
    struct attempt *next = other(call);
    struct err err;
    struct failover *f = &call->failover;
    attempt_reset(next);
    f->next = 0;
    f->retry_at_ns = f->room_at_ns = UINT64_MAX;
    if (take(call, next)) {
        call->at = next;
        pipeline_resume(call);
    } else if (!put_off(call)) {
        f->queue = true;
        f->spent = 0;
        (void)nobody(call, &err);
        if (!queue_join(call, &err)) failover_give_up(call, &err);
    }
}

// --- what is told ---

void failover_note(struct call *call, struct attempt *a, const char *error, int status) {
    struct failover *f = &call->failover;
    if (f->tried_count == ARRAY_LEN(f->tried)) return;
    const struct route_target *t = &call->route.targets[a->target];
    uint64_t ms = a->sent_ns ? (clock_mono_ns() - a->sent_ns) / NS_PER_MS : 0;
    a->note = &f->tried[f->tried_count++];
    *a->note = (struct try_note){.provider = t->provider,
                                 .model = t->model,
                                 .error = error,
                                 .status = status,
                                 .hedge = a->hedge,
                                 .calls = a->calls,
                                 .opened = a->opened,
                                 .ms = (uint32_t)MIN(ms, (uint64_t)UINT32_MAX)};
}

static enum err_code code_of(const struct try_note *t, enum failure why) {
    for (int i = 0; t->error && i < ERR_COUNT; i++)
        if (!strcmp(err_info((enum err_code)i)->wire_code, t->error)) return (enum err_code)i;
    return why == FAILURE_INVALID_ANSWER ? ERR_UPSTREAM_INVALID : ERR_UPSTREAM_STATUS;
}

void failover_give_up(struct call *call, const struct err *err) {
    const struct failover *f = &call->failover;
    struct err last;
    // Who was told to come back later is told so all the same.
    if (!f->tried_count || f->why == FAILURE_RATE_LIMIT || f->why == FAILURE_CANCELLED) {
        call_fail(call, err);
        return;
    }
    const struct try_note *t = &f->tried[f->tried_count - 1];
    err_set(&last, code_of(t, f->why), "provider \"%.*s\" failed: %s Then %s%s", STR_ARG(t->provider->name),
            failure_info(f->why)->meaning, t->opened ? "its circuit breaker opened, and " : "", err->message);
    if (t->status >= 400 && f->why != FAILURE_AUTH) last.status = t->status;
    if (!t->status && f->why == FAILURE_OVERLOADED) last.status = 503;
    last.retry_s = err->retry_s;
    call_fail(call, &last);
}

enum failure failure_of_err(const struct err *err) {
    switch (err->code) {
    case ERR_UPSTREAM_REFUSED:
    case ERR_UPSTREAM_RESET:
        return FAILURE_CONNECT;
    case ERR_UPSTREAM_TIMEOUT:
        return FAILURE_TIMEOUT_FIRST_TOKEN;
    case ERR_UPSTREAM_INVALID:
        return FAILURE_INVALID_ANSWER;
    case ERR_UPSTREAM_STATUS:
        return failure_of_status(err->status);
    case ERR_UNSUPPORTED:
        return FAILURE_NOT_FOUND; // another may be able to
    case ERR_CLIENT_GONE:
        return FAILURE_CANCELLED;
    default:
        return FAILURE_BAD_REQUEST;
    }
}

enum failure failure_of_kind(enum chat_failure_kind kind, int status) {
    switch (kind) {
    case CHAT_FAIL_CONTEXT_LENGTH:
        return FAILURE_CONTEXT_WINDOW;
    case CHAT_FAIL_CONTENT_POLICY:
        return FAILURE_CONTENT_POLICY;
    case CHAT_FAIL_RATE_LIMIT:
    case CHAT_FAIL_QUOTA:
        return FAILURE_RATE_LIMIT;
    case CHAT_FAIL_OVERLOADED:
        return FAILURE_OVERLOADED;
    case CHAT_FAIL_AUTHENTICATION:
    case CHAT_FAIL_PERMISSION:
        return FAILURE_AUTH;
    default:
        return failure_of_status(status);
    }
}
