// A client of Redis for one event loop: pipelined, over one connection that is made again whenever it is lost.
//
// Ownership: redis_create, redis_start … redis_stop, the loop's handles drained, redis_free. Thread rule: the loop's
// thread. Units: milliseconds. What a slow or dead server can do is bounded: nothing here ever waits for it, a command
// that gets no answer in its time fails, one that cannot be sent at once fails at once.
//
// A command that was sent ends with exactly one call of its redis_fn, unless redis_forget comes before; that call never
// comes from inside redis_send or redis_eval. A command is sent once: when a connection breaks nobody knows whether the
// server carried out what it had not answered, so those commands fail (ERR_UPSTREAM_RESET) and it is for the caller to
// ask again, with scripts that can be repeated.
#ifndef NET_REDIS_H
#define NET_REDIS_H

#include "base/err.h"
#include "conf/conf.h"
#include "conf/redis_url.h"
#include "net/resp.h"
#include "os/loop.h"

struct redis;
struct redis_call;

struct redis_options {
    struct redis_url at;
    struct str tls_ca; // PEM file; empty = the system's
    bool tls_no_verify;
    uint64_t timeout_ms; // nothing at all was answered for so long: the connection is given up; 0 = 1 s
    uint64_t connect_ms; // until it may be used; 0 = 2 s
    size_t max_waiting;  // commands without answer; 0 = 4096
    struct resp_limits limits;
    // May be NULL. up: commands can be sent from now on, or cannot.
    void (*on_state)(void *ctx, bool up);
    void (*on_message)(void *ctx, struct str channel, struct str payload); // of channels subscribed to
    void *ctx;
};
// The options that a configuration with redis.url says. False: the address is malformed, as only a reference that
// could not be resolved is.
NODISCARD bool redis_options_of(const struct conf_redis *conf, struct redis_options *out_options);

// Copies what it needs. Errors: the CA file.
NODISCARD bool redis_create(struct loop *loop, const struct redis_options *options, struct redis **out_redis,
                            struct err *err);
void redis_start(struct redis *r);
// Fails what is under way, then calls nobody any more.
void redis_stop(struct redis *r);
void redis_free(struct redis *r); // NULL is fine

// reply: never a RESP_ERROR, valid during the call. NULL: *err says why; ERR_UPSTREAM_STATUS when the server refused,
// with its words ("ERR …") in the message behind "Redis: ".
typedef void redis_fn(void *ctx, const struct resp *reply, const struct err *err);
struct redis_wish {
    redis_fn *fn; // NULL: nobody cares
    void *ctx;
    uint64_t timeout_ms; // 0 = the client's
};
// False: not connected (ERR_UPSTREAM_REFUSED), too much waits (ERR_OVERLOADED), no memory; fn is not called then.
// out_call may be NULL; it is valid until fn is called.
NODISCARD bool redis_send(struct redis *r, const struct str *args, size_t n, const struct redis_wish *wish,
                          struct redis_call **out_call, struct err *err);

// A Lua script, known to the server by its SHA-1 after its first use.
struct redis_script {
    struct str source; // outlives it
    char sha[41];
};
NODISCARD bool redis_script_init(struct redis_script *script, struct str source, struct err *err);
// args: n_keys keys, then the other arguments. When the server does not know the script it is sent again, whole.
NODISCARD bool redis_eval(struct redis *r, const struct redis_script *script, const struct str *args, size_t n_keys,
                          size_t n, const struct redis_wish *wish, struct redis_call **out_call, struct err *err);
// fn will not be called. The command is on its way all the same.
void redis_forget(struct redis_call *call);

#define REDIS_CHANNELS_MAX 16
// Kept through reconnections; messages meanwhile are lost. Needs RESP3 (Redis 6). False: there are too many.
NODISCARD bool redis_subscribe(struct redis *r, struct str channel);

struct redis_stats {
    bool up;
    bool resp3;
    char version[32]; // as the server says; empty before the first connection
    uint64_t connects, sent, answered, timeouts, failed;
    unsigned attempts; // to connect that failed, since it was last up
    size_t waiting;    // commands without answer
    uint64_t rtt_us;   // of the last answer
    char error[200];   // why it is not up, or was lost the last time
};
void redis_stats_get(const struct redis *r, struct redis_stats *out_stats);

// For the control plane: connects, asks each command in turn, awaits the answers and closes; blocks, so not for loops.
// fn is called for each command in order (with NULL and *err for one that the server refused). False: no connection, or
// it was lost, or timeout_ms passed.
struct redis_ask {
    const struct str *args;
    size_t n;
};
NODISCARD bool redis_ask_all(const struct redis_options *options, const struct redis_ask *asks, size_t n,
                             uint64_t timeout_ms, redis_fn *fn, void *ctx, struct err *err);

#endif
