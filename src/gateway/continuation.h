// A stream that has broken off in the middle of its text, gone on with by another target: one message to the client.
//
// An answer that may need it is read into events and written anew, also where both speak the same dialect. What the
// broken part has used is in a record of its own, with its own provider; the client is told the sum.
//
// Ownership: part of the call. Thread rule: the call's loop.
#ifndef GATEWAY_CONTINUATION_H
#define GATEWAY_CONTINUATION_H

#include "model/usage.h"
#include "net/http.h"

struct attempt;
struct call;
struct chat;
struct chat_target;
struct err;

struct continuation {
    unsigned count;    // how often another target has gone on with the answer
    bool pending;      // one is to, and has brought nothing yet
    struct str skip;   // white space that it was not shown
    uint64_t events;   // told before it
    size_t calls;      // in records of their own, as what follows
    struct usage used; // in all of them, and told with the answer's own
    uint64_t tokens, cost_nano;
};

// Whether the stream that begins is one that can be gone on with: its request is plain, and it is configured.
bool continuation_wanted(struct call *call);
// Whether another target may go on now.
bool continuation_may(const struct call *call);
// What the target that broke off has used gets its record. Before its attempt is ended.
void continuation_count(struct call *call);
// The client gets what there is; what comes next is another target's.
void continuation_go(struct call *call);
// The conversation with the answer so far, for that target.
NODISCARD bool continuation_chat(struct call *call, const struct chat_target *target, const struct chat **io_chat,
                                 struct err *err);
// Its stream has begun.
NODISCARD bool continuation_begin(struct call *call, struct err *err);

#endif
