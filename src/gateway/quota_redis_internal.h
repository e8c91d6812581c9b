// Shared by the files of quotas in Redis.
#ifndef GATEWAY_QUOTA_REDIS_INTERNAL_H
#define GATEWAY_QUOTA_REDIS_INTERNAL_H

#include "gateway/quota_redis.h"

#include "base/buf.h"

#define QUOTA_HELD_TTL_MS 15000 // a reservation that was not renewed for so long is turned into used
#define QUOTA_RENEW_MS 5000
#define QUOTA_GRACE_MS (INT64_C(15) * 60 * 1000) // a counter outlives its period by so much, for what is settled late
#define QUOTA_WAIT_MAX 20000                     // settlements that wait for Redis to come back, a loop
#define QUOTA_KEY_MAX ((size_t)192)

enum quota_script { QUOTA_SCRIPT_RESERVE, QUOTA_SCRIPT_SETTLE, QUOTA_SCRIPT_RENEW, QUOTA_SCRIPT_LEASE, QUOTA_SCRIPTS };
struct str quota_script_text(enum quota_script script);

struct quota_redis {
    struct loop *loop;
    struct redis *redis;
    char prefix[80];
    struct redis_script scripts[QUOTA_SCRIPTS];
    struct buf keys; // being put together
    char node[17];   // of this loop's reservations
    uint64_t next_id;
    struct quota_held *first, *last; // in the order they were asked for
    uint64_t n_held, n_waiting, n_dropped;
    struct timer timer;
};

// "PREFIXquota:{TENANT}:NAME"
void quota_put_key(struct buf *out, struct str prefix, int64_t tenant, const char *name);
// The counter of a budget's window.
void quota_put_counter_key(struct buf *out, struct str prefix, const struct quota_budget *b, int64_t start);
// Unix ms when Redis forgets the window; 0 = never.
int64_t quota_expiry(int64_t end);
// -1: this budget does not refuse requests to that model.
int64_t quota_limit_of(const struct quota_budget *b, struct str model);

#endif
