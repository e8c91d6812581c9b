// Listening sockets: one a loop on the same port, shared out by the kernel (SO_REUSEPORT).
#include "os/tcp.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

struct listener {
    uv_tcp_t uv;
    listener_fn *accept;
    void *ctx;
};

static void on_connection(uv_stream_t *stream, int status) {
    struct listener *listener = stream->data;
    if (status == 0) listener->accept(listener->ctx, stream);
}

static bool parse_host(struct str host, uint16_t port, struct sockaddr_storage *out, struct err *err) {
    char text[64];
    if (str_eq(host, STR("localhost"))) host = STR("127.0.0.1");
    if (str_eq(host, STR("*")) || host.n == 0) host = STR("0.0.0.0");
    if (host.n < sizeof text && !memchr(host.p, 0, host.n)) {
        memcpy(text, host.p, host.n);
        text[host.n] = '\0';
        if (uv_ip4_addr(text, port, (struct sockaddr_in *)out) == 0) return true;
        if (uv_ip6_addr(text, port, (struct sockaddr_in6 *)out) == 0) return true;
    }
    return err_set(err, ERR_CONFIG_INVALID, "cannot listen on \"%.*s\": give an IP address, localhost, or * for all",
                   STR_ARG(host));
}

static bool bind_error(struct err *err, struct str host, uint16_t port, int code) {
    const char *hint = code == EADDRINUSE ? "; another program has the port: stop it or choose another with --listen"
                       : code == EACCES   ? "; ports below 1024 need the CAP_NET_BIND_SERVICE capability"
                                          : "";
    return err_set(err, ERR_IO, "cannot listen on %.*s:%u: %s%s", STR_ARG(host), port, strerror(code), hint);
}

// SO_REUSEPORT lets a second server of the same user share the port in silence; whoever asks for a port wants it alone,
// so the first loop's socket is tried without it.
static bool port_is_taken(const struct sockaddr_storage *ss, socklen_t n) {
    int fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool taken = bind(fd, (const struct sockaddr *)ss, n) != 0 && errno == EADDRINUSE;
    close(fd);
    return taken;
}

static int open_socket(const struct sockaddr_storage *ss, socklen_t n, bool first) {
    if (first && port_is_taken(ss, n)) return -EADDRINUSE;
    int fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)ss, n) == 0) return fd;
    int code = errno;
    close(fd);
    return -code;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0) return 0;
    return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                                          : ((struct sockaddr_in *)&ss)->sin_port);
}

static void on_closed_free(uv_handle_t *handle) { mem_free(handle->data); }

bool listener_open(struct loop *loop, struct str host, uint16_t port, listener_fn *accept, void *ctx,
                   struct listener **out_listener, uint16_t *out_port, struct err *err) {
    struct sockaddr_storage ss = {0};
    if (!parse_host(host, port, &ss, err)) return false;
    socklen_t n = ss.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = open_socket(&ss, n, loop_index(loop) == 0 && port != 0);
    if (fd < 0) return bind_error(err, host, port, -fd);
    struct listener *listener = mem_zalloc(1, sizeof *listener);
    if (!listener) {
        close(fd);
        return err_no_memory(err);
    }
    *listener = (struct listener){.accept = accept, .ctx = ctx};
    int rc = uv_tcp_init(loop_uv(loop), &listener->uv);
    if (rc != 0) {
        close(fd);
        mem_free(listener);
        return err_set(err, ERR_IO, "cannot create a socket: %s", uv_strerror(rc));
    }
    listener->uv.data = listener;
    rc = uv_tcp_open(&listener->uv, fd);
    if (rc == 0) rc = uv_listen((uv_stream_t *)&listener->uv, BACKLOG, on_connection);
    if (rc != 0) {
        uv_close((uv_handle_t *)&listener->uv, on_closed_free);
        return bind_error(err, host, port, -rc);
    }
    *out_port = bound_port(fd);
    *out_listener = listener;
    return true;
}

void listener_close(struct listener *listener) { uv_close((uv_handle_t *)&listener->uv, on_closed_free); }
