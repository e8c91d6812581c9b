// Shared by the files that make up the HTTP server: the server of one loop and its connections.
#ifndef NET_HTTP_SERVER_INTERNAL_H
#define NET_HTTP_SERVER_INTERNAL_H

#include "net/http1_parse.h"
#include "net/http_server.h"
#include "net/stream.h"

struct http2;
struct http_conn;

struct http_listener {
    struct http_server *server;
    unsigned id;
    struct listener *socket; // NULL: the place is free
    struct tls_ctx *tls;
    struct timer retry; // of a connection that there was no memory for
};

struct http_server {
    struct loop *loop;
    struct http_server_options options;
    struct http_handler handler;
    struct http_server_stats stats;
    struct http_listener listeners[2 * HTTP_LISTENERS_MAX]; // the new may come before the old go
    struct http_conn *conns;                                // doubly linked
    bool draining;
    uint64_t date_second; // what `date` was written for
    char date[40];        // an RFC 9110 IMF-fixdate
};

enum http_conn_state {
    CONN_HANDSHAKE, // TLS
    CONN_HEAD,      // between requests, or in a request's head
    CONN_BODY,
    CONN_REPLY,  // the handler has the request
    CONN_LINGER, // all is said; waiting for the client to close (or the timer)
    CONN_HTTP2,
    CONN_CLOSED,
};

// One client connection. What only a request needs is in its arena, so that a resting connection is small.
struct http_conn {
    struct stream stream;
    struct http_server *server;
    struct http_conn *next, *prev;
    struct timer timer;
    char *in; // bytes not used yet: a partial head, or requests that came early
    size_t in_n, in_cap;
    size_t scanned; // of `in`, for the head's end
    struct http_req *req;
    struct http2 *h2;
    uint64_t acked_before; // bytes the client had acknowledged at the last look of the write timer
    struct buf chunked_body;
    struct http1_chunked chunked;
    size_t body_n; // bytes of req->body that are there
    struct str held_head;
    uint64_t first_byte_ns;
    uint8_t state, peer_n;
    char peer[46]; // the client's address as text
    bool keep_alive, http10, reply_chunked, reply_bodyless, processing, tls;
};

// A request over HTTP/1.1, and the connection it came on.
struct http1_req {
    struct http_req req; // first
    struct http_conn *conn;
};

// The reply is complete (or given up): frees the request and goes on to the next, or closes.
void conn_reply_done(struct http_conn *conn);
// Answers with *err on the server's own account and closes.
void conn_reject(struct http_conn *conn, const struct err *err);
void conn_reject_with(struct http_conn *conn, enum err_code code, const char *why);
// Frees the request and all in its arena.
void conn_req_free(struct http_conn *conn);
// HTTP/2 from here on; `in` begins with the client's preface, or is empty.
void conn_go_http2(struct http_conn *conn, struct str in);
void conn_close(struct http_conn *conn);
// Resets the connection without a word to the handler.
void conn_abort(struct http_conn *conn);
// Some bytes wait for a slow client: watch that they move.
void conn_watch_write(struct http_conn *conn);
// The largest body of this request, by its head alone.
size_t http_server_max_body(const struct http_server *server, enum http_method method, struct str target);
// "date: …" of this second.
struct str http_server_date(struct http_server *server);

// http1_request.c: takes bytes that were read; goes on with those that wait, unless it is doing so already; forgets
// them.
void http1_take(struct http_conn *conn, struct str in);
void http1_next(struct http_conn *conn);
void http1_early_free(struct http_conn *conn);

extern const struct http_reply_ops http1_reply_ops;
// The bytes of an HTTP/1.1 response head, in the arena; p is NULL when out of memory. framing: whole field lines.
struct str http1_head_text(struct http_server *server, struct arena *arena, int status, const struct http_field *fields,
                           size_t count, struct str framing);
void http_listener_init(struct http_listener *listener, struct http_server *server, unsigned id);
void http_conn_accept(struct http_listener *listener);
// No request on it, nothing to send.
bool http_conn_is_idle(const struct http_conn *conn);
void http_conn_drain(struct http_conn *conn);
void http_conn_stop(struct http_conn *conn);

#endif
