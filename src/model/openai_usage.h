// Token counts out of answers in OpenAI's dialect.
//
// Source: OpenAI API reference, "usage" of chat completions, completions and embeddings; DeepSeek's
// prompt_cache_hit_tokens. Thread rule: pure.
#ifndef MODEL_OPENAI_USAGE_H
#define MODEL_OPENAI_USAGE_H

#include "base/str.h"
#include "model/usage.h"

// From the raw value of a "usage" member. False when it is no object or holds no counts; details that contradict the
// totals are cut to them.
NODISCARD bool openai_usage_read(struct str raw, struct usage *out_usage);
// From a whole answer, which need not be valid JSON: *out_valid says whether it was.
NODISCARD bool openai_usage_of_answer(struct str body, bool *out_valid, struct usage *out_usage);

#endif
