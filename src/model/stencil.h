// A short cut through translation: events of a stream that differ from the one before in nothing but their text.
//
// Most of a stream is such events. What surrounds the text is learned from one event, on the provider's side and on the
// client's, and confirmed by the next; from then on an event that matches byte for byte is translated by copying, until
// one comes that does not. The text is checked as the JSON reader would check it.
//
// Ownership: stencil_init … stencil_free. Thread rule: one thread. Units: bytes.
#ifndef MODEL_STENCIL_H
#define MODEL_STENCIL_H

#include "base/buf.h"

enum stencil_state { STENCIL_EMPTY, STENCIL_LEARNED, STENCIL_READY };

struct stencil {
    enum stencil_state state;
    struct buf in_head, in_tail, out_head, out_tail; // what stands before and after the text
};

void stencil_init(struct stencil *s);
void stencil_free(struct stencil *s);
// What is learned holds no longer.
static inline void stencil_reset(struct stencil *s) { s->state = STENCIL_EMPTY; }
// An event `in` has become `out`, and only its `text`, a part of `in`, was told.
void stencil_learn(struct stencil *s, struct str in, struct str text, struct str out);
// Translates as many whole events at the front of data as match; adds them to *io_count. Returns how many bytes they
// were.
size_t stencil_run(const struct stencil *s, struct str data, struct buf *out, uint64_t *io_count);

#endif
