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

static void on_waiting(void *ctx, struct listener *listener) {
    (void)listener;
    http_conn_accept(ctx);
}

static struct http_listener *listener_by_id(struct http_server *server, unsigned id) {
    for (size_t i = 0; i < ARRAY_LEN(server->listeners); i++)
        if (server->listeners[i].socket && server->listeners[i].id == id) return &server->listeners[i];
    return NULL;
}

static struct http_listener *listener_free_place(struct http_server *server) {
    for (size_t i = 0; i < ARRAY_LEN(server->listeners); i++)
        if (!server->listeners[i].socket) return &server->listeners[i];
    return NULL;
}

static void listener_end(struct http_listener *l) {
    if (!l->socket) return;
    listener_close(l->socket);
    l->socket = NULL;
    timer_stop(&l->retry);
    if (l->tls) tls_ctx_unref(l->tls);
    l->tls = NULL;
}

bool http_server_listen_prepared(struct http_server *server, struct listener *prepared, struct tls_ctx *tls_ctx,
                                 unsigned id, struct err *err) {
    struct http_listener *l = listener_free_place(server);
    INVARIANT(!listener_by_id(server, id));
    bool ok = false;
    if (server->draining)
        err_set(err, ERR_SHUTTING_DOWN, "the server is draining and listens no more");
    else if (!l)
        err_set(err, ERR_CONFIG_INVALID, "too many listeners at a time");
    else
        ok = true;
    if (ok) {
        http_listener_init(l, server, id);
        ok = listener_start(prepared, server->loop, on_waiting, l, err);
    }
    if (!ok) {
        listener_close(prepared);
        return false;
    }
    l->socket = prepared;
    l->tls = tls_ctx ? tls_ctx_ref(tls_ctx) : NULL;
    return true;
}

bool http_server_listen(struct http_server *server, struct str host, uint16_t port, struct tls_ctx *tls_ctx,
                        uint16_t *out_port, struct err *err) {
    struct listener *prepared;
    uint16_t bound;
    unsigned id = 0;
    while (listener_by_id(server, id)) id++;
    if (!listener_prepare(host, port, false, 1, &prepared, &bound, err) ||
        !http_server_listen_prepared(server, prepared, tls_ctx, id, err))
        return false;
    *out_port = bound;
    return true;
}

void http_server_unlisten(struct http_server *server, unsigned id) {
    struct http_listener *l = listener_by_id(server, id);
    if (!l) return;
    listener_drain(l->socket);
    listener_end(l);
}

void http_server_set_tls(struct http_server *server, unsigned id, struct tls_ctx *tls_ctx) {
    struct http_listener *l = listener_by_id(server, id);
    if (!l) return;
    struct tls_ctx *old = l->tls;
    l->tls = tls_ctx ? tls_ctx_ref(tls_ctx) : NULL;
    if (old) tls_ctx_unref(old);
}

void http_server_set_options(struct http_server *server, const struct http_server_options *options) {
    server->options = *options;
}

static void close_listeners(struct http_server *server) {
    for (size_t i = 0; i < ARRAY_LEN(server->listeners); i++) listener_end(&server->listeners[i]);
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
    server->draining = true; // a listener that was on its way comes too late
    close_listeners(server);
    each_conn(server, http_conn_stop);
}

void http_server_free(struct http_server *server) {
    if (!server) return;
    INVARIANT(server->conns == NULL);
    close_listeners(server);
    mem_free(server);
}

void *http_server_ctx(const struct http_server *server) { return server->handler.ctx; }

void http_server_stats_get(const struct http_server *server, struct http_server_stats *out_stats) {
    *out_stats = server->stats;
}

size_t http_server_max_body(const struct http_server *server, enum http_method method, struct str target) {
    struct str path, query;
    if (!server->handler.max_body) return server->options.max_body;
    http_target_split(target, &path, &query);
    return server->handler.max_body(server->handler.ctx, method, path);
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
