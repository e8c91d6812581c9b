// The beginning of a stream, until its first event.
#include "gateway/opening.h"

#include "base/scan.h"
#include "gateway/answer.h"
#include "gateway/hedge.h"
#include "os/clock.h"

#define OPENING_MAX ((size_t)64 * 1024)
#define OPENING_MAX_NS (10 * NS_PER_SEC) // of what keeps a connection open, and is no event

struct opening {
    int status;
    struct http_field passed[CALL_FIELDS_MAX];
    size_t passed_count;
    const struct dialect_ops *dialect;
    struct arena *arena;
    struct framer framer;
    void *decoder; // NULL: the dialect has none
    bool decoding; // it is in use
    struct chat_sink sink;
    struct buf early;
    uint64_t since_ns;
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

static void take(struct chat_sink *sink, const struct chat_event *e) {
    struct opening *o = CONTAINER_OF(sink, struct opening, sink);
    if (e->kind == CHAT_FAIL) keep_failure(o, e->failure);
    o->told |= e->kind != CHAT_USAGE;
}

static bool is_prelude(const struct dialect_ops *dialect, struct str event) {
    for (size_t i = 0; event.n && i < ARRAY_LEN(dialect->prelude); i++)
        if (str_eq(event, dialect->prelude[i])) return true;
    return false;
}

// Most streams' first event is plainly one of an answer.
static bool is_content(const struct opening *o, struct str data) {
    struct str mark = o->dialect->content_mark;
    return mark.n && scan_find(data, mark) < data.n && scan_find(data, STR("error")) == data.n;
}

// What cannot be read here is for those who read it next.
static void look(struct opening *o, const struct frame *frame) {
    struct err ignored;
    o->begun = is_content(o, frame->data);
    if (o->begun) return;
    if (!o->decoder) {
        struct str data = str_trim(frame->data);
        struct chat_failure failure;
        if (!data.n || str_eq(data, STR("[DONE]"))) return;
        if (o->dialect->read_failure(data, 200, o->arena, &failure)) keep_failure(o, &failure);
        o->begun = true;
        return;
    }
    if (is_prelude(o->dialect, frame->event)) return;
    if (!o->decoding) o->dialect->decoder_init(o->decoder);
    o->decoding = true;
    if (!o->dialect->decode(o->decoder, frame, &o->sink, &ignored)) o->told = true;
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

static void ended(struct attempt *a) {
    struct err err;
    opening_free(a);
    err_set(&err, ERR_UPSTREAM_INVALID, "provider \"%.*s\": the stream ended before it began",
            STR_ARG(a->provider->conf->name));
    if (!hedge_lost(a, FAILURE_INVALID_ANSWER, err_info(err.code)->wire_code, 0)) answer_error(a->call, &err);
}

// What was held back goes on, and what has come now with it.
static void begun(struct attempt *a, struct str data, bool last) {
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
        answer_data(call, data, last);
    }
    buf_free(&early);
}

void opening_data(struct attempt *a, struct str data, bool last) {
    struct opening *o = a->opening;
    struct err ignored;
    // It ends with the first event; what no framer takes has begun as well.
    if (!framer_feed(&o->framer, data, last, on_frame, o, &ignored)) o->begun = true;
    if (o->failed) {
        failed(a);
    } else if (o->begun) {
        begun(a, data, last);
    } else if (last) {
        ended(a);
    } else if (o->early.n + data.n > OPENING_MAX || clock_mono_ns() - o->since_ns > OPENING_MAX_NS) {
        begun(a, data, false);
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
    void *decoder = a->upstream->decode ? arena_alloc(arena, a->upstream->decoder_size) : NULL;
    if (!o || (a->upstream->decode && !decoder)) return false; // it goes through as it comes
    o->status = status;
    o->passed_count = answer_fields(call, fields, count, o->passed);
    o->dialect = a->upstream;
    o->arena = arena;
    o->decoder = decoder;
    o->sink.take = take;
    o->since_ns = clock_mono_ns();
    o->decoding = o->told = o->begun = o->failed = false;
    framer_init(&o->framer, frames, (size_t)call->runtime->conf->limits.max_event);
    buf_init(&o->early, OPENING_MAX + (4 << 20));
    a->opening = o;
    return true;
}
