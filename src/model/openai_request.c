// A request in OpenAI's dialect, read without a tree.
#include "model/openai_request.h"

#include "base/json_write.h"
#include "base/scan.h"

static const struct str k_input_name[] = {
    [OPENAI_CHAT] = STR_INIT("messages"),
    [OPENAI_COMPLETIONS] = STR_INIT("prompt"),
    [OPENAI_EMBEDDINGS] = STR_INIT("input"),
};
static const unsigned k_input_kinds[] = {
    [OPENAI_CHAT] = JSON_IS(JSON_ARRAY),
    [OPENAI_COMPLETIONS] = JSON_IS(JSON_STRING) | JSON_IS(JSON_ARRAY) | JSON_OR_NULL,
    [OPENAI_EMBEDDINGS] = JSON_IS(JSON_STRING) | JSON_IS(JSON_ARRAY),
};

static bool read_model(struct openai_request *q, const struct json_field *field, struct arena *arena, struct err *err) {
    q->model_raw = field->raw;
    if (!json_string_text(field->raw, arena, &q->model)) return err_no_memory(err);
    if (q->model.n == 0 || q->model.n > 256) {
        err_set(err, ERR_INVALID_FIELD, "\"model\" must be a name of 1 to 256 bytes");
        memcpy(err->param, "model", sizeof "model");
        return false;
    }
    return true;
}

static bool read_stream_options(struct openai_request *q, const struct json_field *field, struct err *err) {
    if (field->kind != JSON_OBJECT) return true;
    struct json_field sub[] = {{.name = STR_INIT("include_usage"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL}};
    if (!json_scan(field->raw, sub, 1, err)) return err_wrap(err, "\"stream_options\"");
    q->stream_options = field->raw;
    q->include_usage = sub[0].raw;
    q->wants_usage = sub[0].found && sub[0].kind == JSON_BOOL && sub[0].raw.p[0] == 't';
    return true;
}

// What is no number is the provider's to refuse.
static uint64_t number_of(const struct json_field *field) {
    struct json_reader r;
    uint64_t v;
    if (!field->found || field->kind != JSON_NUMBER) return 0;
    json_reader_init(&r, field->raw, 1);
    return json_u64(&r, &v) ? MIN(v, OPENAI_OUTPUT_MAX) : 0;
}

static uint64_t output_limit(const struct json_field *newer, const struct json_field *older,
                             const struct json_field *choices) {
    uint64_t each = number_of(newer), n = number_of(choices);
    if (!each) each = number_of(older);
    return n > 1 ? MIN(each * MIN(n, (uint64_t)1024), OPENAI_OUTPUT_MAX) : each;
}

bool openai_request_read(enum openai_endpoint endpoint, struct str body, unsigned max_depth, struct arena *arena,
                         struct openai_request *out_request, struct err *err) {
    enum { MODEL, STREAM, OPTIONS, INPUT, MAX_COMPLETION, MAX_TOKENS, CHOICES };
    struct json_field fields[] = {
        [MODEL] = {.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [STREAM] = {.name = STR_INIT("stream"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [OPTIONS] = {.name = STR_INIT("stream_options"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [INPUT] = {.name = k_input_name[endpoint],
                   .kinds = k_input_kinds[endpoint],
                   .required = endpoint != OPENAI_COMPLETIONS},
        [MAX_COMPLETION] = {.name = STR_INIT("max_completion_tokens")},
        [MAX_TOKENS] = {.name = STR_INIT("max_tokens")},
        [CHOICES] = {.name = STR_INIT("n")},
    };
    struct openai_request q = {.endpoint = endpoint};
    struct json_reader r;
    if (body.n == 0) return err_set(err, ERR_INVALID_JSON, "the body is empty; a JSON object was expected");
    json_reader_init(&r, body, max_depth);
    if (!json_object_scan(&r, fields, ARRAY_LEN(fields), err) || !json_end(&r, err)) return false;
    q.body = str_trim(body);
    q.input = fields[INPUT].raw;
    q.stream = fields[STREAM].found && fields[STREAM].kind == JSON_BOOL && fields[STREAM].raw.p[0] == 't';
    if (endpoint == OPENAI_EMBEDDINGS)
        q.stream = false;
    else
        q.max_output = output_limit(&fields[MAX_COMPLETION], &fields[MAX_TOKENS], &fields[CHOICES]);
    if (!read_model(&q, &fields[MODEL], arena, err)) return false;
    if (fields[OPTIONS].found && !read_stream_options(&q, &fields[OPTIONS], err)) return false;
    if (!q.stream_options.p && fields[OPTIONS].found) q.stream_options = fields[OPTIONS].raw;
    *out_request = q;
    return true;
}

static struct str quoted(struct arena *arena, struct str text) {
    struct buf b = BUF_INIT(8192);
    struct json_writer w;
    json_writer_init(&w, &b);
    json_put_str(&w, text);
    struct str out = b.failed ? STR_NONE : arena_str(arena, buf_str(&b));
    buf_free(&b);
    return out;
}

#define USAGE_MEMBER "\"include_usage\":true"

static void edit_usage(const struct openai_request *q, struct json_edits *e) {
    if (!q->stream || q->wants_usage) return;
    if (q->include_usage.p)
        json_edit_replace(e, q->include_usage, STR("true"));
    else if (!q->stream_options.p)
        json_edit_insert(e, q->body, STR("\"stream_options\":{" USAGE_MEMBER "}"));
    else if (q->stream_options.p[0] == '{')
        json_edit_insert(e, q->stream_options, STR(USAGE_MEMBER));
    else
        json_edit_replace(e, q->stream_options, STR("{" USAGE_MEMBER "}"));
}

bool openai_request_rewrite(const struct openai_request *q, const struct openai_rewrite *rewrite, struct arena *arena,
                            struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    struct json_edits e;
    json_edits_init(&e, q->body);
    if (q->renamed || !str_eq(rewrite->model, q->model)) {
        struct str name = quoted(arena, rewrite->model);
        if (!name.p) return err_no_memory(err);
        json_edit_replace(&e, q->model_raw, name);
    }
    if (rewrite->ask_usage) edit_usage(q, &e);
    return json_edits_slices(&e, out_slices, out_count, err);
}

uint64_t openai_request_estimate(const struct openai_request *q) { return (q->input.n + 3) / 4; }
