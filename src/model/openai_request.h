// A request in OpenAI's dialect, read without a tree: what routing and metering need, and the edits an upstream needs.
//
// Source: OpenAI API reference (chat/completions, completions, embeddings). Ownership: slices of the body or of the
// arena. Thread rule: pure. Errors: ERR_INVALID_JSON, ERR_MISSING_FIELD, ERR_INVALID_FIELD with err->param.
#ifndef MODEL_OPENAI_REQUEST_H
#define MODEL_OPENAI_REQUEST_H

#include "base/json_edit.h"
#include "base/json_read.h"

enum openai_endpoint { OPENAI_CHAT, OPENAI_COMPLETIONS, OPENAI_EMBEDDINGS };

struct openai_request {
    enum openai_endpoint endpoint;
    struct str body;  // the JSON object, without white space around it
    struct str model; // decoded
    bool stream;
    bool wants_usage;                                    // the client asked for usage in the stream itself
    bool renamed;                                        // model is another than the body's: it was changed on the way
    uint64_t max_output;                                 // tokens that all of its answers may have; 0 = it says nothing
    struct str input;                                    // raw: messages, prompt or input
    struct str model_raw, stream_options, include_usage; // raw; p is NULL when absent
};

// The whole body is validated.
NODISCARD bool openai_request_read(enum openai_endpoint endpoint, struct str body, unsigned max_depth,
                                   struct arena *arena, struct openai_request *out_request, struct err *err);

struct openai_rewrite {
    struct str model; // what the upstream calls it
    bool ask_usage;   // have a stream tell its usage at the end
};
// The body for the upstream as slices of the old one and of the arena; everything else stays byte for byte.
NODISCARD bool openai_request_rewrite(const struct openai_request *request, const struct openai_rewrite *rewrite,
                                      struct arena *arena, struct str out_slices[JSON_EDIT_SLICES_MAX],
                                      size_t *out_count, struct err *err);
// OPENAI_OUTPUT_MAX is the largest that max_output gets, whatever the request says.
#define OPENAI_OUTPUT_MAX ((uint64_t)1 << 32)
// A guess at the input's tokens for when the upstream gives no count: a quarter of the bytes, rounded up.
uint64_t openai_request_estimate(const struct openai_request *request);

#endif
