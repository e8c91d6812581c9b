// Embeddings in Google's dialect: embedContent, batchEmbedContents, and Vertex AI's predict.
#include "model/gemini/gemini.h"

// --- as a client's ---

enum { CONTENT, MODEL, TASK, TITLE, DIMENSIONS, REQUESTS, N };
static const struct gemini_member k_members[] = {
    [CONTENT] = {STR_INIT("content"), JSON_IS(JSON_OBJECT)},
    [MODEL] = {STR_INIT("model"), JSON_IS(JSON_STRING)},
    [TASK] = {STR_INIT("taskType"), JSON_IS(JSON_STRING)},
    [TITLE] = {STR_INIT("title"), JSON_IS(JSON_STRING)},
    [DIMENSIONS] = {STR_INIT("outputDimensionality"), JSON_IS(JSON_NUMBER)},
    [REQUESTS] = {STR_INIT("requests"), GEMINI_OBJECTS},
};

// Cohere's words for what an embedding is for.
static const struct {
    struct str task, purpose;
} k_purposes[] = {
    {STR_INIT("RETRIEVAL_QUERY"), STR_INIT("\"search_query\"")},
    {STR_INIT("RETRIEVAL_DOCUMENT"), STR_INIT("\"search_document\"")},
    {STR_INIT("CLASSIFICATION"), STR_INIT("\"classification\"")},
    {STR_INIT("CLUSTERING"), STR_INIT("\"clustering\"")},
    {STR_INIT("QUESTION_ANSWERING"), STR_INIT("\"search_query\"")},
    {STR_INIT("FACT_VERIFICATION"), STR_INIT("\"search_query\"")},
    {STR_INIT("CODE_RETRIEVAL_QUERY"), STR_INIT("\"search_query\"")},
    {STR_INIT("SEMANTIC_SIMILARITY"), STR_INIT("\"clustering\"")},
};

static struct str purpose_of(struct str task) {
    for (size_t i = 0; i < ARRAY_LEN(k_purposes); i++)
        if (json_string_eq(task, k_purposes[i].task)) return k_purposes[i].purpose;
    return STR_NONE;
}

// All text of a Content's parts.
static bool content_text(const struct gemini_read *rd, struct str content, const struct gemini_place *up,
                         struct str *out_text) {
    static const struct gemini_member outer[] = {{STR_INIT("parts"), GEMINI_OBJECTS}, {STR_INIT("role"), 0}};
    static const struct gemini_member inner[] = {{STR_INIT("text"), JSON_IS(JSON_STRING)}};
    struct gemini_place at = {.up = up, .name = STR("content")};
    BUF_AUTO struct buf text = BUF_INIT(content.n + 2);
    struct json_reader r;
    struct str f[2], one, g[1];
    enum json_kind kind;
    size_t parts = 0;
    if (!gemini_object(rd, content, &at, outer, 2, f)) return false;
    json_reader_init(&r, f[0].p ? f[0] : STR("[]"), JSON_DEPTH_MAX);
    buf_putc(&text, '"');
    if (json_enter_array(&r))
        for (; json_element(&r, &kind); parts++) {
            if (!json_skip(&r, &one) || !gemini_object(rd, one, &at, inner, 1, g)) return false;
            if (!g[0].p) return gemini_fault(rd, &at, STR("parts"), "must have text alone");
            buf_put(&text, chat_inner(g[0]));
        }
    buf_putc(&text, '"');
    if (!parts) return gemini_fault(rd, &at, STR("parts"), "are missing");
    *out_text = parts == 1 ? g[0] : text.failed ? STR_NONE : arena_str(rd->arena, buf_str(&text));
    return out_text->p || err_no_memory(rd->err);
}

static void note(struct embed_request *out, struct str name) {
    for (size_t i = 0; i < out->other_count; i++)
        if (str_eq(out->others[i], name)) return;
    if (out->other_count < CHAT_OTHERS_MAX) out->others[out->other_count++] = name;
}

static bool read_one(const struct gemini_read *rd, const struct str f[], const struct gemini_place *at,
                     struct embed_request *out) {
    struct str purpose = f[TASK].p ? purpose_of(f[TASK]) : STR_NONE;
    if (!f[CONTENT].p) return gemini_fault(rd, at, STR("content"), "is missing");
    if (f[TASK].p && !purpose.p) note(out, STR("taskType"));
    if (purpose.p) out->purpose = purpose;
    if (f[TITLE].p) out->title = f[TITLE];
    if (f[DIMENSIONS].p && (!gemini_u64(f[DIMENSIONS], &out->dimensions) || out->dimensions > 1 << 20))
        return gemini_fault(rd, at, k_members[DIMENSIONS].name, "must be a whole number");
    return content_text(rd, f[CONTENT], at, &out->inputs[out->count++].text);
}

static bool read_many(const struct gemini_read *rd, struct str list, struct embed_request *out) {
    struct gemini_place place = {.name = STR("requests")}, at = {.up = &place};
    struct json_reader r;
    struct str one, f[N];
    enum json_kind kind;
    json_reader_init(&r, list, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        for (; json_element(&r, &kind); at.index++)
            if (!json_skip(&r, &one) || !gemini_object(rd, one, &at, k_members, REQUESTS, f) ||
                !read_one(rd, f, &at, out))
                return false;
    return true;
}

static bool embed_read(const struct model_request *request, struct arena *arena, struct embed_request *out,
                       struct err *err) {
    struct chat chat = {0}; // gathers names
    struct gemini_read rd = {.arena = arena, .chat = &chat, .err = err, .depth = JSON_DEPTH_MAX};
    struct str f[N];
    if (!gemini_object(&rd, request->body, NULL, k_members, N, f)) return false;
    *out = (struct embed_request){.single = !f[REQUESTS].p};
    size_t n = f[REQUESTS].p ? gemini_count(f[REQUESTS]) : 1;
    struct gemini_place at = {.name = STR("requests")};
    if (n < 1 || n > EMBED_INPUTS_MAX) return gemini_fault(&rd, &at, STR_NONE, "must have 1 to 10000 elements");
    out->inputs = ARENA_ARRAY(arena, struct embed_input, n);
    if (!out->inputs) return err_no_memory(err);
    if (f[REQUESTS].p ? !read_many(&rd, f[REQUESTS], out) : !read_one(&rd, f, NULL, out)) return false;
    for (size_t i = 0; i < chat.other_count; i++) note(out, chat.others[i]);
    return true;
}

static void embed_put(const struct embed_answer *a, const struct embed_request *request, const struct chat_reply *reply,
                      struct buf *out) {
    (void)reply;
    if (request->single) {
        buf_lit(out, "{\"embedding\":{\"values\":");
        buf_put(out, a->count ? a->vectors[0] : STR("[]"));
        buf_lit(out, "}");
    } else {
        buf_lit(out, "{\"embeddings\":[");
        for (size_t i = 0; i < a->count; i++) {
            if (i) buf_putc(out, ',');
            buf_lit(out, "{\"values\":");
            buf_put(out, a->vectors[i]);
            buf_putc(out, '}');
        }
        buf_putc(out, ']');
    }
    if (a->has_usage) {
        buf_putc(out, ',');
        gemini_put_usage(out, &a->usage);
    }
    buf_putc(out, '}');
}

// --- as a provider's ---

static struct str task_of(struct str purpose) {
    for (size_t i = 0; purpose.p && i < ARRAY_LEN(k_purposes); i++)
        if (str_eq(k_purposes[i].purpose, purpose)) return k_purposes[i].task;
    return STR_NONE;
}

static void put_instance(struct json_writer *w, struct str text, struct str task, struct str title) {
    json_put_object(w);
    json_put_member_raw(w, STR("content"), text);
    if (task.p) json_put_member_str(w, STR("task_type"), task);
    if (title.p) json_put_member_raw(w, STR("title"), title);
    json_put_object_end(w);
}

static void put_request(struct json_writer *w, struct str model, const struct embed_request *q, struct str text,
                        struct str task) {
    json_put_object(w);
    json_put_member_raw(w, STR("model"), model);
    json_put_member_object(w, STR("content"));
    json_put_member_array(w, STR("parts"));
    json_put_object(w);
    json_put_member_raw(w, STR("text"), text);
    json_put_object_end(w);
    json_put_array_end(w);
    json_put_object_end(w);
    if (task.p) json_put_member_str(w, STR("taskType"), task);
    if (q->title.p) json_put_member_raw(w, STR("title"), q->title);
    if (q->dimensions) json_put_member_u64(w, STR("outputDimensionality"), q->dimensions);
    json_put_object_end(w);
}

static bool embed_write(const struct embed_request *q, const struct chat_target *target, struct arena *arena,
                        struct buf *out, struct chat_report *report, struct err *err) {
    struct json_writer w;
    bool vertex = gemini_on_vertex(target);
    struct str task = task_of(q->purpose);
    struct str model = chat_quote(arena, arena_printf(arena, "models/%.*s", STR_ARG(target->model)));
    if (!model.p) return err_no_memory(err);
    if (q->purpose.p && !task.p) chat_drop(report, STR("input_type"));
    if (q->user.p) chat_drop(report, STR("user"));
    if (q->truncate.p && !vertex) chat_drop(report, STR("truncate"));
    for (size_t i = 0; i < q->other_count; i++) chat_drop(report, q->others[i]);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_array(&w, vertex ? STR("instances") : STR("requests"));
    for (size_t i = 0; i < q->count; i++) {
        if (!q->inputs[i].text.p) {
            err_set(err, ERR_INVALID_FIELD, "\"input\" must be text: this provider takes no tokens");
            memcpy(err->param, "input", sizeof "input");
            return false;
        }
        if (vertex)
            put_instance(&w, q->inputs[i].text, task, q->title);
        else
            put_request(&w, model, q, q->inputs[i].text, task);
    }
    json_put_array_end(&w);
    if (vertex && (q->dimensions || q->truncate.p)) {
        json_put_member_object(&w, STR("parameters"));
        if (q->dimensions) json_put_member_u64(&w, STR("outputDimensionality"), q->dimensions);
        if (q->truncate.p) json_put_member_bool(&w, STR("autoTruncate"), !json_string_eq(q->truncate, STR("NONE")));
        json_put_object_end(&w);
    }
    json_put_object_end(&w);
    json_writer_done(&w);
    return !out->failed || err_no_memory(err);
}

// A vector with its values below "values", or, of predict, below "embeddings"."values" with its count of tokens.
static bool take_vector(struct str raw, struct embed_answer *out) {
    struct str values, tokens;
    uint64_t n;
    if (!JSON_GET(raw, &values, STR("values")) && !JSON_GET(raw, &values, STR("embeddings"), STR("values")))
        return false;
    if (json_raw_kind(values) != JSON_ARRAY) return false;
    out->vectors[out->count++] = values;
    if (JSON_GET(raw, &tokens, STR("embeddings"), STR("statistics"), STR("token_count")) && gemini_u64(tokens, &n)) {
        out->usage.prompt += n;
        out->has_usage = true;
    }
    return true;
}

static bool embed_read_answer(struct str body, struct arena *arena, struct embed_answer *out, struct err *err) {
    enum { ONE, MANY, PREDICTIONS, USAGE };
    static const struct gemini_member members[] = {[ONE] = {STR_INIT("embedding"), JSON_IS(JSON_OBJECT)},
                                                   [MANY] = {STR_INIT("embeddings"), JSON_IS(JSON_ARRAY)},
                                                   [PREDICTIONS] = {STR_INIT("predictions"), JSON_IS(JSON_ARRAY)},
                                                   [USAGE] = {STR_INIT("usageMetadata"), JSON_IS(JSON_OBJECT)}};
    struct err inner;
    struct gemini_read rd = {.arena = arena, .err = &inner, .lenient = true, .depth = JSON_DEPTH_MAX};
    struct json_reader r;
    struct str f[4], one;
    enum json_kind kind;
    bool good = gemini_object(&rd, str_trim(body), NULL, members, 4, f) && (f[ONE].p || f[MANY].p || f[PREDICTIONS].p);
    if (!good) return err_set(err, ERR_UPSTREAM_INVALID, "the provider's answer has no embeddings");
    *out = (struct embed_answer){0};
    struct str list = f[MANY].p ? f[MANY] : f[PREDICTIONS];
    out->vectors = ARENA_ARRAY(arena, struct str, 1 + (list.p ? gemini_count(list) : 0));
    if (!out->vectors) return err_no_memory(err);
    if (f[ONE].p) good = take_vector(f[ONE], out);
    json_reader_init(&r, list.p ? list : STR("[]"), JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (good && json_element(&r, &kind)) good = json_skip(&r, &one) && take_vector(one, out);
    if (f[USAGE].p && gemini_usage_read(f[USAGE], &out->usage)) out->has_usage = true;
    return good || err_set(err, ERR_UPSTREAM_INVALID, "the provider's embeddings are no lists of numbers");
}

const struct embed_ops gemini_embed = {.read = embed_read,
                                       .put_answer = embed_put,
                                       .max_inputs = 100,
                                       .write = embed_write,
                                       .read_answer = embed_read_answer};
