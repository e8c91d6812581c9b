// Chunks of a stream as chat events; and a whole answer as the same.
//
// Source: OpenAI API reference, chat.completion.chunk; what vendors add is said where it is read.
#include "base/hash.h"
#include "base/scan.h"
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

bool openai_ends(struct str text) {
    bool broken;
    (void)openai_finish_of(text, &broken);
    return !broken;
}

static bool says(struct str data, struct str word) { return scan_find(data, word) < data.n; }

// As OpenAI and most who follow it write it.
bool openai_only_speaker(struct str data) {
    return (says(data, STR("delta\":{\"role\":\"assistant\",\"content\":\"\"}")) ||
            says(data, STR("delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}"))) &&
           says(data, STR("finish_reason\":null")) && !says(data, STR("error")) && !says(data, STR("},{"));
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

struct str openai_finish_for(const struct chat_reply *reply, enum chat_finish finish) {
    bool old = finish == CHAT_FINISH_TOOLS && openai_old_functions(reply);
    return old ? STR("function_call") : openai_finish_name(finish);
}

// --- one choice ---

struct choice {
    uint64_t index;
    bool has_index, has_delta, said;
    struct str delta, message, finish; // raw; what could not be told as it was read
};

static bool say(struct openai_decoder *d, struct choice *c, bool whole, struct json_reader *r, struct chat_sink *sink,
                struct err *err) {
    const struct openai_saying s = {.d = d, .sink = sink, .choice = (unsigned)c->index, .whole = whole};
    c->said = true;
    return openai_decode_message(&s, r, err);
}

static bool say_raw(struct openai_decoder *d, struct choice *c, bool whole, struct str raw, struct chat_sink *sink,
                    struct err *err) {
    struct json_reader r;
    if (json_raw_kind(raw) != JSON_OBJECT) return true;
    json_reader_init(&r, raw, 0);
    return say(d, c, whole, &r, sink, err);
}

// One member. The usual order, the index first, has a delta told in the one pass over the text.
static bool choice_member(struct openai_decoder *d, struct choice *c, struct json_reader *r, struct str key,
                          enum json_kind kind, bool whole, struct chat_sink *sink, struct err *err) {
    struct str raw;
    if (!json_string_borrow(key, &key)) return true;
    if (str_eq(key, STR("index")) && kind == JSON_NUMBER) {
        c->has_index = json_skip(r, &raw) && json_raw_u64(raw, &c->index);
        if (!c->has_index) c->index = 0;
    } else if (str_eq(key, STR("delta")) && kind == JSON_OBJECT) {
        c->has_delta = true;
        if (!c->has_index || whole || c->index >= CHAT_CHOICES_MAX)
            return json_skip(r, &c->delta) || json_error(r, err);
        return say(d, c, false, r, sink, err);
    } else if (str_eq(key, STR("message"))) {
        json_skip(r, &c->message);
    } else if (str_eq(key, STR("finish_reason")) && kind == JSON_STRING) {
        json_skip(r, &c->finish);
    }
    return true;
}

static void finish_choice(const struct choice *c, struct chat_sink *sink, struct str *out_broken) {
    bool broken;
    if (c->finish.n <= 2) return;
    enum chat_finish finish = openai_finish_of(c->finish, &broken);
    if (broken)
        *out_broken = chat_inner(c->finish);
    else
        chat_emit(sink, &(struct chat_event){.kind = CHAT_FINISH, .choice = (unsigned)c->index, .finish = finish});
}

static bool decode_choice(struct openai_decoder *d, struct json_reader *r, bool whole, struct chat_sink *sink,
                          struct str *out_broken, struct err *err) {
    struct choice c = {0};
    struct str key;
    enum json_kind kind;
    if (!json_enter_object(r)) return json_error(r, err);
    while (json_member(r, &key, &kind))
        if (!choice_member(d, &c, r, key, kind, whole, sink, err)) return false;
    if (!json_ok(r)) return json_error(r, err);
    if (c.index >= CHAT_CHOICES_MAX) return true;
    if (!c.said && c.has_delta && !whole && !say_raw(d, &c, false, c.delta, sink, err)) return false;
    // Perplexity sends the message so far beside each delta; a few send nothing but the message at last.
    bool only = whole || (!c.has_delta && !d->choices[c.index].seen);
    if (only && c.message.p && !say_raw(d, &c, whole, c.message, sink, err)) return false;
    finish_choice(&c, sink, out_broken);
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

// A chunk or a whole answer while it is read.
struct object {
    struct openai_decoder *d;
    struct chat_sink *sink;
    struct str data;
    bool whole, has_choices, is_error;
    struct str usage, x_groq, sources, broken;
};

static bool decode_choices(struct object *o, struct json_reader *r, struct err *err) {
    enum json_kind kind;
    o->has_choices = true;
    if (!json_enter_array(r)) return json_error(r, err);
    while (json_element(r, &kind)) {
        if (kind != JSON_OBJECT) return err_set(err, ERR_UPSTREAM_INVALID, "a choice is no object");
        begin(o->d, o->data, o->sink);
        if (!decode_choice(o->d, r, o->whole, o->sink, &o->broken, err)) return false;
    }
    return json_ok(r) || json_error(r, err);
}

static bool object_member(struct object *o, struct json_reader *r, struct str key, enum json_kind kind,
                          struct err *err) {
    struct str raw;
    if (!json_string_borrow(key, &key)) return true;
    if (str_eq(key, STR("choices")) && kind == JSON_ARRAY) return decode_choices(o, r, err);
    if (str_eq(key, STR("usage")))
        json_skip(r, &o->usage);
    else if (str_eq(key, STR("x_groq")))
        json_skip(r, &o->x_groq);
    else if (str_eq(key, STR("error")))
        o->is_error |= kind != JSON_NULL;
    else if (str_eq(key, STR("object")) && json_skip(r, &raw))
        o->is_error |= json_string_eq(raw, STR("error"));
    else if (str_eq(key, STR("search_results")) && kind == JSON_ARRAY)
        json_skip(r, &o->sources);
    return true;
}

static bool decode_object(struct openai_decoder *d, struct str data, bool whole, struct chat_sink *sink,
                          struct err *err) {
    struct object o = {.d = d, .sink = sink, .data = data, .whole = whole};
    struct json_reader r;
    struct chat_failure failure;
    struct str key;
    enum json_kind kind;
    json_reader_init(&r, data, 0);
    if (!json_enter_object(&r)) return json_error(&r, err);
    while (json_member(&r, &key, &kind))
        if (!object_member(&o, &r, key, kind, err)) return false;
    if (!json_end(&r, err)) return false;
    if (o.sources.p && whole) decode_sources(d, o.sources, sink);
    if (o.usage.n > 4) tell_usage(d, o.usage, sink);
    if (o.x_groq.n > 4 && !o.usage.p) tell_usage(d, o.x_groq, sink);
    if ((o.is_error || (whole && !o.has_choices)) && openai_failure_of(data, 200, &failure))
        fail(d, &failure, sink);
    else if (whole && !o.has_choices)
        return err_set(err, ERR_UPSTREAM_INVALID, "the answer has no choices");
    if (o.broken.p) fail_broken(d, o.broken, sink);
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
