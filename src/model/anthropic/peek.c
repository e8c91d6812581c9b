// A request in Anthropic's dialect as routing and metering see it, and the spans that change on its way to a provider
// of the same dialect.
#include "base/json_edit.h"
#include "model/anthropic/anthropic.h"

#include "model/provider.h"

#define MODEL_NAME_MAX 256

bool anthropic_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                    struct err *err) {
    enum { MODEL, MESSAGES, STREAM, MAX_TOKENS, STRICT, METADATA, ASK };
    struct json_field f[] = {
        [MODEL] = {.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [MESSAGES] = {.name = STR_INIT("messages"), .kinds = JSON_IS(JSON_ARRAY), .required = true},
        [STREAM] = {.name = STR_INIT("stream"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [MAX_TOKENS] = {.name = STR_INIT("max_tokens"), .kinds = JSON_IS(JSON_NUMBER) | JSON_OR_NULL},
        [STRICT] = {.name = STR_INIT("strict"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [METADATA] = {.name = STR_INIT("metadata")},
        // What asks for more than text, besides parts of messages, which have a "type".
        [ASK] = {.name = STR_INIT("tools")},
        {.name = STR_INIT("thinking")},
        {.name = STR_INIT("output_config")},
        {.name = STR_INIT("output_format")},
    };
    struct model_request q = {.operation = in->operation, .dialect = DIALECT_ANTHROPIC, .body = str_trim(in->body)};
    struct json_reader r;
    if (in->body.n == 0) return err_set(err, ERR_INVALID_JSON, "the body is empty; a JSON object was expected");
    json_reader_init(&r, in->body, in->depth);
    if (!json_object_scan(&r, f, ARRAY_LEN(f), err) || !json_end(&r, err)) return false;
    if (!json_string_text(f[MODEL].raw, arena, &q.model)) return err_no_memory(err);
    if (q.model.n == 0 || q.model.n > MODEL_NAME_MAX) {
        err_set(err, ERR_INVALID_FIELD, "\"model\" must be a name of 1 to %d bytes", MODEL_NAME_MAX);
        memcpy(err->param, "model", sizeof "model");
        return false;
    }
    for (size_t i = ASK; i < ARRAY_LEN(f); i++) q.asks |= f[i].found;
    q.model_raw = f[MODEL].raw;
    q.input = f[MESSAGES].raw;
    q.metadata = f[METADATA].raw;
    q.strict = f[STRICT].raw;
    q.strict_member = f[STRICT].member;
    q.stream = in->operation == OPERATION_CHAT && f[STREAM].found && f[STREAM].raw.p[0] == 't';
    uint64_t max;
    if (f[MAX_TOKENS].found && json_raw_u64(f[MAX_TOKENS].raw, &max)) q.max_output = MIN(max, MODEL_OUTPUT_MAX);
    *out_request = q;
    return true;
}

// Whether the body says "max_tokens": the span of a null that is to be replaced, or nothing.
static bool says_max(struct str body, struct str *out_null) {
    struct json_field f[] = {{.name = STR_INIT("max_tokens")}};
    struct err ignored;
    *out_null = STR_NONE;
    if (!json_scan(body, f, 1, &ignored) || !f[0].found) return false;
    if (f[0].kind == JSON_NULL) *out_null = f[0].raw;
    return true;
}

static bool edit_max(const struct model_request *q, const struct chat_target *target, struct arena *arena,
                     struct json_edits *e) {
    struct str null;
    bool said = says_max(q->body, &null);
    if (said && !null.p) return true;
    struct str number = arena_printf(arena, "%llu", (unsigned long long)anthropic_max_tokens(target));
    struct str member = arena_printf(arena, "\"max_tokens\":%.*s", STR_ARG(number));
    if (null.p)
        json_edit_replace(e, null, number);
    else
        json_edit_insert(e, q->body, member);
    return number.n && member.n;
}

bool anthropic_on_vertex(const struct chat_target *target) {
    return target->traits && target->traits->kind == PROVIDER_VERTEX;
}

// Vertex AI wants the version in the body, and the model in the path alone.
static bool edit_for_vertex(const struct model_request *q, struct json_edits *e, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("model")}, {.name = STR_INIT("anthropic_version")}};
    if (!json_scan(q->body, f, ARRAY_LEN(f), err)) return false;
    if (f[0].found) json_edit_delete(e, f[0].member);
    if (!f[1].found) json_edit_insert(e, q->body, STR("\"anthropic_version\":\"" ANTHROPIC_VERTEX_VERSION "\""));
    return true;
}

bool anthropic_rewrite(const struct model_request *q, const struct chat_target *target, struct arena *arena,
                       struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    struct json_edits e;
    json_edits_init(&e, q->body);
    if (q->operation == OPERATION_CHAT && anthropic_on_vertex(target)) {
        if (!edit_for_vertex(q, &e, err)) return false;
    } else if (q->renamed || !str_eq(target->model, q->model)) {
        struct str name = chat_quote(arena, target->model);
        if (!name.p) return err_no_memory(err);
        json_edit_replace(&e, q->model_raw, name);
    }
    if (q->strict_member.p) json_edit_delete(&e, q->strict_member);
    // max_output 0 may also be a "max_tokens": 0, which warms the cache.
    if (q->operation == OPERATION_CHAT && !q->max_output && !edit_max(q, target, arena, &e)) return err_no_memory(err);
    return json_edits_slices(&e, out_slices, out_count, err);
}
