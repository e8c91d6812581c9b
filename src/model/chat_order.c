// Makes any sequence of chat events keep the grammar that encoders are promised.
#include "model/chat_order.h"

#include "base/mem.h"

#include <limits.h>

#define BETWEEN '\x1e' // citations that are held: a byte that no JSON has

static void send(struct chat_order *o, const struct chat_event *event) { o->to->take(o->to, event); }

static void begin(struct chat_order *o, const struct chat_event *event) {
    if (o->begun) return;
    o->begun = true;
    struct chat_event e = {.kind = CHAT_BEGIN, .id = STR(""), .name = STR("")};
    if (event) e = *event;
    send(o, &e);
}

static void fail(struct chat_order *o, const struct chat_failure *failure) {
    begin(o, NULL);
    o->failed = true;
    send(o, &(struct chat_event){.kind = CHAT_FAIL, .failure = failure});
}

static void fail_full(struct chat_order *o) {
    static const struct chat_failure full = {
        .kind = CHAT_FAIL_SERVER,
        .status = 502,
        .message = STR_INIT("the provider's stream interleaves more than can be held back"),
        .code = STR_INIT("upstream_too_large"),
    };
    if (!o->failed) fail(o, &full);
}

// --- the open part ---

// What the escape at *io_i of the outer string stands for, as far as it matters: a quote, a backslash, or neither,
// which a space is as well. *io_i goes to its last byte.
static char unescaped(struct str text, size_t *io_i) {
    struct str rest = str_from(text, *io_i + 1);
    *io_i += 1;
    if (rest.p[0] == '"' || rest.p[0] == '\\') return rest.p[0];
    if (rest.p[0] != 'u' || rest.n < 5) return ' ';
    *io_i += 4;
    struct str hex = str_of(rest.p + 1, 4);
    return (char)(str_eq(hex, STR("0022")) ? '"' : str_eq_nocase(hex, STR("005c")) ? '\\' : ' ');
}

// Follows the arguments of a call, escaped once: whole as soon as the outermost value has closed.
static void follow(struct chat_choice *c, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char ch = text.p[i];
        if (ch == '\\' && i + 1 < text.n) ch = unescaped(text, &i);
        if (c->in_string) {
            if (c->escaped)
                c->escaped = false;
            else if (ch == '\\')
                c->escaped = true;
            else if (ch == '"')
                c->in_string = false;
            continue;
        }
        if (ch == '"')
            c->in_string = true;
        else if (ch == '{' || ch == '[')
            c->depth++;
        else if ((ch == '}' || ch == ']') && c->depth && --c->depth == 0)
            c->whole = true;
    }
}

static void end_part(struct chat_order *o, unsigned choice) {
    struct chat_choice *c = &o->choice[choice];
    if (!c->open) return;
    struct chat_event e = {.kind = CHAT_DELTA, .choice = choice, .part = c->told - 1, .part_kind = c->kind};
    if (c->kind == CHAT_TOOL_CALL && !c->any_text) {
        e.text = STR("{}");
        send(o, &e);
    }
    e.kind = CHAT_PART_END;
    e.text = STR("");
    send(o, &e);
    c->open = false;
    c->ended_part = c->part;
    c->ended_kind = c->kind;
    c->may_go_on = c->kind == CHAT_TEXT || c->kind == CHAT_THINKING;
}

static void open_part(struct chat_order *o, const struct chat_event *event) {
    struct chat_choice *c = &o->choice[event->choice];
    struct chat_event e = *event;
    c->open = true;
    c->part = event->part;
    c->kind = event->part_kind;
    c->any_text = c->in_string = c->escaped = c->whole = false;
    c->depth = 0;
    if (c->kind == CHAT_TOOL_CALL) c->tools = true;
    e.part = c->told++;
    send(o, &e);
}

static void pass(struct chat_order *o, const struct chat_event *event) {
    struct chat_choice *c = &o->choice[event->choice];
    struct chat_event e = *event;
    if (e.kind == CHAT_DELTA && !e.text.n) return;
    if (e.kind == CHAT_DELTA) {
        c->any_text = true;
        if (c->kind == CHAT_TOOL_CALL) follow(c, e.text);
    }
    e.part = c->told - 1;
    e.part_kind = c->kind;
    send(o, &e);
}

// --- parts that wait ---

static struct chat_held *held_find(struct chat_choice *c, unsigned part) {
    for (size_t i = 0; i < c->held.n; i++)
        if (c->held.p[i].part == part) return &c->held.p[i];
    return NULL;
}

static void held_free(struct chat_held *h) {
    mem_free((void *)(uintptr_t)h->id.p);
    buf_free(&h->text);
    buf_free(&h->signature);
    buf_free(&h->citations);
}

static bool count_held(struct chat_order *o, size_t n) {
    o->held_bytes += n;
    if (o->held_bytes <= o->max) return true;
    fail_full(o);
    return false;
}

static void hold_part(struct chat_order *o, const struct chat_event *e) {
    struct chat_choice *c = &o->choice[e->choice];
    size_t n = e->id.n + e->name.n + e->mime.n;
    if (c->held.n == CHAT_ORDER_HELD_MAX) {
        fail_full(o);
        return;
    }
    if (!count_held(o, n + sizeof(struct chat_held))) return;
    char *p = mem_alloc(n + 1);
    if (!p) {
        fail_full(o);
        return;
    }
    struct chat_held h = {.part = e->part, .kind = e->part_kind, .bytes = n + sizeof h};
    if (e->id.n) memcpy(p, e->id.p, e->id.n);
    if (e->name.n) memcpy(p + e->id.n, e->name.p, e->name.n);
    if (e->mime.n) memcpy(p + e->id.n + e->name.n, e->mime.p, e->mime.n);
    h.id = str_of(p, e->id.n);
    h.name = str_of(p + e->id.n, e->name.n);
    h.mime = str_of(p + e->id.n + e->name.n, e->mime.n);
    buf_init(&h.text, o->max);
    buf_init(&h.signature, o->max);
    buf_init(&h.citations, o->max);
    if (vec_push(&c->held, h)) return;
    mem_free(p);
    fail_full(o);
}

static void hold_more(struct chat_order *o, struct chat_held *h, const struct chat_event *e) {
    struct str piece = e->kind == CHAT_CITATION ? e->raw : e->text;
    struct buf *to = e->kind == CHAT_CITATION ? &h->citations : e->kind == CHAT_SIGNATURE ? &h->signature : &h->text;
    if (!count_held(o, piece.n + 1)) return;
    h->bytes += piece.n + 1;
    if (e->kind == CHAT_CITATION && to->n) buf_putc(to, BETWEEN);
    buf_put(to, piece);
    if (to->failed) fail_full(o);
}

// Tells a held part, and leaves it open unless it had ended.
static void tell_held(struct chat_order *o, unsigned choice, struct chat_held *h) {
    struct chat_event e = {.kind = CHAT_PART_BEGIN,
                           .choice = choice,
                           .part = h->part,
                           .part_kind = h->kind,
                           .id = h->id,
                           .name = h->name,
                           .mime = h->mime};
    struct str citations = buf_str(&h->citations), one;
    open_part(o, &e);
    e.id = e.name = e.mime = STR("");
    e.kind = CHAT_DELTA;
    e.text = buf_str(&h->text);
    pass(o, &e);
    e.text = STR("");
    e.kind = CHAT_CITATION;
    while (citations.n && str_split(&citations, BETWEEN, &e.raw)) pass(o, &e);
    one = buf_str(&h->signature);
    e = (struct chat_event){.kind = CHAT_SIGNATURE, .choice = choice, .part_kind = h->kind, .text = one};
    if (one.n) pass(o, &e);
    if (h->ended) end_part(o, choice);
}

// As long as nothing is open, the next that waits has its turn; all: also one that may not be over.
static void tell_waiting(struct chat_order *o, unsigned choice, bool all) {
    struct chat_choice *c = &o->choice[choice];
    size_t told = 0;
    while (told < c->held.n && !o->failed) {
        if (c->open && (all || c->whole)) end_part(o, choice);
        if (c->open) break;
        tell_held(o, choice, &c->held.p[told]);
        o->held_bytes -= c->held.p[told].bytes;
        held_free(&c->held.p[told++]);
    }
    for (size_t i = told; i < c->held.n; i++) c->held.p[i - told] = c->held.p[i];
    c->held.n -= told;
}

// --- events ---

// False: the part is not one of its own.
static bool join(struct chat_choice *c, const struct chat_event *e) {
    if (e->part_kind == CHAT_THINKING || e->part_kind == CHAT_REDACTED_THINKING) return false;
    c->joins = false;
    if (!c->open || c->kind != CHAT_TEXT || e->part_kind != CHAT_TEXT) return true;
    c->part = e->part;
    return false;
}

static void take_part(struct chat_order *o, const struct chat_event *e) {
    struct chat_choice *c = &o->choice[e->choice];
    if (c->joins && !join(c, e)) return;
    bool over = c->open && (c->kind != CHAT_TOOL_CALL || c->whole);
    c->seen = true;
    if (c->held.n == 0 && (!c->open || over)) {
        end_part(o, e->choice);
        open_part(o, e);
    } else {
        hold_part(o, e);
    }
}

static void take_more(struct chat_order *o, const struct chat_event *e) {
    struct chat_choice *c = &o->choice[e->choice];
    struct chat_held *h = held_find(c, e->part);
    if (c->open && c->part == e->part) {
        pass(o, e);
        if (c->held.n && c->whole) tell_waiting(o, e->choice, false);
    } else if (h) {
        hold_more(o, h, e);
    } else if (c->may_go_on && e->kind == CHAT_DELTA && e->text.n && e->part == c->ended_part) {
        // A text that others had broken into goes on as one of its own.
        struct chat_event again = {.kind = CHAT_PART_BEGIN, .choice = e->choice, .part = e->part};
        again.part_kind = c->ended_kind;
        take_part(o, &again);
        take_more(o, e);
    }
}

// A citation is a piece of JSON as the provider has laid it out; encoders tell it within a line.
static void take_citation(struct chat_order *o, const struct chat_event *e) {
    struct chat_event flat = *e;
    bool lines = str_find_char(e->raw, '\n') < e->raw.n || str_find_char(e->raw, '\r') < e->raw.n;
    if (lines) {
        buf_clear(&o->line);
        buf_put(&o->line, e->raw);
        if (o->line.failed) return;
        for (size_t i = 0; i < o->line.n; i++)
            if (o->line.p[i] == '\n' || o->line.p[i] == '\r') o->line.p[i] = ' ';
        flat.raw = buf_str(&o->line);
    }
    take_more(o, &flat);
}

static void take_end(struct chat_order *o, const struct chat_event *e) {
    struct chat_choice *c = &o->choice[e->choice];
    struct chat_held *h = held_find(c, e->part);
    if (c->open && c->part == e->part) {
        end_part(o, e->choice);
        c->may_go_on = false;
        tell_waiting(o, e->choice, false);
    } else if (h) {
        h->ended = true;
    }
}

static void take_finish(struct chat_order *o, const struct chat_event *e) {
    struct chat_choice *c = &o->choice[e->choice];
    c->seen = true;
    if (e->finish == CHAT_FINISH_NONE || c->finish != CHAT_FINISH_NONE) return;
    c->finish = e->finish;
    buf_clear(&c->stop);
    buf_put(&c->stop, e->text);
}

static void take(struct chat_sink *sink, const struct chat_event *e) {
    struct chat_order *o = (struct chat_order *)sink;
    if (o->failed || o->ended || e->choice >= o->choices) return;
    if (e->kind == CHAT_FAIL) {
        fail(o, e->failure);
        return;
    }
    begin(o, e->kind == CHAT_BEGIN ? e : NULL);
    switch (e->kind) {
    case CHAT_PART_BEGIN:
        take_part(o, e);
        break;
    case CHAT_DELTA:
    case CHAT_SIGNATURE:
        take_more(o, e);
        break;
    case CHAT_CITATION:
        take_citation(o, e);
        break;
    case CHAT_PART_END:
        take_end(o, e);
        break;
    case CHAT_USAGE:
        send(o, e);
        break;
    case CHAT_FINISH:
        take_finish(o, e);
        break;
    case CHAT_BEGIN:
    case CHAT_FAIL:
    case CHAT_END:
        break;
    }
}

void chat_order_init(struct chat_order *o, struct chat_sink *to, unsigned choices, size_t max) {
    *o = (struct chat_order){.sink = {.take = take}, .to = to, .max = max};
    o->choices = MIN(choices, (unsigned)CHAT_CHOICES_MAX);
    buf_init(&o->line, max);
    for (unsigned i = 0; i < o->choices; i++) buf_init(&o->choice[i].stop, 4096);
}

static void finish(struct chat_order *o, unsigned choice) {
    struct chat_choice *c = &o->choice[choice];
    tell_waiting(o, choice, true);
    end_part(o, choice);
    if (o->failed) return;
    // Some say "stop" also when they call; one that has said nothing has stopped.
    if (c->tools && (c->finish == CHAT_FINISH_STOP || c->finish == CHAT_FINISH_NONE)) c->finish = CHAT_FINISH_TOOLS;
    if (c->finish == CHAT_FINISH_NONE) c->finish = CHAT_FINISH_STOP;
    send(o,
         &(struct chat_event){.kind = CHAT_FINISH, .choice = choice, .finish = c->finish, .text = buf_str(&c->stop)});
}

void chat_order_go_on(struct chat_order *o) {
    struct chat_choice *c = &o->choice[0];
    o->failed = false;
    c->part = UINT_MAX; // no part of the next one's is it yet
    c->may_go_on = false;
    c->joins = o->begun;
    c->finish = CHAT_FINISH_NONE;
    buf_clear(&c->stop);
}

void chat_order_end(struct chat_order *o) {
    if (o->ended) return;
    begin(o, NULL);
    for (unsigned i = 0; i < o->choices && !o->failed; i++)
        if (i == 0 || o->choice[i].seen) finish(o, i);
    o->ended = true;
    send(o, &(struct chat_event){.kind = CHAT_END});
}

void chat_order_free(struct chat_order *o) {
    for (unsigned i = 0; i < CHAT_CHOICES_MAX; i++) {
        struct chat_choice *c = &o->choice[i];
        for (size_t k = 0; k < c->held.n; k++) held_free(&c->held.p[k]);
        vec_free(&c->held);
        buf_free(&c->stop);
    }
    buf_free(&o->line);
}
