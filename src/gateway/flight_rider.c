// Riders of flights: how they join, read the answer and leave.
#include "gateway/flight_impl.h"

#include "base/mem.h"
#include "gateway/answer.h"
#include "gateway/content.h"
#include "gateway/record.h"
#include "gateway/reply.h"
#include "os/clock.h"

#define PARTS_MAX RELAY_PARTS // of a reply, at a time

// --- joining ---

// Under the flight's lock. NULL: out of memory.
static struct flight_seat *seat_of(struct flight *f, struct gateway_loop *gl) {
    struct flight_seat *s = f->seats;
    while (s && s->gl != gl) s = s->next;
    if (s) return s;
    s = mem_zalloc(1, sizeof *s);
    if (!s) return NULL;
    *s = (struct flight_seat){.next = f->seats, .flight = f, .gl = gl, .task = {.fn = flight_seat_look}};
    s->last = &s->first;
    f->seats = s;
    return s;
}

static void seat_add(struct flight_seat *s, struct rider *r) {
    s->count++;
    r->next = NULL;
    r->prev = s->last;
    *s->last = r;
    s->last = &r->next;
}

static void seat_drop(struct rider *r) {
    r->seat->count--;
    *r->prev = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        r->seat->last = r->prev;
}

// False: its beginning is not kept any more.
static bool board(struct flight *f, struct rider *r) {
    mutex_lock(&f->lock);
    bool ok = f->first->cap == 0 && (r->seat = seat_of(f, r->call->gl));
    if (ok) {
        seat_add(r->seat, r);
        r->next_all = f->all;
        r->prev_all = &f->all;
        if (f->all) f->all->prev_all = &r->next_all;
        f->all = r;
        r->piece = f->first;
        r->piece->readers++;
        if (f->begun || f->ended) flight_tell(f, r->seat);
    }
    mutex_unlock(&f->lock);
    return ok;
}

// The flight that can be joined, with a place and a reference for one more; or made is listed, where there is none.
static struct flight *find(struct flights *all, struct str identity, struct flight *made) {
    mutex_lock(&all->lock);
    struct flight *f = map_get(&all->map, identity);
    if (!f && made && map_put(&all->map, made->identity, made)) {
        f = made;
        f->listed = true;
    }
    if (f) {
        f->riders++;
        flight_ref(f);
    }
    mutex_unlock(&all->lock);
    return f;
}

// Whether the record of this one has the call to the provider: of the one that set it off, else of the next to end.
static bool step_out(struct rider *r, bool early) {
    struct flight *f = r->flight;
    mutex_lock(&f->flights->lock);
    bool last = --f->riders == 0;
    if (last && f->listed) {
        (void)map_del(&f->flights->map, f->identity);
        f->listed = false;
    }
    bool carries = r->carries || f->unclaimed;
    if (carries) f->unclaimed = early && !last;
    carries = carries && !f->unclaimed;
    mutex_unlock(&f->flights->lock);
    if (last) {
        flight_ref(f);
        loop_post(f->gl->loop, &f->stop);
    }
    return carries;
}

static void count(struct call *call, struct str role) {
    struct metric_shard *shard = call->gl->shard;
    const struct str labels[] = {call_model_label(call), role};
    metric_add(shard, metric_find(shard, METRIC_COALESCED, labels, 2), 1);
}

bool flight_join(struct call *call, struct str identity) {
    struct flights *all = call->gl->gateway->flights;
    struct rider *r = ARENA_NEW(&call->req->arena, struct rider);
    struct flight *made = NULL, *f = find(all, identity, NULL);
    if (!f && r) {
        made = flight_create(call, identity);
        f = made ? find(all, identity, made) : NULL;
    }
    if (!f) {
        if (made) flight_unref(made);
        return false;
    }
    bool first = f == made;
    if (made && !first) flight_unref(made);
    if (r) *r = (struct rider){.call = call, .flight = f, .carries = first};
    if (!r || !board(f, r)) {
        struct rider none = {.flight = f, .carries = first};
        if (first) flight_begin(f); // others may have joined
        (void)step_out(&none, true);
        flight_unref(f);
        if (first) flight_unref(f);
        return false;
    }
    call->rider = r;
    call->coalesced = !first;
    count(call, first ? STR("leader") : STR("follower"));
    record_wait(call);
    if (!first) return true;
    flight_begin(f);
    flight_unref(f);
    return true;
}

// --- reading ---

struct look {
    bool begun, ended, whole, late;
    bool at_once; // no stream
    uint64_t events;
    struct str parts[PARTS_MAX];
    size_t count;
    bool rest; // the parts are all there is so far
};

// Under the flight's lock: what there is beyond the rider's place.
static void gather(const struct rider *r, struct look *out) {
    const struct flight_piece *p = r->piece;
    size_t at = r->at;
    out->count = 0;
    for (; p && out->count < PARTS_MAX; p = p->next, at = 0)
        if (p->n > at) out->parts[out->count++] = str_of(p->bytes + at, p->n - at);
    out->rest = !p;
}

static void look(struct rider *r, struct look *out) {
    struct flight *f = r->flight;
    mutex_lock(&f->lock);
    out->begun = f->begun;
    out->ended = f->ended;
    out->whole = f->whole;
    out->at_once = f->head.whole;
    out->events = f->events;
    out->late = !f->head.whole && f->furthest - MIN(r->pos, f->furthest) > FLIGHT_KEPT;
    gather(r, out);
    mutex_unlock(&f->lock);
}

static void advance(struct rider *r, const struct look *seen) {
    struct flight *f = r->flight;
    size_t n = 0;
    for (size_t i = 0; i < seen->count; i++) n += seen->parts[i].n;
    mutex_lock(&f->lock);
    r->pos += n;
    r->piece->readers--;
    while (n > r->piece->n - r->at) {
        n -= r->piece->n - r->at;
        r->piece = r->piece->next;
        r->at = 0;
    }
    r->at += n;
    r->piece->readers++;
    f->furthest = MAX(f->furthest, r->pos);
    flight_moved(f);
    mutex_unlock(&f->lock);
}

// It waits for nothing more. The reference stays, and its place in the answer until let_go, for both outlive the rider.
static struct flight_piece *get_off(struct rider *r) {
    struct flight *f = r->flight;
    seat_drop(r);
    mutex_lock(&f->lock);
    *r->prev_all = r->next_all;
    if (r->next_all) r->next_all->prev_all = r->prev_all;
    if (r->pos == f->furthest && !f->ended) {
        f->furthest = 0;
        for (const struct rider *o = f->all; o && f->furthest < r->pos; o = o->next_all)
            f->furthest = MAX(f->furthest, o->pos);
    }
    mutex_unlock(&f->lock);
    r->call->rider = NULL;
    return r->piece;
}

static void let_go(struct flight *f, struct flight_piece *place) {
    mutex_lock(&f->lock);
    place->readers--;
    flight_moved(f);
    mutex_unlock(&f->lock);
    flight_unref(f);
}

// Who answers, and what came with the answer.
static void take_head(struct call *call, const struct flight *f) {
    const struct flight_head *h = &f->head;
    call->mode = h->whole ? ANSWER_WHOLE : ANSWER_STREAM;
    call->status = call->upstream_status = h->status;
    for (size_t i = 0; i < h->passed_count && call->passed_count < CALL_FIELDS_MAX; i++)
        call->passed[call->passed_count++] = h->passed[i];
    if (h->dropped.n && call->passed_count < CALL_FIELDS_MAX)
        call->passed[call->passed_count++] = (struct http_field){STR("x-penstock-dropped-params"), h->dropped};
    if (!call->coalesced) {
        call->attempts = h->attempts;
        call->calls = h->calls;
        memcpy(call->failover.tried, h->tried, sizeof h->tried);
        call->failover.tried_count = h->tried_count;
    }
    call->trials.canary = h->canary;
    if (!h->target) return;
    call->route.targets[0] = h->at;
    call->at->target = 0;
    call->at->provider = h->provider;
}

static void take_bill(struct call *call, const struct flight *f) {
    const struct flight_bill *b = &f->bill;
    call->usage = b->usage;
    call->usage_known = b->usage_known;
    call->cost_known = b->cost_known;
    call->cost_nano = b->cost_nano;
    call->reference_known = b->reference_known;
    call->reference_nano = b->reference_nano;
    call->calls = call->coalesced ? 0 : f->head.calls;
    call->error = b->error;
    if (call->coalesced && call->unbilled) record_price(call);
}

// A whole answer may say the request's id, which each has of its own.
static struct str with_own_id(struct call *call, const struct flight *f, const struct look *seen) {
    struct str was = str_of(f->id_text, REQUEST_ID_TEXT_LEN), body = seen->count ? seen->parts[0] : STR("");
    size_t at = str_find(body, was);
    if (seen->count != 1 || at >= body.n) return body;
    buf_clear(&call->answer);
    buf_put(&call->answer, str_head(body, at));
    buf_put(&call->answer, str_of(call->id_text, REQUEST_ID_TEXT_LEN));
    buf_put(&call->answer, str_from(body, at + was.n));
    return call->answer.failed ? body : buf_str(&call->answer);
}

static void finish(struct rider *r, const struct look *seen) {
    struct call *call = r->call;
    struct flight *f = r->flight;
    struct flight_piece *place = get_off(r);
    call->coalesced = !step_out(r, false);
    if (!call->reply_started) take_head(call, f);
    take_bill(call, f);
    if (f->head.whole) {
        struct str body = with_own_id(call, f, seen);
        content_add(call, &body, 1);
        record_end(call);
        reply_head(call, call->status, f->head.type, body.n);
        reply_last(call, &body, 1);
    } else {
        content_add(call, seen->parts, seen->count);
        if (!call->first_ns && seen->count) call->first_ns = clock_mono_ns();
        record_end(call);
        if (!call->reply_started) reply_head(call, call->status, f->head.type, HTTP_LENGTH_UNKNOWN);
        reply_last(call, seen->parts, seen->count);
    }
    let_go(f, place);
}

// The answer ended too early, or this client is too slow for it.
static void give_up(struct rider *r, const struct look *seen) {
    struct call *call = r->call;
    struct flight *f = r->flight;
    struct err err;
    call->relay.events = seen->events;
    struct flight_piece *place = get_off(r);
    call->coalesced = !step_out(r, seen->late); // others go on to the end, and know what it came to
    call->calls = call->coalesced ? 0 : MAX(f->head.calls, (size_t)1);
    if (call->reply_started) {
        call->error = err_info(seen->late ? ERR_CLIENT_GONE : ERR_UPSTREAM_RESET)->wire_code;
        call_cut(call);
    } else {
        err_set(&err, ERR_UPSTREAM_RESET, "the call that several requests shared broke off; try again");
        call_fail(call, &err);
    }
    let_go(f, place);
}

// Sends a piece in the middle. False: the client must take what it has before it gets more.
static bool send_piece(struct rider *r, const struct look *seen) {
    struct call *call = r->call;
    if (!call->reply_started) {
        take_head(call, r->flight);
        reply_head(call, call->status, r->flight->head.type, HTTP_LENGTH_UNKNOWN);
    }
    if (!call->first_ns) call->first_ns = clock_mono_ns();
    content_add(call, seen->parts, seen->count);
    size_t queued = http_reply_data(call->req, seen->parts, seen->count, false);
    advance(r, seen);
    r->full = queued > (size_t)call->runtime->conf->limits.stream_buffer;
    return !r->full;
}

// Its head is held back no longer, though nothing has come behind it yet.
static void begin_reply(struct rider *r) {
    struct call *call = r->call;
    take_head(call, r->flight);
    reply_head(call, call->status, r->flight->head.type, HTTP_LENGTH_UNKNOWN);
    http_reply_flush(call->req);
}

static void pump(struct rider *r) {
    struct look seen;
    for (;;) {
        look(r, &seen);
        bool broken = seen.ended && !seen.whole;
        if (seen.late || (broken && (seen.at_once || !seen.count || !seen.begun))) {
            give_up(r, &seen);
            return;
        }
        if (r->full || !seen.begun) return;
        if (seen.ended && seen.whole && seen.rest) {
            finish(r, &seen);
            return;
        }
        if (seen.at_once) return;
        if (!seen.count) {
            if (!r->call->reply_started) begin_reply(r);
            return;
        }
        if (!send_piece(r, &seen)) return;
    }
}

void flight_seat_look(struct task *task) {
    struct flight_seat *s = CONTAINER_OF(task, struct flight_seat, task);
    struct flight *f = s->flight;
    mutex_lock(&f->lock);
    s->posted = false;
    mutex_unlock(&f->lock);
    // Any of them may be gone after the next: those who were told go to the end of the list.
    for (size_t n = s->count; n && s->first; n--) {
        struct rider *r = s->first;
        seat_drop(r);
        seat_add(s, r);
        pump(r);
    }
    flight_unref(f);
}

// --- leaving ---

void flight_resume(struct call *call) {
    call->rider->full = false;
    pump(call->rider);
}

// Under the flight's lock. False: nobody is asked, or there is no memory to say who.
static bool take_asked(struct call *call, const struct flight *f) {
    struct arena *arena = &call->req->arena;
    struct price *price = f->asked.provider ? ARENA_NEW(arena, struct price) : NULL;
    struct str model = price ? arena_str(arena, buf_str(&f->asked.model)) : STR_NONE;
    if (!model.p) return false;
    *price = f->asked.price;
    call->route.targets[0] = f->asked.at;
    call->route.targets[0].model = model;
    call->route.targets[0].price = price;
    call->at->target = 0;
    call->at->provider = f->asked.provider;
    return true;
}

void flight_leave(struct call *call) {
    struct rider *r = call->rider;
    if (!r) return;
    struct flight *f = r->flight;
    mutex_lock(&f->lock);
    bool begun = f->begun && f->head.target, sent = begun || (!f->begun && take_asked(call, f));
    call->relay.events = f->events;
    mutex_unlock(&f->lock);
    int status = call->status;
    struct flight_piece *place = get_off(r);
    call->coalesced = !step_out(r, true);
    if (begun && !call->at->provider) take_head(call, f);
    if (sent) record_price(call);
    call->status = status;
    call->calls = call->coalesced ? 0 : 1;
    record_end(call);
    let_go(f, place);
}
