// Streams in Ollama's dialect: a line of JSON for each piece of an answer, the last one with the counts.
#include "model/ollama/ollama.h"

static void hold(struct ollama_encoder *e, struct str piece) {
    size_t want;
    if (e->lost || !piece.n) return;
    if (e->held_cap - e->held_n < piece.n) {
        char *p = NULL;
        if (!__builtin_add_overflow(e->held_n * 2 + 256, piece.n, &want)) p = arena_alloc(e->reply->arena, want);
        if (!p) {
            e->lost = true;
            return;
        }
        if (e->held_n) memcpy(p, e->held, e->held_n);
        e->held = p;
        e->held_cap = want;
    }
    memcpy(e->held + e->held_n, piece.p, piece.n);
    e->held_n += piece.n;
}

// One line with the members of "message", or of generate's answer.
static void begin_piece(struct ollama_encoder *e, struct str content) {
    ollama_put_head(e->reply, e->out);
    if (e->generate)
        buf_lit(e->out, ",\"response\":\"");
    else
        buf_lit(e->out, ",\"message\":{\"role\":\"assistant\",\"content\":\"");
    buf_put(e->out, content);
    buf_putc(e->out, '"');
}
static void end_piece(struct ollama_encoder *e) {
    if (!e->generate) buf_putc(e->out, '}');
    buf_lit(e->out, ",\"done\":false}\n");
}

static void put_delta(struct ollama_encoder *e, struct str text) {
    switch (e->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        begin_piece(e, text);
        end_piece(e);
        return;
    case CHAT_THINKING:
        begin_piece(e, STR(""));
        buf_lit(e->out, ",\"thinking\":\"");
        buf_put(e->out, text);
        buf_putc(e->out, '"');
        end_piece(e);
        return;
    case CHAT_TOOL_CALL:
    case CHAT_IMAGE:
        hold(e, text);
        return;
    default:
        return;
    }
}

static void begin_part(struct ollama_encoder *e, const struct chat_event *ev) {
    e->kind = ev->part_kind;
    e->held_n = 0;
    e->lost = false;
    if (e->kind != CHAT_TOOL_CALL) return;
    e->id = arena_str(e->reply->arena, ev->id);
    e->name = arena_str(e->reply->arena, ev->name);
}

static void end_part(struct ollama_encoder *e) {
    struct str held = str_of(e->held, e->held_n);
    if (e->kind == CHAT_TOOL_CALL && !e->generate) {
        struct str arguments = e->lost ? STR("{}") : ollama_arguments(held, e->reply->arena);
        begin_piece(e, STR(""));
        buf_lit(e->out, ",\"tool_calls\":[");
        ollama_put_call(e->id, e->name, arguments, e->calls++, e->out);
        buf_putc(e->out, ']');
        end_piece(e);
    } else if (e->kind == CHAT_IMAGE && !e->lost && held.n) {
        begin_piece(e, STR(""));
        buf_lit(e->out, ",\"images\":[\"");
        buf_put(e->out, held);
        buf_lit(e->out, "\"]");
        end_piece(e);
    }
}

static void put_end(struct ollama_encoder *e) {
    struct ollama_times times = {.total_ns = e->reply->elapsed_ns, .prompt_ns = e->first_ns};
    if (e->failed) return;
    ollama_put_head(e->reply, e->out);
    if (e->generate)
        buf_lit(e->out, ",\"response\":\"\",");
    else
        buf_lit(e->out, ",\"message\":{\"role\":\"assistant\",\"content\":\"\"},");
    ollama_put_done(e->finish, &times, e->has_usage ? &e->usage : NULL, e->out);
    buf_putc(e->out, '\n');
}

static void take(struct chat_sink *sink, const struct chat_event *ev) {
    struct ollama_encoder *e = (struct ollama_encoder *)(void *)sink;
    // Ollama has one answer; a choice besides it cannot have been asked for.
    if (ev->choice != 0) return;
    switch (ev->kind) {
    case CHAT_PART_BEGIN:
        if (!e->first_ns) e->first_ns = e->reply->elapsed_ns;
        begin_part(e, ev);
        return;
    case CHAT_DELTA:
        put_delta(e, ev->text);
        return;
    case CHAT_PART_END:
        end_part(e);
        return;
    case CHAT_USAGE:
        e->usage = *ev->usage;
        e->has_usage = true;
        return;
    case CHAT_FINISH:
        e->finish = ev->finish;
        return;
    case CHAT_FAIL:
        ollama_put_failure_event(ev->failure, STR(""), e->out);
        e->failed = true;
        return;
    case CHAT_END:
        put_end(e);
        return;
    case CHAT_BEGIN:
    case CHAT_SIGNATURE: // Ollama has no place for these
    case CHAT_CITATION:
        return;
    }
}

static void init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out, bool generate) {
    struct ollama_encoder *e = (struct ollama_encoder *)(void *)sink;
    *e = (struct ollama_encoder){.sink.take = take, .reply = reply, .out = out, .generate = generate};
}

void ollama_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out) {
    init(sink, reply, out, false);
}

void ollama_generate_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out) {
    init(sink, reply, out, true);
}
