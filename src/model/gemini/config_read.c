// A request in Google's dialect into the neutral form: its settings.
#include "model/gemini/gemini.h"

enum {
    TEMPERATURE,
    TOP_P,
    TOP_K,
    CANDIDATES,
    MAX_OUTPUT,
    STOP,
    SEED,
    PRESENCE,
    FREQUENCY,
    MIME,
    SCHEMA,
    JSON_SCHEMA,
    JSON_SCHEMA_OLD,
    MODALITIES,
    SPEECH,
    THINKING,
    MEDIA,
    WANTS_LOGPROBS,
    LOGPROBS,
    MEMBERS
};
static const struct gemini_member k_config[] = {
    [TEMPERATURE] = {STR_INIT("temperature"), JSON_IS(JSON_NUMBER)},
    [TOP_P] = {STR_INIT("topP"), JSON_IS(JSON_NUMBER)},
    [TOP_K] = {STR_INIT("topK"), JSON_IS(JSON_NUMBER)},
    [CANDIDATES] = {STR_INIT("candidateCount"), JSON_IS(JSON_NUMBER)},
    [MAX_OUTPUT] = {STR_INIT("maxOutputTokens"), JSON_IS(JSON_NUMBER) | JSON_IS(JSON_STRING)},
    [STOP] = {STR_INIT("stopSequences"), JSON_IS(JSON_ARRAY)},
    [SEED] = {STR_INIT("seed"), JSON_IS(JSON_NUMBER)},
    [PRESENCE] = {STR_INIT("presencePenalty"), JSON_IS(JSON_NUMBER)},
    [FREQUENCY] = {STR_INIT("frequencyPenalty"), JSON_IS(JSON_NUMBER)},
    [MIME] = {STR_INIT("responseMimeType"), JSON_IS(JSON_STRING)},
    [SCHEMA] = {STR_INIT("responseSchema"), JSON_IS(JSON_OBJECT)},
    [JSON_SCHEMA] = {STR_INIT("responseJsonSchema"), JSON_IS(JSON_OBJECT)},
    [JSON_SCHEMA_OLD] = {STR_INIT("_responseJsonSchema"), JSON_IS(JSON_OBJECT)},
    [MODALITIES] = {STR_INIT("responseModalities"), JSON_IS(JSON_ARRAY)},
    [SPEECH] = {STR_INIT("speechConfig"), JSON_IS(JSON_OBJECT)},
    [THINKING] = {STR_INIT("thinkingConfig"), JSON_IS(JSON_OBJECT)},
    [MEDIA] = {STR_INIT("mediaResolution"), JSON_IS(JSON_STRING)},
    [WANTS_LOGPROBS] = {STR_INIT("responseLogprobs"), JSON_IS(JSON_BOOL)},
    [LOGPROBS] = {STR_INIT("logprobs"), JSON_IS(JSON_NUMBER)},
};

static const struct gemini_place k_at = {.name = STR_INIT("generationConfig")};

static bool read_stop(const struct gemini_read *rd, struct str raw) {
    struct gemini_place at = {.up = &k_at, .name = STR("stopSequences")};
    struct json_reader r;
    enum json_kind kind;
    struct chat *chat = rd->chat;
    if (!raw.p) return true;
    chat->stop = ARENA_ARRAY(rd->arena, struct str, gemini_count(raw) + 1);
    if (!chat->stop) return err_no_memory(rd->err);
    json_reader_init(&r, raw, 0);
    if (json_enter_array(&r))
        while (json_element(&r, &kind)) {
            if (kind != JSON_STRING) return gemini_fault(rd, &at, STR_NONE, "must be strings");
            if (json_string(&r, &chat->stop[chat->stop_count])) chat->stop_count++;
        }
    return true;
}

static bool read_output(const struct gemini_read *rd, const struct str f[]) {
    struct gemini_place at = {.up = &k_at, .name = STR("responseSchema")};
    struct chat *chat = rd->chat;
    struct str json = f[JSON_SCHEMA].p ? f[JSON_SCHEMA] : f[JSON_SCHEMA_OLD];
    if (json.p || f[SCHEMA].p) {
        chat->output = CHAT_OUTPUT_SCHEMA;
        chat->output_schema = json;
        return json.p || gemini_schema_read(rd, f[SCHEMA], &at, &chat->output_schema);
    }
    if (!f[MIME].p || json_string_eq(f[MIME], STR("text/plain"))) return true;
    if (json_string_eq(f[MIME], STR("application/json")))
        chat->output = CHAT_OUTPUT_JSON;
    else
        gemini_other(rd, &k_at, STR("responseMimeType"));
    return true;
}

// ["TEXT","IMAGE"] is ["text","image"].
static bool read_modalities(const struct gemini_read *rd, struct str raw) {
    if (!raw.p) return true;
    char *text = arena_alloc(rd->arena, raw.n);
    if (!text) return err_no_memory(rd->err);
    for (size_t i = 0; i < raw.n; i++) text[i] = (char)(raw.p[i] >= 'A' && raw.p[i] <= 'Z' ? raw.p[i] + 32 : raw.p[i]);
    rd->chat->modalities = str_of(text, raw.n);
    return true;
}

static bool read_speech(const struct gemini_read *rd, struct str raw) {
    struct str voice;
    if (!raw.p) return true;
    bool named = JSON_GET(raw, &voice, STR("voiceConfig"), STR("prebuiltVoiceConfig"), STR("voiceName")) ||
                 JSON_GET(raw, &voice, STR("voice_config"), STR("prebuilt_voice_config"), STR("voice_name"));
    if (!named || voice.p[0] != '"') {
        gemini_other(rd, &k_at, STR("speechConfig"));
        return true;
    }
    rd->chat->audio = arena_printf(rd->arena, "{\"voice\":%.*s,\"format\":\"pcm16\"}", STR_ARG(voice));
    return rd->chat->audio.n || err_no_memory(rd->err);
}

static enum chat_effort effort_of_level(struct str level) {
    static const struct {
        struct str name;
        enum chat_effort effort;
    } levels[] = {{STR_INIT("MINIMAL"), CHAT_EFFORT_MINIMAL},
                  {STR_INIT("LOW"), CHAT_EFFORT_LOW},
                  {STR_INIT("MEDIUM"), CHAT_EFFORT_MEDIUM},
                  {STR_INIT("HIGH"), CHAT_EFFORT_HIGH}};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (str_eq_nocase(chat_inner(level), levels[i].name)) return levels[i].effort;
    return CHAT_EFFORT_UNSET;
}

static bool read_thinking(const struct gemini_read *rd, struct str raw) {
    enum { THOUGHTS, BUDGET, LEVEL };
    static const struct gemini_member members[] = {{STR_INIT("includeThoughts"), JSON_IS(JSON_BOOL)},
                                                   {STR_INIT("thinkingBudget"), JSON_IS(JSON_NUMBER)},
                                                   {STR_INIT("thinkingLevel"), JSON_IS(JSON_STRING)}};
    struct gemini_place at = {.up = &k_at, .name = STR("thinkingConfig")};
    struct chat_reasoning *reasoning = &rd->chat->reasoning;
    struct str f[3];
    int64_t budget;
    reasoning->hidden = true; // thoughts are told to those who ask
    if (!raw.p) return true;
    if (!gemini_object(rd, raw, &at, members, 3, f)) return false;
    reasoning->hidden = !gemini_is_true(f[THOUGHTS]);
    if (f[LEVEL].p) reasoning->effort = effort_of_level(f[LEVEL]);
    if (!f[BUDGET].p) return true;
    if (!json_raw_i64(f[BUDGET], &budget) || budget < -1)
        return gemini_fault(rd, &at, members[BUDGET].name, "must be a whole number from -1 on");
    reasoning->adaptive = budget == -1;
    if (budget == 0) reasoning->effort = CHAT_EFFORT_NONE;
    if (budget > 0) {
        reasoning->budget = (uint64_t)budget;
        reasoning->effort = chat_effort_of_budget((uint64_t)budget);
    }
    return true;
}

// The resolution holds for each image.
static void read_media_resolution(struct chat *chat, struct str raw) {
    struct str detail = STR("\"auto\"");
    if (!raw.p) return;
    if (json_string_eq(raw, STR("MEDIA_RESOLUTION_LOW"))) detail = STR("\"low\"");
    if (json_string_eq(raw, STR("MEDIA_RESOLUTION_HIGH"))) detail = STR("\"high\"");
    for (size_t i = 0; i < chat->count; i++)
        for (size_t k = 0; k < chat->turns[i].count; k++)
            if (chat->turns[i].parts[k].kind == CHAT_IMAGE) chat->turns[i].parts[k].media.detail = detail;
}

static bool read_counts(const struct gemini_read *rd, const struct str f[]) {
    uint64_t n;
    if (f[MAX_OUTPUT].p && !gemini_u64(f[MAX_OUTPUT], &rd->chat->max_output))
        return gemini_fault(rd, &k_at, k_config[MAX_OUTPUT].name, "must be a positive whole number");
    if (!f[CANDIDATES].p) return true;
    if (!gemini_u64(f[CANDIDATES], &n) || n < 1 || n > 128)
        return gemini_fault(rd, &k_at, k_config[CANDIDATES].name, "must be from 1 to 128");
    rd->chat->choices = (unsigned)n;
    return true;
}

bool gemini_read_config(const struct gemini_read *rd, struct str config) {
    struct str f[MEMBERS] = {STR_NONE};
    struct chat *chat = rd->chat;
    if (config.p && !gemini_object(rd, config, &k_at, k_config, MEMBERS, f)) return false;
    chat->sampling = (struct chat_sampling){.temperature = f[TEMPERATURE],
                                            .top_p = f[TOP_P],
                                            .top_k = f[TOP_K],
                                            .seed = f[SEED],
                                            .frequency_penalty = f[FREQUENCY],
                                            .presence_penalty = f[PRESENCE]};
    if (gemini_is_true(f[WANTS_LOGPROBS])) chat->logprobs = f[LOGPROBS].p ? f[LOGPROBS] : STR("true");
    read_media_resolution(chat, f[MEDIA]);
    return read_counts(rd, f) && read_stop(rd, f[STOP]) && read_output(rd, f) && read_modalities(rd, f[MODALITIES]) &&
           read_speech(rd, f[SPEECH]) && read_thinking(rd, f[THINKING]);
}

// --- the whole ---

bool gemini_read(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err) {
    enum { CONTENTS, SYSTEM, TOOLS, TOOL_CONFIG, CONFIG, SAFETY, CACHED, LABELS, MODEL, INNER, N };
    static const struct gemini_member members[] = {
        [CONTENTS] = {STR_INIT("contents"), GEMINI_OBJECTS},
        [SYSTEM] = {STR_INIT("systemInstruction"), 0},
        [TOOLS] = {STR_INIT("tools"), GEMINI_OBJECTS},
        [TOOL_CONFIG] = {STR_INIT("toolConfig"), JSON_IS(JSON_OBJECT)},
        [CONFIG] = {STR_INIT("generationConfig"), JSON_IS(JSON_OBJECT)},
        [SAFETY] = {STR_INIT("safetySettings"), GEMINI_OBJECTS},
        [CACHED] = {STR_INIT("cachedContent"), JSON_IS(JSON_STRING)},
        [LABELS] = {STR_INIT("labels"), JSON_IS(JSON_OBJECT)},
        [MODEL] = {STR_INIT("model"), 0},
        [INNER] = {STR_INIT("generateContentRequest"), JSON_IS(JSON_OBJECT)},
    };
    struct chat chat = {.stream = request->stream, .parallel_tools = -1, .output_strict = -1};
    struct gemini_read rd = {.arena = arena, .chat = &chat, .err = err, .depth = JSON_DEPTH_MAX};
    struct str f[N];
    if (!gemini_object(&rd, request->body, NULL, members, N, f)) return false;
    if (f[INNER].p && !gemini_object(&rd, f[INNER], NULL, members, N, f)) return false;
    if (!f[CONTENTS].p) {
        err_set(err, ERR_MISSING_FIELD, "\"contents\" is missing");
        memcpy(err->param, "contents", sizeof "contents");
        return false;
    }
    if (!gemini_read_contents(&rd, f[CONTENTS], f[SYSTEM]) || !gemini_read_tools(&rd, f[TOOLS], f[TOOL_CONFIG]) ||
        !gemini_read_config(&rd, f[CONFIG]))
        return false;
    chat.safety = f[SAFETY];
    chat.cached_prefix = f[CACHED];
    chat.metadata = f[LABELS];
    *out_chat = chat;
    return true;
}
