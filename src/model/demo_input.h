// What the demonstration provider reads of a request, and the embeddings it makes of it.
#ifndef MODEL_DEMO_INPUT_H
#define MODEL_DEMO_INPUT_H

#include "model/request.h"

// The text of the last user message (chat) or the prompt; "" when there is none, p NULL when out of memory.
struct str demo_last_user_text(const struct model_request *request, struct arena *arena);
#define DEMO_DIMENSIONS 64
// One unit vector for each input, the same for the same text, as numbers or as base64 as the request wants.
void demo_embeddings_put(const struct model_request *request, struct str model, uint64_t tokens_in, struct buf *out);

#endif
