// Shared by the files that make up the HTTP/2 engine: the connection, its streams, and what holds them together.
//
// How a call runs: whoever enters the engine from outside (bytes, a timer, a reply) is the outermost; when it leaves,
// everything that came up meanwhile is done in order: frames are written, requests handed over, drained streams told,
// dead ones freed. So libnghttp2 is never re-entered, and a stream never goes away under a caller.
#ifndef NET_HTTP2_INTERNAL_H
#define NET_HTTP2_INTERNAL_H

#include "net/http2.h"
#include "net/http_server_internal.h"

#include <nghttp2/nghttp2.h>

enum http2_phase {
    HTTP2_HEAD,
    HTTP2_BODY,
    HTTP2_READY,   // complete, to be handed over
    HTTP2_HANDLED, // the handler has it
    HTTP2_DONE,    // the reply has been given in full, or given up
};

// Lives in its request's arena.
struct http2_stream {
    struct http_req req; // first
    struct http2 *h2;
    struct http2_stream *next, *prev; // all of the connection
    struct http2_stream *next_event;
    int32_t id;
    uint8_t phase; // enum http2_phase
    bool closed;   // libnghttp2 knows it no more
    bool eventful; // waits in the queue of events
    bool drained;  // the event: the handler may produce again
    bool wants_drained, last, bodyless, expect_continue;
    bool ours;      // the reset, when it comes
    bool lingering; // the reply is sent in full, the request is not in yet
    size_t field_cap, head_bytes, cookies;
    uint64_t content_length; // HTTP_LENGTH_UNKNOWN when not said
    struct err *fault;       // why it will be rejected, once its head is complete
    struct buf body;
    struct buf out; // the reply's bytes that libnghttp2 has not taken
    size_t out_at;  // taken up to here
    uint64_t progress_ms;
};

// Allows a burst, then a rate.
struct http2_budget {
    uint32_t left, burst, per_second;
    uint64_t at_ms;
};

struct http2 {
    struct http_server *server;
    struct http2_link link;
    nghttp2_session *session;
    struct http2_stream *streams; // doubly linked
    size_t stream_count;
    struct http2_stream *events, **events_end;
    struct timer timer;
    unsigned depth;                      // of calls into the engine
    bool replying;                       // the outermost one is a reply call: the handler is on the stack
    bool clogged;                        // the link has enough to send
    bool failed;                         // the session is beyond use
    bool finished;                       // nothing more is said
    bool told;                           // link.finish was called, or need not be
    bool aborted, draining, said_goaway; // said_goaway: the final one
    size_t body_bytes;                   // of all open streams
    struct http2_budget wasted;          // streams that ended before their reply
    struct http2_budget idle_frames;     // frames that ask for work and bring none
};

void http2_enter(struct http2 *h2, bool replying);
void http2_leave(struct http2 *h2);
// Writes what libnghttp2 has to say. Only for the outermost call.
void http2_flush(struct http2 *h2);
// Looks at the stream again when the outermost call leaves.
void http2_event(struct http2_stream *s);
// Does what must not be done now as soon as the loop turns.
void http2_later(struct http2 *h2);
// Takes one; false when it is used up and the connection is being ended.
bool http2_spend(struct http2 *h2, struct http2_budget *budget);

// NULL when out of memory.
struct http2_stream *http2_stream_new(struct http2 *h2, int32_t id);
void http2_stream_free(struct http2_stream *s);
// A field of the request's head. False: out of memory.
bool http2_stream_field(struct http2_stream *s, struct str name, struct str value);
// The head is complete. ended: there is no body.
void http2_stream_head(struct http2_stream *s, bool ended);
void http2_stream_data(struct http2_stream *s, struct str data);
void http2_stream_complete(struct http2_stream *s);
// libnghttp2 is done with the stream.
void http2_stream_closed(struct http2_stream *s, bool clean);
// Tells the handler, if it has the request, that the client is gone.
void http2_stream_abort(struct http2_stream *s);
// Hands the request over.
void http2_stream_dispatch(struct http2_stream *s);
// The server's own answer.
void http2_stream_reject(struct http2_stream *s, const struct err *err);
void http2_stream_reset(struct http2_stream *s, uint32_t code);
static inline size_t http2_stream_queued(const struct http2_stream *s) { return s->out.n - s->out_at; }

extern const struct http_reply_ops http2_reply_ops;

#endif
