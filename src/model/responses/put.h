// What the files that make responses share: the response object, its items, and texts that grow.
#ifndef MODEL_RESPONSES_PUT_H
#define MODEL_RESPONSES_PUT_H

#include "model/responses/stream.h"

// Appends; without memory, sets *no_memory and changes nothing.
void responses_text_put(struct responses_text *t, struct arena *arena, struct str piece, bool *no_memory);
static inline struct str responses_text_str(const struct responses_text *t) { return str_of(t->n ? t->p : "", t->n); }

// The response object as it stands. status: "in_progress", "completed", "incomplete", "failed".
void responses_put_object(const struct responses_encoder *e, struct str status, struct buf *out);
// Finds the members of the request that the object repeats, once.
void responses_find_asked(struct responses_encoder *e);
// Whether the client's tool of this name (escaped) takes free text.
bool responses_is_free_tool(const struct responses_encoder *e, struct str name);
// Number of the open item: "msg_0000g00000000_2".
void responses_put_item_id(const struct responses_encoder *e, struct buf *out);

#endif
