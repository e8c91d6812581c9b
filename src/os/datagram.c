// Opens sockets for datagrams and sends on them.
#include "os/datagram.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_S 2

static bool adopt(int fd, struct datagram *out_socket) {
    struct timeval wait = {.tv_sec = SEND_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    *out_socket = (struct datagram){.fd = fd, .open = true};
    return true;
}

bool datagram_open_udp(struct str host, uint16_t port, struct datagram *out_socket, struct err *err) {
    char name[256], service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV}, *list;
    if (host.n >= sizeof name) return err_set(err, ERR_IO, "the host's name is too long");
    if (host.n) memcpy(name, host.p, host.n);
    name[host.n] = '\0';
    snprintf(service, sizeof service, "%u", port);
    int rc = getaddrinfo(name, service, &hints, &list);
    if (rc) return err_set(err, ERR_IO, "%s: %s", name, gai_strerror(rc));
    int fd = -1, reason = 0;
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) continue;
        reason = errno;
        if (fd >= 0) close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    if (fd < 0) return err_set(err, ERR_IO, "%s port %u: %s", name, port, strerror(reason));
    return adopt(fd, out_socket);
}

bool datagram_open_unix(struct str path, struct datagram *out_socket, struct err *err) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path.n >= sizeof to.sun_path) return err_set(err, ERR_IO, "the socket's path is too long");
    if (path.n) memcpy(to.sun_path, path.p, path.n);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        int reason = errno;
        if (fd >= 0) close(fd);
        return err_set(err, ERR_IO, "%.*s: %s", STR_ARG(path), strerror(reason));
    }
    return adopt(fd, out_socket);
}

bool datagram_send(struct datagram *socket, struct str bytes, struct err *err) {
    ssize_t n;
    do {
        n = send(socket->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)bytes.n || err_set(err, ERR_IO, "%s", strerror(errno));
}

void datagram_close(struct datagram *socket) {
    if (socket->open) close(socket->fd);
    *socket = (struct datagram){0};
}
