// Embeddings of Cohere's.
#include "model/cohere/cohere.h"

// Every call has to say what the vectors are for.
#define PURPOSE STR("\"search_document\"")

static bool embed_write(const struct embed_request *q, const struct chat_target *target, struct arena *arena,
                        struct buf *out, struct chat_report *report, struct err *err) {
    struct chat_path top = chat_path_of("%s", "");
    struct json_writer w;
    (void)arena;
    chat_drop_given(report, STR("title"), q->title);
    chat_drop_given(report, STR("user"), q->user);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), target->model);
    json_put_member_array(&w, STR("texts"));
    for (size_t i = 0; i < q->count; i++) {
        if (!q->inputs[i].text.p) return chat_wrong(err, &top, "input", "must be text: this provider takes no tokens");
        json_put_raw(&w, q->inputs[i].text);
    }
    json_put_array_end(&w);
    json_put_member_raw(&w, STR("input_type"), q->purpose.p ? q->purpose : PURPOSE);
    json_put_member_raw(&w, STR("embedding_types"), q->base64 ? STR("[\"base64\"]") : STR("[\"float\"]"));
    if (q->dimensions) json_put_member_u64(&w, STR("output_dimension"), q->dimensions);
    // Ollama says yes or no, where Cohere says at which end.
    if (q->truncate.p && json_raw_kind(q->truncate) == JSON_STRING)
        json_put_member_raw(&w, STR("truncate"), q->truncate);
    else if (q->truncate.p && json_raw_kind(q->truncate) == JSON_BOOL)
        json_put_member_str(&w, STR("truncate"), q->truncate.p[0] == 't' ? STR("END") : STR("NONE"));
    json_put_object_end(&w);
    return !out->failed || err_no_memory(err);
}

static bool add_vector(void *arg, size_t index, struct str raw, struct err *err) {
    struct embed_answer *out = arg;
    (void)index;
    if (json_raw_kind(raw) != (out->base64 ? JSON_STRING : JSON_ARRAY))
        return err_set(err, ERR_UPSTREAM_INVALID, "the provider's embeddings are not what was asked for");
    out->vectors[out->count++] = raw;
    return true;
}

static bool embed_read_answer(struct str body, struct arena *arena, struct embed_answer *out, struct err *err) {
    struct str list;
    *out = (struct embed_answer){0};
    if (!json_validate(body, 0, err)) {
        err->code = ERR_UPSTREAM_INVALID;
        err->status = err_info(ERR_UPSTREAM_INVALID)->status;
        return err_wrap(err, "the provider's answer");
    }
    bool found = JSON_GET(body, &list, STR("embeddings"), STR("float"));
    if (!found) {
        found = JSON_GET(body, &list, STR("embeddings"), STR("base64"));
        out->base64 = found;
    }
    if (!found || json_raw_kind(list) != JSON_ARRAY)
        return err_set(err, ERR_UPSTREAM_INVALID, "the provider's answer has no embeddings");
    out->vectors = ARENA_ARRAY(arena, struct str, chat_count(list) + 1);
    if (!out->vectors) return err_no_memory(err);
    out->has_usage = cohere_usage_of(body, &out->usage);
    return chat_each(list, add_vector, out, err);
}

const struct embed_ops cohere_embed = {.max_inputs = 96, .write = embed_write, .read_answer = embed_read_answer};
