// The pooled HTTP/1.1 client: one a loop, keep-alive connections to each origin, timeouts in every phase.
//
// Ownership: an origin must outlive its exchanges (it is part of a configuration snapshot) and is told to the client
// with http_client_forget before it goes. An exchange ends with exactly one of on_end, on_error or
// http_exchange_cancel; after that it is gone. Thread rule: the loop's thread. Units: milliseconds, bytes.
//
// A request is sent a second time, on a fresh connection, only when a reused connection was closed, in order and not by
// a reset, before any byte of an answer, and the kernel says that the peer acknowledged none of the request's bytes:
// then it cannot have been processed.
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "base/err.h"
#include "net/http.h"
#include "net/tls.h"
#include "os/loop.h"

struct http_origin {
    struct str name; // for messages: the provider
    struct str host;
    uint16_t port;
    struct tls_ctx *tls;   // NULL = plain
    struct str proxy_host; // empty = direct; https through it uses CONNECT
    uint16_t proxy_port;
    struct str proxy_authorization; // value of Proxy-Authorization, or empty
    size_t max_idle;                // connections kept per loop
    uint64_t connect_ms, first_byte_ms, idle_ms, total_ms;
};
struct http_waits { // the same for one request
    uint64_t connect_ms, first_byte_ms, idle_ms, total_ms;
};

struct http_exchange;
struct http1_head;

struct http_exchange_ops {
    // The head of the final answer; valid during the call.
    void (*on_head)(struct http_exchange *x, const struct http1_head *head);
    // A piece of the body (may be empty), in the loop's read buffer: may be changed in place, is gone afterwards.
    // last: the answer is complete, and so is the exchange.
    void (*on_data)(struct http_exchange *x, struct str data, bool last);
    void (*on_error)(struct http_exchange *x, const struct err *err);
};

struct http_request {
    struct str method;
    struct str target;               // "/v1/chat/completions"
    struct str authority;            // Host
    const struct http_field *fields; // without Host, Content-Length, Connection
    size_t field_count;
    const struct str *body; // slices; must stay until the exchange has ended
    size_t body_count;
    bool once;               // the origin was forgotten already: its connection is not kept
    struct http_waits waits; // in place of the origin's; 0 = the origin's
};

struct http_client;
NODISCARD bool http_client_create(struct loop *loop, size_t max_response_head, struct http_client **out_client,
                                  struct err *err);
void http_client_free(struct http_client *client);
// Callbacks never come before this returns.
NODISCARD bool http_client_send(struct http_client *client, const struct http_origin *origin,
                                const struct http_request *request, const struct http_exchange_ops *ops, void *user,
                                struct http_exchange **out_exchange, struct err *err);
// Closes the idle connections of an origin, those that are being made for nobody, and any in use when they come back.
// Exchanges under way go on with it; it may go once they have ended.
void http_client_forget(struct http_client *client, const struct http_origin *origin);

// Sees to it that n connections rest, max_idle at most, by opening those that are missing, with TLS, without a request;
// how many were begun. Nobody is told what became of them: one that cannot be made is not tried again.
size_t http_client_warm(struct http_client *client, const struct http_origin *origin, size_t n);

void *http_exchange_user(const struct http_exchange *x);
// Gives up at once: the upstream connection is closed before this returns. No callback follows.
void http_exchange_cancel(struct http_exchange *x);
// Stops and resumes reading (back-pressure); data already read is still delivered.
void http_exchange_pause(struct http_exchange *x);
void http_exchange_resume(struct http_exchange *x);

struct http_client_stats {
    uint64_t requests, connects, warmed, reused, resent, idle, active, dns_lookups; // warmed: begun without a request
};
// Connections to one origin: resting, and in use or being made.
void http_client_origin_stats(const struct http_client *client, const struct http_origin *origin, size_t *out_idle,
                              size_t *out_active);
void http_client_stats_get(const struct http_client *client, struct http_client_stats *out_stats);

#endif
