// Token counts out of answers in OpenAI's dialect, in one pass over the text.
#include "model/openai_usage.h"

#include "base/json_read.h"

#define COUNT_MAX ((uint64_t)1 << 40) // more is a lying upstream

// What a usage object said, before it is made consistent.
struct counts {
    uint64_t prompt, completion, total, cached, cache_write, reasoning, audio_in, audio_out;
    bool has_prompt, has_completion, has_total;
};

static uint64_t read_count(struct json_reader *r, enum json_kind kind) {
    struct str raw;
    uint64_t v = 0;
    if (!json_skip(r, &raw) || kind != JSON_NUMBER || !json_raw_u64(raw, &v)) return 0;
    return MIN(v, COUNT_MAX);
}

// prompt_tokens_details or completion_tokens_details.
static void read_details(struct json_reader *r, enum json_kind kind, uint64_t *out_cached, uint64_t *out_reasoning,
                         uint64_t *out_audio) {
    struct str key;
    if (kind != JSON_OBJECT || !json_enter_object(r)) return;
    while (json_member(r, &key, &kind)) {
        if (json_string_eq(key, STR("cached_tokens")))
            *out_cached = read_count(r, kind);
        else if (json_string_eq(key, STR("reasoning_tokens")))
            *out_reasoning = read_count(r, kind);
        else if (json_string_eq(key, STR("audio_tokens")))
            *out_audio = read_count(r, kind);
    }
}

static void read_member(struct json_reader *r, struct str key, enum json_kind kind, struct counts *c) {
    uint64_t ignored = 0;
    if (json_string_eq(key, STR("prompt_tokens"))) {
        c->has_prompt = kind == JSON_NUMBER;
        c->prompt = read_count(r, kind);
    } else if (json_string_eq(key, STR("completion_tokens"))) {
        c->has_completion = kind == JSON_NUMBER;
        c->completion = read_count(r, kind);
    } else if (json_string_eq(key, STR("total_tokens"))) {
        c->has_total = kind == JSON_NUMBER;
        c->total = read_count(r, kind);
    } else if (json_string_eq(key, STR("prompt_tokens_details"))) {
        read_details(r, kind, &c->cached, &ignored, &c->audio_in);
    } else if (json_string_eq(key, STR("completion_tokens_details"))) {
        read_details(r, kind, &ignored, &c->reasoning, &c->audio_out);
    } else if (json_string_eq(key, STR("prompt_cache_hit_tokens"))) {
        uint64_t hit = read_count(r, kind);
        c->cached = MAX(c->cached, hit);
    } else if (json_string_eq(key, STR("cache_creation_input_tokens"))) {
        c->cache_write = read_count(r, kind);
    }
}

// The object under the cursor.
static bool read_usage(struct json_reader *r, struct usage *out_usage) {
    struct counts c = {0};
    struct str key;
    enum json_kind kind;
    if (!json_enter_object(r)) return false;
    while (json_member(r, &key, &kind)) read_member(r, key, kind, &c);
    if (!json_ok(r) || !(c.has_prompt || c.has_completion || c.has_total)) return false;
    struct usage u = {.prompt = c.prompt, .output = c.completion};
    if (!c.has_prompt && c.total >= c.completion) u.prompt = c.total - c.completion;
    u.cached = MIN(c.cached, u.prompt);
    u.cache_write = MIN(c.cache_write, u.prompt - u.cached);
    u.reasoning = MIN(c.reasoning, u.output);
    u.audio_in = MIN(c.audio_in, u.prompt);
    u.audio_out = MIN(c.audio_out, u.output);
    *out_usage = u;
    return true;
}

bool openai_usage_read(struct str raw, struct usage *out_usage) {
    struct json_reader r;
    enum json_kind kind;
    json_reader_init(&r, raw, 0);
    return json_peek(&r, &kind) && kind == JSON_OBJECT && read_usage(&r, out_usage);
}

bool openai_usage_of_answer(struct str body, bool *out_valid, struct usage *out_usage) {
    struct json_reader r;
    struct str key;
    struct err err;
    enum json_kind kind;
    bool found = false;
    json_reader_init(&r, body, 0);
    if (json_enter_object(&r))
        while (json_member(&r, &key, &kind))
            if (!found && kind == JSON_OBJECT && json_string_eq(key, STR("usage"))) found = read_usage(&r, out_usage);
    *out_valid = json_end(&r, &err);
    return *out_valid && found;
}
