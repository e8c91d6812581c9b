// Token counts out of answers in OpenAI's dialect and those near it, and into them.
//
// Source: "usage" of chat completions, completions, embeddings (prompt_tokens, …), of images and transcriptions
// (input_tokens, …); DeepSeek's prompt_cache_hit_tokens; Groq's x_groq.usage; cache writes as OpenRouter, LiteLLM and
// Anthropic's compatibility layer name them.
#include "base/json_write.h"
#include "model/chat_scan.h"
#include "model/openai/openai.h"

// What a usage object said, before it is made consistent.
struct counts {
    uint64_t prompt, output, total, cached, cache_write, reasoning, audio_in, audio_out;
    bool has_prompt, has_output, has_total, has_cached, has_write, has_reasoning, has_audio_in, has_audio_out;
};

static bool read_count(struct json_reader *r, enum json_kind kind, uint64_t *io_count) {
    struct str raw;
    if (kind != JSON_NUMBER || !json_skip(r, &raw)) return false;
    if (!chat_tokens_of(raw, io_count)) *io_count = 0;
    return true;
}

static void read_details(struct json_reader *r, enum json_kind kind, bool input, struct counts *c) {
    struct str key, name;
    if (kind != JSON_OBJECT || !json_enter_object(r)) return;
    while (json_member(r, &key, &kind)) {
        if (!json_string_borrow(key, &name)) continue; // none of these has escapes
        if (str_eq(name, STR("cached_tokens")))
            c->has_cached |= read_count(r, kind, &c->cached);
        else if (str_eq(name, STR("cache_write_tokens")) || str_eq(name, STR("cache_creation_tokens")))
            c->has_write |= read_count(r, kind, &c->cache_write);
        else if (str_eq(name, STR("reasoning_tokens")))
            c->has_reasoning |= read_count(r, kind, &c->reasoning);
        else if (str_eq(name, STR("audio_tokens")) && input)
            c->has_audio_in |= read_count(r, kind, &c->audio_in);
        else if (str_eq(name, STR("audio_tokens")))
            c->has_audio_out |= read_count(r, kind, &c->audio_out);
    }
}

static void read_member(struct json_reader *r, struct str name, enum json_kind kind, struct counts *c) {
    if (str_eq(name, STR("prompt_tokens")) || str_eq(name, STR("input_tokens")))
        c->has_prompt |= read_count(r, kind, &c->prompt);
    else if (str_eq(name, STR("completion_tokens")) || str_eq(name, STR("output_tokens")))
        c->has_output |= read_count(r, kind, &c->output);
    else if (str_eq(name, STR("total_tokens")))
        c->has_total |= read_count(r, kind, &c->total);
    else if (str_eq(name, STR("prompt_tokens_details")) || str_eq(name, STR("input_tokens_details")) ||
             str_eq(name, STR("input_token_details")))
        read_details(r, kind, true, c);
    else if (str_eq(name, STR("completion_tokens_details")) || str_eq(name, STR("output_tokens_details")))
        read_details(r, kind, false, c);
    else if (str_eq(name, STR("prompt_cache_hit_tokens")) || str_eq(name, STR("cached_tokens")))
        c->has_cached |= read_count(r, kind, &c->cached);
    else if (str_eq(name, STR("cache_creation_input_tokens")))
        c->has_write |= read_count(r, kind, &c->cache_write);
    else if (str_eq(name, STR("reasoning_tokens")))
        c->has_reasoning |= read_count(r, kind, &c->reasoning);
}

// What is present replaces; parts that contradict the whole are cut to it.
static void merge(const struct counts *c, struct usage *u) {
    if (c->has_prompt) u->prompt = c->prompt;
    if (c->has_output) u->output = c->output;
    if (c->has_total && !c->has_prompt) u->prompt = c->total > u->output ? c->total - u->output : 0;
    if (c->has_total && !c->has_output && c->has_prompt && c->total > u->prompt) u->output = c->total - u->prompt;
    if (c->has_cached) u->cached = c->cached;
    if (c->has_write) u->cache_write = c->cache_write;
    if (c->has_reasoning) u->reasoning = c->reasoning;
    if (c->has_audio_in) u->audio_in = c->audio_in;
    if (c->has_audio_out) u->audio_out = c->audio_out;
    u->cached = MIN(u->cached, u->prompt);
    u->cache_write = MIN(u->cache_write, u->prompt - u->cached);
    u->cache_write_1h = MIN(u->cache_write_1h, u->cache_write);
    u->audio_in = MIN(u->audio_in, u->prompt);
    // xAI counts thoughts beside the rest of the output; then the total says so.
    if (c->has_reasoning && c->has_total && u->prompt + u->output + u->reasoning == c->total) u->output += u->reasoning;
    u->reasoning = MIN(u->reasoning, u->output);
    u->audio_out = MIN(u->audio_out, u->output - u->reasoning);
}

static bool read_usage(struct json_reader *r, enum json_kind kind, struct counts *c) {
    struct str key, name;
    if (kind != JSON_OBJECT || !json_enter_object(r)) return false;
    while (json_member(r, &key, &kind))
        if (json_string_borrow(key, &name)) read_member(r, name, kind, c);
    return c->has_prompt || c->has_output || c->has_total;
}

bool openai_usage_merge(struct str raw, struct usage *io_usage) {
    struct json_reader r;
    struct counts c = {0};
    enum json_kind kind;
    json_reader_init(&r, raw, 0);
    if (!json_peek(&r, &kind) || !read_usage(&r, kind, &c) || !json_ok(&r)) return false;
    merge(&c, io_usage);
    return true;
}

// How many of "data" are pictures.
static uint64_t count_images(struct str data) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw, image;
    uint64_t n = 0;
    json_reader_init(&r, data, 0);
    if (!json_enter_array(&r)) return 0;
    while (json_element(&r, &kind) && json_skip(&r, &raw))
        if (JSON_GET(raw, &image, STR("b64_json")) || JSON_GET(raw, &image, STR("url"))) n++;
    return json_ok(&r) ? n : 0;
}

bool openai_usage_of(struct str data, struct usage *io_usage) {
    struct json_reader r;
    struct counts c = {0};
    struct str key, groq = STR_NONE, list = STR_NONE, usage;
    enum json_kind kind;
    struct err ignored;
    bool told = false, object = false, again = false;
    json_reader_init(&r, data, 0);
    if (!json_peek(&r, &kind) || kind != JSON_OBJECT || !json_enter_object(&r)) return false;
    while (json_member(&r, &key, &kind)) {
        if (json_string_eq(key, STR("usage"))) {
            again |= told;
            told = read_usage(&r, kind, &c);
        } else if (json_string_eq(key, STR("x_groq")))
            (void)json_skip(&r, &groq);
        else if (json_string_eq(key, STR("data")) && kind == JSON_ARRAY)
            (void)json_skip(&r, &list);
        else
            object |= json_string_eq(key, STR("object"));
    }
    if (!json_end(&r, &ignored) || again) return false; // two that differ could be played against each other
    if (told) merge(&c, io_usage);
    if (!told && groq.p && JSON_GET(groq, &usage, STR("usage"))) told = openai_usage_merge(usage, io_usage);
    uint64_t images = list.p && !object ? count_images(list) : 0;
    if (images) io_usage->images = images;
    return told || images;
}

bool openai_only_usage(struct str data) {
    struct json_reader r;
    struct str key, choices = STR_NONE;
    enum json_kind kind, usage = JSON_NULL;
    bool told = false;
    json_reader_init(&r, data, 0);
    if (!json_peek(&r, &kind) || kind != JSON_OBJECT || !json_enter_object(&r)) return false;
    // The first of each name counts, and nothing behind both.
    while (!(told && choices.p) && json_member(&r, &key, &kind)) {
        if (!told && json_string_eq(key, STR("usage"))) {
            told = true;
            usage = kind;
        } else if (!choices.p && json_string_eq(key, STR("choices")) && !json_skip(&r, &choices)) {
            return false;
        }
    }
    return json_ok(&r) && usage == JSON_OBJECT && choices.p && json_raw_kind(choices) == JSON_ARRAY &&
           str_eq(str_trim(str_from(choices, 1)), STR("]"));
}

void openai_usage_put(struct buf *out, const struct usage *u) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_u64(&w, STR("prompt_tokens"), u->prompt);
    json_put_member_u64(&w, STR("completion_tokens"), u->output);
    json_put_member_u64(&w, STR("total_tokens"), u->prompt + u->output);
    json_put_member_object(&w, STR("prompt_tokens_details"));
    json_put_member_u64(&w, STR("cached_tokens"), u->cached);
    json_put_member_u64(&w, STR("audio_tokens"), u->audio_in);
    if (u->cache_write) json_put_member_u64(&w, STR("cache_write_tokens"), u->cache_write);
    json_put_object_end(&w);
    json_put_member_object(&w, STR("completion_tokens_details"));
    json_put_member_u64(&w, STR("reasoning_tokens"), u->reasoning);
    json_put_member_u64(&w, STR("audio_tokens"), u->audio_out);
    json_put_member_u64(&w, STR("accepted_prediction_tokens"), 0);
    json_put_member_u64(&w, STR("rejected_prediction_tokens"), 0);
    json_put_object_end(&w);
    json_put_object_end(&w);
    json_writer_done(&w);
}
