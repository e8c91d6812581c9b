// A chat completion's request, read into the neutral form.
#include "model/openai/openai.h"

enum top {
    MODEL,
    MESSAGES,
    STREAM,
    STREAM_OPTIONS,
    STRICT,
    FALLBACKS,
    TOOLS,
    FUNCTIONS,
    TOOL_CHOICE,
    FUNCTION_CALL,
    PARALLEL,
    FORMAT,
    MAX_COMPLETION,
    MAX_TOKENS,
    TEMPERATURE,
    TOP_P,
    TOP_K,
    SEED,
    FREQUENCY,
    PRESENCE,
    STOP,
    CHOICES,
    EFFORT,
    REASONING,
    THINKING,
    USER,
    SAFETY_ID,
    METADATA,
    TIER,
    VERBOSITY,
    BIAS,
    LOGPROBS,
    TOP_LOGPROBS,
    MODALITIES,
    AUDIO,
    CACHE_KEY,
    TOPS
};
#define STRING JSON_IS(JSON_STRING)
#define NUMBER JSON_IS(JSON_NUMBER)
#define BOOLEAN JSON_IS(JSON_BOOL)
#define ARRAY JSON_IS(JSON_ARRAY)
#define OBJECT JSON_IS(JSON_OBJECT)

// "top_k", "reasoning" and "thinking" are what vLLM, OpenRouter and LiteLLM add; "strict" and "fallbacks" are ours.
static const struct openai_member k_top[TOPS] = {
    [MODEL] = {STR_INIT("model"), 0, NULL},
    [MESSAGES] = {STR_INIT("messages"), ARRAY, openai_read_messages},
    [STREAM] = {STR_INIT("stream"), BOOLEAN, NULL},
    [STREAM_OPTIONS] = {STR_INIT("stream_options"), 0, NULL},
    [STRICT] = {STR_INIT("strict"), BOOLEAN, NULL},
    [FALLBACKS] = {STR_INIT("fallbacks"), ARRAY, NULL},
    [TOOLS] = {STR_INIT("tools"), ARRAY, openai_read_tools},
    [FUNCTIONS] = {STR_INIT("functions"), ARRAY, openai_read_functions},
    [TOOL_CHOICE] = {STR_INIT("tool_choice"), STRING | OBJECT, NULL},
    [FUNCTION_CALL] = {STR_INIT("function_call"), STRING | OBJECT, NULL},
    [PARALLEL] = {STR_INIT("parallel_tool_calls"), BOOLEAN, NULL},
    [FORMAT] = {STR_INIT("response_format"), OBJECT, NULL},
    [MAX_COMPLETION] = {STR_INIT("max_completion_tokens"), NUMBER, NULL},
    [MAX_TOKENS] = {STR_INIT("max_tokens"), NUMBER, NULL},
    [TEMPERATURE] = {STR_INIT("temperature"), NUMBER, NULL},
    [TOP_P] = {STR_INIT("top_p"), NUMBER, NULL},
    [TOP_K] = {STR_INIT("top_k"), NUMBER, NULL},
    [SEED] = {STR_INIT("seed"), NUMBER, NULL},
    [FREQUENCY] = {STR_INIT("frequency_penalty"), NUMBER, NULL},
    [PRESENCE] = {STR_INIT("presence_penalty"), NUMBER, NULL},
    [STOP] = {STR_INIT("stop"), STRING | ARRAY, NULL},
    [CHOICES] = {STR_INIT("n"), NUMBER, NULL},
    [EFFORT] = {STR_INIT("reasoning_effort"), STRING, NULL},
    [REASONING] = {STR_INIT("reasoning"), OBJECT, NULL},
    [THINKING] = {STR_INIT("thinking"), OBJECT, NULL},
    [USER] = {STR_INIT("user"), STRING, NULL},
    [SAFETY_ID] = {STR_INIT("safety_identifier"), STRING, NULL},
    [METADATA] = {STR_INIT("metadata"), OBJECT, NULL},
    [TIER] = {STR_INIT("service_tier"), STRING, NULL},
    [VERBOSITY] = {STR_INIT("verbosity"), STRING, NULL},
    [BIAS] = {STR_INIT("logit_bias"), OBJECT, NULL},
    [LOGPROBS] = {STR_INIT("logprobs"), BOOLEAN, NULL},
    [TOP_LOGPROBS] = {STR_INIT("top_logprobs"), NUMBER, NULL},
    [MODALITIES] = {STR_INIT("modalities"), ARRAY, NULL},
    [AUDIO] = {STR_INIT("audio"), OBJECT, NULL},
    [CACHE_KEY] = {STR_INIT("prompt_cache_key"), STRING, NULL},
};
static_assert(TOPS <= OPENAI_MEMBERS_MAX, "a bit each");

static int flag(struct str raw) { return raw.p ? str_eq(raw, STR("true")) : -1; }

bool openai_whole(const struct openai_reading *x, struct str name, struct str raw, uint64_t least, uint64_t most,
                  uint64_t *out_number) {
    uint64_t v;
    if (!raw.p) return true;
    if (!json_raw_u64(raw, &v) || v < least || v > most) return openai_wrong(x, name, "is no number that it can be");
    *out_number = v;
    return true;
}

bool openai_read_stop(struct openai_reading *x, struct str raw) {
    struct chat *c = x->chat;
    struct json_reader r;
    enum json_kind kind;
    size_t cap = 0;
    void *list = NULL;
    if (!raw.p) return true;
    if (raw.p[0] == '"') {
        c->stop = ARENA_NEW(x->arena, struct str);
        if (!c->stop) return err_no_memory(x->err);
        c->stop[c->stop_count++] = raw;
        return true;
    }
    json_reader_init(&r, raw, 0);
    json_enter_array(&r);
    while (json_element(&r, &kind)) {
        if (kind != JSON_STRING) return openai_wrong(x, STR("stop"), "must be a string or a list of strings");
        if (!openai_grow(x->arena, &list, c->stop_count, &cap, sizeof(struct str))) return err_no_memory(x->err);
        c->stop = list;
        json_string(&r, &c->stop[c->stop_count++]);
    }
    return json_ok(&r) || json_error(&r, x->err);
}

// OpenRouter: {"effort":…} or {"max_tokens":…}, {"exclude":true}, {"enabled":…}.
static bool read_reasoning(struct openai_reading *x, struct str raw) {
    enum { EFFORT_OF, BUDGET, EXCLUDE, ENABLED, COUNT };
    static const struct openai_member table[COUNT] = {
        [EFFORT_OF] = {STR_INIT("effort"), STRING, NULL},
        [BUDGET] = {STR_INIT("max_tokens"), NUMBER, NULL},
        [EXCLUDE] = {STR_INIT("exclude"), BOOLEAN, NULL},
        [ENABLED] = {STR_INIT("enabled"), BOOLEAN, NULL},
    };
    struct str m[COUNT];
    struct chat_reasoning *to = &x->chat->reasoning;
    if (!openai_members_of(x, raw, table, COUNT, "reasoning.", m)) return false;
    if (m[EFFORT_OF].p) to->effort = chat_effort_of(m[EFFORT_OF]);
    if (m[EFFORT_OF].p && to->effort == CHAT_EFFORT_UNSET)
        return openai_wrong(x, STR("reasoning.effort"), "is unknown");
    if (flag(m[ENABLED]) == 0) to->effort = CHAT_EFFORT_NONE;
    if (flag(m[ENABLED]) == 1 && !to->effort) to->effort = CHAT_EFFORT_MEDIUM;
    to->hidden = flag(m[EXCLUDE]) == 1;
    return openai_whole(x, STR("reasoning.max_tokens"), m[BUDGET], 1, MODEL_OUTPUT_MAX, &to->budget);
}

// LiteLLM and DeepSeek, after Anthropic: {"type":"enabled","budget_tokens":…}.
static bool read_thinking(struct openai_reading *x, struct str raw) {
    enum { TYPE, BUDGET, COUNT };
    static const struct openai_member table[COUNT] = {
        [TYPE] = {STR_INIT("type"), STRING, NULL},
        [BUDGET] = {STR_INIT("budget_tokens"), NUMBER, NULL},
    };
    struct str m[COUNT];
    struct chat_reasoning *to = &x->chat->reasoning;
    if (!openai_members_of(x, raw, table, COUNT, "thinking.", m)) return false;
    if (json_string_eq(m[TYPE], STR("disabled")))
        to->effort = CHAT_EFFORT_NONE;
    else if (json_string_eq(m[TYPE], STR("adaptive")) || json_string_eq(m[TYPE], STR("auto")))
        to->adaptive = true;
    else if (!json_string_eq(m[TYPE], STR("enabled")))
        return openai_wrong(x, STR("thinking.type"), "is unknown");
    else if (!m[BUDGET].p && !to->effort)
        to->effort = CHAT_EFFORT_MEDIUM;
    return openai_whole(x, STR("thinking.budget_tokens"), m[BUDGET], 1, MODEL_OUTPUT_MAX, &to->budget);
}

static bool read_efforts(struct openai_reading *x, const struct str *m) {
    if (m[EFFORT].p) {
        x->chat->reasoning.effort = chat_effort_of(m[EFFORT]);
        if (!x->chat->reasoning.effort) return openai_wrong(x, STR("reasoning_effort"), "is unknown");
    }
    return (!m[REASONING].p || read_reasoning(x, m[REASONING])) && (!m[THINKING].p || read_thinking(x, m[THINKING]));
}

static void take_plain(struct chat *c, const struct str *m) {
    c->stream = flag(m[STREAM]) == 1;
    c->parallel_tools = flag(m[PARALLEL]);
    c->sampling = (struct chat_sampling){.temperature = m[TEMPERATURE],
                                         .top_p = m[TOP_P],
                                         .top_k = m[TOP_K],
                                         .seed = m[SEED],
                                         .frequency_penalty = m[FREQUENCY],
                                         .presence_penalty = m[PRESENCE]};
    c->user = m[USER].p ? m[USER] : m[SAFETY_ID];
    c->metadata = m[METADATA];
    c->service_tier = m[TIER];
    c->verbosity = m[VERBOSITY];
    c->logit_bias = m[BIAS];
    if (flag(m[LOGPROBS]) == 1) c->logprobs = m[TOP_LOGPROBS].p ? m[TOP_LOGPROBS] : m[LOGPROBS];
    c->modalities = m[MODALITIES];
    c->audio = m[AUDIO];
    c->cached_prefix = m[CACHE_KEY];
}

static bool take_numbers(struct openai_reading *x, const struct str *m) {
    struct chat *c = x->chat;
    uint64_t choices = 0;
    // vLLM and others take -1 for "no limit".
    bool unlimited = str_eq(m[MAX_TOKENS], STR("-1"));
    if (!unlimited && !openai_whole(x, STR("max_tokens"), m[MAX_TOKENS], 1, UINT64_MAX, &c->max_output)) return false;
    if (!openai_whole(x, STR("max_completion_tokens"), m[MAX_COMPLETION], 1, UINT64_MAX, &c->max_output)) return false;
    if (!openai_whole(x, STR("n"), m[CHOICES], 1, CHAT_CHOICES_MAX, &choices)) return false;
    c->choices = (unsigned)choices;
    return true;
}

bool openai_read(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err) {
    struct chat chat = {.parallel_tools = -1, .output_strict = -1};
    struct openai_reading x = {.chat = &chat, .arena = arena, .err = err, .message = -1};
    struct str m[TOPS];
    if (!openai_members_of(&x, request->body, k_top, TOPS, "", m)) return false;
    if (!chat.count) return openai_wrong(&x, STR("messages"), "must have at least one message");
    take_plain(&chat, m);
    if (m[USER].p && m[SAFETY_ID].p) openai_note_other(&x, "", STR("safety_identifier"));
    if (!take_numbers(&x, m) || !openai_read_stop(&x, m[STOP]) || !read_efforts(&x, m)) return false;
    if (m[FORMAT].p && !openai_read_response_format(&x, m[FORMAT])) return false;
    struct str choice = m[TOOL_CHOICE].p ? m[TOOL_CHOICE] : m[FUNCTION_CALL];
    if (choice.p && !openai_read_tool_choice(&x, choice)) return false;
    *out_chat = chat;
    return true;
}
