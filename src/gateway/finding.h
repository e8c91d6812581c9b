// Personal data in what a request has to say: the first that makes it private, and where.
//
// Looked at is all text that a provider would see: strings, names of members and long numbers of JSON, decoded, in
// whatever dialect; parts of form data that are text; of what is passed through also the path. Not looked at: pictures,
// sound and files in base64, bytes that are no text, header fields.
//
// Ownership: the place lies in the call's arena. Thread rule: the call's loop. Errors: no memory, on which nothing may
// be sent. The value itself is in none of it.
#ifndef GATEWAY_FINDING_H
#define GATEWAY_FINDING_H

#include "gateway/pipeline.h"

struct finding {
    bool found;
    struct str text; // "credit_card in messages[0].content"
};

// kinds: PII_BIT(…) | …; 0 looks at nothing.
NODISCARD bool finding_of(struct call *call, unsigned kinds, struct finding *out_finding, struct err *err);
// What a stage does before it asks for it: DONE: it is known, or soon found; WAIT: it is long, and looked at on the
// worker pool. Sets call->finding. FAIL: no memory.
enum stage_result finding_ahead(struct call *call, struct err *err);

// Of a body by itself, likewise; any thread.
struct finding_in {
    struct str body, content_type;
    struct str path, query; // of what is passed through
    unsigned kinds;
};
NODISCARD bool finding_in_body(const struct finding_in *in, struct arena *arena, struct finding *out_finding,
                               struct err *err);

#endif
