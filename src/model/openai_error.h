// Errors in OpenAI's dialect: ours written, the upstream's recognised.
//
// Source: OpenAI API reference, error objects: {"error":{"message","type","param","code"}}. Thread rule: pure.
#ifndef MODEL_OPENAI_ERROR_H
#define MODEL_OPENAI_ERROR_H

#include "base/buf.h"
#include "base/err.h"

void openai_error_put(struct buf *out, const struct err *err);
// The same as an event of a stream that has begun: "data: {…}\n\n".
void openai_error_event_put(struct buf *out, const struct err *err);
// The body is JSON with an "error" member, as clients of the dialect expect. *out_message is its text, a slice of the
// body (escapes left as they are), or empty.
bool openai_error_recognise(struct str body, struct str *out_message);

#endif
