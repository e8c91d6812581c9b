// The HTTP/2 connection: libnghttp2's session, limits against abuse, and the order in which things are done.
//
// Source: RFC 9113. Defences besides libnghttp2's own (its caps on CONTINUATION, SETTINGS and outbound
// acknowledgements, its rate of RST_STREAM): streams that end before their reply, whoever reset them, and frames that
// carry nothing each draw on a budget; a client that uses one up is sent away with ENHANCE_YOUR_CALM.
#include "net/http2_internal.h"

#include "base/mem.h"

#define MAX_STREAMS 256
#define STREAM_WINDOW (256 * 1024)
#define CONNECTION_WINDOW (1024 * 1024)
#define OUTBOUND_ACKS_MAX 256
#define CODER_TABLE 2048               // bytes of the header compression tables, each way
#define LINK_HIGH ((size_t)256 * 1024) // queued in the link: no more is taken from libnghttp2
#define GATHER ((size_t)32 * 1024)
#define LINGER_MS 1000
#define TICK_MIN_MS 10
#define TICK_MAX_MS 1000
#define SETTINGS_NO_RFC7540_PRIORITIES 9 // RFC 9218, 2.1

static const struct http2_budget k_wasted = {.left = 512, .burst = 512, .per_second = 10};
static const struct http2_budget k_idle_frames = {.left = 2000, .burst = 2000, .per_second = 100};

static uint64_t now_ms(const struct http2 *h2) { return loop_now_ms(h2->server->loop); }

// --- budgets ---

static void fail_with(struct http2 *h2, uint32_t code) {
    if (h2->failed) return;
    h2->failed = true;
    if (nghttp2_session_terminate_session(h2->session, code) != 0) h2->finished = h2->aborted = true;
}

bool http2_spend(struct http2 *h2, struct http2_budget *b) {
    uint64_t now = now_ms(h2), gained = (now - b->at_ms) * b->per_second / 1000;
    if (gained) {
        b->left = (uint32_t)MIN(b->left + gained, b->burst);
        b->at_ms = now;
    }
    if (b->left == 0) {
        fail_with(h2, NGHTTP2_ENHANCE_YOUR_CALM);
        return false;
    }
    b->left--;
    return true;
}

// --- what libnghttp2 tells ---

static struct http2_stream *stream_of(nghttp2_session *session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session, id);
}

static uint64_t tick_ms(const struct http2 *h2) {
    const struct http_server_options *o = &h2->server->options;
    uint64_t shortest = MIN(MIN(o->header_ms, o->body_ms), o->write_ms);
    return MIN(MAX(shortest / 4, TICK_MIN_MS), TICK_MAX_MS);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct http2 *h2 = user;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (h2->failed) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    struct http2_stream *s = http2_stream_new(h2, frame->hd.stream_id);
    if (!s) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(session, s->id, s);
    if (h2->timer.deadline == 0) timer_set(&h2->timer, tick_ms(h2));
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user) {
    (void)flags, (void)user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0; // trailers
    struct http2_stream *s = stream_of(session, frame->hd.stream_id);
    if (!s) return 0;
    return http2_stream_field(s, str_of((const char *)name, name_n), str_of((const char *)value, value_n))
               ? 0
               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

// Left to itself libnghttp2 would drop the malformed field and let the request pass.
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                             const uint8_t *value, size_t value_n, uint8_t flags, void *user) {
    (void)name, (void)name_n, (void)value, (void)value_n, (void)flags, (void)user;
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void stream_frame(nghttp2_session *session, const nghttp2_frame *frame, bool ended) {
    struct http2_stream *s = stream_of(session, frame->hd.stream_id);
    if (!s) return;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        http2_stream_head(s, ended);
    else if (ended)
        http2_stream_complete(s);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)user;
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)
        stream_frame(session, frame, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
    return 0;
}

// Every frame passes here, also those that libnghttp2 ignores. What neither moves a request nor opens a window is idle.
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user) {
    (void)session;
    struct http2 *h2 = user;
    bool useful = hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_WINDOW_UPDATE || hd->type == NGHTTP2_RST_STREAM ||
                  hd->type == NGHTTP2_CONTINUATION ||
                  (hd->type == NGHTTP2_DATA && (hd->length || (hd->flags & NGHTTP2_FLAG_END_STREAM)));
    if (!useful) (void)http2_spend(h2, &h2->idle_frames);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user) {
    (void)flags, (void)user;
    struct http2_stream *s = stream_of(session, id);
    if (s) http2_stream_data(s, str_of((const char *)p, n));
    return 0;
}

// A reply that is complete before its request (it was rejected) ends the stream soon: RFC 9113, 8.1. Not at once,
// because there are clients that forget the reply when RST_STREAM comes right behind it.
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)user;
    if (frame->hd.type != NGHTTP2_DATA || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    struct http2_stream *s = stream_of(session, frame->hd.stream_id);
    if (s && !nghttp2_session_get_stream_remote_close(session, s->id)) {
        s->lingering = true;
        s->progress_ms = loop_now_ms(s->h2->server->loop);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    (void)user;
    struct http2_stream *s = stream_of(session, id);
    if (s) http2_stream_closed(s, code == NGHTTP2_NO_ERROR);
    return 0;
}

// --- entering and leaving ---

void http2_enter(struct http2 *h2, bool replying) {
    if (h2->depth++ == 0) h2->replying = replying;
}

void http2_event(struct http2_stream *s) {
    struct http2 *h2 = s->h2;
    if (s->eventful) return;
    s->eventful = true;
    s->next_event = NULL;
    *h2->events_end = s;
    h2->events_end = &s->next_event;
}

void http2_later(struct http2 *h2) { timer_set(&h2->timer, 0); }

static void write_out(struct http2 *h2, const char *p, size_t n) {
    if (n == 0 || h2->aborted) return;
    struct str part = str_of(p, n);
    if (h2->link.write(h2->link.owner, &part, 1) > LINK_HIGH) h2->clogged = true;
}

void http2_flush(struct http2 *h2) {
    if (h2->finished || h2->clogged || !nghttp2_session_want_write(h2->session)) return;
    struct pool *pool = loop_pool(h2->server->loop);
    size_t cap = 0, n = 0;
    char *gather = pool_get(pool, GATHER, &cap);
    const uint8_t *frame;
    ssize_t got = 0;
    while (!h2->clogged && !h2->aborted && (got = nghttp2_session_mem_send(h2->session, &frame)) > 0) {
        size_t size = (size_t)got;
        if (cap - n < size) {
            write_out(h2, gather, n);
            n = 0;
        }
        if (cap < size) {
            write_out(h2, (const char *)frame, size);
        } else {
            memcpy(gather + n, frame, size);
            n += size;
        }
    }
    write_out(h2, gather, n);
    if (gather) pool_put(pool, gather, cap);
    if (got < 0) h2->failed = h2->finished = h2->aborted = true;
}

static void handle_event(struct http2_stream *s) {
    if (s->closed) {
        if (s->phase != HTTP2_HANDLED) http2_stream_free(s);
        return;
    }
    bool drained = s->drained;
    s->drained = false;
    if (s->h2->finished || s->h2->failed || !nghttp2_session_want_read(s->h2->session)) return; // its end follows
    if (s->phase == HTTP2_READY)
        http2_stream_dispatch(s);
    else if (drained && s->phase == HTTP2_HANDLED)
        s->h2->server->handler.on_drained(&s->req);
}

// Works off what is queued. While a reply call is on the stack only dead streams are freed; the rest waits for the
// loop.
static bool handle_events(struct http2 *h2) {
    struct http2_stream *s = h2->events;
    if (!s) return false;
    h2->events = NULL;
    h2->events_end = &h2->events;
    for (struct http2_stream *next; s; s = next) {
        next = s->next_event;
        s->eventful = false;
        if (h2->replying && !s->closed) {
            http2_event(s);
            http2_later(h2);
        } else {
            handle_event(s);
        }
    }
    return !h2->replying;
}

// The handler learns that its clients are gone, unless it is on the stack: then from the loop.
static void abort_streams(struct http2 *h2) {
    if (h2->replying) {
        http2_later(h2);
        return;
    }
    for (struct http2_stream *s = h2->streams, *next; s; s = next) {
        next = s->next;
        http2_stream_abort(s);
        s->closed = true;
        http2_event(s);
    }
    (void)handle_events(h2);
}

static bool said_all(struct http2 *h2) {
    if (h2->aborted) return true;
    if (h2->clogged || nghttp2_session_want_write(h2->session)) return false;
    return h2->failed || !nghttp2_session_want_read(h2->session) || (h2->said_goaway && h2->stream_count == 0);
}

static void say_goaway(struct http2 *h2) {
    if (!h2->draining || h2->said_goaway || h2->stream_count || h2->failed) return;
    h2->said_goaway = true;
    nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session),
                          NGHTTP2_NO_ERROR, NULL, 0);
    http2_flush(h2);
}

void http2_leave(struct http2 *h2) {
    if (h2->depth > 1) {
        h2->depth--;
        return;
    }
    do http2_flush(h2);
    while (handle_events(h2));
    say_goaway(h2);
    bool all = said_all(h2);
    if (all) h2->finished = true;
    if (all || h2->aborted) abort_streams(h2);
    h2->depth--;
    h2->replying = false;
    if (h2->finished && !h2->told) {
        h2->told = true;
        h2->link.finish(h2->link.owner);
    }
}

// --- time ---

// A client that has stopped sending its request, or reading its reply.
static void check_stream(struct http2_stream *s, const struct http_server_options *o, uint64_t age) {
    struct err err;
    if (s->phase == HTTP2_HEAD && age > o->header_ms) {
        fail_with(s->h2, NGHTTP2_ENHANCE_YOUR_CALM); // no other frame may come before the head's end
    } else if (s->phase == HTTP2_BODY && age > o->body_ms) {
        err_set(&err, ERR_REQUEST_TIMEOUT, "the request's body stopped arriving (timeouts.body)");
        http2_stream_reject(s, &err);
    } else if (s->lingering && age > LINGER_MS) {
        http2_stream_reset(s, NGHTTP2_NO_ERROR);
    } else if (!s->ours && http2_stream_queued(s) && age > o->write_ms) {
        http2_stream_abort(s);
        http2_stream_reset(s, NGHTTP2_CANCEL);
    }
}

static void on_timer(struct timer *timer) {
    struct http2 *h2 = CONTAINER_OF(timer, struct http2, timer);
    uint64_t now = now_ms(h2);
    http2_enter(h2, false);
    for (struct http2_stream *s = h2->streams, *next; s; s = next) {
        next = s->next;
        if (s->closed) {
            http2_stream_abort(s);
            http2_event(s);
        } else if (!h2->finished) {
            check_stream(s, &h2->server->options, now - s->progress_ms);
        }
    }
    if (h2->streams && !h2->finished) timer_set(timer, tick_ms(h2));
    http2_leave(h2);
}

// --- life ---

// libnghttp2 keeps to malloc: version 1.52 frees twice after some refused allocations, so it cannot have an allocator
// that is capped or told to fail. What it holds is bounded by the limits above.
static nghttp2_session *session_new(struct http2 *h2) {
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *option = NULL;
    nghttp2_session *session = NULL;
    if (nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&option) == 0) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
        nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
        nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
        nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_max_outbound_ack(option, OUTBOUND_ACKS_MAX);
        nghttp2_option_set_max_deflate_dynamic_table_size(option, CODER_TABLE);
        if (nghttp2_session_server_new2(&session, cb, h2, option) != 0) session = NULL;
    }
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(option);
    return session;
}

static bool say_settings(struct http2 *h2) {
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MAX_STREAMS},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)MIN(h2->server->options.max_head, UINT32_MAX)},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, CODER_TABLE},
        {SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    return nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) == 0 &&
           nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) == 0;
}

struct http2 *http2_create(struct http_server *server, const struct http2_link *link) {
    struct http2 *h2 = mem_zalloc(1, sizeof *h2);
    if (!h2) return NULL;
    h2->server = server;
    h2->link = *link;
    h2->events_end = &h2->events;
    h2->wasted = k_wasted;
    h2->idle_frames = k_idle_frames;
    h2->wasted.at_ms = h2->idle_frames.at_ms = now_ms(h2);
    timer_init(&h2->timer, server->loop, on_timer);
    h2->session = session_new(h2);
    bool ok = h2->session && say_settings(h2);
    if (ok) http2_flush(h2);
    if (ok && !h2->failed) return h2;
    if (h2->session) nghttp2_session_del(h2->session);
    mem_free(h2);
    return NULL;
}

void http2_feed(struct http2 *h2, struct str in) {
    if (h2->finished || h2->failed) return;
    http2_enter(h2, false);
    ssize_t used = nghttp2_session_mem_recv(h2->session, (const uint8_t *)in.p, in.n);
    if (used < 0) { // a wrong preface, a flood, no memory: there is nothing to say to that
        h2->failed = true;
        if (used == NGHTTP2_ERR_NOMEM || used == NGHTTP2_ERR_CALLBACK_FAILURE) h2->aborted = true;
        (void)nghttp2_session_terminate_session(h2->session, used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM
                                                                                         : NGHTTP2_PROTOCOL_ERROR);
    }
    http2_leave(h2);
}

void http2_drained(struct http2 *h2) {
    h2->clogged = false;
    if (h2->finished) return;
    http2_enter(h2, false);
    http2_leave(h2);
}

bool http2_idle(const struct http2 *h2) { return h2->stream_count == 0; }

void http2_drain(struct http2 *h2) {
    if (h2->finished || h2->draining) return;
    http2_enter(h2, false);
    h2->draining = true;
    nghttp2_submit_shutdown_notice(h2->session);
    http2_leave(h2);
}

void http2_abort_all(struct http2 *h2) {
    h2->finished = h2->aborted = h2->told = true;
    if (h2->depth) {
        if (h2->replying) http2_later(h2);
        return; // the outermost call sees to it when it leaves
    }
    http2_enter(h2, false);
    http2_leave(h2);
}

void http2_free(struct http2 *h2) {
    if (!h2) return;
    INVARIANT(h2->depth == 0);
    http2_abort_all(h2);
    timer_stop(&h2->timer);
    nghttp2_session_del(h2->session);
    mem_free(h2);
}
