// How much a request will use, before anybody has counted: guesses that learn from the answers of each model.
//
// Ownership: plain values. Thread rule: each belongs to one loop.
#ifndef GATEWAY_ESTIMATE_H
#define GATEWAY_ESTIMATE_H

#include "base/hash.h"
#include "model/request.h"
#include "model/usage.h"

#define ESTIMATE_SLOTS 256

struct estimates {
    struct {
        uint64_t tag;  // of the model's name; 0 = free
        uint64_t mean; // of its outputs, in sixteenths of a token
    } slots[ESTIMATE_SLOTS];
};

// What the request sets as its limit; else how long that model's answers have been on average, `otherwise` before there
// were any. Embeddings: 0.
uint64_t estimate_output(const struct estimates *e, const struct model_request *request, uint64_t otherwise);
// How long that model's answers have been on average, whatever the request allows.
uint64_t estimate_length(const struct estimates *e, const struct model_request *request, uint64_t otherwise);
// An answer of the model had so many tokens.
void estimate_learn(struct estimates *e, struct str model, uint64_t output);

#endif
