// Counting of tokens for calls: short texts at once, long ones on the worker pool.
//
// Ownership: a counting's pointers are to constants; the job copies the body. Thread rule: the call's loop; `make` runs
// on any thread. Errors: what `make` says.
#ifndef GATEWAY_COUNTING_H
#define GATEWAY_COUNTING_H

#include "gateway/pipeline.h"
#include "model/prompt_tokens.h"

#define COUNTING_ARENA 32 // bytes of arena for each of the body: a conversation of many short turns

struct counting {
    // Appends the answer's body. arena: for what is read of the request.
    bool (*make)(const struct counting *counting, struct str body, unsigned depth, struct arena *arena, struct buf *out,
                 struct err *err);
    const struct dialect_ops *dialect; // of the request, where it is a conversation
    enum operation operation;
    struct prompt_way way; // how its model counts
};

// A stage's whole work.
enum stage_result counting_answer(struct call *call, const struct counting *counting, struct err *err);

#endif
