// The request by which another provider is asked to go on with an answer that broke off.
//
// Ownership: what is made is the arena's, and borrows from the conversation. Thread rule: pure.
#ifndef MODEL_CHAT_GO_ON_H
#define MODEL_CHAT_GO_ON_H

#include "model/chat.h"

struct chat_go_on {
    struct str said; // escaped: the answer so far; empty: nothing
    uint64_t tokens; // of it
    bool prefill;    // the model goes on with what the assistant says last; others are told to
};

// *out_skip: escaped white space at the end of what was said, which the model is not shown and may tell again. False:
// out of memory.
NODISCARD bool chat_go_on(const struct chat *chat, const struct chat_go_on *g, struct arena *arena,
                          struct chat *out_chat, struct str *out_skip, struct err *err);

#endif
