// Embeddings in Ollama's dialect: /api/embed, and /api/embeddings, which takes one prompt.
#include "model/ollama/ollama.h"

static bool add_input(void *arg, size_t index, struct str raw, struct err *err) {
    struct embed_request *out = arg;
    struct chat_path path = chat_path_of("input[%zu]", index);
    if (json_raw_kind(raw) != JSON_STRING) return chat_wrong(err, &path, "", "must be a string");
    out->inputs[out->count++] = (struct embed_input){.text = raw};
    return true;
}

static bool too_many(struct err *err) {
    struct chat_path top = chat_path_of("%s", "");
    return chat_wrong(err, &top, "input", "must have 1 to 10000 texts");
}

static bool read_dimensions(const struct json_field *field, struct embed_request *out, struct err *err) {
    struct chat_path top = chat_path_of("%s", "");
    if (!chat_given(field).p) return true;
    if (json_raw_u64(field->raw, &out->dimensions) && out->dimensions <= 1 << 20) return true;
    return chat_wrong(err, &top, "dimensions", "must be a whole number");
}

static bool embed_read(const struct model_request *request, struct arena *arena, struct embed_request *out,
                       struct err *err) {
    enum { MODEL, INPUT, TRUNCATE, DIMENSIONS, OPTIONS, KEEP_ALIVE, STRICT };
    struct chat_path top = chat_path_of("%s", "");
    struct json_field f[] = {
        [MODEL] = {.name = STR_INIT("model")},
        [INPUT] = {.name = STR_INIT("input"), .kinds = JSON_IS(JSON_STRING) | JSON_IS(JSON_ARRAY), .required = true},
        [TRUNCATE] = {.name = STR_INIT("truncate"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [DIMENSIONS] = {.name = STR_INIT("dimensions"), .kinds = JSON_IS(JSON_NUMBER) | JSON_OR_NULL},
        // How the server is to run the model.
        [OPTIONS] = {.name = STR_INIT("options")},
        [KEEP_ALIVE] = {.name = STR_INIT("keep_alive")},
        [STRICT] = {.name = STR_INIT("strict")},
    };
    *out = (struct embed_request){0};
    if (!chat_scan(request->body, &top, f, ARRAY_LEN(f), err) || !read_dimensions(&f[DIMENSIONS], out, err))
        return false;
    chat_note_others(request->body, f, ARRAY_LEN(f), STR(""), arena,
                     (struct chat_names){out->others, &out->other_count});
    out->truncate = chat_given(&f[TRUNCATE]);
    out->single = f[INPUT].kind == JSON_STRING;
    size_t n = out->single ? 1 : chat_count(f[INPUT].raw);
    if (n < 1 || n > EMBED_INPUTS_MAX) return too_many(err);
    out->inputs = ARENA_ARRAY(arena, struct embed_input, n);
    if (!out->inputs) return err_no_memory(err);
    if (out->single) return add_input(out, 0, f[INPUT].raw, err);
    return chat_each(f[INPUT].raw, add_input, out, err);
}

static bool embeddings_read(const struct model_request *request, struct arena *arena, struct embed_request *out,
                            struct err *err) {
    struct chat_path top = chat_path_of("%s", "");
    struct json_field f[] = {
        {.name = STR_INIT("prompt"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("model")},
        {.name = STR_INIT("options")},
        {.name = STR_INIT("keep_alive")},
        {.name = STR_INIT("strict")},
    };
    *out = (struct embed_request){.single = true};
    if (!chat_scan(request->body, &top, f, ARRAY_LEN(f), err)) return false;
    chat_note_others(request->body, f, ARRAY_LEN(f), STR(""), arena,
                     (struct chat_names){out->others, &out->other_count});
    out->inputs = ARENA_NEW(arena, struct embed_input);
    if (!out->inputs) return err_no_memory(err);
    return add_input(out, 0, f[0].raw, err);
}

static void embed_put(const struct embed_answer *a, const struct embed_request *request, const struct chat_reply *reply,
                      struct buf *out) {
    (void)request;
    buf_lit(out, "{\"model\":\"");
    json_escape_put(out, reply->model);
    buf_lit(out, "\",\"embeddings\":[");
    for (size_t i = 0; i < a->count; i++) {
        if (i) buf_putc(out, ',');
        buf_put(out, a->vectors[i]);
    }
    buf_printf(out, "],\"total_duration\":%" PRIu64 ",\"load_duration\":0", reply->elapsed_ns);
    // Clients count on it, and not every provider tells.
    buf_printf(out, ",\"prompt_eval_count\":%" PRIu64 "}", a->has_usage ? a->usage.prompt : reply->prompt_estimate);
}

static void embeddings_put(const struct embed_answer *a, const struct embed_request *request,
                           const struct chat_reply *reply, struct buf *out) {
    (void)request, (void)reply;
    buf_lit(out, "{\"embedding\":");
    buf_put(out, a->count ? a->vectors[0] : STR("[]"));
    buf_putc(out, '}');
}

static bool embed_write(const struct embed_request *q, const struct chat_target *target, struct arena *arena,
                        struct buf *out, struct chat_report *report, struct err *err) {
    struct chat_path top = chat_path_of("%s", "");
    struct json_writer w;
    (void)arena;
    chat_drop_given(report, STR("input_type"), q->purpose);
    chat_drop_given(report, STR("title"), q->title);
    chat_drop_given(report, STR("user"), q->user);
    for (size_t i = 0; i < q->other_count; i++) chat_drop(report, q->others[i]);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), target->model);
    json_put_member_array(&w, STR("input"));
    for (size_t i = 0; i < q->count; i++) {
        if (!q->inputs[i].text.p) return chat_wrong(err, &top, "input", "must be text: this provider takes no tokens");
        json_put_raw(&w, q->inputs[i].text);
    }
    json_put_array_end(&w);
    if (q->dimensions) json_put_member_u64(&w, STR("dimensions"), q->dimensions);
    if (q->truncate.p && json_raw_kind(q->truncate) == JSON_BOOL) json_put_member_raw(&w, STR("truncate"), q->truncate);
    json_put_object_end(&w);
    return !out->failed || err_no_memory(err);
}

static bool add_vector(void *arg, size_t index, struct str raw, struct err *err) {
    struct embed_answer *out = arg;
    (void)index;
    if (json_raw_kind(raw) != JSON_ARRAY)
        return err_set(err, ERR_UPSTREAM_INVALID, "the provider's embeddings are no lists of numbers");
    out->vectors[out->count++] = raw;
    return true;
}

static bool embed_read_answer(struct str body, struct arena *arena, struct embed_answer *out, struct err *err) {
    struct json_field f[] = {
        {.name = STR_INIT("embeddings"), .kinds = JSON_IS(JSON_ARRAY), .required = true},
    };
    *out = (struct embed_answer){0};
    if (!json_scan(body, f, 1, err)) {
        err->code = ERR_UPSTREAM_INVALID;
        err->status = err_info(ERR_UPSTREAM_INVALID)->status;
        return err_wrap(err, "the provider's answer");
    }
    out->vectors = ARENA_ARRAY(arena, struct str, chat_count(f[0].raw) + 1);
    if (!out->vectors) return err_no_memory(err);
    out->has_usage = ollama_usage_of(body, &out->usage);
    return chat_each(f[0].raw, add_vector, out, err);
}

const struct embed_ops ollama_embed = {.read = embed_read,
                                       .put_answer = embed_put,
                                       .max_inputs = 512,
                                       .write = embed_write,
                                       .read_answer = embed_read_answer};
const struct embed_ops ollama_embeddings = {.read = embeddings_read, .put_answer = embeddings_put};
