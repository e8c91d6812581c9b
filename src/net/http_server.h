// The HTTP server's face to the rooms above: complete requests in, replies out; the same for HTTP/1.1 and HTTP/2.
//
// A request is handed over when head and body are complete and within the limits. Everything before that (bad framing,
// oversize, slow clients) is answered by the server itself, with a body made by on_reject.
//
// Ownership: struct http_req and all it points to belong to the server and live in the request's arena until the reply
// has ended or on_abort has returned. Thread rule: the loop's thread. Units: milliseconds, bytes.
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/http.h"
#include "net/tls.h"
#include "os/loop.h"

#define HTTP_LENGTH_UNKNOWN UINT64_MAX
#define HTTP_LISTENERS_MAX 16 // of one server

struct http_req;
struct http_server;
struct listener;

// How a protocol sends a reply; one row each for HTTP/1.1 and HTTP/2.
struct http_reply_ops {
    // Holds the head back until data, end or flush.
    void (*head)(struct http_req *req, int status, const struct http_field *fields, size_t count, uint64_t length);
    size_t (*data)(struct http_req *req, const struct str *parts, size_t count, bool last);
    void (*flush)(struct http_req *req);
    void (*abort)(struct http_req *req);
};

struct http_req {
    const struct http_reply_ops *ops;
    struct http_server *server;
    struct loop *loop;
    struct arena arena; // for everything that lives as long as the request
    enum http_method method;
    struct str method_text, target, path, query, host;
    const struct http_field *fields;
    size_t field_count;
    struct str body;
    struct str peer;      // the client's address as text; forwarded_apply (net/forwarded.h) may look behind proxies
    const char *protocol; // "HTTP/1.1", "HTTP/2"
    bool tls;             // the client came by TLS, likewise
    uint64_t start_ns;    // monotonic: when its first byte was read
    void *user;           // the handler's
};

struct http_handler {
    void *ctx; // reached through http_server_ctx(req->server)
    void (*on_request)(struct http_req *req);
    // The largest body that a request may have; NULL: options.max_body, of all. Asked when the head is there.
    size_t (*max_body)(void *ctx, enum http_method method, struct str path);
    // The client left, or the server is stopping, before the reply was complete. No reply call may follow; req is gone
    // when this returns.
    void (*on_abort)(struct http_req *req);
    // The reply's queue has emptied: produce again.
    void (*on_drained)(struct http_req *req);
    // The server itself answers with *err: write the body; the fields (static or in arena) go out with it.
    void (*on_reject)(void *ctx, const struct err *err, struct str peer, struct arena *arena, struct buf *out_body,
                      struct http_field *out_fields, size_t *io_count);
};
#define HTTP_REJECT_FIELDS_MAX 4

struct http_server_options {
    size_t max_head, max_fields, max_target, max_body;
    size_t max_connections; // for this loop
    uint64_t header_ms;     // from the first byte (or accept) to the end of the head
    uint64_t body_ms;       // between two reads of the body
    uint64_t keepalive_ms;  // idle between requests
    uint64_t write_ms;      // no progress in sending
};

struct http_server_stats {
    uint64_t accepted, open, requests, rejected, refused_busy, bytes_in, bytes_out;
};

// One a loop. Options are copied and may be replaced later for new requests.
NODISCARD bool http_server_create(struct loop *loop, const struct http_server_options *options,
                                  const struct http_handler *handler, struct http_server **out_server, struct err *err);
// Starts to listen on what listener_prepare (os/tcp.h) made, which belongs to the server from here on, success or not.
// id: the caller's name for it, given to one listener at a time. tls_ctx (NULL = plain) gets a reference. Up to twice
// HTTP_LISTENERS_MAX may be there at a time, so that new ones can come before old ones go. Fails where listener_start
// does, and with ERR_SHUTTING_DOWN after
// http_server_drain or http_server_stop.
NODISCARD bool http_server_listen_prepared(struct http_server *server, struct listener *prepared,
                                           struct tls_ctx *tls_ctx, unsigned id, struct err *err);
// One listener of one server, prepared and started at once, with the lowest id that is free. *out_port: the port bound.
NODISCARD bool http_server_listen(struct http_server *server, struct str host, uint16_t port, struct tls_ctx *tls_ctx,
                                  uint16_t *out_port, struct err *err);
// Accepts those who wait already, then no more. Connections live on, with their TLS context. An unknown id is fine.
void http_server_unlisten(struct http_server *server, unsigned id);
// Replaces a listener's TLS context for new connections. An unknown id is fine: draining closes all.
void http_server_set_tls(struct http_server *server, unsigned id, struct tls_ctx *tls_ctx);
void http_server_set_options(struct http_server *server, const struct http_server_options *options);
// Closes the listeners and idle connections; requests in progress go on, each connection closes after its reply.
void http_server_drain(struct http_server *server);
// Connections still open.
size_t http_server_open(const struct http_server *server);
// Aborts what is left. Memory goes when the last connection is closed and the loop has turned.
void http_server_stop(struct http_server *server);
void http_server_free(struct http_server *server);
void *http_server_ctx(const struct http_server *server);
void http_server_stats_get(const struct http_server *server, struct http_server_stats *out_stats);

// Begins the reply. length: HTTP_LENGTH_UNKNOWN streams (chunked, or until close for HTTP/1.0). The server adds Date,
// Connection and framing fields; names must be lower case.
static inline void http_reply_head(struct http_req *req, int status, const struct http_field *fields, size_t count,
                                   uint64_t length) {
    req->ops->head(req, status, fields, count, length);
}
// Sends a piece; after last = true the request is gone. Returns the bytes queued for a slow client: above a limit of
// your own, wait for on_drained.
static inline size_t http_reply_data(struct http_req *req, const struct str *parts, size_t count, bool last) {
    return req->ops->data(req, parts, count, last);
}
// Sends a head that is still held back.
static inline void http_reply_flush(struct http_req *req) { req->ops->flush(req); }
// Cuts the reply off so that the client sees it is incomplete; the request is gone. on_abort is not called.
static inline void http_reply_abort(struct http_req *req) { req->ops->abort(req); }
// Head and body at once; the request is gone.
void http_reply(struct http_req *req, int status, const struct http_field *fields, size_t count, struct str body);

#endif
