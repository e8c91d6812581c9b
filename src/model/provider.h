// The providers: which dialects each speaks, where its operations are, and how far it differs from its dialect.
//
// One row a kind in provider.def; paths are the dialect's (dialect_ops.path).
// Ownership: constant data; results lie in the arena. Thread rule: pure.
#ifndef MODEL_PROVIDER_H
#define MODEL_PROVIDER_H

#include "conf/conf.h"
#include "model/catalog.h"
#include "model/dialect.h"

// How a server that speaks a dialect differs from its inventor.
struct provider_traits {
    enum provider_kind kind;
    enum dialect dialect;       // what it is spoken to in where the client's own cannot be
    uint32_t natives;           // 1 << dialect: what a client's bytes are passed through in
    uint32_t operations;        // 1 << operation it has, besides chat
    bool asks_usage;            // understands stream_options.include_usage
    bool max_completion_tokens; // takes that name (OpenAI), else max_tokens
    struct str reasoning; // member of messages and deltas with its thoughts: "reasoning_content", "reasoning"; or empty
    struct str refuses;   // members it refuses, separated by commas: "logit_bias,seed"
};
const struct provider_traits *provider_traits_get(enum provider_kind kind);
// The dialect in which this provider is spoken to: as configured, else as its kind says, and OpenAI's where base_url
// is a vendor's compatibility address.
enum dialect provider_dialect(const struct conf_provider *provider);
// How its key is sent: as the kind's own dialect has it, and as a compatibility address wants it.
enum provider_auth provider_auth_of(const struct conf_provider *provider);
// MODEL_CAN_… that all of its models have by the way they are asked, whatever they can by themselves: a JSON Schema is
// put to Anthropic's models, wherever they run, and to Bedrock's as a tool or in words.
unsigned provider_lends(const struct conf_provider *provider);
// Whether a client's bytes in `dialect` can be passed through.
bool provider_speaks(const struct conf_provider *provider, enum dialect dialect, enum operation operation);
// Whether this model is spoken to in OpenAI's Responses dialect alone, whatever its provider speaks else: those that
// only reason at length (o3-pro, gpt-5-codex, …) have no chat completions at OpenAI itself.
bool provider_only_responses(const struct conf_provider *provider, struct str model);

// Whether it has a batch API of its own, as OpenAI's: files of requests, answered within a day at a lower price.
bool provider_has_batches(const struct conf_provider *provider);

struct provider_call {
    const struct conf_provider *provider;
    enum operation operation;
    enum dialect dialect; // spoken to the provider
    bool stream;
    bool array;        // Gemini: a stream as a JSON array
    struct str action; // Gemini: as the client had it, where its body is passed through; else empty
    struct str model;  // decoded: what the provider calls it
};
// The request's target below the provider's address: "/v1/messages", "/v1beta/models/x:generateContent".
NODISCARD bool provider_target(const struct provider_call *call, struct arena *arena, struct str *out_target,
                               struct err *err);

// A model's name as a part of a path; p is NULL when it is too long.
struct str provider_model_escaped(struct str name, struct arena *arena);
// Of a model of Vertex AI: "/projects/P/locations/L/publishers/google/models/M:generateContent".
NODISCARD bool provider_vertex_path(const struct provider_call *call, struct str publisher, struct str model,
                                    struct str action, struct arena *arena, struct str *out_path, struct err *err);

#endif
