// An answer on its way to a client of the same dialect: bytes are passed through as they are, the usage read off, and
// taken out where the client did not ask for it.
//
// Server-sent events are given out as whole events, so that an error event of ours can follow any of them. Of other
// streams bytes are given out as they come.
//
// Source: WHATWG HTML, "Server-sent events"; OpenAI API reference, stream_options.include_usage: the counts come in an
// event of their own with empty `choices`, before `data: [DONE]`. Ownership: the relay owns the start of an event that
// has not ended yet; slices given out live until the next call. Thread rule: one thread. Units: bytes.
#ifndef MODEL_RELAY_H
#define MODEL_RELAY_H

#include "base/buf.h"
#include "base/err.h"
#include "model/dialect.h"

enum relay_kind {
    RELAY_EVENTS, // server-sent events
    RELAY_FRAMES, // lines or an array, by the dialect
    RELAY_BYTES,  // nothing to read: audio, say
};

struct relay {
    const struct dialect_ops *dialect;
    enum relay_kind kind;
    bool strip_usage; // take the usage event out
    bool has_usage;   // usage was seen
    bool framing;     // framer is in use
    struct buf rest;  // the start of an event
    size_t given;     // bytes of `rest` that the last call gave out
    size_t max_event;
    struct usage usage;
    uint64_t events;   // data lines, or frames, seen
    struct buf tail;   // what was passed on last, of frames the last one: it may say how the answer ends
    struct buf failed; // the last event that tells an error, of those that the tail may have no room for
    struct framer framer;
};

#define RELAY_PARTS 6

void relay_init(struct relay *s, size_t max_event);
// Before the first bytes. array: the stream is a JSON array's (Gemini).
void relay_begin(struct relay *s, const struct dialect_ops *dialect, enum relay_kind kind, bool array);
void relay_free(struct relay *s);
// Takes bytes as they came; gives out what is complete, as up to RELAY_PARTS slices (maybe none). last: no more will
// come, so an event that lacks its blank line is given out too. False: an event is larger than max_event.
NODISCARD bool relay_feed(struct relay *s, struct str data, bool last, struct str out_parts[RELAY_PARTS],
                          size_t *out_count, struct err *err);
// Of events, or an array of which no element has only begun: how many answers end in what was passed on last.
uint64_t relay_finished(const struct relay *relay);
// What is to follow it then, for the stream to end as it should.
struct str relay_end(const struct relay *relay);
// Asked when nothing more will come: whether the provider has told an error in what was passed on last, or in an event
// of up to 64 KiB that was too large for that, and not all answers, `choices` of them, have said how they end. The
// failure's texts live as long as the relay and the arena.
NODISCARD bool relay_failed(struct relay *relay, uint64_t choices, struct arena *arena,
                            struct chat_failure *out_failure);

#endif
