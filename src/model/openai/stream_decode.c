// Chunks of a stream as chat events; and a whole answer as the same.
//
// Source: OpenAI API reference, chat.completion.chunk; what vendors add is said where it is read.
#include "base/hash.h"
#include "model/openai/openai.h"

void openai_decoder_init(void *decoder) {
    struct openai_decoder *d = decoder;
    *d = (struct openai_decoder){0};
    for (unsigned i = 0; i < CHAT_CHOICES_MAX; i++) d->choices[i].open = -1;
}

static struct str string_of(struct str object, struct str member) {
    struct str raw;
    return JSON_GET(object, &raw, member) && json_raw_kind(raw) == JSON_STRING ? chat_inner(raw) : STR("");
}

static void begin(struct openai_decoder *d, struct str object, struct chat_sink *sink) {
    if (d->begun) return;
    struct chat_event e = {
        .kind = CHAT_BEGIN, .id = string_of(object, STR("id")), .name = string_of(object, STR("model"))};
    d->begun = true;
    d->answer_hash = hash_bytes(e.id, 1);
    chat_emit(sink, &e);
}

static void fail(struct openai_decoder *d, const struct chat_failure *failure, struct chat_sink *sink) {
    if (d->failed) return;
    d->failed = true;
    chat_emit(sink, &(struct chat_event){.kind = CHAT_FAIL, .failure = failure});
}

static void fail_broken(struct openai_decoder *d, struct str reason, struct chat_sink *sink) {
    struct chat_failure f = {.kind = CHAT_FAIL_SERVER,
                             .status = 502,
                             .message = STR("the provider broke the answer off"),
                             .code = reason,
                             .type = STR(""),
                             .param = STR("")};
    fail(d, &f, sink);
}

// --- how an answer ended ---

enum chat_finish openai_finish_of(struct str raw, bool *out_broken) {
    static const struct {
        struct str name;
        enum chat_finish finish;
        bool broken;
    } names[] = {
        {STR_INIT("stop"), CHAT_FINISH_STOP, false},
        {STR_INIT("length"), CHAT_FINISH_LENGTH, false},
        {STR_INIT("tool_calls"), CHAT_FINISH_TOOLS, false},
        {STR_INIT("function_call"), CHAT_FINISH_TOOLS, false},
        {STR_INIT("content_filter"), CHAT_FINISH_FILTER, false},
        // Mistral; Together, Hugging Face; LiteLLM before Anthropic; GLM.
        {STR_INIT("model_length"), CHAT_FINISH_LENGTH, false},
        {STR_INIT("eos"), CHAT_FINISH_STOP, false},
        {STR_INIT("eos_token"), CHAT_FINISH_STOP, false},
        {STR_INIT("stop_sequence"), CHAT_FINISH_STOP_SEQUENCE, false},
        {STR_INIT("end_turn"), CHAT_FINISH_STOP, false},
        {STR_INIT("max_tokens"), CHAT_FINISH_LENGTH, false},
        {STR_INIT("sensitive"), CHAT_FINISH_FILTER, false},
        // DeepSeek; vLLM; Mistral and OpenRouter; GLM: the answer is not whole.
        {STR_INIT("insufficient_system_resource"), CHAT_FINISH_NONE, true},
        {STR_INIT("abort"), CHAT_FINISH_NONE, true},
        {STR_INIT("error"), CHAT_FINISH_NONE, true},
        {STR_INIT("network_error"), CHAT_FINISH_NONE, true},
    };
    *out_broken = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!json_string_eq(raw, names[i].name)) continue;
        *out_broken = names[i].broken;
        return names[i].finish;
    }
    return CHAT_FINISH_STOP;
}

struct str openai_finish_name(enum chat_finish finish) {
    switch (finish) {
    case CHAT_FINISH_LENGTH:
        return STR("length");
    case CHAT_FINISH_TOOLS:
        return STR("tool_calls");
    case CHAT_FINISH_FILTER:
        return STR("content_filter");
    case CHAT_FINISH_NONE:
    case CHAT_FINISH_STOP:
    case CHAT_FINISH_STOP_SEQUENCE:
    case CHAT_FINISH_PAUSE:
        break;
    }
    return STR("stop");
}

// --- one choice ---

static bool decode_choice(struct openai_decoder *d, struct json_reader *r, bool whole, struct chat_sink *sink,
                          struct str *out_broken, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("index")},
                             {.name = STR_INIT("delta")},
                             {.name = STR_INIT("message")},
                             {.name = STR_INIT("finish_reason")}};
    uint64_t index = 0;
    if (!json_object_scan(r, f, ARRAY_LEN(f), err)) return false;
    if (f[0].found && f[0].kind == JSON_NUMBER && !json_raw_u64(f[0].raw, &index)) index = 0;
    if (index >= CHAT_CHOICES_MAX) return true;
    struct openai_saying s = {.d = d, .sink = sink, .choice = (unsigned)index, .whole = whole};
    // Perplexity sends the message so far beside each delta; a few send nothing but the message at last.
    struct json_field *said = whole || !f[1].found || f[1].kind != JSON_OBJECT ? &f[2] : &f[1];
    if (said == &f[2] && !whole && d->choices[index].seen) said = NULL;
    if (said && said->found && said->kind == JSON_OBJECT && !openai_decode_message(&s, said->raw, err)) return false;
    if (!f[3].found || f[3].kind != JSON_STRING || f[3].raw.n == 2) return true;
    bool broken;
    enum chat_finish finish = openai_finish_of(f[3].raw, &broken);
    if (broken)
        *out_broken = chat_inner(f[3].raw);
    else
        chat_emit(sink, &(struct chat_event){.kind = CHAT_FINISH, .choice = (unsigned)index, .finish = finish});
    return true;
}

// Perplexity: the pages an answer rests on, as "search_results":[{"title","url"}], for the text that is open.
static void decode_sources(struct openai_decoder *d, struct str array, struct chat_sink *sink) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    if (d->choices[0].open < 0 || d->choices[0].kind != CHAT_TEXT) return;
    json_reader_init(&r, array, 0);
    if (!json_enter_array(&r)) return;
    while (json_element(&r, &kind) && json_skip(&r, &raw)) {
        BUF_AUTO struct buf b = BUF_INIT(65536);
        struct str url = string_of(raw, STR("url"));
        if (!url.n) continue;
        buf_printf(&b, "{\"type\":\"web_search_result_location\",\"url\":\"%.*s\",\"title\":\"%.*s\"}", STR_ARG(url),
                   STR_ARG(string_of(raw, STR("title"))));
        struct chat_event e = {.kind = CHAT_CITATION, .part = (unsigned)d->choices[0].open, .raw = buf_str(&b)};
        if (!b.failed) chat_emit(sink, &e);
    }
}

static void tell_usage(struct openai_decoder *d, struct str raw, struct chat_sink *sink) {
    struct str inner = raw;
    if (JSON_GET(raw, &inner, STR("usage"))) raw = inner; // of x_groq
    if (openai_usage_merge(raw, &d->usage))
        chat_emit(sink, &(struct chat_event){.kind = CHAT_USAGE, .usage = &d->usage});
}

// A chunk or a whole answer.
static bool decode_object(struct openai_decoder *d, struct str data, bool whole, struct chat_sink *sink,
                          struct err *err) {
    enum { CHOICES, USAGE, X_GROQ, ERROR, OBJECT, SOURCES, COUNT };
    struct json_field f[COUNT] = {
        [CHOICES] = {.name = STR_INIT("choices")}, [USAGE] = {.name = STR_INIT("usage")},
        [X_GROQ] = {.name = STR_INIT("x_groq")},   [ERROR] = {.name = STR_INIT("error")},
        [OBJECT] = {.name = STR_INIT("object")},   [SOURCES] = {.name = STR_INIT("search_results")}};
    struct json_reader r;
    struct chat_failure failure;
    struct str broken = STR_NONE;
    enum json_kind kind;
    if (!json_scan(data, f, COUNT, err)) return false;
    bool is_error = (f[ERROR].found && f[ERROR].kind != JSON_NULL) || json_string_eq(f[OBJECT].raw, STR("error"));
    bool has_choices = f[CHOICES].found && f[CHOICES].kind == JSON_ARRAY;
    json_reader_init(&r, f[CHOICES].raw, 0);
    if (has_choices && json_enter_array(&r))
        while (json_element(&r, &kind)) {
            if (kind != JSON_OBJECT) return err_set(err, ERR_UPSTREAM_INVALID, "a choice is no object");
            begin(d, data, sink);
            if (!decode_choice(d, &r, whole, sink, &broken, err)) return false;
        }
    if (f[SOURCES].found && f[SOURCES].kind == JSON_ARRAY && whole) decode_sources(d, f[SOURCES].raw, sink);
    if (f[USAGE].found) tell_usage(d, f[USAGE].raw, sink);
    if (f[X_GROQ].found && !f[USAGE].found) tell_usage(d, f[X_GROQ].raw, sink);
    if ((is_error || (whole && !has_choices)) && openai_failure_of(data, 200, &failure))
        fail(d, &failure, sink);
    else if (whole && !has_choices)
        return err_set(err, ERR_UPSTREAM_INVALID, "the answer has no choices");
    if (broken.p) fail_broken(d, broken, sink);
    return true;
}

bool openai_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err) {
    struct openai_decoder *d = decoder;
    struct str data = str_trim(frame->data);
    struct chat_failure failure;
    if (d->failed || !data.n || str_eq(data, STR("[DONE]"))) return true;
    // Some name the event and leave "error" out of the data; some send an array.
    bool array = data.p[0] == '[';
    if ((array || str_eq(frame->event, STR("error"))) && openai_failure_of(data, 200, &failure)) {
        fail(d, &failure, sink);
        return true;
    }
    if (decode_object(d, data, false, sink, err)) return true;
    err_wrap(err, "an event of the provider's stream");
    err->code = ERR_UPSTREAM_INVALID;
    err->status = err_info(ERR_UPSTREAM_INVALID)->status;
    return false;
}

void openai_decode_end(void *decoder, struct chat_sink *sink) {
    (void)decoder;
    (void)sink; // all was told as it came
}

bool openai_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err) {
    struct openai_decoder *d = ARENA_NEW(arena, struct openai_decoder);
    if (!d) return err_no_memory(err);
    openai_decoder_init(d);
    if (decode_object(d, body, true, sink, err)) return true;
    err_wrap(err, "the provider's answer");
    err->code = ERR_UPSTREAM_INVALID;
    err->status = err_info(ERR_UPSTREAM_INVALID)->status;
    return false;
}
