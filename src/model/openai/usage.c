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
    struct str key;
    if (kind != JSON_OBJECT || !json_enter_object(r)) return;
    while (json_member(r, &key, &kind)) {
        if (json_string_eq(key, STR("cached_tokens")))
            c->has_cached |= read_count(r, kind, &c->cached);
        else if (json_string_eq(key, STR("cache_write_tokens")) || json_string_eq(key, STR("cache_creation_tokens")))
            c->has_write |= read_count(r, kind, &c->cache_write);
        else if (json_string_eq(key, STR("reasoning_tokens")))
            c->has_reasoning |= read_count(r, kind, &c->reasoning);
        else if (json_string_eq(key, STR("audio_tokens")) && input)
            c->has_audio_in |= read_count(r, kind, &c->audio_in);
        else if (json_string_eq(key, STR("audio_tokens")))
            c->has_audio_out |= read_count(r, kind, &c->audio_out);
    }
}

static void read_member(struct json_reader *r, struct str key, enum json_kind kind, struct counts *c) {
    if (json_string_eq(key, STR("prompt_tokens")) || json_string_eq(key, STR("input_tokens")))
        c->has_prompt |= read_count(r, kind, &c->prompt);
    else if (json_string_eq(key, STR("completion_tokens")) || json_string_eq(key, STR("output_tokens")))
        c->has_output |= read_count(r, kind, &c->output);
    else if (json_string_eq(key, STR("total_tokens")))
        c->has_total |= read_count(r, kind, &c->total);
    else if (json_string_eq(key, STR("prompt_tokens_details")) || json_string_eq(key, STR("input_tokens_details")) ||
             json_string_eq(key, STR("input_token_details")))
        read_details(r, kind, true, c);
    else if (json_string_eq(key, STR("completion_tokens_details")) || json_string_eq(key, STR("output_tokens_details")))
        read_details(r, kind, false, c);
    else if (json_string_eq(key, STR("prompt_cache_hit_tokens")) || json_string_eq(key, STR("cached_tokens")))
        c->has_cached |= read_count(r, kind, &c->cached);
    else if (json_string_eq(key, STR("cache_creation_input_tokens")))
        c->has_write |= read_count(r, kind, &c->cache_write);
    else if (json_string_eq(key, STR("reasoning_tokens")))
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

bool openai_usage_merge(struct str raw, struct usage *io_usage) {
    struct json_reader r;
    struct counts c = {0};
    struct str key;
    enum json_kind kind;
    json_reader_init(&r, raw, 0);
    if (!json_peek(&r, &kind) || kind != JSON_OBJECT || !json_enter_object(&r)) return false;
    while (json_member(&r, &key, &kind)) read_member(&r, key, kind, &c);
    if (!json_ok(&r) || !(c.has_prompt || c.has_output || c.has_total)) return false;
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
    struct json_field f[] = {{.name = STR_INIT("usage")},
                             {.name = STR_INIT("x_groq")},
                             {.name = STR_INIT("data")},
                             {.name = STR_INIT("object")}};
    struct err err;
    struct str usage;
    if (!json_scan(data, f, ARRAY_LEN(f), &err)) return false;
    bool told = f[0].found && openai_usage_merge(f[0].raw, io_usage);
    if (!told && f[1].found && JSON_GET(f[1].raw, &usage, STR("usage"))) told = openai_usage_merge(usage, io_usage);
    if (f[2].found && f[2].kind == JSON_ARRAY && !f[3].found) {
        uint64_t images = count_images(f[2].raw);
        if (images) io_usage->images = images;
        told |= images > 0;
    }
    return told;
}

bool openai_only_usage(struct str data) {
    struct json_field f[] = {{.name = STR_INIT("usage")}, {.name = STR_INIT("choices")}};
    struct err err;
    struct usage ignored = {0};
    if (!json_scan(data, f, ARRAY_LEN(f), &err) || !f[0].found || !openai_usage_merge(f[0].raw, &ignored)) return false;
    struct str choices = f[1].found && f[1].kind == JSON_ARRAY ? str_from(f[1].raw, 1) : STR_NONE;
    return str_eq(str_trim(choices), STR("]"));
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
