// Chat events as chunks of a stream for a client.
#include "base/json_write.h"
#include "model/openai/openai.h"

static void open_chunk(struct openai_encoder *e, unsigned choice) {
    buf_append(e->out, e->prefix, e->prefix_n);
    buf_lit(e->out, "[{\"index\":");
    buf_put_u64(e->out, choice);
    buf_lit(e->out, ",\"delta\":{");
}

static void close_chunk(struct openai_encoder *e, struct str finish) {
    buf_lit(e->out, "},\"logprobs\":null,\"finish_reason\":");
    if (finish.n) {
        buf_putc(e->out, '"');
        buf_put(e->out, finish);
        buf_lit(e->out, "\"}]");
    } else {
        buf_lit(e->out, "null}]");
    }
    if (e->wants_usage) buf_lit(e->out, ",\"usage\":null");
    buf_lit(e->out, "}\n\n");
}

static void put_text(struct openai_encoder *e, unsigned choice, struct str member, struct str escaped) {
    open_chunk(e, choice);
    buf_put(e->out, member); // with its colon and first quote
    buf_put(e->out, escaped);
    buf_putc(e->out, '"');
    close_chunk(e, STR(""));
}

static void tell_role(struct openai_encoder *e, unsigned choice) {
    if (e->choices[choice].told) return;
    e->choices[choice].told = true;
    open_chunk(e, choice);
    buf_lit(e->out, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
    close_chunk(e, STR(""));
}

// --- tool calls ---

// Of several calls the first: the older form has no more.
static void put_old_call(struct openai_encoder *e, unsigned choice, struct str member, struct str escaped,
                         struct str after) {
    if (e->choices[choice].calls != 1) return;
    open_chunk(e, choice);
    buf_lit(e->out, "\"function_call\":{");
    buf_put(e->out, member);
    buf_put(e->out, escaped);
    buf_put(e->out, after);
    close_chunk(e, STR(""));
}

static void put_call(struct openai_encoder *e, unsigned choice, struct str id, struct str name, struct str signature) {
    if (openai_old_functions(e->reply)) {
        e->choices[choice].calls++;
        put_old_call(e, choice, STR("\"name\":\""), name, STR("\",\"arguments\":\"\"}"));
        return;
    }
    open_chunk(e, choice);
    buf_lit(e->out, "\"tool_calls\":[{\"index\":");
    buf_put_u64(e->out, e->choices[choice].calls++);
    buf_lit(e->out, ",\"id\":\"");
    buf_put(e->out, id);
    if (signature.n) {
        buf_lit(e->out, OPENAI_THOUGHT_MARK);
        buf_put(e->out, signature);
    }
    buf_lit(e->out, "\",\"type\":\"function\",\"function\":{\"name\":\"");
    buf_put(e->out, name);
    buf_lit(e->out, "\",\"arguments\":\"\"}");
    if (signature.n) {
        buf_lit(e->out, ",\"extra_content\":{\"google\":{\"thought_signature\":\"");
        buf_put(e->out, signature);
        buf_lit(e->out, "\"}}");
    }
    buf_lit(e->out, "}]");
    close_chunk(e, STR(""));
}

static void put_call_part(struct openai_encoder *e, unsigned choice, struct str member, struct str escaped,
                          struct str after) {
    open_chunk(e, choice);
    buf_lit(e->out, "\"tool_calls\":[{\"index\":");
    buf_put_u64(e->out, e->choices[choice].calls - 1);
    buf_put(e->out, member);
    buf_put(e->out, escaped);
    buf_put(e->out, after);
    close_chunk(e, STR(""));
}

static void tell_pending(struct openai_encoder *e, struct str signature) {
    if (!e->pending) return;
    e->pending = false;
    put_call(e, e->pending_choice, str_of(e->pending_text, e->pending_id),
             str_of(e->pending_text + e->pending_id, e->pending_name), signature);
}

static void begin_call(struct openai_encoder *e, const struct chat_event *v) {
    if (v->id.n + v->name.n > sizeof e->pending_text) {
        put_call(e, v->choice, v->id, v->name, STR(""));
        return;
    }
    if (v->id.n) memcpy(e->pending_text, v->id.p, v->id.n);
    if (v->name.n) memcpy(e->pending_text + v->id.n, v->name.p, v->name.n);
    e->pending_id = v->id.n;
    e->pending_name = v->name.n;
    e->pending_choice = v->choice;
    e->pending = true;
}

// --- thoughts ---

static void keep_thoughts(struct openai_encoder *e, unsigned choice, struct str text) {
    if (choice != e->thoughts_choice) return;
    if (e->thoughts_n + text.n > e->thoughts_cap) {
        size_t want = (e->thoughts_n + text.n) * 2 + 1024;
        char *p = e->reply->arena ? arena_alloc(e->reply->arena, want) : NULL;
        if (!p) return; // then the block has less text, and its signature will not be taken for it
        if (e->thoughts_n) memcpy(p, e->thoughts, e->thoughts_n);
        e->thoughts = p;
        e->thoughts_cap = want;
    }
    memcpy(e->thoughts + e->thoughts_n, text.p, text.n);
    e->thoughts_n += text.n;
}

static void sign_thoughts(struct openai_encoder *e, const struct chat_event *v) {
    open_chunk(e, v->choice);
    buf_lit(e->out, "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"");
    if (e->thoughts_n && v->choice == e->thoughts_choice) buf_append(e->out, e->thoughts, e->thoughts_n);
    buf_lit(e->out, "\",\"signature\":\"");
    buf_put(e->out, v->text);
    buf_lit(e->out, "\"}]");
    close_chunk(e, STR(""));
}

// --- pictures ---

static void open_image(struct openai_encoder *e, const struct chat_event *v) {
    open_chunk(e, v->choice);
    buf_lit(e->out, "\"images\":[{\"index\":0,\"type\":\"image_url\",\"image_url\":{\"url\":\"data:");
    json_escape_put(e->out, v->mime.n ? v->mime : STR("image/png"));
    buf_lit(e->out, ";base64,");
    e->image = true;
    e->image_choice = v->choice;
}

static void close_image(struct openai_encoder *e) {
    if (!e->image) return;
    e->image = false;
    buf_lit(e->out, "\"}}]");
    close_chunk(e, STR(""));
}

// --- events ---

static void put_audio(struct openai_encoder *e, unsigned choice, struct str member, struct str escaped) {
    open_chunk(e, choice);
    buf_put(e->out, member);
    buf_put(e->out, escaped);
    buf_lit(e->out, "\"}");
    close_chunk(e, STR(""));
}

static void on_part(struct openai_encoder *e, const struct chat_event *v) {
    tell_role(e, v->choice);
    if (v->part_kind == CHAT_THINKING) {
        e->thoughts_choice = v->choice;
        e->thoughts_n = 0;
    }
    if (v->part_kind == CHAT_TOOL_CALL) begin_call(e, v);
    if (v->part_kind == CHAT_IMAGE) open_image(e, v);
    if (v->part_kind == CHAT_AUDIO && v->id.n) put_audio(e, v->choice, STR("\"audio\":{\"id\":\""), v->id);
}

static void put_redacted(struct openai_encoder *e, const struct chat_event *v) {
    open_chunk(e, v->choice);
    buf_lit(e->out, "\"thinking_blocks\":[{\"type\":\"redacted_thinking\",\"data\":\"");
    buf_put(e->out, v->text);
    buf_lit(e->out, "\"}]");
    close_chunk(e, STR(""));
}

static void on_delta(struct openai_encoder *e, const struct chat_event *v) {
    switch (v->part_kind) {
    case CHAT_TEXT:
        put_text(e, v->choice, STR("\"content\":\""), v->text);
        break;
    case CHAT_THINKING:
        put_text(e, v->choice, STR("\"reasoning_content\":\""), v->text);
        keep_thoughts(e, v->choice, v->text);
        break;
    case CHAT_REFUSAL:
        put_text(e, v->choice, STR("\"refusal\":\""), v->text);
        break;
    case CHAT_TOOL_CALL:
        tell_pending(e, STR(""));
        if (openai_old_functions(e->reply))
            put_old_call(e, v->choice, STR("\"arguments\":\""), v->text, STR("\"}"));
        else
            put_call_part(e, v->choice, STR(",\"function\":{\"arguments\":\""), v->text, STR("\"}}]"));
        break;
    case CHAT_REDACTED_THINKING:
        put_redacted(e, v);
        break;
    case CHAT_AUDIO:
        put_audio(e, v->choice, STR("\"audio\":{\"data\":\""), v->text);
        break;
    case CHAT_IMAGE:
        if (e->image) buf_put(e->out, v->text);
        break;
    case CHAT_VIDEO:
    case CHAT_FILE:
    case CHAT_TOOL_RESULT:
        break;
    }
}

static void on_signature(struct openai_encoder *e, const struct chat_event *v) {
    if (v->part_kind == CHAT_THINKING) sign_thoughts(e, v);
    if (v->part_kind != CHAT_TOOL_CALL) return;
    if (e->pending)
        tell_pending(e, v->text);
    else if (!openai_old_functions(e->reply))
        put_call_part(e, v->choice, STR(",\"extra_content\":{\"google\":{\"thought_signature\":\""), v->text,
                      STR("\"}}}]"));
}

static void on_end(struct openai_encoder *e) {
    if (e->failed) return; // what broke off has no end
    if (e->wants_usage && e->has_usage) {
        buf_append(e->out, e->prefix, e->prefix_n);
        buf_lit(e->out, "[],\"usage\":");
        openai_usage_put(e->out, &e->usage);
        buf_lit(e->out, "}\n\n");
    }
    buf_lit(e->out, "data: [DONE]\n\n");
}

static void take(struct chat_sink *sink, const struct chat_event *v) {
    struct openai_encoder *e = (struct openai_encoder *)sink;
    if (v->choice >= CHAT_CHOICES_MAX) return;
    // Choices may take turns.
    if (e->pending && v->choice != e->pending_choice) tell_pending(e, STR(""));
    if (e->image && v->choice != e->image_choice) close_image(e);
    switch (v->kind) {
    case CHAT_BEGIN:
        tell_role(e, v->choice);
        break;
    case CHAT_PART_BEGIN:
        on_part(e, v);
        break;
    case CHAT_DELTA:
        on_delta(e, v);
        break;
    case CHAT_SIGNATURE:
        on_signature(e, v);
        break;
    case CHAT_CITATION:
        open_chunk(e, v->choice);
        openai_citations_put(e->out, v->raw);
        close_chunk(e, STR(""));
        break;
    case CHAT_PART_END:
        if (v->part_kind == CHAT_TOOL_CALL) tell_pending(e, STR(""));
        close_image(e);
        break;
    case CHAT_USAGE:
        e->usage = *v->usage;
        e->has_usage = true;
        break;
    case CHAT_FINISH:
        tell_role(e, v->choice);
        open_chunk(e, v->choice);
        close_chunk(e, openai_finish_for(e->reply, v->finish));
        break;
    case CHAT_FAIL:
        close_image(e);
        e->failed = true;
        openai_put_failure_event(v->failure, STR(""), e->out);
        break;
    case CHAT_END:
        on_end(e);
        break;
    }
}

void openai_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out) {
    struct openai_encoder *e = (struct openai_encoder *)sink;
    *e = (struct openai_encoder){.sink = {.take = take}, .out = out, .reply = reply, .wants_usage = reply->wants_usage};
    struct buf b = BUF_INIT(OPENAI_PREFIX_MAX);
    buf_printf(&b, "data: {\"id\":\"chatcmpl-%.*s\",\"object\":\"chat.completion.chunk\",\"created\":%lld,\"model\":\"",
               STR_ARG(str_head(reply->id, 64)), (long long)reply->created);
    json_escape_put(&b, str_head(reply->model, 256)); // at most six bytes each
    buf_lit(&b, "\",\"choices\":");
    if (!b.failed) memcpy(e->prefix, b.p, e->prefix_n = b.n);
    buf_free(&b);
}
