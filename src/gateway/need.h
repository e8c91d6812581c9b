// What routing knows of a call: read from its request, its fields and its key, as far as its model's targets ask.
//
// Ownership: lies in the call's arena. Thread rule: the call's loop.
#ifndef GATEWAY_NEED_H
#define GATEWAY_NEED_H

#include "gateway/call.h"
#include "route/complexity.h"

struct need {
    struct route_need route; // what route.h takes
    struct condition_env env;
    struct call *call;
    const struct chat *chat;      // the request in the neutral form; NULL: it was not read
    bool glanced, plain;          // whether it has nothing but text, once it was looked at for that
    const struct prompt_way *way; // how conditions count tokens; NULL: none asks, or it is done
    bool judged;                  // complexity is set
    struct complexity complexity;
    struct str user, session, metadata; // decoded, decoded, a JSON object; empty: none
    struct str asked_task;              // that its metadata names; empty: none
    struct str odd_task; // what its metadata names, and is no task's name: nothing goes by it; empty: none
};

// The kinds of personal data that need_fill will look for in the call (PII_BIT(…) | …); 0: none, or something else says
// already that it is private.
unsigned need_kinds(const struct call *call);
// Errors: no memory; those of the dialect's reader.
NODISCARD bool need_fill(struct call *call, struct err *err);
// The same, and where its model has another one for such tasks, that one becomes the request's. Once: from there it
// goes on to no other.
NODISCARD bool call_need(struct call *call, struct err *err);
// What the request is for: as its metadata says, else as it reads, where that was judged; else empty.
struct str need_task(const struct need *need);
// What the request says of where it may go, as fields of requests that are made because of it.
#define NEED_FIELDS_MAX 3
NODISCARD bool need_fields(const struct need *need, struct arena *arena, struct http_field out[NEED_FIELDS_MAX],
                           size_t *out_n);
// The model that does such tasks in the place of the request's own; empty: none, or its tenant may not use it.
struct str need_task_model(struct need *need);
// The same for another model than the one that is asked for.
NODISCARD bool need_fill_for(struct call *call, struct str model, struct err *err);
// What keeps its requests together, as the model's affinity says: session, user, prompt or key. False: there is nothing
// of the kind but the key, and that was not wished for.
bool need_affinity(const struct need *need, const struct route_model *m, uint64_t *out_affinity);
// Counts the tokens of a request whose model has conditions on them, where it was not done for being needless: for who
// shows the number.
void need_count(struct need *need);
// How hard the request is, judged when it is first asked. Never NULL after need_fill.
const struct complexity *need_complexity(struct need *need);

#endif
