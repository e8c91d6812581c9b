// Reads an answer's text out of the bytes of any dialect.
#include "model/score.h"

#include "model/chat_collect.h"
#include "model/json_schema.h"

#define HELD_MAX (4 * SCORE_TEXT_MAX) // escaped

// --- its text ---

static bool put_text(struct buf *out, struct str escaped, struct arena *arena) {
    char *p = arena_alloc(arena, escaped.n + 2);
    if (!p) return false;
    p[0] = '"';
    if (escaped.n) memcpy(p + 1, escaped.p, escaped.n);
    p[escaped.n + 1] = '"';
    return json_string_decode(str_of(p, escaped.n + 2), out);
}

static void take_part(const struct chat_answer_part *part, struct buf *text, struct arena *arena,
                      struct score_answer *out) {
    switch (part->kind) {
    case CHAT_TEXT:
        if (!put_text(text, part->text, arena)) out->cut = true;
        break;
    case CHAT_REFUSAL:
        out->refusal = true;
        break;
    case CHAT_TOOL_CALL:
        out->tools = true;
        break;
    case CHAT_THINKING:
    case CHAT_REDACTED_THINKING:
        break;
    default:
        out->other = true;
    }
}

static bool take_answer(struct chat_collect *c, struct arena *arena, struct score_answer *out) {
    const struct chat_answer *a = chat_collect_answer(c);
    BUF_AUTO struct buf text = BUF_INIT(SCORE_TEXT_MAX);
    *out = (struct score_answer){.finish = a->finish[0], .refusal = a->finish[0] == CHAT_FINISH_FILTER};
    for (size_t i = 0; i < a->count; i++)
        if (a->parts[i].choice == 0) take_part(&a->parts[i], &text, arena, out);
    out->cut = out->cut || text.failed;
    out->text = arena_str(arena, buf_str(&text));
    return out->text.p || !text.n;
}

// --- whole answers and streams ---

bool score_read(const struct dialect_ops *ops, struct str body, struct arena *arena, struct score_answer *out_answer) {
    struct chat_collect collect;
    struct chat_order order;
    struct err err;
    if (!ops->decode_answer) return false;
    chat_collect_init(&collect, arena, HELD_MAX);
    chat_order_init(&order, &collect.sink, 1, HELD_MAX);
    bool ok = ops->decode_answer(body, arena, &order.sink, &err);
    if (ok) chat_order_end(&order);
    ok = ok && !collect.has_failure && !collect.failed && take_answer(&collect, arena, out_answer);
    chat_order_free(&order);
    chat_collect_free(&collect);
    return ok;
}

struct reading {
    const struct dialect_ops *ops;
    void *decoder;
    struct chat_order order;
};

static bool on_frame(void *arg, const struct frame *frame, struct err *err) {
    struct reading *r = arg;
    return r->ops->decode(r->decoder, frame, &r->order.sink, err);
}

bool score_read_stream(const struct dialect_ops *ops, enum frame_kind frames, struct str bytes, bool cut,
                       struct arena *arena, struct score_answer *out_answer) {
    struct reading r = {.ops = ops};
    struct chat_collect collect;
    struct framer framer;
    struct err err;
    if (!ops->decode) return false;
    r.decoder = arena_zalloc(arena, ops->decoder_size);
    if (!r.decoder) return false;
    ops->decoder_init(r.decoder);
    chat_collect_init(&collect, arena, HELD_MAX);
    chat_order_init(&r.order, &collect.sink, 1, HELD_MAX);
    framer_init(&framer, frames, MAX(bytes.n, (size_t)1));
    bool ok = framer_feed(&framer, bytes, !cut, on_frame, &r, &err);
    ops->decode_end(r.decoder, &r.order.sink);
    chat_order_end(&r.order);
    ok = ok && !collect.has_failure && !collect.failed && take_answer(&collect, arena, out_answer);
    if (ok && cut) {
        out_answer->cut = true;
        out_answer->finish = CHAT_FINISH_NONE;
    }
    framer_free(&framer);
    chat_order_free(&r.order);
    chat_collect_free(&collect);
    return ok;
}

// --- what it should be ---

bool score_empty(const struct score_answer *a) {
    return !a->tools && !a->other && !a->refusal && !a->cut && !str_trim(a->text).n;
}

// Models like to put JSON between fences; who asked for JSON has no use for them, so they are no excuse.
enum score_schema score_schema(struct str schema, struct str text, struct arena *arena) {
    const struct json_schema *read;
    struct err err;
    text = str_trim(text);
    if (!schema.n) return json_validate(text, 0, &err) ? SCORE_SCHEMA_VALID : SCORE_SCHEMA_INVALID;
    if (!json_validate(text, 0, &err)) return SCORE_SCHEMA_INVALID;
    if (!json_schema_read(schema, arena, &read, &err)) return SCORE_SCHEMA_UNKNOWN;
    switch (json_schema_check(read, text, NULL)) {
    case JSON_SCHEMA_VALID:
        return SCORE_SCHEMA_VALID;
    case JSON_SCHEMA_GIVEN_UP:
        return SCORE_SCHEMA_UNKNOWN;
    default:
        return SCORE_SCHEMA_INVALID;
    }
}
