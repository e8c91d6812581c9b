// Streams in Google's dialect: a GenerateContentResponse for each piece of an answer, the last one with the counts; as
// server-sent events, or as the elements of a JSON array.
#include "model/gemini/gemini.h"

static void append(struct gemini_encoder *e, char **io_p, size_t *io_n, size_t *io_cap, struct str piece) {
    size_t want;
    if (e->lost || !piece.n) return;
    if (*io_cap - *io_n < piece.n) {
        char *p = NULL;
        if (!__builtin_add_overflow(*io_n * 2 + 256, piece.n, &want)) p = arena_alloc(e->reply->arena, want);
        if (!p) {
            e->lost = true;
            return;
        }
        if (*io_n) memcpy(p, *io_p, *io_n);
        *io_p = p;
        *io_cap = want;
    }
    memcpy(*io_p + *io_n, piece.p, piece.n);
    *io_n += piece.n;
}

// --- framing ---

static void frame_begin(struct gemini_encoder *e) {
    if (!e->reply->array)
        buf_lit(e->out, "data: ");
    else if (e->begun)
        buf_lit(e->out, ",\r\n");
    else
        buf_putc(e->out, '[');
    e->begun = true;
}

static void frame_end(struct gemini_encoder *e) {
    if (!e->reply->array) buf_lit(e->out, "\r\n\r\n");
}

static void tail(struct gemini_encoder *e) {
    buf_lit(e->out, ",\"modelVersion\":\"");
    json_escape_put(e->out, e->reply->model);
    buf_lit(e->out, "\",\"responseId\":\"");
    json_escape_put(e->out, e->reply->id);
    buf_lit(e->out, "\"}");
    frame_end(e);
}

// {"candidates":[{"content":{"parts":[{ … the part's members … }],"role":"model"},"index":0}], …}
static void part_begin(struct gemini_encoder *e) {
    frame_begin(e);
    buf_lit(e->out, "{\"candidates\":[{\"content\":{\"parts\":[{");
}

static void part_end(struct gemini_encoder *e, unsigned choice) {
    buf_printf(e->out, "}],\"role\":\"model\"},\"index\":%u}]", choice);
    tail(e);
}

// --- parts ---

static void put_text(struct gemini_encoder *e, unsigned choice, struct str text, struct str signature) {
    part_begin(e);
    buf_lit(e->out, "\"text\":\"");
    buf_put(e->out, text);
    buf_putc(e->out, '"');
    if (e->choice[choice].kind == CHAT_THINKING) buf_lit(e->out, ",\"thought\":true");
    if (signature.n) {
        buf_lit(e->out, ",\"thoughtSignature\":\"");
        buf_put(e->out, signature);
        buf_putc(e->out, '"');
    }
    part_end(e, choice);
}

// What is no JSON object, cut off at the limit of tokens say, stands under "_invalid".
static struct str arguments(const struct gemini_encoder *e, const struct gemini_choice *c) {
    struct err ignored;
    struct str args,
        quoted = arena_printf(e->reply->arena, "\"%.*s\"", (int)MIN(c->held_n, (size_t)INT32_MAX), c->held);
    bool good = !e->lost && quoted.n && chat_args_of_text(quoted, e->reply->arena, &args, &ignored);
    return good ? args : STR("{}");
}

static void put_call(struct gemini_encoder *e, unsigned choice) {
    const struct gemini_choice *c = &e->choice[choice];
    struct str args = arguments(e, c);
    part_begin(e);
    buf_lit(e->out, "\"functionCall\":{");
    if (c->id.n) {
        buf_lit(e->out, "\"id\":\"");
        buf_put(e->out, c->id);
        buf_lit(e->out, "\",");
    }
    buf_lit(e->out, "\"name\":\"");
    buf_put(e->out, c->name);
    buf_lit(e->out, "\",\"args\":");
    buf_put(e->out, args);
    buf_putc(e->out, '}');
    if (c->signature.n) {
        buf_lit(e->out, ",\"thoughtSignature\":\"");
        buf_put(e->out, c->signature);
        buf_putc(e->out, '"');
    }
    part_end(e, choice);
}

static bool is_media(enum chat_part_kind kind) {
    return kind == CHAT_IMAGE || kind == CHAT_AUDIO || kind == CHAT_VIDEO || kind == CHAT_FILE;
}

static bool hides(const struct gemini_encoder *e, enum chat_part_kind kind) {
    if (kind == CHAT_REDACTED_THINKING) return true;
    return kind == CHAT_THINKING && e->reply->chat && e->reply->chat->reasoning.hidden;
}

// Base64 can go out as it comes, until another answer has something to say.
static void open_media(struct gemini_encoder *e, const struct chat_event *ev) {
    part_begin(e);
    buf_lit(e->out, "\"inlineData\":{\"mimeType\":\"");
    json_escape_put(e->out, ev->mime);
    buf_lit(e->out, "\",\"data\":\"");
    e->media = true;
    e->media_choice = ev->choice;
}

static void close_media(struct gemini_encoder *e) {
    if (!e->media) return;
    e->media = false;
    buf_lit(e->out, "\"}");
    part_end(e, e->media_choice);
}

static void on_part(struct gemini_encoder *e, const struct chat_event *ev) {
    struct gemini_choice *c = &e->choice[ev->choice];
    close_media(e);
    c->kind = ev->part_kind;
    c->open = true;
    c->skipped = hides(e, c->kind);
    c->held_n = 0;
    c->signature = STR_NONE;
    if (c->kind == CHAT_TOOL_CALL) {
        c->id = arena_str(e->reply->arena, ev->id);
        c->name = arena_str(e->reply->arena, ev->name);
    }
    if (is_media(c->kind)) open_media(e, ev);
}

static void on_delta(struct gemini_encoder *e, const struct chat_event *ev) {
    struct gemini_choice *c = &e->choice[ev->choice];
    if (c->skipped) return;
    if (c->kind == CHAT_TOOL_CALL) {
        append(e, &c->held, &c->held_n, &c->held_cap, ev->text);
    } else if (is_media(c->kind)) {
        if (e->media && e->media_choice == ev->choice) buf_put(e->out, ev->text);
    } else {
        close_media(e);
        put_text(e, ev->choice, ev->text, STR_NONE);
    }
}

static void on_signature(struct gemini_encoder *e, const struct chat_event *ev) {
    struct gemini_choice *c = &e->choice[ev->choice];
    if (c->skipped || is_media(c->kind)) return;
    if (c->kind == CHAT_TOOL_CALL) {
        c->signature = arena_str(e->reply->arena, ev->text);
        return;
    }
    close_media(e);
    put_text(e, ev->choice, STR(""), ev->text);
}

static void on_part_end(struct gemini_encoder *e, unsigned choice) {
    struct gemini_choice *c = &e->choice[choice];
    if (!c->open) return;
    c->open = false;
    if (c->kind == CHAT_TOOL_CALL) {
        close_media(e);
        put_call(e, choice);
    }
    if (is_media(c->kind) && e->media_choice == choice) close_media(e);
}

// A source on the web becomes a chunk of groundingMetadata.
static void on_citation(struct gemini_encoder *e, const struct chat_event *ev) {
    struct str url, title;
    if (!JSON_GET(ev->raw, &url, STR("url")) || url.p[0] != '"' || e->chunks_n > 65536) return;
    if (!JSON_GET(ev->raw, &title, STR("title")) || title.p[0] != '"') title = STR("\"\"");
    if (e->chunks_n) append(e, &e->chunks, &e->chunks_n, &e->chunks_cap, STR(","));
    append(e, &e->chunks, &e->chunks_n, &e->chunks_cap, STR("{\"web\":{\"uri\":"));
    append(e, &e->chunks, &e->chunks_n, &e->chunks_cap, url);
    append(e, &e->chunks, &e->chunks_n, &e->chunks_cap, STR(",\"title\":"));
    append(e, &e->chunks, &e->chunks_n, &e->chunks_cap, title);
    append(e, &e->chunks, &e->chunks_n, &e->chunks_cap, STR("}}"));
}

// --- the end ---

static void put_last(struct gemini_encoder *e) {
    bool any = false;
    frame_begin(e);
    buf_lit(e->out, "{\"candidates\":[");
    for (unsigned i = 0; i < CHAT_CHOICES_MAX; i++) {
        if (!e->choice[i].seen) continue;
        if (any) buf_putc(e->out, ',');
        any = true;
        buf_lit(e->out, "{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"");
        buf_put(e->out, gemini_finish_name(e->choice[i].finish));
        buf_printf(e->out, "\",\"index\":%u", i);
        if (i == 0 && e->chunks_n && !e->lost) {
            buf_lit(e->out, ",\"groundingMetadata\":{\"groundingChunks\":[");
            buf_append(e->out, e->chunks, e->chunks_n);
            buf_lit(e->out, "]}");
        }
        buf_putc(e->out, '}');
    }
    buf_putc(e->out, ']');
    if (e->has_usage) {
        buf_putc(e->out, ',');
        gemini_put_usage(e->out, &e->usage);
    }
    tail(e);
}

static void on_fail(struct gemini_encoder *e, const struct chat_failure *failure) {
    close_media(e);
    e->failed = true;
    frame_begin(e);
    gemini_put_failure(failure, STR(""), e->out);
    frame_end(e);
}

static void on_end(struct gemini_encoder *e) {
    if (!e->failed) put_last(e);
    if (e->reply->array) buf_putc(e->out, ']');
}

static void take(struct chat_sink *sink, const struct chat_event *ev) {
    struct gemini_encoder *e = (struct gemini_encoder *)(void *)sink;
    if (ev->choice >= CHAT_CHOICES_MAX) return;
    switch (ev->kind) {
    case CHAT_BEGIN:
        return;
    case CHAT_PART_BEGIN:
        on_part(e, ev);
        return;
    case CHAT_DELTA:
        on_delta(e, ev);
        return;
    case CHAT_SIGNATURE:
        on_signature(e, ev);
        return;
    case CHAT_CITATION:
        on_citation(e, ev);
        return;
    case CHAT_PART_END:
        on_part_end(e, ev->choice);
        return;
    case CHAT_USAGE:
        e->usage = *ev->usage;
        e->has_usage = true;
        return;
    case CHAT_FINISH:
        e->choice[ev->choice].seen = true;
        e->choice[ev->choice].finish = ev->finish;
        return;
    case CHAT_FAIL:
        on_fail(e, ev->failure);
        return;
    case CHAT_END:
        on_end(e);
        return;
    }
}

void gemini_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out) {
    struct gemini_encoder *e = (struct gemini_encoder *)(void *)sink;
    *e = (struct gemini_encoder){.sink.take = take, .reply = reply, .out = out};
}
