// Listening sockets: one a loop on the same port, bound first, listening later, closed without losing who waits.
#include "os/tcp.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

struct listener {
    uv_tcp_t uv;
    int fd;       // bound; uv's once `loop` is set
    int accepted; // taken off a listener that is about to close; -1 = none
    struct loop *loop;
    bool offered; // a connection that waits in uv
    listener_fn *accept;
    void *ctx;
    char host[64]; // for messages
    uint16_t port;
};

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

static bool listen_error(struct err *err, struct str host, uint16_t port, int code) {
    const char *hint = code == EADDRINUSE ? "; another program has the port: stop it or choose another with --listen"
                       : code == EACCES   ? "; ports below 1024 need the CAP_NET_BIND_SERVICE capability"
                       : code == EADDRNOTAVAIL ? "; this machine has no such address"
                       : code == EMFILE        ? "; raise the limit: ulimit -n"
                                               : "";
    return err_set(err, ERR_IO, "cannot listen on %.*s:%u: %s%s", STR_ARG(host), port, strerror(code), hint);
}

static int bind_to(int fd, const struct sockaddr_storage *ss) {
    socklen_t n = ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    return bind(fd, (const struct sockaddr *)ss, n);
}

// SO_REUSEPORT lets a second server of the same user share the port in silence; whoever asks for a port wants it alone,
// so it is tried without.
static bool port_is_taken(const struct sockaddr_storage *ss) {
    int fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool taken = bind_to(fd, ss) != 0 && errno == EADDRINUSE;
    close(fd);
    return taken;
}

// A socket that is bound, or below 0: the negative reason.
static int bound_socket(const struct sockaddr_storage *ss) {
    int fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind_to(fd, ss) == 0) return fd;
    int code = errno;
    close(fd);
    return -code;
}

static in_port_t *port_of(struct sockaddr_storage *ss) {
    return ss->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)ss)->sin6_port : &((struct sockaddr_in *)ss)->sin_port;
}

// --- preparing ---

// Binds to *ss, whose port is filled in.
static bool prepare_one(struct str host, struct sockaddr_storage *ss, struct listener **out_listener, struct err *err) {
    socklen_t n = sizeof *ss;
    struct listener *l = mem_zalloc(1, sizeof *l);
    if (!l) return err_no_memory(err);
    int fd = bound_socket(ss);
    if (fd < 0 || getsockname(fd, (struct sockaddr *)ss, &n) != 0) {
        int code = fd < 0 ? -fd : errno;
        if (fd >= 0) close(fd);
        mem_free(l);
        return listen_error(err, host, ntohs(*port_of(ss)), code);
    }
    *l = (struct listener){.fd = fd, .accepted = -1, .port = ntohs(*port_of(ss))};
    snprintf(l->host, sizeof l->host, "%.*s", STR_ARG(host));
    *out_listener = l;
    return true;
}

bool listener_prepare(struct str host, uint16_t port, bool own_port, size_t n, struct listener **out_listeners,
                      uint16_t *out_port, struct err *err) {
    struct sockaddr_storage ss = {0};
    if (!parse_host(host, port, &ss, err)) return false;
    if (port && !own_port && port_is_taken(&ss)) return listen_error(err, host, port, EADDRINUSE);
    for (size_t i = 0; i < n; i++) {
        if (prepare_one(host, &ss, &out_listeners[i], err)) continue; // the first chooses the port of the others
        while (i-- > 0) {
            listener_close(out_listeners[i]);
            out_listeners[i] = NULL;
        }
        return false;
    }
    *out_port = ntohs(*port_of(&ss));
    return true;
}

// --- listening ---

static void on_connection(uv_stream_t *stream, int status) {
    struct listener *l = stream->data;
    if (status != 0) return;
    l->offered = true;
    l->accept(l->ctx, l);
}

bool listener_start(struct listener *l, struct loop *loop, listener_fn *accept, void *ctx, struct err *err) {
    INVARIANT(!l->loop);
    int rc = uv_tcp_init(loop_uv(loop), &l->uv);
    if (rc != 0) return listen_error(err, str_c(l->host), l->port, -rc);
    l->loop = loop;
    l->accept = accept;
    l->ctx = ctx;
    l->uv.data = l;
    rc = uv_tcp_open(&l->uv, l->fd);
    if (rc != 0)
        close(l->fd);
    else
        rc = uv_listen((uv_stream_t *)&l->uv, BACKLOG, on_connection);
    return rc == 0 || listen_error(err, str_c(l->host), l->port, -rc);
}

static int take(struct listener *l, struct tcp *tcp) {
    if (l->accepted < 0) {
        l->offered = false;
        return uv_accept((uv_stream_t *)&l->uv, (uv_stream_t *)&tcp->uv);
    }
    int rc = uv_tcp_open(&tcp->uv, l->accepted);
    if (rc == 0) l->accepted = -1;
    return rc;
}

bool tcp_accept(struct tcp *tcp, struct listener *listener) {
    if (take(listener, tcp) != 0) return false;
    uv_tcp_nodelay(&tcp->uv, 1);
    return uv_fileno((uv_handle_t *)&tcp->uv, &tcp->fd) == 0;
}

void listener_drain(struct listener *l) {
    if (!l->loop || uv_is_closing((uv_handle_t *)&l->uv)) return;
    if (l->offered) l->accept(l->ctx, l);
    if (l->offered) return; // no memory for it; the others would fare no better
    for (;;) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (fd < 0) return;
        l->accepted = fd;
        l->accept(l->ctx, l);
        if (l->accepted >= 0) close(l->accepted);
        l->accepted = -1;
    }
}

static void on_closed_free(uv_handle_t *handle) { mem_free(handle->data); }

void listener_close(struct listener *l) {
    if (!l) return;
    if (l->loop) {
        uv_close((uv_handle_t *)&l->uv, on_closed_free);
    } else {
        close(l->fd);
        mem_free(l);
    }
}
