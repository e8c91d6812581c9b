// Connections to Unix sockets, which from then on are like those over TCP.
#include "os/tcp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int tcp_connect_unix(struct tcp *tcp, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof address.sun_path) return UV_ENAMETOOLONG;
    memcpy(address.sun_path, path, n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    // Never waits: the peer's kernel side takes the connection, or there is no room in its queue.
    int rc = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
    if (rc == 0) rc = uv_tcp_open(&tcp->uv, fd);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    tcp->fd = fd;
    return 0;
}
