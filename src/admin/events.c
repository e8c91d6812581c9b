// GET /api/v1/events: the event bus as server-sent events.
//
// A stream takes what it has not yet sent from the bus, which keeps the last EVENT_KEEP. While its client reads too
// slowly it takes nothing; when the bus has moved on past what it has not taken, or the client has not caught up for
// two heartbeats, the stream is cut, and its client may come back with Last-Event-ID. When keys have changed, or its
// own has expired, it ends before another word is told: its client comes back and shows its key again.
#include "admin/call.h"

#include "base/json_write.h"
#include "base/text.h"
#include "os/clock.h"

#define HEARTBEAT_MS 15000
#define QUEUED_MAX ((size_t)256 * 1024)
#define BATCH_MAX ((size_t)64 * 1024) // taken from the bus at once
#define NAMES_MAX 16

struct event_stream {
    struct admin_call *call;
    struct event_stream *next;
    struct timer heartbeat;
    uint64_t after; // the last event looked at
    uint64_t round; // of news, that it has had
    bool paused;
    unsigned slow; // heartbeats for which it has been
    struct str names[NAMES_MAX];
    size_t n_names; // 0 = all
    struct buf batch;
    bool more; // the batch was full
};

bool event_matches(struct str pattern, struct str name) {
    if (pattern.n && pattern.p[pattern.n - 1] == '*') return str_starts(name, str_head(pattern, pattern.n - 1));
    return str_eq(pattern, name);
}

// --- taking from the bus ---

static bool wanted(const struct event_stream *s, struct str name) {
    for (size_t i = 0; i < s->n_names; i++)
        if (event_matches(s->names[i], name)) return true;
    return s->n_names == 0;
}

static void put_id(struct buf *out, const struct event_stream *s, uint64_t seq) {
    buf_printf(out, "id: %s-%llu\n", s->call->al->admin->boot, (unsigned long long)seq);
}

static void on_event(void *ctx, const struct event *event) {
    struct event_stream *s = ctx;
    char at[TIME_TEXT_LEN];
    s->more = s->more || s->batch.n >= BATCH_MAX;
    if (s->more) return;
    s->after = event->seq;
    if (!wanted(s, event->name)) return;
    time_text(at, event->at);
    put_id(&s->batch, s, event->seq);
    buf_printf(&s->batch, "event: %.*s\ndata: {\"timestamp\":\"%.*s\",\"data\":", STR_ARG(event->name), TIME_TEXT_LEN,
               at);
    buf_put(&s->batch, event->data.n ? event->data : STR("{}"));
    buf_lit(&s->batch, "}\n\n");
}

static void cut(struct event_stream *s) {
    struct admin_call *call = s->call;
    struct http_req *req = call->req;
    log_info(call->al->admin->host->log, LOG_MSG("an event stream was cut: its client reads too slowly"),
             LOG_STR("client", req->peer), LOG_STR("request_id", str_of(call->id_text, REQUEST_ID_TEXT_LEN)));
    events_free(call);
    admin_call_free(call);
    http_reply_abort(req);
}

static void end(struct event_stream *s) {
    struct admin_call *call = s->call;
    struct http_req *req = call->req;
    events_free(call);
    admin_call_free(call);
    http_reply_data(req, NULL, 0, true);
}

static bool is_admitted(const struct event_stream *s) {
    const struct admin_call *call = s->call;
    if (keyring_stale(call->ring)) return false;
    return !call->key || !call->key->expires_at || clock_unix_ns() < call->key->expires_at;
}

static void send(struct event_stream *s, struct str text) {
    size_t queued = http_reply_data(s->call->req, &text, 1, false);
    s->paused = queued > QUEUED_MAX;
    s->slow = 0;
}

// Afterwards the stream may be gone.
static void push(struct event_stream *s) {
    struct event_bus *bus = s->call->al->admin->host->events;
    if (!is_admitted(s)) {
        end(s);
        return;
    }
    for (bool more = true; more && !s->paused;) {
        s->more = false;
        buf_clear(&s->batch);
        uint64_t before = s->after, last = event_each(bus, s->after, on_event, s);
        if (s->batch.failed || (last > EVENT_KEEP && before < last - EVENT_KEEP)) {
            cut(s); // what it has missed is gone
            return;
        }
        if (s->batch.n) send(s, buf_str(&s->batch));
        more = s->more;
    }
    buf_free(&s->batch);
}

static void push_all(struct admin_loop *al) {
    // From the beginning after each: an end of one may be that of others on its connection.
    uint64_t round = ++al->round;
    for (struct event_stream *s = al->streams; s;) {
        if (s->round == round) {
            s = s->next;
            continue;
        }
        s->round = round;
        push(s);
        s = al->streams;
    }
}

// --- being told ---

static void on_news(struct task *task) {
    struct admin_loop *al = CONTAINER_OF(task, struct admin_loop, news);
    atom_store(&al->news_posted, 0); // before the bus is looked at, so that nothing is missed
    push_all(al);
}

void events_wake(struct admin_loop *al) {
    if (__atomic_exchange_n(&al->news_posted, 1, __ATOMIC_ACQ_REL)) return;
    al->news.fn = on_news;
    loop_post(al->loop, &al->news);
}

static void on_heartbeat(struct timer *timer) {
    struct event_stream *s = CONTAINER_OF(timer, struct event_stream, heartbeat);
    if (s->paused && ++s->slow >= 2) {
        cut(s);
        return;
    }
    if (!is_admitted(s)) {
        end(s);
        return;
    }
    timer_set(timer, HEARTBEAT_MS);
    if (!s->paused) send(s, STR(": still here\n\n"));
}

void events_drained(struct admin_call *call) {
    call->stream->paused = false;
    push(call->stream);
}

// --- beginning and ending ---

void events_free(struct admin_call *call) {
    struct event_stream *s = call->stream, **at = &call->al->streams;
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    timer_stop(&s->heartbeat);
    buf_free(&s->batch);
    mem_free(s);
    call->stream = NULL;
}

void events_end(struct admin_loop *al) {
    while (al->streams) end(al->streams);
}

static void ignore(void *ctx, const struct event *event) { (void)ctx, (void)event; }

// "<boot>-<seq>" of an event seen before, or a plain number. What another run of the server gave out counts from 0.
static bool parse_after(const struct admin_call *call, struct str text, uint64_t last, uint64_t *out_after,
                        struct err *err) {
    size_t dash = str_find_char(text, '-');
    struct str digits = dash < text.n ? str_from(text, dash + 1) : text;
    if (!str_to_u64(digits, out_after))
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\" is no event's id", STR_ARG(str_head(text, 60)));
    bool foreign = dash < text.n && !str_eq(str_head(text, dash), str_c(call->al->admin->boot));
    if (foreign || *out_after > last) *out_after = 0;
    return true;
}

static bool parse_names(const struct admin_call *call, struct event_stream *s, struct err *err) {
    struct str rest = admin_query(call, "names"), one;
    while (rest.n && str_split(&rest, ',', &one)) {
        if (s->n_names == NAMES_MAX) return err_set(err, ERR_INVALID_FIELD, "more than %d names", NAMES_MAX);
        one = str_trim(one);
        if (one.n) s->names[s->n_names++] = one;
    }
    return true;
}

static bool begin(struct admin_call *call, struct event_stream *s, struct err *err) {
    struct event_bus *bus = call->al->admin->host->events;
    if (call->al->draining) return err_set(err, ERR_SHUTTING_DOWN, "the server is draining");
    if (!bus) return err_set(err, ERR_NOT_FOUND, "this server tells no events");
    struct str after = http_field_get(call->req->fields, call->req->field_count, STR("last-event-id"));
    if (!after.n) after = admin_query(call, "after");
    uint64_t last = event_each(bus, UINT64_MAX, ignore, NULL);
    s->after = last;
    if (after.n && !parse_after(call, after, last, &s->after, err)) return false;
    // What is no longer kept is not waited for.
    if (last > EVENT_KEEP) s->after = MAX(s->after, last - EVENT_KEEP);
    return parse_names(call, s, err);
}

void api_events_get(struct admin_call *call) {
    struct admin_loop *al = call->al;
    struct event_stream *s = mem_zalloc(1, sizeof *s);
    struct err err;
    if (!s) {
        err_no_memory(&err);
        admin_fail(call, &err);
        return;
    }
    s->call = call;
    buf_init(&s->batch, BATCH_MAX + EVENT_DATA_MAX + 4096);
    if (!begin(call, s, &err)) {
        mem_free(s);
        admin_fail(call, &err);
        return;
    }
    timer_init(&s->heartbeat, al->loop, on_heartbeat);
    timer_set(&s->heartbeat, HEARTBEAT_MS);
    s->next = al->streams;
    al->streams = s;
    call->stream = s;
    admin_begin_reply(call, 200, STR("text/event-stream"), HTTP_LENGTH_UNKNOWN);
    send(s, STR("retry: 2000\n\n"));
    push(s);
}
