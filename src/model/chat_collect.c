// Gathers a whole answer out of chat events that keep the grammar.
#include "model/chat_collect.h"

static struct str keep(struct chat_collect *c, struct str s) {
    struct str kept = arena_str(c->arena, s);
    if (!kept.p && s.n) c->failed = true;
    return kept.p ? kept : STR("");
}

// Of one choice only one part is open at a time, but choices may take turns.
static struct chat_answer_part *part_of(struct chat_collect *c, unsigned choice) {
    for (size_t i = c->parts.n; i > 0; i--)
        if (c->parts.p[i - 1].choice == choice) return &c->parts.p[i - 1];
    return NULL;
}

static void add_part(struct chat_collect *c, const struct chat_event *e) {
    struct chat_answer_part part = {.kind = e->part_kind,
                                    .choice = e->choice,
                                    .id = keep(c, e->id),
                                    .name = keep(c, e->name),
                                    .mime = keep(c, e->mime),
                                    .text = STR("")};
    if (c->parts.n == CHAT_ANSWER_PARTS_MAX || !vec_push(&c->parts, part)) c->failed = true;
}

static struct str joined(struct chat_collect *c, struct str a, struct str between, struct str b) {
    if (!a.n) return keep(c, b);
    char *p = arena_alloc(c->arena, a.n + between.n + b.n);
    if (!p) {
        c->failed = true;
        return a;
    }
    memcpy(p, a.p, a.n);
    if (between.n) memcpy(p + a.n, between.p, between.n);
    if (b.n) memcpy(p + a.n + between.n, b.p, b.n);
    return str_of(p, a.n + between.n + b.n);
}

// What is being gathered goes to the part that it is of.
static void flush(struct chat_collect *c) {
    if (!c->text.n && !c->citations.n) return;
    struct chat_answer_part *part = &c->parts.p[c->filling];
    if (c->text.n) part->text = joined(c, part->text, STR(""), buf_str(&c->text));
    if (c->citations.n) part->citations = joined(c, part->citations, STR(","), buf_str(&c->citations));
    buf_clear(&c->text);
    buf_clear(&c->citations);
}

static void gather(struct chat_collect *c, const struct chat_answer_part *part, struct buf *into, struct str between,
                   struct str piece) {
    size_t place = (size_t)(part - c->parts.p);
    if (place != c->filling) flush(c);
    c->filling = place;
    if (into->n) buf_put(into, between);
    buf_put(into, piece);
    if (into->failed) c->failed = true;
}

static void on_part(struct chat_collect *c, const struct chat_event *e) {
    if (e->kind == CHAT_PART_BEGIN) {
        flush(c);
        if (e->choice >= c->answer.choices) c->answer.choices = e->choice + 1;
        add_part(c, e);
        return;
    }
    struct chat_answer_part *part = part_of(c, e->choice);
    if (!part) return;
    if (e->kind == CHAT_DELTA) gather(c, part, &c->text, STR(""), e->text);
    if (e->kind == CHAT_SIGNATURE) part->signature = joined(c, part->signature, STR(""), e->text);
    if (e->kind == CHAT_CITATION) gather(c, part, &c->citations, STR(","), e->raw);
    if (e->kind == CHAT_PART_END) flush(c);
}

static void keep_failure(struct chat_collect *c, const struct chat_failure *f) {
    c->has_failure = true;
    c->failure = *f;
    c->failure.message = keep(c, f->message);
    c->failure.code = keep(c, f->code);
    c->failure.type = keep(c, f->type);
    c->failure.param = keep(c, f->param);
}

static void take(struct chat_sink *sink, const struct chat_event *e) {
    struct chat_collect *c = (struct chat_collect *)sink;
    switch (e->kind) {
    case CHAT_BEGIN:
        c->answer.id = keep(c, e->id);
        c->answer.model = keep(c, e->name);
        break;
    case CHAT_PART_BEGIN:
    case CHAT_DELTA:
    case CHAT_SIGNATURE:
    case CHAT_CITATION:
    case CHAT_PART_END:
        on_part(c, e);
        break;
    case CHAT_USAGE:
        c->answer.usage = *e->usage;
        c->answer.has_usage = true;
        break;
    case CHAT_FINISH:
        if (e->choice >= c->answer.choices) c->answer.choices = e->choice + 1;
        if (e->choice < CHAT_CHOICES_MAX) c->answer.finish[e->choice] = e->finish;
        if (e->text.n) c->answer.stop_sequence = keep(c, e->text);
        break;
    case CHAT_FAIL:
        keep_failure(c, e->failure);
        break;
    case CHAT_END:
        break;
    }
}

void chat_collect_init(struct chat_collect *c, struct arena *arena, size_t max) {
    *c = (struct chat_collect){.sink = {.take = take}, .arena = arena, .answer = {.choices = 1}};
    buf_init(&c->text, max);
    buf_init(&c->citations, max);
}

const struct chat_answer *chat_collect_answer(struct chat_collect *c) {
    c->answer.parts = c->parts.p;
    c->answer.count = c->parts.n;
    return &c->answer;
}

void chat_collect_free(struct chat_collect *c) {
    vec_free(&c->parts);
    buf_free(&c->text);
    buf_free(&c->citations);
}
