// What the kernel knows of a TCP connection (its own file: <linux/tcp.h> and <netinet/tcp.h> cannot be mixed).
#ifndef OS_TCP_INFO_H
#define OS_TCP_INFO_H

#include <stdint.h>

// Bytes that the peer's kernel has acknowledged over the connection's life; 0 when unknown.
uint64_t tcp_info_bytes_acked(int fd);
// Bytes that were written and that the peer's kernel has not acknowledged; below 0 when unknown.
int64_t tcp_info_unsent(int fd);

#endif
