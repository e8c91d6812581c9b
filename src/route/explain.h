// A routing decision in words and as JSON: which targets there were, why each was kept or left out, and their order.
//
// Ownership: nothing is kept. Thread rule: pure. Units: ns, nanodollars. Errors: the buf's or writer's own.
#ifndef ROUTE_EXPLAIN_H
#define ROUTE_EXPLAIN_H

#include "base/json_write.h"
#include "route/complexity.h"
#include "route/route.h"

struct route_explained {
    struct str name;                     // the model, as it was asked for
    struct str task;                     // what the request is for; empty: it was not said
    struct str odd_task;                 // what its metadata names and is no task's name; empty: none
    struct str task_model;               // the model that does such tasks and was taken for it; empty: none
    const struct route *route;           // model and routed are set also where nothing serves
    const struct route_trace *trace;     // of the same
    const struct route_need *need;       // never NULL
    const struct complexity *complexity; // NULL: it was not judged
    bool decides;                        // it was judged because something asked for it
    uint32_t steps;                      // of a chain: which of them are asked, by their conditions, as bits
    bool open;                           // the reader may know how the model is configured: conditions, fallbacks
    bool load;                           // and what goes on at its targets, whoever asks them
    const struct err *err;               // why nothing serves it; NULL: something does
    uint64_t now_ns;
};

// The members of a JSON object that is open.
void route_explain_put(struct json_writer *w, const struct route_explained *e);
// Why a target of the trace was kept or left out, with the particulars: "it lacks vision".
void route_explain_why(const struct route_explained *e, const struct candidate *c, struct buf *out);

#endif
