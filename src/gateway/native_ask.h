// Asks a provider outside of calls, for the thread of batches: for its files and its batches.
//
// One exchange each, on an event loop, with the provider's own address and credentials as the configuration in force
// has them.
//
// Ownership: who makes one frees it, after it is done or its loop has ended. Thread rule: native_ask_post: the thread
// that made it; `done` is set on the loop, and after it the answer is that thread's. Units: bytes. Errors: in err, with
// status 0: there was no answer, or not the whole of it.
#ifndef GATEWAY_NATIVE_ASK_H
#define GATEWAY_NATIVE_ASK_H

#include "gateway/gateway.h"

#define NATIVE_ASK_BODY 3
struct native_ask {
    // Asked for.
    struct str method, type; // type of the body; constant texts, or the arena's
    struct str provider;     // by name
    struct str target;       // below its address: "/batches"
    struct str body[NATIVE_ASK_BODY];
    size_t n_body;
    struct arena arena; // for these texts
    struct buf upload;  // what the body may lie in
    // Answered.
    atomic_bool done;
    int status;
    struct buf answer;
    struct err err;
    // On the loop.
    struct batches *batches; // woken when it is done
    struct gateway_loop *gl;
    struct task task;
    struct runtime *runtime;
    struct http_exchange *x;
    struct native_ask *next, **prev;
};

struct native_ask *native_ask_new(size_t max_answer); // NULL: no memory
void native_ask_free(struct native_ask *ask);         // NULL is fine
void native_ask_post(struct native_ask *ask, struct batches *batches, struct gateway_loop *gl);
// Gives up those under way: the loop ends.
void native_asks_stop(struct gateway_loop *gl);

#endif
