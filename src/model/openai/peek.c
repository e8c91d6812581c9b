// What routing and metering need of a request in OpenAI's dialect, read without a tree.
#include "base/json_write.h"
#include "model/openai/multipart.h"
#include "model/openai/openai.h"

// What an operation's body looks like.
struct shape {
    struct str input; // the member that is estimated
    unsigned kinds;
    bool required, streams, form;
    struct str model; // when the request names none; empty: it must
};
#define TEXT_OR_LIST (JSON_IS(JSON_STRING) | JSON_IS(JSON_ARRAY))
static const struct shape k_shapes[OPERATION_COUNT] = {
    [OPERATION_CHAT] = {STR_INIT("messages"), JSON_IS(JSON_ARRAY), true, true, false, STR_INIT("")},
    [OPERATION_COMPLETIONS] = {STR_INIT("prompt"), TEXT_OR_LIST | JSON_OR_NULL, false, true, false, STR_INIT("")},
    [OPERATION_EMBEDDINGS] = {STR_INIT("input"), TEXT_OR_LIST, true, false, false, STR_INIT("")},
    [OPERATION_RERANK] = {STR_INIT("documents"), JSON_IS(JSON_ARRAY), true, false, false, STR_INIT("")},
    [OPERATION_MODERATIONS] = {STR_INIT("input"), TEXT_OR_LIST, true, false, false, STR_INIT("omni-moderation-latest")},
    [OPERATION_IMAGE] = {STR_INIT("prompt"), JSON_IS(JSON_STRING), true, true, false, STR_INIT("dall-e-2")},
    [OPERATION_IMAGE_EDIT] = {STR_INIT("prompt"), JSON_IS(JSON_STRING), true, true, true, STR_INIT("dall-e-2")},
    [OPERATION_IMAGE_VARIATION] = {STR_INIT("prompt"), JSON_IS_ANY, false, false, true, STR_INIT("dall-e-2")},
    [OPERATION_SPEECH] = {STR_INIT("input"), JSON_IS(JSON_STRING), true, false, false, STR_INIT("")},
    [OPERATION_TRANSCRIPTION] = {STR_INIT("prompt"), JSON_IS(JSON_STRING), false, true, true, STR_INIT("")},
    [OPERATION_TRANSLATION] = {STR_INIT("prompt"), JSON_IS(JSON_STRING), false, false, true, STR_INIT("")},
};

static bool check_model(const struct model_request *q, struct err *err) {
    if (q->model.n > 0 && q->model.n <= 256) return true;
    err_set(err, ERR_INVALID_FIELD, "\"model\" must be a name of 1 to 256 bytes");
    memcpy(err->param, "model", sizeof "model");
    return false;
}

static bool read_model(struct model_request *q, const struct json_field *field, struct str otherwise,
                       struct arena *arena, struct err *err) {
    q->model = otherwise;
    if (field->found) {
        q->model_raw = field->raw;
        if (!json_string_text(field->raw, arena, &q->model)) return err_no_memory(err);
    }
    return check_model(q, err);
}

static bool read_stream_options(struct model_request *q, const struct json_field *field, struct err *err) {
    q->stream_options = field->raw;
    if (field->kind != JSON_OBJECT) return true;
    struct json_field sub[] = {{.name = STR_INIT("include_usage"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL}};
    if (!json_scan(field->raw, sub, 1, err)) return err_wrap(err, "\"stream_options\"");
    q->include_usage = sub[0].raw;
    q->wants_usage = sub[0].found && sub[0].kind == JSON_BOOL && sub[0].raw.p[0] == 't';
    return true;
}

#define CHOICES_MAX ((uint64_t)1024)

// What is no number is the provider's to refuse.
static uint64_t number_of(const struct json_field *field) {
    struct json_reader r;
    uint64_t v;
    if (!field->found || field->kind != JSON_NUMBER) return 0;
    json_reader_init(&r, field->raw, 1);
    return json_u64(&r, &v) ? MIN(v, MODEL_OUTPUT_MAX) : 0;
}

static uint64_t output_limit(const struct json_field *newer, const struct json_field *older,
                             const struct json_field *choices) {
    uint64_t each = number_of(newer), n = number_of(choices);
    if (!each) each = number_of(older);
    return n > 1 ? MIN(each * MIN(n, CHOICES_MAX), MODEL_OUTPUT_MAX) : each;
}

// How many texts: a list of numbers is one.
static uint64_t count_inputs(struct str input) {
    struct json_reader r;
    enum json_kind kind;
    uint64_t n = 0;
    if (input.p[0] != '[') return 1;
    json_reader_init(&r, input, 0);
    if (!json_enter_array(&r)) return 1;
    while (json_element(&r, &kind)) {
        if (n == 0 && kind == JSON_NUMBER) return 1;
        n++;
        json_skip(&r, NULL);
    }
    return n;
}

// What asks for more than text, besides parts of messages and schemas, which all have a "type".
#define ASKS                                                                                                           \
    {.name = STR_INIT("tools")}, {.name = STR_INIT("functions")}, {.name = STR_INIT("reasoning")},                     \
        {.name = STR_INIT("reasoning_effort")}, {.name = STR_INIT("thinking")}, {.name = STR_INIT("modalities")}, {    \
        .name = STR_INIT("audio")                                                                                      \
    }

static bool peek_json(struct model_request *q, const struct shape *shape, const struct model_request_in *in,
                      struct arena *arena, struct err *err) {
    enum {
        MODEL,
        STREAM,
        OPTIONS,
        INPUT,
        MAX_COMPLETION,
        MAX_TOKENS,
        CHOICES,
        FORMAT,
        STRICT,
        METADATA,
        FALLBACKS,
        ASK
    };
    struct json_field f[] = {
        [MODEL] = {.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING), .required = !shape->model.n},
        [STREAM] = {.name = STR_INIT("stream"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [OPTIONS] = {.name = STR_INIT("stream_options"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [INPUT] = {.name = shape->input, .kinds = shape->kinds, .required = shape->required},
        [MAX_COMPLETION] = {.name = STR_INIT("max_completion_tokens")},
        [MAX_TOKENS] = {.name = STR_INIT("max_tokens")},
        [CHOICES] = {.name = STR_INIT("n")},
        [FORMAT] = {.name = STR_INIT("stream_format")},
        [STRICT] = {.name = STR_INIT("strict")},
        [METADATA] = {.name = STR_INIT("metadata")},
        [FALLBACKS] = {.name = STR_INIT("fallbacks"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
        ASKS,
    };
    bool chat = q->operation == OPERATION_CHAT;
    struct json_reader r;
    if (in->body.n == 0) return err_set(err, ERR_INVALID_JSON, "the body is empty; a JSON object was expected");
    json_reader_init(&r, in->body, in->depth);
    if (!json_object_scan(&r, f, chat ? ARRAY_LEN(f) : ASK, err) || !json_end(&r, err)) return false;
    for (size_t i = ASK; i < ARRAY_LEN(f); i++) q->asks |= f[i].found;
    q->body = str_trim(in->body);
    q->input = f[INPUT].raw;
    q->metadata = f[METADATA].raw;
    q->strict = f[STRICT].raw;
    q->strict_member = f[STRICT].member;
    q->fallbacks = f[FALLBACKS].kind == JSON_NULL ? STR_NONE : f[FALLBACKS].raw;
    q->fallbacks_member = f[FALLBACKS].member;
    q->stream = shape->streams && f[STREAM].found && f[STREAM].kind == JSON_BOOL && f[STREAM].raw.p[0] == 't';
    if (q->operation == OPERATION_SPEECH) q->stream = f[FORMAT].found && json_string_eq(f[FORMAT].raw, STR("sse"));
    if (chat || q->operation == OPERATION_COMPLETIONS) {
        q->choices = MIN(number_of(&f[CHOICES]), CHOICES_MAX);
        q->max_output = output_limit(&f[MAX_COMPLETION], &f[MAX_TOKENS], &f[CHOICES]);
        if (f[OPTIONS].found && !read_stream_options(q, &f[OPTIONS], err)) return false;
    }
    if (q->operation == OPERATION_EMBEDDINGS) q->inputs = count_inputs(q->input);
    return read_model(q, &f[MODEL], shape->model, arena, err);
}

static bool peek_form(struct model_request *q, const struct shape *shape, const struct model_request_in *in,
                      struct err *err) {
    struct multipart_field f[] = {{.name = STR_INIT("model")}, {.name = STR_INIT("stream")}, {.name = shape->input}};
    if (!multipart_boundary(in->content_type, &q->boundary))
        return err_set(err, ERR_INVALID_REQUEST, "the body must be multipart/form-data with a boundary");
    if (!multipart_scan(in->body, q->boundary, f, ARRAY_LEN(f), err)) return false;
    // Without the line end before the first delimiter, so that a part can be put first.
    q->body = str_starts(in->body, STR("\r\n")) ? str_from(in->body, 2) : in->body;
    q->model = f[0].found ? f[0].value : shape->model;
    q->model_raw = f[0].found ? f[0].value : STR_NONE;
    q->stream = shape->streams && f[1].found && str_eq_nocase(f[1].value, STR("true"));
    q->input = f[2].found ? f[2].value : STR("");
    if (!f[0].found && !shape->model.n) {
        err_set(err, ERR_MISSING_FIELD, "\"model\" is missing");
        memcpy(err->param, "model", sizeof "model");
        return false;
    }
    return check_model(q, err);
}

bool openai_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                 struct err *err) {
    const struct shape *shape = &k_shapes[in->operation];
    struct model_request q = {.operation = in->operation, .dialect = DIALECT_OPENAI};
    if (!shape->input.n) return err_set(err, ERR_INVALID_REQUEST, "this dialect has no such endpoint");
    // Edits of images come as JSON too, with the images by reference.
    bool json = !shape->form || str_eq_nocase(str_head(in->content_type, 16), STR("application/json"));
    if (!(json ? peek_json(&q, shape, in, arena, err) : peek_form(&q, shape, in, err))) return false;
    *out_request = q;
    return true;
}
