// Reads a Responses request into the neutral form: its instructions, items and settings.
#include "model/responses/read.h"

#include <stdio.h>

static bool is_kind(const struct json_field *f, enum json_kind kind) { return f->found && f->kind == kind; }

bool responses_other(struct chat *chat, struct str name) {
    for (size_t i = 0; i < chat->other_count; i++)
        if (str_eq(chat->others[i], name)) return true;
    if (chat->other_count < CHAT_OTHERS_MAX) chat->others[chat->other_count++] = name;
    return true;
}

// --- settings ---

enum {
    F_MODEL,
    F_INPUT,
    F_INSTRUCTIONS,
    F_STREAM,
    F_TOOLS,
    F_CHOICE,
    F_PARALLEL,
    F_TEXT,
    F_REASONING,
    F_MAX,
    F_TEMPERATURE,
    F_TOP_P,
    F_TRUNCATION,
    F_INCLUDE,
    F_METADATA,
    F_USER,
    F_SAFETY,
    F_CACHE_KEY,
    F_TIER,
    F_TOP_LOGPROBS,
    F_PROMPT,
    F_STORE,
    F_PREVIOUS,
    F_CONVERSATION,
    F_BACKGROUND,
    F_STREAM_OPTIONS,
    F_STRICT,
    F_COUNT
};

#define MAYBE(kind) (JSON_IS(kind) | JSON_OR_NULL)
static const struct json_field k_fields[F_COUNT] = {
    [F_MODEL] = {.name = STR_INIT("model")},
    [F_INPUT] = {.name = STR_INIT("input"), .kinds = JSON_IS(JSON_STRING) | MAYBE(JSON_ARRAY)},
    [F_INSTRUCTIONS] = {.name = STR_INIT("instructions"), .kinds = JSON_IS(JSON_STRING) | MAYBE(JSON_ARRAY)},
    [F_STREAM] = {.name = STR_INIT("stream")},
    [F_TOOLS] = {.name = STR_INIT("tools"), .kinds = MAYBE(JSON_ARRAY)},
    [F_CHOICE] = {.name = STR_INIT("tool_choice"), .kinds = JSON_IS(JSON_STRING) | MAYBE(JSON_OBJECT)},
    [F_PARALLEL] = {.name = STR_INIT("parallel_tool_calls"), .kinds = MAYBE(JSON_BOOL)},
    [F_TEXT] = {.name = STR_INIT("text"), .kinds = MAYBE(JSON_OBJECT)},
    [F_REASONING] = {.name = STR_INIT("reasoning"), .kinds = MAYBE(JSON_OBJECT)},
    [F_MAX] = {.name = STR_INIT("max_output_tokens"), .kinds = MAYBE(JSON_NUMBER)},
    [F_TEMPERATURE] = {.name = STR_INIT("temperature"), .kinds = MAYBE(JSON_NUMBER)},
    [F_TOP_P] = {.name = STR_INIT("top_p"), .kinds = MAYBE(JSON_NUMBER)},
    [F_TRUNCATION] = {.name = STR_INIT("truncation"), .kinds = MAYBE(JSON_STRING)},
    [F_INCLUDE] = {.name = STR_INIT("include"), .kinds = MAYBE(JSON_ARRAY)},
    [F_METADATA] = {.name = STR_INIT("metadata"), .kinds = MAYBE(JSON_OBJECT)},
    [F_USER] = {.name = STR_INIT("user"), .kinds = MAYBE(JSON_STRING)},
    [F_SAFETY] = {.name = STR_INIT("safety_identifier"), .kinds = MAYBE(JSON_STRING)},
    [F_CACHE_KEY] = {.name = STR_INIT("prompt_cache_key"), .kinds = MAYBE(JSON_STRING)},
    [F_TIER] = {.name = STR_INIT("service_tier"), .kinds = MAYBE(JSON_STRING)},
    [F_TOP_LOGPROBS] = {.name = STR_INIT("top_logprobs"), .kinds = MAYBE(JSON_NUMBER)},
    [F_PROMPT] = {.name = STR_INIT("prompt")},
    [F_STORE] = {.name = STR_INIT("store")},
    [F_PREVIOUS] = {.name = STR_INIT("previous_response_id")},
    [F_CONVERSATION] = {.name = STR_INIT("conversation")},
    [F_BACKGROUND] = {.name = STR_INIT("background")},
    [F_STREAM_OPTIONS] = {.name = STR_INIT("stream_options")},
    [F_STRICT] = {.name = STR_INIT("strict")},
};

// What none of them is, by name; null says nothing.
static bool find_others(struct chat *chat, struct str body, struct arena *arena, struct err *err) {
    struct json_reader r;
    struct str key, name;
    enum json_kind kind;
    json_reader_init(&r, body, JSON_DEPTH_MAX);
    if (!json_enter_object(&r)) return json_error(&r, err);
    while (json_member(&r, &key, &kind)) {
        bool known = kind == JSON_NULL;
        for (size_t i = 0; i < F_COUNT && !known; i++) known = json_string_eq(key, k_fields[i].name);
        if (known) continue;
        if (!json_string_text(key, arena, &name)) return err_no_memory(err);
        responses_other(chat, name);
    }
    return json_end(&r, err);
}

static bool read_format(struct chat *chat, struct str raw, struct err *err) {
    enum { TYPE, NAME, SCHEMA, DESCRIPTION, STRICT };
    struct json_field f[] = {[TYPE] = {.name = STR_INIT("type")},
                             [NAME] = {.name = STR_INIT("name"), .kinds = MAYBE(JSON_STRING)},
                             [SCHEMA] = {.name = STR_INIT("schema"), .kinds = MAYBE(JSON_OBJECT)},
                             [DESCRIPTION] = {.name = STR_INIT("description"), .kinds = MAYBE(JSON_STRING)},
                             [STRICT] = {.name = STR_INIT("strict"), .kinds = MAYBE(JSON_BOOL)}};
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return err_wrap(err, "\"text.format\"");
    if (json_string_eq(f[TYPE].raw, STR("text"))) return true;
    if (json_string_eq(f[TYPE].raw, STR("json_object"))) {
        chat->output = CHAT_OUTPUT_JSON;
        return true;
    }
    if (!json_string_eq(f[TYPE].raw, STR("json_schema")))
        return responses_wrong(err, "text.format.type", "must be text, json_object or json_schema");
    if (!is_kind(&f[SCHEMA], JSON_OBJECT)) return responses_wrong(err, "text.format.schema", "must be a JSON Schema");
    if (!is_kind(&f[NAME], JSON_STRING)) return responses_wrong(err, "text.format.name", "must be a name");
    chat->output = CHAT_OUTPUT_SCHEMA;
    chat->output_schema = f[SCHEMA].raw;
    chat->output_name = f[NAME].raw;
    if (is_kind(&f[DESCRIPTION], JSON_STRING)) chat->output_description = f[DESCRIPTION].raw;
    if (is_kind(&f[STRICT], JSON_BOOL)) chat->output_strict = f[STRICT].raw.p[0] == 't';
    return true;
}

static bool read_text(struct chat *chat, const struct json_field *text, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("format"), .kinds = MAYBE(JSON_OBJECT)},
                             {.name = STR_INIT("verbosity"), .kinds = MAYBE(JSON_STRING)}};
    if (!is_kind(text, JSON_OBJECT)) return true;
    if (!json_scan(text->raw, f, ARRAY_LEN(f), err)) return err_wrap(err, "\"text\"");
    if (is_kind(&f[1], JSON_STRING)) chat->verbosity = f[1].raw;
    return !is_kind(&f[0], JSON_OBJECT) || read_format(chat, f[0].raw, err);
}

static bool read_reasoning(struct chat *chat, const struct json_field *reasoning, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("effort"), .kinds = MAYBE(JSON_STRING)}};
    if (!is_kind(reasoning, JSON_OBJECT)) return true;
    if (!json_scan(reasoning->raw, f, 1, err)) return err_wrap(err, "\"reasoning\"");
    if (!is_kind(&f[0], JSON_STRING)) return true;
    chat->reasoning.effort = chat_effort_of(f[0].raw);
    return chat->reasoning.effort != CHAT_EFFORT_UNSET ||
           responses_wrong(err, "reasoning.effort", "must be none, minimal, low, medium, high or xhigh");
}

// Thoughts come with their secret, and images as they are, whether they are asked for or not.
static bool read_include(struct chat *chat, const struct json_field *include, struct arena *arena, struct err *err) {
    struct str *items;
    size_t n;
    if (!is_kind(include, JSON_ARRAY)) return true;
    if (!responses_array(include->raw, &items, &n, arena)) return err_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (json_string_eq(items[i], STR("message.output_text.logprobs")))
            chat->logprobs = chat->logprobs.p ? chat->logprobs : STR("true");
        else if (!json_string_eq(items[i], STR("reasoning.encrypted_content")) &&
                 !json_string_eq(items[i], STR("message.input_image.image_url")))
            responses_other(chat, STR("include"));
    }
    return true;
}

static bool read_max(struct chat *chat, const struct json_field *f, struct err *err) {
    if (!is_kind(f, JSON_NUMBER)) return true;
    if (!json_raw_u64(f->raw, &chat->max_output) || !chat->max_output)
        return responses_wrong(err, "max_output_tokens", "must be a whole number from 1");
    chat->max_output = MIN(chat->max_output, MODEL_OUTPUT_MAX);
    return true;
}

static void read_plain(struct chat *chat, const struct json_field *f) {
    if (is_kind(&f[F_TEMPERATURE], JSON_NUMBER)) chat->sampling.temperature = f[F_TEMPERATURE].raw;
    if (is_kind(&f[F_TOP_P], JSON_NUMBER)) chat->sampling.top_p = f[F_TOP_P].raw;
    if (is_kind(&f[F_PARALLEL], JSON_BOOL)) chat->parallel_tools = f[F_PARALLEL].raw.p[0] == 't';
    if (is_kind(&f[F_METADATA], JSON_OBJECT)) chat->metadata = f[F_METADATA].raw;
    if (is_kind(&f[F_USER], JSON_STRING)) chat->user = f[F_USER].raw;
    if (is_kind(&f[F_SAFETY], JSON_STRING)) chat->user = f[F_SAFETY].raw;
    if (is_kind(&f[F_CACHE_KEY], JSON_STRING)) chat->cached_prefix = f[F_CACHE_KEY].raw;
    if (is_kind(&f[F_TIER], JSON_STRING)) chat->service_tier = f[F_TIER].raw;
    if (is_kind(&f[F_TOP_LOGPROBS], JSON_NUMBER) && !str_eq(f[F_TOP_LOGPROBS].raw, STR("0")))
        chat->logprobs = f[F_TOP_LOGPROBS].raw;
    if (is_kind(&f[F_TRUNCATION], JSON_STRING) && !json_string_eq(f[F_TRUNCATION].raw, STR("disabled")))
        responses_other(chat, STR("truncation"));
    chat->stream = is_kind(&f[F_STREAM], JSON_BOOL) && f[F_STREAM].raw.p[0] == 't';
}

bool responses_read(const struct model_request *q, struct arena *arena, struct chat *out_chat, struct err *err) {
    struct json_field f[F_COUNT];
    struct chat chat = {.parallel_tools = -1, .output_strict = -1, .choices = 1};
    memcpy(f, k_fields, sizeof f);
    if (!json_scan(q->body, f, F_COUNT, err)) return false;
    if (f[F_PROMPT].found && f[F_PROMPT].kind != JSON_NULL)
        return responses_wrong(err, "prompt", "is a template that OpenAI keeps, and this model is elsewhere");
    if (!find_others(&chat, q->body, arena, err)) return false;
    read_plain(&chat, f);
    if (!read_max(&chat, &f[F_MAX], err) || !read_text(&chat, &f[F_TEXT], err) ||
        !read_reasoning(&chat, &f[F_REASONING], err) || !read_include(&chat, &f[F_INCLUDE], arena, err) ||
        !responses_read_tools(&chat, &f[F_TOOLS], &f[F_CHOICE], arena, err) ||
        !responses_read_items(&chat, &f[F_INSTRUCTIONS], &f[F_INPUT], arena, err))
        return false;
    *out_chat = chat;
    return true;
}
