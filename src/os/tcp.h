// Non-blocking TCP on one loop: listeners, connections, writes that never lose their order.
//
// Ownership: struct tcp lives in its owner (a connection); after tcp_close the memory must stay until on_closed, the
// last callback. Thread rule: the loop's thread. Errors: negative codes; tcp_error_text explains them.
#ifndef OS_TCP_H
#define OS_TCP_H

#include "base/err.h"
#include "os/loop.h"

#include <uv.h>

struct tcp;
struct tcp_ops {
    // n bytes at p: in `into` when that is set, else in the loop's shared buffer: take what you need before returning.
    void (*on_read)(struct tcp *tcp, char *p, size_t n);
    // code 0: the peer closed its side; below 0: the connection failed. Nothing more will be read.
    void (*on_end)(struct tcp *tcp, int code);
    // All that was queued has been handed to the kernel.
    void (*on_drained)(struct tcp *tcp);
    // Outcome of tcp_connect: 0, or below 0 for failure.
    void (*on_connect)(struct tcp *tcp, int code);
    void (*on_closed)(struct tcp *tcp);
};

struct tcp_pending;
struct tcp {
    uv_tcp_t uv;
    const struct tcp_ops *ops;
    struct loop *loop;
    int fd;                      // -1 until connected or accepted
    struct tcp_pending *pending; // what the kernel would not take yet
    size_t queued;               // its bytes
    char *into;                  // the next read goes here, up to into_room bytes; NULL = the loop's shared buffer
    size_t into_room;
    struct tcp *cork_next, *cork_prev; // in the loop's list of those to flush
    char *cork;                        // small writes of this turn; NULL = none
    size_t cork_n, cork_cap;
    size_t read_hint; // at most this much per read into the shared buffer; 0 = all of it
    uint64_t written; // bytes given to tcp_write over its life
    bool reading, closing, failed;
};

NODISCARD bool tcp_init(struct tcp *tcp, struct loop *loop, const struct tcp_ops *ops, struct err *err);
struct listener;
// Adopts the connection that the listener offers. False when there is none or it failed.
NODISCARD bool tcp_accept(struct tcp *tcp, struct listener *listener);
struct sockaddr;
// on_connect follows unless this returns below 0.
int tcp_connect(struct tcp *tcp, const struct sockaddr *address);
// To a Unix socket of this machine, at once: 0 = connected (on_connect is not called), below 0 = it could not be.
int tcp_connect_unix(struct tcp *tcp, const char *path);
void tcp_read_start(struct tcp *tcp);
void tcp_read_stop(struct tcp *tcp);
// Writes the parts in order. Small writes leave together at the end of the loop's turn: one system call a connection,
// and the peers are woken in a row; large ones go at once. What the kernel does not take is copied and follows. After a
// failure the bytes are dropped and on_end follows. Returns the bytes still queued (back-pressure: stop producing above
// a limit).
size_t tcp_write(struct tcp *tcp, const struct str *parts, size_t count);
static inline size_t tcp_queued(const struct tcp *tcp) { return tcp->queued; }
// Says that we send no more, once what is queued has gone; reading goes on.
void tcp_shutdown(struct tcp *tcp);
// As tcp_queued, but exact at any moment: shrinks as the kernel takes parts of what is queued.
size_t tcp_unsent(const struct tcp *tcp);
void tcp_close(struct tcp *tcp);
// As tcp_close, but the peer sees a reset: its data is not wanted any more.
void tcp_reset(struct tcp *tcp);
// Bytes of ours that the peer's kernel has acknowledged over the connection's life; 0 when unknown. Source: Linux
// TCP_INFO, tcpi_bytes_acked.
uint64_t tcp_bytes_acked(struct tcp *tcp);
// The peer's address without port, as text.
struct str tcp_peer_text(struct tcp *tcp, char out[64]);
const char *tcp_error_text(int code);

// Listening sockets come to be in two steps, so that all of a new configuration's are known to be had before the first
// is used: listener_prepare binds, on any thread; listener_start listens, on the loop's thread. In between the kernel
// refuses connections: none waits that could be lost.
//
// n sockets on host:port (port 0: one that is free, the same for all), one a loop: the kernel shares the connections
// out among them (SO_REUSEPORT). host: an IP address, localhost, or * for all. A port that another program listens on
// is refused. own_port: this process itself listens on that port, at this address or another; then a second server of
// the same user that shares its port goes unnoticed, since the kernel does not tell the two apart. *out_port says which
// port it is. Errors name address and reason; on failure there is none.
NODISCARD bool listener_prepare(struct str host, uint16_t port, bool own_port, size_t n,
                                struct listener **out_listeners, uint16_t *out_port, struct err *err);
// accept is called for each waiting connection: it calls tcp_accept, at once or later; until then no other is offered.
typedef void listener_fn(void *ctx, struct listener *listener);
// Fails only when another program has begun to listen there since, or memory of the kernel's is short; the listener is
// still to be closed then.
NODISCARD bool listener_start(struct listener *listener, struct loop *loop, listener_fn *accept, void *ctx,
                              struct err *err);
// Offers all connections that wait, to be followed by listener_close: closing resets those nobody took. One whose offer
// is not taken at once is lost.
void listener_drain(struct listener *listener);
// Accepts no more; frees it. On the loop's thread, or any if it was not started. NULL is fine.
void listener_close(struct listener *listener);

#endif
