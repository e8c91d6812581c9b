// Token counts in Google's dialect: cached tokens are part of the prompt, thoughts stand beside the answer.
#include "model/gemini/gemini.h"

#define COUNT_MAX ((uint64_t)1 << 40) // more is a lying upstream

enum { PROMPT, CANDIDATES, TOTAL, CACHED, THOUGHTS, TOOLS, PROMPT_DETAILS, CANDIDATES_DETAILS, N };
static const struct gemini_member k_usage[] = {
    [PROMPT] = {STR_INIT("promptTokenCount"), 0},
    [CANDIDATES] = {STR_INIT("candidatesTokenCount"), 0},
    [TOTAL] = {STR_INIT("totalTokenCount"), 0},
    [CACHED] = {STR_INIT("cachedContentTokenCount"), 0},
    [THOUGHTS] = {STR_INIT("thoughtsTokenCount"), 0},
    [TOOLS] = {STR_INIT("toolUsePromptTokenCount"), 0},
    [PROMPT_DETAILS] = {STR_INIT("promptTokensDetails"), JSON_IS(JSON_ARRAY)},
    [CANDIDATES_DETAILS] = {STR_INIT("candidatesTokensDetails"), JSON_IS(JSON_ARRAY)},
};

static uint64_t count(struct str raw) {
    uint64_t v;
    return gemini_u64(raw, &v) ? MIN(v, COUNT_MAX) : 0;
}

// Of the modality's row; 0 when there is none.
static uint64_t audio_of(struct str details) {
    struct json_reader r;
    struct str one, value;
    enum json_kind kind;
    json_reader_init(&r, details.p ? details : STR("[]"), 0);
    if (json_enter_array(&r))
        while (json_element(&r, &kind))
            if (json_skip(&r, &one) && JSON_GET(one, &value, STR("modality")) && json_string_eq(value, STR("AUDIO")))
                return JSON_GET(one, &value, STR("tokenCount")) ? count(value) : 0;
    return 0;
}

bool gemini_usage_read(struct str raw, struct usage *io_usage) {
    struct err ignored;
    struct gemini_read rd = {.err = &ignored, .lenient = true};
    struct str f[N];
    if (!gemini_object(&rd, raw, NULL, k_usage, N, f)) return false;
    if (!f[PROMPT].p && !f[CANDIDATES].p && !f[TOTAL].p) return false;
    if (f[PROMPT].p || f[TOOLS].p) {
        io_usage->prompt = count(f[PROMPT]) + count(f[TOOLS]);
        io_usage->audio_in = MIN(audio_of(f[PROMPT_DETAILS]), io_usage->prompt);
    }
    if (f[CACHED].p) io_usage->cached = count(f[CACHED]);
    io_usage->cached = MIN(io_usage->cached, io_usage->prompt);
    if (f[THOUGHTS].p) io_usage->reasoning = count(f[THOUGHTS]);
    if (f[CANDIDATES].p) {
        io_usage->output = count(f[CANDIDATES]) + io_usage->reasoning;
        io_usage->audio_out = MIN(audio_of(f[CANDIDATES_DETAILS]), io_usage->output);
    } else if (count(f[TOTAL]) > io_usage->prompt) {
        io_usage->output = MAX(io_usage->output, count(f[TOTAL]) - io_usage->prompt);
    } else {
        io_usage->output = MAX(io_usage->output, io_usage->reasoning);
    }
    io_usage->reasoning = MIN(io_usage->reasoning, io_usage->output);
    io_usage->audio_out = MIN(io_usage->audio_out, io_usage->output - io_usage->reasoning);
    return true;
}

bool gemini_usage_of(struct str data, struct usage *io_usage) {
    static const struct gemini_member members[] = {{STR_INIT("usageMetadata"), JSON_IS(JSON_OBJECT)}};
    struct err ignored;
    struct gemini_read rd = {.err = &ignored, .lenient = true};
    struct str f[1];
    return gemini_object(&rd, str_trim(data), NULL, members, 1, f) && f[0].p && gemini_usage_read(f[0], io_usage);
}
