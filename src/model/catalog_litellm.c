// Reads a catalogue in the form of LiteLLM's list of prices: a map from model names to flat objects, dollars a token.
//
// Only what is needed of a model is looked at; its figures must be sound, the rest may be anything.
#include "model/catalog_impl.h"

#define DOLLARS_A_TOKEN_MAX 1.0
#define DOLLARS_AN_IMAGE_MAX 1e6
#define PICO 1e12

static const struct {
    struct str theirs, ours;
} k_vendors[] = {
    {STR_INIT("text-completion-openai"), STR_INIT("openai")},
    {STR_INIT("cohere_chat"), STR_INIT("cohere")},
    {STR_INIT("text-completion-codestral"), STR_INIT("mistral")},
    {STR_INIT("codestral"), STR_INIT("mistral")},
    {STR_INIT("together_ai"), STR_INIT("together")},
    {STR_INIT("fireworks_ai"), STR_INIT("fireworks")},
    {STR_INIT("fireworks_ai-embedding-models"), STR_INIT("fireworks")},
    {STR_INIT("bedrock_converse"), STR_INIT("bedrock")},
    {STR_INIT("azure_ai"), STR_INIT("azure")},
    {STR_INIT("nvidia_nim"), STR_INIT("nvidia")},
    {STR_INIT("jina_ai"), STR_INIT("jina")},
};
static const struct {
    struct str theirs;
    enum model_mode mode;
} k_modes[] = {
    {STR_INIT("chat"), MODEL_CHAT},
    {STR_INIT("responses"), MODEL_CHAT},
    {STR_INIT("completion"), MODEL_COMPLETION},
    {STR_INIT("embedding"), MODEL_EMBEDDING},
    {STR_INIT("image_generation"), MODEL_IMAGE},
    {STR_INIT("audio_speech"), MODEL_SPEECH},
    {STR_INIT("audio_transcription"), MODEL_TRANSCRIPTION},
    {STR_INIT("moderation"), MODEL_MODERATION},
    {STR_INIT("rerank"), MODEL_RERANK},
};
static const struct {
    struct str theirs;
    unsigned can;
} k_supports[] = {
    {STR_INIT("supports_vision"), MODEL_CAN_VISION},
    {STR_INIT("supports_audio_input"), MODEL_CAN_AUDIO_INPUT},
    {STR_INIT("supports_pdf_input"), MODEL_CAN_PDF},
    {STR_INIT("supports_video_input"), MODEL_CAN_VIDEO_INPUT},
    {STR_INIT("supports_audio_output"), MODEL_CAN_AUDIO_OUTPUT},
    {STR_INIT("supports_function_calling"), MODEL_CAN_TOOLS},
    {STR_INIT("supports_parallel_function_calling"), MODEL_CAN_PARALLEL_TOOLS},
    {STR_INIT("supports_response_schema"), MODEL_CAN_JSON_SCHEMA},
    {STR_INIT("supports_reasoning"), MODEL_CAN_REASONING},
    {STR_INIT("supports_prompt_caching"), MODEL_CAN_CACHING},
};
static const struct {
    struct str theirs;
    size_t offset;
} k_rates[] = {
#define RATE(name, field)                                                                                              \
    { STR_INIT(name), offsetof(struct price_rates, field) }
    RATE("input_cost_per_token", input),
    RATE("output_cost_per_token", output),
    RATE("cache_read_input_token_cost", cached_input),
    RATE("cache_creation_input_token_cost", cache_write),
    RATE("cache_creation_input_token_cost_above_1hr", cache_write_1h),
    RATE("output_cost_per_reasoning_token", reasoning),
    RATE("input_cost_per_audio_token", audio_in),
    RATE("output_cost_per_audio_token", audio_out),
#undef RATE
};

struct litellm_model {
    struct model_entry e;
    struct str theirs, vendor; // the provider, as they and we call it
    bool has_mode;
    int64_t batch_input;
    uint64_t max_tokens, max_input;
};

// --- a model's members ---

// "…_above_200k_tokens": cut off, *out_from is 200000. Of several tiers the lowest holds for all above it.
static struct str tier_of(struct str name, uint64_t *out_from) {
    const struct str above = STR("_above_"), tokens = STR("k_tokens");
    size_t at = str_find(name, above);
    *out_from = 0;
    if (!str_ends(name, tokens)) return name;
    while (at < name.n) { // the last one: "_above_1hr_above_200k_tokens"
        size_t next = str_find(str_from(name, at + above.n), above);
        if (at + above.n + next >= name.n) break;
        at += above.n + next;
    }
    if (at + above.n + tokens.n >= name.n) return name;
    struct str digits = str_of(name.p + at + above.n, name.n - at - above.n - tokens.n);
    if (digits.n > 6 || !str_to_u64(digits, out_from)) return name;
    *out_from *= 1000;
    return str_head(name, at);
}

static int64_t *rate_at(struct price *p, struct str name) {
    static const struct price_rates none = PRICE_RATES_NONE;
    uint64_t from;
    struct str plain = tier_of(name, &from);
    struct price_rates *rates = from ? &p->long_rates : &p->rates;
    for (size_t i = 0; i < ARRAY_LEN(k_rates); i++) {
        if (!str_eq(plain, k_rates[i].theirs)) continue;
        if (from && p->long_from && from > p->long_from) return NULL;
        if (from && from != p->long_from) {
            p->long_rates = none;
            p->long_from = from;
        }
        return (int64_t *)(void *)((char *)rates + k_rates[i].offset);
    }
    return NULL;
}

static bool read_supports(struct catalog_read *r, unsigned bit, enum json_kind kind, struct model_entry *e) {
    bool yes = false;
    if (kind == JSON_NULL) return json_null(&r->json);
    if (!json_bool(&r->json, &yes)) return false;
    *(yes ? &e->can : &e->cannot) |= bit;
    return true;
}

static bool read_word(struct catalog_read *r, struct litellm_model *m, bool vendor) {
    struct str text;
    if (!catalog_text(r, 100, &text)) return false;
    if (vendor) {
        m->theirs = m->vendor = text;
        for (size_t i = 0; i < ARRAY_LEN(k_vendors); i++)
            if (str_eq(text, k_vendors[i].theirs)) m->vendor = k_vendors[i].ours;
        if (str_starts(text, STR("vertex_ai"))) m->vendor = STR("vertex");
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(k_modes); i++) {
        if (!str_eq(text, k_modes[i].theirs)) continue;
        m->e.mode = k_modes[i].mode;
        m->has_mode = true;
    }
    return true;
}

static bool read_number(struct catalog_read *r, struct litellm_model *m, struct str name, bool *out_known) {
    *out_known = true;
    if (str_eq(name, STR("max_input_tokens"))) return catalog_tokens(r, &m->max_input);
    if (str_eq(name, STR("max_output_tokens"))) return catalog_tokens(r, &m->e.max_output);
    if (str_eq(name, STR("max_tokens"))) return catalog_tokens(r, &m->max_tokens);
    if (str_eq(name, STR("input_cost_per_token_batches")))
        return catalog_money(r, DOLLARS_A_TOKEN_MAX, PICO, &m->batch_input);
    if (str_eq(name, STR("output_cost_per_image")))
        return catalog_money(r, DOLLARS_AN_IMAGE_MAX, PICO, &m->e.price.rates.image);
    int64_t *rate = rate_at(&m->e.price, name);
    *out_known = rate != NULL;
    return !rate || catalog_money(r, DOLLARS_A_TOKEN_MAX, PICO, rate);
}

static bool read_day(struct catalog_read *r, struct model_entry *e) {
    struct str day;
    if (!catalog_text(r, 100, &day)) return false;
    if (catalog_is_day(day)) e->deprecated = day;
    return true;
}

static bool read_member(struct catalog_read *r, struct litellm_model *m, struct str name, enum json_kind kind) {
    bool known;
    for (size_t i = 0; i < ARRAY_LEN(k_supports); i++)
        if (str_eq(name, k_supports[i].theirs)) return read_supports(r, k_supports[i].can, kind, &m->e);
    if (kind == JSON_NULL) return json_null(&r->json);
    if (str_eq(name, STR("litellm_provider"))) return read_word(r, m, true);
    if (str_eq(name, STR("mode"))) return read_word(r, m, false);
    if (str_eq(name, STR("deprecation_date")))
        return kind == JSON_STRING ? read_day(r, &m->e) : json_skip(&r->json, NULL);
    if (!read_number(r, m, name, &known)) return false;
    return known || json_skip(&r->json, NULL);
}

// --- a model ---

static bool is_unset(int64_t rate) { return rate == PRICE_NONE || rate == 0; }

static void settle_price(struct litellm_model *m) {
    struct price *p = &m->e.price;
    struct price_rates *rates = &p->rates;
    bool texts = m->e.mode == MODEL_EMBEDDING || m->e.mode == MODEL_RERANK || m->e.mode == MODEL_MODERATION;
    if (texts && rates->input != PRICE_NONE && rates->output == PRICE_NONE) rates->output = 0;
    // Nothing at all is how that list writes "not known", and a free write to a cache how it writes "not apart".
    if (is_unset(rates->input) && is_unset(rates->output) && m->e.mode != MODEL_MODERATION)
        rates->input = rates->output = PRICE_NONE;
    if (rates->cache_write == 0) rates->cache_write = PRICE_NONE;
    if (m->batch_input != PRICE_NONE && rates->input > 0 && m->batch_input <= rates->input)
        p->batch = (int64_t)((double)m->batch_input / (double)rates->input * (double)PRICE_BATCH_SAME + 0.5);
    if (p->long_rates.output == PRICE_NONE) p->long_rates.output = rates->output;
    if (p->long_rates.input == PRICE_NONE || p->long_rates.output == PRICE_NONE) p->long_from = 0;
    price_settle(p);
    if (p->known) p->source = PRICE_FROM_TABLE;
}

static void settle_facts(struct litellm_model *m) {
    struct model_entry *e = &m->e;
    e->context_window = m->max_input ? m->max_input : m->max_tokens;
    if (e->context_window) e->max_output = MIN(e->max_output, e->context_window);
    if (e->mode == MODEL_CHAT || e->mode == MODEL_COMPLETION) e->can |= MODEL_CAN_STREAMING;
    if (e->mode == MODEL_IMAGE) e->can |= MODEL_CAN_IMAGE_OUTPUT;
    if (e->mode == MODEL_SPEECH) e->can |= MODEL_CAN_AUDIO_OUTPUT;
    if (e->mode == MODEL_TRANSCRIPTION) e->can |= MODEL_CAN_AUDIO_INPUT;
    e->cannot &= ~e->can;
}

// "together_ai/org/model" is "together/org/model" of ours: their provider's name in front is no part of the model's.
static bool name_it(struct catalog_read *r, struct str key, struct litellm_model *m) {
    struct str model = key, word = str_eq(m->vendor, STR("vertex")) ? STR("vertex_ai") : m->theirs;
    if (str_starts(model, word) && model.n > word.n + 1 && model.p[word.n] == '/') model = str_from(model, word.n + 1);
    m->e.name = arena_printf(&r->catalog->arena, "%.*s/%.*s", STR_ARG(m->vendor), STR_ARG(model));
    return m->e.name.p && catalog_is_name(m->e.name);
}

static bool read_model(struct catalog_read *r, struct litellm_model *m) {
    struct str key, name;
    enum json_kind kind;
    if (!json_enter_object(&r->json)) return false;
    while (json_member(&r->json, &key, &kind)) {
        if (!json_string_borrow(key, &name)) name = STR_NONE;
        if (!read_member(r, m, name, kind)) return false;
    }
    return json_ok(&r->json);
}

bool catalog_read_litellm(struct catalog_read *r) {
    struct str key, name;
    enum json_kind kind;
    r->lenient = true;
    while (json_member(&r->json, &key, &kind)) {
        struct litellm_model m = {.e = {.price = PRICE_UNKNOWN}, .batch_input = PRICE_NONE};
        if (!json_string_text(key, &r->catalog->arena, &name)) return catalog_wrong(r, key, "out of memory");
        if (str_eq(name, STR("sample_spec"))) continue;
        r->name = name;
        if (!read_model(r, &m)) return false;
        if (!m.vendor.n || !m.has_mode) continue; // no model, or nothing that can be asked for here
        settle_price(&m);
        settle_facts(&m);
        if (name_it(r, name, &m) && !catalog_add(r, &m.e)) return false;
    }
    r->name = STR_NONE;
    return json_ok(&r->json);
}
