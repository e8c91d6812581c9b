// Calls that wait because all their targets are at their limits.
#include "gateway/queue.h"

#include "base/hash.h"
#include "base/json_read.h"
#include "conf/value.h"
#include "gateway/answer.h"
#include "gateway/pipeline.h"
#include "os/clock.h"

_Static_assert(BOARD_CLASSES == LINE_CLASSES && LINE_CLASSES == QUEUE_LOW + 1, "the classes are the same");
_Static_assert(ROUTE_TARGETS_MAX <= LINE_LANES_MAX && LINE_LANES_MAX <= 32, "a bit and a lane for each target");

// --- how important, and how long ---

static struct str field(const struct call *call, struct str name) {
    return str_trim(http_field_get(call->req->fields, call->req->field_count, name));
}

static const struct str k_classes[] = {
    [QUEUE_HIGH] = STR_INIT("high"), [QUEUE_NORMAL] = STR_INIT("normal"), [QUEUE_LOW] = STR_INIT("low")};

bool queue_class_named(struct str word, enum queue_class *out_class) {
    for (unsigned i = 0; i < ARRAY_LEN(k_classes); i++) {
        if (!str_eq_nocase(word, k_classes[i])) continue;
        *out_class = (enum queue_class)i;
        return true;
    }
    return false;
}

enum queue_class queue_class_of(struct call *call) {
    struct queue_place *p = &call->place;
    enum queue_class wish;
    struct str tags = call->key ? call->key->tags : STR(""), raw, word;
    if (p->class_known) return p->class;
    p->class = QUEUE_NORMAL;
    p->class_known = true;
    if (tags.n > 2 && JSON_GET(tags, &raw, STR("priority")) && json_string_text(raw, &call->req->arena, &word))
        (void)queue_class_named(word, &p->class);
    if (queue_class_named(field(call, STR("x-penstock-priority")), &wish)) p->class = MAX(p->class, wish);
    return p->class;
}

static const struct conf_queue *rules_of(const struct call *call) {
    return call->route.model ? &call->route.model->policy.queue : &call->runtime->conf->routing.queue;
}

// What is left of it.
static uint64_t max_wait_ms(const struct call *call) {
    int64_t most = rules_of(call)->max_wait, wish;
    if (value_duration(field(call, STR("x-penstock-max-wait")), &wish)) most = MIN(most, wish);
    uint64_t waited = call->place.waited_ns / NS_PER_MS;
    return (uint64_t)most > waited ? (uint64_t)most - waited : 0;
}

// --- its place ---

static bool is_limited(const struct conf_rate_limits *l) {
    return l->requests_per_minute != OPT_UNSET || l->tokens_per_minute != OPT_UNSET ||
           l->input_tokens_per_minute != OPT_UNSET || l->output_tokens_per_minute != OPT_UNSET ||
           l->concurrency != OPT_UNSET;
}

static bool provider_is_limited(const struct conf_provider *p) {
    bool any = is_limited(&p->limits);
    for (size_t i = 0; i < p->keys.n; i++) any = any || is_limited(&p->keys.p[i].limits);
    return any;
}

// What is waited for: the target where that has limits of its own, else its provider, if that has. Not what a request
// may be sent to, for clients say that: by fallbacks, tags, regions.
static const struct board_slot *lane_of(const struct route_target *t) {
    bool own = t->node && is_limited(&t->node->conf->limits);
    return t->slot && (own || !provider_is_limited(t->provider)) ? t->slot : t->provider_slot;
}

struct seat {
    struct line_seat line;
    uint32_t targets[LINE_LANES_MAX]; // of each lane, a bit for each
};

static void seat_add(struct seat *seat, const struct board_slot *lane, size_t target) {
    size_t i = 0;
    while (i < seat->line.count && seat->line.lanes[i] != lane) i++;
    if (i == seat->line.count) {
        seat->line.lanes[seat->line.count++] = lane;
        seat->targets[i] = 0;
    }
    seat->targets[i] |= 1u << target;
}

// What has failed by something else is not waited for.
static void seat_of(struct call *call, struct seat *out) {
    out->line = (struct line_seat){.class = queue_class_of(call),
                                   .key = call->key ? (uint64_t)call->key->id : 0,
                                   .places = (size_t)rules_of(call)->max_length};
    for (size_t i = 0; i < call->route.count; i++)
        if (!(call->failover.spent >> i & 1)) seat_add(out, lane_of(&call->route.targets[i]), i);
}

// Leaves the lanes without a place for it. False: there are no others.
static bool keep_places(const struct line *line, struct seat *seat) {
    unsigned places = line_places(line, &seat->line);
    size_t kept = 0;
    for (size_t i = 0; i < seat->line.count; i++) {
        if (!(places >> i & 1)) continue;
        seat->line.lanes[kept] = seat->line.lanes[i];
        seat->targets[kept++] = seat->targets[i];
    }
    seat->line.count = kept;
    return kept > 0;
}

static bool has_place(struct call *call) {
    struct queue_line *ql = &call->gl->gateway->queue;
    struct seat seat;
    seat_of(call, &seat);
    mutex_lock(&ql->lock);
    bool out = keep_places(&ql->line, &seat);
    mutex_unlock(&ql->lock);
    return out;
}

bool queue_may_wait(struct call *call, uint64_t ns) {
    if (!rules_of(call)->max_wait || ns > max_wait_ms(call) * NS_PER_MS || ns >= watch_remaining(call)) return false;
    return has_place(call);
}

// --- who goes first ---

static bool waits_at(const struct route_target *t, unsigned classes) {
    return (t->slot && board_waiting(t->slot, classes)) ||
           (t->provider_slot && board_waiting(t->provider_slot, classes));
}

bool queue_yields(struct call *call, const struct route_target *t) {
    enum queue_ahead ahead = call->place.ahead;
    if (call->reply_started || !waits_at(t, BOARD_CLASSES)) return false; // what has begun goes on
    return waits_at(t, (unsigned)queue_class_of(call) + (ahead == QUEUE_OWN_CLASS));
}

static bool slot_full(const struct board_slot *slot, uint64_t now) {
    struct board_state state;
    if (!slot) return false;
    board_state(slot, now, &state);
    return !state.usable && !board_is_sick(state.why);
}

// Of a provider with several keys none may be free for it, though they are for others.
static bool target_full(const struct route_target *t, uint64_t now) {
    struct board_state state;
    if (slot_full(t->provider_slot, now)) return true;
    if (!t->node) return slot_full(t->slot, now);
    route_node_state(t->node, now, &state);
    return !state.usable && !board_is_sick(state.why);
}

// The first of its targets that has room; their count: none has.
static size_t first_room(const struct call *call, uint64_t now) {
    for (size_t i = 0; i < call->route.count; i++)
        if (!failover_is_spent(call, i) && !target_full(&call->route.targets[i], now)) return i;
    return call->route.count;
}

struct room_look {
    const struct board_slot *lane;
    uint64_t now;
    uint64_t blocked; // what none that waits for the same can have; 0: nothing
};

// Whether its next target is that lane's: where it could also have another one first, that one's turns count.
static bool may_go(const struct line_item *item, void *arg) {
    const struct call *call = CONTAINER_OF(item, struct call, place.item);
    struct room_look *look = arg;
    if (call->place.wants == look->blocked) return false;
    size_t i = first_room(call, look->now);
    if (i < call->route.count && lane_of(&call->route.targets[i]) == look->lane) return true;
    look->blocked = call->place.wants;
    return false;
}

// With the line locked. NULL: nobody can have what the lane is for.
static struct line_item *next_of(const struct line_lane *lane, uint64_t now) {
    struct room_look look = {.lane = lane->id, .now = now};
    return slot_full(look.lane, now) ? NULL : line_first(lane, may_go, &look);
}

// --- what is counted ---

#define SERVED STR("served")

static void count_waiting(const struct call *call, bool waits) {
    struct metric_shard *shard = call->gl->shard;
    struct metric m = metric_find(shard, METRIC_QUEUE_LENGTH, &k_classes[call->place.class], 1);
    metric_add(shard, m, waits ? 1 : UINT64_MAX);
}

static void count_wait(const struct call *call, struct str result) {
    struct metric_shard *shard = call->gl->shard;
    const struct str labels[] = {k_classes[call->place.class], result};
    struct metric m = metric_find(shard, METRIC_QUEUE_WAIT, labels, 2);
    metric_observe(shard, m, clock_mono_ns() - call->place.since_ns, call->id);
}

static void count_refused(const struct call *call, struct str reason) {
    struct metric_shard *shard = call->gl->shard;
    const struct str labels[] = {call_model_label(call), reason};
    metric_add(shard, metric_find(shard, METRIC_QUEUE_REFUSED, labels, 2), 1);
}

// --- in and out ---

// Whether what it waits for is what other targets of the provider need as well.
static bool waits_with_others(const struct call *call, const struct route_target *t, uint64_t now) {
    struct board_slot *const *keys = call->runtime->routes->keys[t->provider->index];
    bool out = !t->slot || slot_full(t->provider_slot, now);
    for (size_t k = 0; k < t->provider->keys.n && !out; k++)
        out = t->provider->keys.p[k].weight && slot_full(keys[k], now);
    return out;
}

// Tells the board, so that others do not take what it waits for.
static void tell_waiting(struct call *call, bool waits) {
    void (*tell)(struct board_slot *, unsigned) = waits ? board_wait : board_wait_over;
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; i < call->route.count; i++) {
        const struct route_target *t = &call->route.targets[i];
        if (call->place.left_out >> i & 1) continue;
        if (waits && t->provider_slot && waits_with_others(call, t, now)) call->place.whole |= 1u << i;
        if (t->slot) tell(t->slot, call->place.class);
        if (call->place.whole >> i & 1) tell(t->provider_slot, call->place.class);
    }
    if (!waits) call->place.whole = call->place.left_out = 0;
}

static void line_changed(struct queue_line *ql) { atomic_store(&ql->waiting, ql->line.waiting); }

// Any loop's.
static void wake(struct gateway_loop *gl) {
    if (!atomic_exchange(&gl->queue.posted, true)) loop_post(gl->loop, &gl->queue.task);
}

// With the line locked.
static void wake_next(struct queue_line *ql) {
    uint64_t now = clock_mono_ns();
    for (const struct line_lane *lane = ql->line.lanes; lane; lane = lane->next) {
        const struct line_item *next = next_of(lane, now);
        if (next) wake(next->owner);
    }
}

static void note_out(struct call *call, struct str result) {
    timer_stop(&call->place.timer);
    call->place.waits = false;
    call->place.waited_ns += clock_mono_ns() - call->place.since_ns;
    call->gl->queue.waiting--;
    tell_waiting(call, false);
    count_waiting(call, false);
    count_wait(call, result);
}

static void out_of_line(struct call *call, struct str result) {
    struct queue_line *ql = &call->gl->gateway->queue;
    if (!call->place.waits) return;
    mutex_lock(&ql->lock);
    line_leave(&ql->line, &call->place.item);
    line_changed(ql);
    mutex_unlock(&ql->lock);
    note_out(call, result);
}

void queue_leave(struct call *call) { out_of_line(call, STR("gone")); }

static void on_late(struct timer *timer) {
    struct call *call = CONTAINER_OF(timer, struct call, place.timer);
    struct err err;
    uint64_t at = call->failover.retry_at_ns, now = clock_mono_ns();
    out_of_line(call, STR("late"));
    uint64_t ms = call->place.waited_ns / NS_PER_MS;
    count_refused(call, STR("late"));
    err_set(&err, ERR_RATE_LIMITED,
            "all targets of \"%.*s\" were at their limits for %llu ms; of the first to have room again: %.*s; try "
            "again soon",
            STR_ARG(str_head(call->request.model, 100)), (unsigned long long)ms,
            STR_ARG(board_why_words(call->failover.refused)));
    err.retry_s = at > now && at - now < RATE_MAX_NS ? (unsigned)((at - now + NS_PER_SEC - 1) / NS_PER_SEC) : 1;
    failover_give_up(call, &err);
}

// All places are taken by those who are owed as much.
static bool refuse_full(struct call *call, struct err *err) {
    err_set(err, ERR_RATE_LIMITED, "all targets of \"%.*s\" are at their limits, and too many requests wait",
            STR_ARG(str_head(call->request.model, 100)));
    err->retry_s = 1;
    count_refused(call, STR("full"));
    return false;
}

// What tells calls apart that wait for different things.
static uint64_t wants_of(const struct call *call) {
    uint64_t out = call->place.left_out + 1;
    for (size_t i = 0; i < call->route.count; i++) {
        const struct route_target *t = &call->route.targets[i];
        const struct board_slot *slot = t->slot ? t->slot : t->provider_slot;
        out = hash_bytes(str_of((const char *)&slot, sizeof slot), out);
    }
    return out ? out : 1;
}

// With the line locked.
static bool take_places(struct call *call, const struct seat *seat, uint64_t deadline) {
    struct queue_line *ql = &call->gl->gateway->queue;
    struct queue_place *p = &call->place;
    p->item.entries = ARENA_ARRAY(&call->req->arena, struct line_entry, seat->line.count);
    if (!p->item.entries) return false;
    uint32_t waits = 0;
    for (size_t i = 0; i < seat->line.count; i++) waits |= seat->targets[i];
    p->left_out = ~waits;
    p->wants = wants_of(call);
    p->item.owner = call->gl;
    if (line_add(&ql->line, &seat->line, deadline, &p->item)) return true;
    p->left_out = 0;
    return false;
}

static bool take_place(struct call *call, uint64_t deadline, struct err *err) {
    struct queue_line *ql = &call->gl->gateway->queue;
    struct seat seat;
    seat_of(call, &seat);
    mutex_lock(&ql->lock);
    bool any = keep_places(&ql->line, &seat), ok = any && take_places(call, &seat, deadline);
    for (const struct line_item *out = ok ? ql->line.out : NULL; out; out = out->next_out) wake(out->owner);
    line_changed(ql);
    mutex_unlock(&ql->lock);
    return ok || (any ? err_no_memory(err) : refuse_full(call, err));
}

bool queue_join(struct call *call, struct err *err) {
    struct queue *q = &call->gl->queue;
    const struct failover *f = &call->failover;
    // Who would be served when its time is over is not kept waiting until then.
    uint64_t wait = max_wait_ms(call), left = watch_remaining(call) / NS_PER_MS, now = clock_mono_ns();
    wait = MIN(wait, left);
    uint64_t deadline = now + wait * NS_PER_MS;
    if (!wait) return false;
    if (f->room_at_ns > deadline) {
        count_refused(call, STR("no_room"));
        return false;
    }
    unsigned retry_s = err->retry_s;
    if (!take_place(call, deadline, err)) {
        err->retry_s = MAX(retry_s, err->retry_s);
        return false;
    }
    call->place.waits = true;
    call->place.since_ns = now;
    tell_waiting(call, true);
    count_waiting(call, true);
    timer_set(&call->place.timer, wait);
    if (!q->waiting++) timer_set(&q->timer, QUEUE_LOOK_MS);
    return true;
}

// --- serving ---

// Board and metrics are all that is touched while the line is locked.
static bool serve(struct call *call) {
    struct queue_line *ql = &call->gl->gateway->queue;
    if (!failover_take_queued(call)) return false;
    line_serve(&ql->line, &call->place.item, lane_of(&call->route.targets[call->at->target]));
    line_changed(ql);
    note_out(call, SERVED);
    return true;
}

// Of the lane that was served longest ago; others' calls are their loops'.
static bool serve_one(struct gateway_loop *gl, const struct line *line, struct wait_list *served) {
    uint64_t now = clock_mono_ns();
    for (const struct line_lane *lane = line->lanes; lane; lane = lane->next) {
        struct line_item *next = next_of(lane, now);
        if (!next || next->owner != gl) continue;
        struct call *call = CONTAINER_OF(next, struct call, place.item);
        if (!serve(call)) continue;
        wait_add(served, call);
        return true;
    }
    return false;
}

static void take_turns(struct gateway_loop *gl, struct wait_list *served, struct wait_list *out) {
    struct queue_line *ql = &gl->gateway->queue;
    struct line_item *item;
    bool any = false;
    mutex_lock(&ql->lock);
    while ((item = line_take_out(&ql->line, gl))) {
        struct call *call = CONTAINER_OF(item, struct call, place.item);
        note_out(call, STR("full"));
        wait_add(out, call);
    }
    while (serve_one(gl, &ql->line, served)) any = true;
    if (any) wake_next(ql); // there may be room for more
    mutex_unlock(&ql->lock);
}

static void put_out(struct call *call) {
    struct err err;
    (void)refuse_full(call, &err);
    failover_give_up(call, &err);
}

static void look(struct gateway_loop *gl) {
    struct queue *q = &gl->queue;
    struct wait_list backwards = {0}, served = {0}, out = {0};
    struct call *call;
    take_turns(gl, &backwards, &out);
    while ((call = wait_take(&backwards))) wait_add(&served, call);
    if (q->waiting)
        timer_set(&q->timer, QUEUE_LOOK_MS);
    else
        timer_clear(&q->timer);
    while ((call = wait_take(&out))) put_out(call);
    while ((call = wait_take(&served))) pipeline_resume(call);
}

static void on_time(struct timer *timer) { look(CONTAINER_OF(timer, struct gateway_loop, queue.timer)); }

static void on_wake(struct task *task) {
    struct gateway_loop *gl = CONTAINER_OF(task, struct gateway_loop, queue.task);
    atomic_store(&gl->queue.posted, false);
    if (gl->queue.waiting) look(gl);
}

void queue_wake(struct gateway_loop *gl) {
    struct queue_line *ql = &gl->gateway->queue;
    if (!atomic_load_explicit(&ql->waiting, memory_order_relaxed)) return;
    mutex_lock(&ql->lock);
    wake_next(ql);
    mutex_unlock(&ql->lock);
}

void queue_line_init(struct queue_line *ql) { mutex_init(&ql->lock); }

void queue_line_free(struct queue_line *ql) { mutex_free(&ql->lock); }

void queue_init(struct gateway_loop *gl) {
    timer_init(&gl->queue.timer, gl->loop, on_time);
    gl->queue.task.fn = on_wake;
}

void queue_stop(struct gateway_loop *gl) {
    if (gl->queue.timer.loop) timer_stop(&gl->queue.timer);
}

void queue_place_init(struct call *call) { timer_init(&call->place.timer, call->gl->loop, on_late); }
