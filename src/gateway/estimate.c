// A running mean of output tokens for each model.
#include "gateway/estimate.h"

#define SIXTEENTHS 16
#define WEIGHT 8 // the newest answer counts an eighth

static uint64_t tag_of(struct str model) { return hash_bytes(model, 0x70656e73746f636bULL) | 1; }

uint64_t estimate_output(const struct estimates *e, const struct model_request *request, uint64_t otherwise) {
    if (request->operation == OPERATION_EMBEDDINGS) return 0;
    return request->max_output ? request->max_output : estimate_length(e, request, otherwise);
}

uint64_t estimate_length(const struct estimates *e, const struct model_request *request, uint64_t otherwise) {
    uint64_t tag = tag_of(request->model), i = tag / 2 % ESTIMATE_SLOTS;
    if (e->slots[i].tag != tag) return otherwise;
    return (e->slots[i].mean + SIXTEENTHS - 1) / SIXTEENTHS;
}

void estimate_learn(struct estimates *e, struct str model, uint64_t output) {
    uint64_t tag = tag_of(model), i = tag / 2 % ESTIMATE_SLOTS, now = MIN(output, MODEL_OUTPUT_MAX) * SIXTEENTHS;
    // A model that shares the slot takes it over: what is lost is a guess.
    if (e->slots[i].tag != tag) {
        e->slots[i].tag = tag;
        e->slots[i].mean = now;
        return;
    }
    e->slots[i].mean = (e->slots[i].mean * (WEIGHT - 1) + now + WEIGHT / 2) / WEIGHT;
}
