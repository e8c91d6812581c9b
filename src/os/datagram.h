// A socket for datagrams to one receiver: UDP, or a Unix socket of this machine.
//
// Ownership: datagram_open … datagram_close, which also accepts a zeroed or closed one. Thread rule: blocking (names
// are looked up), so never on an event loop. Errors: ERR_IO with address and reason.
#ifndef OS_DATAGRAM_H
#define OS_DATAGRAM_H

#include "base/err.h"

#define DATAGRAM_MAX ((size_t)60000)

struct datagram {
    int fd;
    bool open;
};
NODISCARD bool datagram_open_udp(struct str host, uint16_t port, struct datagram *out_socket, struct err *err);
NODISCARD bool datagram_open_unix(struct str path, struct datagram *out_socket, struct err *err);
// Waits up to about two seconds for room in the receiver's queue.
NODISCARD bool datagram_send(struct datagram *socket, struct str bytes, struct err *err);
void datagram_close(struct datagram *socket);

#endif
