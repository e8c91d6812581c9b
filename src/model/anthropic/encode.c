// A stream of events in Anthropic's dialect: message_start, blocks one after the other, message_delta, message_stop.
#include "model/anthropic/anthropic.h"

struct encoder {
    struct chat_sink sink;
    const struct chat_reply *reply;
    struct buf *out;
    struct usage usage;
    bool told_usage;
    bool started, called, finished, failed;
    bool in_text;   // of a block that is told in one event: its text is being appended
    bool unsaid;    // of a part that has no block: sound
    unsigned index; // of the open block
    enum chat_part_kind kind;
};
_Static_assert(sizeof(struct encoder) <= ANTHROPIC_ENCODER_SIZE, "the encoder fits in what it is said to need");

#define EVENT(name) "event: " name "\ndata: {\"type\":\"" name "\""

static void put_index(struct encoder *e) {
    buf_lit(e->out, ",\"index\":");
    buf_put_u64(e->out, e->index);
}

void anthropic_put_call_id(struct str id, const struct chat_reply *reply, unsigned part, struct buf *out) {
    if (id.n) {
        buf_put(out, id);
        return;
    }
    buf_lit(out, "toolu_");
    json_escape_put(out, reply->id);
    buf_putc(out, '_');
    buf_put_u64(out, part);
}

static void put_start(struct encoder *e) {
    struct usage usage = e->told_usage ? e->usage : (struct usage){.prompt = e->reply->prompt_estimate};
    if (!usage.output) usage.output = 1;
    e->started = true;
    buf_lit(e->out, EVENT("message_start") ",\"message\":{\"id\":\"msg_");
    json_escape_put(e->out, e->reply->id);
    buf_lit(e->out, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"");
    json_escape_put(e->out, e->reply->model);
    buf_lit(e->out, "\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
    anthropic_put_usage(&usage, e->out);
    buf_lit(e->out, "}}\n\n");
}

// --- blocks ---

static void put_block_start(struct encoder *e, const struct chat_event *event) {
    e->kind = event->part_kind;
    e->unsaid = e->kind == CHAT_AUDIO || e->kind == CHAT_VIDEO || e->kind == CHAT_FILE;
    if (e->unsaid) return;
    buf_lit(e->out, EVENT("content_block_start"));
    put_index(e);
    switch (e->kind) {
    case CHAT_TOOL_CALL:
        e->called = true;
        buf_lit(e->out, ",\"content_block\":{\"type\":\"tool_use\",\"id\":\"");
        anthropic_put_call_id(event->id, e->reply, e->index, e->out);
        buf_lit(e->out, "\",\"name\":\"");
        buf_put(e->out, event->name);
        buf_lit(e->out, "\",\"input\":{}}}\n\n");
        break;
    case CHAT_THINKING:
        buf_lit(e->out, ",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n");
        break;
    case CHAT_REDACTED_THINKING: // told in one event, which ends with the block
        buf_lit(e->out, ",\"content_block\":{\"type\":\"redacted_thinking\",\"data\":\"");
        e->in_text = true;
        break;
    case CHAT_IMAGE: // there is no such block in an answer: as a picture in Markdown
        buf_lit(e->out, ",\"content_block\":{\"type\":\"text\",\"text\":\"![image](data:");
        buf_put(e->out, event->mime.n ? event->mime : STR("image/png"));
        buf_lit(e->out, ";base64,");
        e->in_text = true;
        break;
    default:
        buf_lit(e->out, ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
        break;
    }
}

static void close_text(struct encoder *e) {
    if (!e->in_text) return;
    e->in_text = false;
    if (e->kind == CHAT_IMAGE) buf_putc(e->out, ')');
    buf_lit(e->out, "\"}}\n\n");
}

static void put_delta(struct encoder *e, struct str before, struct str text) {
    buf_lit(e->out, EVENT("content_block_delta"));
    put_index(e);
    buf_put(e->out, before);
    buf_put(e->out, text);
    buf_lit(e->out, "\"}}\n\n");
}

static void put_text(struct encoder *e, struct str text) {
    if (e->unsaid) return;
    if (e->in_text)
        buf_put(e->out, text);
    else if (e->kind == CHAT_TOOL_CALL)
        put_delta(e, STR(",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\""), text);
    else if (e->kind == CHAT_THINKING)
        put_delta(e, STR(",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\""), text);
    else
        put_delta(e, STR(",\"delta\":{\"type\":\"text_delta\",\"text\":\""), text);
}

static void put_citation(struct encoder *e, struct str raw) {
    if (e->in_text || e->unsaid || e->kind == CHAT_TOOL_CALL || e->kind == CHAT_THINKING) return;
    buf_lit(e->out, EVENT("content_block_delta"));
    put_index(e);
    buf_lit(e->out, ",\"delta\":{\"type\":\"citations_delta\",\"citation\":");
    buf_put(e->out, raw);
    buf_lit(e->out, "}}\n\n");
}

static void put_block_stop(struct encoder *e) {
    if (e->unsaid) return;
    close_text(e);
    buf_lit(e->out, EVENT("content_block_stop"));
    put_index(e);
    buf_lit(e->out, "}\n\n");
    e->index++;
}

// --- the end ---

struct str anthropic_stop_reason(enum chat_finish finish, bool called) {
    switch (finish) {
    case CHAT_FINISH_LENGTH:
        return STR("max_tokens");
    case CHAT_FINISH_STOP_SEQUENCE:
        return STR("stop_sequence");
    case CHAT_FINISH_TOOLS:
        return STR("tool_use");
    case CHAT_FINISH_FILTER:
        return STR("refusal");
    case CHAT_FINISH_PAUSE:
        return STR("pause_turn");
    case CHAT_FINISH_NONE:
    case CHAT_FINISH_STOP:
        break;
    }
    return called ? STR("tool_use") : STR("end_turn");
}

static void put_finish(struct encoder *e, enum chat_finish finish, struct str stop) {
    e->finished = true;
    buf_lit(e->out, EVENT("message_delta") ",\"delta\":{\"stop_reason\":\"");
    buf_put(e->out, anthropic_stop_reason(finish, e->called));
    if (finish == CHAT_FINISH_STOP_SEQUENCE && stop.n) {
        buf_lit(e->out, "\",\"stop_sequence\":\"");
        buf_put(e->out, stop);
        buf_lit(e->out, "\"},\"usage\":");
    } else {
        buf_lit(e->out, "\",\"stop_sequence\":null},\"usage\":");
    }
    if (e->told_usage)
        anthropic_put_usage(&e->usage, e->out);
    else // not told: a count is required
        buf_lit(e->out, "{\"output_tokens\":0}");
    buf_lit(e->out, "}\n\n");
}

static void put_end(struct encoder *e) {
    if (e->failed) return;
    if (!e->started) put_start(e);
    if (!e->finished) put_finish(e, CHAT_FINISH_NONE, STR(""));
    buf_lit(e->out, EVENT("message_stop") "}\n\n");
}

static void take(struct chat_sink *sink, const struct chat_event *event) {
    struct encoder *e = (struct encoder *)sink;
    if (event->choice) return; // there is one answer only
    if (event->kind != CHAT_USAGE && event->kind != CHAT_FAIL && event->kind != CHAT_END && !e->started) put_start(e);
    switch (event->kind) {
    case CHAT_PART_BEGIN:
        put_block_start(e, event);
        break;
    case CHAT_DELTA:
        put_text(e, event->text);
        break;
    case CHAT_SIGNATURE: // those of calls have no place here
        if (e->kind == CHAT_THINKING)
            put_delta(e, STR(",\"delta\":{\"type\":\"signature_delta\",\"signature\":\""), event->text);
        break;
    case CHAT_CITATION:
        put_citation(e, event->raw);
        break;
    case CHAT_PART_END:
        put_block_stop(e);
        break;
    case CHAT_USAGE:
        e->usage = *event->usage;
        e->told_usage = true;
        break;
    case CHAT_FINISH:
        put_finish(e, event->finish, event->text);
        break;
    case CHAT_FAIL:
        close_text(e);
        e->failed = true;
        anthropic_put_failure_event(event->failure, STR(""), e->out);
        break;
    case CHAT_END:
        put_end(e);
        break;
    case CHAT_BEGIN:
        break;
    }
}

void anthropic_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out) {
    struct encoder *e = (struct encoder *)sink;
    *e = (struct encoder){.sink = {.take = take}, .reply = reply, .out = out};
}
