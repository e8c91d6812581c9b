// Reads a streamed chat answer: the text of its deltas, the counts at its end, an error in between.
//
// Source: WHATWG HTML, "Server-sent events"; OpenAI API reference, chat.completion.chunk. Ownership: chat_stream_init …
// chat_stream_free; text is borrowed for the call. Thread rule: one thread. Errors: ERR_UPSTREAM_INVALID for what is
// not such a stream; the message of an error event.
#ifndef CLI_CHAT_STREAM_H
#define CLI_CHAT_STREAM_H

#include "base/buf.h"
#include "base/err.h"
#include "model/usage.h"

#define CHAT_LINE_MAX ((size_t)4 * 1024 * 1024)

struct chat_stream {
    struct buf line;    // the start of a line that has not ended
    struct buf decoded; // a delta's text
    void (*text)(void *arg, struct str text);
    void *arg;
    bool done; // "data: [DONE]" was seen
    bool has_usage;
    struct usage usage;
};

void chat_stream_init(struct chat_stream *s, void (*text)(void *arg, struct str text), void *arg);
void chat_stream_free(struct chat_stream *s);
// Takes bytes as they came. False: the stream is over, *err says why.
NODISCARD bool chat_stream_feed(struct chat_stream *s, struct str bytes, struct err *err);

// The message of an OpenAI error body, decoded; body itself, cut, when it is none.
void chat_error_text(struct str body, struct buf *out);

#endif
