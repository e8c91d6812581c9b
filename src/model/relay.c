// An answer on its way to a client of the same dialect: passed through, with its usage read off.
#include "model/relay.h"

#include "base/json_read.h"
#include "base/scan.h"

#define READ_MAX ((size_t)1 << 20) // of one call's data beside the rest
#define TAIL_MAX ((size_t)2048)    // holds the event that tells the end, usage and what else follows it
#define FAILED_MIN (TAIL_MAX / 2)  // of smaller errors the tail has all, whatever else ends the stream
#define FAILED_MAX ((size_t)64 * 1024)

void relay_init(struct relay *s, size_t max_event) {
    *s = (struct relay){.max_event = max_event};
    buf_init(&s->rest, max_event + READ_MAX);
    buf_init(&s->tail, TAIL_MAX);
    buf_init(&s->failed, FAILED_MAX);
}

void relay_begin(struct relay *s, const struct dialect_ops *dialect, enum relay_kind kind, bool array) {
    s->dialect = dialect;
    s->kind = kind;
    if (kind != RELAY_FRAMES) return;
    framer_init(&s->framer, array ? FRAME_ARRAY : dialect->frames, s->max_event);
    s->framing = true;
}

void relay_free(struct relay *s) {
    buf_free(&s->rest);
    buf_free(&s->tail);
    buf_free(&s->failed);
    if (s->framing) framer_free(&s->framer);
    s->framing = false;
}

static uint64_t count_events(struct str s) {
    uint64_t n = 0;
    for (; s.n; s = str_from(s, str_find_char(s, '\n') + 1)) n += str_starts(s, STR("data:"));
    return n;
}

// The event around position `at`: from behind the blank line before it to behind the one after it.
static struct str event_around(struct str events, size_t at) {
    size_t begin = scan_last_blank_line(str_head(events, at));
    struct str tail = str_from(events, at);
    size_t lf = scan_find(tail, STR("\n\n")), crlf = scan_find(tail, STR("\n\r\n"));
    size_t end = MIN(lf < tail.n ? lf + 2 : tail.n, crlf < tail.n ? crlf + 3 : tail.n);
    return str_of(events.p + begin, at + end - begin);
}

// The data of an event with one data line; an event with several is not one that we take apart.
static struct str event_data(struct str event) {
    struct str line, data = STR_NONE;
    while (str_split(&event, '\n', &line)) {
        if (!str_starts(line, STR("data:"))) continue;
        if (data.p) return STR_NONE;
        data = str_trim(str_from(line, 5));
    }
    return data;
}

// Reads an event that mentions usage. True: it tells nothing but usage.
static bool read_usage_event(struct relay *s, struct str event) {
    struct str data = event_data(event);
    if (!data.n || !s->dialect->usage_of(data, &s->usage)) return false;
    s->has_usage = true;
    return s->dialect->only_usage && s->dialect->only_usage(data);
}

// Whether a key ends with the mark at `at` and its value is an object: most vendors repeat "usage":null.
static bool usage_is_told(struct str events, size_t at, size_t mark) {
    if (at == 0 || events.p[at - 1] != '"') return false;
    struct str rest = str_from(events, at + mark);
    rest = str_from(rest, scan_space(rest));
    if (!rest.n || rest.p[0] != ':') return false;
    rest = str_from(rest, 1);
    rest = str_from(rest, scan_space(rest));
    return rest.n && rest.p[0] == '{';
}

// The text that is the value of a key which ends at `at`; empty: it is something else.
static struct str text_after(struct str s, size_t at) {
    struct str rest = str_from(s, at);
    rest = str_from(rest, scan_space(rest));
    if (!rest.n || rest.p[0] != ':') return STR("");
    rest = str_from(rest, 1);
    rest = str_from(rest, scan_space(rest));
    if (!rest.n || rest.p[0] != '"') return STR("");
    size_t end = str_find_char(str_from(rest, 1), '"');
    return end + 1 < rest.n ? str_head(rest, end + 2) : STR("");
}

uint64_t relay_finished(const struct relay *s) {
    bool array = s->kind == RELAY_FRAMES && s->framer.kind == FRAME_ARRAY;
    if (s->kind != RELAY_EVENTS && !(array && (s->framer.ended || framer_may_end(&s->framer)))) return 0;
    struct str tail = buf_str(&s->tail), mark = s->dialect->finish_mark;
    uint64_t finished = 0;
    size_t at = 0;
    while (mark.n && (at += scan_find(str_from(tail, at), mark)) < tail.n) {
        struct str text = text_after(tail, at + mark.n);
        bool key = at > 0 && tail.p[at - 1] == '"';
        if (key && text.n && (!s->dialect->ends || s->dialect->ends(text))) finished++;
        at += mark.n;
    }
    return finished;
}

struct str relay_end(const struct relay *s) {
    if (s->kind == RELAY_EVENTS) return s->dialect->stream_end;
    return s->framer.ended ? STR("") : STR("]");
}

// What is asked of it is asked when a stream ends, so it is not looked for in all that passes.
static void keep_tail(struct relay *s, struct str events) {
    struct str end = str_from(events, events.n - MIN(events.n, TAIL_MAX));
    if (s->tail.n + end.n > TAIL_MAX) buf_drop(&s->tail, s->tail.n + end.n - TAIL_MAX);
    buf_put(&s->tail, end);
}

// --- an error of the provider's ---

struct look {
    const struct dialect_ops *dialect;
    struct chat_sink sink;
    void *decoder; // NULL: the dialect has none
    struct arena *arena;
    struct chat_failure *out;
    bool failed;
};

static struct str kept(struct arena *arena, struct str text) {
    struct str copy = arena_str(arena, text);
    return copy.p ? copy : STR("");
}

static void take(struct chat_sink *sink, const struct chat_event *e) {
    struct look *l = CONTAINER_OF(sink, struct look, sink);
    if (e->kind != CHAT_FAIL || l->failed) return;
    l->failed = true;
    *l->out = *e->failure;
    l->out->message = kept(l->arena, e->failure->message);
    l->out->code = kept(l->arena, e->failure->code);
    l->out->type = kept(l->arena, e->failure->type);
    l->out->param = kept(l->arena, e->failure->param);
}

// Each is read as if it were the first: what came before it is not known. What cannot be read so tells no error.
static bool look_at(void *arg, const struct frame *frame, struct err *err) {
    struct look *l = arg;
    if (!l->decoder) {
        l->failed = l->dialect->read_failure(frame->data, 200, l->arena, l->out);
        return !l->failed;
    }
    l->dialect->decoder_init(l->decoder);
    (void)l->dialect->decode(l->decoder, frame, &l->sink, err);
    return !l->failed;
}

// Whether one of these frames tells an error.
static bool tells_failure(const struct relay *s, struct str frames, struct arena *arena,
                          struct chat_failure *out_failure) {
    const struct dialect_ops *dialect = s->dialect;
    struct look l = {.dialect = dialect, .sink.take = take, .arena = arena, .out = out_failure};
    struct framer framer;
    struct err ignored;
    if (dialect->decode && !(l.decoder = arena_alloc(arena, dialect->decoder_size))) return false;
    if (s->kind == RELAY_FRAMES) {
        const struct frame frame = {.event = STR(""), .data = frames};
        (void)look_at(&l, &frame, &ignored);
        return l.failed;
    }
    framer_init(&framer, FRAME_SSE, FAILED_MAX);
    bool all = framer_feed(&framer, frames, true, look_at, &l, &ignored);
    framer_free(&framer);
    return !all && l.failed;
}

// Nothing is kept of what tells no error, so streams that are well have no memory for it.
static void keep_failure(struct relay *s, struct str frame) {
    struct arena arena;
    struct chat_failure ignored;
    if (frame.n <= FAILED_MIN || frame.n > FAILED_MAX || scan_find(frame, STR("error")) == frame.n) return;
    arena_init(&arena, NULL, 0, FAILED_MAX * 4);
    if (tells_failure(s, frame, &arena, &ignored)) {
        buf_clear(&s->failed);
        buf_put(&s->failed, frame);
    }
    arena_free(&arena);
}

static void keep_failures(struct relay *s, struct str events) {
    if (events.n <= FAILED_MIN || scan_find(events, STR("error")) == events.n) return;
    while (events.n) {
        size_t n = frame_event_len(events);
        struct str event = n ? str_head(events, n) : events;
        keep_failure(s, event);
        events = str_from(events, event.n);
    }
}

// --- passing on ---

// Looks through whole events for usage; what is to be taken out is left out of the parts.
static void pass_events(struct relay *s, struct str events, struct str out_parts[RELAY_PARTS], size_t *out_count) {
    struct str mark = s->dialect->usage_mark; // without its first quote: that byte is everywhere in JSON
    size_t n = 0, from = 0;
    s->events += count_events(events);
    keep_tail(s, events);
    keep_failures(s, events);
    for (;;) {
        size_t at = from + scan_find(str_from(events, from), mark);
        if (at >= events.n) break;
        from = at + 1;
        if (!usage_is_told(events, at, mark.n)) continue;
        struct str event = event_around(events, at);
        size_t begin = (size_t)(event.p - events.p);
        bool only_usage = read_usage_event(s, event);
        from = begin + event.n;
        if (!only_usage || !s->strip_usage || n == RELAY_PARTS - 1) continue;
        if (begin) out_parts[n++] = str_head(events, begin);
        events = str_from(events, from);
        from = 0;
    }
    if (events.n) out_parts[n++] = events;
    *out_count = n;
}

static bool feed_events(struct relay *s, struct str data, bool last, struct str out_parts[RELAY_PARTS],
                        size_t *out_count, struct err *err) {
    buf_drop(&s->rest, s->given);
    s->given = 0;
    bool joined = s->rest.n > 0;
    if (joined) buf_put(&s->rest, data);
    struct str all = joined ? buf_str(&s->rest) : data;
    size_t whole = last ? all.n : scan_last_blank_line(all);
    struct str tail = str_from(all, whole);
    if (!joined) buf_put(&s->rest, tail);
    if (s->rest.failed || tail.n > s->max_event)
        return err_set(err, ERR_UPSTREAM_TOO_LARGE,
                       "one event of the provider's stream is larger than limits.max_event");
    if (joined) s->given = whole;
    if (whole) pass_events(s, str_head(all, whole), out_parts, out_count);
    return true;
}

static bool on_frame(void *arg, const struct frame *frame, struct err *err) {
    (void)err;
    struct relay *s = arg;
    s->events++;
    buf_clear(&s->tail);
    if (frame->data.n <= TAIL_MAX) buf_put(&s->tail, frame->data);
    keep_failure(s, frame->data);
    if (s->dialect->usage_of(frame->data, &s->usage)) s->has_usage = true;
    return true;
}

bool relay_feed(struct relay *s, struct str data, bool last, struct str out_parts[RELAY_PARTS], size_t *out_count,
                struct err *err) {
    *out_count = 0;
    if (s->kind == RELAY_EVENTS) return feed_events(s, data, last, out_parts, out_count, err);
    if (s->kind == RELAY_FRAMES && !framer_feed(&s->framer, data, last, on_frame, s, err)) {
        buf_clear(&s->tail); // what it said is not passed on
        return false;
    }
    if (data.n) out_parts[(*out_count)++] = data;
    return true;
}

bool relay_failed(struct relay *s, uint64_t choices, struct arena *arena, struct chat_failure *out_failure) {
    bool whole = s->dialect->finish_mark.n ? relay_finished(s) >= choices : s->has_usage;
    if (whole || s->kind == RELAY_BYTES) return false;
    return (s->tail.n && tells_failure(s, buf_str(&s->tail), arena, out_failure)) ||
           (s->failed.n && tells_failure(s, buf_str(&s->failed), arena, out_failure));
}
