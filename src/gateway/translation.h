// A call whose target speaks another dialect than its client: the request written anew, the answer translated.
//
// Ownership: the call's; translation_free gives back what is not in its arena. Thread rule: the call's loop. Errors:
// those of the dialects' readers and writers; ERR_UNSUPPORTED where the target has nothing for this endpoint, or, in
// strict mode, cannot be told all that was asked.
#ifndef GATEWAY_TRANSLATION_H
#define GATEWAY_TRANSLATION_H

#include "gateway/call.h"
#include "model/embed.h"
#include "model/translate.h"

struct translation {
    bool read; // the request was
    union {    // its neutral form, by its operation
        struct chat chat;
        struct embed_request embed;
        struct rerank_request rerank;
    };
    struct model_request spoken;  // the same, as the demonstration reads it
    struct translator translator; // of this target's answer, once it has begun as a stream
};

// Writes the body for the target in turn; call->at->body becomes it.
NODISCARD bool translation_write(struct call *call, struct err *err);
// The request in the neutral form, read once. For conversations only.
NODISCARD bool translation_chat(struct call *call, const struct chat **out_chat, struct err *err);
// The answer has begun and the client gets a stream: the translator is made.
NODISCARD bool translation_begin(struct call *call, struct err *err);
// A whole answer, translated onto call->answer's place: *out_body lives as long as the call.
NODISCARD bool translation_answer(struct call *call, struct str body, struct buf *out, struct err *err);
// Vectors for the client's embeddings request, appended to out as its answer; reply NULL: made here.
NODISCARD bool translation_embedded(struct call *call, const struct embed_answer *answer,
                                    const struct chat_reply *reply, struct buf *out, struct err *err);
// Nothing of this target's answer may remain.
void translation_reset(struct call *call);
void translation_free(struct call *call);

// Notes what the target cannot be told; false, ERR_UNSUPPORTED: something, in strict mode.
NODISCARD bool translation_note_dropped(struct call *call, const struct chat_report *report, struct err *err);
// The same for the header: "logit_bias, n"; empty: nothing.
struct str translation_dropped(const struct call *call);

#endif
