// RESP, the protocol of Redis: replies of versions 2 and 3 read as they come in, commands written.
//
// Ownership: a reader owns its buffers; a reply and all its text live until the next resp_next, resp_feed or
// resp_reader_free. Thread rule: one thread at a time. Units: bytes. Errors: ERR_UPSTREAM_INVALID for what is not RESP,
// ERR_UPSTREAM_TOO_LARGE past a limit; after either the reader takes nothing more.
#ifndef NET_RESP_H
#define NET_RESP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define RESP_DEPTH_MAX 16
#define RESP_LINE_MAX ((size_t)64 * 1024) // a simple string, an error, a number

enum resp_type {
    RESP_NULL,
    RESP_STRING, // simple, bulk or verbatim
    RESP_ERROR,  // simple or bulk: "CODE what is wrong"
    RESP_INT,
    RESP_DOUBLE,
    RESP_BOOL,
    RESP_BIG, // an integer of any size, as digits
    RESP_ARRAY,
    RESP_SET,
    RESP_MAP,  // items: a key, its value, the next key, …
    RESP_PUSH, // not an answer: news
};

struct resp {
    enum resp_type type;
    struct str text;    // STRING, ERROR, BIG, DOUBLE as it was written
    int64_t integer;    // INT; BOOL: 0 or 1
    double number;      // DOUBLE; INT too
    struct resp *items; // ARRAY, SET, MAP, PUSH
    size_t n;           // of items
};

struct resp_limits {
    size_t max_bytes;   // of one reply as it comes over the wire; 0 = 16 MiB
    size_t max_items;   // in one reply, at all depths; 0 = 65536
    unsigned max_depth; // of nesting; 0 = RESP_DEPTH_MAX, which is also the most
};

struct resp_level {
    uint64_t left;  // items still to come
    bool attribute; // what it holds is about the reply and is passed over
};

struct resp_reader {
    struct resp_limits limits;
    struct buf in;
    size_t at;   // where the next reply starts
    size_t pos;  // framed up to here
    size_t seen; // no line ends before here
    uint64_t items;
    struct resp_level levels[RESP_DEPTH_MAX];
    unsigned depth;
    bool begun, broken;
    struct resp reply;  // the one last given out
    struct arena arena; // its items
    struct err why;     // when broken
};

enum resp_step { RESP_READY, RESP_MORE, RESP_BROKEN };

// limits may be NULL.
void resp_reader_init(struct resp_reader *r, const struct resp_limits *limits);
void resp_reader_free(struct resp_reader *r);
// Forgets what it holds: a new connection.
void resp_reader_reset(struct resp_reader *r);
// Takes bytes off the wire, as many as there are.
void resp_feed(struct resp_reader *r, struct str bytes);
// The next whole reply, without the attributes that stood before or in it. RESP_BROKEN: *err, now and from now on.
NODISCARD enum resp_step resp_next(struct resp_reader *r, const struct resp **out_reply, struct err *err);

// A command: an array of bulk strings.
void resp_put_command(struct buf *out, const struct str *args, size_t n);
void resp_put_array(struct buf *out, size_t n);
void resp_put_bulk(struct buf *out, struct str s);
void resp_put_i64(struct buf *out, int64_t v); // as a bulk string

// An answer's value, whichever of its forms the server chose: an integer, or a string of digits.
NODISCARD bool resp_integer(const struct resp *reply, int64_t *out_value);
// The value of a key in a MAP, or in an ARRAY of keys and values (version 2); NULL when there is none.
const struct resp *resp_member(const struct resp *reply, struct str key);

#endif
