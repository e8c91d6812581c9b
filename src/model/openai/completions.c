// OpenAI's older completions: a prompt becomes one turn of a user, for models that have nothing but chat.
//
// Source: OpenAI API reference, completions. What only a model that goes on with a text can do (echo, suffix, best_of,
// logprobs) is reported as dropped; several prompts in one request, or prompts in token numbers, are refused.
#include "base/json_write.h"
#include "model/openai/openai.h"

#define STRING JSON_IS(JSON_STRING)
#define NUMBER JSON_IS(JSON_NUMBER)

static bool completions_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                             struct err *err) {
    if (in->operation != OPERATION_COMPLETIONS)
        return err_set(err, ERR_INVALID_REQUEST, "this dialect has no such endpoint");
    if (!openai_peek(in, arena, out_request, err)) return false;
    out_request->dialect = DIALECT_COMPLETIONS;
    return true;
}

// --- requests ---

enum member {
    MODEL,
    PROMPT,
    STREAM,
    STREAM_OPTIONS,
    STRICT,
    FALLBACKS,
    MAX_TOKENS,
    TEMPERATURE,
    TOP_P,
    TOP_K,
    SEED,
    FREQUENCY,
    PRESENCE,
    STOP,
    CHOICES,
    USER,
    BIAS,
    MEMBERS
};
static const struct openai_member k_members[MEMBERS] = {
    [MODEL] = {STR_INIT("model"), 0, NULL},
    [PROMPT] = {STR_INIT("prompt"), STRING | JSON_IS(JSON_ARRAY), NULL},
    [STREAM] = {STR_INIT("stream"), JSON_IS(JSON_BOOL), NULL},
    [STREAM_OPTIONS] = {STR_INIT("stream_options"), 0, NULL},
    [STRICT] = {STR_INIT("strict"), JSON_IS(JSON_BOOL), NULL},
    [FALLBACKS] = {STR_INIT("fallbacks"), JSON_IS(JSON_ARRAY), NULL},
    [MAX_TOKENS] = {STR_INIT("max_tokens"), NUMBER, NULL},
    [TEMPERATURE] = {STR_INIT("temperature"), NUMBER, NULL},
    [TOP_P] = {STR_INIT("top_p"), NUMBER, NULL},
    [TOP_K] = {STR_INIT("top_k"), NUMBER, NULL},
    [SEED] = {STR_INIT("seed"), NUMBER, NULL},
    [FREQUENCY] = {STR_INIT("frequency_penalty"), NUMBER, NULL},
    [PRESENCE] = {STR_INIT("presence_penalty"), NUMBER, NULL},
    [STOP] = {STR_INIT("stop"), STRING | JSON_IS(JSON_ARRAY), NULL},
    [CHOICES] = {STR_INIT("n"), NUMBER, NULL},
    [USER] = {STR_INIT("user"), STRING, NULL},
    [BIAS] = {STR_INIT("logit_bias"), JSON_IS(JSON_OBJECT), NULL},
};

static bool read_prompt(struct openai_reading *x, struct str raw) {
    struct chat *c = x->chat;
    struct json_reader r;
    enum json_kind kind;
    struct str text = raw;
    if (!raw.p) return openai_missing(x, STR("prompt"));
    if (raw.p[0] == '[') {
        json_reader_init(&r, raw, 0);
        bool one = json_enter_array(&r) && json_element(&r, &kind) && kind == JSON_STRING && json_skip(&r, &text);
        if (!one || json_element(&r, &kind)) return openai_wrong(x, STR("prompt"), "must be one text for this model");
    }
    c->turns = ARENA_NEW(x->arena, struct chat_turn);
    struct chat_part *part = ARENA_NEW(x->arena, struct chat_part);
    if (!c->turns || !part) return err_no_memory(x->err);
    *part = (struct chat_part){.kind = CHAT_TEXT, .text = text};
    c->turns[0] = (struct chat_turn){.role = CHAT_USER, .parts = part, .count = 1};
    c->count = 1;
    return true;
}

static bool completions_read(const struct model_request *request, struct arena *arena, struct chat *out_chat,
                             struct err *err) {
    struct chat chat = {.parallel_tools = -1, .output_strict = -1};
    struct openai_reading x = {.chat = &chat, .arena = arena, .err = err, .message = -1};
    struct str m[MEMBERS];
    uint64_t choices = 0;
    if (!openai_members_of(&x, request->body, k_members, MEMBERS, "", m)) return false;
    if (!read_prompt(&x, m[PROMPT]) || !openai_read_stop(&x, m[STOP])) return false;
    if (!openai_whole(&x, STR("max_tokens"), m[MAX_TOKENS], 1, UINT64_MAX, &chat.max_output)) return false;
    if (!openai_whole(&x, STR("n"), m[CHOICES], 1, CHAT_CHOICES_MAX, &choices)) return false;
    chat.choices = (unsigned)choices;
    chat.stream = request->stream;
    chat.sampling = (struct chat_sampling){.temperature = m[TEMPERATURE],
                                           .top_p = m[TOP_P],
                                           .top_k = m[TOP_K],
                                           .seed = m[SEED],
                                           .frequency_penalty = m[FREQUENCY],
                                           .presence_penalty = m[PRESENCE]};
    chat.user = m[USER];
    chat.logit_bias = m[BIAS];
    *out_chat = chat;
    return true;
}

// --- answers ---

static struct str finish_name(enum chat_finish finish) {
    return finish == CHAT_FINISH_TOOLS ? STR("stop") : openai_finish_name(finish);
}

static void put_choice(struct buf *out, unsigned choice, struct str escaped, struct str finish) {
    buf_lit(out, "{\"text\":\"");
    buf_put(out, escaped);
    buf_lit(out, "\",\"index\":");
    buf_put_u64(out, choice);
    buf_lit(out, ",\"logprobs\":null,\"finish_reason\":");
    if (finish.n)
        buf_printf(out, "\"%.*s\"}", STR_ARG(finish));
    else
        buf_lit(out, "null}");
}

static void put_head(struct buf *out, const struct chat_reply *reply) {
    buf_printf(out, "{\"id\":\"cmpl-%.*s\",\"object\":\"text_completion\",\"created\":%lld,\"model\":\"",
               STR_ARG(str_head(reply->id, 64)), (long long)reply->created);
    json_escape_put(out, str_head(reply->model, 256));
    buf_lit(out, "\",\"choices\":[");
}

static void completions_put_answer(const struct chat_answer *a, const struct chat_reply *reply, struct buf *out) {
    put_head(out, reply);
    for (unsigned i = 0; i < MAX(a->choices, 1u); i++) {
        struct buf text = BUF_INIT(SIZE_MAX);
        for (size_t k = 0; k < a->count; k++)
            if (a->parts[k].choice == i && (a->parts[k].kind == CHAT_TEXT || a->parts[k].kind == CHAT_REFUSAL))
                buf_put(&text, a->parts[k].text);
        if (i) buf_putc(out, ',');
        put_choice(out, i, buf_str(&text), finish_name(i < CHAT_CHOICES_MAX ? a->finish[i] : CHAT_FINISH_NONE));
        out->failed |= text.failed;
        buf_free(&text);
    }
    buf_putc(out, ']');
    if (a->has_usage) {
        buf_lit(out, ",\"usage\":");
        openai_usage_put(out, &a->usage);
    }
    buf_putc(out, '}');
}

// --- streams ---

struct encoder {
    struct chat_sink sink;
    struct buf *out;
    const struct chat_reply *reply;
    bool failed, has_usage;
    struct usage usage;
};

static void put_chunk(struct encoder *e, unsigned choice, struct str escaped, struct str finish) {
    buf_lit(e->out, "data: ");
    put_head(e->out, e->reply);
    put_choice(e->out, choice, escaped, finish);
    buf_put(e->out, e->reply->wants_usage ? STR("],\"usage\":null}\n\n") : STR("]}\n\n"));
}

static void put_end(struct encoder *e) {
    if (e->failed) return;
    if (e->reply->wants_usage && e->has_usage) {
        buf_lit(e->out, "data: ");
        put_head(e->out, e->reply);
        buf_lit(e->out, "],\"usage\":");
        openai_usage_put(e->out, &e->usage);
        buf_lit(e->out, "}\n\n");
    }
    buf_lit(e->out, "data: [DONE]\n\n");
}

static void take(struct chat_sink *sink, const struct chat_event *v) {
    struct encoder *e = (struct encoder *)sink;
    switch (v->kind) {
    case CHAT_DELTA:
        if (v->part_kind == CHAT_TEXT || v->part_kind == CHAT_REFUSAL) put_chunk(e, v->choice, v->text, STR(""));
        break;
    case CHAT_USAGE:
        e->usage = *v->usage;
        e->has_usage = true;
        break;
    case CHAT_FINISH:
        put_chunk(e, v->choice, STR(""), finish_name(v->finish));
        break;
    case CHAT_FAIL:
        e->failed = true;
        openai_put_failure_event(v->failure, STR(""), e->out);
        break;
    case CHAT_END:
        put_end(e);
        break;
    case CHAT_BEGIN:
    case CHAT_PART_BEGIN:
    case CHAT_SIGNATURE:
    case CHAT_CITATION:
    case CHAT_PART_END:
        break;
    }
}

static void completions_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out) {
    struct encoder *e = (struct encoder *)sink;
    *e = (struct encoder){.sink = {.take = take}, .out = out, .reply = reply};
}

const struct dialect_ops dialect_completions = {
    .dialect = DIALECT_COMPLETIONS,
    .name = STR_INIT("completions"),
    .peek = completions_peek,
    .read = completions_read,
    .stream_type = STR_INIT("text/event-stream"),
    .choices = CHAT_CHOICES_MAX,
    .encoder_size = sizeof(struct encoder),
    .encoder_init = completions_encoder_init,
    .put_answer = completions_put_answer,
    .put_failure = openai_put_failure,
    .put_failure_event = openai_put_failure_event,
    .rewrite = openai_rewrite,
    .frames = FRAME_SSE,
    .read_failure = openai_read_failure,
    .content_mark = STR_INIT("\"choices\":[{"),
    .usage_mark = STR_INIT("usage\""),
    .usage_of = openai_usage_of,
    .only_usage = openai_only_usage,
    .finish_mark = STR_INIT("finish_reason\""),
    .ends = openai_ends,
    .stream_end = STR_INIT("data: [DONE]\n\n"),
};
