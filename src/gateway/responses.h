// Responses that clients go on from: what was before one is put into its request, and what came of it is kept.
//
// Ownership: struct previous is the call's, in its request's arena; responses_free gives back the rest. Thread rule:
// the call's loop; look-ups run on the worker pool. Errors: ERR_PREVIOUS_RESPONSE, ERR_NOT_FOUND, those of
// store/response.h.
#ifndef GATEWAY_RESPONSES_H
#define GATEWAY_RESPONSES_H

#include "gateway/call.h"
#include "govern/response_log.h"
#include "model/frame.h"

struct response_work;

struct previous {
    struct response_work *work; // under way; NULL: none
    struct response_work *done; // whose arena holds the body that is sent
    bool keep;                  // what comes of it is to be kept
    bool private;               // what was before was
    struct str id;              // previous_response_id, or empty
    struct str input;           // the items that the request itself brings
    struct framer framer;       // of the answer's stream
    bool framed;                // it is in use
    struct buf answer;          // the response object, once it has come
    unsigned tries;
};

// Parts of the answer, in their order, and its end: when the client has all but its last bytes.
void responses_add(struct call *call, const struct str *parts, size_t count);
void responses_end(struct call *call);
// The call is going; what is under way for it goes on without it.
void responses_free(struct call *call);

// --- for the stages ---

// Whose responses the call can see: "project:3", "user:7", "service_account:7", or "".
struct str responses_place(const struct call *call, struct arena *arena);

// What is to be looked up, and what was found. `run` is on a pool thread and may use the arena and the log alone.
struct response_work {
    struct work work;  // first
    struct call *call; // NULL: it has gone
    struct response_log *log;
    struct arena arena;
    struct response_ask ask;
    struct str body; // of a request that goes on
    size_t max_body; // of it with what was before
    struct str query;
    void (*look)(struct response_work *w);
    void (*found)(struct response_work *w); // on the loop, of a call that is still there, which has it from here on
    struct str out;
    bool private; // some of what was found is
    bool ok;
    struct err err;
};
// Makes one for the call; NULL without memory.
struct response_work *response_work_make(struct call *call, struct str name);
// The call waits for it.
NODISCARD bool response_work_start(struct response_work *w, struct err *err);
void response_work_free(struct response_work *w);

// The chain of responses that ends with this one, the newest first.
struct response_chain {
    struct response_row *rows;
    size_t count;
};
NODISCARD bool response_chain_read(struct response_work *w, struct str name, struct response_chain *out_chain,
                                   struct err *err);
// GET …/input_items: a page of what the newest was asked with, as JSON. query: limit, order, after.
NODISCARD bool response_items_put(const struct response_chain *chain, struct str query, struct arena *arena,
                                  struct str *out_json, struct err *err);

#endif
