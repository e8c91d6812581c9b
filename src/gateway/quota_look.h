// Asks Redis what all servers together have used of budgets: for what is told and shown, not for what is counted.
//
// Thread rule: any thread that may wait (up to QUOTA_LOOK_MS), never a loop's. Errors: those of redis_ask_all.
#ifndef GATEWAY_QUOTA_LOOK_H
#define GATEWAY_QUOTA_LOOK_H

#include "access/quota.h"
#include "conf/conf.h"

#define QUOTA_LOOK_MS 500

// Whether budgets are counted in Redis at all.
bool quota_is_shared(const struct conf *conf);
// Tells each part of the list by quota_heard how it stands. stirring: only those that quota_stirs says to be worth it.
NODISCARD bool quota_look(const struct conf *conf, const struct quota_list *list, bool stirring, struct err *err);

#endif
