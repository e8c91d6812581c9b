// The beginning of a stream, until its first event.
#include "gateway/opening.h"

#include "base/mem.h"
#include "base/scan.h"
#include "gateway/answer.h"
#include "gateway/hedge.h"

#define OPENING_MAX ((size_t)64 * 1024)

struct opening {
    struct attempt *attempt;
    struct timer timer;
    int status;
    struct http_field passed[CALL_FIELDS_MAX];
    size_t passed_count;
    const struct dialect_ops *dialect;
    struct arena *arena;
    struct framer framer;
    void *decoder; // made when an event first needs it, as few do; NULL: none has
    struct chat_sink sink;
    struct buf early;
    bool told, begun, failed;
    struct chat_failure failure; // in the arena
};

// --- what an event says ---

static struct str kept(struct arena *arena, struct str text) {
    struct str copy = arena_str(arena, text);
    return copy.p ? copy : STR("");
}

static void keep_failure(struct opening *o, const struct chat_failure *f) {
    if (o->failed) return;
    o->failed = true;
    o->failure = *f;
    o->failure.status = chat_failure_status(f);
    o->failure.message = kept(o->arena, f->message);
    o->failure.code = kept(o->arena, f->code);
    o->failure.type = kept(o->arena, f->type);
    o->failure.param = kept(o->arena, f->param);
}

// That there will be an answer, and that it will have text, is none of it.
static bool is_said(const struct chat_event *e) {
    bool text = e->part_kind == CHAT_TEXT || e->part_kind == CHAT_THINKING;
    switch (e->kind) {
    case CHAT_BEGIN:
    case CHAT_USAGE:
        return false;
    case CHAT_PART_BEGIN:
        return !text;
    case CHAT_DELTA:
        return e->text.n > 0;
    default:
        return true;
    }
}

static void take(struct chat_sink *sink, const struct chat_event *e) {
    struct opening *o = CONTAINER_OF(sink, struct opening, sink);
    if (e->kind == CHAT_FAIL) keep_failure(o, e->failure);
    o->told |= is_said(e);
}

static bool is_prelude(const struct dialect_ops *dialect, struct str event) {
    for (size_t i = 0; event.n && i < ARRAY_LEN(dialect->prelude); i++)
        if (str_eq(event, dialect->prelude[i])) return true;
    return false;
}

static bool says(struct str data, struct str word) { return scan_find(data, word) < data.n; }

// Most streams' first event is plainly one of an answer. One that says whose answer it is may say nothing else.
static bool is_content(const struct opening *o, struct str data) {
    struct str mark = o->dialect->content_mark;
    return mark.n && says(data, mark) && !says(data, STR("error")) && !says(data, STR("role\""));
}

// What cannot be read here is for those who read it next.
static void look(struct opening *o, const struct frame *frame) {
    struct err ignored;
    o->begun = is_content(o, frame->data);
    if (o->begun) return;
    if (!o->dialect->decode) {
        struct str data = str_trim(frame->data);
        struct chat_failure failure;
        if (!data.n || str_eq(data, STR("[DONE]"))) return;
        if (o->dialect->read_failure(data, 200, o->arena, &failure)) keep_failure(o, &failure);
        o->begun = true;
        return;
    }
    if (is_prelude(o->dialect, frame->event)) return;
    if (o->dialect->only_speaker && o->dialect->only_speaker(frame->data)) return;
    if (!o->decoder && (o->decoder = mem_alloc(o->dialect->decoder_size))) o->dialect->decoder_init(o->decoder);
    if (!o->decoder || !o->dialect->decode(o->decoder, frame, &o->sink, &ignored)) o->told = true;
    // Of events that have names, one that nobody here knows is an event all the same.
    o->begun = o->told || (frame->event.n && o->dialect->prelude[0].n);
}

static bool on_frame(void *arg, const struct frame *frame, struct err *err) {
    struct opening *o = arg;
    (void)err;
    look(o, frame);
    return !o->begun && !o->failed;
}

// --- its end ---

void opening_free(struct attempt *a) {
    struct opening *o = a->opening;
    if (!o) return;
    a->opening = NULL;
    timer_stop(&o->timer);
    mem_free(o->decoder);
    framer_free(&o->framer);
    buf_free(&o->early);
}

static void failed(struct attempt *a) {
    const struct opening *o = a->opening;
    const struct chat_failure failure = o->failure;
    opening_free(a);
    enum failure why = failure_of_kind(failure.kind, failure.status);
    if (!hedge_lost(a, why, err_info(ERR_UPSTREAM_STATUS)->wire_code, 0)) answer_refused(a->call, &failure);
}

// Some tell how an answer ended when the stream does.
static bool says_at_end(struct opening *o) {
    if (o->decoder && o->dialect->decode_end) o->dialect->decode_end(o->decoder, &o->sink);
    return o->told;
}

static void ended(struct attempt *a) {
    struct err err;
    opening_free(a);
    err_set(&err, ERR_UPSTREAM_INVALID, "provider \"%.*s\": the stream ended before it began",
            STR_ARG(a->provider->conf->name));
    if (!hedge_lost(a, FAILURE_INVALID_ANSWER, err_info(err.code)->wire_code, 0)) answer_error(a->call, &err);
}

// What was held back goes on, and what has come now with it. waited: nothing may have come that is for the client.
static void begun(struct attempt *a, struct str data, bool last, bool waited) {
    struct opening *o = a->opening;
    struct call *call = a->call;
    struct buf early = o->early; // the call may end by what is in it
    buf_init(&o->early, 0);
    opening_free(a);
    if (early.n) {
        buf_put(&early, data);
        data = buf_str(&early);
    }
    hedge_won(a);
    if (early.failed) {
        struct err err;
        err_no_memory(&err);
        answer_error(call, &err);
    } else if (answer_opened(call, o->status, o->passed, o->passed_count)) {
        if (waited) {
            answer_begin(call);
            http_reply_flush(call->req);
        }
        if (data.n || last) answer_data(call, data, last);
    }
    buf_free(&early);
}

// Of two under way the one that brings an event first is to win.
static void on_time(struct timer *timer) {
    struct opening *o = CONTAINER_OF(timer, struct opening, timer);
    struct call *call = o->attempt->call;
    if (call->failover.rival)
        timer_set(timer, OPENING_HOLD_MS);
    else
        begun(o->attempt, STR(""), false, true);
}

void opening_data(struct attempt *a, struct str data, bool last) {
    struct opening *o = a->opening;
    struct err ignored;
    // It ends with the first event; what no framer takes has begun as well.
    if (!framer_feed(&o->framer, data, last, on_frame, o, &ignored)) o->begun = true;
    if (last && !o->failed && !o->begun) o->begun = says_at_end(o);
    if (o->failed) {
        failed(a);
    } else if (o->begun) {
        begun(a, data, last, false);
    } else if (last) {
        ended(a);
    } else if (o->early.n + data.n > OPENING_MAX) {
        begun(a, data, false, false);
    } else {
        buf_put(&o->early, data);
    }
}

// --- its beginning ---

bool opening_begin(struct attempt *a, int status, const struct http_field *fields, size_t count) {
    struct call *call = a->call;
    enum frame_kind frames;
    bool text = a->asks == OPERATION_CHAT || a->asks == OPERATION_COMPLETIONS;
    if (!text || !call->request.stream || status >= 300 || !answer_is_framed(a, fields, count, &frames)) return false;
    struct arena *arena = &call->req->arena;
    struct opening *o = arena_alloc(arena, sizeof *o);
    if (!o) return false; // it goes through as it comes
    o->attempt = a;
    o->status = status;
    o->passed_count = answer_fields(call, fields, count, o->passed);
    o->dialect = a->upstream;
    o->arena = arena;
    o->decoder = NULL;
    o->sink.take = take;
    o->told = o->begun = o->failed = false;
    framer_init(&o->framer, frames, (size_t)call->runtime->conf->limits.max_event);
    buf_init(&o->early, OPENING_MAX + (4 << 20));
    a->opening = o;
    timer_init(&o->timer, call->gl->loop, on_time);
    if (!watch_first_token(call)) timer_set(&o->timer, OPENING_HOLD_MS);
    return true;
}
