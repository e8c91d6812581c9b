// Token counts out of answers in OpenAI's dialect.
#include "model/openai_usage.h"

#include "base/json_read.h"

static uint64_t count_of(const struct json_field *field) {
    uint64_t v = 0;
    if (!field->found || field->kind != JSON_NUMBER || !json_raw_u64(field->raw, &v)) return 0;
    return MIN(v, (uint64_t)INT64_MAX / 4);
}

static uint64_t detail(const struct json_field *object, struct str name) {
    struct str raw;
    uint64_t v = 0;
    if (!object->found || object->kind != JSON_OBJECT || !JSON_GET(object->raw, &raw, name)) return 0;
    return json_raw_u64(raw, &v) ? v : 0;
}

bool openai_usage_read(struct str raw, struct usage *out_usage) {
    enum { PROMPT, COMPLETION, TOTAL, PROMPT_DETAILS, COMPLETION_DETAILS, CACHE_HIT, CACHE_WRITE };
    struct json_field f[] = {
        [PROMPT] = {.name = STR_INIT("prompt_tokens")},
        [COMPLETION] = {.name = STR_INIT("completion_tokens")},
        [TOTAL] = {.name = STR_INIT("total_tokens")},
        [PROMPT_DETAILS] = {.name = STR_INIT("prompt_tokens_details")},
        [COMPLETION_DETAILS] = {.name = STR_INIT("completion_tokens_details")},
        [CACHE_HIT] = {.name = STR_INIT("prompt_cache_hit_tokens")},
        [CACHE_WRITE] = {.name = STR_INIT("cache_creation_input_tokens")},
    };
    struct err err;
    if (raw.n == 0 || raw.p[0] != '{' || !json_scan(raw, f, ARRAY_LEN(f), &err)) return false;
    if (!f[PROMPT].found && !f[COMPLETION].found && !f[TOTAL].found) return false;
    struct usage u = {.prompt = count_of(&f[PROMPT]), .output = count_of(&f[COMPLETION])};
    if (!f[PROMPT].found && f[TOTAL].found && count_of(&f[TOTAL]) >= u.output)
        u.prompt = count_of(&f[TOTAL]) - u.output;
    u.cached = MAX(detail(&f[PROMPT_DETAILS], STR("cached_tokens")), count_of(&f[CACHE_HIT]));
    u.cached = MIN(u.cached, u.prompt);
    u.cache_write = MIN(count_of(&f[CACHE_WRITE]), u.prompt - u.cached);
    u.reasoning = MIN(detail(&f[COMPLETION_DETAILS], STR("reasoning_tokens")), u.output);
    u.audio_in = MIN(detail(&f[PROMPT_DETAILS], STR("audio_tokens")), u.prompt);
    u.audio_out = MIN(detail(&f[COMPLETION_DETAILS], STR("audio_tokens")), u.output);
    *out_usage = u;
    return true;
}

bool openai_usage_of_answer(struct str body, bool *out_valid, struct usage *out_usage) {
    struct json_field f[] = {{.name = STR_INIT("usage")}};
    struct err err;
    *out_valid = json_scan(body, f, 1, &err);
    return *out_valid && f[0].found && openai_usage_read(f[0].raw, out_usage);
}
