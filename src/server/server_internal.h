// Shared by the files that make up the server.
#ifndef SERVER_SERVER_INTERNAL_H
#define SERVER_SERVER_INTERNAL_H

#include "gateway/gateway.h"
#include "gateway/keys.h"
#include "os/signals.h"
#include "server/server.h"
#include "store/datadir.h"

struct server;

// One event loop, with the HTTP server and the gateway on it.
struct server_loop {
    struct server *server;
    struct loop *loop;
    struct http_server *http;
    struct gateway_loop *gl;
    struct thread thread;
    struct timer tick;
    uint32_t epoch;          // of its request ids
    uint64_t drain_until_ms; // loop time; 0 = not draining
    bool done;
    struct task drain, stop; // what the main thread has the loop do; each is posted once
};

// New settings on their way to a loop.
struct loop_settings {
    struct task task;
    struct loop_settings *next; // of another loop, until posted
    struct server_loop *sl;
    struct runtime *runtime;
    struct tls_ctx *tls[HTTP_LISTENERS_MAX];
};

struct server {
    const struct server_options *o;
    struct conf *conf;
    struct runtime *runtime;
    struct tls_ctx *tls[HTTP_LISTENERS_MAX]; // by listener; NULL = plain
    uint16_t ports[HTTP_LISTENERS_MAX];
    size_t n_listeners;
    struct log *log, *access;
    struct metrics *metrics;
    struct datadir dir;
    bool dir_open;
    struct ledger *ledger;
    struct keys *keys;
    struct gateway *gateway;
    struct server_loop *loops;
    unsigned n_loops;
    struct signals *signals;
    struct reload *reload;
    atomic_uint running; // loops that have not finished draining
    bool draining, stopping;
    struct secret admin_key;
};

// conf_load for a server: with the overrides, and with what a look around this machine found. True = *out_conf set.
NODISCARD bool server_load_conf(const struct server_options *o, struct conf_problems *problems, struct conf **out_conf);
NODISCARD bool server_open_logs(struct server *s, struct err *err);
// TLS contexts of a configuration's listeners, in their order. On failure none is left.
NODISCARD bool server_tls(const struct conf *conf, struct tls_ctx **out_tls, struct err *err);
void server_tls_free(struct tls_ctx **tls, size_t n);

// Builds and starts the loops; loop 0's thread is the caller's.
NODISCARD bool loops_create(struct server *s, struct err *err);
NODISCARD bool loops_start(struct server *s, struct err *err);
void loops_free(struct server *s);
// Hands new settings to every loop, which take references of their own; false: to none.
NODISCARD bool loops_apply(struct server *s, struct runtime *runtime, struct tls_ctx *const tls[HTTP_LISTENERS_MAX],
                           struct err *err);
// Once each, drain first.
void loops_drain(struct server *s);
// Aborts what is left.
void loops_stop(struct server *s);
uint16_t loops_port(const struct server *s);

// Reloads on SIGHUP and when the configuration file, a certificate or a key changes.
NODISCARD bool reload_start(struct server *s, struct err *err);
void reload_now(struct server *s);
// Takes up no more; reload_free follows when loop 0 has no work left.
void reload_stop(struct server *s);
void reload_free(struct server *s);

// Looks for OpenAI-compatible servers on this machine; appends what it found. Base URLs live in the arena.
#define LOCALS_MAX 8
size_t locals_find(uint16_t own_port, struct arena *arena, struct conf_local out[LOCALS_MAX]);

// Registers what the metrics read from elsewhere.
NODISCARD bool figures_register(struct server *s, struct err *err);
// One loop's own figures; its thread.
void figures_of_loop(struct server_loop *sl);

#endif
