// Cuts a provider's stream into frames, wherever the network has cut it.
//
// Kinds: server-sent events (WHATWG HTML, "Server-sent events": LF and CRLF, comments, several data lines joined by LF,
// a byte order mark, a last event without its blank line), lines of JSON, the elements of a JSON array (Gemini without
// alt=sse), and AWS' event stream (application/vnd.amazon.eventstream: prelude, headers, payload, two CRC-32).
//
// Ownership: the framer owns the start of a frame that has not ended; a frame's slices live during the visit. Thread
// rule: one thread. Errors: ERR_UPSTREAM_TOO_LARGE for a frame larger than max, ERR_UPSTREAM_INVALID for what is no
// frame. Units: bytes.
#ifndef MODEL_FRAME_H
#define MODEL_FRAME_H

#include "base/buf.h"
#include "base/err.h"

enum frame_kind { FRAME_SSE, FRAME_LINES, FRAME_ARRAY, FRAME_AWS };

struct frame {
    struct str event; // SSE: its name, or empty; AWS: ":event-type", or ":exception-type"
    struct str data;
    bool exception; // AWS: ":message-type" is "exception" or "error"
    struct str raw; // SSE, and an event with one line of data: all of it, blank line included; else p is NULL
};
// False with *err set ends the feeding.
typedef bool frame_visit(void *arg, const struct frame *frame, struct err *err);

struct framer {
    enum frame_kind kind;
    size_t max;
    struct buf rest; // the start of a frame
    struct buf data; // of an event with several data lines
    bool begun;      // past a byte order mark, or within the array
    bool ended;      // the array's end was seen
    bool comma;      // the last that was seen of the array, but for space
    size_t scanned;  // of rest: what was looked through already
    unsigned depth;  // within an element of an array
    bool in_string, escaped;
};

void framer_init(struct framer *f, enum frame_kind kind, size_t max);
void framer_free(struct framer *f);
// Of an array: whether its end could follow what was fed.
bool framer_may_end(const struct framer *f);
// How many bytes at the front of data are one whole event of server-sent events, blank line included; 0: not one.
size_t frame_event_len(struct str data);
// last: no more will come; what has begun and can stand as a frame is given out too.
NODISCARD bool framer_feed(struct framer *f, struct str data, bool last, frame_visit *visit, void *arg,
                           struct err *err);

// Of the framer itself: what AWS' frames are cut by (frame_aws.c).
NODISCARD bool frame_take_aws(struct framer *f, struct str all, bool last, size_t *out_used, frame_visit *visit,
                              void *arg, struct err *err);

#endif
