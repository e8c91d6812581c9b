// A stream of chat or completion events on its way to the client: passed through as whole events, with the usage read
// off, and taken out when the client did not ask for it.
//
// Source: WHATWG HTML, "Server-sent events"; OpenAI API reference, stream_options.include_usage: the counts come in an
// event of their own with empty `choices`, before `data: [DONE]`. Ownership: the stream owns the start of an event that
// has not ended yet; slices given out live until the next call. Thread rule: one thread. Units: bytes.
#ifndef MODEL_OPENAI_STREAM_H
#define MODEL_OPENAI_STREAM_H

#include "base/buf.h"
#include "base/err.h"
#include "model/usage.h"

struct openai_stream {
    struct buf rest; // the start of an event
    size_t given;    // bytes of `rest` that the last call gave out
    size_t max_event;
    bool strip_usage; // take the usage event out
    bool has_usage;   // usage was seen
    struct usage usage;
    uint64_t events; // data lines seen
};

#define OPENAI_STREAM_PARTS 6

void openai_stream_init(struct openai_stream *s, size_t max_event, bool strip_usage);
void openai_stream_free(struct openai_stream *s);
// Takes bytes as they came; gives out what is complete, as up to OPENAI_STREAM_PARTS slices (maybe none). last: no more
// will come, so an event that lacks its blank line is given out too. False: an event is larger than max_event.
NODISCARD bool openai_stream_feed(struct openai_stream *s, struct str data, bool last,
                                  struct str out_parts[OPENAI_STREAM_PARTS], size_t *out_count, struct err *err);

#endif
