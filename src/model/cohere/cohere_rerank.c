// Rerankings: Cohere's (/v2/rerank), and in the shape that Jina has and vLLM and others took over (/v1/rerank).
//
// The answers differ in what they say besides the results; one to the latter has what both expect, since clients of
// Cohere's older version ask at the same path.
#include "model/cohere/cohere.h"

#include <inttypes.h>

#define DOCUMENTS_MAX 10000

// --- what routing needs to know ---

bool cohere_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                 struct err *err) {
    enum { MODEL, DOCUMENTS, STRICT };
    struct chat_path top = chat_path_of("%s", "");
    struct json_field f[] = {
        [MODEL] = {.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [DOCUMENTS] = {.name = STR_INIT("documents"), .kinds = JSON_IS(JSON_ARRAY), .required = true},
        [STRICT] = {.name = STR_INIT("strict")},
    };
    struct json_reader r;
    if (in->body.n == 0) return err_set(err, ERR_INVALID_JSON, "the body is empty; a JSON object was expected");
    json_reader_init(&r, in->body, in->depth);
    if (!json_object_scan(&r, f, ARRAY_LEN(f), err) || !json_end(&r, err)) return false;
    struct model_request q = {.operation = in->operation,
                              .dialect = DIALECT_COHERE,
                              .body = str_trim(in->body),
                              .input = f[DOCUMENTS].raw,
                              .model_raw = f[MODEL].raw,
                              .strict = f[STRICT].raw,
                              .strict_member = f[STRICT].member};
    if (!json_string_text(f[MODEL].raw, arena, &q.model)) return err_no_memory(err);
    if (q.model.n < 1 || q.model.n > 256) return chat_wrong(err, &top, "model", "must be a name of 1 to 256 bytes");
    *out_request = q;
    return true;
}

bool cohere_rewrite(const struct model_request *q, const struct chat_target *target, struct arena *arena,
                    struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    struct json_edits e;
    json_edits_init(&e, q->body);
    if (q->strict_member.p) json_edit_delete(&e, q->strict_member);
    if (q->renamed || !str_eq(target->model, q->model)) {
        struct str name = chat_quote(arena, target->model);
        if (!name.p) return err_no_memory(err);
        json_edit_replace(&e, q->model_raw, name);
    }
    return json_edits_slices(&e, out_slices, out_count, err);
}

// --- requests ---

static bool add_document(void *arg, size_t index, struct str raw, struct err *err) {
    struct rerank_request *out = arg;
    struct chat_path path = chat_path_of("documents[%zu]", index);
    enum json_kind kind = json_raw_kind(raw);
    if (kind != JSON_STRING && kind != JSON_OBJECT) return chat_wrong(err, &path, "", "must be a text or an object");
    out->documents[out->count++] = raw;
    return true;
}

static bool rerank_read(const struct model_request *request, struct arena *arena, struct rerank_request *out,
                        struct err *err) {
    enum { MODEL, QUERY, DOCUMENTS, TOP, RETURN, STRICT };
    struct chat_path top = chat_path_of("%s", "");
    struct json_field f[] = {
        [MODEL] = {.name = STR_INIT("model")},
        [QUERY] = {.name = STR_INIT("query"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [DOCUMENTS] = {.name = STR_INIT("documents"), .kinds = JSON_IS(JSON_ARRAY), .required = true},
        [TOP] = {.name = STR_INIT("top_n"), .kinds = JSON_IS(JSON_NUMBER) | JSON_OR_NULL},
        [RETURN] = {.name = STR_INIT("return_documents"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [STRICT] = {.name = STR_INIT("strict")},
    };
    *out = (struct rerank_request){0};
    if (!chat_scan(request->body, &top, f, ARRAY_LEN(f), err)) return false;
    chat_note_others(request->body, f, ARRAY_LEN(f), STR(""), arena,
                     (struct chat_names){out->others, &out->other_count});
    out->query = f[QUERY].raw;
    out->return_documents = chat_is_true(&f[RETURN]);
    if (chat_given(&f[TOP]).p && (!json_raw_u64(f[TOP].raw, &out->top_n) || !out->top_n))
        return chat_wrong(err, &top, "top_n", "must be a whole number above 0");
    size_t n = chat_count(f[DOCUMENTS].raw);
    if (n < 1 || n > DOCUMENTS_MAX) return chat_wrong(err, &top, "documents", "must have 1 to 10000 documents");
    out->documents = ARENA_ARRAY(arena, struct str, n);
    if (!out->documents) return err_no_memory(err);
    return chat_each(f[DOCUMENTS].raw, add_document, out, err);
}

// A document as text: of an object its "text", or what it is in JSON.
static void put_document(struct json_writer *w, struct str raw) {
    struct str text;
    if (json_raw_kind(raw) == JSON_STRING)
        json_put_raw(w, raw);
    else if (JSON_GET(raw, &text, STR("text")) && json_raw_kind(text) == JSON_STRING)
        json_put_raw(w, text);
    else
        json_put_str(w, raw);
}

static bool rerank_write(const struct rerank_request *q, const struct chat_target *target, struct arena *arena,
                         struct buf *out, struct chat_report *report, struct err *err) {
    struct json_writer w;
    (void)arena, (void)report;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), target->model);
    json_put_member_raw(&w, STR("query"), q->query);
    json_put_member_array(&w, STR("documents"));
    for (size_t i = 0; i < q->count; i++) put_document(&w, q->documents[i]);
    json_put_array_end(&w);
    if (q->top_n) json_put_member_u64(&w, STR("top_n"), q->top_n);
    json_put_object_end(&w);
    json_writer_done(&w);
    return !out->failed || err_no_memory(err);
}

// --- answers ---

static bool add_result(void *arg, size_t index, struct str raw, struct err *err) {
    struct rerank_answer *out = arg;
    enum { INDEX, SCORE, DOCUMENT };
    struct json_field f[] = {
        [INDEX] = {.name = STR_INIT("index"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
        [SCORE] = {.name = STR_INIT("relevance_score"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
        [DOCUMENT] = {.name = STR_INIT("document")}};
    struct rerank_result *r = &out->results[out->count++];
    (void)index;
    if (!json_scan(raw, f, ARRAY_LEN(f), err) || !json_raw_u64(f[INDEX].raw, &r->index)) return false;
    r->score = f[SCORE].raw;
    r->document = chat_given(&f[DOCUMENT]);
    return true;
}

static bool read_answer(struct str body, struct arena *arena, struct rerank_answer *out, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("results"), .kinds = JSON_IS(JSON_ARRAY), .required = true}};
    if (!json_scan(body, f, 1, err)) return false;
    out->results = ARENA_ARRAY(arena, struct rerank_result, chat_count(f[0].raw) + 1);
    if (!out->results) return err_no_memory(err);
    return chat_each(f[0].raw, add_result, out, err);
}

static bool invalid(struct err *err) {
    if (err->code == ERR_NO_MEMORY) return false;
    err->code = ERR_UPSTREAM_INVALID;
    err->status = err_info(ERR_UPSTREAM_INVALID)->status;
    return err_wrap(err, "the provider's answer");
}

static bool cohere_read_rerank(struct str body, struct arena *arena, struct rerank_answer *out, struct err *err) {
    struct str raw;
    double units;
    *out = (struct rerank_answer){0};
    err_set(err, ERR_UPSTREAM_INVALID, "it has an impossible index");
    if (!read_answer(body, arena, out, err)) return invalid(err);
    if (JSON_GET(body, &raw, STR("meta"), STR("billed_units"), STR("search_units")) && json_raw_double(raw, &units) &&
        units >= 0 && units < 1e9)
        out->search_units = (uint64_t)units;
    out->has_usage = cohere_usage_of(body, &out->usage);
    return true;
}

static bool jina_read_rerank(struct str body, struct arena *arena, struct rerank_answer *out, struct err *err) {
    struct str raw;
    uint64_t v;
    *out = (struct rerank_answer){0};
    err_set(err, ERR_UPSTREAM_INVALID, "it has an impossible index");
    if (!read_answer(body, arena, out, err)) return invalid(err);
    bool told = JSON_GET(body, &raw, STR("usage"), STR("prompt_tokens")) && json_raw_u64(raw, &v);
    told = told || (JSON_GET(body, &raw, STR("usage"), STR("total_tokens")) && json_raw_u64(raw, &v));
    if (told) out->usage.prompt = MIN(v, (uint64_t)1 << 40);
    out->has_usage = told;
    return true;
}

// As {"text": …}; where the provider gave it back, that, else the client's own.
static void put_asked_document(struct json_writer *w, const struct rerank_result *r, const struct rerank_request *q) {
    struct str raw = r->index < q->count ? q->documents[r->index] : STR_NONE;
    if (!q->return_documents || !raw.p) return;
    if (json_raw_kind(raw) == JSON_OBJECT) {
        json_put_member_raw(w, STR("document"), raw);
        return;
    }
    json_put_member_object(w, STR("document"));
    json_put_member_raw(w, STR("text"), raw);
    json_put_object_end(w);
}

static void put_results(struct json_writer *w, const struct rerank_answer *a, const struct rerank_request *q) {
    size_t n = q->top_n ? MIN(a->count, (size_t)q->top_n) : a->count;
    json_put_member_array(w, STR("results"));
    for (size_t i = 0; i < n; i++) {
        json_put_object(w);
        json_put_member_u64(w, STR("index"), a->results[i].index);
        json_put_member_raw(w, STR("relevance_score"), a->results[i].score);
        put_asked_document(w, &a->results[i], q);
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

static void put_meta(struct json_writer *w, const struct rerank_answer *a) {
    json_put_member_object(w, STR("meta"));
    json_put_member_object(w, STR("api_version"));
    json_put_member_str(w, STR("version"), STR("2"));
    json_put_object_end(w);
    if (a->search_units || a->has_usage) {
        json_put_member_object(w, STR("billed_units"));
        if (a->search_units) json_put_member_u64(w, STR("search_units"), a->search_units);
        if (a->has_usage) json_put_member_u64(w, STR("input_tokens"), a->usage.prompt);
        json_put_object_end(w);
    }
    json_put_object_end(w);
}

static void cohere_put_rerank(const struct rerank_answer *a, const struct rerank_request *q,
                              const struct chat_reply *reply, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("id"), reply->id);
    put_results(&w, a, q);
    put_meta(&w, a);
    json_put_object_end(&w);
}

static void jina_put_rerank(const struct rerank_answer *a, const struct rerank_request *q,
                            const struct chat_reply *reply, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("id"), reply->id);
    json_put_member_str(&w, STR("object"), STR("list"));
    json_put_member_str(&w, STR("model"), reply->model);
    put_results(&w, a, q);
    json_put_member_object(&w, STR("usage"));
    uint64_t tokens = a->has_usage ? a->usage.prompt : reply->prompt_estimate;
    json_put_member_u64(&w, STR("prompt_tokens"), tokens);
    json_put_member_u64(&w, STR("total_tokens"), tokens);
    json_put_object_end(&w);
    put_meta(&w, a);
    json_put_object_end(&w);
}

const struct rerank_ops cohere_rerank = {
    .read = rerank_read, .put_answer = cohere_put_rerank, .write = rerank_write, .read_answer = cohere_read_rerank};
const struct rerank_ops jina_rerank = {
    .read = rerank_read, .put_answer = jina_put_rerank, .write = rerank_write, .read_answer = jina_read_rerank};
