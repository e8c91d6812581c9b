// A Responses request without a tree: what routing and metering need, and the body for a provider that speaks the same.
#include "model/responses/responses.h"

static bool is_true(const struct json_field *f) { return f->found && f->kind == JSON_BOOL && f->raw.p[0] == 't'; }

static uint64_t output_limit(const struct json_field *f) {
    uint64_t v;
    return f->found && f->kind == JSON_NUMBER && json_raw_u64(f->raw, &v) ? MIN(v, MODEL_OUTPUT_MAX) : 0;
}

bool responses_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                    struct err *err) {
    enum { MODEL, STREAM, INPUT, MAX, BACKGROUND, CONVERSATION, PREVIOUS, STORE, OPTIONS, STRICT, METADATA };
    struct json_field f[] = {
        [MODEL] = {.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [STREAM] = {.name = STR_INIT("stream"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [INPUT] = {.name = STR_INIT("input"), .kinds = JSON_IS(JSON_STRING) | JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
        [MAX] = {.name = STR_INIT("max_output_tokens")},
        [BACKGROUND] = {.name = STR_INIT("background"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [CONVERSATION] = {.name = STR_INIT("conversation")},
        [PREVIOUS] = {.name = STR_INIT("previous_response_id"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [STORE] = {.name = STR_INIT("store"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [OPTIONS] = {.name = STR_INIT("stream_options"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [STRICT] = {.name = STR_INIT("strict"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [METADATA] = {.name = STR_INIT("metadata")},
    };
    struct model_request q = {.operation = in->operation, .dialect = DIALECT_RESPONSES};
    struct json_reader r;
    if (in->body.n == 0) return err_set(err, ERR_INVALID_JSON, "the body is empty; a JSON object was expected");
    json_reader_init(&r, in->body, in->depth);
    if (!json_object_scan(&r, f, ARRAY_LEN(f), err) || !json_end(&r, err)) return false;
    if (is_true(&f[BACKGROUND]))
        return responses_wrong(err, "background",
                               "is not supported: responses are made while the client waits; leave it out");
    // A conversation is the provider's, for whoever has its key: callers of ours would see each other's.
    if (f[CONVERSATION].found && f[CONVERSATION].kind != JSON_NULL)
        return responses_wrong(err, "conversation",
                               "is not supported: use previous_response_id, or send the items themselves");
    q.body = str_trim(in->body);
    q.model_raw = f[MODEL].raw;
    if (!json_string_text(q.model_raw, arena, &q.model)) return err_no_memory(err);
    if (q.model.n == 0 || q.model.n > 256) return responses_wrong(err, "model", "must be a name of 1 to 256 bytes");
    q.stream = is_true(&f[STREAM]);
    q.wants_usage = true; // it is part of every answer
    q.input = f[INPUT].kind == JSON_NULL ? STR_NONE : f[INPUT].raw;
    q.max_output = output_limit(&f[MAX]);
    q.metadata = f[METADATA].raw;
    q.strict = f[STRICT].raw;
    q.strict_member = f[STRICT].member;
    *out_request = q;
    return true;
}

// --- for a provider that speaks the same ---

// Reasoning items whose secret is of another provider mean nothing to this one, and are refused.
static bool is_foreign(struct str item) {
    struct str secret = responses_string(item, STR("encrypted_content"));
    return str_starts(chat_inner(secret), STR(RESPONSES_MARK)) &&
           json_string_eq(responses_string(item, STR("type")), STR("reasoning"));
}

static bool own_input(struct str input, struct arena *arena, struct str *out_input, struct err *err) {
    struct str *items;
    size_t n;
    struct buf b = BUF_INIT(input.n + 2);
    if (!responses_array(input, &items, &n, arena)) return err_no_memory(err);
    buf_lit(&b, "[");
    for (size_t i = 0, put = 0; i < n; i++) {
        if (is_foreign(items[i])) continue;
        if (put++) buf_lit(&b, ",");
        buf_put(&b, items[i]);
    }
    buf_lit(&b, "]");
    *out_input = b.failed ? STR_NONE : arena_str(arena, buf_str(&b));
    buf_free(&b);
    return out_input->p || err_no_memory(err);
}

bool responses_rewrite(const struct model_request *q, const struct chat_target *target, struct arena *arena,
                       struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("previous_response_id")}};
    struct json_edits e;
    struct str with;
    json_edits_init(&e, q->body);
    if (q->renamed || !str_eq(target->model, q->model)) {
        with = chat_quote(arena, target->model);
        if (!with.p) return err_no_memory(err);
        json_edit_replace(&e, q->model_raw, with);
    }
    if (q->strict_member.p) json_edit_delete(&e, q->strict_member);
    // What it named is in the input by now.
    if (!json_scan(q->body, f, 1, err)) return false;
    if (f[0].found) json_edit_delete(&e, f[0].member);
    if (q->input.n && q->input.p[0] == '[' && str_find(q->input, STR("\"" RESPONSES_MARK)) < q->input.n) {
        if (!own_input(q->input, arena, &with, err)) return false;
        json_edit_replace(&e, q->input, with);
    }
    return json_edits_slices(&e, out_slices, out_count, err);
}
