// What routing needs to know of a request in Ollama's dialect.
#include "model/ollama/ollama.h"

// "num_predict": -1 and -2 set no limit.
static uint64_t output_limit(struct str options) {
    struct str raw;
    double v;
    if (!options.p || json_raw_kind(options) != JSON_OBJECT) return 0;
    if (!JSON_GET(options, &raw, STR("num_predict")) || !json_raw_double(raw, &v) || v < 1) return 0;
    return v >= (double)MODEL_OUTPUT_MAX ? MODEL_OUTPUT_MAX : (uint64_t)v;
}

static bool read_name(struct str raw, struct arena *arena, struct str *out_name, struct err *err) {
    if (!json_string_text(raw, arena, out_name)) return err_no_memory(err);
    if (out_name->n >= 1 && out_name->n <= 256) return true;
    struct chat_path top = chat_path_of("%s", "");
    return chat_wrong(err, &top, "model", "must be a name of 1 to 256 bytes");
}

enum { MODEL, STREAM, OPTIONS, INPUT, STRICT, FIELDS };

static bool peek(const struct model_request_in *in, struct json_field fields[FIELDS], enum dialect dialect,
                 struct arena *arena, struct model_request *out_request, struct err *err) {
    struct json_reader r;
    if (in->body.n == 0) return err_set(err, ERR_INVALID_JSON, "the body is empty; a JSON object was expected");
    json_reader_init(&r, in->body, in->depth);
    if (!json_object_scan(&r, fields, FIELDS, err) || !json_end(&r, err)) return false;
    struct model_request q = {.operation = in->operation, .dialect = dialect, .body = str_trim(in->body)};
    q.model_raw = fields[MODEL].raw;
    if (!read_name(fields[MODEL].raw, arena, &q.model, err)) return false;
    q.input = chat_given(&fields[INPUT]);
    q.strict = fields[STRICT].raw;
    q.strict_member = fields[STRICT].member;
    if (in->operation == OPERATION_EMBEDDINGS) {
        q.inputs = fields[INPUT].kind == JSON_ARRAY ? chat_count(q.input) : 1;
    } else {
        q.stream = chat_flag(&fields[STREAM]) != 0;
        q.max_output = output_limit(chat_given(&fields[OPTIONS]));
    }
    *out_request = q;
    return true;
}

#define MODEL_FIELD                                                                                                    \
    { .name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING), .required = true }
#define STREAM_FIELD                                                                                                   \
    { .name = STR_INIT("stream"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL }
#define STRICT_FIELD                                                                                                   \
    { .name = STR_INIT("strict") }
#define OPTIONS_FIELD                                                                                                  \
    { .name = STR_INIT("options"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL }

bool ollama_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                 struct err *err) {
    bool embed = in->operation == OPERATION_EMBEDDINGS;
    struct json_field fields[] = {
        [MODEL] = MODEL_FIELD,
        [STREAM] = STREAM_FIELD,
        [OPTIONS] = OPTIONS_FIELD,
        [STRICT] = STRICT_FIELD,
        [INPUT] = {.name = embed ? STR("input") : STR("messages"),
                   .kinds = JSON_IS(JSON_ARRAY) | (embed ? JSON_IS(JSON_STRING) : JSON_OR_NULL),
                   .required = embed},
    };
    return peek(in, fields, DIALECT_OLLAMA, arena, out_request, err);
}

bool ollama_generate_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                          struct err *err) {
    struct json_field fields[] = {
        [MODEL] = MODEL_FIELD,
        [STREAM] = STREAM_FIELD,
        [OPTIONS] = OPTIONS_FIELD,
        [STRICT] = STRICT_FIELD,
        [INPUT] = {.name = STR_INIT("prompt"),
                   .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL,
                   .required = in->operation == OPERATION_EMBEDDINGS},
    };
    return peek(in, fields, DIALECT_OLLAMA_GENERATE, arena, out_request, err);
}
