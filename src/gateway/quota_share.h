// Shares of budgets: each server takes part of what is left of a budget out of Redis and counts it by itself, so that
// requests need not ask. Shares shrink as the limit comes near, go back when they are not needed, and are taken as used
// when their server has died.
//
//   struct quota_share   one a process, on one event loop; it alone sets the caps of the process's counters
//
// Ownership: quota_share_create … quota_share_free. Thread rule: that loop's, except for quota_share_prepare and
// quota_share_used_up: any. Units: as access/quota.
#ifndef GATEWAY_QUOTA_SHARE_H
#define GATEWAY_QUOTA_SHARE_H

#include "gateway/quota_redis.h"

struct quota_share;
NODISCARD bool quota_share_create(struct loop *loop, struct quota *quota, struct redis *redis, struct quota_redis *q,
                                  struct quota_share **out_share, struct err *err);
// Gives all shares back; before redis_stop.
void quota_share_stop(struct quota_share *share);
void quota_share_free(struct quota_share *share); // NULL is fine

// Before quota_take: has shares fetched where this server has none, or little left, of the grant's budgets. Then
// quota_take may refuse by_cap what a share that is on its way would let through.
void quota_share_prepare(struct quota_share *share, const struct quota_subject *subject, const struct quota_ask *ask,
                         const struct quota_grant *grant, int64_t now_ns);
// Whether all servers together have, as of a moment ago, too little left of this budget: waiting is of no use.
bool quota_share_used_up(struct quota_share *share, const struct quota_budget *budget);

#endif
