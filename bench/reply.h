/* Reads one HTTP/1.1 answer as it arrives and tells whether it is whole.
 *
 * Purpose: the load generator's check that each answer is complete: a content-length that is
 * reached, or a chunked body with its terminator, and for a stream `data: [DONE]` as its end.
 * Ownership: a plain value; it never points into the caller's bytes after a call.
 * Threads: one. Units: bytes. Errors: REPLY_BROKEN, after which the connection is of no use. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REPLY_HEAD_MAX = 8192, REPLY_TAIL = 16 };

enum reply_state {
    REPLY_HEAD,
    REPLY_LENGTH,
    REPLY_CHUNK_SIZE,
    REPLY_CHUNK_DATA,
    REPLY_CHUNK_END,
    REPLY_TRAILER,
    REPLY_DONE,
    REPLY_BROKEN,
};

struct reply {
    enum reply_state state;
    uint32_t status;
    bool close; /* the server ends the connection after this answer */
    bool chunked;
    bool event_seen; /* a whole first event, up to its blank line, has arrived */
    bool digit_seen; /* of the chunk size being read */
    bool extension;  /* past the digits of the chunk's size line */
    bool line_empty; /* nothing on the trailer line so far */
    char last;       /* the body's last byte so far */
    uint64_t left;   /* of the body or of the chunk */
    uint64_t body_bytes;
    uint32_t head_len, tail_len;
    char *head; /* owned; a header that came in pieces, else NULL */
    char tail[REPLY_TAIL];
};

/* Makes r ready for the next answer. */
void reply_reset(struct reply *r);

/* Takes n bytes. Returns how many belong to this answer: fewer than n once it is REPLY_DONE. */
size_t reply_feed(struct reply *r, const char *p, size_t n);

/* Whether the body ended as a stream of events must. */
bool reply_ends_done(const struct reply *r);
