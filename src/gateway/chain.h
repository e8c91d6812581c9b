// A model that is a chain: each of its steps is a request of this server's own, in the name of the caller's key; the
// answer of one of them becomes the call's, translated into the client's dialect.
//
//   the client's request → step → step → … → the answer
//
// A step that the answer comes from is streamed as it comes when it is the last one; what comes from an earlier step is
// told when all are done.
//
// Ownership: begun by stage_call, belongs to the call, and outlives it for a moment when a step is under way and cannot
// be given up at once. Thread rule: the call's loop. Units: ns; money in nanodollars. Errors: ERR_UNSUPPORTED for what
// is no conversation; a step's failure is the call's where its policy says so.
#ifndef GATEWAY_CHAIN_H
#define GATEWAY_CHAIN_H

#include "gateway/pipeline.h"

struct chain;

// What a step told of itself, once its answer is complete.
struct inner_told {
    struct usage usage;
    uint64_t cost_nano;
    bool cost_known;
    const char *error; // err_info()->wire_code, or NULL
    char upstream[96]; // "provider/model"
};
// The limits of a step, and what is told of it. Of struct inner_caller.
struct inner_step {
    uint64_t max_nano; // 0: any
    struct inner_told told;
};

static inline bool call_is_chain(const struct call *call) { return call->route.model && call->route.model->chain.n; }

// In place of choosing targets, for a model that is a chain. False: it is asked for something else than a chat, or from
// within a chain.
NODISCARD bool chain_route(struct call *call, const struct conf_model *model, struct err *err);
// Whether one of its steps is asked for such a request: what its condition says.
bool chain_wants(const struct call *call, const struct conf_step *step);
// In place of the call to a provider.
enum stage_result chain_begin(struct call *call, struct err *err);
// Gives up the step that is under way.
void chain_stop(struct call *call);
void chain_free(struct call *call);
// The client has caught up.
void chain_resume(struct call *call);

// What all steps but the one whose answer it is have used; NULL: there is no chain.
const struct usage *chain_spent(const struct call *call);
// "plan=gpt-4o-mini 1.2s 300t; draft=…"; empty: there is no chain.
struct str chain_trace(struct call *call);

// Of a step's call.
// Whether it may cost what it is expected to.
NODISCARD bool inner_step_admits(struct call *call, struct err *err);
void inner_step_tell(const struct call *call);

#endif
