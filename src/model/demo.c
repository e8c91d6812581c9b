// The demonstration provider: what it says, piece by piece.
#include "model/demo.h"

#include "base/json_write.h"
#include "base/utf8.h"
#include "model/demo_input.h"
#include "model/openai_error.h"

#define CUT_AFTER 40            // bytes of text before `cut` and `stall` stop
#define WORD_MAX ((size_t)1024) // bytes of one piece of text

enum { STEP_ROLE, STEP_WORDS, STEP_FINISH, STEP_USAGE, STEP_DONE };

static uint64_t tokens_of(size_t bytes) { return (bytes + 3) / 4; }

static bool number_behind(struct str name, struct str prefix, uint64_t *out_value) {
    return str_starts(name, prefix) && str_to_u64(str_from(name, prefix.n), out_value);
}

static bool choose(struct demo *d, struct str model, struct arena *arena, struct err *err) {
    uint64_t n;
    struct str said = demo_last_user_text(d->request, arena);
    if (!said.p) return err_no_memory(err);
    d->status = 200;
    if (number_behind(model, STR("fail-"), &n) && n >= 400 && n <= 599) d->status = (int)n;
    if (str_eq(model, STR("slow"))) d->gap_ms = d->first_ms = 250;
    if (number_behind(model, STR("slow-"), &n)) d->gap_ms = d->first_ms = MIN(n, (uint64_t)60000);
    d->cut = str_eq(model, STR("cut"));
    d->stall = str_eq(model, STR("stall"));
    if (str_eq(model, STR("echo"))) {
        d->text = said;
        return true;
    }
    d->text = arena_printf(arena,
                           "This is Penstock's demonstration provider: no AI model is behind it. You said: \"%.*s%s\". "
                           "Set OPENAI_API_KEY (or another provider's key), or start a model server such as Ollama, "
                           "and start Penstock again to reach a real model.",
                           STR_ARG(utf8_head(said, 200)), said.n > 200 ? "…" : "");
    return d->text.p != NULL || err_no_memory(err);
}

bool demo_open(const struct model_request *request, struct str model, struct str id, int64_t created,
               struct arena *arena, struct demo *out_demo, struct err *err) {
    struct demo d = {.request = request, .model = request->model, .id = id, .created = created};
    d.embed = request->operation == OPERATION_EMBEDDINGS;
    if (!choose(&d, model, arena, err)) return false;
    d.tokens_in = model_request_estimate(request);
    d.tokens_out = d.embed ? 0 : tokens_of(d.text.n);
    *out_demo = d;
    return true;
}

struct str demo_content_type(const struct demo *d) {
    bool stream = d->request->stream && d->status == 200;
    return stream ? STR("text/event-stream; charset=utf-8") : STR("application/json");
}

uint64_t demo_wait_ms(const struct demo *d) {
    if (!d->request->stream && d->gap_ms) return d->gap_ms * 8;
    return d->step == STEP_ROLE ? d->first_ms : d->step <= STEP_FINISH ? d->gap_ms : 0;
}

static void put_usage(const struct demo *d, struct json_writer *w) {
    json_put_member_object(w, STR("usage"));
    json_put_member_u64(w, STR("prompt_tokens"), d->tokens_in);
    if (!d->embed) json_put_member_u64(w, STR("completion_tokens"), d->tokens_out);
    json_put_member_u64(w, STR("total_tokens"), d->tokens_in + d->tokens_out);
    json_put_object_end(w);
}

static void put_head(const struct demo *d, struct json_writer *w, struct str object) {
    json_put_object(w);
    json_put_key(w, STR("id"));
    struct buf id = BUF_INIT(128);
    buf_lit(&id, "chatcmpl-");
    buf_put(&id, d->id);
    json_put_str(w, buf_str(&id));
    buf_free(&id);
    json_put_member_str(w, STR("object"), object);
    json_put_member_i64(w, STR("created"), d->created);
    json_put_member_str(w, STR("model"), d->model);
}

static void put_whole(const struct demo *d, struct buf *out) {
    struct json_writer w;
    bool chat = d->request->operation == OPERATION_CHAT;
    json_writer_init(&w, out);
    put_head(d, &w, chat ? STR("chat.completion") : STR("text_completion"));
    json_put_member_array(&w, STR("choices"));
    json_put_object(&w);
    json_put_member_i64(&w, STR("index"), 0);
    if (chat) {
        json_put_member_object(&w, STR("message"));
        json_put_member_str(&w, STR("role"), STR("assistant"));
        json_put_member_str(&w, STR("content"), d->text);
        json_put_object_end(&w);
    } else {
        json_put_member_str(&w, STR("text"), d->text);
    }
    json_put_member_null(&w, STR("logprobs"));
    json_put_member_str(&w, STR("finish_reason"), STR("stop"));
    json_put_object_end(&w);
    json_put_array_end(&w);
    put_usage(d, &w);
    json_put_object_end(&w);
    json_writer_done(&w);
}

// One event of a stream: a piece of text, or the end of it (finish).
static void put_event(const struct demo *d, struct buf *out, struct str text, bool role, bool finish) {
    struct json_writer w;
    bool chat = d->request->operation == OPERATION_CHAT;
    buf_lit(out, "data: ");
    json_writer_init(&w, out);
    put_head(d, &w, chat ? STR("chat.completion.chunk") : STR("text_completion"));
    json_put_member_array(&w, STR("choices"));
    json_put_object(&w);
    json_put_member_i64(&w, STR("index"), 0);
    if (chat) {
        json_put_member_object(&w, STR("delta"));
        if (role) json_put_member_str(&w, STR("role"), STR("assistant"));
        if (!finish) json_put_member_str(&w, STR("content"), text);
        json_put_object_end(&w);
    } else {
        json_put_member_str(&w, STR("text"), text);
    }
    if (finish)
        json_put_member_str(&w, STR("finish_reason"), STR("stop"));
    else
        json_put_member_null(&w, STR("finish_reason"));
    json_put_object_end(&w);
    json_put_array_end(&w);
    json_put_object_end(&w);
    json_writer_done(&w);
    buf_lit(out, "\n\n");
}

static void put_usage_event(const struct demo *d, struct buf *out) {
    struct json_writer w;
    buf_lit(out, "data: ");
    json_writer_init(&w, out);
    put_head(d, &w, d->request->operation == OPERATION_CHAT ? STR("chat.completion.chunk") : STR("text_completion"));
    json_put_member_array(&w, STR("choices"));
    json_put_array_end(&w);
    put_usage(d, &w);
    json_put_object_end(&w);
    json_writer_done(&w);
    buf_lit(out, "\n\n");
}

// The next word with the space behind it.
static struct str next_word(struct demo *d) {
    struct str rest = str_from(d->text, d->at);
    size_t n = str_find_char(rest, ' ');
    struct str word = utf8_head(str_head(rest, n < rest.n ? n + 1 : rest.n), WORD_MAX);
    d->at += word.n;
    return word;
}

static enum demo_next next_event(struct demo *d, struct buf *out) {
    switch (d->step) {
    case STEP_ROLE:
        put_event(d, out, STR(""), true, false);
        d->step = d->text.n ? STEP_WORDS : STEP_FINISH;
        return DEMO_MORE;
    case STEP_WORDS:
        if (d->at > CUT_AFTER && d->stall) return DEMO_HANG;
        if (d->at > CUT_AFTER && d->cut) return DEMO_BREAK;
        put_event(d, out, next_word(d), false, false);
        if (d->at >= d->text.n) d->step = STEP_FINISH;
        return DEMO_MORE;
    case STEP_FINISH:
        put_event(d, out, STR(""), false, true);
        d->step = STEP_USAGE;
        return DEMO_MORE;
    case STEP_USAGE:
        put_usage_event(d, out);
        d->step = STEP_DONE;
        return DEMO_MORE;
    default:
        buf_lit(out, "data: [DONE]\n\n");
        return DEMO_LAST;
    }
}

static void put_failure(const struct demo *d, struct buf *out) {
    struct err err;
    err_set(&err, d->status == 429 ? ERR_RATE_LIMITED : ERR_UPSTREAM_STATUS,
            "the demonstration provider was asked to fail with status %d", d->status);
    openai_error_put(out, &err);
}

enum demo_next demo_next(struct demo *d, struct buf *out) {
    if (d->status != 200) {
        put_failure(d, out);
        return DEMO_LAST;
    }
    if (d->request->stream) return next_event(d, out);
    if (d->stall) return DEMO_HANG;
    if (d->cut) return DEMO_BREAK;
    if (d->embed)
        demo_embeddings_put(d->request, d->model, d->tokens_in, out);
    else
        put_whole(d, out);
    return DEMO_LAST;
}
