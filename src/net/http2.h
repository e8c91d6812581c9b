// The HTTP/2 server's protocol engine: bytes in, bytes out, requests to the handler; one a connection.
//
// Knows no sockets: the connection feeds it what it read and gets what is to be written. Each stream becomes a
// struct http_req with its own arena, exactly as over HTTP/1.1.
//
// Ownership: http2_create … http2_free; the link's owner outlives it. Thread rule: the loop's thread. Calls may come
// from inside the handler's callbacks, except http2_free, which must come from the loop. Units: milliseconds, bytes.
#ifndef NET_HTTP2_H
#define NET_HTTP2_H

#include "net/http_server.h"

struct http2;

// What the engine needs of its connection.
struct http2_link {
    void *owner;
    // Sends the parts in order; returns the bytes that the kernel has not taken yet.
    size_t (*write)(void *owner, const struct str *parts, size_t count);
    // Nothing more will be said: the connection may close once everything is sent. At most once. Must not call
    // http2_free before it returns.
    void (*finish)(void *owner);
    struct str peer; // the client's address as text
    bool tls;
};

// Sends the server's preface at once. NULL when out of memory.
struct http2 *http2_create(struct http_server *server, const struct http2_link *link);
// Takes all of `in`, beginning with the client's preface. Without effect after finish or http2_abort_all.
void http2_feed(struct http2 *h2, struct str in);
// The link has sent what it had queued: goes on writing.
void http2_drained(struct http2 *h2);
// No stream is open.
bool http2_idle(const struct http2 *h2);
// Takes no new streams (GOAWAY); finish follows when those open have ended.
void http2_drain(struct http2 *h2);
// The connection is lost or given up: every open request hears on_abort, nothing is written any more.
void http2_abort_all(struct http2 *h2);
// As http2_abort_all, and the memory goes.
void http2_free(struct http2 *h2);

#endif
