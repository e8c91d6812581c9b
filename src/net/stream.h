// A byte stream over TCP, with TLS or without: what HTTP connections, inbound and outbound, are built on.
//
// Ownership: struct stream lives in its connection; after stream_close the memory must stay until on_closed, the last
// callback. Thread rule: the loop's thread.
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "net/tls.h"
#include "os/tcp.h"

struct stream;
struct stream_ops {
    // Connected, and the TLS handshake done where there is one.
    void (*on_ready)(struct stream *s);
    // Plain bytes, in a buffer shared by the loop: take what you need before returning.
    void (*on_read)(struct stream *s, char *p, size_t n);
    // The peer closed (reason NULL) or the stream failed (reason says how). Nothing more will be read or written.
    void (*on_end)(struct stream *s, const char *reason);
    void (*on_drained)(struct stream *s);
    void (*on_closed)(struct stream *s);
};

struct stream {
    struct tcp tcp;
    const struct stream_ops *ops;
    struct tls *tls;
    bool ready, ended, delivering;
};

// Adopts a waiting connection; tls_ctx NULL = plain. on_ready follows (at once, before return, for a plain stream).
NODISCARD bool stream_accept(struct stream *s, struct loop *loop, struct listener *listener, struct tls_ctx *tls_ctx,
                             const struct stream_ops *ops, struct err *err);
// Sets up without connecting; then stream_connect. on_closed follows stream_close in every case after this.
NODISCARD bool stream_init(struct stream *s, struct loop *loop, const struct stream_ops *ops, struct err *err);
// host: verified and sent as SNI when tls_ctx is given. on_ready or on_end follows when it returns true.
NODISCARD bool stream_connect(struct stream *s, const struct sockaddr *address, struct tls_ctx *tls_ctx,
                              struct str host, struct err *err);
// To a Unix socket of this machine, plain. on_ready comes before it returns true.
NODISCARD bool stream_connect_unix(struct stream *s, const char *path, struct err *err);
// TLS over an established plain stream (after a proxy's CONNECT): on_ready comes once more.
NODISCARD bool stream_start_tls(struct stream *s, struct tls_ctx *tls_ctx, struct str host, struct err *err);
void stream_read_start(struct stream *s);
void stream_read_stop(struct stream *s);
// The next plain bytes may be put straight into p, up to n (plain streams only; NULL ends it).
void stream_read_into(struct stream *s, char *p, size_t n);
// Returns the bytes that the kernel has not taken yet.
size_t stream_write(struct stream *s, const struct str *parts, size_t count);
static inline size_t stream_queued(const struct stream *s) { return tcp_queued(&s->tcp); }
// Says that we send no more (close_notify over TLS), once what is queued has gone; reading goes on.
void stream_shutdown(struct stream *s);
void stream_close(struct stream *s); // flushes nothing beyond what the kernel has, says close_notify
void stream_reset(struct stream *s);
struct str stream_alpn(const struct stream *s);

#endif
