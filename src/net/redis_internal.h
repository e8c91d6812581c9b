// Shared by the files that make up the Redis client.
//
//   redis ── conn (at most one in use; those closing live on by themselves) ── calls, in the order they were sent
#ifndef NET_REDIS_INTERNAL_H
#define NET_REDIS_INTERNAL_H

#include "net/redis.h"
#include "net/stream.h"
#include "os/dns.h"

enum redis_phase {
    REDIS_IDLE,    // not started
    REDIS_REST,    // waits before the next attempt
    REDIS_RESOLVE, // the server's name
    REDIS_CONNECT, // TCP, and TLS where there is one
    REDIS_GREET,   // HELLO, AUTH, SELECT
    REDIS_UP,
    REDIS_STOPPED,
};

enum redis_kind { REDIS_COMMAND, REDIS_SCRIPT, REDIS_GREETING, REDIS_PING, REDIS_SUBSCRIBE };

struct redis_call {
    struct redis_call *next;
    struct redis *redis;
    redis_fn *fn; // NULL: nobody waits for it (any more)
    void *ctx;
    struct timer timer;
    uint64_t sent_ns;
    const struct redis_script *script;
    size_t cap; // of its own memory
    size_t n_args, n_keys, tail_n;
    uint8_t kind;
    char tail[]; // REDIS_SCRIPT: its keys and arguments as they were sent
};

struct redis_conn {
    struct stream stream;
    struct redis *redis; // NULL: it is closing
    struct resp_reader reader;
    struct redis_call *first, **last;
    bool reading; // its replies are being handed out
};

struct redis {
    struct loop *loop;
    struct redis_options o;
    struct tls_ctx *tls;
    struct dns *dns;
    struct dns_query *query;
    struct dns_answer addresses;
    size_t address_next;
    char why[160]; // the first address could not be connected to
    struct redis_conn *conn;
    struct buf out; // a command being put together
    struct timer timer;
    enum redis_phase phase;
    uint8_t greeting;  // the step that an answer is awaited to
    unsigned attempts; // since it was last up
    size_t waiting;
    size_t n_channels;
    struct str channels[REDIS_CHANNELS_MAX];
    struct redis_stats stats;
};

// Gives up the connection, or the attempt at one, fails what waits and tries again later.
void redis_lost(struct redis *r, enum err_code code, const char *why);
// Begins the talk on a new connection; then each answer, until redis_is_up or redis_lost.
void redis_greet(struct redis *r);
void redis_greeting(struct redis *r, const struct resp *reply); // which may be a RESP_ERROR
void redis_is_up(struct redis *r);

// A reply has come: the first waiting call is answered by it.
void redis_take(struct redis_conn *conn, const struct resp *reply);
// Writes the command in r->out and queues its call.
void redis_put(struct redis *r, struct redis_call *call);
struct redis_call *redis_call_new(struct redis *r, enum redis_kind kind, const struct redis_wish *wish, size_t tail_n);
// One of the client's own. False: no memory.
NODISCARD bool redis_own(struct redis *r, enum redis_kind kind, const struct str *args, size_t n);
// All calls of a connection that is gone: *err to each.
void redis_fail_calls(struct redis *r, struct redis_call *first, const struct err *err);
// Time until something must have been heard.
void redis_watch(struct redis *r);

#endif
