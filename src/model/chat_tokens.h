// How many tokens a conversation has before it is sent anywhere: what "count tokens" endpoints answer.
//
// Texts, names, arguments, schemas are counted exactly by the tokenizer; what vendors put around messages, tools and
// pictures is added by rule, so the sum is close to what they bill, not the same.
//
// Thread rule: any thread. Time: tokenizer.h.
#ifndef MODEL_CHAT_TOKENS_H
#define MODEL_CHAT_TOKENS_H

#include "model/chat.h"
#include "model/token/tokenizer.h"

// A picture of 1092 × 1092 points, the largest that is not made smaller, by Anthropic's rule of points / 750.
#define CHAT_TOKENS_PICTURE 1590
// A document whose text is not known: some two pages, each as text and as a picture.
#define CHAT_TOKENS_DOCUMENT 3000
#define CHAT_TOKENS_TOOL 10 // around each tool

NODISCARD bool chat_tokens(const struct chat *chat, const struct tokenizer *tokenizer, struct arena *arena,
                           uint64_t *out_tokens, struct err *err);

#endif
