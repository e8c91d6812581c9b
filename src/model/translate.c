// An answer's way from a provider's dialect to a client's.
#include "model/translate.h"

#include "model/chat_collect.h"

static void add_before(struct usage *usage, const struct chat_reply *reply) {
    if (reply->before) usage_add(usage, reply->before);
}

// How much of the text is what was told already; an escape is not cut.
static size_t repeated(struct str skip, struct str text) {
    size_t n = 0;
    while (n < skip.n && n < text.n && skip.p[n] == text.p[n]) n++;
    return n && n < text.n && text.p[n - 1] == '\\' ? n - 1 : n;
}

// False: the event tells nothing that is not told.
static bool gather(struct translator *t, struct chat_event *e) {
    if (e->kind == CHAT_PART_BEGIN) {
        bool thought = e->part_kind == CHAT_THINKING || e->part_kind == CHAT_REDACTED_THINKING;
        t->begun = true;
        t->fixed = t->fixed || (e->part_kind != CHAT_TEXT && !thought);
    }
    if (e->kind != CHAT_DELTA || e->part_kind != CHAT_TEXT) return true;
    if (t->skip.n) {
        size_t n = repeated(t->skip, e->text);
        t->skip = n == e->text.n ? str_from(t->skip, n) : STR("");
        e->text = str_from(e->text, n);
    }
    buf_put(&t->said, e->text);
    return e->text.n > 0;
}

static void note_failure(struct translator *t, const struct chat_failure *failure) {
    t->failed = true;
    t->failure = *failure;
    t->failure.message = t->failure.code = t->failure.type = t->failure.param = STR("");
}

static void tap(struct chat_sink *sink, const struct chat_event *e) {
    struct translator *t = CONTAINER_OF(sink, struct translator, tap);
    struct chat_event whole;
    const struct chat_event *given = e;
    if (e->kind == CHAT_FAIL) note_failure(t, e->failure);
    if (t->gathers) {
        whole = *e;
        given = &whole;
        if (e->kind == CHAT_FAIL || !gather(t, &whole)) return;
    }
    if (e->kind == CHAT_USAGE) {
        t->usage = t->own = *e->usage;
        t->has_usage = true;
        add_before(&t->usage, &t->reply);
        whole = *e;
        whole.usage = &t->usage;
        given = &whole;
    }
    bool text = e->kind == CHAT_DELTA && e->part_kind == CHAT_TEXT; // what is else gathered by some encoders
    t->telling++;
    t->told = text ? e->text : STR_NONE;
    if (!text) stencil_reset(&t->stencil);
    if (e->kind == CHAT_DELTA) t->events++;
    chat_emit(t->encoder, given);
}

// A dialect that can tell of one answer only is not given others.
static unsigned choices_of(const struct dialect_ops *to) { return MAX(to->choices, 1u); }

bool translator_init(struct translator *t, const struct dialect_ops *from, const struct dialect_ops *to,
                     const struct chat_reply *reply, size_t max, struct arena *arena, struct err *err) {
    *t = (struct translator){.from = from, .to = to, .tap = {.take = tap}, .reply = *reply};
    t->decoder = arena_zalloc(arena, from->decoder_size);
    t->encoder = arena_zalloc(arena, to->encoder_size);
    if (!t->decoder || !t->encoder) return err_no_memory(err);
    framer_init(&t->framer, from->frames, max);
    buf_init(&t->out, SIZE_MAX);
    stencil_init(&t->stencil);
    chat_order_init(&t->order, &t->tap, choices_of(to), max);
    from->decoder_init(t->decoder);
    to->encoder_init(t->encoder, &t->reply, &t->out);
    t->open = true;
    return true;
}

void translator_free(struct translator *t) {
    if (!t->open) return;
    t->open = false;
    framer_free(&t->framer);
    stencil_free(&t->stencil);
    chat_order_free(&t->order);
    buf_free(&t->out);
    buf_free(&t->said);
}

void translator_gather(struct translator *t, size_t max) {
    t->gathers = true;
    buf_init(&t->said, max);
}

// Answers of which it was said how they end.
static unsigned finished(const struct translator *t) {
    unsigned n = 0;
    for (unsigned i = 0; i < CHAT_CHOICES_MAX; i++) n += t->order.choice[i].finish != CHAT_FINISH_NONE;
    return MAX(n, t->from->decode_finished ? t->from->decode_finished(t->decoder) : 0);
}

bool translator_can_go_on(const struct translator *t) {
    bool held = t->order.choice[0].held.n > 0;
    bool over = t->open && finished(t) > 0;
    return t->open && t->gathers && !t->fixed && !held && !over && !t->said.failed && (t->said.n || !t->begun);
}

bool translator_is_done(const struct translator *t, uint64_t choices) {
    bool told = !t->failed || t->gathers; // else the client knows of the failure
    return t->open && told && finished(t) >= MAX(choices, (uint64_t)1);
}

bool translator_go_on(struct translator *t, const struct dialect_ops *from, struct str skip, struct arena *arena,
                      struct err *err) {
    size_t max = t->framer.max;
    void *decoder = arena_zalloc(arena, from->decoder_size);
    if (!decoder) return err_no_memory(err);
    framer_free(&t->framer);
    framer_init(&t->framer, from->frames, max);
    from->decoder_init(decoder);
    t->from = from;
    t->decoder = decoder;
    t->skip = skip;
    t->failed = t->has_usage = false;
    t->own = (struct usage){0};
    chat_order_go_on(&t->order);
    return true;
}

static bool on_frame(void *arg, const struct frame *frame, struct err *err) {
    struct translator *t = arg;
    size_t before = t->out.n;
    t->telling = 0;
    if (!t->from->decode(t->decoder, frame, &t->order.sink, err)) return false;
    // What told nothing but a text that stands in it is learned from.
    bool plain = !t->gathers && t->telling == 1 && t->told.p && frame->raw.p && t->told.p >= frame->raw.p &&
                 t->told.p + t->told.n <= frame->raw.p + frame->raw.n && !t->to->numbered && !t->out.failed;
    if (plain) stencil_learn(&t->stencil, frame->raw, t->told, str_of(t->out.p + before, t->out.n - before));
    return true;
}

// Events that match are copied, others go through the framer one by one.
static bool feed_events(struct translator *t, struct str data, struct err *err) {
    while (data.n) {
        bool ready = !t->gathers && t->stencil.state == STENCIL_READY && t->framer.rest.n == 0;
        if (ready) data = str_from(data, stencil_run(&t->stencil, data, &t->out, &t->events));
        size_t one = frame_event_len(data);
        if (!one) one = data.n;
        if (one && !framer_feed(&t->framer, str_head(data, one), false, on_frame, t, err)) return false;
        data = str_from(data, one);
    }
    return true;
}

bool translator_feed(struct translator *t, struct str data, bool last, struct err *err) {
    if (t->framer.kind == FRAME_SSE) {
        if (!feed_events(t, data, err)) return false;
        data = STR("");
    }
    if (!framer_feed(&t->framer, data, last, on_frame, t, err)) return false;
    if (last && !(t->gathers && t->failed)) {
        t->from->decode_end(t->decoder, &t->order.sink);
        chat_order_end(&t->order);
    }
    return !t->out.failed || err_no_memory(err);
}

bool translator_end(struct translator *t, struct err *err) {
    t->failed = t->order.failed = false; // the encoder has not heard of it
    t->from->decode_end(t->decoder, &t->order.sink);
    chat_order_end(&t->order);
    return !t->out.failed || err_no_memory(err);
}

bool translator_feed_answer(struct translator *t, struct str body, struct arena *arena, struct err *err) {
    if (!t->from->decode_answer(body, arena, &t->order.sink, err)) return false;
    chat_order_end(&t->order);
    return !t->out.failed || err_no_memory(err);
}

void translator_fail(struct translator *t, const struct chat_failure *failure) {
    if (t->gathers) t->order.failed = false; // the encoder has not heard of it
    t->gathers = false;
    chat_emit(&t->order.sink, &(struct chat_event){.kind = CHAT_FAIL, .failure = failure});
    chat_order_end(&t->order);
}

static bool put(struct chat_collect *c, const struct dialect_ops *to, const struct chat_reply *reply, struct buf *out,
                struct err *err) {
    if (c->failed) return err_no_memory(err);
    if (c->has_failure) {
        err_set(err, ERR_UPSTREAM_STATUS, "the provider's answer is an error: %.*s",
                STR_ARG(str_head(c->failure.message, 300)));
        return false;
    }
    to->put_answer(chat_collect_answer(c), reply, out);
    return !out->failed || err_no_memory(err);
}

bool translate_answer(const struct dialect_ops *from, const struct dialect_ops *to, const struct chat_reply *reply,
                      struct str body, struct arena *arena, struct buf *out, struct usage *out_usage,
                      bool *out_has_usage, struct err *err) {
    struct chat_collect collect;
    struct chat_order order;
    chat_collect_init(&collect, arena, SIZE_MAX);
    chat_order_init(&order, &collect.sink, choices_of(to), SIZE_MAX);
    bool ok = from->decode_answer(body, arena, &order.sink, err);
    if (ok) {
        chat_order_end(&order);
        if (collect.answer.has_usage) add_before(&collect.answer.usage, reply);
        *out_usage = collect.answer.usage;
        *out_has_usage = collect.answer.has_usage;
        ok = put(&collect, to, reply, out, err);
    }
    chat_order_free(&order);
    chat_collect_free(&collect);
    return ok;
}
