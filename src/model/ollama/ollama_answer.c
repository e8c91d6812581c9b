// Whole answers and failures in Ollama's dialect, and what they share with its streams.
#include "model/ollama/ollama.h"

#include "base/text.h"

#define NS 1000000000

void ollama_put_head(const struct chat_reply *reply, struct buf *out) {
    char when[TIME_TEXT_LEN];
    time_text(when, reply->created * NS);
    buf_lit(out, "{\"model\":\"");
    json_escape_put(out, reply->model);
    buf_lit(out, "\",\"created_at\":\"");
    buf_append(out, when, sizeof when);
    buf_putc(out, '"');
}

struct str ollama_arguments(struct str escaped, struct arena *arena) {
    char *quoted = arena_alloc(arena, escaped.n + 2);
    struct str args;
    struct err ignored;
    if (!quoted) return STR("{}");
    quoted[0] = quoted[escaped.n + 1] = '"';
    if (escaped.n) memcpy(quoted + 1, escaped.p, escaped.n);
    return chat_args_of_text(str_of(quoted, escaped.n + 2), arena, &args, &ignored) ? args : STR("{}");
}

void ollama_put_call(struct str id, struct str name, struct str arguments, unsigned index, struct buf *out) {
    buf_putc(out, '{');
    if (id.n) {
        buf_lit(out, "\"id\":\"");
        buf_put(out, id);
        buf_lit(out, "\",");
    }
    buf_printf(out, "\"function\":{\"index\":%u,\"name\":\"", index);
    buf_put(out, name);
    buf_lit(out, "\",\"arguments\":");
    buf_put(out, arguments);
    buf_lit(out, "}}");
}

static struct str finish_name(enum chat_finish finish) {
    if (finish == CHAT_FINISH_LENGTH) return STR("length");
    if (finish == CHAT_FINISH_FILTER) return STR("content_filter");
    return STR("stop");
}

void ollama_put_done(enum chat_finish finish, const struct ollama_times *times, const struct usage *usage,
                     struct buf *out) {
    // Of an answer that came at once it is not known; clients divide by the latter.
    uint64_t prompt = times->prompt_ns < times->total_ns ? times->prompt_ns : 0;
    struct str reason = finish_name(finish);
    buf_printf(out, "\"done\":true,\"done_reason\":\"%.*s\",\"total_duration\":%" PRIu64 ",\"load_duration\":0",
               STR_ARG(reason), times->total_ns);
    if (usage) buf_printf(out, ",\"prompt_eval_count\":%" PRIu64, usage->prompt);
    buf_printf(out, ",\"prompt_eval_duration\":%" PRIu64, prompt);
    if (usage) buf_printf(out, ",\"eval_count\":%" PRIu64, usage->output);
    buf_printf(out, ",\"eval_duration\":%" PRIu64 "}", times->total_ns - prompt);
}

// The texts of one kind, one after the other, between quotes.
static void put_texts(const struct chat_answer *a, enum chat_part_kind kind, enum chat_part_kind other,
                      struct buf *out) {
    buf_putc(out, '"');
    for (size_t i = 0; i < a->count; i++)
        if (!a->parts[i].choice && (a->parts[i].kind == kind || a->parts[i].kind == other))
            buf_put(out, a->parts[i].text);
    buf_putc(out, '"');
}

static size_t count_parts(const struct chat_answer *a, enum chat_part_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++) n += !a->parts[i].choice && a->parts[i].kind == kind && a->parts[i].text.p;
    return n;
}

static void put_calls(const struct chat_answer *a, struct arena *arena, struct buf *out) {
    unsigned calls = 0;
    for (size_t i = 0; i < a->count; i++) {
        const struct chat_answer_part *part = &a->parts[i];
        if (part->choice || part->kind != CHAT_TOOL_CALL) continue;
        buf_put(out, calls ? STR(",") : STR(",\"tool_calls\":["));
        ollama_put_call(part->id, part->name, ollama_arguments(part->text, arena), calls++, out);
    }
    if (calls) buf_putc(out, ']');
}

static void put_images(const struct chat_answer *a, struct buf *out) {
    bool any = false;
    for (size_t i = 0; i < a->count; i++) {
        const struct chat_answer_part *part = &a->parts[i];
        if (part->choice || part->kind != CHAT_IMAGE || !part->text.n) continue;
        buf_put(out, any ? STR(",\"") : STR(",\"images\":[\""));
        buf_put(out, part->text);
        buf_putc(out, '"');
        any = true;
    }
    if (any) buf_putc(out, ']');
}

static void put_answer(const struct chat_answer *a, const struct chat_reply *reply, bool generate, struct buf *out) {
    struct ollama_times times = {.total_ns = reply->elapsed_ns, .prompt_ns = 0};
    ollama_put_head(reply, out);
    buf_put(out, generate ? STR(",\"response\":") : STR(",\"message\":{\"role\":\"assistant\",\"content\":"));
    put_texts(a, CHAT_TEXT, CHAT_REFUSAL, out);
    if (count_parts(a, CHAT_THINKING)) {
        buf_lit(out, ",\"thinking\":");
        put_texts(a, CHAT_THINKING, CHAT_THINKING, out);
    }
    put_images(a, out);
    if (!generate) {
        put_calls(a, reply->arena, out);
        buf_putc(out, '}');
    }
    buf_putc(out, ',');
    ollama_put_done(a->finish[0], &times, a->has_usage ? &a->usage : NULL, out);
}

void ollama_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out) {
    put_answer(answer, reply, false, out);
}

void ollama_generate_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out) {
    put_answer(answer, reply, true, out);
}

void ollama_put_failure(const struct chat_failure *failure, struct str request_id, struct buf *out) {
    (void)request_id;
    buf_lit(out, "{\"error\":\"");
    buf_put(out, failure->message);
    buf_lit(out, "\"}");
}

void ollama_put_failure_event(const struct chat_failure *failure, struct str request_id, struct buf *out) {
    ollama_put_failure(failure, request_id, out);
    buf_putc(out, '\n');
}
