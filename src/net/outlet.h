// A blocking connection that only sends: TCP and TLS streams, UDP and Unix datagrams, by an address as text.
//
// Ownership: outlet_open … outlet_close, which also accepts a zeroed one. Thread rule: one thread, which waits; any but
// an event loop's. Errors: ERR_IO, with address and reason.
#ifndef NET_OUTLET_H
#define NET_OUTLET_H

#include "base/err.h"
#include "os/datagram.h"

#include <stdatomic.h>

struct outlet {
    void *curl; // of a stream; NULL = datagrams
    struct datagram datagram;
    bool open;
};
// "tcp://HOST:PORT", "tls://HOST:PORT", "udp://HOST:PORT", "unix:///PATH". tls_ca: PEM file, empty = the system's.
NODISCARD bool outlet_open(struct str address, struct str tls_ca, struct outlet *out_outlet, struct err *err);
static inline bool outlet_is_stream(const struct outlet *o) { return o->curl != NULL; }
// All of it. `stop`: once true, it gives up.
NODISCARD bool outlet_send(struct outlet *o, struct str bytes, const atomic_bool *stop, struct err *err);
// Of a stream: the peer has not closed it.
bool outlet_alive(struct outlet *o);
// Of a stream: bytes that the peer's machine has not acknowledged.
int64_t outlet_unsent(struct outlet *o);
void outlet_close(struct outlet *o);

#endif
