// What a request would use and cost, for one model or many, before it is sent.
//
// Ownership: text of the body, the arena, the catalogue. Thread rule: pure; counts with the tokenizers, so what is long
// belongs on the worker pool. Units: tokens, nanodollars.
#ifndef MODEL_FORECAST_H
#define MODEL_FORECAST_H

#include "model/facts.h"
#include "model/prompt_tokens.h"
#include "model/request.h"

#define FORECAST_MODELS_MAX 5000

// A chat, completions or embeddings request as OpenAI has them, and beside it "models": a list of names, or "all". It
// then needs no "model".
struct forecast_request {
    enum operation operation;
    struct chat chat;    // OPERATION_CHAT
    struct str input;    // JSON: of the others
    uint64_t max_output; // 0 = it says nothing
    struct str *names;   // decoded; none with all
    size_t name_count;
    bool all;
};
// *out_models and the names live in the arena. Errors as of reading a request; ERR_MISSING_FIELD without any model.
NODISCARD bool forecast_read(struct str body, unsigned depth, struct arena *arena, struct forecast_request *out_request,
                             struct err *err);
// Whether a model may be meant by "all" models for the request.
bool forecast_fits_mode(const struct forecast_request *request, enum model_mode mode);

struct forecast_range {
    uint64_t low, expected, high;
};
struct forecast_model {
    struct str name;     // as asked for
    struct str provider; // or empty
    struct str upstream; // what the provider calls it
    struct model_entry facts;
    uint64_t observed; // how long its answers have been; 0 = there were none
};
struct forecast {
    const struct forecast_model *model;
    struct prompt_tokens input;
    struct str tokenizer;
    struct forecast_range output, cost;
    bool cost_known;
    bool fits; // its context window, as far as that is known
};
// For each model; in the order of expected cost, what is not known last. otherwise: tokens that an answer is taken to
// have of a model that nothing is known of. NULL: out of memory.
struct forecast *forecast_make(const struct forecast_request *request, const struct forecast_model *models, size_t n,
                               uint64_t otherwise, struct arena *arena);
// Adds what another request would use, of the same model.
void forecast_add(struct forecast *sum, const struct forecast *one);
void forecast_sort(struct forecast *list, size_t n);

// An object.
struct json_writer;
void forecast_put(struct json_writer *w, const struct forecast *forecast);

#endif
