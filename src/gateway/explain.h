// Where a request would go, and why: as POST /v1/route/explain answers, and the same without a server.
//
// Ownership: nothing is kept. Thread rule: explain_call the call's loop, explain_here any thread. Errors: those of the
// request's reader; ERR_MODEL_NOT_FOUND. That nothing can serve the request is no error but an answer.
#ifndef GATEWAY_EXPLAIN_H
#define GATEWAY_EXPLAIN_H

#include "gateway/call.h"

// Of a call that was read. Appends a JSON object; nothing is sent, and no turn used up.
NODISCARD bool explain_call(struct call *call, struct buf *out, struct err *err);

// As one whom the general configuration holds for would be answered, by a server that has sent nothing so far.
struct explain_ask {
    struct conf *conf;
    struct model_catalog *models;
    struct str body; // of a chat completions request
    const struct http_field *fields;
    size_t field_count;
};
NODISCARD bool explain_here(const struct explain_ask *ask, struct buf *out, struct err *err);

#endif
