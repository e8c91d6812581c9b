// What routing and metering need of a request in Google's dialect, and its way to a provider that speaks the same.
#include "model/gemini/gemini.h"

static const struct gemini_member k_members[] = {
    {STR_INIT("contents"), GEMINI_OBJECTS},
    {STR_INIT("generationConfig"), JSON_IS(JSON_OBJECT)},
    {STR_INIT("generateContentRequest"), JSON_IS(JSON_OBJECT)},
    {STR_INIT("content"), JSON_IS(JSON_OBJECT)},
    {STR_INIT("requests"), GEMINI_OBJECTS},
};
enum { CONTENTS, CONFIG, INNER, CONTENT, REQUESTS };

static bool missing(struct err *err, const char *name) {
    err_set(err, ERR_MISSING_FIELD, "\"%s\" is missing", name);
    size_t n = strlen(name);
    memcpy(err->param, name, n + 1);
    return false;
}

// *out_choices: how many answers it is for.
static uint64_t output_limit(const struct gemini_read *rd, struct str config, uint64_t *out_choices) {
    static const struct gemini_member members[] = {{STR_INIT("maxOutputTokens"), 0}, {STR_INIT("candidateCount"), 0}};
    struct gemini_read lenient = *rd;
    struct str f[2];
    uint64_t each, n;
    lenient.lenient = true;
    if (!config.p || !gemini_object(&lenient, config, NULL, members, 2, f) || !gemini_u64(f[0], &each)) return 0;
    each = MIN(each, MODEL_OUTPUT_MAX);
    if (!gemini_u64(f[1], &n) || n < 2) return each;
    *out_choices = MIN(n, (uint64_t)1024);
    return MIN(each * *out_choices, MODEL_OUTPUT_MAX);
}

static bool has_param(struct str query, struct str name, struct str value) {
    struct str part;
    while (str_split(&query, '&', &part)) {
        size_t eq = str_find_char(part, '=');
        if (str_eq(str_head(part, eq), name) && str_eq(str_from(part, eq + 1), value)) return true;
    }
    return false;
}

static bool peek_chat(const struct gemini_read *rd, struct str f[], struct model_request *q) {
    if (q->operation == OPERATION_COUNT_TOKENS && f[INNER].p &&
        !gemini_object(rd, f[INNER], NULL, k_members, ARRAY_LEN(k_members), f))
        return false;
    if (!f[CONTENTS].p) return missing(rd->err, "contents");
    q->input = f[CONTENTS];
    q->max_output = output_limit(rd, f[CONFIG], &q->choices);
    return true;
}

static bool peek_embed(const struct gemini_read *rd, const struct str f[], struct model_request *q) {
    if (f[REQUESTS].p) {
        q->input = f[REQUESTS];
        q->inputs = gemini_count(f[REQUESTS]);
    } else {
        q->input = f[CONTENT];
        q->inputs = 1;
    }
    if (!q->input.p || !q->inputs) return missing(rd->err, "content");
    if (q->inputs > EMBED_INPUTS_MAX) {
        struct gemini_place at = {.name = STR("requests")};
        return gemini_fault(rd, &at, STR_NONE, "has too many elements");
    }
    return true;
}

bool gemini_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                 struct err *err) {
    struct gemini_read rd = {.arena = arena, .err = err, .depth = in->depth};
    struct str f[ARRAY_LEN(k_members)];
    struct model_request q = {.operation = in->operation, .dialect = DIALECT_GEMINI, .body = str_trim(in->body)};
    if (!q.body.n) return err_set(err, ERR_INVALID_JSON, "the body is empty; a JSON object was expected");
    if (!gemini_object(&rd, q.body, NULL, k_members, ARRAY_LEN(k_members), f)) return false;
    q.model = str_starts(in->model, STR("models/")) ? str_from(in->model, 7) : in->model;
    bool counted = in->operation == OPERATION_COUNT_TOKENS; // its body is read a second time, without the path
    if ((q.model.n == 0 && !counted) || q.model.n > 256) return missing(err, "model");
    q.action = in->action;
    q.stream = in->operation == OPERATION_CHAT && str_eq(in->action, STR("streamGenerateContent"));
    q.array = q.stream && !has_param(in->query, STR("alt"), STR("sse"));
    bool good = in->operation == OPERATION_EMBEDDINGS ? peek_embed(&rd, f, &q) : peek_chat(&rd, f, &q);
    if (good) *out_request = q;
    return good;
}
