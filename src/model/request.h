// A model call as the data path sees it, whatever its dialect: what routing and metering need to know of its body, read
// without a tree.
//
// Ownership: slices of the body or of the arena. Thread rule: pure data.
#ifndef MODEL_REQUEST_H
#define MODEL_REQUEST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json_edit.h"
#include "base/json_read.h"

enum dialect {
#define DIALECT(id, ops) DIALECT_##id,
#include "model/dialect.def"
#undef DIALECT
    DIALECT_COUNT
};

enum operation {
    OPERATION_CHAT,
    OPERATION_COMPLETIONS, // OpenAI's older form: a prompt, no turns
    OPERATION_EMBEDDINGS,
    OPERATION_RERANK,
    OPERATION_MODERATIONS,
    OPERATION_IMAGE,
    OPERATION_IMAGE_EDIT,
    OPERATION_IMAGE_VARIATION,
    OPERATION_SPEECH,
    OPERATION_TRANSCRIPTION,
    OPERATION_TRANSLATION, // of speech
    OPERATION_COUNT_TOKENS,
    OPERATION_PASSTHROUGH, // whatever the provider has, in its own words
    OPERATION_COUNT
};

struct model_request_in {
    enum operation operation;
    struct str body;
    struct str content_type; // of the body
    struct str model;        // from the path, decoded, where the dialect has it there; else empty
    struct str action;       // of Gemini's path: "streamGenerateContent"
    struct str query;        // of the target, without '?'
    unsigned depth;          // of JSON, at most
};

struct model_request {
    enum operation operation;
    enum dialect dialect;
    struct str body;  // the JSON object, without white space around it
    struct str model; // decoded
    bool stream;
    bool wants_usage;                                    // OpenAI: the client asked for usage in the stream itself
    struct str action;                                   // Gemini: of the path, "embedContent"; else empty
    bool array;                                          // Gemini: a stream is wanted as a JSON array
    bool renamed;                                        // model is another than the body's: it was changed on the way
    uint64_t max_output;                                 // tokens that all of its answers may have; 0 = it says nothing
    uint64_t choices;                                    // how many answers these are; 0 is one
    bool asks;                                           // a member asks for more than text: tools, reasoning, audio
    struct str input;                                    // raw: messages, prompt, input, contents
    uint64_t inputs;                                     // of embeddings: how many; else 0
    struct str model_raw, stream_options, include_usage; // raw; p is NULL when absent
    struct str boundary;                                 // of a multipart body; else p is NULL
    struct str metadata;                                 // raw: the client's own words on it; else p is NULL
    struct str strict, strict_member; // raw: the member "strict", which is ours, and its place for rewrite to take out
    struct str fallbacks, fallbacks_member; // likewise, of OpenAI's: an array
};

// The largest that max_output gets, whatever the request says.
#define MODEL_OUTPUT_MAX ((uint64_t)1 << 32)
// A guess at the input's tokens for when the upstream gives no count: a quarter of the bytes, rounded up.
static inline uint64_t model_request_estimate(const struct model_request *request) {
    return (request->input.n + 3) / 4;
}

#endif
