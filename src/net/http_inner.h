// A request that the process makes of itself: handled as one that came over a connection, its reply collected, or given
// out as it comes.
//
// Ownership: http_inner_create … the end of the reply; then `done` is called, after which inner and all in it are gone.
// The body given is borrowed until then. Who wants no answer any more: the handler's abort, then http_inner_free.
// Thread rule: the loop's. Units: bytes. Errors: a reply larger than max is cut off, and `whole` is false then.
#ifndef NET_HTTP_INNER_H
#define NET_HTTP_INNER_H

#include "net/http_server.h"

struct http_inner {
    struct http_req req; // the handler has it
    int status;
    struct str request_id;  // x-request-id of the reply, or empty
    struct str retry_after; // likewise
    struct buf body;
    bool whole; // the reply came to its end
    void (*done)(struct http_inner *inner);
    const struct http_inner_sink *sink;
    void *user;
};

// Takes a reply as it comes. Neither may give up the request.
struct http_inner_sink {
    // The fields are valid during the call.
    void (*head)(struct http_inner *inner, int status, const struct http_field *fields, size_t count);
    // Returns what is queued, as http_reply_data does. After the last piece `done` is called.
    size_t (*data)(struct http_inner *inner, const struct str *parts, size_t count, bool last);
};

struct http_inner_options {
    struct loop *loop;
    enum http_method method;
    struct str path;
    struct str query; // borrowed, as the fields are
    struct str content_type;
    const struct http_field *fields; // beside the content type
    size_t field_count;
    const struct http_inner_sink *sink; // NULL: the reply is collected
    struct str body;
    struct str peer; // the address that counts as the client's
    size_t max_reply;
    void (*done)(struct http_inner *inner);
    void *user;
};
// Path, type and peer are copied. NULL: out of memory.
struct http_inner *http_inner_create(const struct http_inner_options *options);
void http_inner_free(struct http_inner *inner);

#endif
