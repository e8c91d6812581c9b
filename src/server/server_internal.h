// Shared by the files that make up the server.
#ifndef SERVER_SERVER_INTERNAL_H
#define SERVER_SERVER_INTERNAL_H

#include "admin/admin.h"
#include "admin/models.h"
#include "admin/wish_text.h"
#include "gateway/batch_lines.h"
#include "gateway/batches.h"
#include "gateway/clerk.h"
#include "gateway/gateway.h"
#include "gateway/keys.h"
#include "govern/audit_note.h"
#include "govern/audit_sink.h"
#include "govern/content_log.h"
#include "govern/key_watch.h"
#include "govern/response_log.h"
#include "govern/score_log.h"
#include "net/redis.h"
#include "os/signals.h"
#include "os/watch.h"
#include "server/job.h"
#include "server/server.h"
#include "store/config_env.h"
#include "store/config_wish.h"

struct server;

// One event loop, with the HTTP server and the gateway on it.
struct server_loop {
    struct server *server;
    struct loop *loop;
    struct http_server *http;
    struct gateway_loop *gl;
    struct admin_loop *al;
    struct redis *redis; // NULL: none is configured
    struct thread thread;
    struct timer tick;
    uint32_t epoch;          // of its request ids
    uint64_t drain_until_ms; // loop time; 0 = not draining
    bool done;
    struct task drain, stop; // what the main thread has the loop do; each is posted once
};

struct server {
    const struct server_options *o;
    struct mutex setting_lock; // for other threads than loop 0's
    struct board *board;       // what is known of targets, over all configurations
    struct trials *trials;     // what models are tried against, likewise
    struct setting *setting;   // in force; replaced on loop 0's thread
    uint64_t first_stamp;      // of the files that the first one was loaded from
    struct vault *vault;
    struct event_bus *events;
    struct log *log, *access;
    struct metrics *metrics;
    struct datadir dir;
    bool dir_open;
    struct ledger *ledger;
    struct keys *keys;
    struct audit_notes *audit;
    struct key_watch *watch;
    struct audit_sinks *audit_sinks;
    struct row_writer *content;
    struct response_log *responses;
    struct row_writer *scores;
    struct clerk *clerk;
    struct batches *batches;
    struct gateway_loop **gls; // of the loops, for the batches
    struct gateway *gateway;
    struct server_loop *loops;
    unsigned n_loops;
    struct signals *signals;
    struct reload *reload;
    struct rounds *rounds;
    struct board_share_rounds *board_share; // NULL: there is no Redis
    struct trial_rounds *trial_rounds;
    struct admin_host host;
    struct admin *admin;
    atomic_bool redis_up; // as loop 0 last saw it; false without one
    atomic_uint running;  // loops that have not finished draining
    bool draining, stopping;
    struct secret admin_key;
    struct err models_missed; // at the start; ERR_COUNT: nothing was
};

// conf_load for a server: with its layers, and with what a look around this machine found. text: in place of the main
// file's; NULL = that. True = *out_conf set.
NODISCARD bool server_load_conf(const struct server_options *o, struct config_env *stores, const struct str *text,
                                struct conf_problems *problems, struct conf **out_conf);
NODISCARD bool server_open_logs(struct server *s, struct err *err);
struct log_options server_log_options(const struct server_options *o, const struct conf_log *c);
// The configuration in force, with a reference; any thread.
struct conf *server_conf(struct server *s);
struct admin_host server_host(struct server *s);

// Which of the two planes a request is for (doors.c). The handler's ctx is sl, whose gl and al are there by the first
// request.
struct http_handler doors_handler(struct server_loop *sl);
NODISCARD bool doors_create(struct server_loop *sl, struct err *err);

// Builds and starts the loops; loop 0's thread is the caller's.
NODISCARD bool loops_create(struct server *s, struct err *err);
NODISCARD bool loops_start(struct server *s, struct err *err);
void loops_free(struct server *s);
// Once each, drain first.
void loops_drain(struct server *s);
// Aborts what is left.
void loops_stop(struct server *s);
uint16_t loops_port(const struct server *s);

// Changes what is in force (reload.c). Loop 0's thread, except for reload_wish: any.
NODISCARD bool reload_start(struct server *s, struct err *err);
void reload_ask(struct server *s, enum job_cause cause); // not JOB_WISH
void reload_signal(struct server *s);
void reload_wish(struct server *s, struct admin_wish *wish);
// Takes up no more; reload_free follows when loop 0 has no work left.
void reload_stop(struct server *s);
void reload_free(struct server *s);

// Regular looks (rounds.c); likewise.
NODISCARD bool rounds_start(struct server *s, struct err *err);
// Blocks: a worker. Goes on with interrupted deletions of tenants (tenants_go.c).
struct audit_signer;
void tenants_go_on(struct server *s, const struct conf *conf, const struct audit_signer *signer);
void rounds_stop(struct server *s);
void rounds_free(struct server *s);

// What canaries and shadows have counted (trial_rounds.c); likewise.
NODISCARD bool trial_rounds_start(struct server *s, struct err *err);
void trial_rounds_stop(struct server *s);
void trial_rounds_free(struct server *s);

// Looks for OpenAI-compatible servers on this machine; appends what it found. Base URLs live in the arena.
#define LOCALS_MAX 8
size_t locals_find(uint16_t own_port, struct arena *arena, struct conf_local out[LOCALS_MAX]);

// Registers what the metrics read from elsewhere.
NODISCARD bool figures_register(struct server *s, struct err *err);
// The living state of routing's targets (targets.c): for the metrics, for the control plane as JSON, and what has
// changed for the log and the events. The first two from any thread, targets_look on loop 0's, about every second.
void targets_collect(struct server *s, struct metrics *m);
NODISCARD bool targets_put(struct server *s, struct buf *out, struct err *err);
void targets_look(struct server *s);
// One loop's own figures; its thread.
void figures_of_loop(struct server_loop *sl);

#endif
