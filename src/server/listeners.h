// The addresses a configuration listens on: prepared whole, then handed to every loop.
//
// A listener that a new configuration has too is kept, sockets and all, known by its address as written; what is new is
// bound before anything changes, and what is gone accepts no more once the switch is made.
//
// Ownership: a set owns TLS contexts and the sockets no loop has taken. Thread rule: prepared on any thread, one at a
// time; taken by each loop on its own.
#ifndef SERVER_LISTENERS_H
#define SERVER_LISTENERS_H

#include "conf/conf.h"
#include "net/http_server.h"
#include "os/tcp.h"

struct listener_entry {
    char address[304];         // as written
    unsigned id;               // for the loops' servers
    uint16_t port;             // bound
    struct tls_ctx *tls;       // NULL = plain
    struct listener **sockets; // new ones, one a loop, NULL once taken; NULL = kept from before
};
struct listener_set {
    struct listener_entry list[HTTP_LISTENERS_MAX];
    size_t n;
    unsigned n_loops;
    unsigned next_id;
};

// old may be NULL. On failure nothing is left bound.
NODISCARD bool listener_set_prepare(const struct conf *conf, const struct listener_set *old, unsigned n_loops,
                                    struct listener_set *out_set, struct err *err);
// On a loop's thread: begins to listen on what is new, renews TLS, stops to listen on what `old` (may be NULL) has and
// the set has not. False when a socket could not be used; the others are.
bool listener_set_take(struct listener_set *set, const struct listener_set *old, unsigned loop_index,
                       struct http_server *http, struct err *err);
void listener_set_free(struct listener_set *set);

#endif
