// A short cut through translation: events that differ from the one before in nothing but their text.
#include "model/stencil.h"

#include "base/scan.h"
#include "base/utf8.h"

#define SIDE_MAX 4096 // of what surrounds a text; larger events take the long way

void stencil_init(struct stencil *s) {
    s->state = STENCIL_EMPTY;
    buf_init(&s->in_head, SIDE_MAX);
    buf_init(&s->in_tail, SIDE_MAX);
    buf_init(&s->out_head, SIDE_MAX);
    buf_init(&s->out_tail, SIDE_MAX);
}

void stencil_free(struct stencil *s) {
    buf_free(&s->in_head);
    buf_free(&s->in_tail);
    buf_free(&s->out_head);
    buf_free(&s->out_tail);
}

static bool is(const struct buf *b, struct str s) { return str_eq(buf_str(b), s); }

static void set(struct buf *b, struct str s) {
    buf_clear(b);
    buf_put(b, s);
}

void stencil_learn(struct stencil *s, struct str in, struct str text, struct str out) {
    size_t at = (size_t)(text.p - in.p), there = str_find(out, text);
    struct str in_head = str_head(in, at), in_tail = str_from(in, at + text.n);
    // The text must stand in the client's event once, or it is not known where.
    bool once = text.n && there < out.n && str_find(str_from(out, there + 1), text) == out.n - there - 1;
    if (!once) {
        if (s->state == STENCIL_LEARNED) s->state = STENCIL_EMPTY;
        return;
    }
    struct str out_head = str_head(out, there), out_tail = str_from(out, there + text.n);
    bool same = s->state != STENCIL_EMPTY && is(&s->in_head, in_head) && is(&s->in_tail, in_tail) &&
                is(&s->out_head, out_head) && is(&s->out_tail, out_tail);
    if (same) {
        s->state = STENCIL_READY;
        return;
    }
    set(&s->in_head, in_head);
    set(&s->in_tail, in_tail);
    set(&s->out_head, out_head);
    set(&s->out_tail, out_tail);
    bool fits = !s->in_head.failed && !s->in_tail.failed && !s->out_head.failed && !s->out_tail.failed;
    s->state = fits && in_tail.n ? STENCIL_LEARNED : STENCIL_EMPTY;
}

// Where the string that begins at `from` ends: at its quote. 0: it does not end here, or is for the JSON reader.
static size_t string_end(struct str data, size_t from) {
    bool ascii = true;
    for (size_t at = from; at < data.n;) {
        at += scan_string_stop(str_from(data, at));
        if (at >= data.n) return 0;
        unsigned char c = (unsigned char)data.p[at];
        if (c == '"') return ascii || utf8_valid(str_of(data.p + from, at - from)) ? at : 0;
        if (c < 0x20) return 0;
        if (c >= 0x80) {
            ascii = false;
            while (at < data.n && (unsigned char)data.p[at] >= 0x80) at++;
            continue;
        }
        if (at + 1 >= data.n || !memchr("\"\\/bfnrt", data.p[at + 1], 8)) return 0; // \u may be half of a pair
        at += 2;
    }
    return 0;
}

size_t stencil_run(const struct stencil *s, struct str data, struct buf *out, uint64_t *io_count) {
    struct str head = buf_str(&s->in_head), tail = buf_str(&s->in_tail);
    size_t at = 0;
    for (;;) {
        struct str rest = str_from(data, at);
        if (rest.n <= head.n + tail.n || memcmp(rest.p, head.p, head.n) != 0) return at;
        size_t end = string_end(rest, head.n);
        if (end <= head.n || rest.n - end < tail.n || memcmp(rest.p + end, tail.p, tail.n) != 0) return at;
        buf_put(out, buf_str(&s->out_head));
        buf_append(out, rest.p + head.n, end - head.n);
        buf_put(out, buf_str(&s->out_tail));
        *io_count += 1;
        at += end + tail.n;
    }
}
