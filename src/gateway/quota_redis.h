// Quotas that several servers count together in Redis: what a request will use is reserved there in one round trip over
// all its budgets, and settled or given back when it is over.
//
//   struct quota_redis   one an event loop: its connection, its scripts, the reservations it holds
//   struct quota_held    one reservation, from the question to the acknowledged settlement
//
// In Redis a budget's period is a hash with what was used and what is reserved. A reservation is recorded with a time
// by which its server must have renewed it: the next script that looks at that tenant turns one that was not into used,
// so that a server that is killed leaks nothing. Settling is idempotent, so it is sent again until it is acknowledged.
//
// Ownership: quota_redis_create … quota_redis_free, once its redis was stopped; a held reservation ends with
// quota_held_settle or quota_held_refund, and its memory goes by itself. Thread rule: the loop's. Units: as
// access/quota.
#ifndef GATEWAY_QUOTA_REDIS_H
#define GATEWAY_QUOTA_REDIS_H

#include "access/quota.h"
#include "net/redis.h"

struct quota_redis;
struct quota_held;

// redis: the loop's. prefix: of all keys.
NODISCARD bool quota_redis_create(struct loop *loop, struct redis *redis, struct str prefix, struct quota_redis **out_q,
                                  struct err *err);
// Sends no more; after redis_stop.
void quota_redis_free(struct quota_redis *q); // NULL is fine

enum quota_answer {
    QUOTA_ANSWER_YES,
    QUOTA_ANSWER_NO,      // a budget has too little left
    QUOTA_ANSWER_UNKNOWN, // Redis has not said: not in time, or an error
};
// Comes once, never from inside quota_redis_ask; not after quota_held_settle or quota_held_refund.
typedef void quota_redis_fn(void *ctx, enum quota_answer answer);

// Asks for all parts of the grant, or none. model: as quota_take. False: cannot be asked now, and nobody is called; the
// reservation may be settled all the same (`force`). *out_held is NULL when there is no memory.
bool quota_redis_ask(struct quota_redis *q, const struct quota_grant *grant, struct str model, uint64_t timeout_ms,
                     quota_redis_fn *fn, void *ctx, struct quota_held **out_held);
// After QUOTA_ANSWER_NO: which part, and what is used of it.
unsigned quota_held_refuser(const struct quota_held *held, uint64_t *out_used);
// After QUOTA_ANSWER_YES: what was used of a part, with what is reserved, before this one.
uint64_t quota_held_used(const struct quota_held *held, unsigned part);
// What was used counts from now on. force: also when Redis has no such reservation, because it was away when it was
// asked: then it is told when it is back. held is gone afterwards; NULL is fine.
void quota_held_settle(struct quota_held *held, const struct quota_ask *used, bool force);
// Nothing was used.
void quota_held_refund(struct quota_held *held);

struct quota_redis_stats {
    uint64_t held;    // reservations not over yet, or not acknowledged as settled
    uint64_t dropped; // settlements given up: too many waited
};
void quota_redis_stats_get(const struct quota_redis *q, struct quota_redis_stats *out_stats);

#endif
