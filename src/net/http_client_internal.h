// Shared by the files that make up the HTTP client: pools, connections, exchanges.
//
//   http_client ── pool (one an origin) ── idle connections, most recently used first
//   exchange ⇄ connection while a request is under way
#ifndef NET_HTTP_CLIENT_INTERNAL_H
#define NET_HTTP_CLIENT_INTERNAL_H

#include "base/buf.h"
#include "net/http1_parse.h"
#include "net/http_client.h"
#include "net/stream.h"
#include "os/dns.h"

struct upstream;

struct upstream_pool {
    const struct http_origin *origin; // there as long as an exchange is under way
    struct http_client *client;
    struct upstream_pool *next;
    struct upstream *idle;
    size_t idle_count, connections; // the idle ones among them
    size_t users;                   // connections and exchanges
    struct http_exchange *warming;  // of connections that are being made before they are needed
    bool retired;                   // the origin was forgotten: connections close when they come back
};

struct http_client {
    struct loop *loop;
    struct dns *dns;
    size_t max_head;
    struct upstream_pool *pools;
    struct http_client_stats stats;
};

enum upstream_state {
    UPSTREAM_RESOLVE,
    UPSTREAM_CONNECT, // TCP, and TLS where there is one
    UPSTREAM_PROXY,   // the proxy's answer to CONNECT is awaited
    UPSTREAM_HEAD,    // request sent; the answer's head is awaited
    UPSTREAM_BODY,
    UPSTREAM_IDLE,
    UPSTREAM_CLOSED,
};

// One connection to an origin (or to the proxy before it).
struct upstream {
    struct stream stream;
    struct upstream_pool *pool;
    struct upstream *next, *prev; // in the idle list
    struct http_exchange *x;
    struct timer timer;
    struct dns_query *query;
    struct dns_answer *addresses; // while connecting: those left to try
    size_t address_next;
    struct buf in; // a head that has not arrived whole
    size_t scanned;
    struct http1_chunked chunked;
    uint64_t left;           // of a counted body
    uint64_t written_before; // bytes sent on this connection before the present request
    uint8_t state, framing;
    bool keep_alive, initialised, proxied;
};

struct http_exchange {
    struct upstream *up;
    struct upstream_pool *pool;
    const struct http_exchange_ops *ops;
    void *user;
    uint64_t deadline_ms; // loop time when it must be over
    struct http_waits waits;
    const struct str *body;
    size_t body_count;
    size_t pool_cap; // of its own memory
    bool paused, reused, head_method, resent;
    bool warm;                  // there is no request: the connection goes to rest once it is there
    struct http_exchange *next; // of those
    uint64_t begun_ms;          // likewise, loop time
    size_t head_n;
    char head[]; // the request's head as it goes out
};

// Gets a connection for x from the pool, or starts one. False: *err, x is untouched.
NODISCARD bool upstream_attach(struct upstream_pool *pool, struct http_exchange *x, bool fresh, struct err *err);
// Lets go of the connection and closes it.
void upstream_drop(struct upstream *up);
void upstream_pool_release(struct upstream_pool *pool);
// Sets the timer for the state the connection is in.
void upstream_arm(struct upstream *up);
// The exchange has failed: its connection closes, on_error is called, x is gone.
void exchange_fail(struct http_exchange *x, const struct err *err);
void exchange_free(struct http_exchange *x);
// The connection of one without a request is there.
void exchange_warmed(struct http_exchange *x);
// Bytes of an answer.
void upstream_receive(struct upstream *up, char *p, size_t n);
// The peer closed where an answer without length was being read: that is its end.
void upstream_body_closed(struct upstream *up);
void upstream_send(struct upstream *up);
void upstream_to_idle(struct upstream *up);

#endif
