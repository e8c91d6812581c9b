// Reads answers of a real Ollama: lines of a stream, whole answers, errors, counts.
#include "model/ollama/ollama.h"

#include "model/frame.h"

void ollama_decoder_init(void *decoder) { *(struct ollama_decoder *)decoder = (struct ollama_decoder){0}; }

static struct str inner_of(const struct json_field *field) {
    return field->found && field->kind == JSON_STRING ? chat_inner(field->raw) : STR("");
}

static void close_part(struct ollama_decoder *d, struct chat_sink *sink) {
    if (!d->open) return;
    chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_END, .part = d->parts - 1});
    d->open = false;
}

static void put_text(struct ollama_decoder *d, enum chat_part_kind kind, struct str text, struct chat_sink *sink) {
    if (!text.n) return;
    if (d->open && d->kind != kind) close_part(d, sink);
    if (!d->open) {
        chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_BEGIN, .part = d->parts++, .part_kind = kind});
        d->open = true;
        d->kind = kind;
    }
    chat_emit(sink, &(struct chat_event){.kind = CHAT_DELTA, .part = d->parts - 1, .part_kind = kind, .text = text});
}

struct call_list {
    struct ollama_decoder *d;
    struct chat_sink *sink;
};

static bool visit_call(void *arg, size_t index, struct str raw, struct err *err) {
    struct call_list *l = arg;
    struct json_field f[] = {{.name = STR_INIT("function"), .kinds = JSON_IS(JSON_OBJECT), .required = true},
                             {.name = STR_INIT("id")}};
    struct json_field fn[] = {{.name = STR_INIT("name"), .kinds = JSON_IS(JSON_STRING), .required = true},
                              {.name = STR_INIT("arguments"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL}};
    char made[24];
    (void)index;
    if (!json_scan(raw, f, ARRAY_LEN(f), err) || !json_scan(f[0].raw, fn, ARRAY_LEN(fn), err)) return false;
    struct str id = inner_of(&f[1]);
    close_part(l->d, l->sink);
    unsigned part = l->d->parts++;
    // Older servers give calls no id.
    if (!id.n) id = str_of(made, (size_t)snprintf(made, sizeof made, "call_%u", part));
    chat_emit(l->sink, &(struct chat_event){.kind = CHAT_PART_BEGIN,
                                            .part = part,
                                            .part_kind = CHAT_TOOL_CALL,
                                            .id = id,
                                            .name = chat_inner(fn[0].raw)});
    if (chat_given(&fn[1]).p) chat_emit_json(fn[1].raw, part, l->sink);
    chat_emit(l->sink, &(struct chat_event){.kind = CHAT_PART_END, .part = part});
    return true;
}

static bool put_message(struct ollama_decoder *d, struct str message, struct chat_sink *sink, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("content")},
                             {.name = STR_INIT("thinking")},
                             {.name = STR_INIT("tool_calls"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL}};
    struct call_list l = {d, sink};
    if (!json_scan(message, f, ARRAY_LEN(f), err)) return false;
    put_text(d, CHAT_THINKING, inner_of(&f[1]), sink);
    put_text(d, CHAT_TEXT, inner_of(&f[0]), sink);
    return !chat_given(&f[2]).p || chat_each(f[2].raw, visit_call, &l, err);
}

static void put_done(struct str data, const struct json_field *reason, struct chat_sink *sink) {
    struct usage usage = {0};
    enum chat_finish finish = CHAT_FINISH_STOP;
    if (reason->found && json_string_eq(reason->raw, STR("length"))) finish = CHAT_FINISH_LENGTH;
    if (ollama_usage_of(data, &usage)) chat_emit(sink, &(struct chat_event){.kind = CHAT_USAGE, .usage = &usage});
    chat_emit(sink, &(struct chat_event){.kind = CHAT_FINISH, .finish = finish});
}

static void put_error(struct str message, struct chat_sink *sink) {
    struct chat_failure failure = {.kind = CHAT_FAIL_SERVER, .status = 500, .message = chat_inner(message)};
    failure.kind = chat_failure_kind_of_text(STR(""), failure.message, failure.kind);
    chat_emit(sink, &(struct chat_event){.kind = CHAT_FAIL, .failure = &failure});
}

static bool take_object(struct ollama_decoder *d, struct str data, struct chat_sink *sink, struct err *err) {
    enum { MODEL, MESSAGE, RESPONSE, THINKING, DONE, REASON, ERROR };
    struct json_field f[] = {[MODEL] = {.name = STR_INIT("model")},       [MESSAGE] = {.name = STR_INIT("message")},
                             [RESPONSE] = {.name = STR_INIT("response")}, [THINKING] = {.name = STR_INIT("thinking")},
                             [DONE] = {.name = STR_INIT("done")},         [REASON] = {.name = STR_INIT("done_reason")},
                             [ERROR] = {.name = STR_INIT("error")}};
    if (!json_scan(data, f, ARRAY_LEN(f), err)) return false;
    if (f[ERROR].found && f[ERROR].kind == JSON_STRING) {
        put_error(f[ERROR].raw, sink);
        d->done = true;
        return true;
    }
    if (!d->begun) chat_emit(sink, &(struct chat_event){.kind = CHAT_BEGIN, .name = inner_of(&f[MODEL])});
    d->begun = true;
    if (f[MESSAGE].found && f[MESSAGE].kind == JSON_OBJECT && !put_message(d, f[MESSAGE].raw, sink, err)) return false;
    put_text(d, CHAT_THINKING, inner_of(&f[THINKING]), sink);
    put_text(d, CHAT_TEXT, inner_of(&f[RESPONSE]), sink);
    if (!chat_is_true(&f[DONE]) || d->done) return true;
    close_part(d, sink);
    put_done(data, &f[REASON], sink);
    d->done = true;
    return true;
}

bool ollama_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err) {
    if (!str_trim(frame->data).n) return true;
    if (take_object(decoder, frame->data, sink, err)) return true;
    err->code = ERR_UPSTREAM_INVALID;
    err->status = err_info(ERR_UPSTREAM_INVALID)->status;
    return err_wrap(err, "the provider's answer");
}

void ollama_decode_end(void *decoder, struct chat_sink *sink) { close_part(decoder, sink); }

bool ollama_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err) {
    struct ollama_decoder d = {0};
    struct frame frame = {.event = STR(""), .data = body};
    (void)arena;
    if (!ollama_decode(&d, &frame, sink, err)) return false;
    close_part(&d, sink);
    return true;
}

bool ollama_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure) {
    struct json_field f[] = {{.name = STR_INIT("error"), .kinds = JSON_IS(JSON_STRING), .required = true}};
    struct err ignored;
    (void)arena;
    if (!json_scan(body, f, 1, &ignored)) return false;
    if (status < 400) status = 500;
    *out_failure = (struct chat_failure){.kind = chat_failure_kind_of_status(status), .status = status};
    out_failure->message = chat_inner(f[0].raw);
    out_failure->kind = chat_failure_kind_of_text(STR(""), out_failure->message, out_failure->kind);
    return true;
}

bool ollama_usage_of(struct str data, struct usage *io_usage) {
    struct json_field f[] = {{.name = STR_INIT("prompt_eval_count")}, {.name = STR_INIT("eval_count")}};
    struct err ignored;
    uint64_t v;
    bool any = false;
    if (!json_scan(data, f, ARRAY_LEN(f), &ignored)) return false;
    if (f[0].found && chat_tokens_of(f[0].raw, &v)) {
        io_usage->prompt = v;
        any = true;
    }
    if (f[1].found && chat_tokens_of(f[1].raw, &v)) {
        io_usage->output = v;
        any = true;
    }
    return any;
}
