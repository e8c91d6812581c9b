// A chain from inside, for the files chain*.c.
#ifndef GATEWAY_CHAIN_IMPL_H
#define GATEWAY_CHAIN_IMPL_H

#include "gateway/chain.h"
#include "net/http_inner.h"

enum step_state { STEP_WAITING, STEP_RUNNING, STEP_DONE, STEP_LEFT_OUT, STEP_FAILED };

struct step {
    enum step_state state;
    struct str model;    // asked last
    struct str text;     // its answer, decoded
    const char *error;   // why it failed
    uint64_t ns, tokens; // that it took
    bool known;          // what it cost is
};

struct chain {
    struct call *call; // NULL: it is gone
    struct gateway_loop *gl;
    const struct conf_model *model;
    struct step steps[CONF_STEPS_MAX];
    size_t at;                   // the step in turn
    bool fell;                   // its fallback is asked
    bool late;                   // its time was over
    bool last_call;              // the time of the step under way is that of the whole chain
    bool streaming;              // its answer goes to the client as it comes
    bool taking;                 // a piece of it is being handed on
    bool posted;                 // the task is
    bool over;                   // the step is: its answer is in body
    bool stopped;                // the call is: nothing more is begun
    struct http_inner *inner;    // under way; NULL: none
    struct inner_caller caller;  // of all steps
    struct inner_step limits;    // of the one under way
    struct buf asked;            // its body
    struct http_field fields[8]; // that go along
    size_t field_count;
    int status;
    struct buf body;   // its answer
    struct buf answer; // that of the step whose answer it is
    struct timer timer;
    struct task task;
    uint64_t step_ns, end_ns;   // when the step began; when all must be done, UINT64_MAX: never
    struct usage all, answered; // of all steps; of the one whose answer is in `answer`
    struct usage before;        // of all but that, once its answer is told
    uint64_t cost_nano;
    bool cost_known;
    struct arena arena;
};

// Writes the request of the step in turn to c->asked.
NODISCARD bool chain_ask(struct chain *c, struct str model, bool stream, struct err *err);
// The text of a chat completion, in the chain's arena. False: it is no answer.
NODISCARD bool chain_text(struct chain *c, struct str body, struct str *out_text);
// Whether the client's request asks for a stream that the step in turn can give.
static inline bool chain_streams(const struct chain *c) {
    bool last = c->at == c->model->chain_answer && c->at + 1 == c->model->chain.n;
    return last && !c->model->chain.p[c->at].pass.n && c->call->request.stream;
}

#endif
