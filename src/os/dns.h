// Host names to addresses, without blocking the loop; answers are kept for a short while.
//
// Thread rule: the loop's thread (the lookup itself runs on the worker pool). Literal addresses and localhost
// are answered at once.
#ifndef OS_DNS_H
#define OS_DNS_H

#include "base/err.h"
#include "os/loop.h"

#include <sys/socket.h>

#define DNS_ADDRESSES_MAX 8

struct dns;
struct dns_query;

struct dns_answer {
    size_t count;
    struct sockaddr_storage addresses[DNS_ADDRESSES_MAX]; // with the port filled in
};
// answer NULL: it failed, error says why. Called once, never from inside dns_resolve.
typedef void dns_fn(void *ctx, const struct dns_answer *answer, const char *error);

NODISCARD bool dns_create(struct loop *loop, struct dns **out_dns, struct err *err);
// No query may be in flight.
void dns_free(struct dns *dns);
// From the cache or a literal: true, *out_answer is filled, *out_query is NULL and fn is not called. Otherwise a query
// (true) or an error (false).
NODISCARD bool dns_resolve(struct dns *dns, struct str host, uint16_t port, dns_fn *fn, void *ctx,
                           struct dns_answer *out_answer, struct dns_query **out_query, struct err *err);
// fn will not be called.
void dns_cancel(struct dns_query *query);
// Lookups that went to the resolver.
uint64_t dns_lookups(const struct dns *dns);

#endif
