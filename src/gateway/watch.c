// Watches how long answers take.
#include "gateway/watch.h"

#include "gateway/answer.h"
#include "gateway/call.h"
#include "gateway/hedge.h"
#include "os/clock.h"

#define RATE_AFTER_NS (5 * NS_PER_SEC) // a stream that has run for less has no average yet

struct limit_due {
    uint64_t at_ns; // UINT64_MAX: nothing is
    enum failure why;
    bool slow; // of TIMEOUT_IDLE: it moves, but too slowly
};

static const struct conf_answer_waits *limits_of(const struct call *call) {
    const struct conf_model *m = call->route.model;
    return m ? &m->policy.timeouts : &call->runtime->conf->routing.timeouts;
}

static void take(struct limit_due *due, uint64_t at_ns, enum failure why, bool slow) {
    if (at_ns < due->at_ns) *due = (struct limit_due){at_ns, why, slow};
}

static uint64_t total_ns(const struct call *call) {
    int64_t total = limits_of(call)->total;
    return total == OPT_UNSET ? UINT64_MAX : call->req->start_ns + (uint64_t)total * NS_PER_MS;
}

// As long as the tokens so far may have taken.
static uint64_t rate_ns(const struct call *call, int64_t min_rate) {
    double seconds = (double)call->watch.events * 1e6 / (double)min_rate;
    uint64_t may = seconds < 1e9 ? (uint64_t)(seconds * 1e9) : UINT64_MAX / 2;
    return call->first_ns + call->watch.held_ns + MAX(may, RATE_AFTER_NS);
}

static void stream_due(const struct call *call, const struct conf_answer_waits *l, struct limit_due *due) {
    const struct watch *w = &call->watch;
    if (w->paused_ns) return;
    if (l->inter_token != OPT_UNSET)
        take(due, MAX(w->last_ns, call->first_ns) + (uint64_t)l->inter_token * NS_PER_MS, FAILURE_TIMEOUT_IDLE, false);
    // Of bytes that are no events nobody knows how many tokens they are.
    if (l->min_rate != OPT_UNSET && l->min_rate > 0 && w->events)
        take(due, rate_ns(call, l->min_rate), FAILURE_TIMEOUT_IDLE, true);
}

// Where it is whole answers that are asked for, their beginning is their end: nothing is known of the time between.
static struct limit_due due_of(const struct call *call) {
    const struct conf_answer_waits *l = limits_of(call);
    const struct attempt *a = call->at;
    struct limit_due due = {UINT64_MAX, FAILURE_TIMEOUT_TOTAL, false};
    take(&due, total_ns(call), FAILURE_TIMEOUT_TOTAL, false);
    if (!a->taken || !a->sent_ns || call->mode == ANSWER_WHOLE || !call->request.stream) return due;
    bool again = call->continued.pending; // of another target the stream has to begin
    if (call->first_ns && !again)
        stream_due(call, l, &due);
    else if (again && l->first_token == OPT_UNSET && l->inter_token != OPT_UNSET)
        take(&due, a->sent_ns + (uint64_t)l->inter_token * NS_PER_MS, FAILURE_TIMEOUT_IDLE, false);
    else if (l->first_token != OPT_UNSET)
        take(&due, a->sent_ns + (uint64_t)l->first_token * NS_PER_MS, FAILURE_TIMEOUT_FIRST_TOKEN, false);
    return due;
}

static void set(struct call *call, uint64_t at_ns, uint64_t now) {
    if (at_ns == UINT64_MAX) return;
    // The loop's clock may be some of a millisecond behind.
    timer_set(&call->watch.timer, at_ns > now ? MIN((at_ns - now) / NS_PER_MS + 1, (uint64_t)1 << 40) : 1);
}

static void fail(struct call *call, const struct limit_due *due, uint64_t now) {
    struct str name = call->at->provider ? call->at->provider->conf->name : STR("");
    const char *wire = err_info(ERR_UPSTREAM_TIMEOUT)->wire_code;
    struct err err;
    if (due->why == FAILURE_TIMEOUT_TOTAL) {
        // Who was asked late is not to blame.
        bool fair = call->at->sent_ns && now - call->at->sent_ns >= (now - call->req->start_ns) / 2;
        err_set(&err, ERR_UPSTREAM_TIMEOUT, "no whole answer in time (routing.timeouts.total)");
        answer_late(call, fair ? FAILURE_TIMEOUT_TOTAL : FAILURE_CANCELLED, &err);
        return;
    }
    if (due->why == FAILURE_TIMEOUT_FIRST_TOKEN && hedge_lost(call->at, due->why, wire, 0)) {
        watch_arm(call); // for the other one
        return;
    }
    err_set(&err, ERR_UPSTREAM_TIMEOUT, "provider \"%.*s\": %s", STR_ARG(name),
            due->why == FAILURE_TIMEOUT_FIRST_TOKEN ? "the answer did not begin in time (routing.timeouts.first_token)"
            : due->slow                             ? "the answer comes too slowly (routing.timeouts.min_rate)"
                                                    : "the answer stands still (routing.timeouts.inter_token)");
    answer_failed(call, due->why, &err);
}

static void on_timer(struct timer *timer) {
    struct call *call = CONTAINER_OF(timer, struct call, watch.timer);
    if (call->recorded) return;
    uint64_t now = clock_mono_ns();
    const struct limit_due due = due_of(call);
    if (now < due.at_ns)
        set(call, due.at_ns, now);
    else
        fail(call, &due, now); // the call may be gone
}

void watch_init(struct call *call) { timer_init(&call->watch.timer, call->gl->loop, on_timer); }

void watch_stop(struct call *call) { timer_stop(&call->watch.timer); }

void watch_arm(struct call *call) {
    const struct conf_answer_waits *l = limits_of(call);
    call->watch.on = l->inter_token != OPT_UNSET || l->min_rate != OPT_UNSET;
    call->watch.events = 0;
    if (call->watch.last_ns) call->watch.last_ns = clock_mono_ns();
    set(call, due_of(call).at_ns, clock_mono_ns());
}

uint64_t watch_remaining(const struct call *call) {
    uint64_t end = total_ns(call), now = clock_mono_ns();
    return end == UINT64_MAX ? end : end > now ? end - now : 0;
}

bool watch_first_token(const struct call *call) { return limits_of(call)->first_token != OPT_UNSET; }

void watch_moved(struct call *call, uint64_t events) {
    struct watch *w = &call->watch;
    if (!w->on) return;
    // Comments that only keep a connection open are no tokens; what is not made of events moves with each piece.
    bool moved = events > w->events || !events;
    bool first = !w->last_ns;
    w->events = events;
    if (!moved) return;
    w->last_ns = clock_mono_ns();
    if (first) set(call, due_of(call).at_ns, w->last_ns);
}

void watch_paused(struct call *call, bool paused) {
    struct watch *w = &call->watch;
    uint64_t now = clock_mono_ns();
    if (!w->on) return;
    if (paused) {
        w->paused_ns = now;
        return;
    }
    w->held_ns += now - w->paused_ns;
    w->paused_ns = 0;
    w->last_ns = now;
    set(call, due_of(call).at_ns, now);
}
