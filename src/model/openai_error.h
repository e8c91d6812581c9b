// Errors in OpenAI's dialect: ours written.
//
// Source: OpenAI API reference, error objects: {"error":{"message","type","param","code"}}. Thread rule: pure.
#ifndef MODEL_OPENAI_ERROR_H
#define MODEL_OPENAI_ERROR_H

#include "base/buf.h"
#include "base/err.h"

void openai_error_put(struct buf *out, const struct err *err);

#endif
