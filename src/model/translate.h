// An answer's way from a provider's dialect to a client's: bytes in, bytes out.
//
//   framer → decoder → chat_order → (usage is noted) → encoder
//
// Ownership: translator_init … translator_free; the decoder's and the encoder's memory is the arena's. `out` holds what
// is for the client: take it and buf_clear it. Thread rule: one thread. Errors: what the provider sends wrongly is
// ERR_UPSTREAM_INVALID or ERR_UPSTREAM_TOO_LARGE; its errors within a stream become the client's error event.
#ifndef MODEL_TRANSLATE_H
#define MODEL_TRANSLATE_H

#include "model/chat_order.h"
#include "model/dialect.h"
#include "model/stencil.h"

struct translator {
    const struct dialect_ops *from, *to;
    struct chat_sink tap; // between order and encoder
    struct framer framer;
    struct chat_order order;
    void *decoder;
    struct chat_sink *encoder;
    struct chat_reply reply;
    struct buf out;
    struct usage usage;
    bool has_usage, open, failed; // failed: the provider told an error within its stream
    struct chat_failure failure;  // then; its texts are not kept
    uint64_t events;              // deltas seen
    struct stencil stencil;
    struct str told;  // of the frame being decoded: the text of its one event, if that is all it tells
    unsigned telling; // how many events it has told
    // Where another provider may go on with the answer.
    bool gathers;     // what is told is noted, and of a failure the encoder learns from translator_fail alone
    bool fixed;       // more than text was told: nobody else can go on from that
    bool begun;       // a part was
    struct buf said;  // the text
    struct str skip;  // what the text that comes next may repeat of it: white space
    struct usage own; // of the present provider
};

// reply is copied. max: of one event, and of what is held back.
NODISCARD bool translator_init(struct translator *t, const struct dialect_ops *from, const struct dialect_ops *to,
                               const struct chat_reply *reply, size_t max, struct arena *arena, struct err *err);
void translator_free(struct translator *t);
// A piece of a stream. last: the provider has ended it, and all that is owed to the client is in `out`.
NODISCARD bool translator_feed(struct translator *t, struct str data, bool last, struct err *err);
// A whole answer for a client that wants a stream.
NODISCARD bool translator_feed_answer(struct translator *t, struct str body, struct arena *arena, struct err *err);
// Before the first piece: another provider may go on with the answer. max: of its text.
void translator_gather(struct translator *t, size_t max);
// Whether one can, now; and whether none has to, as all but the end was told.
bool translator_can_go_on(const struct translator *t);
// Of so many answers.
bool translator_is_done(const struct translator *t, uint64_t choices);
// Then: the answer ends as it was told to; what came half, or failed, after its finish reason is left out.
NODISCARD bool translator_end(struct translator *t, struct err *err);
// What comes next is of another provider. skip: white space at the end of what was said which that one was not shown,
// and will tell again; it outlives the translator.
NODISCARD bool translator_go_on(struct translator *t, const struct dialect_ops *from, struct str skip,
                                struct arena *arena, struct err *err);
// The stream cannot go on: the client's error event, and its end.
void translator_fail(struct translator *t, const struct chat_failure *failure);

// A whole answer for a client that wants one, appended to out. What is an error in spite of its status is
// ERR_UPSTREAM_STATUS.
NODISCARD bool translate_answer(const struct dialect_ops *from, const struct dialect_ops *to,
                                const struct chat_reply *reply, struct str body, struct arena *arena, struct buf *out,
                                struct usage *out_usage, bool *out_has_usage, struct err *err);

#endif
