// The settings of a request in Google's dialect: sampling, output, thinking, tools.
#include "model/gemini/gemini.h"

#include "model/provider.h"

bool gemini_on_vertex(const struct chat_target *target) {
    return target->traits && target->traits->kind == PROVIDER_VERTEX;
}

unsigned gemini_generation(struct str model) {
    size_t slash = model.n;
    while (slash > 0 && model.p[slash - 1] != '/') slash--;
    struct str name = str_from(model, slash);
    if (str_starts(name, STR("gemma"))) return 0;
    if (!str_starts(name, STR("gemini-"))) return 25;
    name = str_from(name, 7);
    if (str_starts(name, STR("pro")) && !str_ends(name, STR("latest"))) return 10; // gemini-pro, the first
    if (!name.n || name.p[0] < '0' || name.p[0] > '9') return str_ends(name, STR("latest")) ? 30 : 25;
    unsigned major = 0, minor = 0;
    size_t i = 0;
    for (; i < name.n && i < 3 && name.p[i] >= '0' && name.p[i] <= '9'; i++)
        major = major * 10 + (unsigned)(name.p[i] - '0');
    if (i + 1 < name.n && name.p[i] == '.' && name.p[i + 1] >= '0' && name.p[i + 1] <= '9')
        minor = (unsigned)(name.p[i + 1] - '0');
    return major * 10 + minor;
}

// --- thinking ---

static bool has_word(struct str name, struct str word) { return str_find(name, word) < name.n; }

static struct str level_of(enum chat_effort effort, struct str model, unsigned generation) {
    bool pro = has_word(model, STR("-pro"));
    switch (effort) {
    case CHAT_EFFORT_NONE:
    case CHAT_EFFORT_MINIMAL:
        return pro ? STR("low") : STR("minimal");
    case CHAT_EFFORT_LOW:
        return STR("low");
    case CHAT_EFFORT_MEDIUM:
        return pro && generation == 30 ? STR("high") : STR("medium");
    case CHAT_EFFORT_UNSET:
    case CHAT_EFFORT_HIGH:
    case CHAT_EFFORT_MAX:
        return STR("high");
    }
    return STR("high");
}

// Within what the model takes.
static uint64_t budget_of(const struct chat_reasoning *r, struct str model) {
    bool pro = has_word(model, STR("-pro")), lite = has_word(model, STR("-lite"));
    uint64_t low = pro ? 128 : lite ? 512 : 1, high = pro ? 32768 : 24576;
    uint64_t budget = r->budget ? r->budget : chat_budget_of_effort(r->effort);
    if (r->effort == CHAT_EFFORT_NONE) return pro ? 128 : 0;
    return MAX(low, MIN(budget, high));
}

static void put_thinking(struct gemini_write *w) {
    const struct chat_reasoning *r = &w->chat->reasoning;
    if (r->effort == CHAT_EFFORT_UNSET && !r->budget && !r->adaptive) return;
    if (w->generation < 25) {
        if (r->effort != CHAT_EFFORT_NONE) chat_drop(w->report, STR("reasoning_effort"));
        return;
    }
    bool off = r->effort == CHAT_EFFORT_NONE;
    json_put_member_object(&w->json, STR("thinkingConfig"));
    if (!off && !r->hidden) json_put_member_bool(&w->json, STR("includeThoughts"), true);
    bool plain = r->adaptive && r->effort == CHAT_EFFORT_UNSET;
    if (w->generation >= 30 && !plain)
        json_put_member_str(&w->json, STR("thinkingLevel"), level_of(r->effort, w->target->model, w->generation));
    else if (w->generation < 30 && plain)
        json_put_member_i64(&w->json, STR("thinkingBudget"), -1);
    else if (w->generation < 30)
        json_put_member_u64(&w->json, STR("thinkingBudget"), budget_of(r, w->target->model));
    json_put_object_end(&w->json);
}

// --- output ---

static bool has_functions(const struct chat *chat) {
    for (size_t i = 0; i < chat->tool_count; i++)
        if (!chat->tools[i].hosted.p) return true;
    return false;
}

static bool put_output(struct gemini_write *w) {
    const struct chat *chat = w->chat;
    if (chat->output == CHAT_OUTPUT_TEXT) return true;
    // Before Gemini 3 a model may call functions or answer in JSON, not both.
    if (w->generation < 30 && has_functions(chat) && chat->tool_choice != CHAT_CHOICE_NONE) {
        chat_drop(w->report, STR("response_format"));
        return true;
    }
    json_put_member_str(&w->json, STR("responseMimeType"), STR("application/json"));
    if (chat->output != CHAT_OUTPUT_SCHEMA || !chat->output_schema.p) return true;
    if (w->generation >= 20) {
        json_put_member_raw(&w->json, STR("responseJsonSchema"), chat->output_schema);
        return true;
    }
    json_put_key(&w->json, STR("responseSchema"));
    return gemini_schema_put(&w->json, chat->output_schema, w->arena, w->err);
}

// ["text"] is what they do anyway.
static void put_modalities(struct gemini_write *w) {
    struct str raw = w->chat->modalities, voice;
    if (raw.p && str_find_char(raw, '\\') < raw.n) { // no word that is known has an escape
        chat_drop(w->report, STR("modalities"));
    } else if (raw.p && !str_eq(raw, STR("[\"text\"]"))) {
        char *text = arena_alloc(w->arena, raw.n + 1);
        for (size_t i = 0; text && i < raw.n; i++)
            text[i] = (char)(raw.p[i] >= 'a' && raw.p[i] <= 'z' ? raw.p[i] - 32 : raw.p[i]);
        if (text) json_put_member_raw(&w->json, STR("responseModalities"), str_of(text, raw.n));
    }
    if (!w->chat->audio.p) return;
    // The names of Google's voices begin in upper case, those of OpenAI's do not.
    bool ours = JSON_GET(w->chat->audio, &voice, STR("voice")) && voice.n > 2 && voice.p[0] == '"' &&
                voice.p[1] >= 'A' && voice.p[1] <= 'Z';
    if (!ours) {
        chat_drop(w->report, STR("audio"));
        return;
    }
    json_put_member_object(&w->json, STR("speechConfig"));
    json_put_member_object(&w->json, STR("voiceConfig"));
    json_put_member_object(&w->json, STR("prebuiltVoiceConfig"));
    json_put_member_raw(&w->json, STR("voiceName"), voice);
    json_put_object_end(&w->json);
    json_put_object_end(&w->json);
    json_put_object_end(&w->json);
}

// The finest that any image asks for.
static void put_resolution(struct gemini_write *w) {
    const struct chat *chat = w->chat;
    bool low = false, high = false;
    for (size_t i = 0; i < chat->count; i++)
        for (size_t k = 0; k < chat->turns[i].count; k++) {
            struct str detail = chat_inner(chat->turns[i].parts[k].media.detail);
            low = low || str_eq(detail, STR("low"));
            high = high || str_eq(detail, STR("high"));
        }
    if (low || high)
        json_put_member_str(&w->json, STR("mediaResolution"),
                            high ? STR("MEDIA_RESOLUTION_HIGH") : STR("MEDIA_RESOLUTION_LOW"));
}

// --- sampling ---

#define STOP_MAX 5

static void put_number(struct gemini_write *w, struct str name, struct str raw) {
    if (raw.p) json_put_member_raw(&w->json, name, raw);
}

static void put_sampling(struct gemini_write *w) {
    const struct chat *chat = w->chat;
    put_number(w, STR("temperature"), chat->sampling.temperature);
    put_number(w, STR("topP"), chat->sampling.top_p);
    put_number(w, STR("topK"), chat->sampling.top_k);
    put_number(w, STR("seed"), chat->sampling.seed);
    put_number(w, STR("presencePenalty"), chat->sampling.presence_penalty);
    put_number(w, STR("frequencyPenalty"), chat->sampling.frequency_penalty);
    if (chat->choices > 1) json_put_member_u64(&w->json, STR("candidateCount"), chat->choices);
    if (chat->max_output) json_put_member_u64(&w->json, STR("maxOutputTokens"), chat->max_output);
    if (chat->logprobs.p && !str_eq(chat->logprobs, STR("false"))) {
        json_put_member_bool(&w->json, STR("responseLogprobs"), true);
        if (json_raw_kind(chat->logprobs) == JSON_NUMBER) put_number(w, STR("logprobs"), chat->logprobs);
    }
    if (!chat->stop_count) return;
    if (chat->stop_count > STOP_MAX) chat_drop(w->report, STR("stop"));
    json_put_member_array(&w->json, STR("stopSequences"));
    for (size_t i = 0; i < chat->stop_count && i < STOP_MAX; i++) json_put_raw(&w->json, chat->stop[i]);
    json_put_array_end(&w->json);
}

static void drop_rest(struct gemini_write *w) {
    const struct chat *chat = w->chat;
    if (chat->user.p) chat_drop(w->report, STR("user"));
    if (chat->verbosity.p) chat_drop(w->report, STR("verbosity"));
    if (chat->logit_bias.p) chat_drop(w->report, STR("logit_bias"));
    if (chat->service_tier.p && !str_eq(chat_inner(chat->service_tier), STR("auto")))
        chat_drop(w->report, STR("service_tier"));
    if (chat->parallel_tools == 0 && has_functions(chat)) chat_drop(w->report, STR("parallel_tool_calls"));
}

bool gemini_write_config(struct gemini_write *w) {
    size_t before = w->json.out->n;
    json_put_member_object(&w->json, STR("generationConfig"));
    size_t open = w->json.out->n;
    put_sampling(w);
    if (!put_output(w)) return false;
    put_modalities(w);
    put_resolution(w);
    put_thinking(w);
    bool empty = w->json.out->n == open;
    json_put_object_end(&w->json);
    if (empty && !w->json.out->failed) w->json.out->n = before; // contents stand before it, so the comma is still due
    drop_rest(w);
    return true;
}

// --- tools ---

static bool put_function(struct gemini_write *w, const struct chat_tool *tool) {
    json_put_object(&w->json);
    json_put_member_raw(&w->json, STR("name"), tool->name);
    if (tool->description.p) json_put_member_raw(&w->json, STR("description"), tool->description);
    if (tool->schema.p && w->generation >= 20) {
        json_put_member_raw(&w->json, STR("parametersJsonSchema"), tool->schema);
    } else if (tool->schema.p) {
        struct str properties;
        bool none = !JSON_GET(tool->schema, &properties, STR("properties")) || gemini_is_empty(properties);
        if (!none) {
            json_put_key(&w->json, STR("parameters"));
            if (!gemini_schema_put(&w->json, tool->schema, w->arena, w->err)) return false;
        }
    }
    if (tool->strict == 1) chat_drop(w->report, STR("tools[].strict"));
    if (tool->cache_control.p) chat_drop(w->report, STR("cache_control"));
    json_put_object_end(&w->json);
    return true;
}

// What another vendor runs, as what Google runs of the same kind; NULL where there is none.
static const char *hosted_alike(struct str hosted) {
    static const struct {
        struct str type;
        const char *name;
    } alike[] = {{STR_INIT("web_search"), "googleSearch"},
                 {STR_INIT("code_interpreter"), "codeExecution"},
                 {STR_INIT("code_execution"), "codeExecution"},
                 {STR_INIT("web_fetch"), "urlContext"}};
    struct str type;
    if (!JSON_GET(hosted, &type, STR("type")) || type.p[0] != '"') return NULL;
    for (size_t i = 0; i < ARRAY_LEN(alike); i++)
        if (str_starts(chat_inner(type), alike[i].type)) return alike[i].name;
    return NULL;
}

static void put_hosted(struct gemini_write *w, const struct chat_tool *tool) {
    struct str type;
    if (!JSON_GET(tool->hosted, &type, STR("type"))) { // Google's own have none
        json_put_raw(&w->json, tool->hosted);
        return;
    }
    const char *name = hosted_alike(tool->hosted);
    if (!name) {
        chat_drop(w->report, STR("tools[].type"));
        return;
    }
    json_put_object(&w->json);
    json_put_member_object(&w->json, str_c(name));
    json_put_object_end(&w->json);
    json_put_object_end(&w->json);
}

static void put_choice(struct gemini_write *w) {
    static const struct str modes[] = {[CHAT_CHOICE_UNSET] = STR_INIT(""),
                                       [CHAT_CHOICE_AUTO] = STR_INIT("AUTO"),
                                       [CHAT_CHOICE_NONE] = STR_INIT("NONE"),
                                       [CHAT_CHOICE_ANY] = STR_INIT("ANY"),
                                       [CHAT_CHOICE_ONE] = STR_INIT("ANY")};
    const struct chat *chat = w->chat;
    if (chat->tool_choice == CHAT_CHOICE_UNSET) return;
    json_put_member_object(&w->json, STR("toolConfig"));
    json_put_member_object(&w->json, STR("functionCallingConfig"));
    json_put_member_str(&w->json, STR("mode"), modes[chat->tool_choice]);
    if (chat->tool_choice == CHAT_CHOICE_ONE) {
        json_put_member_array(&w->json, STR("allowedFunctionNames"));
        json_put_raw(&w->json, chat->tool_choice_name);
        json_put_array_end(&w->json);
    }
    json_put_object_end(&w->json);
    json_put_object_end(&w->json);
}

bool gemini_write_tools(struct gemini_write *w) {
    const struct chat *chat = w->chat;
    if (!chat->tool_count) return true;
    json_put_member_array(&w->json, STR("tools"));
    if (has_functions(chat)) {
        json_put_object(&w->json);
        json_put_member_array(&w->json, STR("functionDeclarations"));
        for (size_t i = 0; i < chat->tool_count; i++)
            if (!chat->tools[i].hosted.p && !put_function(w, &chat->tools[i])) return false;
        json_put_array_end(&w->json);
        json_put_object_end(&w->json);
    }
    for (size_t i = 0; i < chat->tool_count; i++)
        if (chat->tools[i].hosted.p) put_hosted(w, &chat->tools[i]);
    json_put_array_end(&w->json);
    if (has_functions(chat)) put_choice(w);
    return true;
}
