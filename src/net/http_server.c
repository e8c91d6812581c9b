// The HTTP server of one loop: its listeners, its connections, draining and stopping.
#include "net/http_server_internal.h"

#include "base/mem.h"
#include "os/clock.h"

bool http_server_create(struct loop *loop, const struct http_server_options *options,
                        const struct http_handler *handler, struct http_server **out_server, struct err *err) {
    struct http_server *server = mem_zalloc(1, sizeof *server);
    if (!server) return err_no_memory(err);
    server->loop = loop;
    server->options = *options;
    server->handler = *handler;
    *out_server = server;
    return true;
}

static void on_waiting(void *ctx, uv_stream_t *stream) { http_conn_accept(ctx, stream); }

bool http_server_listen(struct http_server *server, struct str host, uint16_t port, struct tls_ctx *tls_ctx,
                        uint16_t *out_port, struct err *err) {
    if (server->listener_count == HTTP_LISTENERS_MAX)
        return err_set(err, ERR_CONFIG_INVALID, "no more than %d listeners", HTTP_LISTENERS_MAX);
    struct http_listener *l = &server->listeners[server->listener_count];
    http_listener_init(l, server);
    if (!listener_open(server->loop, host, port, on_waiting, l, &l->socket, out_port, err)) return false;
    l->tls = tls_ctx ? tls_ctx_ref(tls_ctx) : NULL;
    server->listener_count++;
    return true;
}

void http_server_set_tls(struct http_server *server, size_t listener, struct tls_ctx *tls_ctx) {
    INVARIANT(listener < server->listener_count);
    struct http_listener *l = &server->listeners[listener];
    struct tls_ctx *old = l->tls;
    l->tls = tls_ctx ? tls_ctx_ref(tls_ctx) : NULL;
    if (old) tls_ctx_unref(old);
}

void http_server_set_options(struct http_server *server, const struct http_server_options *options) {
    server->options = *options;
}

static void close_listeners(struct http_server *server) {
    for (size_t i = 0; i < server->listener_count; i++) {
        struct http_listener *l = &server->listeners[i];
        if (l->socket) listener_close(l->socket);
        l->socket = NULL;
        timer_stop(&l->retry);
    }
}

static void each_conn(struct http_server *server, void (*fn)(struct http_conn *conn)) {
    for (struct http_conn *conn = server->conns, *next; conn; conn = next) {
        next = conn->next; // closing frees later, from the loop
        fn(conn);
    }
}

void http_server_drain(struct http_server *server) {
    server->draining = true;
    close_listeners(server);
    each_conn(server, http_conn_drain);
}

size_t http_server_open(const struct http_server *server) { return (size_t)server->stats.open; }

void http_server_stop(struct http_server *server) {
    close_listeners(server);
    each_conn(server, http_conn_stop);
}

void http_server_free(struct http_server *server) {
    if (!server) return;
    INVARIANT(server->conns == NULL);
    for (size_t i = 0; i < server->listener_count; i++)
        if (server->listeners[i].tls) tls_ctx_unref(server->listeners[i].tls);
    mem_free(server);
}

void *http_server_ctx(const struct http_server *server) { return server->handler.ctx; }

void http_server_stats_get(const struct http_server *server, struct http_server_stats *out_stats) {
    *out_stats = server->stats;
}

struct str http_server_date(struct http_server *server) {
    uint64_t second = (uint64_t)clock_unix_ns() / NS_PER_SEC;
    if (second != server->date_second) {
        time_t t = (time_t)second;
        struct tm tm;
        server->date_second = second;
        gmtime_r(&t, &tm);
        strftime(server->date, sizeof server->date, "date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    }
    return str_c(server->date);
}
